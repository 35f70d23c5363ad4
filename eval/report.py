"""The report of a comparison: tables and pictures, made from run directories and nothing else.

`videoatlas report` plays nothing, opens no video and changes no record: it can be run again at any
time, on a copy of the records, on any machine. Shards and copies of one comparison are put
together; records of different ones are refused.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eval import details
from eval.markdown import code, escape, grid, picture
from eval.metrics import cells_of, summaries
from eval.plots import Plot, draw
from eval.record import Key, Record
from eval.records import CONFIG, RunDirectoryError, read_config, read_records
from eval.tables import Axes, counts, scores, table, title
from videoatlas_gym.cli import Parser
from videoatlas_gym.files import write_atomically

REPORT = "report.md"
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


class ReportError(ValueError):
    """No report can be made of these directories; the message says why and what to do."""


def write_report(directories: Sequence[str | Path], out: str | Path | None = None) -> str:
    """Write the report of a comparison, and its plots into a folder of its name beside it.

    Files are replaced one by one, each at once: whoever reads sees an old or a new one.

    Args:
        directories: Run directories of one comparison.
        out: The Markdown file; None for ``report.md`` in the first directory.

    Returns:
        The report as Markdown.

    Raises:
        ReportError: If a directory holds no run or no records, or they do not belong together.
        OSError: If a file cannot be read or written.
    """
    described, records = merge(directories)
    out = Path(directories[0]) / REPORT if out is None else Path(out)
    if out.suffix.lower() != ".md":
        raise ReportError(f"a report is a Markdown file, got {str(out)!r}. Name one ending in .md.")
    axes = _checked(described, records)
    cells, found = summaries(records), cells_of(records)
    try:
        plots, missing = list(draw(found, cells, axes)), ""
    except ImportError as error:
        plots, missing = [], f"This report has no pictures: {error}"
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = out.with_suffix("")
    if plots:
        folder.mkdir(exist_ok=True)
    for plot in plots:
        write_atomically(folder / plot.name, plot.png)
    text = _document(
        [
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
    )
    write_atomically(out, text)
    return text


def short_report(directories: Sequence[str | Path]) -> str:
    """Return what fits into a terminal: scores, remarks and counts. Writes nothing.

    Raises:
        ReportError: As `write_report` does.
    """
    described, records = merge(directories)
    _checked(described, records)
    return table(records, described["config"])


def merge(directories: Sequence[str | Path]) -> tuple[dict[str, Any], list[Record]]:
    """Read runs of one comparison as if they were one.

    Returns:
        The content of the first ``config.json``, and each episode once: in the order of the
        directories, and in each of its files. Of copies the first is taken.

    Raises:
        ReportError: If something is missing, or cannot be of one comparison.
    """
    if not directories:
        raise ReportError("no directory was given; name that of a run.")
    described: dict[str, Any] | None = None
    records: dict[Key, Record] = {}
    for directory in directories:
        if not Path(directory).is_dir():
            raise ReportError(f"there is no directory {str(directory)!r}. Name that of a run.")
        if not (Path(directory) / CONFIG).is_file():
            raise ReportError(f"{str(directory)!r} holds no run (no {CONFIG}). Name one that does.")
        try:
            content, found = read_config(directory), read_records(directory)
        except RunDirectoryError as error:
            raise ReportError(str(error)) from error
        described = described or content
        if content["config_hash"] != described["config_hash"]:
            raise ReportError(
                f"{str(directories[0])!r} and {str(directory)!r} are of different comparisons "
                f"(different: {_difference(described, content)}). Report on them one by one."
            )
        for record in found:
            if records.setdefault(record.key, record).lasting() != record.lasting():
                raise ReportError(
                    f"episode {record.key} came out differently in {str(directory)!r} and in a "
                    "directory before it. Copies of one run must agree; name one of the two."
                )
    if not records:
        names = " and ".join(repr(str(directory)) for directory in directories)
        raise ReportError(f"{names} holds no records yet. Let the comparison play an episode.")
    return described, list(records.values())


def _difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Name the arguments and versions that differ."""
    first, second = (
        {**data["config"], **{f"{name} version": v for name, v in data["versions"].items()}}
        for data in (one, other)
    )
    names = sorted(n for n in first.keys() | second.keys() if first.get(n) != second.get(n))
    return ", ".join(names) or "nothing but the hash"


def _checked(described: Mapping[str, Any], records: Iterable[Record]) -> Axes:
    """Return the axes, of which every record must have a place."""
    try:
        axes = Axes.of(described["config"])
    except ValueError as error:
        raise ReportError(str(error)) from error
    pages, policies, depths = set(axes.pages), set(axes.policies), set(axes.depths)
    for record in records:
        page = (record.task_set, record.budget)
        if page not in pages or record.policy not in policies or record.depth not in depths:
            raise ReportError(
                f"episode {record.key} is none of those that the configuration asks for. "
                "The directory was changed by hand; name another one."
            )
    return axes


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
    if out != Path(directories[0]) / REPORT:
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
    parser = Parser("report", "Make the report of a comparison from its records alone.", EXAMPLE)
    parser.add_argument("directories", nargs="+", metavar="DIR", help="of one comparison's records")
    parser.add_argument(
        "--out", metavar="FILE", help="Markdown file (default: report.md in the first DIR)"
    )
    options = parser.parse_args(argv)
    write_report(options.directories, options.out)
    print(short_report(options.directories), end="")
    out = options.out or Path(options.directories[0]) / REPORT
    print(f"Written to {out}.", file=sys.stderr)
    return 0
