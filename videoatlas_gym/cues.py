"""What is said when: cues with times, and their text over a span.

Knows no file, no format and no video. Cues are immutable, sorted by start, may overlap, and each is
on display for some time (start < end). Times are seconds from the first displayed frame.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any


class SubtitleError(ValueError):
    """Subtitles cannot be read; the message says which, why, and what to do next."""


@dataclass(frozen=True)
class Cue:
    """One subtitle, on display during ``[start_seconds, end_seconds)``; `text` may have lines."""

    start_seconds: float
    end_seconds: float
    text: str

    def __post_init__(self) -> None:
        if not -math.inf < self.start_seconds < self.end_seconds < math.inf:
            raise SubtitleError(
                f"a cue must end after it starts, got [{self.start_seconds}, {self.end_seconds}) "
                f"seconds for {self.text!r}."
            )


def _start(cue: Cue) -> float:
    return cue.start_seconds


@dataclass(frozen=True)
class Subtitles:
    """An immutable track of cues, sorted by start (stable); equal when the cues are equal."""

    cues: tuple[Cue, ...] = ()
    _starts: list[float] = field(init=False, repr=False, compare=False)
    _reach: list[float] = field(init=False, repr=False, compare=False)  # latest end up to each cue

    def __post_init__(self) -> None:
        object.__setattr__(self, "cues", tuple(sorted(self.cues, key=_start)))
        object.__setattr__(self, "_starts", [cue.start_seconds for cue in self.cues])
        ends = (cue.end_seconds for cue in self.cues)
        object.__setattr__(self, "_reach", list(accumulate(ends, max)))

    def __len__(self) -> int:
        return len(self.cues)

    def __iter__(self) -> Iterator[Cue]:
        return iter(self.cues)

    def __repr__(self) -> str:
        if not self.cues:
            return "Subtitles()"
        return f"Subtitles({len(self)} cues, {self._starts[0]:g} s to {self._reach[-1]:g} s)"

    def between(self, start_seconds: float, end_seconds: float) -> tuple[Cue, ...]:
        """Return the cues on display at some moment of ``(start, end)``, in order, by bisection."""
        within = self._within(start_seconds, end_seconds)
        return tuple(cue for cue in self.cues[within] if cue.end_seconds > start_seconds)

    def _within(self, start_seconds: float, end_seconds: float) -> slice:
        """Where the cues of ``(start, end)`` are, besides some that are over by `start`."""
        first = bisect_right(self._reach, start_seconds)  # every earlier cue is over by then
        return slice(first, bisect_left(self._starts, end_seconds))

    @cached_property
    def _lines(self) -> list[tuple[float, str]]:
        """When each cue ends, and its text as one line."""
        return [(cue.end_seconds, " ".join(cue.text.split())) for cue in self.cues]

    def text(
        self,
        start_seconds: float,
        end_seconds: float,
        *,
        max_lines: int = 3,
        max_characters: int = 120,
    ) -> str:
        """Return what is said during a span as one short line (VideoAtlas).

        Each cue is one line; a line that repeats the one before it exactly is dropped. Up to
        `max_lines` lines are joined by `` | ``; of more, evenly spread ones from the first to the
        last stand for all (first | middle | last). Cut to `max_characters`, it ends in an ellipsis.
        """
        within = self._lines[self._within(start_seconds, end_seconds)]
        lines = [line for end, line in within if end > start_seconds]
        lines = lines[:1] + [line for before, line in pairwise(lines) if line != before]
        joined = " | ".join(_spread(lines, max_lines))
        if len(joined) <= max_characters:
            return joined
        return joined[: max(max_characters - 1, 0)].rstrip() + "…"

    def shifted(self, seconds: float) -> Subtitles:
        """Return the cues moved by `seconds`; negative values move them earlier."""
        return self._mapped(1.0, seconds)

    def scaled(self, factor: float) -> Subtitles:
        """Return the cues with all times multiplied by `factor` (> 0)."""
        if not 0 < factor < math.inf:
            raise ValueError(f"factor must be positive and finite, got {factor}.")
        return self._mapped(factor, 0.0)

    def clipped(self, start_seconds: float, end_seconds: float) -> Subtitles:
        """Return the cues of a span, each cut to it; nothing is moved."""
        cues = self.between(start_seconds, end_seconds)
        spans = [
            (max(c.start_seconds, start_seconds), min(c.end_seconds, end_seconds)) for c in cues
        ]
        return Subtitles(tuple(Cue(*span, c.text) for span, c in zip(spans, cues, strict=True)))

    def joined(self, *others: Subtitles) -> Subtitles:
        """Return one track with the cues of this and the others."""
        return Subtitles(tuple(cue for track in (self, *others) for cue in track.cues))

    def to_json(self) -> list[dict[str, Any]]:
        """Return plain JSON data from which `from_json` makes an equal track."""
        return [{"start": c.start_seconds, "end": c.end_seconds, "text": c.text} for c in self.cues]

    @classmethod
    def from_json(cls, data: list[dict[str, Any]]) -> Subtitles:
        """Read what `to_json` wrote, exactly; for other people's lists see `resolve_subtitles`."""
        return cls(tuple(Cue(item["start"], item["end"], item["text"]) for item in data))

    def _mapped(self, factor: float, offset: float) -> Subtitles:
        def moved(seconds: float) -> float:
            return seconds * factor + offset

        cues = ((moved(c.start_seconds), moved(c.end_seconds), c.text) for c in self.cues)
        # Far from zero a very short cue can round to nothing; then it is gone.
        return Subtitles(tuple(Cue(*cue) for cue in cues if cue[0] < cue[1]))


def _spread(lines: list[str], count: int) -> list[str]:
    """At most `count` of the lines: the first, the last, and evenly between them."""
    if len(lines) <= count:
        return lines
    if count == 1:
        return [lines[len(lines) // 2]]
    return [lines[min(i * len(lines) // (count - 1), len(lines) - 1)] for i in range(count)]
