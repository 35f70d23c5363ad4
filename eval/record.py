"""One line of the records: what was played in an episode, what came out, what it cost.

JSON under a schema version. A record that exists is valid: making one checks every field, so that
what is made of records need not, whoever wrote them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, astuple, dataclass, fields
from typing import Any, get_type_hints

import numpy as np

from eval.checks import (
    MOST_COUNT,
    check_entries,
    check_evidence,
    check_looked,
    check_name,
    check_range,
    check_seconds,
    check_span,
    is_whole,
    kind_of,
    parse,
)
from policies.base import Policy
from policies.rollout import Episode
from videoatlas_gym.errors import shown
from videoatlas_gym.tasks import Task
from videoatlas_gym.usage import Usage

SCHEMA_VERSION = 2
MOST_GROUP = 4096
"""Characters: as many as the path of a file may have."""

Key = tuple[str, str, int | str, str, int]
"""(task set, policy, depth, budget, task index): what an episode is, within one configuration."""

VOLATILE = ("timing", "cache")
"""Fields that differ between equal runs: how long it took, and what caches happened to hold."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One episode: what was played, what came out, and what it cost.

    What is not described here is so in `policies.rollout.Episode`. All but the fields named in
    `VOLATILE` is the same in every run of a configuration, whatever executes it.
    """

    schema_version: int = SCHEMA_VERSION
    config_hash: str
    """Hash of the configuration that it was played under."""
    task_set: str
    policy: str
    depth: int | str
    """The depth budget, or "auto"."""
    budget: str
    """Name of the budget, such as "frames=256", or "none"."""
    task_index: int
    seed: int
    """The seed of the rollout."""
    task_id: str
    kind: str
    family: str
    """Type of question within the set, or ""."""
    group: str
    """Name of the footage: episodes of one group are dependent."""
    duration_seconds: float
    truth: list
    needs: list
    chance: float | None = None
    """Expected score of a guess drawn at random, in [0, 1]; None where it is not defined."""
    score: float | None = None
    """In [0, 1]; None where the episode does not count: `infra_error` or `error` says why."""
    answer: int | str | None = None
    evidence: list
    """Items kept: span, seconds, confidence and more, as the environment gives them at the end."""
    usage: dict
    actions: dict
    num_illegal: int = 0
    deepest: int = 0
    resolution_seconds: float = 0.0
    coverage_explored: float = 0.0
    coverage_dead: float = 0.0
    looked: list
    terminated: bool = False
    truncated: bool = False
    budget_exceeded: str = ""
    infra_error: str = ""
    """What failed that is not the policy's fault, or ""."""
    error: str = ""
    """Type and text of what the policy raised, or ""."""
    is_privileged: bool = False
    """Whether the policy was shown the truth."""
    reads_truth: bool = False
    """Whether what it saw was read for it by the truth, while it found its way without."""
    trajectory: str = ""
    """File below the directory, or "" where the policy raised."""
    sheet: str = ""
    """Picture of the episode below the directory, or "" where none was drawn."""
    timing: dict
    """`seconds` of wall-clock time."""
    cache: dict
    """`frames_decoded` by the decoder, and `peak_memory_bytes` of the process so far."""

    def __post_init__(self) -> None:
        self._check_types()
        self._check_ranges()
        self._check_nested()
        if (self.score is None) != bool(self.infra_error or self.error):
            raise ValueError("an episode has either a score or an infra_error or error")

    def _check_types(self) -> None:
        for name, allowed in _TYPES.items():
            value = getattr(self, name)
            is_wrong_bool = isinstance(value, bool) and allowed is not bool
            if is_wrong_bool or not isinstance(value, allowed):
                raise ValueError(f"{name} must be {kind_of(allowed)}, got {shown(value)}")
        if self.schema_version != SCHEMA_VERSION:
            raise ValueError(f"schema_version must be {SCHEMA_VERSION}, got {self.schema_version}")

    def _check_ranges(self) -> None:
        if self.depth != "auto" and not (is_whole(self.depth) and 0 <= self.depth <= MOST_COUNT):
            raise ValueError(
                f"depth must be a whole number from 0 or auto, got {shown(self.depth)}"
            )
        for name in ("task_index", "seed", "num_illegal", "deepest"):
            check_range(name, getattr(self, name), 0, MOST_COUNT)
        for name in ("duration_seconds", "resolution_seconds"):
            check_seconds(name, getattr(self, name))
        for name in ("chance", "score", "coverage_explored", "coverage_dead"):
            if (value := getattr(self, name)) is not None:
                # Sums of many cells' lengths may exceed the whole by what rounding adds.
                check_range(name, value, 0, 1 + 1e-6 * name.startswith("coverage"))
        for name in ("task_set", "policy", "budget", "kind", "family"):
            check_name(name, getattr(self, name))
        if len(self.group) > MOST_GROUP:
            raise ValueError(f"group must have at most {MOST_GROUP} characters, got more")

    def _check_nested(self) -> None:
        for name, entries in _ENTRIES.items():
            check_entries(name, getattr(self, name), entries)
        check_entries("actions", self.actions, dict.fromkeys(self.actions, int))
        for name in ("truth", "needs"):
            for span in getattr(self, name):
                check_span(f"a span of {name}", span)
        check_evidence(self.evidence)
        check_looked(self.looked)

    @classmethod
    def of(
        cls,
        episode: Episode,
        key: Key,
        *,
        config_hash: str,
        seed: int,
        task: Task,
        policy: Policy,
        error: str = "",
        trajectory: str = "",
        sheet: str = "",
    ) -> Record:
        """Return the record of an episode of a task; a video that failed leaves much empty."""
        task_set, policy_name, depth, budget, task_index = key
        return cls(
            config_hash=config_hash,
            task_set=task_set,
            policy=policy_name,
            depth=depth,
            budget=budget,
            task_index=task_index,
            seed=seed,
            task_id=task.task_id,
            kind=task.kind,
            family=task.family,
            group=task.group,
            duration_seconds=float(episode.duration_seconds),
            truth=[list(astuple(span)) for span in task.truth],
            needs=[list(astuple(span)) for span in task.needs],
            chance=None if task.chance is None else float(task.chance),
            score=None if episode.score is None else float(episode.score),
            answer=episode.answer,
            evidence=episode.evidence,
            usage=episode.usage.to_json(),
            actions=episode.actions,
            num_illegal=episode.num_illegal,
            deepest=episode.deepest,
            resolution_seconds=float(episode.resolution_seconds),
            coverage_explored=float(episode.coverage_explored),
            coverage_dead=float(episode.coverage_dead),
            looked=episode.looked,
            terminated=episode.terminated,
            truncated=episode.truncated,
            budget_exceeded=episode.budget_exceeded,
            infra_error=episode.infra_error,
            error=error,
            is_privileged=policy.is_privileged,
            reads_truth=policy.reads_truth,
            trajectory=trajectory,
            sheet=sheet,
            timing={"seconds": float(episode.seconds)},
            cache={
                "frames_decoded": episode.frames_decoded,
                "peak_memory_bytes": episode.peak_memory_bytes,
            },
        )

    @property
    def key(self) -> Key:
        """Which episode it is."""
        return self.task_set, self.policy, self.depth, self.budget, self.task_index

    def to_line(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(asdict(self), allow_nan=False, default=_plain) + "\n"

    def lasting(self) -> dict[str, Any]:
        """Return the fields that every run of the configuration gives alike (not `VOLATILE`)."""
        return {name: value for name, value in vars(self).items() if name not in VOLATILE}

    @classmethod
    def from_line(cls, line: str | bytes) -> Record:
        """Read what `to_line` wrote.

        Raises:
            ValueError: If it is anything else.
        """
        data = parse(line)
        if not isinstance(data, dict) or data.get("schema_version") != SCHEMA_VERSION:
            found = data.get("schema_version") if isinstance(data, dict) else None
            raise ValueError(f"it has schema {shown(found)}, this version reads {SCHEMA_VERSION}")
        if difference := sorted(data.keys() ^ _TYPES.keys()):
            raise ValueError(f"missing or unknown fields: {shown(', '.join(difference))}")
        return cls(**data)


_TYPES: dict[str, Any] = {
    field.name: get_type_hints(Record)[field.name] for field in fields(Record)
}


_ENTRIES: dict[str, dict[str, type]] = {
    "usage": {field.name: int for field in fields(Usage)},
    "timing": {"seconds": float},
    "cache": {"frames_decoded": int, "peak_memory_bytes": int},
}
"""What the nested fields hold, and nothing else."""


def _plain(value: object) -> int | float | bool:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a record holds plain data, got {type(value).__name__}.")
