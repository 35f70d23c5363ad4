"""Costs of searches by the length of the video: from records to mean curves and fits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from eval.fits import Fit, fit_duration
from eval.record import Record
from videoatlas_gym.span import Span


@dataclass(frozen=True)
class Curve:
    """Mean costs of one policy at one kind of needle and one K, by length of video."""

    needle: str
    grid_size: int
    policy: str
    is_privileged: bool
    seconds: tuple[float, ...]
    """Lengths of video, ascending."""
    expands: tuple[float, ...]
    minimal: tuple[float, ...]
    """Expands that reach the needle at best."""
    num_exact: int
    """Searches that took exactly the minimal number of Expands."""
    num_found: int
    num_searches: int
    views: tuple[float, ...]
    """Different grids opened, the first one included."""
    frames: tuple[float, ...]
    """Distinct frames shown."""
    decoded: tuple[float, ...]
    """Frames drawn by the source: depends on what other policies left in the cache."""
    wall: tuple[float, ...]
    """Seconds of wall-clock time."""

    @property
    def fits(self) -> tuple[Fit, Fit]:
        """The opened views against the logarithm of the length, and against the length."""
        return fit_duration(self.seconds, self.views)


def minimal_expands(truth: Sequence[Span], duration_seconds: float, grid_size: int) -> int:
    """Return the depth of the first view with a cell whose midpoint lies in the truth."""
    depth = 0
    while True:
        width = duration_seconds / grid_size ** (2 * (depth + 1))
        for span in truth:
            index = max(0, math.ceil(span.start_seconds / width - 0.5 - 1e-9))
            if (index + 0.5) * width < span.end_seconds:
                return depth
        depth += 1


def curves(records: Sequence[Record]) -> list[Curve]:
    """Return the curves of a measurement, in the order in which they appear in the records."""
    found: dict[tuple[str, int, str], dict[float, list[Record]]] = {}
    for record in records:
        if record.score is None:
            continue
        needle, grid_size, _ = record.task_set.split("-")
        by_length = found.setdefault((needle, int(grid_size[1:]), record.policy), {})
        by_length.setdefault(record.duration_seconds, []).append(record)
    return [_curve(*key, by_length) for key, by_length in found.items()]


def _curve(needle: str, grid_size: int, policy: str, by_length: dict[float, list[Record]]) -> Curve:
    lengths = sorted(by_length)
    groups = [by_length[length] for length in lengths]
    rows = [
        (record, record.actions.get("EXPAND", 0), _minimal(record, grid_size))
        for group in groups
        for record in group
    ]

    def means(value: Callable[[Record], float]) -> tuple[float, ...]:
        return tuple(float(np.mean([value(record) for record in group])) for group in groups)

    return Curve(
        needle,
        grid_size,
        policy,
        is_privileged=any(record.is_privileged for record, _, _ in rows),
        seconds=tuple(lengths),
        expands=means(lambda record: record.actions.get("EXPAND", 0)),
        minimal=means(lambda record: _minimal(record, grid_size)),
        num_exact=sum(taken == least for _, taken, least in rows),
        num_found=sum(record.score == 1 for record, _, _ in rows),
        num_searches=len(rows),
        views=means(lambda record: sum(record.looked) / grid_size**2),
        frames=means(lambda record: record.usage["frames"]),
        decoded=means(lambda record: record.cache["frames_decoded"]),
        wall=means(lambda record: record.timing["seconds"]),
    )


def _minimal(record: Record, grid_size: int) -> int:
    truth = [Span(*ends) for ends in record.truth]
    return minimal_expands(truth, record.duration_seconds, grid_size)
