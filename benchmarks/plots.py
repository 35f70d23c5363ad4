"""Two pictures of a race: what each method takes, and how many times this engine that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from benchmarks.methods import METHODS
from benchmarks.stages import OPEN, VIEWS
from benchmarks.summary import DESCENT, FIRST_SHEET, Row, Table
from benchmarks.views import descent
from eval.drawing import DOTS_PER_INCH, MARKERS, MORE_COLOURS, to_png
from eval.drawing import clock as length

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes as Panel
    from matplotlib.figure import Figure

STAGE_COLOURS = dict(zip((OPEN, *VIEWS), ("#999999", "#0072B2", "#56B4E9", "#BFE3F7"), strict=True))
RATIO_PANELS = (FIRST_SHEET, *VIEWS[1:], DESCENT)
_VIDEO_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000", *MORE_COLOURS)
_NAMES_INCHES = 3.1
_ROW_INCHES = 0.3
_BELOW_INCHES = 0.95
"""Room for what the axis is of, and the legend."""


def draw(found: Sequence[Table]) -> dict[str, tuple[str, bytes]]:
    """Return what each picture shows and the picture as PNG, by file name.

    Raises:
        ImportError: If matplotlib is missing, saying how to install it.
    """
    try:
        import matplotlib.style
    except ImportError as error:
        raise ImportError('plots need matplotlib: pip install "videoatlas-gym[report]".') from error
    longest = max(found, key=lambda table: table.duration_seconds)
    with matplotlib.style.context("default"):  # whatever the user's own settings are
        return {
            "descent.png": (
                f"Seconds of a descent into {longest.video} by method, in parts",
                to_png(descent_figure(longest)),
            ),
            "ratios.png": (
                "CPU seconds of each method as a multiple of this engine's, for each video",
                to_png(ratio_figure(found)),
            ),
        }


def descent_figure(table: Table) -> Figure:
    """Draw a descent into one video as stacked bars: CPU seconds left, time on the clock right."""
    stages = descent(table.duration_seconds)
    rows = [row for row in table.rows if row.costs["cpu"][DESCENT] is not None]
    title = f"{table.video}: from opening the file to cells of a second or less"
    figure, panels = _panels(2, len(rows), title, [_name(row) for row in rows])
    units = {"cpu": "CPU seconds, all threads", "wall": "seconds on the clock"}
    for panel, (clock, unit) in zip(panels, units.items(), strict=True):
        for place, row in enumerate(rows):
            left = 0.0
            for stage in stages:
                seconds = row.costs[clock][stage]
                panel.barh(place, seconds, left=left, height=0.62, color=STAGE_COLOURS[stage])
                left += seconds
            bold = "bold" if _is_ours(row) else "normal"
            panel.annotate(
                f"{left:.2f}",
                (left, place),
                (4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8.5,
                fontweight=bold,
            )
        panel.set_xlabel(unit, fontsize=9)
        panel.margins(x=0.14)
        panel.set_xlim(left=0)
    _add_legend(figure, [_patch(STAGE_COLOURS[stage], stage) for stage in stages])
    return figure


def ratio_figure(found: Sequence[Table]) -> Figure:
    """Draw ratios of CPU seconds on a logarithmic axis: a row per method, a marker per video."""
    measured = {row.method for table in found for row in table.rows}
    order = [method for method in METHODS if method in measured]
    names = [METHODS[method].label for method in order]
    title = "CPU seconds as a multiple of this engine with 1 worker; left of the line is faster"
    figure, panels = _panels(len(RATIO_PANELS), len(order), title, names)
    looks = list(_looks(found))
    for panel, column in zip(panels, RATIO_PANELS, strict=True):
        panel.axvline(1, color="#444444", linewidth=1)
        for index, (table, (colour, marker)) in enumerate(zip(found, looks, strict=True)):
            shift = 0.5 * ((index + 0.5) / len(found) - 0.5)
            points = [
                (row.ratios["cpu"][column], order.index(row.method) + shift)
                for row in table.rows
                if row.method in order and row.ratios["cpu"][column]
            ]
            if points:
                panel.plot(*zip(*points, strict=True), marker, color=colour, markersize=5)
        _ratio_axis(panel, column)
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], linestyle="none", marker=marker, color=colour, label=_video(table))
        for table, (colour, marker) in zip(found, looks, strict=True)
    ]
    _add_legend(figure, handles)
    return figure


def _panels(
    count: int, num_rows: int, title: str, names: Sequence[str]
) -> tuple[Figure, list[Panel]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height = _BELOW_INCHES + 0.75 + _ROW_INCHES * num_rows
    figure = Figure((13, height), dpi=DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    panels = list(figure.subplots(1, count, sharey=True, squeeze=False)[0])
    figure.subplots_adjust(
        left=_NAMES_INCHES / 13,
        right=0.985,
        top=1 - 0.6 / height,
        bottom=_BELOW_INCHES / height,
        wspace=0.08,
    )
    figure.suptitle(
        title, x=0.012, y=1 - 0.12 / height, ha="left", va="top", fontsize=11, parse_math=False
    )
    for panel in panels:
        panel.spines[["top", "right", "left"]].set_visible(False)
        panel.tick_params(labelsize=8.5, left=False)
        panel.grid(axis="x", color="#e4e4e4", linewidth=0.6)
        panel.set_axisbelow(True)
    panels[0].set_ylim(max(num_rows, 1) - 0.5, -0.5)
    panels[0].set_yticks(range(num_rows), names, parse_math=False)
    return figure, panels


def _add_legend(figure: Figure, handles: Sequence[Artist]) -> None:
    figure.legend(
        handles=handles, loc="lower center", ncols=5, fontsize=8.5, frameon=False, borderaxespad=0.3
    )


def _ratio_axis(panel: Panel, column: str) -> None:
    panel.set_xscale("log", base=2)
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    panel.minorticks_off()
    panel.set_title(column, loc="left", fontsize=9.5)
    for place in range(1, 20, 2):
        panel.axhspan(place - 0.5, place + 0.5, color="#f6f6f6", zorder=0)


def _looks(found: Sequence[Table]) -> Iterator[tuple[str, str]]:
    for index in range(len(found)):
        yield _VIDEO_COLOURS[index % len(_VIDEO_COLOURS)], MARKERS[index % len(MARKERS)]


def _video(table: Table) -> str:
    return f"{table.video} ({length(table.duration_seconds)})"


def _name(row: Row) -> str:
    return METHODS[row.method].label if row.method in METHODS else row.method


def _is_ours(row: Row) -> bool:
    return row.method.startswith("engine")


def _patch(colour: str, label: str):
    from matplotlib.patches import Patch

    return Patch(color=colour, label=label)
