"""The picture of an episode shows where it went, in order, and what was kept."""

import io

import gymnasium as gym
import numpy as np
import pytest
from comparing import SMALL, STORY, play
from drawn import DrawnSource
from PIL import Image

from eval.sheets import COLUMNS, GAP_PX, MAX_VIEWS, VIEW_PX, draw_sheet
from policies.base import Decision, Policy
from policies.rollout import Episode, rollout
from policies.table import make_policy
from videoatlas_gym.actions import Action


class Scripted(Policy):
    """Takes written actions, then ends."""

    name = "scripted"

    def __init__(self, *actions):
        self.actions = actions

    def reset(self, observation, info):
        """Begin at the first action."""
        self._left = list(self.actions)

    def act(self, observation, info):
        """Take the next action."""
        return Decision(self._left.pop(0) if self._left else Action("FINISHED"))


def pictured(*actions):
    """Play actions on a drawn video; return the environment and the picture of the episode."""
    options = {"video": DrawnSource(100.0), "question": "When?", "spans": [(10, 20)]}
    env = gym.make("VideoAtlas-v0", **options, **SMALL, disable_env_checker=True)
    episode = rollout(env, Scripted(*actions), seed=0)
    content = draw_sheet(env.unwrapped, episode, "scripted")
    return episode, Image.open(io.BytesIO(content))


def rows_of(picture):
    """Return how many rows of views the picture has, from its size alone."""
    view_px = (picture.width + GAP_PX) // COLUMNS - GAP_PX
    assert view_px in VIEW_PX
    headlines, caption = 2 * 20, 20
    scratchpad = caption + round(20 * (2 * view_px + GAP_PX) / 128) + GAP_PX
    return (picture.height - headlines - scratchpad) / (caption + round(view_px * 5 / 8) + GAP_PX)


def test_a_picture_is_a_jpeg_of_a_full_row_of_views():
    _, picture = pictured(Action("EXPAND", 0), Action("EXPAND", 1))
    assert picture.format == "JPEG"
    assert picture.width == COLUMNS * (VIEW_PX[0] + GAP_PX) - GAP_PX <= 1200


def test_places_are_shown_once_however_often_the_agent_comes_there():
    there_and_back = [Action("EXPAND", 0), Action("BACKTRACK")]
    _, picture = pictured(*there_and_back * 6)
    assert rows_of(picture) == 1
    _, picture = pictured(Action("EXPAND", 1), Action("BACKTRACK"), *[Action("EXPAND", 2)] * 3)
    assert rows_of(picture) == 2, "five places"


def test_of_many_places_so_many_are_shown_evenly():
    zooms = [a for i in range(4) for a in (Action("ZOOM", i), Action("BACKTRACK"))]
    visits = [a for i in range(4) for a in (Action("EXPAND", i), *zooms, Action("BACKTRACK"))]
    episode, picture = pictured(*visits)
    assert episode.usage.views > 2 * MAX_VIEWS
    assert rows_of(picture) == MAX_VIEWS / COLUMNS


def test_what_was_seen_and_kept_is_in_the_picture():
    source = DrawnSource(100.0)
    options = {"video": source, "question": "When?", "spans": [(10, 20)]}
    env = gym.make("VideoAtlas-v0", **options, **SMALL, disable_env_checker=True)
    views = []
    for actions in ((), (Action("EXPAND", 3),), (Action("ADD_TO_SCRATCHPAD", 0),)):
        episode = rollout(env, Scripted(*actions), seed=0)
        views.append(Image.open(io.BytesIO(draw_sheet(env.unwrapped, episode, "scripted"))))
    plain, moved, kept = (np.asarray(view, int) for view in views)
    strip = np.s_[60:200, VIEW_PX[0] + GAP_PX : 2 * VIEW_PX[0]]
    assert abs(plain[strip] - moved[strip]).mean() > 20, "the second view"
    band = np.s_[-60:, :160]
    assert abs(plain[band] - kept[band]).mean() > 5, "the scratchpad"


def test_nothing_is_drawn_of_an_episode_that_cannot_be_shown():
    env = gym.make("VideoAtlas-v0", video=DrawnSource(100.0), **SMALL, disable_env_checker=True)
    assert draw_sheet(env.unwrapped, Episode(trajectory=None), "x") is None
    tight = gym.make("VideoAtlas-v0", video=DrawnSource(100.0), budget={"frames": 2}, **SMALL)
    unbegun = rollout(tight, make_policy("random"), seed=0)
    assert draw_sheet(tight.unwrapped, unbegun, "x") is None


@pytest.mark.parametrize("sheets", [0, 1])
def test_the_first_tasks_of_a_set_are_drawn_for_every_policy_and_depth(tmp_path, sheets):
    _, records = play(tmp_path, tasks=["story"], sheets=sheets, **STORY | {"episodes": 2})
    drawn = {r.key for r in records if r.sheet}
    assert drawn == {r.key for r in records if r.task_index < sheets}
    files = {str(path.relative_to(tmp_path)) for path in (tmp_path / "sheets").iterdir()}
    assert files == {r.sheet for r in records} - {""}


def test_drawing_changes_nothing_that_is_recorded_but_the_picture(tmp_path):
    options = STORY | {"tasks": ["story"], "episodes": 2}
    runs = [play(tmp_path / str(n), **options, sheets=n)[1] for n in (0, 2)]
    named = ("config_hash", "sheet")
    plain, drawn = ([record.lasting() for record in records] for records in runs)
    for one, other in zip(plain, drawn, strict=True):
        assert {k for k in one if one[k] != other[k]} == set(named)
