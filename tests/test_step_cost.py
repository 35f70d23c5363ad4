"""A step draws and decodes only what changed, and hands out what is its user's own."""

import time

import numpy as np
import pytest
from playing import random_action, start
from worlds import DrawnSource, act, choice, same, small_env, spoken

from videoatlas_gym import Action
from videoatlas_gym.atlas import action_mask, apply
from videoatlas_gym.state import AtlasState
from videoatlas_gym.usage import Ledger
from videoatlas_gym.video import TileCache

BACK = Action("BACKTRACK")
"""Closes a zoom; masked in the root's grid."""


def looked(env):
    """What the environment's viewer shows of the current state, before it is copied."""
    return env._viewer.look(env.state, Ledger())[0]


@pytest.mark.parametrize("options", [{"traversal": "dfs", "labels": True}, {"traversal": "bfs"}])
def test_any_observation_equals_that_of_a_fresh_environment_in_the_same_state(options):
    task = choice(DrawnSource(), subtitles=spoken(256.0, every=3.0))
    options = options | {"max_steps": 10**6}
    env, rng = small_env(task, **options), np.random.default_rng(4)
    observation, info = env.reset()
    for number in range(200):
        if number % 3 == 0:
            fresh = small_env(task, **options)
            fresh.reset()
            again, told = fresh.set_state(AtlasState.from_json(env.state.to_json()))
            assert same(observation, again)
            for key in told.keys() - {"usage", "is_legal"}:
                assert same(told[key], info[key]), key
        is_any = rng.random() < 0.2
        action = int(rng.integers(34)) if is_any else random_action(env.state, rng, endings=0)
        observation, *_, info = env.step(action)
        if env.state.done:
            observation, info = env.reset()


@pytest.mark.parametrize("traversal", ["dfs", "bfs"])
def test_what_a_state_takes_over_from_the_one_before_equals_what_it_would_compute(traversal):
    state, rng = start(grid_size=3, traversal=traversal, num_options=2), np.random.default_rng(1)
    computed = ("span", "view", "held", "dead", "alive", "fits_deeper", "expandable", "cell_status")
    taken_over = 0
    for _ in range(400):
        anew = AtlasState.from_json(state.to_json())
        taken_over += len(state.__dict__.keys() & set(computed))
        assert same(action_mask(state), action_mask(anew))
        for name in computed:
            values = [getattr(each, name) for each in (state, anew)]
            assert same(*(vars(value) if name == "view" else value for value in values)), name
        after = apply(state, random_action(state, rng, endings=0.02))
        state = start(grid_size=3, traversal=traversal, num_options=2) if after.done else after
    assert taken_over > 400


def test_a_state_refuses_a_change_of_what_it_does_not_have():
    with pytest.raises(TypeError, match=r"a state has no \['step'\]; its fields: \['answer'"):
        start().changed(step=1)


def test_what_a_user_writes_into_an_observation_harms_no_later_one():
    env, other = (small_env(choice(DrawnSource(), subtitles=spoken(256.0))) for _ in range(2))
    wanted, _ = other.reset()
    mine, info = env.reset()
    for observation in (mine, env.observe()[0]):
        for array in (*observation.values(), info["spans"], info["action_mask"]):
            array[...] = 7
    assert same(env.observe()[0], wanted)
    for action in (Action("ZOOM", 1), BACK, Action("ADD_TO_SCRATCHPAD", 2), BACK):
        seen, *_ = env.step(action)
        assert same(seen, other.step(action)[0])
        seen["view"][:] = seen["scratchpad"][:] = 0
    assert same(env.reset()[0], wanted)


def test_nothing_is_decoded_again_when_only_the_memory_changed():
    source = DrawnSource()
    env = small_env(choice(source), cache=TileCache(0), traversal="bfs")
    env.reset()
    source.asked.clear()
    act(env, Action("MARK_PROMISING", 1), BACK, Action("ADD_TO_SCRATCHPAD", 2))
    assert source.asked == [160.0]  # the moment of cell 2, for its picture in the scratchpad
    act(env, Action("ZOOM", 0))
    source.asked.clear()
    act(env, Action("ADD_TO_SCRATCHPAD", 0), BACK)
    assert source.asked == [32.0, 160.0]  # the scratchpad's again, no view's


def test_only_pictures_that_changed_are_drawn_again():
    env = small_env(choice(DrawnSource(), subtitles=spoken(256.0)))
    env.reset()
    first = looked(env)
    act(env, BACK)
    second = looked(env)
    for key in ("view", "scratchpad", "query", "subtitles", "action_mask", "cell_status"):
        assert second[key] is first[key]
    act(env, Action("ADD_TO_SCRATCHPAD", 0))
    third = looked(env)
    assert third["scratchpad"] is not first["scratchpad"] and third["view"] is not first["view"]
    assert third["query"] is first["query"] and third["subtitles"] is first["subtitles"]
    act(env, Action("ZOOM", 1))
    zoomed = looked(env)
    act(env, Action("ADD_TO_SCRATCHPAD", 1))
    assert looked(env)["view"] is zoomed["view"]
    assert looked(env)["scratchpad"] is not zoomed["scratchpad"]
    act(env, BACK)
    assert looked(env)["subtitles"] is first["subtitles"]


def test_a_zoom_in_the_cache_is_not_scaled_again():
    env = small_env()
    env.reset()
    act(env, Action("ZOOM", 1))
    scaled = looked(env)["view"]
    for cell in (0, 2, 3):
        act(env, BACK, Action("EXPAND", cell), Action("ZOOM", cell), BACK, BACK, Action("ZOOM", 0))
    act(env, BACK)
    misses = env.source.cache.misses
    act(env, Action("ZOOM", 1))
    assert looked(env)["view"] is scaled and env.source.cache.misses == misses


def test_episodes_of_one_task_share_what_was_read_but_no_pictures():
    source = DrawnSource()
    env = small_env(choice(source, subtitles=spoken(256.0)), cache=TileCache(0))
    env.reset()
    first = looked(env)
    env.reset()
    assert looked(env)["subtitles"] is first["subtitles"]
    assert source.frames_decoded == 8


def test_tasks_on_one_video_do_not_share_what_differs():
    source = DrawnSource()
    texts = ("a{}", "b{}")
    env = small_env([choice(source, subtitles=spoken(256.0, text=text)) for text in texts])
    said = [env.reset(options={"task": index})[1]["subtitles"][0][0] for index in (0, 1, 0)]
    assert said == ["a", "b", "a"]


def test_a_step_that_shows_nothing_new_costs_little_more_than_copying():
    env = small_env(
        choice(DrawnSource(36_000.0, 10.0, (320, 180))), grid_size=8, tile_size=(160, 90)
    )
    observation, _ = env.reset()
    tiles = np.zeros((64, 90, 160, 3), np.uint8)

    def lay_out():
        sheet = np.empty((8, 90, 8, 160, 3), np.uint8)
        sheet[:] = tiles.reshape(8, 8, 90, 160, 3).swapaxes(1, 2)
        return sheet, observation["view"].copy(), observation["scratchpad"].copy()

    def best(function):
        spent = []
        for _ in range(60):
            began = time.perf_counter()
            held = function()  # noqa: F841  (a user holds an observation until the next is there)
            spent.append(time.perf_counter() - began)
        return min(spent)

    assert best(lambda: env.step(BACK)) < 3 * best(lay_out)
