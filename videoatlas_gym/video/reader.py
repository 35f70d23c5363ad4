"""VideoReader: exact random access to the frames of one video file, through PyAV.

Knows nothing of tiles on a sheet or of caching. Every answer equals what decoding the file from its
start would show at that moment, bit for bit, or is an error that says why it cannot be.

A moment is looked up in exact arithmetic: the frame on display at `seconds` is the last one whose
time is <= `seconds` + 1 ns. The nanosecond makes `Frame.seconds` and `frame_times`, which are
rounded to floats, lead back to the very frame they came from.

Files without time stamps (raw streams) or whose container cannot be searched are decoded from their
start; `describe()["fallback"]` names the reason. Where time stamps run backwards in display order
(AVI with B-frames) the decoder's order is kept and its i-th picture gets the i-th smallest stamp.
"""

from __future__ import annotations

import hashlib
import math
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from threading import RLock

import av
import numpy as np
from numpy.typing import NDArray

from videoatlas_gym.video._facts import Facts, describe, find_facts, shown_packets
from videoatlas_gym.video._picture import Painter
from videoatlas_gym.video._run import (
    REORDER_DEPTH,
    BrokenOrder,
    FalseKeyFrame,
    LostPicture,
    Picture,
    Run,
)
from videoatlas_gym.video._track import Track
from videoatlas_gym.video.source import Frame, FrameDecodeError, VideoOpenError, VideoSource

_TOLERANCE_SECONDS = Fraction(1, 10**9)
_FINGERPRINT_BYTES = 1 << 16
_EARLIER_STARTS = 3
"""How often a lost picture is tried again from an earlier key frame."""
_MAX_FALSE_KEYS = 16
_UNREADABLE = (
    *(av.error.FFmpegError, LostPicture, OSError, EOFError, MemoryError),
    *(ValueError, ArithmeticError, IndexError, RuntimeError),
)
"""What PyAV, NumPy and computing with absurd numbers raise where a file's content is to blame."""


class VideoReader(VideoSource):
    """Exact random access to one video file.

    The file is opened on first need; making a reader only checks that it is there. A reader is
    thread-safe (one lock: threads take turns), and pickles by its path.

    Args:
        path: A video file in any format FFmpeg reads.

    Raises:
        VideoOpenError: If there is no such file. On first use: if it holds no video to show.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._absolute_path = os.path.abspath(path)
        self._lock = RLock()
        self._frames_decoded = 0
        self._facts: Facts | None = None
        self._track: Track | None = None
        self._track_process = 0
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
        return VideoReader, (self._absolute_path,)

    @property
    def path(self) -> Path:
        """The file, as it was given."""
        return self._path

    @property
    def duration_seconds(self) -> float:
        """End of the last frame, read from the end of the file, not from its header."""
        return self._opened().duration_seconds

    @property
    def native_size(self) -> tuple[int, int]:
        """(width, height) of the first frame in pixels, turned upright, with square pixels."""
        return self._opened().native_size

    @property
    def frame_seconds(self) -> float:
        """Median length of the first frames in seconds."""
        return self._opened().frame_seconds

    @property
    def frames_decoded(self) -> int:
        """How many pictures the decoder has produced so far, those on the way included."""
        return self._frames_decoded

    @property
    def is_seekable(self) -> bool:
        """Whether moments are reached by seeking; if not, each is decoded to from the start."""
        return self._opened().fallback is None

    def frames_at(
        self, seconds: Sequence[float], size: tuple[int, int] | None = None
    ) -> list[Frame]:
        """Return the frames on display at `seconds`, in the order asked.

        Costs at most one seek and the decoding of one group of pictures for each moment, whatever
        the length of the video; moments that share a group share its decoding.
        """
        if size is not None and min(size) < 1:
            raise ValueError(f"size must be at least 1x1 pixels, got {size[0]}x{size[1]}.")
        with self._lock:
            ticks = [self._tick(moment) for moment in seconds]
            moments = dict(zip(ticks, seconds, strict=True))
            painted: dict[int, Frame] = {}
            at_tick: dict[int, Frame] = {}
            for tick in sorted(moments):
                with self._typed_errors(moments[tick]):
                    at_tick[tick] = self._painted(self._picture_at(tick), size, painted)
            return [at_tick[tick] for tick in ticks]

    def frame_times(self, start_seconds: float, end_seconds: float) -> NDArray[np.float64]:
        """Return the times of all frames on display at some moment of ``[start, end)``, ascending.

        Reads packets without decoding them, except where only decoding tells (files without time
        stamps, or with time stamps that run backwards).
        """
        with self._lock:
            first_tick = self._tick(start_seconds)
            if not start_seconds < end_seconds:
                raise ValueError(
                    f"the span must not be empty, got [{start_seconds}, {end_seconds}) seconds."
                )
            end_tick = max(self._end_tick(end_seconds), first_tick + 1)
            with self._typed_errors(start_seconds):
                stamps = self._stamps(first_tick, end_tick)
            return np.array([self._seconds(pts) for pts in stamps], np.float64)

    def fingerprint(self) -> str:
        """Hash size, time of change and both ends of the file, without opening the video."""
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
            facts = self._opened()
            track = self._open_track()
            with self._typed_open_errors():
                return describe(track, facts)

    def _count_picture(self) -> None:
        self._frames_decoded += 1

    def _open_track(self) -> Track:
        if self._track is not None and self._track_process != os.getpid():
            self.close()  # After a fork, parent and child would move each other's file position.
        if self._track is None:
            with self._typed_open_errors():
                self._track = Track(self._absolute_path, self._count_picture)
                self._track_process = os.getpid()
                if self._facts is not None:
                    self._facts.prepare(self._track)
        return self._track

    def _opened(self) -> Facts:
        with self._lock:
            if self._facts is None:
                track = self._open_track()
                with self._typed_open_errors():
                    self._facts = find_facts(track)
                self._painter = Painter(self._facts.native_size, self._facts.pixel_aspect)
            return self._facts

    @contextmanager
    def _typed_open_errors(self) -> Iterator[None]:
        try:
            yield
        except (VideoOpenError, *_UNREADABLE) as error:
            self.close()
            is_empty = self._path.is_file() and not self._path.stat().st_size
            cause = "the file is empty" if is_empty else _cause(error)
            raise VideoOpenError(
                f"cannot read {str(self._path)!r}: {cause}. Give a file with a video track that "
                "plays, or try to repair it (ffmpeg -i FILE -c copy REPAIRED)."
            ) from error

    @contextmanager
    def _typed_errors(self, seconds: float) -> Iterator[None]:
        try:
            yield
        except _UNREADABLE as error:
            self._run = None
            if not isinstance(error, LostPicture):
                self.close()
            raise FrameDecodeError(
                f"no frame at {seconds:.3f} s of {self._path.name!r}: {_cause(error)}. Leave this "
                "moment out, or re-encode the file (ffmpeg -i FILE REPAIRED) to fill the damage in."
            ) from error

    def _tick(self, seconds: float) -> int:
        facts = self._opened()
        if not 0 <= seconds < self.duration_seconds:
            raise ValueError(
                f"a moment must lie in [0, {self.duration_seconds}) seconds, the length of "
                f"{self._path.name!r}; got {seconds}."
            )
        exact = (_exact(seconds) + _TOLERANCE_SECONDS) / facts.time_base
        return min(math.floor(exact) + facts.start_pts, facts.end_pts - 1)

    def _end_tick(self, seconds: float) -> int:
        """The first tick that is not before `seconds`, nor after the end."""
        facts = self._opened()
        exact = (_exact(seconds) - _TOLERANCE_SECONDS) / facts.time_base
        return min(math.ceil(exact) + facts.start_pts, facts.end_pts)

    def _seconds(self, pts: int) -> float:
        facts = self._opened()
        return float((pts - facts.start_pts) * facts.time_base)

    def _painted(self, picture: Picture, size, painted: dict[int, Frame]) -> Frame:
        if picture.pts not in painted:
            rgb = self._painter.paint(picture.frame, size)
            painted[picture.pts] = Frame(rgb, self._seconds(picture.pts), picture.pts)
        return painted[picture.pts]

    def _picture_at(self, tick: int) -> Picture:
        if not self._is_on_the_way(tick):
            self._run = self._start(tick)
        retries = 0
        while True:
            try:
                return self._run.picture_at(tick)
            except FalseKeyFrame as error:
                self._distrust(error.sync_pts)
                self._run = self._start(tick)
            except BrokenOrder:
                self._track.is_reordered = True
                self._facts = replace(self._facts, is_reordered=True)
                self._run = self._start(tick)
            except LostPicture as error:
                retries += 1
                if error.sync_pts is None or retries > _EARLIER_STARTS:
                    raise
                self._run = self._start(tick, error.sync_pts)

    def _is_on_the_way(self, tick: int) -> bool:
        """Whether `tick` is best reached by decoding on, with no key frame in between to go to."""
        self._open_track()
        if self._run is None or not self._run.is_before(tick):
            return False
        return self._opened().fallback is not None or self._run.next_key(tick) is None

    def _distrust(self, pts: int) -> None:
        """Note a false key frame; where all are false, give up looking for them."""
        false_keys = self._track.false_keys
        false_keys.add(pts)
        if len(false_keys) > _MAX_FALSE_KEYS and not self._track.true_keys:
            cause = "it marks key frames that are none"
            self._facts = replace(self._facts, fallback=cause)

    def _start(self, tick: int, before_pts: int | None = None) -> Run:
        track = self._open_track()
        if self._opened().fallback is not None:
            return track.rewind()
        return track.enter(tick, before_pts)

    def _stamps(self, first_tick: int, end_tick: int) -> list[int]:
        """Time stamps of the frames on display in ``[first_tick, end_tick)``."""
        self._run = None
        stamps = None
        while stamps is None:
            run = self._start(first_tick)
            try:
                if self._opened().fallback is None and not self._track.is_reordered:
                    stamps = self._read_stamps(run, end_tick)
                else:
                    stamps = self._decode_stamps(run, end_tick)
            except FalseKeyFrame as error:
                self._distrust(error.sync_pts)
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


def _exact(seconds: float) -> Fraction:
    return Fraction(seconds if isinstance(seconds, int | Fraction) else float(seconds))


def _cause(error: Exception) -> str:
    strerror = error.strerror if isinstance(error, OSError | av.error.FFmpegError) else None
    return (strerror or str(error) or type(error).__name__).rstrip(".")
