"""From records to numbers: what an episode achieved, and the means over the episodes of a cell.

Pure: knows neither files nor videos. A cell of a comparison is one policy on one task set at one
depth under one budget. Episodes in which infrastructure failed or the policy raised have no score;
they are counted apart and never averaged in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eval.record import Record
from eval.statistics import Difference, Interval, mean_interval, paired_difference
from videoatlas_gym.memory import DeadZones
from videoatlas_gym.span import Span
from videoatlas_gym.tasks import temporal_iou

Depth = int | str
Cell = tuple[str, str, Depth, str]
"""(task set, policy, depth, budget)"""

QUESTIONS = ("multiple_choice", "open_question")
"""Kinds of tasks that are answered; in all others the evidence is the answer."""
GROUNDING = "temporal_grounding"
RECALL_IOUS = (0.3, 0.5, 0.7)
SUCCESS_IOU = 0.5


@dataclass(frozen=True)
class Measures:
    """What a scored episode achieved. None where the question makes no sense for it."""

    accuracy: float | None
    """The score, of questions that are answered."""
    success: float
    """1 for a score of 1; in grounding, for one of at least `SUCCESS_IOU`."""
    tiou: float | None
    """Grounding: intersection over union of all evidence spans with the truth."""
    recall_at: tuple[float, ...] | None
    """Tasks that are answered by evidence: for each of `RECALL_IOUS`, whether the span of the most
    confident item (the newest of equals) has that intersection over union with a truth span. In a
    frame search it tells how tightly the span fits; whether the moment is right is the score."""
    evidence_recall: float | None
    """Share of the spans that are needed of which a kept moment shows something. Where any moment
    of the truth will do, 1 or 0; None without a truth."""
    evidence_precision: float | None
    """Share of the kept items whose moment lies in the truth; None where nothing was kept."""
    first_step: float | None
    """Earliest step at which a moment of the truth was kept (finds that were merged to an item
    carry the step of the most confident one); None where none was."""


def measure(record: Record) -> Measures:
    """Return what an episode achieved, from its record alone."""
    items, truth = record.evidence, [tuple(span) for span in record.truth]
    right = [item for item in items if _holds(truth, item["seconds"])]
    is_grounding = record.kind == GROUNDING
    spans = DeadZones().add(*(Span(*item["span"]) for item in items)).spans if is_grounding else ()
    return Measures(
        accuracy=record.score if record.kind in QUESTIONS else None,
        success=float(record.score >= (SUCCESS_IOU if is_grounding else 1)),
        tiou=temporal_iou(spans, tuple(Span(*s) for s in truth)) if is_grounding else None,
        recall_at=None if record.kind in QUESTIONS or not truth else _recall_at(items, truth),
        evidence_recall=_evidence_recall(record, bool(right)) if truth else None,
        evidence_precision=len(right) / len(items) if items and truth else None,
        first_step=min((item["step"] for item in right), default=None),
    )


def _holds(spans: Iterable[Sequence[float]], seconds: float) -> bool:
    return any(start <= seconds < end for start, end in spans)


def _evidence_recall(record: Record, is_any_right: bool) -> float:
    if not record.needs:
        return float(is_any_right)
    moments = [item["seconds"] for item in record.evidence]
    return float(np.mean([any(a <= m < b for m in moments) for a, b in record.needs]))


def _recall_at(items: list[dict], truth: list[tuple[float, ...]]) -> tuple[float, ...]:
    if not items:
        return (0.0,) * len(RECALL_IOUS)
    best = min(items, key=lambda i: (-i["confidence"], -i["step"], i["seconds"]))
    overlap = max(_iou(best["span"], span) for span in truth)
    return tuple(float(overlap >= threshold) for threshold in RECALL_IOUS)


def _iou(one: Sequence[float], other: Sequence[float]) -> float:
    shared = max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
    union = one[1] - one[0] + other[1] - other[0] - shared
    return shared / union if union > 0 else 0.0


@dataclass(frozen=True)
class Summary:
    """One entry of a table: a cell, or one family of questions in it.

    Means are over scored episodes, and over those of them for which the measure is defined; None
    where there are none.
    """

    task_set: str
    policy: str
    depth: Depth
    budget: str
    is_privileged: bool
    reads_truth: bool
    n_total: int
    """Episodes on record."""
    n_scored: int
    n_answered: int
    """Scored episodes that gave an answer; of tasks answered by evidence, that kept some."""
    n_infra_error: int
    n_error: int
    """Episodes in which the policy raised."""
    n_clusters: int
    """Groups of footage among the scored episodes."""
    steps: tuple[int, ...]
    """Steps of each scored episode."""
    finest_seconds: float
    """Length of the finest cells that any episode saw."""
    n_chance: int
    """Scored episodes of tasks for which chance is defined."""
    mean_chance: float | None
    """Expected score of random guesses at them."""
    mean_score: float | None
    interval: Interval | None
    """Of the mean score; see `eval.statistics.mean_interval`."""
    accuracy: float | None
    success: float | None
    tiou: float | None
    recall_at: tuple[float, ...] | None
    """For each of `RECALL_IOUS`."""
    evidence_recall: float | None
    evidence_precision: float | None
    first_step: float | None
    coverage_explored: float | None
    coverage_dead: float | None
    usage: dict[str, float]
    """Mean amounts by name: those of `Usage`, and "tokens" for input and output together."""
    frames_decoded: float | None
    """Telemetry: depends on what caches held."""
    seconds: float | None
    """Telemetry: wall-clock time per episode."""

    @property
    def mean_frames(self) -> float | None:
        """Distinct frames shown per episode."""
        return self.usage.get("frames")


def summarise(records: Iterable[Record]) -> Summary:
    """Return the summary of the records of one cell, in any order.

    Raises:
        ValueError: If there are none, or they are of several cells.
    """
    records = sorted(records, key=lambda record: record.task_index)
    if len({record.key[:4] for record in records}) != 1:
        raise ValueError(
            "a summary is of the records of one policy on one task set at one depth under one "
            "budget, at least one."
        )
    task_set, policy, depth, budget, _ = records[0].key
    scored = [record for record in records if record.score is not None]
    scores, groups = [r.score for r in scored], [r.group for r in scored]
    measures = [measure(record) for record in scored]

    def mean_of(name: str) -> Any:
        return _mean(vars(m)[name] for m in measures)

    return Summary(
        task_set=task_set,
        policy=policy,
        depth=depth,
        budget=budget,
        is_privileged=any(record.is_privileged for record in records),
        reads_truth=any(record.reads_truth for record in records),
        n_total=len(records),
        n_scored=len(scored),
        n_answered=sum(_is_answered(record) for record in scored),
        n_infra_error=sum(bool(r.infra_error) for r in records),
        n_error=sum(bool(r.error) for r in records),
        n_clusters=len(set(groups)),
        steps=tuple(record.usage["steps"] for record in scored),
        finest_seconds=min((r.resolution_seconds for r in scored), default=0.0),
        n_chance=sum(r.chance is not None for r in scored),
        mean_chance=_mean(r.chance for r in scored),
        mean_score=_mean(scores),
        interval=mean_interval(scores, groups),
        accuracy=mean_of("accuracy"),
        success=mean_of("success"),
        tiou=mean_of("tiou"),
        recall_at=_mean_rows(m.recall_at for m in measures),
        evidence_recall=mean_of("evidence_recall"),
        evidence_precision=mean_of("evidence_precision"),
        first_step=mean_of("first_step"),
        coverage_explored=_mean(r.coverage_explored for r in scored),
        coverage_dead=_mean(r.coverage_dead for r in scored),
        usage=_mean_usage(scored),
        frames_decoded=_mean(r.cache["frames_decoded"] for r in scored),
        seconds=_mean(r.timing["seconds"] for r in scored),
    )


def _is_answered(record: Record) -> bool:
    return record.answer is not None if record.kind in QUESTIONS else bool(record.evidence)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _mean_rows(rows: Iterable[tuple[float, ...] | None]) -> tuple[float, ...] | None:
    known = [row for row in rows if row is not None]
    return tuple(np.mean(known, axis=0).tolist()) if known else None


def _mean_usage(scored: Sequence[Record]) -> dict[str, float]:
    if not scored:
        return {}
    names = list(scored[0].usage)
    means = np.mean([[record.usage[name] for name in names] for record in scored], axis=0)
    usage = dict(zip(names, means.tolist(), strict=True))
    return usage | {"tokens": usage["input_tokens"] + usage["output_tokens"]}


def cells_of(records: Iterable[Record]) -> dict[Cell, list[Record]]:
    """Return the records of each cell, by cell, in the order in which cells first appear."""
    return _grouped(records, lambda record: record.key[:4])


def by_family(records: Iterable[Record]) -> dict[str, list[Record]]:
    """Return records by the family of their question, families in alphabetical order."""
    return dict(sorted(_grouped(records, lambda record: record.family).items()))


def _grouped(records: Iterable[Record], key_of: Callable[[Record], Any]) -> dict[Any, list[Record]]:
    groups: dict[Any, list[Record]] = {}
    for record in records:
        groups.setdefault(key_of(record), []).append(record)
    return groups


def summaries(records: Iterable[Record]) -> dict[Cell, Summary]:
    """Return the summary of each cell that has records."""
    return {cell: summarise(found) for cell, found in cells_of(records).items()}


def difference(ours: Iterable[Record], reference: Iterable[Record]) -> Difference | None:
    """Return how much better one cell scores than another of the same task set, task by task.

    Returns:
        None where no task has a score in both.
    """
    reference = [record for record in reference if record.score is not None]
    return paired_difference(
        _scores(ours), _scores(reference), {r.task_index: r.group for r in reference}
    )


def _scores(records: Iterable[Record]) -> Mapping[int, float]:
    return {record.task_index: record.score for record in records if record.score is not None}
