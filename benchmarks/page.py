"""The page of results, as Markdown, from records alone: what was raced, tables, plots."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.methods import METHODS
from benchmarks.plots import draw
from benchmarks.records import Measurement, read_measurements
from benchmarks.stages import STAGES
from benchmarks.summary import BUSY_CORES, DESCENT, FIRST_SHEET, SUMS, Clock, Row, Table, tables
from benchmarks.views import GRID_SIZE, SHORT_SECONDS, TILE_SIZE
from eval.drawing import clock as length
from eval.markdown import escape, grid, picture
from videoatlas_gym.files import write_atomically

PAGE = "results.md"
GROUPS: dict[str, str] = {
    "cold": "",
    "warm": "Tiles that were decoded before, in this process or in an earlier one:",
    "preview": "Key frames in place of the frames at the middles of cells, where a cell holds one: "
    "other frames by intent, which count as wrong in the last column:",
}
"""Groups of rows in the order of a video's section, and what is said above each. A contender says
which group is its own."""
_INTRODUCTION = f"""\
Each entry is a median over rounds; every measurement ran in a fresh process, the order of methods
was shuffled in each round, and the file lay in the page cache. Grids are {GRID_SIZE} x {GRID_SIZE}
cells of {TILE_SIZE[0]} x {TILE_SIZE[1]} pixels (films of another shape fill a part), and show
the frames at the cells' midpoints; zoom is one frame at native resolution. Depth 1 and depth 2 are
a cell of the root and a cell of that one, the same for all methods and others in each round. A
descent is opening the file and its views until cells last {SHORT_SECONDS:g} s or less. Imports are
not timed."""
_COLUMNS = """\
CPU seconds are of the whole process, all threads. Memory is the peak until the root was shown, what
was imported included. "Wrong" counts delivered pictures that were not the frame on display."""
_FLOOR = """\
The floor decodes what any exact method must, on one thread, from packets in memory, and scales and
copies nothing: no opening, no reading. Unscaled rows deliver pictures at native size."""


def write_page(directory: str | os.PathLike[str]) -> Path:
    """Write ``results.md`` and its plots into the directory of a race.

    Args:
        directory: That of the records.

    Returns:
        The page.

    Raises:
        ValueError: If there are no records, or none that can be used.
    """
    directory = Path(directory)
    measurements = list(read_measurements(directory).values())
    if not measurements:
        raise ValueError(f"{str(directory)!r} holds a race without measurements. Run it again.")
    found = tables(measurements)
    try:
        plots, missing = draw(found), ""
    except ImportError as error:
        plots, missing = {}, str(error)
    for name, (_, png) in plots.items():
        write_atomically(directory / name, png)
    pictures = [picture(name, alt) for name, (alt, _) in plots.items()]
    text = results(found, measurements, [*pictures, *([escape(missing)] if missing else [])])
    return write_atomically(directory / PAGE, text)


def results(
    found: Sequence[Table], measurements: Sequence[Measurement], pictures: Sequence[str]
) -> str:
    """Return the page.

    Args:
        found: The tables of the measurements.
        measurements: All of them.
        pictures: Markdown of the plots.
    """
    blocks = [
        "# Race of decoders",
        _INTRODUCTION,
        _COLUMNS,
        _FLOOR,
        *_overview(found),
        *pictures,
        *(block for table in found for block in _section(table)),
        "## How it was measured",
        *_origin(measurements),
    ]
    return "\n\n".join(blocks) + "\n"


def _overview(found: Sequence[Table]) -> list[str]:
    """How many times this engine's CPU seconds each method takes, over all videos."""
    methods = [m for m in METHODS if any(row.method == m for t in found for row in t.rows)]
    blocks = []
    for column in (FIRST_SHEET, DESCENT):
        rows = []
        for method in methods:
            by_video = {t.video: r for t in found for r in t.rows if r.method == method}
            entries = [_times(by_video, table.video, column) for table in found]
            rows.append([_label(method), *entries])
        base = "this engine with 1 worker"
        blocks += [
            f"{column.capitalize()}, CPU seconds as a multiple of {base}, median of the ratios of "
            "each round:",
            grid(["method", *(escape(table.video) for table in found)], rows),
        ]
    return blocks


def _times(by_video: dict[str, Row], video: str, column: str) -> str:
    row = by_video.get(video)
    if row is None:
        return "-"
    return "failed" if row.errors else _ratio(row.ratios["cpu"][column])


def _section(table: Table) -> list[str]:
    size = f"{table.file_bytes / 1e6:,.0f} MB"
    rounds = max(row.rounds for row in table.rows)
    blocks = [
        f"## {escape(table.video)}",
        f"{escape(table.about)}; {length(table.duration_seconds)}, {size}, "
        f"{rounds} round{'s' * (rounds > 1)}.",
    ]
    for group, heading in GROUPS.items():
        rows = [row for row in table.rows if _group(row.method) == group]
        if rows:
            blocks += [heading] * bool(heading) + _tables(table, rows)
    failed = [
        f"{_label(row.method)} failed: {escape(row.errors[0])}" for row in table.rows if row.errors
    ]
    return blocks + failed


def _group(method: str) -> str:
    return METHODS[method].group if method in METHODS else next(iter(GROUPS))


def _tables(table: Table, rows: Sequence[Row]) -> list[str]:
    columns = (*STAGES, *SUMS)
    costs = grid(
        ["CPU seconds", *columns, "memory, MB", "wrong"],
        [
            [
                _label(row.method),
                *(_seconds(row.costs["cpu"][column]) for column in columns),
                f"{row.rss_bytes / 1e6:,.0f}" if row.rss_bytes else "-",
                f"{row.wrong} of {row.asked:,}",
            ]
            for row in rows
        ],
    )
    walls = grid(
        ["seconds on the clock", *columns, "cores busy with other work"],
        [
            [
                _label(row.method),
                *(
                    _flagged(_seconds(row.costs["wall"][column]), row.busy_cores > BUSY_CORES)
                    for column in columns
                ),
                f"{row.busy_cores:.2f}",
            ]
            for row in rows
        ],
    )
    blocks = [costs, walls]
    if any(row.busy_cores > BUSY_CORES for row in rows):
        blocks.append(
            rf"\* The machine was busy: others kept more than {BUSY_CORES:g} cores at work. "
            "CPU seconds suffer less from that than times on the clock."
        )
    return blocks + [b for c in ("cpu", "wall") for b in _ratios(table, rows, c)]


def _ratios(table: Table, rows: Sequence[Row], clock: Clock) -> list[str]:
    base = table.bases[clock]
    if base is None:
        return []
    columns = (*STAGES, *SUMS)
    kind = "CPU seconds" if clock == "cpu" else "seconds on the clock"
    busy_base = next(row.busy_cores for row in table.rows if row.method == base)
    lines = []
    for row in rows:
        is_busy = clock == "wall" and max(row.busy_cores, busy_base) > BUSY_CORES
        entries = [_ratio(row.ratios[clock][column]) for column in columns]
        lines.append([_label(row.method), *(_flagged(entry, is_busy) for entry in entries)])
    return [grid([f"{kind} / {_label(base)}", *columns], lines)]


def _label(method: str) -> str:
    return escape(METHODS[method].label if method in METHODS else method)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if value < 1 else f"{value:.2f}"


def _flagged(text: str, is_busy: bool) -> str:
    return rf"{text} \*" if is_busy and text != "-" else text


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def _origin(measurements: Sequence[Measurement]) -> list[str]:
    absent = [m for m in METHODS if not any(found.method == m for found in measurements)]
    versions = sorted({pair for m in measurements for pair in m.versions.items()})
    loads = [m.load_average for m in measurements]
    lines = [
        f"Machine: {_several(m.machine for m in measurements)}. Load average when measurements "
        f"began: {min(loads):.1f} to {max(loads):.1f}.",
        grid(["package", "version"], [[escape(name), escape(v)] for name, v in versions]),
    ]
    if absent:
        lines.append(f"Not measured: {', '.join(map(_label, absent))}.")
    return lines


def _several(values: Iterable[str]) -> str:
    return "; ".join(map(escape, dict.fromkeys(values)))
