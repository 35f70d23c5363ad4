"""The preview mode of the environment: what is shown is what is said, kept and zoomed."""

import json

import numpy as np
import pytest
from helpers import encode
from playing import random_action
from worlds import TILE, KeyedSource, act, cell_pixels, choice, numbers, small_env

from videoatlas_gym import VideoAtlasEnv
from videoatlas_gym.actions import Action
from videoatlas_gym.render import HIDDEN_RGB, letterbox
from videoatlas_gym.span import Cell
from videoatlas_gym.state import AtlasState
from videoatlas_gym.trajectory import Trajectory, replay, same_pixels
from videoatlas_gym.video import TileCache, VideoReader
from videoatlas_gym.wrappers import ArrayObservation, BlindObservation

RATE = 4


def previewed(source=None, **options):
    """An environment on 256 s with key frames each 10 s; root cells are 64 s long."""
    return small_env(choice(source or KeyedSource()), representative="keyframe", **options)


def shown_seconds(observation, columns=2):
    return [number / RATE for number in numbers(observation["view"], columns)]


def test_the_times_in_info_are_those_of_the_frames_in_the_picture():
    env = previewed()
    observation, info = env.reset()
    assert shown_seconds(observation) == info["representative"].tolist() == [30, 100, 160, 220]
    for action in (Action("EXPAND", 1), Action("EXPAND", 2), Action("EXPAND", 0)):
        observation, info = act(env, action)
        assert shown_seconds(observation) == info["representative"].tolist()
        assert (info["spans"][:, 0] <= info["representative"]).all()
        assert (info["representative"] < info["spans"][:, 1]).all()


def test_a_cell_without_a_key_frame_shows_its_middle():
    observation, info = (env := previewed(KeyedSource(every=100.0))).reset()
    assert shown_seconds(observation) == [0, 100, 160, 200]
    assert env.state.view.moments.tolist() == [0, 100, 160, 200]
    observation, info = act(env, Action("EXPAND", 2))
    assert shown_seconds(observation) == [136, 152, 168, 184] == info["representative"].tolist()


def test_what_is_kept_and_zoomed_is_the_frame_that_was_shown():
    env = previewed()
    first, _ = env.reset()
    zoomed, info = act(env, Action("ZOOM", 0))
    assert info["frame"].seconds == 30.0
    expected = letterbox(KeyedSource().frame_at(30.0).rgb, 2 * TILE[0], 2 * TILE[1])
    assert np.array_equal(zoomed["view"], expected)
    assert np.array_equal(info["representative"], [30.0, *[np.nan] * 3], equal_nan=True)
    kept, info = act(env, Action("ADD_TO_SCRATCHPAD", 0), Action("ANSWER", answer=0))
    (item,) = info["evidence"]
    assert (item["seconds"], item["frame_seconds"], item["span"]) == (30.0, 30.0, [0.0, 64.0])
    tile = cell_pixels(kept["scratchpad"], 0, 4)[TILE[1] // 2 :][5:-5, 20:-5]
    assert (tile == cell_pixels(first["view"], 0, 2)[TILE[1] // 2 :][5:-5, 20:-5]).all()


def test_a_scan_is_a_close_look_and_shows_exact_middles():
    env = previewed(investigate_seconds=40.0)
    env.reset()
    observation, info = act(env, Action("INVESTIGATE_AFTER", 0))
    middles = info["spans"].mean(axis=1).tolist()
    assert info["view_kind"] == "scan" and env.state.view.moments.tolist() == middles
    assert shown_seconds(observation) == middles == info["representative"].tolist()
    back, info = act(env, Action("BACKTRACK"))
    assert shown_seconds(back) == [30, 100, 160, 220] == env.state.view.moments.tolist()


def test_hidden_and_dead_cells_show_nothing_and_say_so():
    env = previewed(first_view_cells=2)
    observation, info = env.reset(seed=1)
    hidden = [(cell_pixels(observation["view"], i, 2) == HIDDEN_RGB).all() for i in range(4)]
    assert sum(hidden) == 2 and np.isnan(info["representative"]).tolist() == hidden
    assert env.state.view.moments[hidden].tolist() == np.array([32, 96, 160, 224])[hidden].tolist()
    env = previewed()
    env.reset()
    _, info = act(env, Action("EXPAND", 0), Action("BACKTRACK"))
    assert np.isnan(info["representative"]).tolist() == [True, False, False, False]


def test_only_previews_decode_key_frames_and_carry_the_key():
    class Strict(KeyedSource):
        def key_frames_at(self, seconds, spans, size=None):
            raise AssertionError("asked for key frames")

    env = small_env(choice(Strict()))
    for seen in (env.reset(), act(env, Action("EXPAND", 1)), act(env, Action("ZOOM", 0))):
        assert "representative" not in seen[1]
    assert "shown_moments" not in env.state.to_json()
    with pytest.raises(AssertionError, match="asked for key frames"):
        previewed(Strict()).reset()


def test_the_state_with_its_moments_is_a_value():
    env = previewed()
    env.reset()
    act(env, Action("EXPAND", 1), Action("ADD_TO_SCRATCHPAD", 2))
    state = env.state
    again = AtlasState.from_json(json.loads(json.dumps(state.to_json())))
    assert again == state and again.view.moments.tolist() == state.view.moments.tolist()
    assert again.shown_moments and hash(again) == hash(state)
    data = state.to_json() | {"shown_moments": [0.0, *state.shown_moments[1:]]}
    with pytest.raises(ValueError, match="one moment inside each of the 4 cells of cell 1"):
        AtlasState.from_json(data)


def test_forks_show_and_remember_the_same_frames():
    env = previewed()
    first, _ = env.reset()
    twin = env.fork()
    assert same_pixels(*({"view": seen["view"]} for seen in (first, twin.reset()[0])))
    subtree = env.fork(Cell((1,)))
    observation, info = subtree.reset()
    assert shown_seconds(observation) == info["representative"].tolist() == [70, 90, 100, 120]
    act(subtree, Action("ADD_TO_SCRATCHPAD", 3))
    env.merge(subtree)
    assert [item.seconds for item in env.state.scratchpad.items] == [120.0]
    assert env.moments_shown(Cell((1,))).tolist() == [70, 90, 100, 120]


def test_a_state_of_the_other_mode_is_shown_in_ones_own():
    preview, plain = previewed(), small_env(choice(KeyedSource()))
    preview.reset(), plain.reset()
    observation, _ = plain.set_state(preview.state)
    assert plain.state.shown_moments == () and shown_seconds(observation) == [32, 96, 160, 224]
    observation, _ = preview.set_state(plain.state)
    assert shown_seconds(observation) == [30, 100, 160, 220]


def test_one_cache_serves_both_modes(tmp_path):
    path, cache = encode(tmp_path / "a.mp4", group_of_pictures=40), TileCache()
    seen = {}
    for mode in ("keyframe", "midpoint", "keyframe", "midpoint"):
        env = VideoAtlasEnv(str(path), grid_size=2, representative=mode, cache=cache)
        observation, _ = env.reset()
        assert same_pixels(seen.setdefault(mode, observation), observation)
        env.close()
    assert not same_pixels(seen["keyframe"], seen["midpoint"])
    exact = VideoReader(path).tiles_at([0.6, 1.8, 3.0, 4.2], 160, 90)
    assert np.array_equal(cell_pixels(seen["midpoint"]["view"], 3, 2, (160, 90)), exact[3])


def test_budgets_count_previews_like_any_frame():
    env = previewed(budget={"frames": 8})
    _, info = env.reset()
    assert info["usage"]["frames"] == 4
    _, info = act(env, Action("ADD_TO_SCRATCHPAD", 0), Action("ZOOM", 0))
    assert info["usage"]["frames"] == 4


@pytest.mark.parametrize("mode", ["rgb_array", "ansi"])
def test_people_are_told_that_a_grid_is_a_preview(mode):
    views = []
    for options in ({}, {"representative": "keyframe"}):
        env = small_env(choice(KeyedSource(every=0.25)), render_mode=mode, **options)
        env.reset()
        views.append(env.render())
        if mode == "ansi":
            assert ("key frames" in views[-1]) == bool(options)
            act(env, Action("ZOOM", 0))
            assert "key frames" not in env.render()
    if mode == "rgb_array":  # every frame is a key frame: only the headline differs
        headline = views[0].shape[0] - 2 * TILE[1]
        assert not np.array_equal(views[0][:headline], views[1][:headline])
        assert np.array_equal(views[0][headline:], views[1][headline:])


def test_wrappers_pass_the_times_on_but_to_the_blind():
    env = ArrayObservation(previewed())
    assert env.reset()[1]["representative"].tolist() == [30, 100, 160, 220]
    assert "representative" not in BlindObservation(previewed()).reset()[1]


def recorded(env, seed):
    """Play at random; return the trajectory and what was seen."""
    trajectory = Trajectory(0, seed, representative=env.representative)
    rng, seen = np.random.default_rng(seed), [env.reset(seed=seed)[0]]
    for _ in range(40):
        action = random_action(env.state, rng)
        observation, _, terminated, truncated, info = env.step(action)
        trajectory.add_action(env._as_action(action), is_legal=info["is_legal"])
        seen.append(observation)
        if terminated or truncated:
            break
    return trajectory, seen


@pytest.mark.parametrize("seed", range(3))
def test_a_preview_replays_to_the_pixel_and_in_its_own_mode_only(seed, tmp_path):
    trajectory, seen = recorded(previewed(), seed)
    trajectory.save(path := tmp_path / "t.jsonl")
    assert json.loads(path.read_text().splitlines()[0])["representative"] == "keyframe"
    loaded = Trajectory.load(path)
    assert loaded == trajectory
    again = [moment[0] for moment in replay(previewed(), loaded)]
    assert all(map(same_pixels, seen, again)) and len(again) == len(seen)
    with pytest.raises(ValueError, match="was played with representative='keyframe'"):
        next(replay(small_env(choice(KeyedSource())), loaded))
    plain, _ = recorded(small_env(choice(KeyedSource())), seed)
    assert "representative" not in plain.to_json()
    with pytest.raises(ValueError, match="this environment has 'keyframe'"):
        next(replay(previewed(), plain))
