"""How plots of a comparison are drawn: figures, lines named at their ends, heat strips.

Knows no files. Only this module touches matplotlib, and only when something is drawn; figures hold
no global state, so that equal data gives equal bytes under one version of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from eval.record import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Panel
    from matplotlib.figure import Figure

DOTS_PER_INCH = 110
LONGEST_NAME = 24
"""Longer names of policies are cut, so that they stay in the picture."""
COLOURS = {
    "random": "#888888",
    "uniform": "#E69F00",
    "hoarder": "#CC79A7",
    "bfs": "#56B4E9",
    "dfs": "#0072B2",
    "best-first": "#D55E00",
    "beam": "#009E73",
    "oracle": "#000000",
}
"""By the name before ``:`` and ``@``; after Okabe and Ito, told apart by the colour-blind too."""
MORE_COLOURS = ("#882255", "#999933", "#332288", "#44AA99", "#AA4499", "#DDCC77")
MARKERS = "osD^vPX*<>ph"
TRUTH = "#D55E00"


class Look(NamedTuple):
    """How a policy is drawn."""

    colour: str
    marker: str
    line: str


class Point(NamedTuple):
    """A point of a line; `interval` is that of y, or None."""

    x: float
    y: float
    interval: tuple[float, float] | None = None


Curves = Mapping[str, Sequence[Point]]
"""The line of each policy, none empty."""


def choose_looks(policies: Sequence[str], dashed: set[str]) -> dict[str, Look]:
    """Choose colours and markers; variants of a policy (``beam:2``, ``beam:4``) share a colour."""
    colours, looks = dict(COLOURS), {}
    for index, policy in enumerate(policies):
        base = policy.partition("@")[0].partition(":")[0]
        if base not in colours:
            colours[base] = MORE_COLOURS[(len(colours) - len(COLOURS)) % len(MORE_COLOURS)]
        line = "--" if policy in dashed else "-"
        looks[policy] = Look(colours[base], MARKERS[index % len(MARKERS)], line)
    return looks


def new_figure(num_panels: int, num_policies: int, title: str) -> tuple[Figure, list[Panel]]:
    """Return a figure with room for names right of each panel, and its panels."""
    figure = _empty((6.8 if num_panels == 1 else 11.6, max(3.5, 1.1 + 0.2 * num_policies)))
    panels = list(figure.subplots(1, num_panels, squeeze=False)[0])
    width = 0.76 if num_panels == 1 else 0.84
    figure.subplots_adjust(left=0.085, right=width, bottom=0.14, top=0.89, wspace=0.78)
    figure.suptitle(title, x=0.02, y=0.975, ha="left", fontsize=10, parse_math=False)
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=8.5)
        panel.xaxis.label.set_size(9)
        panel.yaxis.label.set_size(9)
        panel.grid(axis="y", color="#e4e4e4", linewidth=0.6)
        panel.set_axisbelow(True)
    return figure, panels


def draw_lines(
    panel: Panel, curves: Curves, looks: Mapping[str, Look], *, step: float = 0, growing: bool
) -> None:
    """Draw a line per policy and name it right of the panel.

    Call it last: where names go depends on the limits of the axes.

    Args:
        panel: Where to draw.
        curves: What to draw.
        looks: How.
        step: Each line is moved right of the one before by this much, so that equal points and
            their intervals can be told apart.
        growing: Whether markers grow from point to point.
    """
    ends = []
    for index, (policy, points) in enumerate(curves.items()):
        colour, marker, line = looks[policy]
        x = [point.x + step * (index - (len(curves) - 1) / 2) for point in points]
        y = [point.y for point in points]
        panel.plot(x, y, line, linewidth=1.5, color=colour)
        areas = [22 + 18 * number * growing for number in range(len(points))]
        panel.scatter(x, y, areas, marker=marker, linewidths=0, color=colour, zorder=3)
        for place, point in zip(x, points, strict=True):
            if point.interval is not None:
                panel.plot((place, place), point.interval, color=colour, linewidth=1, alpha=0.55)
        ends.append((x[-1], y[-1], policy))
    _name_ends(panel, ends, looks)


def _name_ends(
    panel: Panel, ends: Sequence[tuple[float, float, str]], looks: Mapping[str, Look]
) -> None:
    """Write names in the order of the heights of the ends, far enough apart to be read."""
    to_panel = panel.transData + panel.transAxes.inverted()
    wanted = sorted((float(to_panel.transform((x, y))[1]), x, y, name) for x, y, name in ends)
    inches = panel.get_position().height * panel.figure.get_size_inches()[1]
    places = spread([height for height, *_ in wanted], 0.16 / inches)
    for place, (_, x, y, name) in zip(places, wanted, strict=True):
        colour = looks[name].colour
        panel.annotate(
            name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 3]}...",
            (x, y),
            (1.06, place),
            textcoords="axes fraction",
            va="center",
            fontsize=8.5,
            color=_darker(colour),
            parse_math=False,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.6,
                "alpha": 0.6,
                "relpos": (0, 0.5),
                "shrinkA": 1,
            },
        )


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Move ascending heights as little as it takes to be `gap` apart, and into 0 .. 1 if they fit.

    Neighbours that are too close become a block around their mean (least squares).
    """
    blocks: list[list[float]] = []  # members, less what the gaps below them take
    for index, height in enumerate(heights):
        blocks.append([height - index * gap])
        while len(blocks) > 1 and np.mean(blocks[-2]) >= np.mean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    places = [float(np.mean(block)) for block in blocks for _ in block]
    top = max(0.0, 1 - (len(heights) - 1) * gap)
    return [min(max(place, 0.0), top) + i * gap for i, place in enumerate(places)]


def _darker(colour: str) -> str:
    return "#" + "".join(f"{int(colour[i : i + 2], 16) * 7 // 10:02x}" for i in (1, 3, 5))


def cost_axis(panel: Panel, unit: str, costs: Sequence[float]) -> None:
    """Scale y to costs: from 0, or logarithmic where they differ by more than ten times."""
    low, high = min(costs, default=0), max(costs, default=1)
    if 0 < 10 * low < high:
        panel.set_yscale("log")
        panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        panel.set_ylim(low / 1.5, high * 1.5)
        unit += ", log scale"
    else:
        panel.set_ylim(0, 1.06 * high or 1)
    panel.set_ylabel(unit)


def number_axis(panel: Panel) -> None:
    """Make x logarithmic, with plain numbers at powers of two."""
    panel.set_xscale("log", base=2)
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    panel.minorticks_off()


def duration_axis(panel: Panel, moments: Sequence[float]) -> None:
    """Make x logarithmic, with the given lengths in seconds as ticks."""
    number_axis(panel)
    panel.set_xticks(moments, [clock(seconds) for seconds in moments])


def clock(seconds: float) -> str:
    """Return a length as people say it: ``45 s``, ``12 min``, ``1.5 h``."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def draw_strips(records: Sequence[Record], title: str) -> Figure:
    """Draw where policies looked in one task: a row each over the time of the video.

    Dark is where many cells were shown (logarithmic). The truth is a row of its own and drawn
    through all; a ring is the most confident item that was kept; right of each row, its score.
    """
    figure = _empty((9, 1.25 + 0.27 * (len(records) + 1)))
    panel = figure.subplots()
    height = figure.get_size_inches()[1]
    figure.subplots_adjust(left=0.2, right=0.93, bottom=0.5 / height, top=1 - 0.5 / height)
    duration = max(record.duration_seconds for record in records) or 1.0
    bins = max(len(record.looked) for record in records)
    counts = np.array([record.looked or [0] * bins for record in records], float)
    rows = len(records)
    extent = (0, duration, rows, 0)
    shades = np.log1p(counts) / max(float(np.log1p(counts.max())), 1e-9)
    panel.imshow(shades, cmap="Blues", vmin=0, vmax=1.15, aspect="auto", extent=extent)
    panel.set(ylim=(rows, -1), xlim=(0, duration))
    for start, end in records[0].truth:
        panel.axvspan(start, end, color=TRUTH, alpha=0.25, linewidth=0)
        panel.plot([(start + end) / 2], [-0.5], "v", color=TRUTH, markersize=5, clip_on=False)
        panel.plot((start, end), (-0.05, -0.05), color=TRUTH, linewidth=2.5)
    for row, record in enumerate(records):
        panel.axhline(row, color="white", linewidth=2)
        if record.evidence:
            best = min(record.evidence, key=lambda i: (-i["confidence"], -i["step"], i["seconds"]))
            panel.plot([best["seconds"]], [row + 0.5], "o", mfc="none", mec="black", markersize=6)
        score = "-" if record.score is None else f"{record.score:.2f}"
        panel.annotate(
            score, (1.01, row + 0.5), xycoords=("axes fraction", "data"), va="center", fontsize=8.5
        )
    names = ["truth", *(record.policy for record in records)]
    panel.set_yticks(np.arange(-0.5, rows), names, fontsize=8.5, parse_math=False)
    ticks = np.linspace(0, duration, 6)
    panel.set_xticks(ticks, [clock(seconds) if seconds else "0" for seconds in ticks], fontsize=8.5)
    panel.tick_params(left=False)
    panel.spines[:].set_visible(False)
    figure.suptitle(
        title, x=0.02, y=1 - 0.1 / height, va="top", ha="left", fontsize=10, parse_math=False
    )
    figure.text(0.985, 1 - 0.1 / height, "score", va="top", ha="right", fontsize=8.5)
    return figure


def _empty(size: tuple[float, float]) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(size, dpi=DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    return figure


def to_png(figure: Figure) -> bytes:
    """Return a figure as PNG of 255 colours, without dates or versions."""
    figure.canvas.draw()
    rendered = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")
    stream = BytesIO()
    rendered.quantize(255, dither=Image.Dither.NONE).save(stream, "PNG", optimize=True)
    return stream.getvalue()
