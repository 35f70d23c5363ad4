"""Where parts lie on a timeline: moments of the timeline into moments of the sources, and back.

Knows no picture and opens no source: what it needs of them, its `Facts`, is given. Boundaries are
exact sums of the parts' lengths, rounded once; the rounded value is the boundary, half-open.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from videoatlas_gym.span import Span
from videoatlas_gym.video.part import Part, cropped_size

TOLERANCE_SECONDS = 1e-9
"""That of `VideoReader`, with which times are compared."""

_END_SLACK_SECONDS = 1e-6  # so much may a written-down end exceed the duration it was copied from
_LIFT_SECONDS = 5e-10  # undoes rounding; far below any frame length


def source_key(part: Part) -> str | int:
    """Return what makes two parts share a source: the same path, or the same object."""
    return part.source if isinstance(part.source, str) else id(part.source)


@dataclass(frozen=True)
class Facts:
    """What a source tells of itself."""

    duration_seconds: float
    native_size: tuple[int, int]
    frame_seconds: float


@dataclass(frozen=True)
class Layout:
    """Where the parts are: n + 1 boundaries on the timeline, n spans in the sources."""

    parts: tuple[Part, ...]
    bounds: list[float]
    locals: list[tuple[float, float]]
    facts: dict[str | int, Facts]

    @property
    def spans(self) -> tuple[Span, ...]:
        """The parts' spans on the timeline; they tile it."""
        return tuple(Span(*bounds) for bounds in pairwise(self.bounds))

    def largest_size(self) -> tuple[int, int]:
        """Return the (width, height) of the largest part by area after cropping."""
        sizes = (
            cropped_size(self.facts[source_key(part)].native_size, part.crop) for part in self.parts
        )
        return max(sizes, key=lambda size: size[0] * size[1])

    def median_frame_seconds(self) -> float:
        """Return the median of the parts' frame lengths, weighted by their durations."""
        lengths = sorted(
            (self.facts[source_key(part)].frame_seconds / part.speed, span.duration_seconds)
            for part, span in zip(self.parts, self.spans, strict=True)
        )
        weights = np.cumsum([weight for _, weight in lengths])
        return lengths[int(np.searchsorted(weights, weights[-1] / 2))][0]

    def check(self, seconds: float) -> None:
        """Raise a ValueError if a moment lies outside the timeline."""
        if not 0 <= seconds < self.bounds[-1]:
            raise ValueError(
                f"a moment must lie in [0, {self.bounds[-1]}) seconds, the length of the "
                f"timeline; got {seconds}."
            )

    def part_at(self, seconds: float) -> tuple[int, float]:
        """Return the index of the part on display, and the moment in seconds of its source."""
        self.check(seconds)
        index = bisect_right(self.bounds, seconds) - 1
        end = self.locals[index][1]
        return index, min(self.to_local(index, seconds), math.nextafter(end, -math.inf))

    def place(self, moment: float) -> tuple[int, float]:
        """Return the part on display, and the moment to ask its source for."""
        index, local = self.part_at(moment)
        start, end = self.locals[index]
        # Lifted, so that a rounded frame time finds its frame; but short of a frame at the end.
        return index, max(start, min(local + _LIFT_SECONDS, end - 2 * TOLERANCE_SECONDS))

    def to_local(self, index: int, seconds: float) -> float:
        """Return a moment of the timeline in seconds of a part's source, rounded once."""
        begin, start = self.bounds[index], self.locals[index][0]
        offset = (Fraction(seconds) - Fraction(begin)) * Fraction(self.parts[index].speed)
        return float(Fraction(start) + offset)

    def to_timeline(self, index: int, local: Any) -> Any:
        """Return seconds of a part's source (number or array) on the timeline, inside the part."""
        begin, start = self.bounds[index], self.locals[index][0]
        return np.maximum(begin + (local - start) / self.parts[index].speed, begin)


def lay_out(parts: Sequence[Part], facts: dict[str | int, Facts]) -> Layout:
    """Lay parts one after another.

    Raises:
        ValueError: If a part lies outside its source, or is too short to be shown.
    """
    exact, bounds, spans = Fraction(0), [0.0], []
    for index, part in enumerate(parts):
        duration = facts[source_key(part)].duration_seconds
        end = duration if part.end_seconds is None else part.end_seconds
        if not part.start_seconds < end <= duration + _END_SLACK_SECONDS:
            raise ValueError(
                f"part {index} shows [{part.start_seconds}, {end}) seconds of {part.source!r}, "
                f"which spans [0, {duration}) seconds. Shorten the part."
            )
        spans.append((part.start_seconds, min(end, duration)))
        used = Fraction(spans[-1][1]) - Fraction(part.start_seconds)
        exact += Fraction(float(used / Fraction(part.speed)))  # rounded, or denominators explode
        bounds.append(float(exact))
        if not bounds[-2] < bounds[-1]:
            raise ValueError(f"part {index} is too short to be shown. Leave it out.")
    return Layout(tuple(parts), bounds, spans, facts)
