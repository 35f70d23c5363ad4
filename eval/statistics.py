"""How far a mean can be trusted: intervals that respect clusters, and differences between policies.

Pure arithmetic on scores in [0, 1] and names of groups; knows no records. Episodes of one group
(the same footage) are dependent, so groups are what is drawn, never single episodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
MIN_CLUSTERS = 10
"""Below this many clusters an interval is not worth its brackets; none is given."""
LEVEL = 0.95

_CHUNK = 2_000_000
"""Draws that are held in memory at once: 16 MB."""


@dataclass(frozen=True)
class Interval:
    """Where the mean lies with a probability of `LEVEL`."""

    low: float
    high: float
    is_exact: bool = False
    """Whether it is a bound for scores that were all equal, not a bootstrap."""


@dataclass(frozen=True)
class Difference:
    """How much better one policy scores than another on the tasks that both have a score for."""

    mean: float
    interval: Interval | None
    n: int
    """Tasks that both have a score for."""
    n_clusters: int


def resampled_means(
    scores: NDArray[np.float64], groups: Sequence[str], *, resamples: int, seed: int
) -> NDArray[np.float64]:
    """Draw as many groups as there are, with replacement, and average all their scores; repeat.

    Costs ``resamples`` times the number of groups in time, and a fixed amount of memory.

    Returns:
        The mean of every resample, shape ``(resamples,)``.
    """
    totals, counts = _by_group(scores, groups)
    random = np.random.default_rng(seed)
    rows = max(1, _CHUNK // len(counts))
    means = []
    for first in range(0, resamples, rows):
        drawn = random.integers(len(counts), size=(min(rows, resamples - first), len(counts)))
        means.append(totals[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    return np.concatenate(means)


def bootstrap_interval(
    scores: Sequence[float],
    groups: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> tuple[float, float] | None:
    """Return the percentile bootstrap interval of the mean, clustered by group.

    Args:
        scores: One per episode.
        groups: The footage of each episode; episodes of one group are dependent.
        resamples: How often to draw.
        seed: Same seed, same interval.
        level: Share of the resampled means inside the interval.

    Returns:
        Its ends, or None for fewer than `MIN_CLUSTERS` groups. They are equal where all groups have
        one mean: then it says nothing of how certain that mean is (see `mean_interval`).

    Raises:
        ValueError: If there is not a group for each score.
    """
    if len(scores) != len(groups):
        raise ValueError(f"give a group per score, got {len(groups)} for {len(scores)} scores.")
    if len(set(groups)) < MIN_CLUSTERS:
        return None
    means = resampled_means(np.asarray(scores, float), groups, resamples=resamples, seed=seed)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def constant_bound(value: float, num_clusters: int, *, level: float = LEVEL) -> Interval | None:
    """Return the exact bound of a mean whose scores were all `value`, taking clusters as trials.

    After Clopper and Pearson: had more than ``1 - (alpha / 2) ** (1 / n)`` of all clusters a score
    above 0, then n clusters without one would be rarer than ``alpha / 2``; and likewise for 1.
    Counting a cluster once, however many episodes it has, makes it wide rather than narrow.

    Returns:
        The bound, or None for other values than 0 and 1, about which nothing is known.
    """
    width = 1 - ((1 - level) / 2) ** (1 / num_clusters)
    if value == 0:
        return Interval(0.0, width, is_exact=True)
    return Interval(1 - width, 1.0, is_exact=True) if value == 1 else None


def mean_interval(scores: Sequence[float], groups: Sequence[str]) -> Interval | None:
    """Return the interval of the mean of scores in [0, 1].

    Returns:
        The clustered bootstrap interval; where resampling gives it no width, the exact bound if
        all scores are 0 or all are 1, else None; None for fewer than `MIN_CLUSTERS` groups.
    """
    if (ends := bootstrap_interval(scores, groups)) is None:
        return None
    if ends[1] - ends[0] > 1e-12:
        return Interval(*ends)
    is_constant = min(scores) == max(scores)
    return constant_bound(scores[0], len(set(groups))) if is_constant else None


def paired_difference(
    ours: Mapping[int, float], theirs: Mapping[int, float], groups: Mapping[int, str]
) -> Difference | None:
    """Return how much better we score than they do, task by task.

    Pairing takes out how hard each task is, so the interval is narrower than those of the two means
    suggest. Where all differences are equal there is no interval.

    Args:
        ours: Score by task index; others than those in `theirs` are left out.
        theirs: The same of the reference.
        groups: Footage by task index.

    Returns:
        None where no task has both scores.
    """
    if not (shared := sorted(ours.keys() & theirs.keys())):
        return None
    differences = [ours[index] - theirs[index] for index in shared]
    names = [groups[index] for index in shared]
    ends = bootstrap_interval(differences, names)
    has_width = ends is not None and ends[1] - ends[0] > 1e-12
    return Difference(
        mean=float(np.mean(differences)),
        interval=Interval(*ends) if has_width else None,
        n=len(shared),
        n_clusters=len(set(names)),
    )


def _by_group(
    scores: NDArray[np.float64], groups: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Sum of scores and number of scores of each group, groups in alphabetical order."""
    _, membership = np.unique(np.asarray(groups, str), return_inverse=True)
    return np.bincount(membership, scores), np.bincount(membership)
