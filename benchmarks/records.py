"""What a race leaves behind: a line of JSON per measurement, added to and never changed.

``DIR/records.jsonl`` holds one `Measurement` per line; all else in the directory is made from it.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks.stages import STAGES
from eval.checks import check_tree, parse
from videoatlas_gym.errors import shown

SCHEMA_VERSION = 1
RECORDS = "records.jsonl"
Key = tuple[str, str, int]
"""Video, method, round."""


@dataclass(frozen=True)
class Measurement:
    """What one method took on one video in one round, in a process of its own."""

    video: str
    """Its name in the race."""
    method: str
    round: int
    """From 1 on. All methods of a round were asked for the same frames."""
    about: str
    """What the video is."""
    duration_seconds: float
    file_bytes: int
    stages: Mapping[str, Mapping[str, float]]
    """For each stage that ended "cpu" and "wall" in seconds, "asked" and "wrong" frames; the floor
    also has "packets"."""
    rss_bytes: int
    """Peak memory from the start of the process until the root was shown."""
    error: str
    """Why the method went no further, "" if all went well."""
    busy_cores: float
    """Cores that other programs kept busy meanwhile."""
    load_average: float
    """Of the last minute, when it began."""
    machine: str
    versions: Mapping[str, str]
    """Of Python, this project (with its commit) and what the method is made of."""
    schema_version: int = SCHEMA_VERSION

    @property
    def key(self) -> Key:
        """What there is one measurement of."""
        return self.video, self.method, self.round

    def to_line(self) -> str:
        """Return it as a line of JSON."""
        return json.dumps(asdict(self), allow_nan=False) + "\n"

    @classmethod
    def from_line(cls, line: bytes) -> Self:
        """Read a line.

        Raises:
            ValueError: If it is no measurement of this schema.
        """
        data = parse(line)
        fields = cls.__dataclass_fields__
        if not isinstance(data, dict) or data.get("schema_version") != SCHEMA_VERSION:
            raise ValueError(f"it is no measurement of schema {SCHEMA_VERSION}")
        if data.keys() != fields.keys():
            raise ValueError(f"its entries must be {', '.join(fields)}")
        check_tree(data)
        for name in ("video", "method", "about", "error", "machine"):
            _check(isinstance(data[name], str), name, data[name])
        for name in ("duration_seconds", "file_bytes", "rss_bytes", "busy_cores", "load_average"):
            _check(_is_amount(data[name]), name, data[name])
        _check(type(data["round"]) is int and data["round"] > 0, "round", data["round"])
        _check(data["duration_seconds"] > 0, "duration_seconds", data["duration_seconds"])
        versions = data["versions"]
        is_text = isinstance(versions, dict) and all(isinstance(v, str) for v in versions.values())
        _check(is_text, "versions", versions)
        _check(_are_stages(data["stages"]), "stages", data["stages"])
        return cls(**data)


def _check(is_right: bool, name: str, value: Any) -> None:
    if not is_right:
        raise ValueError(f"its {name} cannot be {shown(value)}")


def _is_amount(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and value >= 0


def _are_stages(stages: Any) -> bool:
    return isinstance(stages, dict) and all(
        name in STAGES
        and isinstance(entry, dict)
        and entry.keys() >= {"cpu", "wall"}
        and all(map(_is_amount, entry.values()))
        for name, entry in stages.items()
    )


def read_measurements(directory: str | os.PathLike[str]) -> dict[Key, Measurement]:
    """Return the measurements of a race in the order in which they were made; changes nothing.

    The last line is left out if it is torn.

    Raises:
        ValueError: If there are none, or a line is no measurement of this schema.
    """
    path = Path(directory) / RECORDS
    if not path.is_file():
        raise ValueError(
            f"{str(directory)!r} holds no race (no {RECORDS}). Name the directory of one."
        )
    found: dict[Key, Measurement] = {}
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
        try:
            measurement = Measurement.from_line(line)
        except ValueError as error:
            raise ValueError(
                f"line {number} of {str(path)!r} cannot be used: {error}. Name a new directory; "
                "nothing was changed."
            ) from error
        found.setdefault(measurement.key, measurement)
    return found


class RaceDirectory:
    """A race that can be added to, by one process at a time.

    Args:
        path: The directory: made if missing, resumed if it holds a race.

    Raises:
        ValueError: If it holds something else, or another process writes there.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        records = self.path / RECORDS
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"{str(path)!r} is a file. Name a directory for the records.")
        if self.path.is_dir() and any(self.path.iterdir()) and not records.is_file():
            raise ValueError(f"{str(path)!r} is not empty and holds no race. Name a new directory.")
        self.path.mkdir(parents=True, exist_ok=True)
        self._file = os.open(records, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.measurements = read_measurements(path)
            os.ftruncate(self._file, records.read_bytes().rfind(b"\n") + 1)
        except BlockingIOError as error:
            self.close()
            raise ValueError(f"another process is writing to {str(records)!r}.") from error
        except BaseException:
            self.close()
            raise

    def append(self, measurement: Measurement) -> None:
        """Keep a measurement; it is on the disk when this returns."""
        os.write(self._file, measurement.to_line().encode())
        os.fsync(self._file)
        self.measurements[measurement.key] = measurement

    def close(self) -> None:
        """Let others write."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
