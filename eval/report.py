"""The report of a comparison: tables and pictures, made from run directories and nothing else.

`videoatlas report` plays nothing, opens no video and changes no record: it can be run again at any
time, on a copy of the records, on any machine. Shards and copies of one comparison are put
together; records of different ones are refused. Of a measurement of scaling its own report is made.
"""

from __future__ import annotations

import os
import shlex
import sys
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from eval import details
from eval.markdown import code, escape, grid, picture
from eval.merge import ReportError, describe, is_scaling, merge
from eval.metrics import Summary, cells_of, summaries
from eval.plots import Plot, draw
from eval.record import Record
from eval.scaling_report import REPORT as SCALING_REPORT
from eval.scaling_report import write_scaling_report
from eval.tables import Axes, counts, scores, title
from videoatlas_gym.cli import Parser
from videoatlas_gym.files import write_atomically

REPORT = "report.md"
MARK = "<!-- Made by videoatlas report, which replaces it when it makes it again. -->"
"""The first line of every report: a file without it is somebody else's."""
MAX_SHEETS = 12
"""Pictures of episodes that are shown; the rest lie in the directory."""
EXAMPLE = """\
  videoatlas report runs/first
  videoatlas report runs/shard-1 runs/shard-2 --out runs/both.md"""

LOOKED_REMARK = """\
A row per policy over the time of the video. The darker, the more cells showed that moment
(logarithmic). Triangles and bars are the truth, a ring is the item kept with most confidence, the
number its score."""
SHEETS_REMARK = "Pictures of some of the episodes, drawn when they were played."


class Report(str):
    """A report as Markdown."""

    short: str
    """What of it fits into a terminal: scores, remarks, and how many episodes they rest on."""

    def __new__(cls, text: str, short: str) -> Self:
        """Return a text with its short form."""
        report = super().__new__(cls, text)
        report.short = short
        return report


def write_report(directories: Sequence[str | Path], out: str | Path | None = None) -> Report:
    """Write the report of a comparison, and its plots into a folder of its name beside it.

    Files are replaced one by one, each at once: whoever reads sees an old or a new one. Plots of an
    earlier report that are not made any more are removed.

    Args:
        directories: Run directories of one comparison.
        out: The Markdown file; None for ``report.md`` in the first directory.

    Returns:
        The report as Markdown.

    Raises:
        ReportError: If a directory holds no run or no records, they do not belong together, or a
            file would be replaced that is none of an earlier report.
        OSError: If a file cannot be read or written.
    """
    described, axes, records = merge(directories)
    out = _out(directories, out)
    if out.suffix.lower() != ".md":
        raise ReportError(f"a report is a Markdown file, got {str(out)!r}. Name one ending in .md.")
    _refuse_others(out)
    cells, found = summaries(records), cells_of(records)
    try:
        plots, missing = list(draw(found, cells, axes)), ""
    except ImportError as error:
        plots, missing = [], f"This report has no pictures: {error}"
    folder = out.with_suffix("")
    _refuse_others(*(folder / plot.name for plot in plots))
    sections = [
        _opening(described, axes, missing),
        _section("Scores", scores(cells, axes), _pictures(plots, "score", folder.name)),
        _section("Differences", details.differences(found, cells, axes)),
        _section("Families of questions", details.families(found, cells, axes)),
        _section("Evidence and coverage", details.evidence(cells, axes)),
        _section("Costs", details.costs(cells, axes), _pictures(plots, "cost", folder.name)),
        _section("Where policies looked", _looked(plots, folder.name)),
        _section("Episodes", _sheets(directories, records, axes, out.parent)),
        _section("Counts", [counts(cells, axes)]),
        _section("How it was made", _origin(described, directories, out)),
    ]
    text = _document([MARK, *sections])
    out.parent.mkdir(parents=True, exist_ok=True)
    if plots:
        folder.mkdir(exist_ok=True)
    for plot in plots:
        write_atomically(folder / plot.name, _marked(plot.png))
    write_atomically(out, text)
    _remove_earlier(folder, {plot.name for plot in plots})
    return Report(text, _short(described, cells.values(), scores(cells, axes), out))


def _short(
    described: Mapping[str, Any], cells: Iterable[Summary], blocks: Sequence[str], out: Path
) -> str:
    numbers = {
        "scored": [cell.n_scored for cell in cells],
        "failed": [cell.n_total - cell.n_scored for cell in cells],
        "answered": [cell.n_answered for cell in cells],
    }
    said = ", ".join(f"{_between(values)} {name}" for name, values in numbers.items())
    counted = f"Episodes per entry: {said}. Counts of each entry, costs and more are in {out}."
    return _document([f"# {title(described['config'])}", *blocks, counted])


def _between(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return f"{low}" if low == high else f"{low} to {high}"


def _out(directories: Sequence[str | Path], out: str | Path | None) -> Path:
    return Path(directories[0]) / REPORT if out is None else Path(out)


_SIGNATURE_BYTES = 33
"""Of a PNG: eight, then the header, which is of one length in all of them."""
_WORDS = b"tEXtSoftware\0videoatlas report"
_OURS = len(_WORDS[4:]).to_bytes(4) + _WORDS + zlib.crc32(_WORDS).to_bytes(4)
"""A chunk of text that tells our pictures from others'."""


def _marked(png: bytes) -> bytes:
    return png[:_SIGNATURE_BYTES] + _OURS + png[_SIGNATURE_BYTES:]


def _is_ours(path: Path) -> bool:
    """Whether a file is a report or a picture of one."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(200)
    return head.startswith(MARK.encode()) or head[_SIGNATURE_BYTES:].startswith(_OURS)


def _refuse_others(*paths: Path) -> None:
    for path in paths:
        if os.path.lexists(path) and not _is_ours(path):
            raise ReportError(
                f"{str(path)!r} is there and was not made by a report. Move it away, or name "
                "another file with --out; nothing was changed."
            )


def _remove_earlier(folder: Path, made: set[str]) -> None:
    for path in folder.glob("*.png") if folder.is_dir() else ():
        if path.name not in made and _is_ours(path):
            path.unlink()


def _document(sections: Iterable[str]) -> str:
    return "\n\n".join(section for section in sections if section) + "\n"


def _section(name: str, blocks: Sequence[str], pictures: Sequence[str] = ()) -> str:
    """Return a section, "" if it would be empty."""
    blocks = [*blocks, *pictures]
    return "\n\n".join([f"## {name}", *blocks]) if blocks else ""


def _opening(described: Mapping[str, Any], axes: Axes, missing: str) -> str:
    config = described["config"]
    asked = {
        "task sets": [_named(entry) for entry in config["task_sets"]],
        "policies": [_named(entry) for entry in config["policies"]],
        "depths": [escape(depth) for depth in axes.depths],
        "budgets": [escape(budget) for budget in axes.budgets],
    }
    own = ("task_sets", "policies", "depths", "budgets")
    plain = {name: [_value(v)] for name, v in config.items() if name not in own}
    rows = [[escape(name), "; ".join(values)] for name, values in (asked | plain).items()]
    blocks = [f"# {title(config)}", grid(["what", "compared"], rows)]
    return "\n\n".join([*blocks, escape(missing)] if missing else blocks)


def _named(entry: Mapping[str, Any]) -> str:
    rest = ", ".join(
        f"{escape(key)} {_value(value)}"
        for key, value in entry.items()
        if key != "name" and value not in (None, "", [], {})
    )
    return escape(entry["name"]) + f" ({rest})" * bool(rest)


def _value(value: Any) -> str:
    """Return an argument as text that fits into a table."""
    parts = value if isinstance(value, list) else [value]
    names = [part.get("name", part) if isinstance(part, dict) else part for part in parts]
    text = ", ".join(map(str, names))
    return escape(text if len(text) <= 300 else f"{text[:297]}...")


def _pictures(plots: Iterable[Plot], section: str, folder: str) -> list[str]:
    return [picture(f"{folder}/{p.name}", p.alt) for p in plots if p.section == section]


def _looked(plots: Iterable[Plot], folder: str) -> list[str]:
    pictures = _pictures(plots, "looked", folder)
    return [LOOKED_REMARK, *pictures] if pictures else []


def _sheets(
    directories: Sequence[str | Path], records: Iterable[Record], axes: Axes, base: Path
) -> list[str]:
    """Return pictures of episodes, those of the deepest depth and the first budget first.

    Only files that are there, and inside of their run.
    """
    first = (axes.deepest(), axes.budgets[0])
    drawn = [
        (record, path)
        for record in sorted(records, key=lambda r: (r.depth, r.budget) != first)
        if record.sheet and (path := _inside(directories, record.sheet))
    ]
    blocks = []
    for record, path in drawn[:MAX_SHEETS]:
        score = "no score" if record.score is None else f"score {record.score:.2f}"
        alt = (
            f"{record.policy}, {record.task_set} task {record.task_index}, depth "
            f"{record.depth}, budget {record.budget}: {score}"
        )
        relative = Path(os.path.relpath(path, base.resolve())).as_posix()
        blocks += [escape(alt), picture(relative, alt)]
    if len(drawn) > MAX_SHEETS:
        blocks.append(f"{len(drawn) - MAX_SHEETS} more pictures lie beside these.")
    return [SHEETS_REMARK, *blocks] if blocks else []


def _inside(directories: Sequence[str | Path], name: str) -> Path | None:
    for directory in directories:
        root = Path(directory).resolve()
        try:
            path = (root / name).resolve()
            if path.is_relative_to(root) and path.is_file():
                return path
        except (OSError, ValueError):  # no name that a file can have
            continue
    return None


def _origin(
    described: Mapping[str, Any], directories: Sequence[str | Path], out: Path
) -> list[str]:
    """Return commands, versions and the hash: what it takes to make it again."""
    words = ["videoatlas", "report", *map(str, directories)]
    if out != _out(directories, None):
        words += ["--out", str(out)]
    blocks = ["This report:", code(shlex.join(words))]
    command = described.get("notes", {}).get("command")
    if isinstance(command, str) and command.strip():
        blocks += ["The records:", code(command)]
    blocks.append(f"Configuration `{escape(described['config_hash'])}`, written with")
    versions = [[escape(name), escape(found)] for name, found in described["versions"].items()]
    return [*blocks, grid(["package", "version"], versions)]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = Parser(
        "report", "Make the report of a comparison or measurement from its records alone.", EXAMPLE
    )
    parser.add_argument("directories", nargs="+", metavar="DIR", help="of one comparison's records")
    parser.add_argument(
        "--out", metavar="FILE", help="Markdown file (default: report.md in the first DIR)"
    )
    options = parser.parse_args(argv)
    first = options.directories[0]
    if len(options.directories) == 1 and is_scaling(describe(first)):
        if options.out is not None:
            raise ReportError(
                f"{first!r} holds a measurement of scaling, whose report lies beside its records. "
                "Leave --out away."
            )
        print(write_scaling_report(first), end="")
        print(f"Written to {Path(first, SCALING_REPORT)}.", file=sys.stderr)
        return 0
    print(write_report(options.directories, options.out).short, end="")
    print(f"Written to {_out(options.directories, options.out)}.", file=sys.stderr)
    return 0
