"""Baselines that every comparison shows: chance, uniform sampling, keeping all, the truth."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from policies.base import Decision, Info, Observation, Policy
from policies.relevance import PictureSimilarity, RelevanceScorer
from policies.traversal import confidence, finish
from videoatlas_gym.actions import Action, codes, decode
from videoatlas_gym.span import Span
from videoatlas_gym.state import AtlasState
from videoatlas_gym.tasks import (
    MultipleChoice,
    OpenQuestion,
    Task,
    TemporalGrounding,
    overlap_seconds,
)


class Random(Policy):
    """Takes a legal verb at random, then a legal argument of it: what chance and the mask give."""

    name = "random"

    def reset(self, observation: Observation, info: Info) -> None:
        """Seed the dice with the episode's seed."""
        self._random = np.random.default_rng(self.seed)

    def act(self, observation: Observation, info: Info) -> Decision:
        """Draw an action."""
        mask, num_cells = info["action_mask"], len(observation["cell_status"])
        legal = [decode(int(code), num_cells) for code in np.flatnonzero(mask)]
        verbs = sorted({action.verb for action in legal})
        verb = verbs[int(self._random.integers(len(verbs)))]
        choices = [action for action in legal if action.verb == verb]
        return Decision(choices[int(self._random.integers(len(choices)))])


class Uniform(Policy):
    """Looks at the first view only: uniform sampling of K * K frames, the best match kept."""

    name = "uniform"

    def __init__(self, scorer: RelevanceScorer | None = None):
        self.scorer = scorer or PictureSimilarity()

    def reset(self, observation: Observation, info: Info) -> None:
        """Seed the guess."""
        self._random = np.random.default_rng(self.seed)

    def act(self, observation: Observation, info: Info) -> Decision:
        """Keep the most relevant cell, then end."""
        state, mask = self.world.state, info["action_mask"]
        legal = mask[codes("ADD_TO_SCRATCHPAD", state.num_cells)] > 0
        if len(state.scratchpad) or not legal.any():
            return Decision(finish(mask, state, self._random))
        relevance = np.where(legal, self.scorer(observation, info), -1.0)
        best = int(np.argmax(relevance))
        sure = confidence(float(relevance[best]), state)
        return Decision(Action("ADD_TO_SCRATCHPAD", best, confidence=sure))


class Hoarder(Policy):
    """Keeps every cell it sees with full confidence, and opens cells at random in between.

    A control: were keeping everything rewarded, it would win. Its score must be chance.
    """

    name = "hoarder"

    def reset(self, observation: Observation, info: Info) -> None:
        """Seed the dice with the episode's seed."""
        self._random = np.random.default_rng(self.seed)

    def act(self, observation: Observation, info: Info) -> Decision:
        """Keep what is not kept, else open something, else end."""
        state, mask = self.world.state, info["action_mask"]
        for verb in ("ADD_TO_SCRATCHPAD", "EXPAND", "MARK_PROMISING"):
            legal = np.flatnonzero(mask[codes(verb, state.num_cells)])
            if len(legal):
                return Decision(Action(verb, int(self._random.choice(legal))))
        return Decision(finish(mask, state, self._random))


MERGE_STRIDE_SECONDS = 0.9
"""Cells kept no further apart than this grow into one item (evidence merges below 1 s)."""


class Oracle(Policy):
    """Knows the truth and takes the shortest way to it: an upper bound, marked as privileged.

    For grounding it keeps the largest cells that lie inside the truth and, at the finest level,
    those that do for the most part, short ones only as densely as their spans grow together;
    otherwise one cell that shows a true moment.
    Then it gives the right answer; where it knows no moment but must have kept one, it keeps the
    first that may be kept. It decides from the state alone, so it works in both traversals.
    """

    name = "oracle"
    is_privileged: ClassVar[bool] = True

    def act(self, observation: Observation, info: Info) -> Decision:
        """Keep, descend, climb or answer, whichever comes first."""
        state, mask = self.world.state, info["action_mask"]
        wanted = self._to_keep(state)
        may_keep = mask[codes("ADD_TO_SCRATCHPAD", state.num_cells)] > 0
        if len(keep := np.flatnonzero(wanted & may_keep)):
            return Decision(Action("ADD_TO_SCRATCHPAD", int(keep[0])))
        if not self._is_done(state):
            verb = "EXPAND" if state.rules.traversal == "dfs" else "MARK_PROMISING"
            legal = mask[codes(verb, state.num_cells)] > 0
            if len(down := np.flatnonzero(self._to_open(state, wanted) & legal)):
                return Decision(Action(verb, int(down[0])))
            if state.queue:
                return Decision(Action("FINISHED"))
            if mask[codes("BACKTRACK", state.num_cells)].any():
                return Decision(Action("BACKTRACK"))
        if state.rules.finish_requires_evidence and not state.scratchpad.finds and may_keep.any():
            return Decision(Action("ADD_TO_SCRATCHPAD", int(np.argmax(may_keep))))
        return Decision(self._answer())

    def _answer(self) -> Action:
        if isinstance(self.task, MultipleChoice) and self.task.answer is not None:
            return Action("ANSWER", answer=int(self.task.answer))
        if isinstance(self.task, OpenQuestion) and self.task.answer is not None:
            return Action("FINISHED", note=str(self.task.answer).split("|")[0])
        return Action("FINISHED")

    def _is_done(self, state: AtlasState) -> bool:
        """Whether one kept moment settles it; grounding goes on until nothing is left to open."""
        if isinstance(self.task, TemporalGrounding):
            return False
        return not self.task.truth or _holds_truth(state, self.task)

    def _to_keep(self, state: AtlasState) -> np.ndarray:
        if not isinstance(self.task, TemporalGrounding):
            if self._is_done(state):
                return np.zeros(state.num_cells, bool)
            return _moments_in(state, self.task)
        share = _shares(state, self.task)
        wanted = share >= np.where(state.expandable, 1 - 1e-9, 0.5)
        return _thinned(wanted, state) & ~_kept(state)

    def _to_open(self, state: AtlasState, wanted: np.ndarray) -> np.ndarray:
        share = _shares(state, self.task)
        opened = np.array([state.current.child(i) in state.visited for i in range(state.num_cells)])
        partly = (share > 0) & (share < 1 - 1e-9) & ~opened
        if isinstance(self.task, TemporalGrounding):
            return partly
        return (share > 0) & ~opened & (share == share[~opened].max(initial=0.0))


def _shares(state: AtlasState, task: Task) -> np.ndarray:
    """Share of each cell of the current view that lies in the truth, shape (n,)."""
    cells = [state.cell_span(i) for i in range(state.num_cells)]
    return np.array([overlap_seconds((cell,), task.truth) / _length(cell) for cell in cells])


def _length(span: Span) -> float:
    return max(span.duration_seconds, 1e-12)


def _kept(state: AtlasState) -> np.ndarray:
    """Which cells were kept: keeping one again would only make it the picture of its item."""
    return np.isin(state.view.moments, [find.seconds for find in state.scratchpad.finds])


def _moments_in(state: AtlasState, task: Task) -> np.ndarray:
    return np.array([any(m in span for span in task.truth) for m in state.view.moments])


def _holds_truth(state: AtlasState, task: Task) -> bool:
    best = state.scratchpad.best(1)
    return bool(best) and any(best[0].seconds in span for span in task.truth)


def _thinned(wanted: np.ndarray, state: AtlasState) -> np.ndarray:
    """Of each run of cells keep both ends and enough between them for their spans to merge."""
    width = float(state.view.ends[0] - state.view.starts[0])
    stride = max(1, int(MERGE_STRIDE_SECONDS / width))
    chosen = np.zeros_like(wanted)
    indices = np.flatnonzero(wanted)
    for run in np.split(indices, np.flatnonzero(np.diff(indices) > 1) + 1):
        if len(run):
            chosen[run[::stride]] = chosen[run[-1]] = True
    return chosen
