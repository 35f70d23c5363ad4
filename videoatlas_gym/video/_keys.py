"""The key frames nearest to moments, found without decoding anything.

Knows packets, not pictures: whether one that is marked as a key frame is one shows when it is
decoded. Key frames are found by the container's index where that is whole, else by reading on from
the one before a moment; nothing found for one request bears on the next.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from av.index import IndexEntries
from av.packet import Packet

from videoatlas_gym.span import Span
from videoatlas_gym.video._bitstream import is_hidden
from videoatlas_gym.video._facts import Facts
from videoatlas_gym.video._track import Track
from videoatlas_gym.video.plan import REORDER_DEPTH

_REACH_SECONDS = 30
"""Without an index, the next key frame is read on to for so long after a moment."""


class Place(NamedTuple):
    """A moment, and the span around it that a key frame may be taken from."""

    seconds: float
    span: Span
    tick: int
    """The moment in ticks."""
    end_tick: int
    """The first tick behind the span."""


class _Gap(NamedTuple):
    """Two neighbouring key frames, or one and what is known of the next."""

    before: Packet
    after: Packet | None
    until: float
    """No key frame but `before` is presented from it on before this tick."""


class KeyFinder:
    """Finds key frames of an opened track, for places that ascend; nobody else may use it then."""

    def __init__(self, track: Track, facts: Facts) -> None:
        self._track = track
        self._facts = facts
        self._reach = round(_REACH_SECONDS / track.time_base)
        self._gap: _Gap | None = None
        self._is_over = False

    def nearest(self, place: Place) -> Packet | None:
        """Return the key frame of the span that is nearest to the moment, the earlier of equals.

        None where the span holds none, or none that is shown.
        """
        before, after = self._around(place)
        found = [key for key in (before, after) if key is not None and self._lies_in(key, place)]
        distances = [abs(self._facts.seconds(key.pts) - place.seconds) for key in found]
        return found[distances.index(min(distances))] if found else None

    def _lies_in(self, key: Packet, place: Place) -> bool:
        is_shown = not (key.is_discard or is_hidden(self._track.codec.name, key))
        is_sound = not key.is_corrupt and key.pts >= self._facts.start_pts
        return is_shown and is_sound and self._facts.seconds(key.pts) in place.span

    def _around(self, place: Place) -> tuple[Packet | None, Packet | None]:
        """Return the last key frame up to a moment, and the next if it may be the nearer one."""
        gap = self._gap
        if gap is None or gap.until <= place.tick:
            gap = self._land(place.tick)
        has_looked = False
        while gap is not None:
            if gap.after is not None and gap.after.pts <= place.tick:
                gap, has_looked = self._from(gap.after), False
            elif (
                gap.after is None and gap.until < self._limit(gap.before, place) and not has_looked
            ):
                gap, has_looked = self._looked_on(gap, place.tick), True
            else:
                break
        self._gap = gap
        return (None, None) if gap is None else (gap.before, gap.after)

    def _limit(self, before: Packet, place: Place) -> int:
        """The first tick at which a later key frame would not be taken."""
        if not self._lies_in(before, place):
            return place.end_tick
        return min(place.end_tick, 2 * (place.tick + 1) - before.pts)

    def _land(self, tick: int) -> _Gap | None:
        packets = None if self._is_over else self._track.land(tick)
        if packets is None:
            self._is_over = True  # Where one moment cannot be sought, trying each takes too long.
            return None
        return self._from(next(packets))

    def _from(self, key: Packet) -> _Gap:
        """Begin a gap at a key frame, with what the index tells of the next."""
        stamp = self._next_stamp(key)
        return _Gap(key, None, key.pts + 1 if stamp is None else max(stamp, key.pts + 1))

    def _looked_on(self, gap: _Gap, tick: int) -> _Gap:
        """Find the next key frame, or that there is none for a while."""
        before = gap.before
        stamp = self._next_stamp(before)
        if stamp is not None and math.isfinite(stamp):
            delay = 0 if self._tells_display else before.pts - before.dts
            after = self._first_key(stamp + delay)
            if after is not None and after.pts > before.pts and stamp in (after.pts, after.dts):
                return _Gap(before, after, after.pts)
        return self._read_on(before, max(tick, before.pts) + self._reach)

    def _first_key(self, tick: int) -> Packet | None:
        if not self._track.seek(tick):
            return None
        return next(_keys(self._track.packets()), None)

    def _read_on(self, before: Packet, end_tick: int) -> _Gap:
        num_later = 0
        for packet in self._track.land(before.pts) or ():
            if packet.pts is None:
                continue
            if packet.is_keyframe and packet.pts > before.pts:
                return _Gap(before, packet, packet.pts)
            num_later += packet.pts >= end_tick
            if num_later >= REORDER_DEPTH:
                return _Gap(before, None, end_tick)
        return _Gap(before, None, math.inf)

    @property
    def _is_matroska(self) -> bool:
        return "matroska" in self._track.container.format.name

    @property
    def _tells_display(self) -> bool:
        """Whether the index holds times of display; else of decoding."""
        return self._is_matroska or self._track.samples is not None

    def _next_stamp(self, key: Packet) -> float | None:
        """The index's time stamp of the key frame after one, at most its own; None if not told.

        Infinite where the index ends.
        """
        samples = self._track.samples
        if samples is not None:
            later = samples.key_stamps[samples.last_key(key.pts) + 1 :]
            return int(later[0]) if len(later) else math.inf
        index = self._index()
        stamp = key.pts if self._is_matroska else key.dts
        if index is None or stamp is None:
            return None
        position = index.search_timestamp(stamp + 1, backward=False)
        return index[position].timestamp if position >= 0 else math.inf

    def _index(self) -> IndexEntries | None:
        """The index, where it is the file's own and whole: others grow while a file is read."""
        stream, index = self._track.stream, self._track.stream.index_entries
        if self._is_matroska:
            return index if len(index) > 1 else None
        is_whole = "mp4" in self._track.container.format.name and 0 < stream.frames <= len(index)
        return index if is_whole else None


def _keys(packets: Iterator[Packet]) -> Iterator[Packet]:
    return (packet for packet in packets if packet.is_keyframe and packet.pts is not None)
