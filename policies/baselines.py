"""Baselines that every comparison shows: chance, uniform sampling, keeping all, the truth."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from policies.base import Decision, Info, Observation, Policy
from policies.frontiers import Closed
from policies.grounding import WHOLE, covering_cells, moments_in, shares
from policies.reading import AnswerReader, ScoreReader, TruthReader, keepable
from policies.traversal import Traversal, frames_left, steps_left
from videoatlas_gym.actions import Action, codes, decode
from videoatlas_gym.span import Span
from videoatlas_gym.state import AtlasState
from videoatlas_gym.tasks import TemporalGrounding


class Random(Policy):
    """Takes a legal verb at random, then a legal argument of it: what chance and the mask give.

    Where that ends the episode, its reader answers from what was kept by chance.
    """

    name = "random"
    is_guided = False
    takes: ClassVar[tuple[str, ...]] = ("reader",)

    def __init__(self, reader: AnswerReader | None = None):
        self.reader = reader or ScoreReader()
        self.reads_truth = self.reader.reads_truth

    def reset(self, observation: Observation, info: Info) -> None:
        """Seed the dice with the episode's seed."""
        self._random = np.random.default_rng(self.seed)
        self.reader.begin(observation, seed=self.seed, task=self.task)

    def act(self, observation: Observation, info: Info) -> Decision:
        """Draw an action."""
        mask, num_cells = info["action_mask"], len(observation["cell_status"])
        legal = [decode(int(code), num_cells) for code in np.flatnonzero(mask)]
        verbs = sorted({action.verb for action in legal})
        verb = verbs[int(self._random.integers(len(verbs)))]
        state = self.world.state
        if verb == "ANSWER" or (verb == "FINISHED" and not state.queue):
            return Decision(self.reader.answer(state, info))
        choices = [action for action in legal if action.verb == verb]
        return Decision(choices[int(self._random.integers(len(choices)))])


class Uniform(Traversal):
    """Looks at the first view only: uniform sampling of K * K frames; opens nothing.

    What is kept of it and answered is up to scorer and reader, as in any search.
    """

    name = "uniform"
    is_guided = False
    frontier = Closed
    env_options: ClassVar[dict[str, Any]] = {}


class Hoarder(Policy):
    """Keeps every cell it sees with full confidence, and opens cells at random in between.

    A control: were keeping everything rewarded, it would win. Its score must be chance, whoever
    reads what it kept.
    """

    name = "hoarder"
    is_guided = False
    takes: ClassVar[tuple[str, ...]] = ("reader",)

    def __init__(self, reader: AnswerReader | None = None):
        self.reader = reader or ScoreReader()
        self.reads_truth = self.reader.reads_truth

    def reset(self, observation: Observation, info: Info) -> None:
        """Seed the dice with the episode's seed."""
        self._random = np.random.default_rng(self.seed)
        self.reader.begin(observation, seed=self.seed, task=self.task)

    def act(self, observation: Observation, info: Info) -> Decision:
        """Keep what is not kept, else open something, else end; it answers before it runs out."""
        state, mask = self.world.state, info["action_mask"]
        may_look = frames_left(self.world, observation) >= state.num_cells
        if steps_left(state, observation) <= 1:
            answer = self.reader.answer(state, info)
            if answer != Action("FINISHED"):
                return Decision(answer)
        kept = [find.seconds for find in state.scratchpad.finds]
        for verb in ("ADD_TO_SCRATCHPAD", "EXPAND", "MARK_PROMISING"):
            legal = mask[codes(verb, state.num_cells)] > 0
            if verb == "ADD_TO_SCRATCHPAD":
                # Of moments that are one item the newest stays: without this they would take turns.
                legal = legal & ~np.isin(state.view.moments, kept)
            if legal.any() and (may_look or verb == "ADD_TO_SCRATCHPAD"):
                return Decision(Action(verb, int(self._random.choice(np.flatnonzero(legal)))))
        return Decision(self.reader.answer(state, info))


class Oracle(Policy):
    """Knows the truth and takes the shortest way to it: an upper bound, marked as privileged.

    It bounds what can be found: what must be seen and is not, because no view that the budgets
    allow shows it, is answered by a guess, as the perfect reader does.

    For grounding it keeps the largest cells that lie inside the truth and, at the finest level,
    those that do for the most part, short ones only as densely as their spans grow together;
    otherwise one cell that shows a true moment, or one of each span that must be seen.
    Then it answers; where it knows no moment but must have kept one, it keeps the first that may be
    kept. It decides from the state alone, so it works in both traversals.
    """

    name = "oracle"
    is_privileged: ClassVar[bool] = True

    def reset(self, observation: Observation, info: Info) -> None:
        """Take the truth."""
        self._reader = TruthReader()
        self._reader.begin(observation, seed=self.seed, task=self.task)

    def act(self, observation: Observation, info: Info) -> Decision:
        """Keep, descend, climb or answer, whichever comes first; it answers before it runs out."""
        state, mask = self.world.state, info["action_mask"]
        may_keep = keepable(state, info)
        may_look = frames_left(self.world, observation) >= state.num_cells
        if steps_left(state, observation) <= 1 and info["options"]:
            return Decision(self._reader.answer(state, info))
        if len(keep := np.flatnonzero(self._to_keep(state) & may_keep)):
            return Decision(Action("ADD_TO_SCRATCHPAD", int(keep[0])))
        if may_look and not self._is_done(state):
            verb = "EXPAND" if state.rules.traversal == "dfs" else "MARK_PROMISING"
            legal = mask[codes(verb, state.num_cells)] > 0
            if len(down := np.flatnonzero(self._to_open(state) & legal)):
                return Decision(Action(verb, int(down[0])))
            if state.queue:
                return Decision(Action("FINISHED"))
            if mask[codes("BACKTRACK", state.num_cells)].any():
                return Decision(Action("BACKTRACK"))
        if state.rules.finish_requires_evidence and not state.scratchpad.finds and may_keep.any():
            return Decision(Action("ADD_TO_SCRATCHPAD", int(np.argmax(may_keep))))
        return Decision(self._reader.answer(state, info))

    def _is_done(self, state: AtlasState) -> bool:
        """Whether what was kept settles it; grounding goes on until nothing is left to open."""
        if isinstance(self.task, TemporalGrounding):
            return False
        return not self._unseen(state)

    def _unseen(self, state: AtlasState) -> tuple[Span, ...]:
        return self.task.unseen([find.seconds for find in state.scratchpad.finds])

    def _to_keep(self, state: AtlasState) -> NDArray[np.bool_]:
        if isinstance(self.task, TemporalGrounding):
            return covering_cells(state, self.task.truth)
        return moments_in(state, self._unseen(state))

    def _to_open(self, state: AtlasState) -> NDArray[np.bool_]:
        opened = np.array([state.current.child(i) in state.visited for i in range(state.num_cells)])
        if isinstance(self.task, TemporalGrounding):
            share = shares(state, self.task.truth)
            return (share > 0) & (share < WHOLE) & ~opened
        unseen = self._unseen(state)
        wanted = np.zeros(state.num_cells, bool)
        for spans in [(span,) for span in unseen] if self.task.needs else [unseen]:
            share = np.where(opened, 0.0, shares(state, spans))
            wanted |= (share > 0) & (share == share.max())
        return wanted
