"""Writing videos with known content: any frames at any times, and frames that carry a number.

Knows how to encode, not how to read back. A numbered frame shows its index as 20 black or white
blocks in its top quarter; they survive H.264 and resizing, so a test can ask any picture which
frame it is, and a demonstration can be made without a film.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import lru_cache
from itertools import chain, pairwise
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from videoatlas_gym.files import replacing

NUMBER_BITS = 20
"""A numbered frame can carry the numbers 0 .. 2**20 - 1, the most significant bit first."""

_BLOCK_COLUMNS, _BLOCK_ROWS = 10, 2
_BLOCK_SHARE = 0.25
_VARIABLE_RATE_TIME_BASE = Fraction(1, 90_000)


def write_video(
    path: str | os.PathLike[str],
    frames: Iterable[NDArray[np.uint8]],
    *,
    frames_per_second: float | Fraction = 25,
    times_seconds: Sequence[float] | None = None,
    codec: str = "libx264",
    pixel_format: str | None = None,
    options: Mapping[str, str] | None = None,
    group_of_pictures: int | None = None,
    b_frames: int | None = None,
    container_format: str | None = None,
    container_options: Mapping[str, str] | None = None,
    sample_aspect_ratio: Fraction | None = None,
    rotation_degrees: int = 0,
) -> Path:
    """Encode frames to a video file; the file appears whole or not at all.

    Args:
        path: Where to write; the suffix chooses the container. An existing file is replaced.
        frames: Pictures, uint8 RGB (height, width, 3), all of one size (even for most codecs).
        frames_per_second: Constant rate, used where `times_seconds` is None.
        times_seconds: Presentation time of each frame in seconds, ascending, rounded to 1/90000 s
            (1/1000 s in Matroska and WebM). The last frame lasts as long as the one before it
            (files with B-frames may store another length for it).
        codec: An encoder of FFmpeg, for example "libx264", "libx265", "libvpx-vp9", "mpeg4".
        pixel_format: "yuv420p", or what the codec takes, by default.
        options: Options of the encoder, for example ``{"crf": "18"}``.
        group_of_pictures: Frames from one key frame to the next at most; by default the encoder's.
        b_frames: How many B-frames in a row at most; by default the encoder's.
        container_format: Name of the container where the suffix does not tell.
        container_options: Options of the container, for example ``{"movflags": "faststart"}``.
        sample_aspect_ratio: Width of a pixel over its height; square if None.
        rotation_degrees: Turn that a player should apply, counterclockwise, a multiple of 90.

    Returns:
        The path.

    Raises:
        ValueError: If there are no frames, their sizes differ, or times and frames do not match.
    """
    path = Path(path)
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        raise ValueError("there are no frames to write; give at least one.")
    clock = _Clock(frames_per_second, times_seconds)
    with (
        _same_priority(),
        replacing(path) as partial,
        av.open(
            str(partial), "w", format=container_format, options=dict(container_options or {})
        ) as container,
    ):
        stream = container.add_stream(codec, rate=clock.rate)
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = pixel_format or _default_pixel_format(codec)
        context = stream.codec_context
        context.time_base = clock.time_base
        context.options = _encoder_options(codec, options)
        if group_of_pictures is not None:
            context.gop_size = group_of_pictures
        if b_frames is not None:
            context.max_b_frames = b_frames
        if sample_aspect_ratio is not None:
            context.sample_aspect_ratio = Fraction(sample_aspect_ratio)
        if rotation_degrees:
            stream.set_display_rotation(rotation_degrees)
        timed = _timed(chain([first], pictures), clock, stream.pix_fmt)
        for frame in chain(timed, [None]):
            for packet in stream.encode(frame):
                packet.duration = clock.length(packet.pts)
                container.mux(packet)
    return path


@contextmanager
def _same_priority() -> Iterator[None]:
    """Undo what SVT-AV1 does to the thread that calls it as root: leave it real-time priority.

    Such a thread lets no other one run, and waits forever where it waits for one in a loop.
    """
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != policy:
            os.sched_setscheduler(0, policy, parameters)


class _Clock:
    """Gives the i-th frame its time stamp and length, in ticks of `time_base`."""

    def __init__(self, frames_per_second, times_seconds: Sequence[float] | None) -> None:
        if times_seconds is None:
            self.rate = Fraction(frames_per_second).limit_denominator(100_000)
            if self.rate <= 0:
                raise ValueError(f"frames_per_second must be positive, got {frames_per_second}.")
            self.time_base, self._stamps = 1 / self.rate, None
            return
        self.rate, self.time_base = None, _VARIABLE_RATE_TIME_BASE
        stamps = [round(Fraction(moment) / self.time_base) for moment in times_seconds]
        gaps = [later - earlier for earlier, later in pairwise(stamps)]
        if min(gaps, default=1) < 1:
            raise ValueError("times_seconds must ascend by at least 1/90000 s from frame to frame.")
        gaps.append(gaps[-1] if gaps else round(1 / (25 * self.time_base)))
        self._stamps = dict(zip(stamps, gaps, strict=True))
        self._order = stamps

    def stamp(self, index: int) -> int:
        """Time stamp of the frame."""
        if self._stamps is None:
            return index
        if index >= len(self._order):
            raise ValueError(f"there are more frames than times_seconds ({len(self._order)}).")
        return self._order[index]

    def length(self, stamp: int) -> int:
        """Length of the frame with that time stamp."""
        return 1 if self._stamps is None else self._stamps[stamp]

    def refuse_rest(self, num_frames: int) -> None:
        """Refuse times that no frame came for."""
        if self._stamps is not None and num_frames != len(self._stamps):
            raise ValueError(
                f"there must be one time per frame, got {len(self._stamps)} times for "
                f"{num_frames} frames."
            )


def _timed(
    pictures: Iterable[NDArray[np.uint8]], clock: _Clock, pixel_format: str
) -> Iterator[av.VideoFrame]:
    """Yield frames as the encoder takes them; a read-only array given again is converted once."""
    shape, index, last, frame = None, 0, None, None
    reformatter = VideoReformatter()
    for index, rgb in enumerate(pictures, 1):
        shape = shape or rgb.shape
        if rgb.shape != shape or rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
            raise ValueError(
                f"frames must be uint8 RGB arrays (height, width, 3) of one size; frame "
                f"{index - 1} is {rgb.dtype} {rgb.shape}, the first is {shape}."
            )
        if rgb is not last or rgb.flags.writeable:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
            frame, last = reformatter.reformat(picture, format=pixel_format), rgb
        frame.time_base = clock.time_base
        frame.pts = clock.stamp(index - 1)
        yield frame
    clock.refuse_rest(index)


def _default_pixel_format(codec: str) -> str:
    formats = [video_format.name for video_format in av.Codec(codec, "w").video_formats or ()]
    return formats[0] if formats else "yuv420p"


def _encoder_options(codec: str, options: Mapping[str, str] | None) -> dict[str, str]:
    """Options as given, with the chatter of x265 turned off."""
    quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    return {**quiet, **(options or {})}


def numbered_frame(index: int, width: int = 320, height: int = 180) -> NDArray[np.uint8]:
    """Return a picture that carries `index`, uint8 (height, width, 3).

    The number stands in 2 x 10 blocks across the top quarter, white for one, the most significant
    bit first; the rest is a texture that moves with the index, so that no two pictures are alike.

    Args:
        index: The number, in ``[0, 2**20)``.
        width: In pixels, at least 40.
        height: In pixels, at least 32.

    Raises:
        ValueError: If the index cannot be carried or the picture is too small for the blocks.
    """
    if not 0 <= index < 1 << NUMBER_BITS:
        raise ValueError(f"index must lie in [0, {1 << NUMBER_BITS}), got {index}.")
    if width < 40 or height < 32:
        raise ValueError(f"a numbered frame has at least 40x32 pixels, got {width}x{height}.")
    rgb = _texture(index, width, height)
    bits = [(index >> shift) & 1 for shift in reversed(range(NUMBER_BITS))]
    for bit, (rows, columns) in zip(bits, _blocks(width, height), strict=True):
        rgb[rows, columns] = 255 * bit
    return rgb


def numbered_frames(
    count: int, width: int = 320, height: int = 180, *, first_index: int = 0
) -> Iterator[NDArray[np.uint8]]:
    """Yield `count` numbered frames, counting up from `first_index`."""
    for index in range(first_index, first_index + count):
        yield numbered_frame(index, width, height)


def read_number(rgb: NDArray[np.uint8]) -> int:
    """Return the number a numbered frame carries, from its pixels at any size without bars.

    Raises:
        ValueError: If some block is neither black nor white, as in a picture without a number.
    """
    height, width = rgb.shape[:2]
    number = 0
    for rows, columns in _blocks(width, height):
        brightness = float(_core(rgb[rows, columns]).mean())
        if 96 < brightness < 160:
            raise ValueError(
                f"this picture carries no number: a block has brightness {brightness:.0f}, neither "
                "black nor white. Crop letterbox bars first, or use a bigger picture."
            )
        number = number << 1 | (brightness > 128)
    return number


def _blocks(width: int, height: int) -> Iterator[tuple[slice, slice]]:
    """(rows, columns) of the blocks, row by row."""
    for row in range(_BLOCK_ROWS):
        for column in range(_BLOCK_COLUMNS):
            yield (
                _share(row, _BLOCK_ROWS, height * _BLOCK_SHARE),
                _share(column, _BLOCK_COLUMNS, width),
            )


def _share(index: int, count: int, length: float) -> slice:
    return slice(round(index * length / count), round((index + 1) * length / count))


def _core(block: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle of a block, away from what resizing and compression blur."""
    rows, columns = (side // 4 for side in block.shape[:2])
    return block[rows : block.shape[0] - rows, columns : block.shape[1] - columns]


def _texture(index: int, width: int, height: int) -> NDArray[np.uint8]:
    return np.roll(_still_texture(width, height), (-index, -3 * index), axis=(0, 1))


@lru_cache(maxsize=4)
def _still_texture(width: int, height: int) -> NDArray[np.uint8]:
    x, y = np.arange(width)[None, :], np.arange(height)[:, None]
    waves = 40 * np.sin(x / 11) + 40 * np.sin(y / 7) + 20 * np.sin((x + 2 * y) / 5)
    return np.clip(128 + waves[..., None] * np.array([1.0, 0.8, 0.6]), 0, 255).astype(np.uint8)
