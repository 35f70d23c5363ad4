"""Which cues belong to a video, by what an option `subtitles=...` says.

Knows no format (`subtitles`) and no task: a timeline has its parts' cues, a file what is found.
"""

from __future__ import annotations

from typing import Any

from videoatlas_gym.subtitles import Subtitles, resolve_subtitles
from videoatlas_gym.video import ConcatSource, VideoReader, VideoSource


def subtitles_of(source: VideoSource, subtitles: Any = None) -> Subtitles:
    """Return the cues that an option `subtitles` means for a source.

    Args:
        source: The video. A `ConcatSource` has the subtitles that its parts name.
        subtitles: None for a timeline's own and none elsewhere; "auto" for a timeline's own, and
            for a file the one beside it or an embedded track; False for none at all; or cues
            themselves, see `resolve_subtitles`.

    Raises:
        SubtitleError: If what was named, or found beside the video, cannot be read.
        TypeError: If `subtitles` is something else.
    """
    if isinstance(source, ConcatSource) and (subtitles is None or subtitles == "auto"):
        return source.subtitles if _has_subtitles(source) else Subtitles()
    return resolve_subtitles(subtitles, source.path if isinstance(source, VideoReader) else None)


def _has_subtitles(source: ConcatSource) -> bool:
    """Whether any part names subtitles; reading them opens all parts, which should not be early."""
    return any(part.subtitles is not None for part in source.parts)
