"""The floor: what decoding alone costs, which no exact method can go below on this decoder.

For each moment the packets from its key frame on are at hand already; of these only the wanted
pictures and those that others build on are decoded, one thread, nothing is scaled or copied. Which
they are the decoder itself says, in a pass that is not timed: `benchmarks.scan` arrives at the same
number from the bytes of the file alone, and the two must agree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks.methods import Method
from benchmarks.scan import TOLERANCE_SECONDS

_SETTLED = 17
"""So many later packets settle which frame is on display: H.264 and HEVC reorder at most 16."""


class Floor(Method):
    """Decodes reference chains and nothing else. Opens nothing before it is prepared.

    Args:
        path: The video.
        size: Not used: pictures come as the decoder makes them.
    """

    def __init__(self, path: str, size: tuple[int, int]) -> None:
        self.num_packets = 0
        """Packets that were decoded for the moments prepared last."""
        self._path = path
        self._jobs: list[tuple[list[av.Packet], set[int]]] = []
        self._order: list[int] = []
        self._container: av.container.InputContainer | None = None

    def prepare(self, seconds: Sequence[float], *, is_native: bool) -> None:
        """Gather the packets that must be decoded; not timed."""
        if self._container is None:
            self._open()
        chains: dict[int, list[av.Packet]] = {}
        wanted: dict[int, set[int]] = defaultdict(set)
        self._order = []
        for moment in seconds:
            chain, pts = self._chain(moment)
            key = chain[0].pts
            if len(chain) > len(chains.get(key, ())):
                chains[key] = chain
            wanted[key].add(pts)
            self._order.append(pts)
        self._jobs = [
            (self._needed(chain, wanted[key]), wanted[key]) for key, chain in chains.items()
        ]
        self.num_packets = sum(len(packets) for packets, _ in self._jobs)

    def tiles(self, seconds: Sequence[float]) -> dict[int, av.VideoFrame]:
        """Decode what was prepared; return the wanted frames by time stamp."""
        found = {}
        for packets, wanted in self._jobs:
            for frame in self._decoded(packets, "DEFAULT"):
                if frame.pts in wanted:
                    found[frame.pts] = frame
        return found

    def frame(self, seconds: float) -> dict[int, av.VideoFrame]:
        """Decode the one frame that was prepared."""
        return self.tiles([seconds])

    def pictures(self, delivered: dict[int, av.VideoFrame]) -> Iterator[NDArray[np.uint8]]:
        """Return what was delivered as RGB, in the order asked; not timed."""
        return (delivered[pts].to_ndarray(format="rgb24") for pts in self._order)

    def _open(self) -> None:
        self._container = av.open(self._path)
        self._stream = self._container.streams.video[0]
        source = self._stream.codec_context
        self._codec = av.CodecContext.create(source.name, "r")
        self._codec.extradata = source.extradata
        self._codec.thread_count = 1
        packets = list(islice(self._container.demux(self._stream), 2 * _SETTLED))
        if any(packet.is_discard for packet in packets):
            raise ValueError("an edit list hides packets, whose pictures the decoder counts not.")
        self._start = min(packet.pts for packet in packets if packet.pts is not None)

    def _chain(self, seconds: float) -> tuple[list[av.Packet], int]:
        """Packets from the key frame before a moment to the frame on display, and its stamp."""
        elapsed = (Fraction(seconds) + TOLERANCE_SECONDS) // self._stream.time_base
        tick = self._start + int(elapsed)
        self._container.seek(tick, stream=self._stream)
        chain, last, num_later = [], 0, 0
        for packet in self._container.demux(self._stream):
            if packet.pts is None or num_later == _SETTLED:
                break
            if packet.is_keyframe and packet.pts <= tick:
                chain, last = [], 0
            chain.append(packet)
            num_later += packet.pts > tick
            if packet.pts <= tick and packet.pts >= chain[last].pts:
                last = len(chain) - 1
        if not chain[0].is_keyframe or chain[0].pts > tick:
            raise ValueError("seeking leads to no key frame before the moment.")
        return chain[: last + 1], chain[last].pts

    def _needed(self, chain: list[av.Packet], wanted: set[int]) -> list[av.Packet]:
        """Leave out what the decoder itself passes over as built on by no other picture."""
        kept = {frame.pts for frame in self._decoded(chain, "NONREF", wanted)}
        return [packet for packet in chain if packet.pts in kept]

    def _decoded(
        self, packets: list[av.Packet], skip: str, wanted: set[int] = frozenset()
    ) -> Iterator[av.VideoFrame]:
        for packet in packets:
            self._codec.skip_frame = "DEFAULT" if packet.pts in wanted else skip
            yield from self._codec.decode(packet)
        yield from self._codec.decode(None)
        self._codec.flush_buffers()
