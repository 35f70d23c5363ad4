"""A span of one source, and how its pictures are changed: cropped, mirrored, turned in hue.

Knows no other part and no timeline, and opens nothing: a path stays a path. What is done to pixels
is a function of the part and the picture alone.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, fields
from functools import lru_cache
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from videoatlas_gym.cues import Subtitles
from videoatlas_gym.subtitles import resolve_subtitles
from videoatlas_gym.video._picture import Scalers, fitted_size
from videoatlas_gym.video.source import LETTERBOX_RGB, VideoSource

_OF_THREAD = threading.local()
"""Holds the scalers of each thread."""


@dataclass(frozen=True)
class Part:
    """A span of one source on a timeline, and how its pictures and its pace are changed.

    Changes apply in this order: crop, mirror, hue. JSON-able when `source` is a path.
    """

    source: VideoSource | str | os.PathLike[str]
    """A path, opened when needed, or any source."""
    start_seconds: float = 0.0
    """First moment used, in seconds of the source."""
    end_seconds: float | None = None
    """End of what is used, in seconds of the source; None for its end."""
    _: KW_ONLY
    mirror: bool = False
    """Swap left and right."""
    crop: tuple[float, float, float, float] | None = None
    """Window (x, y, width, height) that is kept, as fractions of the picture from its top left."""
    hue_degrees: float = 0.0
    """Rotation of all colours; greys and luma stay (see `rotate_hue`)."""
    speed: float = 1.0
    """2.0 shows the part twice as fast, in half the time."""
    subtitles: Any = None
    """In seconds of the source; anything `resolve_subtitles` takes."""
    group: str | None = None
    """Name of the original, for statistics clustered by video."""

    def __post_init__(self) -> None:
        if isinstance(self.source, os.PathLike):
            object.__setattr__(self, "source", os.fspath(self.source))
        if self.crop is not None:
            object.__setattr__(self, "crop", _checked_crop(self.crop))
        if isinstance(self.subtitles, list):
            object.__setattr__(self, "subtitles", resolve_subtitles(self.subtitles))
        if not 0 < self.speed < math.inf:
            raise ValueError(f"speed must be positive and finite, got {self.speed}.")
        if not math.isfinite(self.hue_degrees):
            raise ValueError(f"hue_degrees must be finite, got {self.hue_degrees}.")
        end = math.inf if self.end_seconds is None else self.end_seconds
        if not 0 <= self.start_seconds < end:
            raise ValueError(
                f"a part must start at 0 s or later and end after its start, got "
                f"[{self.start_seconds}, {self.end_seconds}) seconds of {self.source!r}."
            )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data from which `from_json` makes an equal part.

        Raises:
            ValueError: If the part was made from a source object and not from a path.
        """
        if not isinstance(self.source, str):
            raise ValueError(
                f"only parts made from paths can be written down, got {self.source!r}. Give a path."
            )
        data = {item.name: getattr(self, item.name) for item in fields(self)}
        data["crop"] = None if self.crop is None else list(self.crop)
        if isinstance(self.subtitles, Subtitles):
            data["subtitles"] = {"cues": self.subtitles.to_json()}
        elif isinstance(self.subtitles, os.PathLike):
            data["subtitles"] = os.fspath(self.subtitles)
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Part:
        """Read what `to_json` wrote."""
        data = dict(data)
        if isinstance(data["subtitles"], dict):
            data["subtitles"] = Subtitles.from_json(data["subtitles"]["cues"])
        return cls(**data)


def rotate_hue(rgb: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    """Rotate the hue of uint8 (height, width, 3) pixels. Greys stay exactly, luma until clipping.

    The matrix of `feColorMatrix type="hueRotate"` (W3C Filter Effects Module Level 1), on encoded
    values: ``W + cos(a) (I - W) + sin(a) S``, every row of W being the luma weights (0.213, 0.715,
    0.072). Computed in integers of 2**-16, so that each machine gives the same pixels.
    """
    if degrees % 360 == 0:
        return rgb
    matrix = _hue_matrix(float(degrees))
    red, green, blue = (rgb[..., channel].astype(np.int32) for channel in range(3))
    turned = np.empty(rgb.shape, np.uint8)
    for channel, (a, b, c) in enumerate(matrix):
        mixed = (red * a + green * b + blue * c + (1 << 15)) >> 16
        turned[..., channel] = np.clip(mixed, 0, 255)
    return turned


@lru_cache(maxsize=1024)
def _hue_matrix(degrees: float) -> tuple[tuple[int, int, int], ...]:
    """The rotation in units of 2**-16; every row sums to 2**16, which keeps greys."""
    luma = np.array([[0.213, 0.715, 0.072]] * 3)
    sine = np.array([[-0.213, -0.715, 0.928], [0.143, 0.140, -0.283], [-0.787, 0.715, 0.072]])
    angle = math.radians(degrees)
    matrix = luma + math.cos(angle) * (np.eye(3) - luma) + math.sin(angle) * sine
    units = np.round(matrix * (1 << 16)).astype(int)
    units[np.diag_indices(3)] += (1 << 16) - units.sum(axis=1)
    return tuple((int(a), int(b), int(c)) for a, b, c in units)


def changed(part: Part, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture with the crop, mirroring and hue of its part."""
    if part.crop is not None:
        rgb = rgb[_crop_window((rgb.shape[1], rgb.shape[0]), part.crop)]
    if part.mirror:
        rgb = rgb[:, ::-1]
    return rotate_hue(rgb, part.hue_degrees)


def cropped_size(size: tuple[int, int], crop: tuple[float, ...] | None) -> tuple[int, int]:
    """Return the (width, height) that a crop keeps of a picture of `size`."""
    if crop is None:
        return size
    rows, columns = _crop_window(size, crop)
    return columns.stop - columns.start, rows.stop - rows.start


def picture_window(native: tuple[int, int], tile: tuple[int, int]) -> tuple[slice, slice]:
    """Return the (rows, columns) of a letterboxed tile that hold the picture."""
    width, height = fitted_size(native, tile)
    left, top = (tile[0] - width) // 2, (tile[1] - height) // 2
    return slice(top, top + height), slice(left, left + width)


def boxed(rgb: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a picture scaled (AREA filter) into a letterboxed tile of `size`."""
    native = (rgb.shape[1], rgb.shape[0])
    width, height = fitted_size(native, size)
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    if not hasattr(_OF_THREAD, "scalers"):
        _OF_THREAD.scalers = Scalers()
    scaled = _OF_THREAD.scalers.scaled(picture, (width, height))
    if (width, height) == tuple(size):
        return scaled
    tile = np.empty((size[1], size[0], 3), np.uint8)
    tile[:] = LETTERBOX_RGB
    tile[picture_window(native, size)] = scaled
    return tile


def _checked_crop(crop: Sequence[float]) -> tuple[float, ...]:
    crop = tuple(map(float, crop))
    inside = len(crop) == 4 and min(crop[:2]) >= 0 < min(crop[2:])
    if not (inside and crop[0] + crop[2] <= 1 + 1e-9 and crop[1] + crop[3] <= 1 + 1e-9):
        raise ValueError(
            "crop must be (x, y, width, height) as fractions inside the picture, such as "
            f"(0.1, 0.0, 0.8, 1.0), got {crop}."
        )
    return crop


def _crop_window(size: tuple[int, int], crop: tuple[float, ...]) -> tuple[slice, slice]:
    """(rows, columns) of a crop in a picture of `size`: edges rounded, at least one pixel."""
    slices = []
    for pixels, first, length in ((size[1], crop[1], crop[3]), (size[0], crop[0], crop[2])):
        begin = min(round(first * pixels), pixels - 1)
        slices.append(slice(begin, max(begin + 1, min(round((first + length) * pixels), pixels))))
    return slices[0], slices[1]
