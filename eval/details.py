"""The further tables of a report: question families, evidence, costs, paired differences.

Pure, like the main tables: from records to Markdown. One table per task set and budget; rows are
policies, at each depth where depths are no columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from eval.markdown import escape, grid
from eval.metrics import (
    RECALL_IOUS,
    SUCCESS_IOU,
    Cell,
    Summary,
    by_family,
    difference,
    summarise,
)
from eval.record import Record
from eval.statistics import Difference
from eval.tables import Axes, Cells, about_intervals, amount, bracket, label, page_name, signed

Found = Mapping[Cell, Sequence[Record]]
"""The records of each cell."""
Column = Callable[[Summary], float | None]

EVIDENCE: dict[str, tuple[Column, str]] = {
    "accuracy": (lambda s: s.accuracy, ".2f"),
    "success": (lambda s: s.success, ".2f"),
    "tIoU": (lambda s: s.tiou, ".2f"),
    **{
        f"R@1 {iou}": (lambda s, i=i: None if s.recall_at is None else s.recall_at[i], ".2f")
        for i, iou in enumerate(RECALL_IOUS)
    },
    "recall": (lambda s: s.evidence_recall, ".2f"),
    "precision": (lambda s: s.evidence_precision, ".2f"),
    "first step": (lambda s: s.first_step, ".1f"),
    "explored": (lambda s: s.coverage_explored, ".3f"),
    "dead": (lambda s: s.coverage_dead, ".3f"),
}
COSTS: dict[str, tuple[Column, str]] = {
    **{
        name.replace("_", " "): (lambda s, name=name: s.usage.get(name), ".1f")
        for name in ("steps", "frames", "views", "model_calls", "tokens", "cached_tokens")
    },
    "decoded (telemetry)": (lambda s: s.frames_decoded, ".1f"),
    "seconds (telemetry)": (lambda s: s.seconds, ".2f"),
}
EVIDENCE_REMARKS = f"""\
Means over scored episodes for which a measure is defined; a column that none defines is left out.
accuracy: score of the questions that are answered. success: a score of 1, in grounding of at least
{SUCCESS_IOU:g}. tIoU: grounding, intersection over union of all evidence spans with the truth.
R@1: of tasks whose answer is evidence, whether the span of the most confident item (the newest of
equals) has at least that IoU with a truth span; in a frame search it tells how tightly the span
fits, not whether the moment is right. recall: share of the spans that must be seen of which a kept
moment shows something (where any moment of the truth will do: whether one was kept). precision:
share of kept items whose moment lies in the truth, over episodes that kept something. first step:
when the first of them was kept, over episodes that kept one. explored: share of the video inside
opened cells; dead: share that was ruled out."""
COST_REMARKS = """\
Means over scored episodes. Frames are distinct frames shown, which is the least that had to be
decoded. What was decoded and how long it took is telemetry: it depends on the machine, on what its
caches held and on what else it did."""


def families(found: Found, cells: Cells, axes: Axes) -> list[str]:
    """Return the scores of each family of questions; [] where there is one family only."""
    blocks, intervals = [], []
    for task_set, budget in axes.pages:
        parts = {
            (family, policy, depth): summarise(records)
            for policy, depth, key in _keys(axes, task_set, budget)
            for family, records in by_family(found.get(key, ())).items()
        }
        names = sorted({family for family, _, _ in parts})
        if len(names) < 2:
            continue
        rows = []
        for family in names:
            for policy in axes.policies:
                row = [parts.get((family, policy, depth)) for depth in axes.depths]
                if known := [part for part in row if part is not None]:
                    intervals += [part.interval for part in known if part.n_scored]
                    chance = next((p.mean_chance for p in known if p.mean_chance is not None), None)
                    clusters = max(part.n_clusters for part in known)
                    rows.append(
                        [escape(family) or "-", label(policy, cells), amount(chance, ".2g")]
                        + [str(max(part.n_scored for part in known)), str(clusters)]
                        + [_score(part) for part in row]
                    )
        depths = [f"depth {escape(depth)}" for depth in axes.depths]
        head = ["family", "policy", "chance", "n", "clusters", *depths]
        blocks += [f"**{page_name(task_set, budget)}**", grid(head, rows)]
    return blocks + [about_intervals(intervals)] * bool(blocks and about_intervals(intervals))


def _score(part: Summary | None) -> str:
    if part is None or part.mean_score is None:
        return "-"
    return f"{part.mean_score:.2f}{bracket(part.interval)}"


def evidence(cells: Cells, axes: Axes) -> list[str]:
    """Return how well what was kept fits the truth, and how much of the video was gone through."""
    return [*_columns(cells, axes, EVIDENCE), EVIDENCE_REMARKS]


def costs(cells: Cells, axes: Axes) -> list[str]:
    """Return what episodes spent; models' columns are left out where no model was called."""
    used = {
        name: column
        for name, column in COSTS.items()
        if name not in ("model calls", "tokens", "cached tokens")
        or any(column[0](cell) for cell in cells.values())
    }
    return [*_columns(cells, axes, used), COST_REMARKS]


def _columns(cells: Cells, axes: Axes, columns: Mapping[str, tuple[Column, str]]) -> Iterator[str]:
    """Yield a table per task set and budget, without the columns that nothing there defines."""
    for task_set, budget in axes.pages:
        keys = [entry for entry in _keys(axes, task_set, budget) if entry[2] in cells]
        shown = {
            name: column
            for name, column in columns.items()
            if any(column[0](cells[key]) is not None for _, _, key in keys)
        }
        rows = [
            [label(policy, cells), escape(depth)]
            + [amount(value(cells[key]), form) for value, form in shown.values()]
            for policy, depth, key in keys
        ]
        if rows:
            yield f"**{page_name(task_set, budget)}**"
            yield grid(["policy", "depth", *shown], rows)


def differences(found: Found, cells: Cells, axes: Axes) -> list[str]:
    """Return scores less those of a reference, task by task, at equal depth and budget.

    The reference is the first policy asked for that is not shown the truth. [] where nothing is
    left to compare with it.
    """
    shown_truth = {policy for (_, policy, _, _), cell in cells.items() if cell.is_privileged}
    candidates = [policy for policy in axes.policies if policy not in shown_truth]
    if not candidates or len(axes.policies) < 2:
        return []
    reference, blocks = candidates[0], []
    for task_set, budget in axes.pages:
        rows = []
        for policy in axes.policies:
            row = [
                difference(
                    found.get((task_set, policy, depth, budget), ()),
                    found.get((task_set, reference, depth, budget), ()),
                )
                for depth in axes.depths
            ]
            if policy != reference and any(row):
                rows.append([label(policy, cells), *map(_difference, row)])
        if rows:
            head = ["policy", *(f"depth {escape(depth)}" for depth in axes.depths)]
            blocks += [f"**{page_name(task_set, budget)}**", grid(head, rows)]
    if not blocks:
        return []
    return [
        *blocks,
        f"Mean score less that of {label(reference, cells)} (the first policy that is not shown "
        "the truth) on the same tasks, with the 95 % bootstrap interval of the paired differences "
        "over clusters where there are enough of them and they differ. An interval that holds 0 "
        "shows nothing either way; of many intervals some miss the truth by chance.",
    ]


def _difference(found: Difference | None) -> str:
    if found is None:
        return "-"
    return f"{signed(found.mean, '+.2f')}{bracket(found.interval, '+')} (n = {found.n})"


def _keys(axes: Axes, task_set: str, budget: str) -> Iterator[tuple[str, int | str, Cell]]:
    for policy in axes.policies:
        for depth in axes.depths:
            yield policy, depth, (task_set, policy, depth, budget)
