"""What an agent remembers: evidence it kept (positive) and spans it ruled out (negative).

Both are values that merge like sets: in any order and grouping, with the same result, so that the
finds of parallel workers can be joined (VideoAtlas, sections 3.1 "Memory" and 3.2). Evidence holds
times and text, never pixels: its pictures are decoded again on demand, hence without loss.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from videoatlas_gym.span import Span

MERGE_SECONDS = 1.0
"""Evidence closer in time than this is one item."""


@dataclass(frozen=True, order=True)
class Evidence:
    """One find: a moment worth keeping and the span it stands for."""

    seconds: float
    """The moment whose picture is the evidence: that of the frame that the cell showed."""
    span: Span
    """What it stands for; `seconds` lies inside."""
    confidence: float = 1.0
    """How sure the agent is, in [0, 1]."""
    step: int = 0
    """When it was kept, in steps of the episode; newer wins between equally confident pictures."""
    note: str = ""
    """What the agent says it shows."""

    @property
    def rank(self) -> tuple[float, int, float]:
        """Sort key, best first: most confident, then newest, then earliest in the video."""
        return (-self.confidence, -self.step, self.seconds)

    def to_json(self) -> dict:
        """Return plain JSON data."""
        return {
            "seconds": self.seconds,
            "span": [self.span.start_seconds, self.span.end_seconds],
            "confidence": self.confidence,
            "step": self.step,
            "note": self.note,
        }

    @classmethod
    def from_json(cls, data: dict) -> Evidence:
        """Read what `to_json` wrote."""
        return cls(**{**data, "span": Span(*data["span"])})


@dataclass(frozen=True)
class Scratchpad:
    """The positive memory: everything that was kept, grouped into items.

    Finds whose moments chain together with gaps under `MERGE_SECONDS` form one item: its span is
    the hull of theirs, its picture that of the most confident one (the newest of equals). The finds
    themselves stay stored, so the items do not depend on the order in which finds came.
    """

    finds: tuple[Evidence, ...] = ()
    """All distinct finds, sorted by time."""

    def add(self, find: Evidence) -> Scratchpad:
        """Return the scratchpad with one more find; of finds at one place the best ranked stays."""
        finds = list(self.finds)
        for index in range(bisect_left(finds, find.seconds, key=_seconds), len(finds)):
            if finds[index].seconds != find.seconds:
                break
            if finds[index].span == find.span:
                finds[index] = min(finds[index], find, key=_preference)
                return Scratchpad(tuple(finds))
        insort(finds, find)
        return Scratchpad(tuple(finds))

    def union(self, *others: Scratchpad) -> Scratchpad:
        """Return all finds of all scratchpads; of finds at one place the best ranked stays."""
        best: dict[tuple[float, Span], Evidence] = {}
        for find in (find for pad in (self, *others) for find in pad.finds):
            key = (find.seconds, find.span)
            rival = best.get(key, find)
            best[key] = min(rival, find, key=_preference)
        return Scratchpad(tuple(sorted(best.values())))

    @cached_property
    def _groups(self) -> tuple[tuple[Evidence, ...], ...]:
        groups: list[list[Evidence]] = []
        for find in self.finds:
            if groups and find.seconds - groups[-1][-1].seconds < MERGE_SECONDS:
                groups[-1].append(find)
            else:
                groups.append([find])
        return tuple(map(tuple, groups))

    @cached_property
    def items(self) -> tuple[Evidence, ...]:
        """The items in order of their pictures' times."""
        return tuple(_item(group) for group in self._groups)

    def best(self, count: int) -> tuple[Evidence, ...]:
        """The `count` best ranked items, best first: what a limited reader gets to see."""
        return tuple(sorted(self.items, key=lambda item: item.rank)[:count])

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """The union of the items' spans, sorted and disjoint."""
        return DeadZones().add(*(item.span for item in self.items)).spans

    def lies_in(self, span: Span) -> bool:
        """Whether the moment of any find lies in `span`."""
        return any(find.seconds in span for find in self.finds)

    def lies_in_each(
        self, starts: NDArray[np.float64], ends: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """For each span ``[start, end)``: does the moment of any find lie in it? Shape (n,)."""
        return np.searchsorted(self._moments, starts) < np.searchsorted(self._moments, ends)

    @cached_property
    def _moments(self) -> NDArray[np.float64]:
        return np.array([find.seconds for find in self.finds])

    def would_change(
        self, starts: NDArray[np.float64], ends: NDArray[np.float64], moments: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """For cells of a view: would keeping the cell with full confidence alter any item?

        Args:
            starts: Start of each cell in seconds, shape (n,).
            ends: End of each cell, shape (n,).
            moments: The moment each cell shows, shape (n,).
        """
        if not self.finds:
            return np.ones(len(moments), bool)
        first, last, item_starts, item_ends, seconds, confidence = self._table
        # Items are sorted and apart, so those that a moment would join are neighbours.
        lowest = np.searchsorted(last + MERGE_SECONDS, moments, side="right")
        joined = np.searchsorted(first - MERGE_SECONDS, moments) - lowest
        item = np.minimum(lowest, len(first) - 1)
        known = (
            (joined == 1)
            & (item_starts[item] <= starts)
            & (ends <= item_ends[item])
            & (seconds[item] == moments)
            & (confidence[item] >= 1.0)
        )
        return ~known

    @cached_property
    def _table(self) -> NDArray[np.float64]:
        rows = [
            (g[0].seconds, g[-1].seconds, i.span.start_seconds, i.span.end_seconds)
            + (i.seconds, i.confidence)
            for g, i in zip(self._groups, self.items, strict=True)
        ]
        return np.array(rows).T

    def __len__(self) -> int:
        return len(self.items)


def _seconds(find: Evidence) -> float:
    return find.seconds


def _preference(find: Evidence) -> tuple[float, int, float, str]:
    """Sort key of finds at one place: ranks, then texts, so that any order of merging agrees."""
    return (*find.rank, find.note)


def _item(group: tuple[Evidence, ...]) -> Evidence:
    if len(group) == 1:
        return group[0]
    best = min(group, key=lambda find: find.rank)
    span = best.span
    for find in group:
        span = span.hull(find.span)
    return replace(best, span=span)


@dataclass(frozen=True)
class DeadZones:
    """The negative memory: a set of moments as sorted spans that neither overlap nor touch."""

    spans: tuple[Span, ...] = ()

    def add(self, *spans: Span) -> DeadZones:
        """Return the zones with more spans ruled out; touching spans become one."""
        merged: list[Span] = []
        for span in sorted((*self.spans, *spans)):
            if span.duration_seconds == 0:
                continue
            if merged and span.start_seconds <= merged[-1].end_seconds:
                merged[-1] = merged[-1].hull(span)
            else:
                merged.append(span)
        return DeadZones(tuple(merged))

    def subtract(self, spans: Iterable[Span]) -> DeadZones:
        """Return the zones without the moments of `spans`."""
        left = list(self.spans)
        for hole in spans:
            left = [piece for zone in left for piece in _minus(zone, hole)]
        return DeadZones(tuple(left))

    @cached_property
    def _bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        starts = np.array([zone.start_seconds for zone in self.spans])
        ends = np.array([zone.end_seconds for zone in self.spans])
        return starts, ends

    def cover(self, starts: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.bool_]:
        """For each span ``[start, end)``: is every moment of it ruled out? Shape (n,)."""
        if not self.spans:
            return np.zeros(len(starts), bool)
        zone_starts, zone_ends = self._bounds
        zone = np.searchsorted(zone_starts, starts, side="right") - 1
        return (zone >= 0) & (ends <= zone_ends[zone])

    def hold(self, moments: NDArray[np.float64]) -> NDArray[np.bool_]:
        """For each moment: is it ruled out? Shape (n,)."""
        return self.cover(moments, np.nextafter(moments, np.inf))

    @property
    def duration_seconds(self) -> float:
        """Summed length of what is ruled out."""
        return float(sum(zone.duration_seconds for zone in self.spans))


def _minus(zone: Span, hole: Span) -> list[Span]:
    if not zone.overlaps(hole):
        return [zone]
    pieces = []
    if zone.start_seconds < hole.start_seconds:
        pieces.append(Span(zone.start_seconds, hole.start_seconds))
    if hole.end_seconds < zone.end_seconds:
        pieces.append(Span(hole.end_seconds, zone.end_seconds))
    return pieces
