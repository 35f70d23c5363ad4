"""What happened in an episode, as data that can be stored, read back and replayed to the pixel.

Kinds of event: a fork made (with the state that it begins at), a reset of a fork, an action taken,
a merge of forks. Those of forks carry the fork's number and stand, merged or not, in the order in
which they happened, since forks spend the same budgets. Pictures are not stored: a replay decodes
them again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoatlas_gym.actions import Action
from videoatlas_gym.env import VideoAtlasEnv
from videoatlas_gym.files import replacing
from videoatlas_gym.state import AtlasState
from videoatlas_gym.video.preview import MIDPOINT

SCHEMA_VERSION = 1


@dataclass
class Trajectory:
    """The events of one episode, those of its forks included."""

    task_index: int
    """Which task of the set the episode was about."""
    seed: int | None = None
    """The seed given to `reset`."""
    events: list[dict[str, Any]] = field(default_factory=list)
    representative: str = "midpoint"
    """What stood for the cells of grids; see `VideoAtlasEnv`."""

    def add_action(
        self, action: Action, *, is_legal: bool = True, text: str = "", fork: int | None = None
    ) -> None:
        """Record an action, of the fork with a number if given; `text` is what a model said."""
        event: dict[str, Any] = {"type": "action", "action": action.to_json()} | _of(fork)
        if not is_legal:
            event["is_legal"] = False
        if text:
            event["text"] = text
        self.events.append(event)

    def add_fork(self, fork: int, start: AtlasState) -> None:
        """Record that a fork was made, whose number must be new."""
        self.events.append({"type": "fork", "start": start.to_json()} | _of(fork))

    def add_reset(self, fork: int) -> None:
        """Record that a fork went to where it begins and showed it."""
        self.events.append({"type": "reset"} | _of(fork))

    def add_merge(self, forks: list[int], *, fork: int | None = None) -> None:
        """Record that the finds of forks were taken over, by a fork if its number is given."""
        self.events.append({"type": "merge", "forks": forks} | _of(fork))

    @property
    def actions(self) -> list[Action]:
        """The actions taken, without those of forks."""
        own = (event for event in self.events if "fork" not in event)
        return [Action.from_json(event["action"]) for event in own if event["type"] == "action"]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data from which `from_json` makes an equal trajectory."""
        return {
            "schema_version": SCHEMA_VERSION,
            "task_index": self.task_index,
            "seed": self.seed,
            **({} if self.representative == MIDPOINT else {"representative": self.representative}),
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
        representative = data.get("representative", MIDPOINT)
        return cls(data["task_index"], data["seed"], list(data["events"]), representative)

    def save(self, path: str | Path) -> None:
        """Write it as JSON lines, atomically: a header, then an event per line."""
        path = Path(path)
        header = {**self.to_json(), "events": None}
        lines = [json.dumps(header), *(json.dumps(event) for event in self.events)]
        with replacing(path) as partial:
            partial.write_text("\n".join(lines) + "\n", encoding="utf-8")

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


def _of(fork: int | None) -> dict[str, int]:
    return {} if fork is None else {"fork": fork}


Moment = tuple[dict[str, NDArray], float, bool, bool, dict[str, Any]]
"""observation, reward, terminated, truncated, info: what `step` returns."""


def replay(env: VideoAtlasEnv, trajectory: Trajectory) -> Iterator[Moment]:
    """Take the same actions and merges again in an environment made alike, and play its forks.

    Equal are pictures, states and rewards, and usage but for model calls and tokens, which are not
    spent again. What ran out of time or failed to decode in a fork is not recorded, although its
    step was counted: from there on `steps_left` in the position may differ. Forks that threads
    stepped at the same time take turns, so where frames ran out it may be another one that stops.

    Args:
        env: The unwrapped environment, with the task set and options of the recording.
        trajectory: What to replay; masked actions are counted no-ops again.

    Yields:
        What `reset` returned (as a step without reward), then one entry per event, those of forks
        left out.

    Raises:
        ValueError: If other frames stand for the cells than did then.
    """
    if env.representative != trajectory.representative:
        raise ValueError(
            f"the episode was played with representative={trajectory.representative!r}, this "
            f"environment has {env.representative!r}: other frames were shown. Make it alike."
        )
    options = {"task": trajectory.task_index}
    yield _still(*env.reset(seed=trajectory.seed, options=options))
    forks: dict[int, VideoAtlasEnv] = {}
    for event in trajectory.events:
        number = event.get("fork")
        if event["type"] == "fork":
            forks[number] = env.resume_fork(AtlasState.from_json(event["start"]))
            continue
        moment = _again(env if number is None else forks[number], event, forks)
        if number is None:
            yield moment


def _again(env: VideoAtlasEnv, event: dict[str, Any], forks: dict[int, VideoAtlasEnv]) -> Moment:
    if event["type"] == "reset":
        return _still(*env.reset())
    if event["type"] == "merge":
        return _still(*env.merge(*(forks[number] for number in event["forks"])))
    return env.step(Action.from_json(event["action"]))


def _still(observation: dict[str, NDArray], info: dict[str, Any]) -> Moment:
    return observation, 0.0, False, False, info


def same_pixels(one: dict[str, NDArray], other: dict[str, NDArray]) -> bool:
    """Whether two observations are equal in every array, to the last bit."""
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)
