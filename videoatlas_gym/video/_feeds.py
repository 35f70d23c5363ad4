"""The packets of an opened track, as plans need them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from av.packet import Packet

from videoatlas_gym.video._bitstream import HIDING_CODECS, NEEDED, is_hidden, spare_reader
from videoatlas_gym.video._samples import SampleReader
from videoatlas_gym.video._track import Track
from videoatlas_gym.video.plan import Feed, Mark

_REACH_SECONDS = 10
"""Without an index, moments closer than this are read on to; farther ones are sought."""
_CHECKED_EVERY = 64
"""So many samples are told of between looks at the time left."""


def feed_of(track: Track) -> Feed:
    """Return what reads a track: straight from the file where that can be, else by FFmpeg."""
    return _PacketFeed(track) if track.samples is None else _SampleFeed(track, track.samples)


class _PacketFeed:
    """Reads packets by FFmpeg."""

    def __init__(self, track: Track) -> None:
        self._track = track
        self._codec_name = track.codec.name
        self._reach = round(_REACH_SECONDS / track.time_base)
        self._read_spare = spare_reader(self._codec_name, track.codec.extradata)

    def land(self, tick: int) -> Iterator[Mark] | None:
        packets = self._track.land(tick)
        return None if packets is None else self._marks(packets)

    def _marks(self, packets: Iterator[Packet]) -> Iterator[Mark]:
        codec_name, false_keys = self._codec_name, self._track.false_keys
        may_hide = codec_name in HIDING_CODECS
        for packet in packets:
            pts = packet.pts
            is_key = packet.is_keyframe and pts is not None and pts not in false_keys
            is_shown = not packet.is_discard and not (may_hide and is_hidden(codec_name, packet))
            yield Mark(packet, pts, packet.size, is_key, is_shown)

    def is_same_group(self, tick: int, later: int) -> bool:
        index = self._track.stream.index_entries
        if len(index) < 2:
            return later - tick <= self._reach
        places = [index.search_timestamp(place, backward=True) for place in (tick, later)]
        return places[0] == places[1] and -1 not in places

    def looked_into(self, marks: Sequence[Mark]) -> Sequence[Mark]:
        return [self._looked_into(*mark[:5]) for mark in marks] if self._read_spare else marks

    def _looked_into(self, packet: Packet, pts: int, size: int, is_key: bool, is_shown: bool):
        is_needed = is_key or packet.is_corrupt
        spare = NEEDED if is_needed else self._read_spare(memoryview(packet))
        return Mark(packet, pts, size, is_key, is_shown, *spare)

    def packets(self, marks: Sequence[Mark]) -> Sequence[Packet]:
        return [mark.packet for mark in marks]


class _SampleFeed:
    """Reads samples of a plain file; of those that are left out, no packet is made."""

    def __init__(self, track: Track, reader: SampleReader) -> None:
        self._track = track
        self._reader = reader
        self._read_spare = spare_reader(track.codec.name, track.codec.extradata)

    def land(self, tick: int) -> Iterator[Mark] | None:
        reader, false_keys = self._reader, self._track.false_keys
        number = reader.last_key(tick)
        while number >= 0 and int(reader.key_stamps[number]) in false_keys:
            number -= 1
        return self._marks(reader.key_place(number)) if number >= 0 else None

    def _marks(self, first: int) -> Iterator[Mark]:
        false_keys, check = self._track.false_keys, self._track.deadline.check
        for place, pts, size, is_key in self._reader.samples(first):
            if not place % _CHECKED_EVERY:
                check()
            yield Mark(place, pts, size, is_key and pts not in false_keys)

    def is_same_group(self, tick: int, later: int) -> bool:
        return self._reader.last_key(tick) == self._reader.last_key(later)

    def looked_into(self, marks: Sequence[Mark]) -> Sequence[Mark]:
        first, end = marks[0].packet, marks[-1].packet + 1
        contents = self._reader.contents(first, end, self._track.deadline.check)
        read_spare = self._read_spare
        return [
            Mark(data, pts, size, is_key, True, *(NEEDED if is_key else read_spare(data)))
            for (_, pts, size, is_key, *_), data in zip(marks, contents, strict=False)
        ]

    def packets(self, marks: Sequence[Mark]) -> Sequence[Packet]:
        return [self._reader.packet(mark.pts, mark.is_key, mark.packet) for mark in marks]
