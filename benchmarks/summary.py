"""From measurements to figures: medians over rounds, and ratios taken within a round.

Pure arithmetic. A ratio is of two measurements of one round, so what a busy hour does to both
cancels; the median is taken of the ratios.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Literal, NamedTuple

from benchmarks.methods import METHODS
from benchmarks.records import Measurement
from benchmarks.stages import OPEN, STAGES, VIEWS
from benchmarks.views import descent

Clock = Literal["cpu", "wall"]
FIRST_SHEET, DESCENT = "open + root", "descent"
SUMS = (FIRST_SHEET, DESCENT)
COLUMNS = (*STAGES, *SUMS)
BUSY_CORES = 0.25
"""From here on a time on the clock is flagged: others kept so many cores busy meanwhile."""
BASES: dict[Clock, tuple[str, ...]] = {"cpu": ("engine-1",), "wall": ("engine-2", "engine-1")}
"""What ratios are against: the first of these that was measured."""


class Row(NamedTuple):
    """One method on one video."""

    method: str
    costs: dict[Clock, dict[str, float | None]]
    """Median seconds by clock and column; None where nothing was measured."""
    ratios: dict[Clock, dict[str, float | None]]
    """Median ratio to the base by clock and column."""
    rss_bytes: float
    busy_cores: float
    wrong: int
    asked: int
    rounds: int
    errors: list[str]


class Table(NamedTuple):
    """One video."""

    video: str
    about: str
    duration_seconds: float
    file_bytes: int
    bases: dict[Clock, str | None]
    rows: list[Row]


def cost(measurement: Measurement, column: str, clock: Clock) -> float | None:
    """Return the seconds of a column, None where the method did not get so far."""
    parts: Sequence[str] = (column,)
    if column == FIRST_SHEET:
        parts = (OPEN, VIEWS[0])
    elif column == DESCENT:
        parts = descent(measurement.duration_seconds)
    stages = measurement.stages
    if any(part not in stages for part in parts):
        return None
    return sum(stages[part][clock] for part in parts)


def tables(measurements: Iterable[Measurement]) -> list[Table]:
    """Return a table per video, in the order in which they were first measured."""
    by_video: dict[str, list[Measurement]] = {}
    for measurement in measurements:
        by_video.setdefault(measurement.video, []).append(measurement)
    return [_table(video, found) for video, found in by_video.items()]


def _table(video: str, found: Sequence[Measurement]) -> Table:
    by_method: dict[str, dict[int, Measurement]] = {}
    for measurement in found:
        by_method.setdefault(measurement.method, {})[measurement.round] = measurement
    known = list(METHODS)
    order = sorted(by_method, key=lambda m: (known.index(m) if m in known else len(known), m))
    bases = {
        clock: next((name for name in names if name in by_method), None)
        for clock, names in BASES.items()
    }
    rows = [_row(method, by_method, bases) for method in order]
    one = found[0]
    return Table(video, one.about, one.duration_seconds, one.file_bytes, bases, rows)


def _row(
    method: str,
    by_method: Mapping[str, Mapping[int, Measurement]],
    bases: Mapping[Clock, str | None],
) -> Row:
    own = by_method[method]
    costs, ratios = {}, {}
    for clock in BASES:
        other = by_method.get(bases[clock], {})
        costs[clock] = {c: _middle([cost(m, c, clock) for m in own.values()]) for c in COLUMNS}
        ratios[clock] = {
            c: _middle([_ratio(own[r], other[r], c, clock) for r in own if r in other])
            for c in COLUMNS
        }
    stages = [stage for m in own.values() for stage in m.stages.values()]
    return Row(
        method,
        costs,
        ratios,
        rss_bytes=_middle([m.rss_bytes or None for m in own.values()]) or 0,
        busy_cores=median(m.busy_cores for m in own.values()),
        wrong=int(sum(stage.get("wrong", 0) for stage in stages)),
        asked=int(sum(stage.get("asked", 0) for stage in stages)),
        rounds=len(own),
        errors=list(dict.fromkeys(m.error for m in own.values() if m.error)),
    )


def _ratio(one: Measurement, base: Measurement, column: str, clock: Clock) -> float | None:
    spent, least = cost(one, column, clock), cost(base, column, clock)
    return spent / least if spent is not None and least else None


def _middle(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
