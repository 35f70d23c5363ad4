"""Tree search over cells: one loop, several frontiers.

In each newly opened grid the loop scores all cells, keeps the best one if it beats everything kept
so far, pushes the cells that may be opened onto the frontier, and walks to the one the frontier
returns. Only the frontier differs between strategies. A view is never opened twice for its own
sake; passing through an opened grid on the way costs steps but shows no new frames.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from policies.base import Decision, Info, Observation, Policy
from policies.relevance import PictureSimilarity, RelevanceScorer
from videoatlas_gym.actions import Action, codes
from videoatlas_gym.span import Cell
from videoatlas_gym.state import AtlasState

FOUND = 0.995
"""Relevance at which the search stops: the picture has been found."""


class Frontier(Protocol):
    """The cells that wait to be opened, in the order of a strategy."""

    def push(self, cells: list[tuple[float, Cell]]) -> None:
        """Add the cells of one view with their relevance, in the order of their indices."""

    def pop(self) -> Cell:
        """Remove and return the next cell to open."""

    def __len__(self) -> int:
        """Return the number of waiting cells."""


class Queue:
    """Breadth first: cells in the order in which they were seen, whatever their relevance."""

    def __init__(self) -> None:
        self._cells: deque[Cell] = deque()

    def push(self, cells: list[tuple[float, Cell]]) -> None:
        """Append the cells in the order of their indices."""
        self._cells.extend(cell for _, cell in cells)

    def pop(self) -> Cell:
        """Return the cell that has waited longest."""
        return self._cells.popleft()

    def __len__(self) -> int:
        return len(self._cells)


class Stack:
    """Depth first: the most relevant cell of the newest view; ties go to the earlier cell."""

    def __init__(self) -> None:
        self._cells: list[Cell] = []

    def push(self, cells: list[tuple[float, Cell]]) -> None:
        """Put the cells on top, the most relevant one uppermost."""
        self._cells += [cell for _, cell in sorted(cells, key=lambda c: (c[0], _later(c[1])))]

    def pop(self) -> Cell:
        """Return the cell on top."""
        return self._cells.pop()

    def __len__(self) -> int:
        return len(self._cells)


class Heap:
    """Best first: the most relevant cell of all views; ties go to the deeper, then the earlier."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Cell]] = []

    def push(self, cells: list[tuple[float, Cell]]) -> None:
        """Add the cells by relevance."""
        for relevance, cell in cells:
            heapq.heappush(self._heap, (-relevance, -cell.depth, cell))

    def pop(self) -> Cell:
        """Return the most relevant cell."""
        return heapq.heappop(self._heap)[2]

    def __len__(self) -> int:
        return len(self._heap)


def _later(cell: Cell) -> tuple[int, ...]:
    return tuple(-index for index in cell.path)


class Traversal(Policy):
    """The loop. Subclasses name a frontier."""

    frontier: ClassVar[Callable[[], Frontier]]
    env_options: ClassVar[dict[str, Any]] = {"dead_zones": "never"}

    def __init__(self, scorer: RelevanceScorer | None = None):
        self.scorer = scorer or PictureSimilarity()

    def reset(self, observation: Observation, info: Info) -> None:
        """Begin with an empty frontier."""
        self._waiting = type(self).frontier()
        self._seen: set[Cell] = set()
        self._best = -1.0
        self._target: Cell | None = None
        self._random = np.random.default_rng(self.seed)

    def act(self, observation: Observation, info: Info) -> Decision:
        """Look at a new view once, then keep, walk on, or end; the last step is for the answer."""
        state = self.world.state
        is_last = steps_left(state, observation) <= 1
        if state.current not in self._seen:
            keep = self._inspect(state, observation, info)
            if keep is not None and not (is_last and state.rules.num_options):
                return Decision(keep)
        if self._best >= FOUND or is_last:
            return Decision(self._end(info))
        while self._target is None or self._target in self._seen:
            if not len(self._waiting):
                return Decision(self._end(info))
            self._target = self._waiting.pop()
        return Decision(step_towards(state, self._target))

    def _inspect(self, state: AtlasState, observation: Observation, info: Info) -> Action | None:
        """Push what can be opened; return the keeping of the best cell if it is the best so far."""
        self._seen.add(state.current)
        relevance = self.scorer(observation, info)
        expandable = np.flatnonzero(info["action_mask"][codes("EXPAND", state.num_cells)])
        children = [(float(relevance[i]), state.current.child(int(i))) for i in expandable]
        self._waiting.push(children)
        legal = info["action_mask"][codes("ADD_TO_SCRATCHPAD", state.num_cells)] > 0
        if not legal.any():
            return None
        best = int(np.argmax(np.where(legal, relevance, -1.0)))
        if relevance[best] <= self._best:
            return None
        self._best = float(relevance[best])
        return Action("ADD_TO_SCRATCHPAD", best, confidence=confidence(self._best, state))

    def _end(self, info: Info) -> Action:
        return finish(info["action_mask"], self.world.state, self._random)


class BreadthFirst(Traversal):
    """Opens all cells of a level before any of the next."""

    name = "bfs"
    frontier = Queue


class DepthFirst(Traversal):
    """Opens the most relevant cell of each view and goes down before it goes on."""

    name = "dfs"
    frontier = Stack


class BestFirst(Traversal):
    """Opens the most relevant cell of all that were seen."""

    name = "best-first"
    frontier = Heap


def confidence(relevance: float, state: AtlasState) -> float:
    """Map a relevance in [0, 1] to a confidence that is not rejected, keeping the order."""
    lowest = state.rules.min_confidence
    return lowest + (1 - lowest) * min(1.0, max(0.0, relevance))


def step_towards(state: AtlasState, target: Cell) -> Action:
    """Return the action that leads from the current grid to the cell's (traversal dfs)."""
    if state.view_kind != "grid" or not target.is_within(state.current):
        return Action("BACKTRACK")
    return Action("EXPAND", target.path[state.current.depth])


def finish(mask: NDArray[np.int8], state: AtlasState, random: np.random.Generator) -> Action:
    """Return the action that ends the episode: FINISHED, or a guess where an option is needed."""
    options = np.flatnonzero(mask[codes("ANSWER", state.num_cells)])
    if len(options):
        return Action("ANSWER", answer=int(random.choice(options)))
    return Action("FINISHED")


def steps_left(state: AtlasState, observation: Observation) -> float:
    """How many steps the observation says are left: from the share left and the steps taken."""
    share = float(observation["position"][-2])
    if share >= 1.0:
        return float("inf") if state.steps else 2.0
    return round(state.steps * share / (1 - share))
