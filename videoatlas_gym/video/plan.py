"""Which packets must be decoded to show certain moments, and which may be left out.

Knows packets by their stamps and marks only; opens and decodes nothing. A packet that no other
picture is made from is decoded only if it is shown itself. Reading never stops inside the pictures
that can still come before a moment, and never goes through a group of pictures that shows none.

What is planned holds if the stream is what its packets say; whoever decodes a group checks that
exactly the pictures expected of it come out, and decodes without a plan where they do not.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple, Protocol

REORDER_DEPTH = 17
"""So many pictures after a moment settle it: H.264 and HEVC reorder at most 16."""

MAX_GROUP_BYTES = 64 << 20
"""Longer groups are not planned: their packets are better decoded as they are read."""
_MAX_GROUP_PACKETS = 100_000
"""So many make an hour."""


class Mark(NamedTuple):
    """A packet, and what the plan needs to know of it."""

    packet: Any
    """For the feed to know it by."""
    pts: int | None
    size: int
    is_key: bool
    """Whether decoding can begin here."""
    is_shown: bool = True
    """Whether it gives a picture to look at, as far as the packet tells."""
    is_spare: bool = False
    """Whether no picture of its own layer or a lower one is made from it; not known before
    `Feed.looked_into`."""
    layer: int = 0
    """Temporal layer; pictures are made from their own and lower ones."""


class Feed(Protocol):
    """Where packets come from."""

    def land(self, tick: int) -> Iterator[Mark] | None:
        """Read on from a key frame presented at or before `tick`; None if none can be found."""

    def is_same_group(self, tick: int, later: int) -> bool:
        """Guess whether no key frame is between two moments; being wrong costs time only."""

    def looked_into(self, marks: Sequence[Mark]) -> Sequence[Mark]:
        """Return neighbouring packets with what they say of themselves; fewer if some are gone."""

    def packets(self, marks: Sequence[Mark]) -> Sequence[Any]:
        """Return packets that were looked into, to decode."""


@dataclass(frozen=True)
class Group:
    """Packets to decode, in their order, from a key frame to the last picture that is shown."""

    sync_pts: int
    """Of the key frame; pictures presented before it are not to be trusted."""
    packets: tuple[Any, ...]
    expected: frozenset[int]
    """Time stamps of all pictures, from that of the key frame on, that must come out."""
    shown: dict[int, int]
    """Moment in ticks to the time stamp of the picture on display then."""
    num_left_out: int
    num_bytes: int


@dataclass(frozen=True)
class Unplanned:
    """Moments that packets alone do not settle."""

    ticks: tuple[int, ...]
    is_hopeless: bool = False
    """Whether it will be so for all moments of this file."""


def plan(feed: Feed, ticks: Iterable[int]) -> Iterator[Group | Unplanned]:
    """Group moments by the key frame that decoding them begins at; reads as far as it is asked.

    Seeks once for each group, except where reading on leads to the next one sooner.
    """
    waiting = deque(sorted(set(ticks)))
    marks: Iterator[Mark] | None = None
    while waiting:
        marks = feed.land(waiting[0]) if marks is None else marks
        if marks is None:
            yield Unplanned((waiting.popleft(),))
            continue
        gathering = _Gathering(feed, waiting)
        rest = gathering.read(marks)
        yield gathering.result()
        is_next = rest and waiting and feed.is_same_group(rest[0].pts, waiting[0])
        marks = chain(rest, marks) if is_next else None


class _Gathering:
    """Takes packets from a key frame on until the moments before the next one are settled."""

    def __init__(self, feed: Feed, waiting: deque[int]) -> None:
        self._feed = feed
        self._waiting = waiting
        self._marks: list[Mark] = []
        self._stamps: list[int] = []
        self._num_bytes = 0
        self._shown: dict[int, int] = {}
        self._sync_pts: int | None = None
        self._end_pts = math.inf
        self._end_index: int | None = None
        self._lost: tuple[int, ...] = ()
        self._is_hopeless = False

    def read(self, marks: Iterator[Mark]) -> list[Mark]:
        """Read packets; return those that the next group begins with, if they were read."""
        for mark in marks:
            is_long = self._num_bytes > MAX_GROUP_BYTES or len(self._marks) > _MAX_GROUP_PACKETS
            if mark.pts is None or is_long:
                self._give_up()
                return []
            if mark.is_key and not self._begins_or_goes_on(mark):
                return [mark]
            self._take(mark)
            # What comes before the first moment that waits settles nothing.
            if mark.pts > self._waiting[0] and self._settle(REORDER_DEPTH):
                return [] if self._end_index is None else self._marks[self._end_index :]
        self._settle(0)
        return [] if self._end_index is None else self._marks[self._end_index :]

    def _begins_or_goes_on(self, key: Mark) -> bool:
        """Begin at a key frame, or note it as the end; False if it begins the next group."""
        if self._sync_pts is None or key.pts <= self._waiting[0]:
            if self._shown:
                return False
            self._marks, self._stamps, self._num_bytes = [], [], 0
            self._sync_pts, self._end_pts, self._end_index = key.pts, math.inf, None
        elif key.pts < self._end_pts:
            self._end_pts, self._end_index = key.pts, len(self._marks)
        return True

    def _take(self, mark: Mark) -> None:
        self._marks.append(mark)
        self._num_bytes += mark.size
        if mark.is_shown and mark.pts >= self._sync_pts:
            insort(self._stamps, mark.pts)

    def _settle(self, num_later: int) -> bool:
        """Settle moments that enough pictures come after; whether that is all of this group."""
        waiting, stamps = self._waiting, self._stamps
        while waiting and waiting[0] < self._end_pts:
            tick = waiting[0]
            place = bisect_right(stamps, tick)
            if len(stamps) - place < num_later:
                return False
            waiting.popleft()
            if place:
                self._shown[tick] = stamps[place - 1]
            else:
                self._lost += (tick,)
            is_open = num_later and self._end_index is None
            if is_open and waiting and not self._feed.is_same_group(tick, waiting[0]):
                return True
        return True

    def _give_up(self) -> None:
        """Leave all moments to others: reading so far again for each would take too long."""
        self._is_hopeless = True
        self._lost += tuple(self._waiting)
        self._waiting.clear()

    def result(self) -> Group | Unplanned:
        """Return the group that was read."""
        stamps = set(self._shown.values())
        # What is checked later: each picture has a time stamp of its own, and the first is the key.
        is_plain = len(set(self._stamps)) == len(self._stamps)
        is_plain = is_plain and self._stamps[:1] == [self._sync_pts]
        if self._lost or not stamps or not is_plain:
            return Unplanned((*self._lost, *self._shown), self._is_hopeless)
        marks = _up_to(self._marks, stamps)
        known = self._feed.looked_into(marks)
        if len(known) < len(marks):
            return Unplanned(tuple(self._shown))
        top = max(mark.layer for mark in known)
        kept = [m for m in known if not (m.is_spare and m.layer == top and m.pts not in stamps)]
        return Group(
            sync_pts=self._sync_pts,
            packets=tuple(self._feed.packets(kept)),
            expected=frozenset(m.pts for m in kept if m.is_shown and m.pts >= self._sync_pts),
            shown=self._shown,
            num_left_out=len(marks) - len(kept),
            num_bytes=sum(mark.size for mark in kept),
        )


def _up_to(marks: Sequence[Mark], stamps: set[int]) -> Sequence[Mark]:
    """Return the packets up to the last one, in their order, that shows one of `stamps`."""
    end = len(marks)
    while not (marks[end - 1].pts in stamps and marks[end - 1].is_shown):
        end -= 1
    return marks[:end]
