"""What an episode reports of where it looked and what it ruled out, counted by hand."""

import pytest
from drawn import DrawnSource, make_env, one_task_of_each_kind

from policies.base import Decision, Policy
from policies.rollout import LOOKED_BINS, rollout
from videoatlas_gym.actions import Action
from videoatlas_gym.span import Span


class Scripted(Policy):
    """Takes written actions, then answers."""

    name = "scripted"

    def __init__(self, *actions):
        self.actions = actions

    def reset(self, observation, info):
        self._left = list(self.actions)

    def act(self, observation, info):
        return Decision(self._left.pop(0) if self._left else Action("ANSWER", answer=0))


def played(*actions, seconds=100.0, **options):
    """Play actions about a drawn video, then answer; return what came out."""
    task = one_task_of_each_kind(DrawnSource(seconds), Span(1.0, 2.0))["multiple_choice"]
    episode = rollout(make_env(task, **options), Scripted(*actions), seed=0)
    assert episode.terminated and episode.num_illegal == 0
    return episode


def looked(episode):
    """Return how often each part of the video was shown, where it was at all."""
    assert len(episode.looked) == LOOKED_BINS == 100
    return {part: count for part, count in enumerate(episode.looked) if count}


DOWN_AND_UP = [Action("EXPAND", 1), Action("EXPAND", 3), Action("BACKTRACK"), Action("BACKTRACK")]


def test_looked_counts_the_moments_that_all_opened_views_show():
    first = dict.fromkeys((12, 37, 62, 87), 1)
    assert looked(played()) == first
    second = dict.fromkeys((28, 34, 40, 46), 1)  # of 25 to 50 s
    assert looked(played(Action("EXPAND", 1))) == first | second
    third = {44: 1, 46: 2, 47: 1, 49: 1}  # of 43.75 to 50 s; 46 to 47 s once more
    assert looked(played(*DOWN_AND_UP)) == first | second | third


def test_a_view_counts_once_however_often_it_is_passed_and_a_moment_once_for_each_view():
    back = Action("BACKTRACK")
    once = looked(played(Action("EXPAND", 1), dead_zones="never"))
    again = [Action("EXPAND", 1), back] * 3
    assert looked(played(*again, dead_zones="never")) == once
    centre = looked(played(Action("EXPAND", 4), seconds=90.0, grid_size=3))
    assert centre[50] == 2 and sum(centre.values()) == 18  # the middle is the middle's middle


def test_parts_of_the_video_are_hundredths_whatever_its_length():
    first = dict.fromkeys((12, 37, 62, 87), 1)
    assert looked(played(seconds=10.0)) == looked(played(seconds=36000.0)) == first


@pytest.mark.parametrize(
    ("actions", "dead", "explored"),
    [
        ([], 0.0, 0.0),
        ([Action("EXPAND", 1)], 0.0, 0.25),  # not left
        ([Action("EXPAND", 1), Action("EXPAND", 3), Action("BACKTRACK")], 1 / 16, 0.25),
        (DOWN_AND_UP, 0.25, 0.25),
        ([*DOWN_AND_UP, Action("EXPAND", 3), Action("BACKTRACK")], 0.5, 0.5),
        ([Action("EXPAND", 1), Action("ADD_TO_SCRATCHPAD", 2), Action("BACKTRACK")], 0.0, 0.25),
    ],
)
def test_coverage_is_the_share_of_the_video_that_was_opened_and_that_was_ruled_out(
    actions, dead, explored
):
    episode = played(*actions)
    assert episode.coverage_dead == pytest.approx(dead)
    assert episode.coverage_explored == pytest.approx(explored)
    assert played(*actions, dead_zones="never").coverage_dead == 0.0


def test_the_deepest_grid_that_was_opened_counts_not_the_last():
    episode = played(*DOWN_AND_UP)
    assert (episode.deepest, episode.resolution_seconds) == (2, 100 / 64)
    assert (played().deepest, played().resolution_seconds) == (0, 25.0)
    assert episode.actions == {"EXPAND": 2, "BACKTRACK": 2, "ANSWER": 1}
