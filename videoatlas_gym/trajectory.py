"""What happened in an episode, as data that can be stored, read back and replayed to the pixel.

Two kinds of event: an action taken, and a merge of forks with the forks' own starts and events.
Pictures are not stored: a replay decodes them again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoatlas_gym.actions import Action
from videoatlas_gym.env import VideoAtlasEnv
from videoatlas_gym.state import AtlasState

SCHEMA_VERSION = 1


@dataclass
class Trajectory:
    """The events of one episode, or of one fork."""

    task_index: int
    """Which task of the set the episode was about."""
    seed: int | None = None
    """The seed given to `reset`."""
    start: AtlasState | None = None
    """Where it began; for forks only, whose `task_index` is -1."""
    events: list[dict[str, Any]] = field(default_factory=list)

    def add_action(self, action: Action, *, is_legal: bool = True, text: str = "") -> None:
        """Record an action; `text` is what a model said about it."""
        event: dict[str, Any] = {"type": "action", "action": action.to_json()}
        if not is_legal:
            event["is_legal"] = False
        if text:
            event["text"] = text
        self.events.append(event)

    def add_merge(self, forks: list[Trajectory]) -> None:
        """Record that the finds of forks were taken over."""
        self.events.append({"type": "merge", "forks": [fork.to_json() for fork in forks]})

    @property
    def actions(self) -> list[Action]:
        """The actions taken, without those of forks."""
        return [Action.from_json(e["action"]) for e in self.events if e["type"] == "action"]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data from which `from_json` makes an equal trajectory."""
        return {
            "schema_version": SCHEMA_VERSION,
            "task_index": self.task_index,
            "seed": self.seed,
            "start": self.start and self.start.to_json(),
            "events": self.events,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Trajectory:
        """Read what `to_json` wrote.

        Raises:
            ValueError: If it was written under another schema.
        """
        if data.get("schema_version") != SCHEMA_VERSION:
            raise ValueError(
                f"cannot read a trajectory of schema {data.get('schema_version')!r}; this version "
                f"reads {SCHEMA_VERSION}. Use the version that wrote it."
            )
        start = data["start"] and AtlasState.from_json(data["start"])
        return cls(data["task_index"], data["seed"], start, list(data["events"]))

    def save(self, path: str | Path) -> None:
        """Write it as JSON lines, atomically: a header, then an event per line."""
        path = Path(path)
        header = {**self.to_json(), "events": None}
        lines = [json.dumps(header), *(json.dumps(event) for event in self.events)]
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
        os.replace(partial, path)

    @classmethod
    def load(cls, path: str | Path) -> Trajectory:
        """Read what `save` wrote.

        Raises:
            ValueError: If the file is no trajectory of this schema.
        """
        try:
            lines = Path(path).read_text(encoding="utf-8").splitlines()
            header, *events = (json.loads(line) for line in lines)
            data = {**header, "events": events}
        except (TypeError, ValueError) as error:
            raise ValueError(f"{str(path)!r} is not a trajectory: {error}.") from error
        return cls.from_json(data)


Moment = tuple[dict[str, NDArray], float, bool, bool, dict[str, Any]]
"""observation, reward, terminated, truncated, info: what `step` returns."""


def replay(env: VideoAtlasEnv, trajectory: Trajectory) -> Iterator[Moment]:
    """Take the same actions and merges again in an environment made alike.

    Args:
        env: The unwrapped environment, with the task set and options of the recording.
        trajectory: What to replay; masked actions are counted no-ops again.

    Yields:
        What `reset` returned (as a step without reward), then one entry per event.
    """
    if trajectory.start is not None:
        fork = env.resume_fork(trajectory.start)
        yield _still(*fork.reset())
        yield from _events(fork, trajectory)
        return
    options = {"task": trajectory.task_index}
    yield _still(*env.reset(seed=trajectory.seed, options=options))
    yield from _events(env, trajectory)


def _events(env: VideoAtlasEnv, trajectory: Trajectory) -> Iterator[Moment]:
    for event in trajectory.events:
        if event["type"] == "merge":
            ends = [_end_of_fork(env, Trajectory.from_json(data)) for data in event["forks"]]
            yield _still(*env.merge(*ends))
        else:
            yield env.step(Action.from_json(event["action"]))


def _end_of_fork(env: VideoAtlasEnv, trajectory: Trajectory) -> AtlasState:
    fork = env.resume_fork(trajectory.start)
    fork.reset()
    for _ in _events(fork, trajectory):
        pass
    return fork.state


def _still(observation: dict[str, NDArray], info: dict[str, Any]) -> Moment:
    return observation, 0.0, False, False, info


def same_pixels(one: dict[str, NDArray], other: dict[str, NDArray]) -> bool:
    """Whether two observations are equal in every array, to the last bit."""
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)
