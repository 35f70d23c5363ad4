"""The picture of a scaling measurement: what searches took against the length of the video."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from eval.drawing import (
    COLOURS,
    DOTS_PER_INCH,
    MORE_COLOURS,
    Look,
    choose_looks,
    duration_axis,
    to_png,
)
from eval.fits import LAWS, better_law
from eval.scaling_curves import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Panel
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

PANELS: tuple[tuple[str, Callable[[Curve], tuple[float, ...]]], ...] = (
    ("views opened", lambda curve: curve.views),
    ("frames shown", lambda curve: curve.frames),
    ("Expands", lambda curve: curve.expands),
)
"""What is drawn side by side; a row of these for each K."""
LINES = dict(zip(LAWS, ("-", (0, (4, 2))), strict=True))
TICKS = (1, 10, 60, 600, 3600, 36_000, 360_000, 3_600_000)
LONGEST_LABEL = 26
WIDEST_SHIFT = 0.35
"""Markers of one length are spread over at most this much of the logarithm of the length."""


def scaling_plot(curves: Sequence[Curve]) -> bytes:
    """Return `scaling_figure` as PNG.

    Raises:
        ImportError: If matplotlib is missing.
    """
    import matplotlib.style

    with matplotlib.style.context("default"):  # whatever the user's own settings are
        return to_png(scaling_figure(curves))


def scaling_figure(curves: Sequence[Curve]) -> Figure:
    """Draw means as markers and the better fitting law of each curve as a line, a row for each K.

    Axes are logarithmic: there costs that are linear in the length rise to the right by as much as
    the length does, logarithmic ones level out. Filled markers are visible needles, hollow ones
    hidden; a cross says that needles were missed there. A curve of which most searches found
    nothing gets no line: giving up follows no law of finding.

    Raises:
        ImportError: If matplotlib is missing.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    looks = _looks(curves)
    grid_sizes = sorted({curve.grid_size for curve in curves})
    height = max(0.9 + 2.6 * len(grid_sizes), 1.9 + 0.2 * len(looks))
    figure = Figure((12.4, height), dpi=DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    rows = figure.subplots(len(grid_sizes), len(PANELS), squeeze=False, sharex=True, sharey="col")
    figure.subplots_adjust(
        left=0.045, right=0.815, bottom=0.5 / height, top=1 - 0.62 / height, wspace=0.2, hspace=0.24
    )
    figure.suptitle(
        "What a search for a needle takes, by the length of the video",
        **{"x": 0.012, "y": 1 - 0.1 / height, "ha": "left", "va": "top", "fontsize": 11},
    )
    lengths = sorted({length for curve in curves for length in curve.seconds})
    shifts = _shifts(list(looks), lengths)
    for row, grid_size in zip(rows, grid_sizes, strict=True):
        own = [curve for curve in curves if curve.grid_size == grid_size]
        for panel, (label, cost_of) in zip(row, PANELS, strict=True):
            _prepare(panel, f"K = {grid_size}: {label}", lengths)
            for curve in own:
                _draw(panel, curve, cost_of(curve), looks[curve.policy], shifts[curve.policy])
    for panel in rows[-1]:
        panel.set_xlabel("length of the video", fontsize=9)
    _add_legend(figure, curves, looks, top=1 - 0.6 / height)
    return figure


def _prepare(panel: Panel, title: str, lengths: Sequence[float]) -> None:
    panel.set_title(title, loc="left", fontsize=9.5)
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(color="#e8e8e8", linewidth=0.6)
    panel.set_axisbelow(True)
    duration_axis(panel, _ticks(lengths))
    # Logarithmic from 1: below it there is only 0, which a needle in the first view takes.
    panel.set_yscale("symlog", linthresh=1, linscale=0.3)
    panel.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    panel.tick_params(labelsize=8.5, labelbottom=True)


def _draw(panel: Panel, curve: Curve, cost: Sequence[float], look: Look, shift: float) -> None:
    """Draw a curve: its law, its means, and crosses where needles were missed."""
    seconds = np.asarray(curve.seconds)
    front = 2.5 if curve.is_privileged else 3  # the least that is possible covers no other
    law = better_law(curve.seconds, cost)
    if law and 2 * curve.num_found >= curve.num_searches:
        name, fit = law
        x = np.geomspace(seconds[0], seconds[-1], 200)
        y = fit.a + fit.b * LAWS[name](x)
        y[y < min(cost) / 2] = np.nan  # where a line fitted to all leaves what was measured
        label = f"{curve.policy}, {curve.needle}: {name}"
        panel.plot(
            x,
            y,
            linestyle=LINES[name],
            linewidth=1.1,
            color=look.colour,
            alpha=0.8,
            label=label,
            zorder=front - 1,
        )
    panel.plot(
        seconds * shift,
        cost,
        linestyle="none",
        label=f"{curve.policy}, {curve.needle}",
        zorder=front,
        **_marker(look, is_filled=curve.needle == "visible"),
    )
    missed = np.asarray(curve.missed) > 0
    if missed.any():
        label = f"{curve.policy}, {curve.needle}: missed"
        panel.plot(seconds[missed] * shift, np.asarray(cost)[missed], label=label, **_CROSS)


_CROSS = {
    "zorder": 4,
    "linestyle": "none",
    "marker": "x",
    "markersize": 3.5,
    "color": "black",
    "mew": 0.8,
}


def _marker(look: Look, *, is_filled: bool) -> dict[str, object]:
    return {
        "marker": look.marker,
        "markersize": 4.5,
        "markeredgewidth": 0.9,
        "color": look.colour,
        "markerfacecolor": look.colour if is_filled else "none",
    }


def _add_legend(
    figure: Figure, curves: Sequence[Curve], looks: dict[str, Look], *, top: float
) -> None:
    """Say right of the panels what colours, markers and lines mean."""
    from matplotlib.lines import Line2D

    def entry(label: str, **look: object) -> Line2D:
        return Line2D([], [], **{"linestyle": "none", "label": label} | look)

    privileged = {curve.policy for curve in curves if curve.is_privileged}
    handles = [
        entry(
            _label(policy) + " (shown the truth)" * (policy in privileged),
            **_marker(look, is_filled=True),
        )
        for policy, look in looks.items()
    ]
    handles.append(entry(" "))
    grey = Look("#555555", "o", "-")
    kinds = {"visible": "visible needle, hinted at", "hidden": "hidden needle, no hints"}
    drawn = {curve.needle for curve in curves}
    handles += [
        entry(text, **_marker(grey, is_filled=kind == "visible"))
        for kind, text in kinds.items()
        if kind in drawn
    ]
    handles += [
        entry(f"{name} fits better", linestyle=line, color="#555555", linewidth=1.1)
        for name, line in LINES.items()
    ]
    if any(any(curve.missed) for curve in curves):
        handles.append(entry("needles missed there", **_CROSS))
    legend = figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.825, top),
        fontsize=8.5,
        frameon=False,
        borderaxespad=0,
        labelspacing=0.6,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _looks(curves: Sequence[Curve]) -> dict[str, Look]:
    """Choose a colour and a marker for each policy; unlike elsewhere no two share a colour.

    Markers alone do not tell variants of a policy apart where needles are filled and hollow.
    """
    looks = choose_looks(list(dict.fromkeys(curve.policy for curve in curves)), dashed=set())
    used: set[str] = set()
    for policy, look in looks.items():
        spare = [c for c in (look.colour, *MORE_COLOURS, *COLOURS.values()) if c not in used]
        looks[policy] = look._replace(colour=spare[0] if spare else look.colour)
        used.add(looks[policy].colour)
    return looks


def _label(policy: str) -> str:
    """Return a policy's name, the middle of a long one left out: ends differ most."""
    name = " ".join(policy.split())
    half = (LONGEST_LABEL - 3) // 2
    return name if len(name) <= LONGEST_LABEL else f"{name[:half]}...{name[-half:]}"


def _shifts(policies: Sequence[str], lengths: Sequence[float]) -> dict[str, float]:
    """Return what lengths are multiplied by, so that equal costs of policies can be told apart."""
    gaps = np.diff(np.log(lengths))
    widest = min(WIDEST_SHIFT, 0.8 * float(min(gaps, default=1)))
    places = np.linspace(-0.5, 0.5, len(policies)) if len(policies) > 1 else [0.0]
    return {
        policy: float(np.exp(widest * place))
        for policy, place in zip(policies, places, strict=True)
    }


def _ticks(lengths: Sequence[float]) -> list[float]:
    """Return round lengths among the measured ones, or those at the ends."""
    low, high = lengths[0], lengths[-1]
    ticks = [tick for tick in TICKS if low <= tick <= high]
    return ticks if len(ticks) > 1 else sorted({low, high})
