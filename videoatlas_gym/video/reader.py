"""VideoReader: exact random access to the frames of one video file, through PyAV.

Knows nothing of tiles on a sheet or of caching. Every answer equals what decoding the file from its
start would show at that moment, bit for bit, or is an error that says why it cannot be.

A moment is looked up in exact arithmetic: the frame on display at `seconds` is the last one whose time
is <= `seconds` + 1 ns. The nanosecond makes `Frame.seconds` and `frame_times`, which are rounded to
floats, lead back to the very frame they came from.

Files without time stamps (raw streams) or whose container cannot be searched are decoded from their
start; `describe()["fallback"]` names the reason. Where time stamps run backwards in display order (AVI
with B-frames) the decoder's order is kept and its i-th picture gets the i-th smallest time stamp.
"""

from __future__ import annotations

import hashlib
import math
import os
from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from threading import RLock

import av
import numpy as np
from numpy.typing import NDArray

from videoatlas_gym.video._facts import Facts, find_facts, shown_packets
from videoatlas_gym.video._picture import Painter
from videoatlas_gym.video._track import (
    REORDER_DEPTH,
    BrokenOrder,
    FalseKeyFrame,
    LostPicture,
    Picture,
    Run,
    Track,
)
from videoatlas_gym.video.source import Frame, FrameDecodeError, VideoOpenError, VideoSource

_TOLERANCE_SECONDS = Fraction(1, 10**9)
_FINGERPRINT_BYTES = 1 << 16
_EARLIER_STARTS = 3
"""How often a lost picture is tried again from an earlier key frame."""


class VideoReader(VideoSource):
    """Exact random access to one video file.

    The file is opened on first need; making a reader only checks that it is there. A reader is
    thread-safe (one lock: threads take turns), and pickles by its path.

    Args:
        path: A video file in any format FFmpeg reads.

    Raises:
        VideoOpenError: If there is no such file. On first use: if it holds no video that can be shown.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._lock = RLock()
        self._frames_decoded = 0
        self._facts: Facts | None = None
        self._track: Track | None = None
        self._run: Run | None = None
        self._painter: Painter | None = None
        if not self._path.is_file():
            found = "a directory" if self._path.is_dir() else "no such file"
            raise VideoOpenError(
                f"cannot read {str(self._path)!r}: {found}. Give the path of a video file."
            )

    def __repr__(self) -> str:
        return f"VideoReader({str(self._path)!r})"

    def __reduce__(self):
        return VideoReader, (str(self._path),)

    @property
    def path(self) -> Path:
        """The file, as it was given."""
        return self._path

    @property
    def duration_seconds(self) -> float:
        """End of the last frame, read from the packets at the end of the file, not from its header."""
        facts = self._opened()
        return float((facts.end_pts - facts.start_pts) * facts.time_base)

    @property
    def native_size(self) -> tuple[int, int]:
        """(width, height) of the first frame in pixels, turned upright, with square pixels."""
        return self._opened().native_size

    @property
    def frame_seconds(self) -> float:
        """Median length of the first frames in seconds."""
        facts = self._opened()
        return float(facts.frame_ticks * facts.time_base)

    @property
    def frames_decoded(self) -> int:
        """How many pictures the decoder has produced so far, those on the way to a target included."""
        return self._frames_decoded

    @property
    def is_seekable(self) -> bool:
        """Whether moments are reached by seeking; if not, each is decoded to from the start."""
        return self._opened().fallback is None

    def frames_at(
        self, seconds: Sequence[float], size: tuple[int, int] | None = None
    ) -> list[Frame]:
        """Return the frames on display at `seconds`, in the order asked.

        Costs at most one seek and the decoding of one group of pictures for each moment, whatever the
        length of the video; moments that share a group share its decoding.
        """
        with self._lock:
            ticks = [self._tick(moment) for moment in seconds]
            shown: dict[int, Frame] = {}
            painted: dict[int, Frame] = {}
            for tick in sorted(set(ticks)):
                picture = self._picture_at(tick)
                if picture.pts not in painted:
                    painted[picture.pts] = self._frame(picture, size)
                shown[tick] = painted[picture.pts]
            return [shown[tick] for tick in ticks]

    def frame_times(self, start_seconds: float, end_seconds: float) -> NDArray[np.float64]:
        """Return the times of all frames on display at some moment of ``[start, end)``, ascending.

        Reads packets without decoding them, except where only decoding tells (see `is_seekable`).
        """
        with self._lock:
            first_tick = self._tick(start_seconds)
            facts = self._opened()
            if not start_seconds < end_seconds:
                raise ValueError(
                    f"the span must not be empty, got [{start_seconds}, {end_seconds}) seconds."
                )
            end = (Fraction(end_seconds) - _TOLERANCE_SECONDS) / facts.time_base + facts.start_pts
            end_tick = min(math.ceil(end), facts.end_pts)
            stamps = self._stamps(first_tick, max(end_tick, first_tick + 1))
            return np.array([self._seconds(pts) for pts in stamps], np.float64)

    def fingerprint(self) -> str:
        """Hash the size, the time of change and both ends of the file, without opening the video."""
        status = self._path.stat()
        digest = hashlib.sha256(f"{status.st_size} {status.st_mtime_ns}".encode())
        with self._path.open("rb") as file:
            digest.update(file.read(_FINGERPRINT_BYTES))
            file.seek(max(0, status.st_size - _FINGERPRINT_BYTES))
            digest.update(file.read(_FINGERPRINT_BYTES))
        return digest.hexdigest()[:32]

    def close(self) -> None:
        """Release the decoder and the file; what is known of the video is kept."""
        with self._lock:
            self._run = None
            if self._track is not None:
                self._track.close()
                self._track = None

    def describe(self) -> dict[str, object]:
        """Return what a person wants to know of the file, and where its header lies."""
        with self._lock:
            facts, track = self._opened(), self._open_track()
            stream = track.stream
            return {
                "container": track.container.format.name,
                "codec": track.codec.name,
                "pixel_format": track.codec.pix_fmt,
                "coded_size": facts.coded_size,
                "native_size": facts.native_size,
                "rotation_degrees": facts.orientation.degrees_clockwise,
                "is_mirrored": facts.orientation.is_reflected,
                "pixel_aspect_ratio": str(facts.pixel_aspect),
                "average_rate": float(stream.average_rate) if stream.average_rate else None,
                "duration_seconds": self.duration_seconds,
                "header_duration_seconds": _header_seconds(track),
                "frame_seconds": self.frame_seconds,
                "start_seconds": float(facts.start_pts * facts.time_base),
                "audio_tracks": _tracks(track, "audio"),
                "subtitle_tracks": _tracks(track, "subtitle"),
                "is_seekable": facts.fallback is None,
                "fallback": facts.fallback,
            }

    def _count_picture(self) -> None:
        self._frames_decoded += 1

    def _open_track(self) -> Track:
        if self._track is None:
            try:
                self._track = Track(str(self._path), self._count_picture)
            except (av.error.FFmpegError, VideoOpenError, ValueError, OSError) as error:
                raise self._open_error(error) from error
            if self._facts is not None:
                self._facts.prepare(self._track)
        return self._track

    def _opened(self) -> Facts:
        with self._lock:
            if self._facts is None:
                track = self._open_track()
                try:
                    self._facts = find_facts(track)
                except (av.error.FFmpegError, VideoOpenError, ValueError, OSError) as error:
                    self.close()
                    raise self._open_error(error) from error
                self._painter = Painter(self._facts.native_size, self._facts.pixel_aspect)
            return self._facts

    def _open_error(self, error: Exception) -> VideoOpenError:
        cause = getattr(error, "strerror", None) or str(error)
        return VideoOpenError(
            f"cannot read {str(self._path)!r}: {cause.rstrip('.')}. Give a file with a video track "
            "that plays, or repair it (ffmpeg -i FILE -c copy REPAIRED)."
        )

    def _tick(self, seconds: float) -> int:
        facts = self._opened()
        if not 0 <= seconds < self.duration_seconds:
            raise ValueError(
                f"a moment must lie in [0, {self.duration_seconds}) seconds, the length of "
                f"{self._path.name!r}; got {seconds}."
            )
        exact = (Fraction(seconds) + _TOLERANCE_SECONDS) / facts.time_base
        return min(math.floor(exact) + facts.start_pts, facts.end_pts - 1)

    def _seconds(self, pts: int) -> float:
        facts = self._opened()
        return float((pts - facts.start_pts) * facts.time_base)

    def _frame(self, picture: Picture, size: tuple[int, int] | None) -> Frame:
        try:
            rgb = self._painter.paint(picture.frame, size)
        except (av.error.FFmpegError, ValueError) as error:
            raise self._decode_error(self._seconds(picture.pts), str(error)) from error
        return Frame(rgb, self._seconds(picture.pts), picture.pts)

    def _decode_error(self, seconds: float, cause: str) -> FrameDecodeError:
        return FrameDecodeError(
            f"no frame at {seconds:.3f} s of {self._path.name!r}: {cause}. Leave this moment out, or "
            "re-encode the file (ffmpeg -i FILE REPAIRED) to have its damage filled in."
        )

    def _picture_at(self, tick: int) -> Picture:
        try:
            return self._searched(tick)
        except (LostPicture, av.error.FFmpegError) as error:
            self._run = None
            cause = getattr(error, "strerror", None) or str(error)
            raise self._decode_error(self._seconds(tick), cause) from error

    def _searched(self, tick: int) -> Picture:
        if self._run is None or not self._run.reaches(tick):
            self._run = self._start(tick)
        retries = 0
        while True:
            try:
                return self._run.picture_at(tick)
            except FalseKeyFrame as error:
                self._track.false_keys.add(error.sync_pts)
                self._run = self._start(tick)
            except BrokenOrder:
                self._track.is_reordered = True
                self._run = self._start(tick)
            except LostPicture as error:
                retries += 1
                if error.sync_pts is None or retries > _EARLIER_STARTS:
                    raise
                self._run = self._start(tick, error.sync_pts)

    def _start(self, tick: int, before_pts: int | None = None) -> Run:
        track = self._open_track()
        if self._opened().fallback is not None:
            return track.rewind()
        return track.enter(tick, before_pts)

    def _stamps(self, first_tick: int, end_tick: int) -> list[int]:
        """Time stamps of the frames on display in ``[first_tick, end_tick)``."""
        self._run = None
        run = self._start(first_tick)
        if self._opened().fallback is None and not self._track.is_reordered:
            stamps = self._read_stamps(run, end_tick)
        else:
            stamps = self._decode_stamps(run, end_tick)
        stamps = sorted(pts for pts in set(stamps) if self._opened().start_pts <= pts < end_tick)
        return stamps[max(0, bisect_right(stamps, first_tick) - 1) :]

    def _read_stamps(self, run: Run, end_tick: int) -> list[int]:
        stamps: list[int] = []
        num_later = 0
        for packet in shown_packets(self._track, run.packets_ahead()):
            if run.sync_pts is None or packet.pts >= run.sync_pts:
                stamps.append(packet.pts)
            num_later += packet.pts >= end_tick
            if num_later >= REORDER_DEPTH:
                break
        return stamps

    def _decode_stamps(self, run: Run, end_tick: int) -> list[int]:
        stamps: list[int] = []
        for picture in run.pictures():
            stamps.append(picture.pts)
            if picture.pts >= end_tick:
                break
        return stamps


def _header_seconds(track: Track) -> float | None:
    if track.stream.duration:
        return float(track.stream.duration * track.stream.time_base)
    return track.container.duration / 1e6 if track.container.duration else None


def _tracks(track: Track, kind: str) -> list[dict[str, object]]:
    return [
        {"index": stream.index, "codec": stream.codec_context.name, "language": stream.language}
        for stream in track.container.streams
        if stream.type == kind and stream.codec_context
    ]
