"""Policies answer before a budget of frames or steps is used up, and use it as far as views fit."""

import pytest
from drawn import DrawnSource, play

from policies.baselines import Hoarder, Oracle
from policies.reading import TruthReader
from policies.traversal import Beam, BestFirst, BreadthFirst, DepthFirst, Exhaustive
from videoatlas_gym.span import Span
from videoatlas_gym.tasks import MultipleChoice
from videoatlas_gym.usage import Budget

POLICIES = [BreadthFirst, DepthFirst, BestFirst, Beam, Exhaustive, Hoarder, Oracle]
DEEP = {"max_depth": 3, "max_steps": 1000, "min_expand_seconds": 0.0, "tile_size": (16, 9)}
FIRST_VIEW = 4


def question():
    """Ask for what is to be seen in the finest views alone."""
    return MultipleChoice(
        DrawnSource(640.0),
        "Which?",
        options=("a", "b", "c"),
        answer=1,
        truth=(Span(301.0, 303.9),),
    )


def made(policy):
    return policy() if policy is Oracle else policy(reader=TruthReader())


@pytest.mark.parametrize("frames", range(FIRST_VIEW, 30))
@pytest.mark.parametrize("policy", POLICIES)
def test_an_answer_is_given_under_every_limit_of_frames(policy, frames):
    episode = play(made(policy), question(), budget=Budget(frames=frames), **DEEP)
    assert episode.answer is not None and episode.terminated and not episode.budget_exceeded
    assert episode.usage.frames <= frames


@pytest.mark.parametrize("steps", range(2, 12))  # before the first step shares say nothing
@pytest.mark.parametrize("policy", POLICIES)
def test_an_answer_is_given_under_every_limit_of_steps(policy, steps):
    episode = play(made(policy), question(), **(DEEP | {"max_steps": steps}))
    assert episode.answer is not None and episode.terminated
    assert sum(episode.actions.values()) <= steps


@pytest.mark.parametrize("policy", POLICIES[:-2])
def test_frames_are_spent_as_long_as_a_view_fits(policy):
    for views in (1, 2, 3, 4, 5):
        for spare in (0, FIRST_VIEW - 1):
            limit = views * FIRST_VIEW + spare
            episode = play(made(policy), question(), budget=Budget(frames=limit), **DEEP)
            assert episode.usage.frames == views * FIRST_VIEW, (policy, limit)
