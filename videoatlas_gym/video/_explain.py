"""Sentences for what went wrong with a file: which one, why, and what to do next."""

from __future__ import annotations

import os

import av

from videoatlas_gym.video._deadline import OutOfTime
from videoatlas_gym.video.source import FrameDecodeError, VideoOpenError


def open_error(path: str, error: Exception) -> VideoOpenError:
    """Say why a file cannot be used at all."""
    is_empty = os.path.isfile(path) and not os.path.getsize(path)
    cause = "the file is empty" if is_empty else _cause(error)
    remedy = _remedy(error) or (
        "Give a file with a video track that plays, or try to repair it "
        "(ffmpeg -i FILE -c copy REPAIRED)"
    )
    return VideoOpenError(f"cannot read {path!r}: {cause}. {remedy}.")


def decode_error(name: str, moment: float, error: Exception) -> FrameDecodeError:
    """Say why there is no frame at a moment, in seconds."""
    remedy = _remedy(error) or (
        "Leave this moment out, or re-encode the file (ffmpeg -i FILE REPAIRED) to fill the damage "
        'in, or read it with damage="hold"'
    )
    return FrameDecodeError(
        f"no frame at {float(moment):.3f} s of {name!r}: {_cause(error)}. {remedy}."
    )


def _cause(error: Exception) -> str:
    strerror = error.strerror if isinstance(error, OSError | av.error.FFmpegError) else None
    return (strerror or str(error) or type(error).__name__).rstrip(".")


def _remedy(error: Exception) -> str | None:
    """What to do where the file is not to blame."""
    if isinstance(error, OutOfTime):
        return "Ask for less at a time, or allow more (time_limit_seconds)"
    return None
