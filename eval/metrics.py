"""From records to numbers: means with honest intervals, and the table of a comparison.

Pure: knows neither files nor videos. Episodes in which infrastructure failed or the policy raised
have no score; they are counted apart and never averaged in. Time and decoder work are left out of
the table, so that it is the same bytes wherever and however often it is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.record import Record

RESAMPLES = 2000
MIN_CLUSTERS = 10
"""Below this many clusters a bootstrap interval is not worth its brackets; none is given."""

Depth = int | str


@dataclass(frozen=True)
class Summary:
    """One entry of the table: a policy at a depth. Means are over scored episodes."""

    policy: str
    depth: Depth
    is_privileged: bool
    n_total: int
    """Episodes on record."""
    n_scored: int
    n_answered: int
    """Scored episodes that gave an answer or kept evidence."""
    n_infra_error: int
    n_error: int
    """Episodes in which the policy raised."""
    n_clusters: int
    """Groups of footage among the scored episodes."""
    mean_chance: float | None
    """Expected score of random guesses at the scored tasks."""
    mean_score: float | None
    interval: tuple[float, float] | None
    """95 % bootstrap interval of the mean, clustered by group; None for too few clusters."""
    mean_frames: float | None
    """Distinct frames shown per episode."""
    mean_steps: float | None
    mean_views: float | None
    mean_seconds: float | None
    """Wall-clock time per episode: telemetry, not in the table."""


def resampled_means(
    scores: NDArray[np.float64], groups: Sequence[str], *, resamples: int, seed: int
) -> NDArray[np.float64]:
    """Draw as many groups as there are, with replacement, and average all their scores; repeat.

    Returns:
        The mean of every resample, shape ``(resamples,)``.
    """
    _, membership = np.unique(np.asarray(groups, str), return_inverse=True)
    totals, counts = np.bincount(membership, scores), np.bincount(membership)
    drawn = np.random.default_rng(seed).integers(len(counts), size=(resamples, len(counts)))
    return totals[drawn].sum(axis=1) / counts[drawn].sum(axis=1)


def bootstrap_interval(
    scores: Sequence[float],
    groups: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float] | None:
    """Return the percentile bootstrap interval of the mean, clustered by group.

    Args:
        scores: One per episode.
        groups: The footage of each episode; episodes of one group are dependent.
        resamples: How often to draw.
        seed: Same seed, same interval.
        level: Share of the resampled means inside the interval.

    Returns:
        Its ends, or None for fewer than `MIN_CLUSTERS` groups.
    """
    if len(scores) != len(groups):
        raise ValueError(f"give a group per score, got {len(groups)} for {len(scores)} scores.")
    if len(set(groups)) < MIN_CLUSTERS:
        return None
    means = resampled_means(np.asarray(scores, float), groups, resamples=resamples, seed=seed)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def summarise(records: Iterable[Record]) -> Summary:
    """Return the summary of the records of one policy at one depth, in any order.

    Raises:
        ValueError: If there are none, or they are of several policies or depths.
    """
    records = sorted(records, key=lambda record: record.task_index)
    if len({(record.policy, record.depth) for record in records}) != 1:
        raise ValueError("a summary is of the records of one policy at one depth, at least one.")
    scored = [record for record in records if record.score is not None]
    scores, groups = [r.score for r in scored], [r.group for r in scored]
    return Summary(
        policy=records[0].policy,
        depth=records[0].depth,
        is_privileged=any(record.is_privileged for record in records),
        n_total=len(records),
        n_scored=len(scored),
        n_answered=sum(r.answer is not None or bool(r.evidence) for r in scored),
        n_infra_error=sum(bool(r.infra_error) for r in records),
        n_error=sum(bool(r.error) for r in records),
        n_clusters=len(set(groups)),
        mean_chance=_mean([r.chance for r in scored if r.chance is not None]),
        mean_score=_mean(scores),
        interval=bootstrap_interval(scores, groups),
        mean_frames=_mean([r.usage["frames"] for r in scored]),
        mean_steps=_mean([r.usage["steps"] for r in scored]),
        mean_views=_mean([r.usage["views"] for r in scored]),
        mean_seconds=_mean([r.seconds for r in scored]),
    )


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def summaries(
    records: Iterable[Record], *, policies: Sequence[str], depths: Sequence[Depth]
) -> dict[tuple[str, Depth], Summary]:
    """Return the summary of each policy at each depth that has records, in the order asked."""
    cells: dict[tuple[str, Depth], list[Record]] = {}
    for record in records:
        cells.setdefault((record.policy, record.depth), []).append(record)
    asked = [(policy, depth) for policy in policies for depth in depths]
    return {key: summarise(cells[key]) for key in asked if key in cells}


def table(
    records: Iterable[Record],
    *,
    policies: Sequence[str],
    depths: Sequence[Depth],
    episodes: int,
    title: str,
) -> str:
    """Return the comparison as Markdown: scores, what to know about them, counts and costs.

    Args:
        records: Records of one run, in any order.
        policies: The rows, in this order.
        depths: The columns, in this order.
        episodes: How many episodes each entry was to have; fewer are called incomplete.
        title: What was compared, one line.
    """
    cells = summaries(records, policies=policies, depths=depths)
    blocks = [
        f"# {title}",
        _scores(cells, policies, depths),
        *_remarks(cells, len(policies) * len(depths) * episodes, episodes),
        _counts(cells),
    ]
    return "\n\n".join(blocks) + "\n"


Cells = dict[tuple[str, Depth], Summary]


def _scores(cells: Cells, policies: Sequence[str], depths: Sequence[Depth]) -> str:
    privileged = {policy for (policy, _), cell in cells.items() if cell.is_privileged}
    rows = [
        [policy + r" \*" * (policy in privileged)]
        + [_entry(cells.get((policy, d))) for d in depths]
        for policy in policies
    ]
    return _grid(["policy", *(f"depth {depth}" for depth in depths)], rows)


def _entry(cell: Summary | None) -> str:
    if cell is None or cell.mean_score is None:
        return "-"
    interval = " [{:.2f}, {:.2f}]".format(*cell.interval) if cell.interval else ""
    return f"{cell.mean_score:.2f}{interval}, {cell.mean_frames:.1f} frames"


def _counts(cells: Cells) -> str:
    head = "policy,depth,n_total,n_scored,n_answered,n_infra_error,n_error,n_clusters"
    rows = [
        [str(getattr(cell, name)) for name in head.split(",")]
        + [_cost(cell.mean_frames), _cost(cell.mean_steps), _cost(cell.mean_views)]
        for cell in cells.values()
    ]
    return _grid([*head.split(","), "frames", "steps", "views"], rows)


def _cost(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _remarks(cells: Cells, num_asked: int, episodes: int) -> list[str]:
    """What a reader must know before comparing two entries, one paragraph each."""
    remarks = []
    done = sum(cell.n_total for cell in cells.values())
    if done < num_asked:
        remarks.append(
            f"**Incomplete: {done} of {num_asked} episodes.** Entries rest on those on record."
        )
    scored, clusters = _range(c.n_scored for c in cells.values()), _clusters(cells)
    remarks.append(
        f"Mean score in [0, 1], then mean distinct frames shown per episode. "
        f"n = {scored} scored of {episodes} episodes per entry, in {clusters} of footage. "
        f"{_about_intervals(cells)}".rstrip()
    )
    if any(chances := [c.mean_chance for c in cells.values() if c.mean_chance is not None]):
        remarks.append(f"Chance (a guess drawn at random): {_chance(chances)}.")
    failed = [sum(getattr(c, n) for c in cells.values()) for n in ("n_infra_error", "n_error")]
    if any(failed):
        remarks.append(
            f"Not averaged in: {failed[0]} episodes in which infrastructure failed and {failed[1]} "
            "in which the policy raised; entries that lost episodes rest on fewer tasks."
        )
    if any(cell.is_privileged for cell in cells.values()):
        remarks.append(r"\* Shown the truth (privileged): an upper bound, not a competitor.")
    return remarks + _about_budgets(cells)


def _chance(chances: Sequence[float]) -> str:
    return _range(float(f"{chance:.2g}") for chance in chances)


def _clusters(cells: Cells) -> str:
    numbers = _range(cell.n_clusters for cell in cells.values())
    return f"{numbers} cluster{'' if numbers == '1' else 's'}"


def _about_intervals(cells: Cells) -> str:
    intervals = [cell.interval for cell in cells.values()]
    remarks = []
    if any(intervals):
        remarks.append(f"Brackets: 95 % bootstrap interval over clusters, {RESAMPLES} resamples.")
    if any(interval and interval[0] == interval[1] for interval in intervals):
        remarks.append("One of no width means that all scores were equal, not that it is certain.")
    if not all(intervals):
        remarks.append(f"No interval is given for fewer than {MIN_CLUSTERS} clusters.")
    return " ".join(remarks)


def _about_budgets(cells: Cells) -> list[str]:
    """Say where policies of one column spent different amounts."""
    differences = []
    for depth in dict.fromkeys(depth for _, depth in cells):
        column = [c for (_, d), c in cells.items() if d == depth and c.mean_frames is not None]
        frames = _range(round(c.mean_frames, 1) for c in column)
        steps = _range(round(c.mean_steps, 1) for c in column)
        if " to " in frames + steps:
            differences.append(f"depth {depth}: {frames} frames, {steps} steps")
    if not differences:
        return []
    return [
        f"Budgets differ between policies ({'; '.join(differences)}): scores of a column are not "
        "at equal cost. Equal limits are set with --frames and --max-steps."
    ]


def _range(numbers: Iterable[float]) -> str:
    numbers = list(numbers) or [0]
    low, high = min(numbers), max(numbers)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
