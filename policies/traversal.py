"""Tree search over cells: one loop, several frontiers.

In each newly opened grid the loop scores all cells, keeps what its reader asks for, pushes the
cells that may be opened onto the frontier, and walks to the one the frontier returns. Only the
frontier differs between strategies. A view is never opened twice for its own sake; passing through
an opened grid on the way costs steps but shows no new frames.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from policies.base import Decision, Info, Observation, Policy, World
from policies.frontiers import Chronicle, Frontier, Heap, Levels, Queue, Stack
from policies.reading import AnswerReader, ScoreReader
from policies.relevance import Combined, RelevanceScorer
from videoatlas_gym.actions import Action, codes
from videoatlas_gym.span import Cell
from videoatlas_gym.state import AtlasState


class Traversal(Policy):
    """The loop. Subclasses name a frontier.

    Args:
        scorer: How promising cells look; `Combined` if None.
        reader: What is kept and answered, and when to stop; `ScoreReader` if None.
    """

    takes: ClassVar[tuple[str, ...]] = ("scorer", "reader")
    frontier: ClassVar[Callable[[], Frontier]]
    stops_early: ClassVar[bool] = True
    """Whether it ends as soon as its reader has enough."""
    env_options: ClassVar[dict[str, Any]] = {"dead_zones": "never"}

    def __init__(self, scorer: RelevanceScorer | None = None, reader: AnswerReader | None = None):
        self.scorer = scorer or Combined()
        self.reader = reader or ScoreReader()
        self.reads_truth = self.reader.reads_truth

    def new_frontier(self) -> Frontier:
        """Return the empty frontier of an episode."""
        return type(self).frontier()

    def reset(self, observation: Observation, info: Info) -> None:
        """Begin with an empty frontier."""
        self._waiting = self.new_frontier()
        self._seen: set[Cell] = set()
        self._to_keep: deque[Action] = deque()
        self._target: Cell | None = None
        self.reader.begin(observation, seed=self.seed, task=self.task)

    def act(self, observation: Observation, info: Info) -> Decision:
        """Look at a new view once, then keep, walk on, or end.

        The last step is kept for the answer, and so are frames: a view that might not fit into what
        is left of them is not opened, because it would end the episode unanswered.
        """
        state = self.world.state
        if state.current not in self._seen:
            self._look(state, observation, info)
        if steps_left(state, observation) <= 1:
            return Decision(self._last(state, info))
        if self._to_keep:
            return Decision(self._to_keep.popleft())
        if self.stops_early and self.reader.has_enough(state):
            return Decision(self.reader.answer(state, info))
        while self._target is None or self._target in self._seen:
            if not len(self._waiting):
                return Decision(self.reader.answer(state, info))
            self._target = self._waiting.pop()
        step = step_towards(state, self._target)
        is_new = step.verb == "EXPAND" and state.current.child(step.cell) == self._target
        if is_new and frames_left(self.world, observation) < state.num_cells:
            return Decision(self.reader.answer(state, info))
        return Decision(step)

    def _look(self, state: AtlasState, observation: Observation, info: Info) -> None:
        """Push what can be opened; note what is to be kept."""
        self._seen.add(state.current)
        relevance = self.scorer(observation, info)
        expandable = np.flatnonzero(info["action_mask"][codes("EXPAND", state.num_cells)])
        self._waiting.push([(float(relevance[i]), state.current.child(int(i))) for i in expandable])
        self._to_keep.extend(self.reader.keep(state, observation, info, relevance))

    def _last(self, state: AtlasState, info: Info) -> Action:
        """Answer; where FINISHED would say nothing, rather keep what is still to be kept."""
        answer = self.reader.answer(state, info)
        says_nothing = answer == Action("FINISHED")
        return self._to_keep.popleft() if says_nothing and self._to_keep else answer


class BreadthFirst(Traversal):
    """Opens all cells of a level, in order of time, before any of the next."""

    name = "bfs"
    is_guided = False
    frontier = Queue


class DepthFirst(Traversal):
    """Opens the most relevant cell of each view and goes down before it goes on.

    Priority: newest view, then relevance; ties go to the earlier cell.
    """

    name = "dfs"
    frontier = Stack


class BestFirst(Traversal):
    """Opens the most relevant cell of all that were seen.

    Priority: relevance; ties go to the deeper cell, then to the earlier one.
    """

    name = "best-first"
    frontier = Heap


class Exhaustive(Traversal):
    """Opens every cell down to the depth budget, depth first in order of time.

    A control: the scorer does not guide it, and it never stops because something was found. Its
    cost is linear in the video: ``1 + n + n**2 + ... + n**max_depth`` views of n cells, as far as
    cells are long enough to open, and about twice as many steps; the default limit of steps is far
    below that.
    """

    name = "exhaustive"
    is_guided = False
    frontier = Chronicle
    stops_early = False


class Beam(Traversal):
    """Opens at each depth only the `width` most relevant cells, level by level.

    Priority: the cells of a level compete when the level before it is through; the most relevant
    is opened first, ties go to the earlier cell. At most ``1 + width * max_depth`` views.

    Args:
        scorer: See `Traversal`.
        reader: See `Traversal`.
        width: Cells opened per depth, 1 or more.
    """

    name = "beam"
    takes = ("scorer", "reader", "width")

    def __init__(
        self,
        scorer: RelevanceScorer | None = None,
        reader: AnswerReader | None = None,
        *,
        width: int = 3,
    ):
        super().__init__(scorer, reader)
        if width < 1:
            raise ValueError(f"a beam is 1 or more cells wide, got {width}.")
        self.width = width

    def new_frontier(self) -> Frontier:
        """Return an empty frontier of the beam's width."""
        return Levels(self.width)


def step_towards(state: AtlasState, target: Cell) -> Action:
    """Return the action that leads from the current grid to the cell's (traversal dfs)."""
    if state.view_kind != "grid" or not target.is_within(state.current):
        return Action("BACKTRACK")
    return Action("EXPAND", target.path[state.current.depth])


def steps_left(state: AtlasState, observation: Observation) -> float:
    """How many steps the observation says are left: from the share left and the steps taken."""
    share = float(observation["position"][-2])
    if share >= 1.0:
        return float("inf") if state.steps else 2.0
    return round(state.steps * share / (1 - share))


def frames_left(world: World, observation: Observation) -> float:
    """How many new frames may still be shown: from the share left and the frames shown so far."""
    share = float(observation["position"][-1])
    return math.inf if share >= 1.0 else round(world.usage.frames * share / (1 - share))
