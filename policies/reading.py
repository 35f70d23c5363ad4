"""What is kept of a view, when enough was seen, and what is answered: readers of what is shown.

A reader plugs into every search and never says where to look. It answers from the scratchpad alone,
of which it sees the `EVIDENCE_LIMIT` best items, so keeping everything does not help.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from policies.base import Info, Observation
from policies.grounding import covering_cells, moments_in
from policies.scorers import is_shown, tiles
from videoatlas_gym.actions import Action, codes, encode
from videoatlas_gym.memory import DeadZones, Evidence, Scratchpad
from videoatlas_gym.state import AtlasState
from videoatlas_gym.tasks import MultipleChoice, OpenQuestion, Task, TemporalGrounding, temporal_iou

FOUND = 0.995
"""Relevance at which a search for a picture stops: it has been found."""
EVIDENCE_LIMIT = 4
"""Items of the scratchpad that an answer is read from, best first."""
COVERED = 0.95
"""Temporal IoU at which the perfect reader is content."""


class AnswerReader(Protocol):
    """Judges what is displayed; one instance serves one episode after another."""

    reads_truth: bool
    """Whether it must be given the task with its truth."""

    def begin(self, observation: Observation, *, seed: int, task: Task | None) -> None:
        """Begin an episode whose first view is given; `seed` is for guesses."""

    def keep(
        self,
        state: AtlasState,
        observation: Observation,
        info: Info,
        relevance: NDArray[np.float64],
    ) -> tuple[Action, ...]:
        """Return what of a newly opened grid is to be kept: ADD_TO_SCRATCHPAD actions.

        Asked once per view. Each takes a step; all are taken before the search moves on.
        """

    def has_enough(self, state: AtlasState) -> bool:
        """Whether what is kept settles the answer, so that a search may end."""

    def answer(self, state: AtlasState, info: Info) -> Action:
        """Return a legal action that ends the episode."""


class ScoreReader:
    """Believes the scorer: keeps what is most relevant, and guesses where there are options.

    It keeps the best moment where one picture is looked for, else the `EVIDENCE_LIMIT` best: a cell
    is kept exactly if it betters the confidences of that many best items of the scratchpad (moments
    less than a second apart are one item). Within a view the most relevant is kept first; ties go
    to the earlier cell, and what was kept before. It has enough at a relevance of `FOUND`, for one
    picture only.
    """

    reads_truth: bool = False

    def begin(self, observation: Observation, *, seed: int, task: Task | None) -> None:
        """Seed the guess; see whether there is a picture to look for."""
        self._random = np.random.default_rng(seed)
        self._has_goal = "goal" in observation

    def keep(
        self,
        state: AtlasState,
        observation: Observation,
        info: Info,
        relevance: NDArray[np.float64],
    ) -> tuple[Action, ...]:
        """Return the keeping of the cells that better the best items, most relevant first."""
        limit = EVIDENCE_LIMIT if state.rules.num_options or not self._has_goal else 1
        pad, actions = state.scratchpad, []
        best = _confidences(pad, limit)
        legal = np.flatnonzero(keepable(state, info))
        for index in legal[np.argsort(-relevance[legal], kind="stable")].tolist():
            sure = confidence(float(relevance[index]), state)
            if len(best) == limit and sure <= best[-1]:
                break
            trial = pad.add(
                Evidence(
                    float(state.view.moments[index]), state.cell_span(index), sure, state.steps
                )
            )
            if (better := _confidences(trial, limit)) > best:
                pad, best = trial, better
                actions.append(Action("ADD_TO_SCRATCHPAD", index, confidence=sure))
        return tuple(actions)

    def has_enough(self, state: AtlasState) -> bool:
        """Whether the picture that is looked for has been found."""
        best = _confidences(state.scratchpad, 1)
        return self._has_goal and bool(best) and best[0] >= confidence(FOUND, state)

    def answer(self, state: AtlasState, info: Info) -> Action:
        """Return a guess where there are options, else FINISHED."""
        return made_legal(guess(state, info, self._random), state, info)


class TruthReader:
    """The perfect reader: knows a true moment when it is displayed, but not where to look.

    It keeps one cell per span that must still be seen (`Task.unseen`), the first in time, with full
    confidence; for grounding the cells that the oracle would keep of this view. It has enough when
    nothing is unseen, for grounding at a temporal IoU of `COVERED`. Its answer is right exactly if
    the moments of the `EVIDENCE_LIMIT` best items leave nothing unseen, else a guess; an open
    question is then left without an answer.
    """

    reads_truth: bool = True

    def begin(self, observation: Observation, *, seed: int, task: Task | None) -> None:
        """Seed the guess; take the truth.

        Raises:
            ValueError: If no task is given.
        """
        if task is None:
            raise ValueError(
                "the truth reader needs the task, got None: bind the policy with the task of the "
                "episode, as rollout does for policies whose reads_truth is True."
            )
        self._random, self._task = np.random.default_rng(seed), task

    def keep(
        self,
        state: AtlasState,
        observation: Observation,
        info: Info,
        relevance: NDArray[np.float64],
    ) -> tuple[Action, ...]:
        """Return the keeping of cells that show what is unseen, in order of time."""
        legal = keepable(state, info) & is_shown(observation, tiles(observation))
        if isinstance(self._task, TemporalGrounding):
            held = DeadZones(state.scratchpad.spans)
            if any(zone.covers(state.span) for zone in held.spans):
                return ()  # a view inside a cell that was kept as a whole
            chosen = np.flatnonzero(covering_cells(state, self._task.truth) & legal).tolist()
        else:
            chosen = self._unseen_cells(state, legal)
        return tuple(Action("ADD_TO_SCRATCHPAD", index) for index in sorted(chosen))

    def _unseen_cells(self, state: AtlasState, legal: NDArray[np.bool_]) -> list[int]:
        moments = [find.seconds for find in state.scratchpad.finds]
        chosen: list[int] = []
        while unseen := self._task.unseen(moments):
            cells = np.flatnonzero(moments_in(state, unseen) & legal)
            if not len(cells):
                break
            chosen.append(int(cells[0]))
            moments.append(float(state.view.moments[cells[0]]))
        return chosen

    def has_enough(self, state: AtlasState) -> bool:
        """Whether the evidence settles the answer."""
        if isinstance(self._task, TemporalGrounding):
            return temporal_iou(state.scratchpad.spans, self._task.truth) >= COVERED
        return not self._task.unseen(_moments(state))

    def answer(self, state: AtlasState, info: Info) -> Action:
        """Return the right answer if it was seen, else a guess."""
        knows = not self._task.unseen(_moments(state))
        right = right_answer(self._task) if knows else None
        return made_legal(right or guess(state, info, self._random), state, info)


READERS: dict[str, type[AnswerReader]] = {"score": ScoreReader, "truth": TruthReader}
"""Readers by name; a new one is a class and a line here."""


def _moments(state: AtlasState) -> Sequence[float]:
    return [item.seconds for item in state.scratchpad.best(EVIDENCE_LIMIT)]


def _confidences(pad: Scratchpad, count: int) -> list[float]:
    return [item.confidence for item in pad.best(count)]


def confidence(relevance: float, state: AtlasState) -> float:
    """Map a relevance in [0, 1] to a confidence that is not rejected, keeping the order."""
    lowest = state.rules.min_confidence
    return lowest + (1 - lowest) * min(1.0, max(0.0, relevance))


def keepable(state: AtlasState, info: Info) -> NDArray[np.bool_]:
    """Tell which displayed cells may be kept, shape (n,)."""
    return info["action_mask"][codes("ADD_TO_SCRATCHPAD", state.num_cells)] > 0


def right_answer(task: Task) -> Action | None:
    """Return the action that answers a task rightly; None where its answer is not known."""
    if isinstance(task, MultipleChoice):
        return None if task.answer is None else Action("ANSWER", answer=int(task.answer))
    if isinstance(task, OpenQuestion) and task.answer is not None:
        return Action("FINISHED", note=str(task.answer).split("|")[0])
    return Action("FINISHED")


def guess(state: AtlasState, info: Info, random: np.random.Generator) -> Action:
    """Return an option drawn at random, or FINISHED where there are none."""
    options = np.flatnonzero(info["action_mask"][codes("ANSWER", state.num_cells)])
    if len(options):
        return Action("ANSWER", answer=int(random.choice(options)))
    return Action("FINISHED")


def made_legal(ending: Action, state: AtlasState, info: Info) -> Action:
    """Return an ending, or where evidence must come first the keeping of the first cell it may."""
    if info["action_mask"][encode(ending, state.num_cells)]:
        return ending
    cells = np.flatnonzero(keepable(state, info))
    if not len(cells):
        return ending
    return Action("ADD_TO_SCRATCHPAD", int(cells[0]), confidence=state.rules.min_confidence)
