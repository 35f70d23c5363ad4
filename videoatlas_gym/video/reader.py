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
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from videoatlas_gym.arguments import checked_whole, num_cores
from videoatlas_gym.errors import one_of
from videoatlas_gym.span import Span
from videoatlas_gym.video._access import UNREADABLE, Access, Unreadable
from videoatlas_gym.video._deadline import Deadline
from videoatlas_gym.video._explain import decode_error, open_error
from videoatlas_gym.video._facts import Facts, describe
from videoatlas_gym.video._file import FileState
from videoatlas_gym.video._keys import Place
from videoatlas_gym.video._run import LostPicture
from videoatlas_gym.video._track import Limits
from videoatlas_gym.video.source import (
    Frame,
    VideoChangedError,
    VideoOpenError,
    VideoSource,
)

MAX_PIXELS = 1 << 26
"""Of one picture, unless more are allowed: 8192 x 8192. Bigger ones are broken headers, mostly."""
TIME_LIMIT_SECONDS = 120.0


class VideoReader(VideoSource):
    """Exact random access to one video file.

    The file is opened on first need; making a reader only checks that it is there. A reader is
    thread-safe (one lock: threads take turns), and pickles by its arguments.

    A moment costs the decoding of the pictures between the key frame before it and its own, those
    left out that no other picture is made from. Several moments share what they have in common, and
    are decoded by several workers. Everything that is left out is checked not to have mattered.

    Args:
        path: A video file in any format FFmpeg reads.
        num_workers: Decoders that work at once; None for one per core.
        damage: What to do where the data of a frame, or of one that it is made from, is damaged, as
            far as that can be told. "raise" raises `FrameDecodeError`. "hold" shows the last frame
            before the moment that is undamaged, and says so by `Frame.is_held`; it raises where
            there is none, and it takes time where the last one is far.
        time_limit_seconds: For one request, opening included; None for no limit. A request that
            takes longer raises an error.
        max_pixels: Of one picture. Larger ones are refused before memory is taken for them.
        allow_protocols: Protocols of FFmpeg, such as "https" (needs "tls" and "tcp" too), that
            may be used. With none, all paths are names of local files, whatever they look like, and
            files that name others (playlists) reach local ones only.

    Raises:
        VideoOpenError: If there is no such file. On first use: if it holds no video to show.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        num_workers: int | None = None,
        damage: Literal["raise", "hold"] = "raise",
        time_limit_seconds: float | None = TIME_LIMIT_SECONDS,
        max_pixels: int = MAX_PIXELS,
        allow_protocols: Sequence[str] = (),
    ) -> None:
        if num_workers is not None:
            num_workers = checked_whole("num_workers", num_workers, 1)
        if time_limit_seconds is not None and not time_limit_seconds > 0:
            raise ValueError(f"time_limit_seconds must be positive, got {time_limit_seconds}.")
        self._options = {
            "num_workers": num_workers,
            "damage": one_of("damage", damage, ("raise", "hold")),
            "time_limit_seconds": time_limit_seconds,
            "max_pixels": checked_whole("max_pixels", max_pixels, 1),
            "allow_protocols": tuple(allow_protocols),
        }
        self._limits = Limits(max_pixels, tuple(allow_protocols))
        self._deadline = Deadline(time_limit_seconds)
        self._is_timed = False
        protocol = re.match(r"([a-z0-9+]+):", os.fspath(path))
        self._is_local = not protocol or protocol[1] not in allow_protocols
        self._path, self._name = Path(path), os.fspath(path)
        self._location = os.path.abspath(path) if self._is_local else os.fspath(path)
        self._lock = RLock()
        self._frames_decoded = 0
        self._decode_seconds = 0.0
        self._facts: Facts | None = None
        self._state: FileState | None = None
        self._access: Access | None = None
        if self._is_local and not self._path.is_file():
            found = "a directory" if self._path.is_dir() else "no such file"
            raise VideoOpenError(
                f"cannot read {self._name!r}: {found}. Give the path of a video file."
            )

    def __repr__(self) -> str:
        return f"VideoReader({self._name!r})"

    def __reduce__(self):
        return _remade, (self._location, self._options)

    @property
    def path(self) -> Path:
        """The file, as it was given."""
        return self._path

    @property
    def duration_seconds(self) -> float:
        """End of the last frame, read from the end of the file, not from its header."""
        return self._known().duration_seconds

    @property
    def native_size(self) -> tuple[int, int]:
        """(width, height) of the first frame in pixels, turned upright, with square pixels."""
        return self._known().native_size

    @property
    def frame_seconds(self) -> float:
        """Median length of the first frames in seconds."""
        return self._known().frame_seconds

    @property
    def frames_decoded(self) -> int:
        """How many pictures the decoders have produced so far, those on the way included."""
        return self._frames_decoded

    @property
    def decode_seconds(self) -> float:
        """Wall-clock seconds spent so far on opening the file and decoding pictures of it."""
        return self._decode_seconds

    @property
    def is_seekable(self) -> bool:
        """Whether moments are reached by seeking; if not, each is decoded to from the start."""
        return self._known().fallback is None

    def frames_at(
        self, seconds: Sequence[float], size: tuple[int, int] | None = None
    ) -> list[Frame]:
        """Return the frames on display at `seconds`, in the order asked.

        Costs at most one seek and the decoding of one group of pictures for each moment, whatever
        the length of the video; moments that share a group share its decoding. Asking for ever
        later moments, one after another, decodes on.

        Raises:
            ValueError: If a moment lies outside the video.
            FrameDecodeError: If a frame cannot be decoded, or not within the time limit.
            VideoChangedError: If the file is another one than when it was opened.
        """
        _check_tile(size)
        with self._lock, self._timed():
            self.check_unchanged()
            ticks = [self._tick(moment) for moment in seconds]
            with self._typed_errors(dict(zip(ticks, seconds, strict=True))):
                shown = self._opened().pictures(sorted(set(ticks)), size)
            self.check_unchanged()
            facts = self._known()
            frames: dict[tuple[int, bool], Frame] = {}
            for pts, rgb, is_held in shown.values():
                frames[pts, is_held] = Frame(rgb, facts.seconds(pts), pts, is_held)
            return [frames[shown[tick].pts, shown[tick].is_held] for tick in ticks]

    def key_frames_at(
        self,
        seconds: Sequence[float],
        spans: Sequence[Span],
        size: tuple[int, int] | None = None,
    ) -> list[Frame | None]:
        """Return the key frame nearest to each moment within its span, or None.

        Decodes one packet for each. Key frames are looked up in the index of MP4 and Matroska files
        (which may leave some out in Matroska); elsewhere packets are read up to the next one, for
        half a minute at most. None too where a packet is no key frame though marked as one, and in
        files that are not seekable or whose time stamps run backwards.

        Raises:
            ValueError: If a moment lies outside the video.
            FrameDecodeError: If it takes longer than the time limit.
            VideoChangedError: If the file is another one than when it was opened.
        """
        _check_tile(size)
        with self._lock, self._timed():
            self.check_unchanged()
            facts = self._known()
            places = [
                Place(moment, span, self._tick(moment), facts.end_tick(span.end_seconds))
                for moment, span in zip(seconds, spans, strict=True)
            ]
            with self._typed_errors({place.tick: place.seconds for place in places}):
                found = self._opened().key_pictures(sorted(set(places)), size)
            self.check_unchanged()
            frames = {pts: Frame(rgb, facts.seconds(pts), pts) for pts, rgb, _ in found.values()}
            return [frames[found[place].pts] if place in found else None for place in places]

    def frame_times(self, start_seconds: float, end_seconds: float) -> NDArray[np.float64]:
        """Return the times of all frames on display at some moment of ``[start, end)``, ascending.

        Reads packets without decoding them, except where only decoding tells (files without time
        stamps, or with time stamps that run backwards).
        """
        with self._lock, self._timed():
            self.check_unchanged()
            first_tick = self._tick(start_seconds)
            if not start_seconds < end_seconds:
                raise ValueError(
                    f"the span must not be empty, got [{start_seconds}, {end_seconds}) seconds."
                )
            end_tick = max(self._known().end_tick(end_seconds), first_tick + 1)
            with self._typed_errors({first_tick: start_seconds}):
                stamps = self._opened().stamps(first_tick, end_tick)
            self.check_unchanged()
            return self._known().all_seconds(stamps)

    def fingerprint(self) -> str:
        """Hash size, time of change and both ends of the file, without opening the video.

        What is known of an earlier state of the file is forgotten: a file that has grown is as
        long as it is now.
        """
        if not self._is_local:
            return hashlib.sha256(self._location.encode()).hexdigest()[:32]
        state = FileState.of(self._location)
        with self._lock:
            if self._state is not None and state != self._state:
                self._forget()
            if self._state is None:
                self._state = state.with_head(self._location)
        return state.fingerprint(self._location)

    def check_unchanged(self) -> None:
        """Compare the file with what was opened; costs some microseconds.

        A file that has only grown (a recording under way) is read on as it was; `fingerprint()`
        has it looked at anew, and so does opening it again after `close()`.

        Raises:
            VideoChangedError: If it is another file now, or was written over.
        """
        if not self._is_local or self._state is None:
            return
        try:
            now = FileState.of(self._location)
        except OSError:
            return  # What is open can be read on; what is not says so when it is opened.
        if now != self._state and not self._state.has_grown_to(now, self._location):
            before, self._state = self._state, None
            self._forget()
            raise VideoChangedError(
                f"{self._name!r} has changed since it was opened ({before} then, {now} now). "
                "What was known of it is forgotten: begin again, and it is read as it is now."
            )

    def _forget(self) -> None:
        self.close()
        self._facts = self._state = None

    def close(self) -> None:
        """Release the decoders and the file; what is known of the video is kept."""
        with self._lock:
            if self._access is not None:
                self._facts = self._access.facts
                self._access.close()
                self._access = None

    def describe(self) -> dict[str, object]:
        """Return what a person wants to know of the file, and where its header lies."""
        with self._lock, self._timed():
            self.check_unchanged()
            access = self._opened()
            try:
                return describe(access.track, access.facts)
            except (VideoOpenError, *UNREADABLE) as error:
                raise open_error(self._name, error) from error

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """Count the seconds of a request, and set when it must be over."""
        if self._is_timed:
            yield
            return
        began = time.perf_counter()
        self._deadline.begin()
        self._is_timed = True
        try:
            yield
        finally:
            self._is_timed = False
            self._decode_seconds += time.perf_counter() - began

    def _count(self, num_pictures: int) -> None:
        self._frames_decoded += num_pictures

    def _opened(self) -> Access:
        if self._access is not None and self._access.process != os.getpid():
            self.close()  # After a fork, parent and child would move each other's file position.
        if self._access is None:
            with self._typed_open_errors():
                self._look_at_file()
                self._access = Access(
                    self._location,
                    self._limits,
                    self._deadline,
                    self._facts,
                    num_workers=self._options["num_workers"] or num_cores(),
                    does_hold=self._options["damage"] == "hold",
                    count=self._count,
                )
            self._facts = self._access.facts
        return self._access

    def _look_at_file(self) -> None:
        """Note the state of the file that is about to be opened; forget what held for others."""
        if not self._is_local:
            return
        now = FileState.of(self._location)
        if now != self._state:
            self._state, self._facts = now.with_head(self._location), None

    def _known(self) -> Facts:
        with self._lock, self._timed():
            return self._facts or self._opened().facts

    @contextmanager
    def _typed_open_errors(self) -> Iterator[None]:
        try:
            yield
        except (VideoOpenError, *UNREADABLE) as error:
            self.close()
            raise open_error(self._name, error) from error

    @contextmanager
    def _typed_errors(self, moments: dict[int, float]) -> Iterator[None]:
        try:
            yield
        except Unreadable as unreadable:
            error = unreadable.__cause__
            if not isinstance(error, LostPicture):
                self.close()
            self.check_unchanged()
            moment = moments[unreadable.tick]
            raise decode_error(self._path.name, moment, error) from error
        finally:
            if self._access is not None:
                self._facts = self._access.facts

    def _tick(self, seconds: float) -> int:
        facts = self._known()
        if not 0 <= seconds < facts.duration_seconds:
            raise ValueError(
                f"a moment must lie in [0, {facts.duration_seconds}) seconds, the length of "
                f"{self._path.name!r}; got {seconds}."
            )
        return facts.tick(seconds)


def _check_tile(size: tuple[int, int] | None) -> None:
    if size is not None and min(size) < 1:
        raise ValueError(f"size must be at least 1x1 pixels, got {size[0]}x{size[1]}.")


def _remade(path: str, options: dict) -> VideoReader:
    return VideoReader(path, **options)
