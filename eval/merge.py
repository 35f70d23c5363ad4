"""Runs of one comparison read as if they were one: what a report is about, checked.

A configuration that passes here has the axes of a comparison, and every record a place on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.checks import MOST_COUNT, check_name, is_whole
from eval.command_line import parse_budget
from eval.record import Key, Record
from eval.records import CONFIG, RunDirectoryError, difference, read_config, read_records
from eval.tables import Axes
from videoatlas_gym.errors import shown


class ReportError(ValueError):
    """No report can be made of these directories; the message says why and what to do."""


def is_scaling(described: Mapping[str, Any]) -> bool:
    """Whether a configuration is that of ``videoatlas scaling``, not of a comparison."""
    return described["config"].get("kind") == "scaling"


def describe(directory: str | Path) -> dict[str, Any]:
    """Return the content of the ``config.json`` of a run of any kind.

    Raises:
        ReportError: If there is none that can be read.
    """
    if not Path(directory).is_dir():
        raise ReportError(f"there is no directory {str(directory)!r}. Name that of a run.")
    if not (Path(directory) / CONFIG).is_file():
        raise ReportError(f"{str(directory)!r} holds no run (no {CONFIG}). Name one that does.")
    try:
        return read_config(directory)
    except RunDirectoryError as error:
        raise ReportError(str(error)) from error


def merge(directories: Sequence[str | Path]) -> tuple[dict[str, Any], Axes, list[Record]]:
    """Read runs of one comparison as if they were one.

    Returns:
        The content of the first ``config.json``, the axes of the comparison, and each episode once:
        in the order of the directories, and in each of its files. Of copies the first is taken.

    Raises:
        ReportError: If something is missing, or cannot be of one comparison.
    """
    if not directories:
        raise ReportError("no directory was given; name that of a run.")
    described, axes = _one_comparison(directories)
    records: dict[Key, Record] = {}
    for directory in directories:
        try:
            found = read_records(directory)
        except RunDirectoryError as error:
            raise ReportError(str(error)) from error
        _check_places(axes, found, directory)
        for record in found:
            if records.setdefault(record.key, record).lasting() != record.lasting():
                raise ReportError(
                    f"episode {record.key} came out differently in {str(directory)!r} and in a "
                    "directory before it. Copies of one run must agree; name one of the two."
                )
    if not records:
        names = " and ".join(repr(str(directory)) for directory in directories)
        raise ReportError(f"{names} holds no records yet. Let the comparison play an episode.")
    return described, axes, list(records.values())


def _one_comparison(directories: Sequence[str | Path]) -> tuple[dict[str, Any], Axes]:
    contents = [describe(directory) for directory in directories]
    for directory, content in zip(directories, contents, strict=True):
        if is_scaling(content):
            raise ReportError(
                f"{str(directory)!r} holds a measurement of scaling, which goes into no other "
                "report. Report on it alone."
            )
        if content["config_hash"] != contents[0]["config_hash"]:
            raise ReportError(
                f"{str(directories[0])!r} and {str(directory)!r} are of different comparisons "
                f"(different: {difference(contents[0], content)}). Report on them one by one."
            )
    try:
        _check_arguments(contents[0]["config"])
        return contents[0], Axes.of(contents[0]["config"])
    except ValueError as error:
        reason = str(error).rstrip(".")
        raise ReportError(
            f"{str(Path(directories[0], CONFIG))!r} is none of a comparison: {reason}. Name "
            "another directory, or use the version that wrote it."
        ) from error


def _check_arguments(config: Mapping[str, Any]) -> None:
    """Refuse arguments that tables and pictures could not be made of.

    Raises:
        ValueError: Without a full stop at its end.
    """
    for name in ("task_sets", "policies", "budgets"):
        for entry in (entries := _some(config, name)):
            if not isinstance(entry, dict):
                raise ValueError(f"an entry of {name} must be an object, got {shown(entry)}")
            check_name(f"name of an entry of {name}", entry.get("name"))
            if not entry["name"]:
                raise ValueError(f"an entry of {name} must have a name, got none")
        _check_distinct(name, [entry["name"] for entry in entries])
    for entry in config["budgets"]:
        if parse_budget(entry["name"])["name"] != entry["name"]:
            raise ValueError(f"a budget is none, frames=N or steps=N, got {shown(entry['name'])}")
    for depth in (depths := _some(config, "depths")):
        if depth != "auto":
            _check_whole("a depth other than auto", depth, 0)
    _check_distinct("depths", depths)
    _check_whole("episodes", config.get("episodes"), 1)
    if config.get("max_steps") is not None:
        _check_whole("max_steps", config["max_steps"], 1)


def _some(config: Mapping[str, Any], name: str) -> list[Any]:
    found = config.get(name)
    if not isinstance(found, list) or not found:
        raise ValueError(f"{name} must be a list of one or more, got {shown(found)}")
    return found


def _check_whole(name: str, value: Any, low: int) -> None:
    if not is_whole(value) or not low <= value <= MOST_COUNT:
        raise ValueError(f"{name} must be a whole number from {low}, got {shown(value)}")


def _check_distinct(name: str, values: Sequence[Any]) -> None:
    if len(set(values)) < len(values):
        raise ValueError(f"entries of {name} must differ, got {shown(values)}")


def _check_places(axes: Axes, records: Iterable[Record], directory: str | Path) -> None:
    """Refuse records of episodes that the comparison does not have."""
    pages, policies, depths = set(axes.pages), set(axes.policies), set(axes.depths)
    for record in records:
        page = (record.task_set, record.budget)
        is_asked = page in pages and record.policy in policies and record.depth in depths
        if not is_asked or record.task_index >= axes.episodes:
            raise ReportError(
                f"episode {record.key} in {str(directory)!r} is none of those that its "
                "configuration asks for. It was changed by hand; name another directory."
            )
