"""Costs of searches by the length of the video: from records to mean curves and fits."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from eval.fits import Fit, fit_duration
from eval.record import Record
from videoatlas_gym.errors import shown
from videoatlas_gym.span import Span
from videoatlas_gym.story.needles import NEEDLES

TASK_SET = re.compile(rf"({'|'.join(NEEDLES)})-K([1-9][0-9]?)-([0-9]{{1,12}}(?:[.][0-9]{{1,9}})?)s")
"""Names of the task sets of a measurement: kind of needle, K, length of the video."""
LARGEST_GRID = 64
SHORTEST_CELL_SECONDS = 1e-6
"""Far shorter than a frame: cells of this length would show any moment that exists."""


@dataclass(frozen=True)
class Curve:
    """Mean costs of one policy at one kind of needle and one K, by length of video."""

    needle: str
    grid_size: int
    policy: str
    is_privileged: bool
    """Whether the policy was shown the truth."""
    seconds: tuple[float, ...]
    """Lengths of video, ascending."""
    expands: tuple[float, ...]
    minimal: tuple[float, ...]
    """Expands that reach the needle at best."""
    missed: tuple[int, ...]
    """Searches that did not find the needle."""
    num_exact: int
    """Searches that found the needle with exactly the minimal number of Expands."""
    num_found: int
    num_searches: int
    views: tuple[float, ...]
    """Different grids opened, the first one included."""
    frames: tuple[float, ...]
    """Distinct frames shown."""
    decoded: tuple[float, ...]
    """Frames drawn by the source: depends on what other policies left in the cache."""
    wall: tuple[float, ...]
    """Seconds of wall-clock time: depends on that too."""

    @property
    def fits(self) -> tuple[Fit, Fit] | None:
        """The opened views against the logarithm of the length, and against the length.

        None where there are fewer than three lengths.
        """
        return fit_duration(self.seconds, self.views)


def minimal_expands(truth: Sequence[Span], duration_seconds: float, grid_size: int) -> int:
    """Return the depth of the first view with a cell whose midpoint lies in the truth.

    Raises:
        ValueError: If no view has one, because the truth is no time of the video.
    """
    depth = 0
    while (width := duration_seconds / grid_size ** (2 * depth + 2)) >= SHORTEST_CELL_SECONDS:
        for span in truth:
            index = max(0, math.ceil(span.start_seconds / width - 0.5 - 1e-9))
            if (index + 0.5) * width < min(span.end_seconds, duration_seconds):
                return depth
        depth += 1
    raise ValueError(
        f"the truth must be time within the video's {duration_seconds:g} s, got "
        f"{shown([[span.start_seconds, span.end_seconds] for span in truth])}"
    )


class _Search(NamedTuple):
    """What a record says of a search; fields as in `Curve`."""

    is_found: bool
    is_privileged: bool
    expands: float
    minimal: float
    views: float
    frames: float
    decoded: float
    wall: float


def curves(records: Sequence[Record]) -> list[Curve]:
    """Return the curves of a measurement, in the order in which they appear in the records.

    Searches without a score failed: they are left out.

    Raises:
        ValueError: If a record is none of a search; names the record and what is wrong.
    """
    found: dict[tuple[str, int, str], dict[float, list[_Search]]] = {}
    for record in records:
        needle, grid_size, length = _task_set(record)
        if record.score is None:
            continue
        by_length = found.setdefault((needle, grid_size, record.policy), {})
        by_length.setdefault(length, []).append(_search(record, grid_size))
    return [_curve(*key, by_length) for key, by_length in found.items()]


def _task_set(record: Record) -> tuple[str, int, float]:
    """Return needle, K and the length that was asked for: videos have whole frames of it."""
    match = TASK_SET.fullmatch(record.task_set)
    if not match or not 2 <= int(match[2]) <= LARGEST_GRID or not float(match[3]):
        raise ValueError(
            f"task set {shown(record.task_set)} is none of a measurement of scaling; they are "
            f"named like 'visible-K8-3600s', with K from 2 to {LARGEST_GRID}"
        )
    return match[1], int(match[2]), float(match[3])


def _search(record: Record, grid_size: int) -> _Search:
    where = f"task {record.task_index} of {record.task_set} by {shown(record.policy)}"
    if record.duration_seconds <= 0:
        raise ValueError(f"{where} has a score and no video, which lasts 0 s")
    try:
        truth = [Span(*ends) for ends in record.truth]
        minimal = minimal_expands(truth, record.duration_seconds, grid_size)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    return _Search(
        is_found=record.score == 1,
        is_privileged=record.is_privileged,
        expands=record.actions.get("EXPAND", 0),
        minimal=minimal,
        views=sum(record.looked) / grid_size**2,
        frames=record.usage["frames"],
        decoded=record.cache["frames_decoded"],
        wall=record.timing["seconds"],
    )


def _curve(
    needle: str, grid_size: int, policy: str, by_length: dict[float, list[_Search]]
) -> Curve:
    lengths = sorted(by_length)
    groups = [by_length[length] for length in lengths]
    searches = [search for group in groups for search in group]

    def means(name: str) -> tuple[float, ...]:
        return tuple(float(np.mean([getattr(s, name) for s in group])) for group in groups)

    return Curve(
        needle,
        grid_size,
        policy,
        is_privileged=any(search.is_privileged for search in searches),
        seconds=tuple(lengths),
        expands=means("expands"),
        minimal=means("minimal"),
        missed=tuple(sum(not search.is_found for search in group) for group in groups),
        num_exact=sum(s.is_found and s.expands == s.minimal for s in searches),
        num_found=sum(search.is_found for search in searches),
        num_searches=len(searches),
        views=means("views"),
        frames=means("frames"),
        decoded=means("decoded"),
        wall=means("wall"),
    )
