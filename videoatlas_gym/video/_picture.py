"""From a decoder's picture to upright, square-pixel RGB: native frames and letterboxed tiles.

Knows nothing of time or files. A display matrix turns and mirrors in quarter turns only; anything
else in one (real files hold zeros and random bits there) is ignored, and so are absurd pixel aspect
ratios.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from videoatlas_gym.video.source import LETTERBOX_RGB

MAX_SIDE_PX = 12_000
"""Pictures wider or higher than this are refused: real ones are not, broken headers are."""

_MAX_PIXEL_ASPECT = 16
_KEPT_SCALERS = 8


@dataclass(frozen=True)
class Orientation:
    """How the coded picture has to be turned to stand upright: transpose first, then flip."""

    is_transposed: bool = False
    is_upside_down: bool = False
    is_mirrored: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> Orientation:
        """Read the display matrix of a decoded picture; the identity where there is no sane one."""
        return cls.told(frame) or cls()

    @classmethod
    def told(cls, frame: VideoFrame) -> Orientation | None:
        """Read the display matrix of a decoded picture, if it comes with one."""
        for data in frame.side_data:
            if data.type.name == "DISPLAYMATRIX":
                return cls.from_matrix(np.frombuffer(bytes(data), np.int32))
        return None

    @classmethod
    def from_matrix(cls, matrix: NDArray[np.int32]) -> Orientation:
        """Interpret the nine fixed-point numbers of ISO 14496-12: x' = ax + cy, y' = bx + dy."""
        if len(matrix) < 5:
            return cls()
        a, b, c, d = (int(matrix[i]) for i in (0, 1, 3, 4))
        small = max(abs(number) for number in (a, b, c, d)) / 100
        if min(abs(a), abs(d)) > small >= max(abs(b), abs(c)):
            return cls(False, d < 0, a < 0)
        if min(abs(b), abs(c)) > small >= max(abs(a), abs(d)):
            return cls(True, b < 0, c < 0)
        return cls()

    def turned(self, size: tuple[int, int]) -> tuple[int, int]:
        """(width, height) after turning a picture of `size`, or before: it is its own inverse."""
        return size[::-1] if self.is_transposed else size

    def upright(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the picture turned upright (a view)."""
        if self.is_transposed:
            rgb = rgb.transpose(1, 0, 2)
        if self.is_upside_down:
            rgb = rgb[::-1]
        return rgb[:, ::-1] if self.is_mirrored else rgb

    @property
    def degrees_clockwise(self) -> int:
        """The quarter turns, in degrees, that come before the mirroring, if any."""
        if self.is_transposed:
            return 270 if self.is_upside_down else 90
        return 180 if self.is_upside_down else 0

    @property
    def is_reflected(self) -> bool:
        """Whether the picture is mirrored besides being turned."""
        return self.is_transposed ^ self.is_upside_down ^ self.is_mirrored


def sane_pixel_aspect(ratio: Fraction | None) -> Fraction:
    """Return the sample aspect ratio, or 1 where it is unknown or no camera could have meant it."""
    if not ratio or not Fraction(1, _MAX_PIXEL_ASPECT) <= ratio <= _MAX_PIXEL_ASPECT:
        return Fraction(1)
    return Fraction(ratio)


def square_size(size: tuple[int, int], pixel_aspect: Fraction) -> tuple[int, int]:
    """(width, height) with square pixels: one side grows, none shrinks."""
    width, height = size
    if pixel_aspect >= 1:
        return round(width * pixel_aspect), height
    return width, round(height / pixel_aspect)


def fitted_size(size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """Return the largest (width, height) shaped like `size` that fits into `box`, at least 1x1."""
    scale = min(Fraction(box[0], size[0]), Fraction(box[1], size[1]))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


class Scalers:
    """Scales pictures to RGB, AREA filter; keeps the contexts of the sizes used last.

    Building one costs more than scaling with it, and `frame.reformat()` builds one for each frame.
    Not for several threads at once.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[tuple[int, int], tuple[int, int]], VideoReformatter]
        self._kept = OrderedDict()

    def scaled(self, frame: VideoFrame, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Return uint8 (height, width, 3) of `size`, which is (width, height)."""
        key = ((frame.width, frame.height), size)
        scaler = self._kept.pop(key, None) or VideoReformatter()
        self._kept[key] = scaler
        if len(self._kept) > _KEPT_SCALERS:
            self._kept.popitem(last=False)
        return scaler.reformat(
            frame, *size, format="rgb24", interpolation="AREA", threads=1
        ).to_ndarray()


class Painter:
    """Turns decoded pictures of one track into RGB arrays; keeps its scalers between calls.

    Not for several threads at once.

    Args:
        native_size: (width, height) of full pictures.
        pixel_aspect: Width of a pixel by its height.
        orientation: How pictures are turned that do not say so themselves.
        max_pixels: Of a picture; larger ones are refused by a ValueError.
    """

    def __init__(
        self,
        native_size: tuple[int, int],
        pixel_aspect: Fraction,
        orientation: Orientation = Orientation(),
        max_pixels: float = math.inf,
    ) -> None:
        self._max_pixels = max_pixels
        self._native_size = native_size
        self._pixel_aspect = pixel_aspect
        self._orientation = orientation
        self._native_scaler = VideoReformatter()
        self._scalers = Scalers()

    def paint(self, frame: VideoFrame, size: tuple[int, int] | None) -> NDArray[np.uint8]:
        """Return read-only uint8 (height, width, 3): native pixels, or a letterboxed tile."""
        if frame.width * frame.height > self._max_pixels:
            raise ValueError(
                f"the picture has {frame.width}x{frame.height} pixels, more than the "
                f"{self._max_pixels} allowed (max_pixels)"
            )
        orientation = Orientation.told(frame) or self._orientation
        coded_size = (frame.width, frame.height)
        shown_size = orientation.turned(square_size(coded_size, self._pixel_aspect))
        if size is None and shown_size == self._native_size == orientation.turned(coded_size):
            # Not frame.to_ndarray(format=...): that starts threads which outlive the frame.
            rgb = self._native_scaler.reformat(frame, format="rgb24", threads=1).to_ndarray()
            rgb = orientation.upright(rgb)
        else:
            rgb = self._boxed(frame, orientation, shown_size, size or self._native_size)
        rgb = np.ascontiguousarray(rgb)
        rgb.flags.writeable = False
        return rgb

    def _boxed(self, frame, orientation, shown_size, box) -> NDArray[np.uint8]:
        width, height = fitted_size(shown_size, box)
        turned = orientation.turned((width, height))
        picture = orientation.upright(self._scalers.scaled(frame, turned))
        if (width, height) == box:
            return picture
        canvas = np.empty((box[1], box[0], 3), np.uint8)
        canvas[:] = LETTERBOX_RGB
        left, top = (box[0] - width) // 2, (box[1] - height) // 2
        canvas[top : top + height, left : left + width] = picture
        return canvas
