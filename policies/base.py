"""What a policy is, and what it may see of the world beyond its observations.

A policy never sees the truth, the score or the reward. Privileged ones (the oracle) are bound with
the task as well and are marked in every table.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import gymnasium as gym
from numpy.typing import NDArray

from videoatlas_gym.actions import Action, decode
from videoatlas_gym.span import Cell
from videoatlas_gym.state import AtlasState
from videoatlas_gym.tasks import Task
from videoatlas_gym.trajectory import Trajectory
from videoatlas_gym.usage import Usage

Observation = dict[str, NDArray]
Info = dict[str, Any]

HIDDEN_INFO = ("reward_terms", "score")
"""Entries of `info` that are for trainers and evaluation, never for policies."""


@dataclass(frozen=True)
class Decision:
    """What a policy decided, and what deciding cost."""

    action: Action | int
    text: str = ""
    """What a model said; goes into the trajectory."""
    usage: Usage = field(default_factory=Usage)
    """Model calls and tokens spent on it."""


class World:
    """An episode as a policy may use it: see the state, look ahead on forks, merge their finds."""

    def __init__(self, env: gym.Env, trajectory: Trajectory):
        self._env, self._trajectory = env, trajectory
        self._number: int | None = None
        self._numbers = itertools.count()

    @property
    def state(self) -> AtlasState:
        """Where the episode stands."""
        return self._env.unwrapped.state

    @property
    def usage(self) -> Usage:
        """What the episode has spent, forks included."""
        return self._env.unwrapped.ledger.usage

    def fork(self, cell: Cell | None = None) -> Fork:
        """Return a fork of the same place or of a subtree; everything it costs is booked here.

        Raises:
            IllegalAction: If the cell may not be opened.
        """
        env = self._env.get_wrapper_attr("fork")(cell)
        return Fork(env, self._trajectory, self._numbers)

    def merge(self, *forks: Fork) -> tuple[Observation, Info]:
        """Take over what forks found and ruled out; return what is seen now."""
        self._env.unwrapped.merge(*(fork.state for fork in forks))
        self._trajectory.add_merge([fork._number for fork in forks], fork=self._number)
        return self._env.get_wrapper_attr("observe")()


class Fork(World):
    """A look ahead that can be stepped. Begins with `reset`; all it does is recorded."""

    is_over: bool = False
    """Whether it was finished, or stopped by a budget or a decoding failure."""

    def __init__(self, env: gym.Env, trajectory: Trajectory, numbers: Iterator[int]):
        super().__init__(env, trajectory)
        self._number, self._numbers = next(numbers), numbers
        trajectory.add_fork(self._number, env.unwrapped.state)

    def reset(self) -> tuple[Observation, Info]:
        """Go to where the fork begins; what it found so far is forgotten."""
        self.is_over = False
        observation, info = self._env.reset()
        self._trajectory.add_reset(self._number)
        return observation, info

    def step(self, action: Action | int) -> tuple[Observation, Info]:
        """Take an action; return what is seen then."""
        num_cells = self.state.num_cells
        named = action if isinstance(action, Action) else decode(action, num_cells)
        observation, _, terminated, truncated, info = self._env.step(action)
        # Where frames ran out, the step is booked and recorded: it runs out again in a replay.
        if "infra_error" not in info and info.get("budget_exceeded") in (None, "frames"):
            is_legal = info.get("is_legal", True)
            self._trajectory.add_action(named, is_legal=is_legal, fork=self._number)
        self.is_over = terminated or truncated
        return observation, info


class Policy:
    """Turns observations into actions; one instance plays one episode after another.

    Subclasses implement `act` and, where they remember things, `reset`.
    """

    name: str = "policy"
    """Its name in tables; that of an instance may be a spec such as ``beam:4@subtitles``."""
    takes: ClassVar[tuple[str, ...]] = ()
    """Arguments of its constructor that a spec may give: of scorer, reader, width."""
    is_privileged: ClassVar[bool] = False
    """Whether it is shown the task with its truth."""
    reads_truth: bool = False
    """Whether what it sees is read for it by the truth, while it finds its way without."""
    is_guided: ClassVar[bool] = True
    """Whether where it goes depends on what it sees."""
    env_options: ClassVar[dict[str, Any]] = {}
    """Environment arguments that the policy needs, such as its traversal."""

    world: World
    task: Task | None
    seed: int

    def prepare(self, query: str, options: Sequence[str]) -> None:
        """Hear the question of the next episode before any frame of its video is decoded."""

    def bind(self, world: World, *, seed: int = 0, task: Task | None = None) -> None:
        """Give the policy its world for one episode, before `reset`."""
        self.world, self.seed, self.task = world, seed, task

    def reset(self, observation: Observation, info: Info) -> None:
        """Begin an episode whose first view is given."""

    def act(self, observation: Observation, info: Info) -> Decision:
        """Choose the next action."""
        raise TypeError(f"{type(self).__name__} must implement act.")
