"""The pictures of a comparison, from records alone: scores, costs, and where policies looked.

Says what is drawn; `eval.drawing` says how. Needs matplotlib, which nothing else in the package
does. A policy has one colour and marker in all pictures of a report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from eval.drawing import (
    Curves,
    Look,
    Point,
    choose_looks,
    cost_axis,
    draw_lines,
    draw_strips,
    duration_axis,
    new_figure,
    number_axis,
    to_png,
)
from eval.metrics import Cell, Depth, Summary
from eval.record import Record
from eval.tables import NO_LIMIT, Axes, Cells

STRIPS = 3
"""Tasks of each set for which it is drawn where policies looked."""
COSTS: dict[str, tuple[Callable[[Summary], float | None], Callable[[Record], float]]] = {
    "frames shown per episode": (lambda s: s.mean_frames, lambda r: r.usage["frames"]),
    "seconds per episode (telemetry)": (lambda s: s.seconds, lambda r: r.timing["seconds"]),
}
"""What the two panels of a picture of costs show: of a summary, and of a record."""


class Plot(NamedTuple):
    """A picture and what it shows."""

    name: str
    """File name, without folder."""
    section: str
    """"score", "cost" or "looked"."""
    alt: str
    """What it shows, in words."""
    png: bytes


def draw(found: Mapping[Cell, Sequence[Record]], cells: Cells, axes: Axes) -> Iterator[Plot]:
    """Draw all that the records allow, one picture after another; none that would be empty.

    Args:
        found: The records of each cell.
        cells: The summary of each cell.
        axes: What was asked for.

    Raises:
        ImportError: If matplotlib is missing, saying how to install it.
    """
    try:
        import matplotlib.style
    except ImportError as error:
        raise ImportError('plots need matplotlib: pip install "videoatlas-gym[report]".') from error
    privileged = {policy for (_, policy, _, _), cell in cells.items() if cell.is_privileged}
    looks = choose_looks(axes.policies, dashed=privileged)
    with matplotlib.style.context("default"):  # whatever the user's own settings are
        for number, page in enumerate(axes.pages, 1):
            if any(cell.mean_score is not None for cell in _column(cells, page)):
                yield _score_by_depth(cells, axes, page, number, looks)
                yield _score_by_frames(cells, axes, page, number, looks)
        by_duration = list(_costs_by_duration(found, axes, looks))
        yield from by_duration or _costs_by_depth(cells, axes, looks)
        yield from _strips(found, axes)


def _column(cells: Cells, page: tuple[str, str]) -> list[Summary]:
    return [cell for (task_set, _, _, budget), cell in cells.items() if (task_set, budget) == page]


def _curves(
    cells: Cells,
    axes: Axes,
    page: tuple[str, str],
    point_of: Callable[[int, Summary], Point | None],
) -> Curves:
    """Return a point per depth for each policy; `point_of` gets the number of the depth."""
    curves = {}
    for policy in axes.policies:
        keys = [(page[0], policy, depth, page[1]) for depth in axes.depths]
        points = [point_of(i, cells[k]) for i, k in enumerate(keys) if k in cells]
        if known := [point for point in points if point is not None]:
            curves[policy] = known
    return curves


def _score_by_depth(
    cells: Cells, axes: Axes, page: tuple[str, str], number: int, looks: Mapping[str, Look]
) -> Plot:
    def point(index: int, cell: Summary) -> Point | None:
        if cell.mean_score is None:
            return None
        interval = cell.interval and (cell.interval.low, cell.interval.high)
        return Point(index, cell.mean_score, interval)

    where = _where(*page)
    figure, (panel,) = new_figure(1, len(looks), f"{where}: score by depth, 95 % intervals")
    _depth_axis(panel, axes.depths)
    _score_axis(panel)
    draw_lines(panel, _curves(cells, axes, page, point), looks, step=0.025, growing=False)
    alt = f"Mean score of each policy by depth budget, with 95 % intervals; {where}"
    return Plot(f"score_by_depth_{number}.png", "score", alt, to_png(figure))


def _score_by_frames(
    cells: Cells, axes: Axes, page: tuple[str, str], number: int, looks: Mapping[str, Look]
) -> Plot:
    def point(_: int, cell: Summary) -> Point | None:
        # 0 frames have no place on a logarithmic axis
        return Point(cell.mean_frames, cell.mean_score) if cell.mean_frames else None

    where = _where(*page)
    title = f"{where}: score by frames shown, larger markers are deeper"
    figure, (panel,) = new_figure(1, len(looks), title)
    number_axis(panel)
    panel.set_xlabel("distinct frames shown per episode, log scale")
    _score_axis(panel)
    curves = _curves(cells, axes, page, point)
    spent = [p.x for points in curves.values() for p in points] or [1.0]
    panel.set_xlim(min(spent) / 1.3, max(spent) * 1.3)
    draw_lines(panel, curves, looks, growing=True)
    alt = f"Mean score of each policy by distinct frames shown, a point per depth; {where}"
    return Plot(f"score_by_frames_{number}.png", "score", alt, to_png(figure))


def _costs_by_depth(cells: Cells, axes: Axes, looks: Mapping[str, Look]) -> Iterator[Plot]:
    for number, page in enumerate(axes.pages, 1):
        if not any(cell.usage for cell in _column(cells, page)):
            continue
        where = _where(*page)
        figure, panels = new_figure(2, len(looks), f"{where}: cost by depth")
        for panel, (unit, (of_summary, _)) in zip(panels, COSTS.items(), strict=True):

            def point(index: int, cell: Summary, value_of=of_summary) -> Point | None:
                return None if (value := value_of(cell)) is None else Point(index, value)

            _depth_axis(panel, axes.depths)
            curves = _curves(cells, axes, page, point)
            cost_axis(panel, unit, [p.y for points in curves.values() for p in points])
            draw_lines(panel, curves, looks, growing=False)
        alt = f"Distinct frames shown and seconds per episode by depth budget; {where}"
        yield Plot(f"cost_by_depth_{number}.png", "cost", alt, to_png(figure))


def _costs_by_duration(
    found: Mapping[Cell, Sequence[Record]], axes: Axes, looks: Mapping[str, Look]
) -> Iterator[Plot]:
    """Draw costs by the length of the video at the deepest depth, if there are several lengths."""
    depth = axes.deepest()
    for number, budget in enumerate(axes.budgets, 1):
        scored = [
            record
            for policy in axes.policies
            for task_set in axes.task_sets
            for record in found.get((task_set, policy, depth, budget), ())
            if record.score is not None and record.duration_seconds > 0
        ]
        places = length_classes([record.duration_seconds for record in scored])
        if len(set(places.values())) < 2:
            continue
        where = _where("all task sets", budget)
        title = f"{where}, depth {depth}: cost by length of the video"
        figure, panels = new_figure(2, len(looks), title)
        for panel, (unit, (_, of_record)) in zip(panels, COSTS.items(), strict=True):
            duration_axis(panel, sorted(set(places.values())))
            panel.set_xlabel("length of the video, log scale")
            curves = _duration_curves(scored, axes, places, of_record)
            cost_axis(panel, unit, [p.y for points in curves.values() for p in points])
            draw_lines(panel, curves, looks, growing=False)
        alt = f"Distinct frames shown and seconds per episode by length of the video; {where}"
        yield Plot(f"cost_by_length_{number}.png", "cost", alt, to_png(figure))


def length_classes(lengths: Sequence[float]) -> dict[float, float]:
    """Return for each length the mean of its class: of all up to a fifth longer than its shortest.

    Args:
        lengths: Seconds, one per record: lengths that occur more often weigh more.
    """
    classes: list[list[float]] = []
    for length in sorted(lengths):
        if not classes or length > 1.2 * classes[-1][0]:
            classes.append([])
        classes[-1].append(length)
    return {length: float(np.mean(members)) for members in classes for length in members}


def _duration_curves(
    scored: Sequence[Record],
    axes: Axes,
    places: Mapping[float, float],
    cost_of: Callable[[Record], float],
) -> Curves:
    spent: dict[str, dict[float, list[float]]] = {policy: {} for policy in axes.policies}
    for record in scored:
        place = places[record.duration_seconds]
        spent[record.policy].setdefault(place, []).append(cost_of(record))
    return {
        policy: [Point(place, float(np.mean(own[place]))) for place in sorted(own)]
        for policy, own in spent.items()
        if own
    }


def _strips(found: Mapping[Cell, Sequence[Record]], axes: Axes) -> Iterator[Plot]:
    """Draw where policies looked in the first tasks that all of them have a record of."""
    depth, budget, number = axes.deepest(), axes.budgets[0], 0
    for task_set in axes.task_sets:
        rows = [
            {r.task_index: r for r in found.get((task_set, policy, depth, budget), ())}
            for policy in axes.policies
        ]
        shared = sorted(set.intersection(*(set(row) for row in rows)))
        for index in [i for i in shared if any(row[i].looked for row in rows)][:STRIPS]:
            records = [row[index] for row in rows]
            family = f" ({records[0].family})" * bool(records[0].family)
            where = f"task {index}{family}, depth {depth}, {_where(task_set, budget)}"
            number += 1
            yield Plot(
                f"looked_{number}.png",
                "looked",
                f"Where each policy looked: {where}",
                to_png(draw_strips(records, where)),
            )


def _where(task_set: str, budget: str) -> str:
    return f"{task_set}, {'no budget' if budget == NO_LIMIT else budget}"


def _depth_axis(panel, depths: Sequence[Depth]) -> None:
    panel.set_xticks(range(len(depths)), [str(depth) for depth in depths])
    panel.set_xlim(-0.35, len(depths) - 0.65)
    panel.set_xlabel("depth budget")


def _score_axis(panel) -> None:
    panel.set_ylabel("mean score")
    panel.set_ylim(-0.03, 1.03)
