"""What an evaluation leaves behind: a directory with its configuration and a line per episode.

Knows how to keep results safe, not how to get them. Nothing in a directory is ever overwritten or
deleted, the torn last line of a killed writer excepted; what a reader gets has been validated.

    DIR/config.json      arguments, versions, and their hash
    DIR/records.jsonl    one `Record` per line, in the order in which episodes ended
    DIR/trajectories/    one file per episode, written before its record
    DIR/table.md         the table, once all episodes are there
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self, get_type_hints

import av
import gymnasium
import numpy as np
import PIL

import videoatlas_gym
from videoatlas_gym.trajectory import Trajectory

SCHEMA_VERSION = 1
CONFIG, RECORDS, TRAJECTORIES, TABLE = "config.json", "records.jsonl", "trajectories", "table.md"

Key = tuple[str, int | str, int]
"""(policy, depth, task index): what an episode is, within one configuration."""


class RunDirectoryError(Exception):
    """A directory cannot take these records; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One episode: what was played, what came out, and what it cost."""

    schema_version: int = SCHEMA_VERSION
    config_hash: str
    """Hash of the configuration that it was played under."""
    policy: str
    depth: int | str
    """The depth budget, or "auto"."""
    task_index: int
    seed: int
    """The seed of the rollout."""
    task_id: str
    kind: str
    group: str
    """Name of the footage: episodes of one group are dependent."""
    score: float | None = None
    """In [0, 1]; None where the episode does not count: `infra_error` or `error` says why."""
    answer: int | str | None = None
    evidence: list
    """Kept items as data, see `Evidence.to_json`."""
    usage: dict
    """What was spent, see `Usage`."""
    actions: dict
    """How often each verb was taken."""
    num_illegal: int = 0
    deepest: int = 0
    """Depth of the deepest grid opened, root = 0."""
    resolution_seconds: float = 0.0
    """Cell length of that grid, in seconds."""
    coverage_explored: float = 0.0
    """Share of the video inside opened cells."""
    coverage_dead: float = 0.0
    """Share of the video that was ruled out."""
    terminated: bool = False
    truncated: bool = False
    budget_exceeded: str = ""
    """Name of the budget that ended the episode, or ""."""
    infra_error: str = ""
    """What failed that is not the policy's fault, or ""."""
    error: str = ""
    """Type and text of what the policy raised, or ""."""
    is_privileged: bool = False
    """Whether the policy was shown the truth."""
    frames_decoded: int = 0
    """Decoder work: telemetry, depends on what caches held."""
    seconds: float = 0.0
    """Wall-clock time of the episode: telemetry."""
    trajectory: str = ""
    """File below the directory, or "" where the policy raised."""

    def __post_init__(self) -> None:
        for name, allowed in _TYPES.items():
            value = getattr(self, name)
            is_wrong_bool = isinstance(value, bool) and allowed is not bool
            if is_wrong_bool or not isinstance(value, allowed):
                raise ValueError(f"{name} must be {_name(allowed)}, got {value!r}")
        if self.schema_version != SCHEMA_VERSION:
            raise ValueError(f"schema_version must be {SCHEMA_VERSION}, got {self.schema_version}")
        if (self.score is None) != bool(self.infra_error or self.error):
            raise ValueError("an episode has either a score or an infra_error or error")
        if self.score is not None and not 0 <= self.score <= 1:
            raise ValueError(f"score must lie in [0, 1], got {self.score}")

    @property
    def key(self) -> Key:
        """Which episode it is."""
        return self.policy, self.depth, self.task_index

    def to_line(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(asdict(self), allow_nan=False, default=_plain) + "\n"

    @classmethod
    def from_line(cls, line: str | bytes) -> Record:
        """Read what `to_line` wrote.

        Raises:
            ValueError: If it is anything else.
        """
        data = json.loads(line)
        if not isinstance(data, dict) or data.get("schema_version") != SCHEMA_VERSION:
            found = data.get("schema_version") if isinstance(data, dict) else None
            raise ValueError(f"it has schema {found!r}, this version reads {SCHEMA_VERSION}")
        if difference := sorted(data.keys() ^ _TYPES.keys()):
            raise ValueError(f"missing or unknown fields: {', '.join(difference)}")
        return cls(**data)


_TYPES: dict[str, Any] = {
    name: hint for name, hint in get_type_hints(Record).items() if name in Record.__match_args__
} or {field.name: get_type_hints(Record)[field.name] for field in fields(Record)}


def _name(allowed: Any) -> str:
    return getattr(allowed, "__name__", str(allowed))


def _plain(value: object) -> int | float | bool:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a record holds plain data, got {type(value).__name__}.")
