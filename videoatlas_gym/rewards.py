"""Reward: a weighted sum of named terms, each a pure function of one step.

Knows no pixels. Terms and weights are a table; `sparse` (the default) pays the task's score and
nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from videoatlas_gym.actions import Action
from videoatlas_gym.errors import unknown_name
from videoatlas_gym.state import AtlasState
from videoatlas_gym.tasks.task import Task, TemporalGrounding, temporal_f1


@dataclass(frozen=True)
class Transition:
    """One step as the reward sees it."""

    before: AtlasState
    action: Action
    after: AtlasState
    task: Task
    is_legal: bool = True
    terminated: bool = False
    new_frames: int = 0
    """Frames shown for the first time in this step."""
    gamma: float = 0.99
    """The learner's discount factor; the shaping term needs it."""


def _score(step: Transition) -> float:
    if not step.terminated:
        return 0.0
    return step.task.score(given_answer(step.after), step.after)


def given_answer(state: AtlasState) -> int | str | None:
    """The answer a state carries: an option's index, a text, or None."""
    return state.answer if state.answer is not None else (state.answer_text or None)


def _grounding(step: Transition) -> float:
    if not (step.terminated and step.task.truth):
        return 0.0
    return temporal_f1(step.after.scratchpad.spans, step.task.truth)


def _potential(step: Transition) -> float:
    """Potential-based shaping ``gamma * phi(s') - phi(s)``, phi(end) = 0 (Ng et al. 1999)."""
    ahead = 0.0 if step.terminated else step.gamma * potential(step.after, step.task)
    return ahead - potential(step.before, step.task)


def potential(state: AtlasState, task: Task) -> float:
    """How near a state is to solving its task, in [0, 1].

    Half for how far the current grid has narrowed down on a truth span, on a log scale; half for
    the evidence: F1 of the spans for grounding, else whether the best item lies in a truth span.
    """
    if not task.truth or state.done:
        return 0.0
    return 0.5 * _narrowed(state, task) + 0.5 * _held(state, task)


def _narrowed(state: AtlasState, task: Task) -> float:
    here = state.geometry.span(state.current)
    if not any(here.overlaps(span) for span in task.truth):
        return 0.0
    if state.rules.max_depth == 0:
        return 1.0
    return min(1.0, state.current.depth / state.rules.max_depth)


def _held(state: AtlasState, task: Task) -> float:
    if isinstance(task, TemporalGrounding):
        return temporal_f1(state.scratchpad.spans, task.truth)
    best = state.scratchpad.best(1)
    return float(bool(best) and any(best[0].seconds in span for span in task.truth))


def _repeat(step: Transition) -> float:
    entered = step.is_legal and step.action.verb == "EXPAND"
    return -float(entered and step.after.current in step.before.visited)


def _early_answer(step: Transition) -> float:
    """Minus one for ending an episode without having opened or kept anything."""
    has_looked = step.before.looks > 0 or step.before.scratchpad.finds
    return -float(step.terminated and not has_looked)


REWARD_TERMS: dict[str, Callable[[Transition], float]] = {
    "score": _score,
    "grounding": _grounding,
    "potential": _potential,
    "step": lambda step: -1.0,
    "decode": lambda step: -step.new_frames / step.after.num_cells,
    "repeat": _repeat,
    "illegal_action": lambda step: -float(not step.is_legal),
    "early_answer": _early_answer,
}
"""Terms by name. Bounds: score, grounding 0 to 1; potential -1 to 1; the others -1 to 0."""

REWARD_PRESETS: dict[str, dict[str, float]] = {
    "sparse": {"score": 1.0},
    "shaped": {
        "score": 1.0,
        "potential": 0.5,
        "step": 0.01,
        "repeat": 0.05,
        "illegal_action": 0.1,
        "early_answer": 0.2,
    },
}


def reward_weights(value: str | Mapping[str, float]) -> dict[str, float]:
    """Return weights by term from a preset's name or a mapping.

    Raises:
        ValueError: For unknown presets or terms, with a suggestion, or weights that are no numbers.
    """
    if isinstance(value, str):
        if value not in REWARD_PRESETS:
            raise ValueError(unknown_name("reward preset", value, REWARD_PRESETS))
        return dict(REWARD_PRESETS[value])
    for name, weight in value.items():
        if name not in REWARD_TERMS:
            raise ValueError(unknown_name("reward term", name, REWARD_TERMS))
        if not math.isfinite(weight):
            raise ValueError(f"the weight of {name} must be finite, got {weight}.")
    return dict(value)


def reward_terms(step: Transition, weights: Mapping[str, float]) -> dict[str, float]:
    """Return each weighted term of one step; their sum is the reward."""
    return {name: weight * REWARD_TERMS[name](step) for name, weight in weights.items()}
