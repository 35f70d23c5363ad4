"""What stands for a span of video: the frame at its middle, or, for previews, a key frame in it.

The one function that chooses the frame of a cell. A key frame is decoded alone, which makes a first
look at a long video ten times cheaper and more, but it is not what is on display at the middle of
the span: whoever shows it must say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from videoatlas_gym.errors import one_of
from videoatlas_gym.span import Span
from videoatlas_gym.video.source import Frame, VideoSource

MIDPOINT, KEYFRAME = "midpoint", "keyframe"
REPRESENTATIVES = (MIDPOINT, KEYFRAME)
"""The ways to choose the frame that stands for a cell; the first is the default."""

Representative = Literal["midpoint", "keyframe"]


class Shown(NamedTuple):
    """What stands for a span."""

    frame: Frame
    moment: float
    """When it is on display, in seconds, inside the span: its own time for a key frame, else the
    moment that was asked for."""
    is_key: bool
    """Whether it is a key frame in place of the frame at the moment that was asked for."""


def shown_for(
    source: VideoSource,
    seconds: Sequence[float],
    spans: Sequence[Span],
    size: tuple[int, int] | None = None,
    *,
    representative: Representative = "midpoint",
) -> list[Shown]:
    """Return what stands for spans, given the middle of each.

    Args:
        source: The video.
        seconds: The middle of each span.
        spans: Half-open, inside the video.
        size: (width, height) of tiles, None for native pixels.
        representative: "midpoint" for the exact frame at the middle of each. "keyframe" for the key
            frame nearest to it inside the span, and the exact frame at the middle where there is
            none (or none that can be found cheaply). Costs one picture to decode per key frame.

    Raises:
        ValueError: If a moment lies outside the video, or the representative is unknown.
        FrameDecodeError: If a frame cannot be decoded.
    """
    keys: list[Frame | None] = [None] * len(seconds)
    if one_of("representative", representative, REPRESENTATIVES) == KEYFRAME:
        keys = source.key_frames_at(seconds, spans, size)
    lacking = [moment for moment, key in zip(seconds, keys, strict=True) if key is None]
    exact = iter(source.frames_at(lacking, size) if lacking else ())
    return [
        Shown(next(exact), moment, False) if key is None else Shown(key, key.seconds, True)
        for moment, key in zip(seconds, keys, strict=True)
    ]
