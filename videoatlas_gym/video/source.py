"""What a video is to the rest of the package: frames at exact moments, and how that can fail.

A source knows nothing of grids, questions or agents. Time is in seconds from the presentation time
of the first displayed frame; the frame "at t" is the one on display at t: the last whose time is <=
t.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from videoatlas_gym.span import Span

LETTERBOX_RGB = (28, 28, 32)
"""Colour of the bars around a picture that does not fill its tile. Not black: black means dead."""


class VideoError(Exception):
    """A video cannot be used; the message says which, why, and what to do next."""


class VideoOpenError(VideoError):
    """The file is missing, is no video, or holds no video track that can be shown."""


class FrameDecodeError(VideoError):
    """The video is open, but the frame at some moment cannot be decoded."""


class VideoChangedError(VideoError):
    """The file is not the one any more that was opened."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One decoded picture with its time. `np.asarray(frame)` is its pixels."""

    rgb: NDArray[np.uint8]
    """Pixels, uint8 (height, width, 3), upright and with square pixels; read-only."""
    seconds: float
    """Presentation time, in seconds from the first displayed frame of the source."""
    pts: int
    """Identifies the frame within its source: its stream time stamp in ticks, or an ordinal."""
    is_held: bool = False
    """Whether it stands in for a damaged one that was to be shown after it."""

    def __array__(self, dtype=None, copy=None) -> NDArray:
        """Return the pixels, so that a frame can stand wherever an array is expected."""
        pixels = self.rgb if dtype is None else self.rgb.astype(dtype, copy=False)
        return pixels.copy() if copy else pixels


@runtime_checkable
class VideoSource(Protocol):
    """Random access to the frames of one timeline.

    A source opens lazily, may be shared by threads, and pickles by what it was made from (paths,
    not pixels). `close()` releases decoders; a later call opens them again.
    """

    @property
    def duration_seconds(self) -> float:
        """End of the last frame, in seconds from the presentation time of the first."""

    @property
    def native_size(self) -> tuple[int, int]:
        """(width, height) in pixels of a full frame, upright and with square pixels.

        The largest where frames differ in size (`ConcatSource`).
        """

    @property
    def frame_seconds(self) -> float:
        """Length of a frame in seconds: the median gap between neighbouring frames."""

    @property
    def frames_decoded(self) -> int:
        """How many pictures the decoder has produced for this source so far (telemetry)."""

    def frames_at(
        self, seconds: Sequence[float], size: tuple[int, int] | None = None
    ) -> list[Frame]:
        """Return the frames on display at `seconds`, in the order asked.

        Args:
            seconds: Moments, each in ``[0, duration_seconds)``; unsorted, repeated ones are fine.
            size: None for native pixels; (width, height) for a tile of exactly that size, the
                picture scaled to fit (AREA filter) and letterboxed in `LETTERBOX_RGB`, never
                stretched.

        Raises:
            ValueError: If a moment lies outside the video.
            FrameDecodeError: If a frame cannot be decoded.
        """

    def key_frames_at(
        self,
        seconds: Sequence[float],
        spans: Sequence[Span],
        size: tuple[int, int] | None = None,
    ) -> list[Frame | None]:
        """Return the key frame nearest to each moment within its span, or None.

        For previews: a key frame is decoded without any other picture. A source may pass one over
        that is hard to find, but what it returns is a frame that it shows at `Frame.seconds`, in
        the span. This default knows no key frames.

        Args:
            seconds: Moments, each in ``[0, duration_seconds)``, in any order.
            spans: The span that each key frame is to lie in, half-open.
            size: As in `frames_at`.

        Raises:
            ValueError: If a moment lies outside the video.
            FrameDecodeError: If the source cannot be read in time.
        """
        return [None] * len(seconds)

    def frame_times(self, start_seconds: float, end_seconds: float) -> NDArray[np.float64]:
        """Return the times of all frames on display at some moment of ``[start, end)``, ascending.

        The first may lie before `start_seconds` (it is still on display then). Shape ``(n,)``, n >=
        1.
        """

    def fingerprint(self) -> str:
        """Return a short hex string that changes when the video's content may have changed."""

    def check_unchanged(self) -> None:
        """Raise a `VideoChangedError` if what is known of the source no longer holds. Cheap."""

    def close(self) -> None:
        """Release decoders and file handles. Reading afterwards opens them again."""

    def frame_at(self, seconds: float) -> Frame:
        """Return the frame on display at `seconds` at native resolution."""
        return self.frames_at([seconds])[0]

    def tiles_at(self, seconds: Sequence[float], width: int, height: int) -> NDArray[np.uint8]:
        """Return letterboxed tiles, uint8 (n, height, width, 3), in the order asked."""
        frames = list(self.frames_at(seconds, (width, height)))
        tiles = np.empty((len(frames), height, width, 3), np.uint8)
        for tile in reversed(tiles):
            tile[:] = frames.pop().rgb  # Let go of at once: a sheet can be large.
        return tiles

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
