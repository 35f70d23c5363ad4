"""The picture of a scaling measurement: views and time against the length of the video."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from eval.drawing import (
    Look,
    Point,
    choose_looks,
    draw_lines,
    duration_axis,
    new_figure,
    to_png,
)
from eval.scaling_curves import Curve

PANELS: tuple[tuple[str, Callable[[Curve], tuple[float, ...]]], ...] = (
    ("views opened (mean)", lambda curve: curve.views),
    ("seconds per search (telemetry)", lambda curve: curve.wall),
)
TICK_RATIO = 6
"""Lengths closer than this many times to the tick before get none."""


def scaling_plot(curves: Sequence[Curve]) -> bytes:
    """Draw all curves, both axes logarithmic: full lines for visible needles, dashed for hidden.

    Raises:
        ImportError: If matplotlib is missing.
    """
    figure, panels = new_figure(2, 2 * len(curves), "Cost of a search for a needle")
    looks = _looks(curves)
    for panel, (label, cost) in zip(panels, PANELS, strict=True):
        lines = {
            _name(curve): [Point(x, y) for x, y in zip(curve.seconds, cost(curve), strict=True)]
            for curve in curves
        }
        duration_axis(panel, _ticks(sorted({x for curve in curves for x in curve.seconds})))
        panel.set_yscale("log")
        panel.set_xlabel("length of the video")
        panel.set_ylabel(label)
        draw_lines(panel, lines, looks, growing=False)
    return to_png(figure)


def _looks(curves: Sequence[Curve]) -> dict[str, Look]:
    """Colours by policy, lines by kind of needle."""
    of_policy = choose_looks(list(dict.fromkeys(curve.policy for curve in curves)), dashed=set())
    return {
        _name(curve): of_policy[curve.policy]._replace(
            line="--" if curve.needle == "hidden" else "-"
        )
        for curve in curves
    }


def _name(curve: Curve) -> str:
    return f"{curve.policy}, {curve.needle}, K={curve.grid_size}"


def _ticks(lengths: Sequence[float]) -> list[float]:
    ticks: list[float] = []
    for length in lengths:
        if not ticks or length >= TICK_RATIO * ticks[-1]:
            ticks.append(length)
    return ticks
