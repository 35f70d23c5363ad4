"""A linear look through the packets of a video: what is on display when, and what it must cost.

Shares nothing with the engine: no seeking, no index, no decoder. Every packet is read once from the
start, and its own bytes say whether other pictures build on it (H.264: ``nal_ref_idc``, ITU-T H.264
section 7.4.1; HEVC: the sub-layer non-reference types, ITU-T H.265 table 7-1). Pictures of other
codecs all count as references.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from videoatlas_gym.files import replacing

TOLERANCE_SECONDS = Fraction(1, 10**9)
"""A frame is on display from its time on; so much earlier is the same moment, as in the engine."""
_H264_SLICES = {1, 2, 5}
_HEVC_SLICES = range(32)
_HEVC_NON_REFERENCES = range(0, 15, 2)


@dataclass(frozen=True)
class Scan:
    """The packets of a video stream in the order of decoding, each array of shape (n,)."""

    pts: NDArray[np.int64]
    """Time stamps in ticks of `time_base`."""
    is_key: NDArray[np.bool_]
    is_reference: NDArray[np.bool_]
    """Whether other pictures may build on it."""
    is_shown: NDArray[np.bool_]
    """False for what the container says to decode and not to show."""
    time_base: Fraction
    end_pts: int
    """End of the last frame, in ticks."""

    @property
    def start_pts(self) -> int:
        """Time stamp of the first frame that is shown."""
        return int(self.pts[self.is_shown].min())

    @property
    def duration_seconds(self) -> float:
        """From the start of the first frame to the end of the last."""
        return float((self.end_pts - self.start_pts) * self.time_base)

    @property
    def num_frames(self) -> int:
        """Frames that are shown."""
        return int(self.is_shown.sum())

    def ranks_at(self, seconds: Sequence[float]) -> list[int]:
        """Return which frames are on display, counted from 0 in the order of display."""
        shown = np.sort(self.pts[self.is_shown])
        ticks = [self._tick(moment) for moment in seconds]
        return [int(rank) for rank in np.searchsorted(shown, ticks, side="right") - 1]

    def minimum_packets(self, seconds: Sequence[float]) -> int:
        """Return how many packets must be decoded to show the frames at these moments.

        From the key frame before a moment to its frame: that frame, and all before it on which
        others may build. Moments behind the same key frame share them. What is shown before that
        key frame is left out: nothing that is shown after it builds on that (open groups).
        """
        keys, by_key = np.flatnonzero(self.is_key), defaultdict(set)
        for target in self._packets_at(seconds):
            before = keys[(keys <= target) & (self.pts[keys] <= self.pts[target])]
            by_key[int(before[-1])].add(target)
        total = 0
        for key, targets in by_key.items():
            chain = slice(key, max(targets) + 1)
            needed = self.is_reference[chain] & (self.pts[chain] >= self.pts[key])
            needed[[target - key for target in targets]] = True
            total += int(needed.sum())
        return total

    def _tick(self, seconds: float) -> int:
        return self.start_pts + int((Fraction(seconds) + TOLERANCE_SECONDS) // self.time_base)

    def _packets_at(self, seconds: Sequence[float]) -> set[int]:
        """Places, in the order of decoding, of the frames on display."""
        shown = np.flatnonzero(self.is_shown)
        order = shown[np.argsort(self.pts[shown], kind="stable")]
        return {int(order[rank]) for rank in self.ranks_at(seconds)}


def scan(path: str | os.PathLike[str]) -> Scan:
    """Read all packets of a video's first video stream; ten seconds for ten hours.

    Raises:
        ValueError: If packets have no time stamps or there is no key frame.
    """
    rows, end_pts = [], 0
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        is_reference = _reference_test(stream.codec_context)
        for packet in container.demux(stream):
            if packet.dts is None and packet.size == 0:
                continue
            if packet.pts is None:
                raise ValueError(f"{str(path)!r} has packets without time stamps. Re-mux it.")
            end_pts = max(end_pts, packet.pts + (packet.duration or 0))
            shown = not packet.is_discard
            rows.append((packet.pts, packet.is_keyframe, is_reference(packet), shown))
        time_base = stream.time_base
    table = np.array(rows, np.int64).reshape(-1, 4)
    if not table[:, 1].any():
        raise ValueError(f"{str(path)!r} has no key frame. Give another video.")
    flags = [column.astype(bool) for column in table.T[1:]]
    return Scan(table[:, 0].copy(), *flags, time_base, end_pts)


def stored_scan(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> Scan:
    """Return the scan of a video, kept in `folder` for the next time until the file changes."""
    path, state = Path(path), os.stat(path)
    kept = Path(folder) / f"{path.stem}-{state.st_size}-{state.st_mtime_ns}.scan.npz"
    if not kept.is_file():
        made = scan(path)
        clock = [made.time_base.numerator, made.time_base.denominator, made.end_pts]
        with replacing(kept) as partial:
            np.savez(partial, clock=clock, **{n: getattr(made, n) for n in _ARRAYS})
    with np.load(kept, allow_pickle=False) as data:
        numerator, denominator, end_pts = map(int, data["clock"])
        arrays = [data[name] for name in _ARRAYS]
        return Scan(*arrays, Fraction(numerator, denominator), end_pts)


_ARRAYS = ("pts", "is_key", "is_reference", "is_shown")


def _reference_test(codec: av.VideoCodecContext) -> Callable[[av.Packet], bool]:
    """Return what tells of a packet whether others may build on it."""
    extradata = codec.extradata or b""
    if codec.name == "h264":
        length_bytes = (extradata[4] & 3) + 1 if extradata[:1] == b"\1" else 0
        return lambda packet: _h264_is_reference(_unit_heads(packet, length_bytes))
    if codec.name == "hevc":
        length_bytes = (extradata[21] & 3) + 1 if len(extradata) > 21 and extradata[0] else 0
        return lambda packet: _hevc_is_reference(_unit_heads(packet, length_bytes))
    return lambda packet: True


def _h264_is_reference(heads: Iterator[int]) -> bool:
    return next((head >> 5 & 3 > 0 for head in heads if head & 31 in _H264_SLICES), True)


def _hevc_is_reference(heads: Iterator[int]) -> bool:
    kinds = (head >> 1 & 63 for head in heads)
    return next((k not in _HEVC_NON_REFERENCES for k in kinds if k in _HEVC_SLICES), True)


def _unit_heads(packet: av.Packet, length_bytes: int) -> Iterator[int]:
    """Yield the first byte of each NAL unit; they begin with their length, or a start code (0)."""
    data, place = memoryview(packet), 0
    if length_bytes == 0:
        data = bytes(data)
        while (place := data.find(b"\0\0\1", place) + 3) > 2 and place < len(data):
            yield data[place]
        return
    while place + length_bytes < len(data):
        length = int.from_bytes(data[place : place + length_bytes])
        yield data[place + length_bytes]
        place += length_bytes + length
