"""What an evaluation leaves behind: a directory with its configuration and a line per episode.

Knows how to keep results safe, not how to get them. Nothing in a directory is ever overwritten or
deleted, the torn last line of a killed writer excepted; what a reader gets has been validated.

    DIR/config.json             arguments, versions, and their hash
    DIR/records.jsonl           one `Record` per line, in the order of the comparison
    DIR/records-2-of-4.jsonl    those of a shard; readers take all such files
    DIR/trajectories/           one file per episode, written before its record
    DIR/sheets/                 pictures of some episodes, written before their records
    DIR/report.md, DIR/report/  what `eval.report` makes of the above

Several shards may write at the same time, on several machines that share the directory.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import av
import gymnasium
import numpy as np
import PIL

import videoatlas_gym
from eval.checks import check_tree, parse
from eval.record import SCHEMA_VERSION, Key, Record
from videoatlas_gym.errors import shown
from videoatlas_gym.files import partial_of, write_atomically, write_synced
from videoatlas_gym.trajectory import Trajectory

CONFIG, RECORDS = "config.json", "records.jsonl"
TRAJECTORIES, SHEETS = "trajectories", "sheets"

_HASHED = ("schema_version", "config", "versions")
_ENTRIES: dict[str, type] = {
    "config_hash": str,
    "schema_version": int,
    "config": dict,
    "versions": dict,
    "notes": dict,
}
"""What a configuration holds; `_HASHED` is what its hash is of."""

Shard = tuple[int, int]
"""(i, n): part i of n of the tasks, 1 <= i <= n."""


class RunDirectoryError(ValueError):
    """A directory cannot take these records; the message says why and what to do."""


def versions() -> dict[str, str]:
    """Return the versions that results depend on, by name."""
    return {
        "python": platform.python_version(),
        "videoatlas_gym": videoatlas_gym.__version__,
        "gymnasium": gymnasium.__version__,
        "numpy": np.__version__,
        "av": av.__version__,
        "pillow": PIL.__version__,
    }


def records_name(shard: Shard | None = None) -> str:
    """Return the name of the file that a run, or a shard of it, writes its records to."""
    return RECORDS if shard is None else "records-{}-of-{}.jsonl".format(*shard)


def record_files(path: str | Path) -> list[Path]:
    """Return the files of records in a directory, those of shards last, in order of name."""
    path = Path(path)
    of_shards = sorted(path.glob("records-*-of-*.jsonl"))
    return [file for file in (path / RECORDS, *of_shards) if file.is_file()]


def hash_of_run(config: Mapping[str, Any]) -> str:
    """Return the hash of a configuration under the versions that are installed here."""
    return hash_of(_content(config))


def is_run(path: str | Path) -> bool:
    """Whether a directory holds a run; False where there is nothing yet.

    Raises:
        RunDirectoryError: If something else is there.
    """
    path = Path(path)
    if not path.exists():
        return False
    if not path.is_dir():
        raise RunDirectoryError(f"{str(path)!r} is a file. Name a new directory for the records.")
    # Listed before the configuration is looked for: another shard may be setting up the directory.
    there = {p for p in path.iterdir() if not _is_partial(p)}
    if (path / CONFIG).is_file():
        return True
    # A run killed while it was being set up leaves these, and nothing to lose in them.
    begun = {p for p in record_files(path) if p.stat().st_size == 0}
    if others := sorted(there - begun):
        raise RunDirectoryError(
            f"{str(path)!r} is not empty and holds no run (found {others[0].name!r}). "
            "Name a new or an empty directory; nothing was changed."
        )
    return False


def read_config(path: str | Path) -> dict[str, Any]:
    """Return the configuration of a run: its arguments, versions, notes and their hash.

    Raises:
        RunDirectoryError: If there is none, none of this schema, or its hash is of another one.
    """
    path = Path(path)
    if not is_run(path):
        raise RunDirectoryError(f"{str(path)!r} holds no run. Name the directory of one.")
    try:
        data = parse((path / CONFIG).read_bytes())
        found = data["schema_version"] if isinstance(data, dict) else None
        if found == SCHEMA_VERSION:
            _check_config(data)
    except (ValueError, KeyError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise RunDirectoryError(
            f"{str(path / CONFIG)!r} is no configuration of a run ({reason}). Name a new directory."
        ) from error
    if found != SCHEMA_VERSION:
        raise RunDirectoryError(
            f"{str(path)!r} was written under schema {shown(found)}, this version reads "
            f"{SCHEMA_VERSION}. Name a new directory, or use the version that wrote it."
        )
    if data["config_hash"] != hash_of({name: data[name] for name in _HASHED}):
        raise RunDirectoryError(
            f"{str(path / CONFIG)!r} was changed after the run began: its config_hash is not that "
            "of what it says. Put back what it said, or name a new directory."
        )
    return data


def _check_config(data: Mapping[str, Any]) -> None:
    if difference := sorted(data.keys() ^ _ENTRIES.keys()):
        raise ValueError(f"missing or unknown entries: {shown(', '.join(difference))}")
    for name, kind in _ENTRIES.items():
        if not isinstance(data[name], kind):
            raise ValueError(f"{name} must be {kind.__name__}, got {shown(data[name])}")
    for name, version in data["versions"].items():
        if not isinstance(version, str):
            raise ValueError(f"version of {shown(name)} must be str, got {shown(version)}")
    check_tree(data)


def read_records(path: str | Path) -> list[Record]:
    """Return the records of a run and its shards, each episode once; changes nothing.

    The last line of a file is left out where it is torn. Order: that of `record_files`.

    Raises:
        RunDirectoryError: If a line is no record of this run and schema, or an episode is there
            twice with different outcomes.
    """
    config_hash = read_config(path)["config_hash"]
    records: dict[Key, Record] = {}
    for file in record_files(path):
        for number, line in enumerate(file.read_bytes().split(b"\n")[:-1], 1):
            try:
                _add(records, line, config_hash)
            except ValueError as error:
                raise RunDirectoryError(
                    f"line {number} of {str(file)!r} cannot be used: {error}. "
                    "Name a new directory; nothing was changed."
                ) from error
    return list(records.values())


def _add(records: dict[Key, Record], line: bytes, config_hash: str) -> None:
    record = Record.from_line(line)
    if record.config_hash != config_hash:
        raise ValueError("it belongs to another configuration")
    first = records.setdefault(record.key, record)
    if first.lasting() != record.lasting():
        differing = [name for name, value in first.lasting().items() if value != vars(record)[name]]
        raise ValueError(
            f"episode {record.key} was recorded before with another {', '.join(differing)}"
        )


class RunDirectory:
    """A run that can be written to: begins in a new or empty directory, or resumes an equal one.

    One writer per file of records; the lock ends with the process that holds it. Each record is on
    the disk before `append` returns.

    Args:
        path: The directory; made if it is missing.
        config: What determines the results, as plain JSON data. Versions are added to it.
        notes: What else is worth keeping, such as where files lay. Not part of the hash; of shards,
            those of the first are kept.
        shard: Writes to the file of a shard.

    Raises:
        RunDirectoryError: If another run or anything else is there, or another process writes.
    """

    def __init__(
        self,
        path: str | Path,
        config: Mapping[str, Any],
        *,
        notes: Mapping[str, Any] | None = None,
        shard: Shard | None = None,
    ):
        self.path = Path(path)
        content = _content(config)
        self.config_hash = hash_of(content)
        is_run(self.path)  # raises before anything is written where no run belongs
        if (self.path / CONFIG).is_file():
            self._check_equal(content)
        self.path.mkdir(parents=True, exist_ok=True)
        self._records_path = self.path / records_name(shard)
        self._file = os.open(self._records_path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            self._lock()
            if not is_run(self.path):
                described = {"config_hash": self.config_hash, **content, "notes": dict(notes or {})}
                _write_once(self.path / CONFIG, json.dumps(described, indent=2) + "\n")
            self._check_equal(content)
            self._records = {record.key: record for record in read_records(self.path)}
            self._cut_torn_line()
            for folder in (TRAJECTORIES, SHEETS):
                (self.path / folder).mkdir(exist_ok=True)
        except BaseException:
            self.close()
            raise

    @property
    def records(self) -> dict[Key, Record]:
        """All records so far by episode, in the order in which they were written."""
        return dict(self._records)

    def append(
        self, record: Record, trajectory: Trajectory | None = None, sheet: bytes | None = None
    ) -> None:
        """Keep an episode: its trajectory and its picture first, then its record.

        Raises:
            ValueError: If the record is of another configuration, or of an episode that is there.
        """
        if record.config_hash != self.config_hash or record.key in self._records:
            raise ValueError(f"record {record.key} is there already, or of another configuration.")
        if trajectory is not None:
            trajectory.save(self.path / record.trajectory)
        if sheet is not None:
            write_atomically(self.path / record.sheet, sheet)
        left = memoryview(record.to_line().encode())
        while left:
            left = left[os.write(self._file, left) :]
        os.fsync(self._file)
        self._records[record.key] = record

    def close(self) -> None:
        """Give the lock back."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunDirectoryError(
                f"another process is writing to {str(self._records_path)!r}. Wait for it or name "
                "another directory."
            ) from error

    def _check_equal(self, content: dict[str, Any]) -> None:
        there = read_config(self.path)
        if there["config_hash"] == self.config_hash:
            return
        raise RunDirectoryError(
            f"{str(self.path)!r} holds another run (different: {difference(there, content)}). "
            "Name a new directory, or repeat its arguments to resume it; nothing was changed."
        )

    def _cut_torn_line(self) -> None:
        """Remove what follows the last end of line: a write that a kill cut short."""
        kept = self._records_path.read_bytes()
        os.ftruncate(self._file, kept.rfind(b"\n") + 1)


def _content(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "config": json.loads(json.dumps(config)),
        "versions": versions(),
    }


def hash_of(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the canonical JSON of some data."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Name the arguments and the versions that differ between two configurations."""
    first, second = (
        {**data["config"], **{f"{name} version": v for name, v in data["versions"].items()}}
        for data in (one, other)
    )
    names = sorted(n for n in first.keys() | second.keys() if first.get(n) != second.get(n))
    return ", ".join(names) or "nothing but the hash"


def _write_once(path: Path, text: str) -> None:
    """Write a file, atomically, unless it is there: of several writers the first one wins."""
    with partial_of(path) as partial, suppress(FileExistsError):
        write_synced(partial, text)
        os.link(partial, path)


def _is_partial(path: Path) -> bool:
    return path.name.startswith(".") and ".partial" in path.suffixes
