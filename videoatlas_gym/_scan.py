"""The doctor's two looks at a file: pictures at scattered moments, and a decode from start to end.

The decode shares no way of finding a moment with `VideoReader`, which it is there to check; only
what a picture looks like is left to the same `Painter`. Knows no verdicts and no words for people.
Memory stays bounded, whatever the length.
"""

from __future__ import annotations

import os
import random
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import blake2b
from heapq import heappop, heappush
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Discard, Disposition
from numpy.typing import NDArray
from tqdm import tqdm

from videoatlas_gym.video import VideoError, VideoReader
from videoatlas_gym.video._picture import Painter

NUM_MOMENTS = 32
"""Moments fetched by random access, the first and the last of the video among them."""

_SWEEPS = 4
"""Moments are asked in so many passes from start to end: a file that cannot be searched is decoded
only as often, and every other one is jumped about in."""
_REORDER_DEPTH = 17
_NOTED = 3
_MAX_LENGTHS = 4096
_UNTIMED = "it stores no time stamps"


@dataclass
class Moments:
    """How often something happened, and when at first, in seconds of the video."""

    count: int = 0
    first_seconds: list[float] = field(default_factory=list)

    def add(self, seconds: float) -> None:
        """Note one more."""
        self.count += 1
        if len(self.first_seconds) < _NOTED:
            self.first_seconds.append(round(seconds, 3))

    def __str__(self) -> str:
        more = ", ..." if self.count > len(self.first_seconds) else ""
        return f"at {', '.join(f'{moment:g}' for moment in self.first_seconds)}{more} s"


@dataclass
class Scan:
    """What a decode of the whole file met. Times in seconds from the first picture."""

    packets: int = 0
    promised_frames: int = 0
    """Frames the header promises, 0 where it says nothing."""
    frames: int = 0
    interlaced_frames: int = 0
    untimed_frames: int = 0
    key_frames: int = 0
    longest_group: int = 0
    """Most packets from one key frame up to the next."""
    end_seconds: float = 0.0
    """Time of the last picture."""
    errors: Moments = field(default_factory=Moments)
    first_error: str = ""
    corrupt_frames: Moments = field(default_factory=Moments)
    backwards: Moments = field(default_factory=Moments)
    duplicates: Moments = field(default_factory=Moments)
    gaps: Moments = field(default_factory=Moments)
    """Pictures that stay for more than one and a half frame lengths."""
    shortest_seconds: float = 0.0
    longest_seconds: float = 0.0
    usual_seconds: float = 0.0
    """Lengths of frames; the usual one is the mean of those like the most frequent one."""
    is_constant_rate: bool = True
    """Whether nearly all frames are of one length, to the precision of the time stamps."""
    mismatches: Moments = field(default_factory=Moments)
    """Moments at which random access shows something else than this decode."""
    agreed: int = 0


def fetch_moments(reader: VideoReader, refused: Moments) -> dict[float, tuple[int, bytes]]:
    """Return time stamp and hash of the pictures at scattered moments; note those without."""
    duration = reader.duration_seconds
    jitter = random.Random(0)
    inner = [(i + jitter.random()) / (NUM_MOMENTS - 2) * duration for i in range(NUM_MOMENTS - 2)]
    moments = sorted({0.0, *(m for m in inner if m < duration), max(0.0, duration - 1e-6)})
    seen = {}
    for moment in chain.from_iterable(moments[first::_SWEEPS] for first in range(_SWEEPS)):
        with suppress(VideoError):
            frame = reader.frame_at(moment)
            seen[moment] = frame.pts, _hashed(frame.rgb)
    for moment in moments:
        if moment not in seen:
            refused.add(moment)
    return seen


def scan_file(
    path: Path, facts: dict[str, Any], seen: dict[float, tuple[int, bytes]], bar: tqdm
) -> Scan:
    """Decode a whole file once, from start to end, and compare it with what was seen.

    Args:
        path: The file.
        facts: As `VideoReader.describe` has them.
        seen: Time stamp and hash of the picture at some moments, fetched by random access.
        bar: Is moved on to the time of each picture.
    """
    with av.open(os.path.abspath(path), metadata_errors="replace") as container:
        stream = _video_stream(container)
        for other in container.streams:
            if other.index != stream.index:
                other.discard = Discard.all  # Damage to them may end the reading of this one.
        stream.codec_context.thread_count = 1
        watcher = _Watcher(facts, stream, seen)
        pictures = _pictures(container, stream, watcher)
        if facts["is_reordered"]:
            pictures = _sorted_stamps(pictures)
        for stamp, frame in pictures:
            watcher.show(stamp, frame)
            bar.update(max(0.0, min(watcher.scan.end_seconds, bar.total) - bar.n))
        return watcher.finish()


def _hashed(rgb: NDArray[np.uint8]) -> bytes:
    return blake2b(rgb, digest_size=16).digest()


class _Watcher:
    """Fills in a `Scan` while packets and pictures pass by."""

    def __init__(self, facts: dict[str, Any], stream, seen: dict) -> None:
        self.scan = Scan(promised_frames=stream.frames)
        self.is_untimed = facts["fallback"] == _UNTIMED
        frame_seconds = Fraction(facts["frame_seconds"]).limit_denominator(100_000)
        self._time_base = frame_seconds if self.is_untimed else stream.time_base
        self._long_ticks = Fraction(3, 2) * Fraction(facts["frame_seconds"]) / self._time_base
        self._seen = seen
        self._moments = deque(sorted(seen))
        self._painter = Painter(facts["native_size"], Fraction(facts["sample_aspect_ratio"]))
        self._lengths: Counter[int] = Counter()
        self._group = 0
        self._start: int | None = None
        self._last: int | None = None
        self._current: tuple[int, av.VideoFrame] | None = None
        self._hash: bytes | None = None

    def read(self, packet: av.Packet) -> None:
        """Note a packet that was read."""
        self.scan.packets += 1
        self.scan.key_frames += packet.is_keyframe
        self._group = 1 if packet.is_keyframe else self._group + 1
        self.scan.longest_group = max(self.scan.longest_group, self._group)

    def fail(self, packet: av.Packet | None, cause: str | None) -> None:
        """Note that a packet could not be decoded, or that there was no reading on (None)."""
        is_timed = packet is not None and packet.pts is not None
        known = packet.pts if is_timed else self._last
        self.scan.errors.add(self._seconds(known))
        self.scan.first_error = self.scan.first_error or cause or "unknown error"

    def show(self, stamp: int, frame: av.VideoFrame) -> None:
        """Note a picture, in the order of display."""
        if self._start is None:
            self._start = stamp
        while self._moments and self._is_over(self._moments[0], stamp):
            self._compare(self._moments.popleft())
        seconds = self._seconds(stamp)
        if self._last is not None:
            self._measure(stamp - self._last, seconds)
        if frame.is_corrupt:
            self.scan.corrupt_frames.add(seconds)
        self.scan.frames += 1
        self.scan.interlaced_frames += bool(frame.interlaced_frame)
        self.scan.end_seconds = max(self.scan.end_seconds, seconds)
        self._last = stamp
        if self._current is None or stamp >= self._current[0]:
            self._current, self._hash = (stamp, frame), None  # One that comes too late is not seen.

    def finish(self) -> Scan:
        """Settle what only the end can tell."""
        while self._moments and self._current is not None:
            self._compare(self._moments.popleft())
        if self._lengths:
            usual, tick = self._lengths.most_common(1)[0][0], float(self._time_base)
            slack = max(1, usual * 0.02, 0.0011 / tick)
            alike = {gap: n for gap, n in self._lengths.items() if abs(gap - usual) <= slack}
            num_alike = sum(alike.values())
            self.scan.is_constant_rate = num_alike >= 0.95 * self._lengths.total()
            ticks = sum(gap * n for gap, n in alike.items())
            self.scan.usual_seconds = ticks / num_alike * tick
            self.scan.shortest_seconds = min(self._lengths) * tick
            self.scan.longest_seconds = max(self._lengths) * tick
        return self.scan

    def _seconds(self, stamp: int | None) -> float:
        if stamp is None or self._start is None:
            return 0.0
        return float((stamp - self._start) * self._time_base)

    def _measure(self, gap: int, seconds: float) -> None:
        """Note the time from one picture to the next, in ticks; `seconds` is that of the next."""
        if gap < 0:
            self.scan.backwards.add(seconds)
        elif gap == 0:
            self.scan.duplicates.add(seconds)
        elif gap in self._lengths or len(self._lengths) < _MAX_LENGTHS:
            self._lengths[gap] += 1
        if gap > self._long_ticks:
            self.scan.gaps.add(seconds - float(gap * self._time_base))

    def _is_over(self, moment: float, stamp: int) -> bool:
        """Whether the picture that follows is shown after `moment` (to the nanosecond)."""
        return (stamp - self._start) * self._time_base > Fraction(moment) + Fraction(1, 10**9)

    def _compare(self, moment: float) -> None:
        stamp, frame = self._current
        if self._hash is None:
            self._hash = _hashed(self._painter.paint(frame, None))
        if self._seen[moment] == (stamp, self._hash):
            self.scan.agreed += 1
        else:
            self.scan.mismatches.add(moment)


def _video_stream(container: av.container.InputContainer) -> av.VideoStream:
    """The stream that `VideoReader` shows: a default one before others, then the largest."""
    known = [stream for stream in container.streams.video if stream.codec_context]
    streams = [s for s in known if not s.disposition & Disposition.attached_pic]
    flagged = [s for s in streams if s.disposition & Disposition.default]
    return max(flagged or streams, key=lambda s: s.codec_context.width * s.codec_context.height)


def _pictures(container, stream, watcher: _Watcher) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yield all pictures that come out, in the decoder's order, with their time stamps."""
    ordinal = 0
    for packet in _packets(container, stream, watcher):
        try:
            frames = stream.codec_context.decode(packet)
        except av.error.FFmpegError as error:
            watcher.fail(packet, error.strerror)
            continue
        for frame in frames:
            watcher.scan.untimed_frames += frame.pts is None or watcher.is_untimed
            if watcher.is_untimed:
                yield ordinal, frame
            elif frame.pts is not None:
                yield frame.pts, frame
            ordinal += 1


def _packets(container, stream, watcher: _Watcher) -> Iterator[av.Packet | None]:
    """Yield the packets of a stream, and None at their end, where the decoder gives the rest."""
    try:
        for packet in container.demux(stream):
            if packet.size:
                watcher.read(packet)
                yield packet
    except av.error.FFmpegError as error:
        watcher.fail(None, f"reading stops: {error.strerror}")
    except IndexError:
        pass  # All is read; PyAV fails so afterwards where a track began that was not announced.
    yield None


def _sorted_stamps(pictures: Iterator) -> Iterator[tuple[int, av.VideoFrame]]:
    """Give the i-th picture the i-th smallest time stamp, within the reach of reordering."""
    stamps: list[int] = []
    frames: deque[av.VideoFrame] = deque()
    for stamp, frame in pictures:
        heappush(stamps, stamp)
        frames.append(frame)
        if len(stamps) >= _REORDER_DEPTH:
            yield heappop(stamps), frames.popleft()
    while stamps:
        yield heappop(stamps), frames.popleft()
