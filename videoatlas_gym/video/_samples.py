"""The packets of a plain MP4 file, read straight from it; FFmpeg only decodes them.

What FFmpeg makes of the file is seen from a miniature of it: a file in memory that holds the first
samples and says the same of the track. Only if it gives these the stamps, sizes and key frames that
the tables promise is the file read this way.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cached_property

import av
import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from videoatlas_gym.video._mp4 import Plain, read_plain

_BLOCK_SAMPLES = 128
_FIRST_BLOCK_SAMPLES = 8
"""After a seek, few samples may be asked for."""
_BLOCK_BYTES = 1 << 20
_GAP_BYTES = 1 << 16
"""So much more than samples need is read along where they do not lie side by side."""
_MAX_REORDER_DEPTH = 16
"""That of H.264 and HEVC."""
_REORDER_BLOCK = 1 << 16


Sample = tuple[int, int, int, bool]
"""Of a sample, not read yet: place, time stamp, size in bytes, and whether it is a key frame."""


class SampleReader:
    """Reads one plain file; for one thread at a time.

    Times are in ticks of the stream once `is_read_alike` has said yes.

    Attributes:
        miniature: What FFmpeg is to open.
        time_base: Length of a tick in seconds.
        key_stamps: Display times of all key frames, ascending.
    """

    def __init__(self, descriptor: int, plain: Plain) -> None:
        self._descriptor = descriptor
        self._release = weakref.finalize(self, os.close, descriptor)
        self.miniature = plain.miniature
        self.time_base = Fraction(1)
        self.key_stamps = plain.samples.pts(plain.samples.keys)
        self._shift = 0
        self._num_mini = plain.num_mini
        self._samples = plain.samples
        self._keys = plain.samples.keys
        self._place = 0

    @classmethod
    def of(cls, path: str) -> SampleReader | None:
        """Open a file; None if it is not plain.

        Raises:
            OSError: If it cannot be read.
        """
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            plain = read_plain(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        if plain is None:
            os.close(descriptor)
            return None
        return cls(descriptor, plain)

    def close(self) -> None:
        """Release the file."""
        self._release()

    def is_read_alike(self, container: av.container.InputContainer, stream: VideoStream) -> bool:
        """Whether FFmpeg gives the miniature's packets what the tables say; reads them all.

        Notes by what FFmpeg moves time: an edit says at which moment the first picture is shown.
        """
        places = np.arange(self._num_mini)
        packets = [packet for packet in container.demux(stream) if packet.size]
        if len(packets) != len(places) or any(packet.pts is None for packet in packets):
            return False
        self._shift = packets[0].pts - int(self._samples.pts(places[:1])[0])
        self.time_base = stream.time_base
        self.key_stamps = self._stamps(self._keys)
        dts = self._samples.dts(np.arange(self._num_mini + 1)) + self._shift
        promised = zip(
            *(self._stamps(places).tolist(), dts[:-1].tolist(), np.diff(dts).tolist()),
            self._samples.sizes[places].tolist(),
            strict=True,
        )
        found = [(packet.pts, packet.dts, packet.duration, packet.size) for packet in packets]
        keys = {place for place, packet in enumerate(packets) if packet.is_keyframe}
        promised_keys = set(self._keys[self._keys < len(packets)].tolist())
        is_whole = not any(packet.is_discard or packet.is_corrupt for packet in packets)
        # FFmpeg looks into packets, and takes more of them for key frames than the tables do.
        return list(promised) == found and promised_keys <= keys and is_whole

    @cached_property
    def reorder_depth(self) -> int:
        """How many pictures at most are decoded before one that is shown earlier."""
        latest, shortest = int(self._samples.delays.max()), int(self._samples.lengths.min())
        reach = min(_MAX_REORDER_DEPTH, max(0, latest - 1) // shortest)
        deepest = 0
        for first in range(0, len(self._samples) if reach else 0, _REORDER_BLOCK):
            end = min(first + _REORDER_BLOCK, len(self._samples))
            stamps = self._samples.pts(np.arange(max(0, first - reach), end))
            depths = np.zeros(len(stamps), np.int8)
            for distance in range(1, min(reach + 1, len(stamps))):
                depths[distance:] += stamps[:-distance] > stamps[distance:]
            deepest = max(deepest, int(depths.max()))
        return deepest

    def _stamps(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        return self._samples.pts(places) + self._shift

    @property
    def last_pts(self) -> int:
        """When the last sample is shown; one before it may be shown later."""
        return int(self._stamps(np.array([len(self._samples) - 1]))[0])

    def last_key(self, tick: int) -> int:
        """Return which key frame is the last one shown at or before `tick`; -1 if there is none."""
        return int(np.searchsorted(self.key_stamps, tick, side="right")) - 1

    def rewind(self) -> None:
        """Go to the first sample."""
        self._place = 0

    def seek(self, tick: int) -> None:
        """Go to the last key frame shown at or before `tick`, or else to the first sample."""
        number = self.last_key(tick)
        self._place = int(self._keys[number]) if number >= 0 else 0

    def packets(self) -> Iterator[Packet]:
        """Read on, packet by packet, up to the last one.

        Raises:
            EOFError: If the file has become shorter than it was.
        """
        block_samples = _FIRST_BLOCK_SAMPLES
        while self._place < len(self._samples):
            first = self._place
            block = self._block(first, block_samples)
            block_samples = min(2 * block_samples, _BLOCK_SAMPLES)
            dts = self._samples.dts(np.arange(first, first + len(block) + 1)) + self._shift
            lengths, dts = np.diff(dts).tolist(), dts.tolist()
            contents = self._read(first, first + len(block))
            for (place, pts, _, is_key), data in zip(block, contents, strict=False):
                self._place += 1
                packet = self.packet(pts, is_key, data)
                packet.dts, packet.duration = dts[place - first], lengths[place - first]
                yield packet
                if self._place != place + 1:
                    break  # Sought elsewhere meanwhile.
            else:
                if len(contents) < len(block):
                    raise EOFError("the file has become shorter while it was read")

    def samples(self, place: int) -> Iterator[Sample]:
        """Tell of the samples from one on, without reading them."""
        while place < len(self._samples):
            block = self._block(place)
            yield from block
            place += len(block)

    def key_place(self, number: int) -> int:
        """Return which sample a key frame is."""
        return int(self._keys[number])

    def contents(self, first: int, end: int, check: Callable[[], None]) -> list[memoryview]:
        """Read the samples of a range; fewer if the file has become shorter.

        Args:
            first: Place of the first one.
            end: Place behind the last one.
            check: Called now and then; may raise to give up.
        """
        contents: list[memoryview] = []
        while first < end:
            check()
            block_end = min(end, first + len(self._block(first)))
            block = self._read(first, block_end)
            contents += block
            if len(block) < block_end - first:
                break
            first = block_end
        return contents

    def packet(self, pts: int, is_key: bool, data: memoryview) -> Packet:
        """Make a packet of a sample that was read."""
        packet = Packet(data)
        packet.pts = pts
        packet.time_base = self.time_base
        packet.is_keyframe = is_key
        return packet

    def shown(self, start_pts: int, first_tick: int, end_tick: int) -> NDArray[np.int64]:
        """Return the stamps on display in ``[first_tick, end_tick)``, none before `start_pts`."""
        number = self.last_key(first_tick)
        first = self.key_place(number) if number >= 0 else 0
        end = self._samples.place_at(end_tick - self._shift)
        stamps = np.unique(self._stamps(np.arange(first, max(first, end))))
        stamps = stamps[(start_pts <= stamps) & (stamps < end_tick)]
        return stamps[max(0, int(np.searchsorted(stamps, first_tick, side="right")) - 1) :]

    def _block(self, first: int, count: int = _BLOCK_SAMPLES) -> list[Sample]:
        """Return samples that are read in one go: `count`, or so many bytes."""
        sizes = self._samples.sizes[first : first + count]
        count = max(1, int(np.searchsorted(np.cumsum(sizes), _BLOCK_BYTES, side="right")))
        count = min(count, len(sizes))
        low, high = np.searchsorted(self._keys, (first, first + count))
        is_key = [False] * count
        for place in self._keys[low:high].tolist():
            is_key[place - first] = True
        stamps = self._stamps(np.arange(first, first + count)).tolist()
        places = range(first, first + count)
        return list(zip(places, stamps, sizes[:count].tolist(), is_key, strict=True))

    def _read(self, first: int, end: int) -> list[memoryview]:
        sizes, starts = self._samples.sizes[first:end], self._samples.offsets(first, end)
        low, high = int(starts.min()), int((starts + sizes).max())
        spans = list(zip(starts.tolist(), sizes.tolist(), strict=True))
        if high - low <= 2 * int(sizes.sum()) + _GAP_BYTES:
            data = memoryview(os.pread(self._descriptor, high - low, low))
            found = [data[start - low : start - low + size] for start, size in spans]
        else:
            found = [memoryview(os.pread(self._descriptor, size, start)) for start, size in spans]
        for index, (_, size) in enumerate(spans):
            if len(found[index]) < size:
                return found[:index]
        return found
