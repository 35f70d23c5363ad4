"""What an episode shows: exact frames, uniform first views, dead zones, states put back."""

import gc
import json
import os
import tracemalloc

import av
import numpy as np
import pytest
from helpers import SIZE, encode
from worlds import (
    TILE,
    DrawnSource,
    Needle,
    act,
    cell_pixels,
    choice,
    coarse_path,
    grounding,
    numbers,
    same,
    small_env,
    spoken,
    walk,
)

from videoatlas_gym import ArrayObservation, AtlasState
from videoatlas_gym.actions import Action
from videoatlas_gym.observation import decode_text
from videoatlas_gym.span import GridGeometry, Span
from videoatlas_gym.tasks import FixedTasks
from videoatlas_gym.video import TileCache, VideoReader


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """200 numbered frames, 8 seconds."""
    return encode(tmp_path_factory.mktemp("film") / "film.mp4", count=200)


@pytest.fixture(scope="module")
def decoded(film):
    """All pictures of the film, as a plain decoder gives them."""
    with av.open(str(film)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def filmed(film, **options):
    return small_env(choice(VideoReader(film)), tile_size=SIZE, **options)


def test_depth_zero_shows_exactly_uniform_sampling(film):
    for grid_size in (2, 3, 8):
        count = grid_size**2
        env = filmed(film, grid_size=grid_size, max_depth=0)
        observation, info = env.reset()
        midpoints = [8.0 * (2 * i + 1) / (2 * count) for i in range(count)]
        assert np.allclose(info["spans"].mean(axis=1), midpoints, rtol=0, atol=1e-12)
        shown = [int(moment * 25 + 1e-6) for moment in midpoints]
        assert numbers(observation["view"], grid_size, SIZE) == shown
        legal = {env._as_action(int(c)).verb for c in np.flatnonzero(info["action_mask"])}
        assert legal == {"ZOOM", "ADD_TO_SCRATCHPAD", "ANSWER"}


def test_zoom_is_bit_equal_to_the_decoder(film, decoded):
    env = filmed(film, grid_size=3)
    _, info = env.reset()
    for cell, (start, end) in enumerate(info["spans"].tolist()):
        observation, info = act(env, Action("ZOOM", cell))
        frame, index = info["frame"], int((start + end) / 2 * 25 + 1e-6)
        assert np.array_equal(frame.rgb, decoded[index]) and frame.seconds == index / 25
        assert np.array_equal(np.asarray(frame), frame.rgb)
        assert observation["zoomed"][0] == cell and info["view_kind"] == "zoom"
        act(env, Action("BACKTRACK"))


def test_strips_of_leaf_cells_reach_every_frame_of_the_film(film, decoded):
    env = filmed(film, strip=True)
    env.reset()
    found = {}
    leaves = [(a, b) for a in range(4) for b in range(4)]
    for a, b in leaves:  # cells of 0.5 s, in grids at depth 1
        env.reset()
        _, info = act(env, Action("EXPAND", a), Action("ZOOM", b))
        found |= {round(frame.seconds * 25): frame.rgb for frame in info["strip"]}
    assert sorted(found) == list(range(200))
    assert all(np.array_equal(found[i], decoded[i]) for i in found)


def test_native_frames_leave_no_threads_behind(film):
    """A thread that only a forgotten frame holds is waited for in vain by a forked process."""
    source = VideoReader(film)
    source.frame_at(0.0)
    gc.collect()
    gc.disable()
    try:
        before = len(os.listdir("/proc/self/task"))
        for index in range(10):
            source.frame_at(index / 25)
        assert len(os.listdir("/proc/self/task")) <= before
    finally:
        gc.enable()


def test_a_strip_is_only_for_cells_too_short_to_open():
    env = small_env(strip=True, max_depth=1)
    env.reset()
    _, info = act(env, Action("EXPAND", 0), Action("ZOOM", 0))
    assert "strip" not in info and "frame" in info  # 16 s long: the depth budget stops it
    env.reset()
    _, info = act(env, Action("INVESTIGATE_AFTER", 0), Action("ZOOM", 0))
    assert "strip" not in info


@pytest.mark.parametrize("max_depth", [0, 1, 2])
def test_no_view_is_finer_than_the_depth_budget_allows(max_depth):
    env = small_env(max_depth=max_depth, investigate_seconds=0.5)
    finest = 256.0 / 4 ** (max_depth + 1)
    for *_, info in walk(env, 300, seed=max_depth):
        assert np.diff(info["spans"]).min() >= finest * (1 - 1e-9)


def test_the_cost_of_an_episode_does_not_depend_on_the_videos_length():
    spent, held = [], []
    for seconds in (60.0, 36_000.0):
        source = DrawnSource(seconds, frames_per_second=25.0)
        env = small_env(choice(source), cache=TileCache(1 << 20), max_depth=2)
        tracemalloc.start()
        env.reset()
        assert source.frames_decoded == 4
        act(env, Action("EXPAND", 1), Action("EXPAND", 1), Action("ZOOM", 1))
        spent.append((source.frames_decoded, env.ledger.usage.frames))
        source.asked.clear()
        held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    assert spent[0] == spent[1]
    assert held[1] < 1.1 * held[0] + 50_000


def test_a_dead_zone_is_black_costs_nothing_and_cannot_be_chosen():
    source = DrawnSource()
    task = choice(source, subtitles=spoken(256.0))
    env = small_env(task, grid_size=3, reward={"illegal_action": 1.0})
    env.reset()
    act(env, Action("EXPAND", 4))
    source.asked.clear()
    env.source.cache.clear()
    observation, info = act(env, Action("BACKTRACK"))
    assert observation["cell_status"].tolist() == [0, 0, 0, 0, 9, 0, 0, 0, 0]
    assert (cell_pixels(observation["view"], 4, 3) == 0).all()
    assert all((cell_pixels(observation["view"], i, 3) > 0).any() for i in (3, 5))
    assert [bool(text) for text in info["subtitles"]] == [True] * 4 + [False] + [True] * 4
    start, end = info["spans"][4]
    assert len(source.asked) == 8 and not any(start <= t < end for t in source.asked)
    for verb in ("EXPAND", "ZOOM", "INVESTIGATE_BEFORE", "ADD_TO_SCRATCHPAD"):
        _, reward, *_, info = env.step(Action(verb, 4))
        assert reward == -1.0 and "masked" in info["last_error"]


@pytest.mark.parametrize("traversal", ["dfs", "bfs"])
def test_no_cell_that_is_shown_dead_is_ever_decoded(traversal):
    env = small_env(traversal=traversal, cache=TileCache(0), max_steps=500, max_depth=3)
    source = env.tasks[0].source
    died, ever = 0, set()
    for observation, *_, info in walk(env, 300, seed=2, keeping=0.0, endings=0.01):
        if info["view_kind"] == "zoom":
            ever |= set(source.asked)
            source.asked.clear()
            continue
        dead = observation["cell_status"] & 8 > 0
        died += dead.sum()
        moments = env.state.view.moments
        assert not set(moments[dead].tolist()) & set(source.asked)
        ever |= set(source.asked)
        assert set(moments[~dead].tolist()) <= ever
        source.asked.clear()
    assert died > 20


def test_evidence_lies_in_the_view_it_was_kept_from():
    env, kept = small_env(max_steps=500), 0
    for *_, info in walk(env, 300, seed=8):
        start, end = info["spans"][0, 0], info["spans"][-1, 1]
        newest = max(env.state.scratchpad.finds, key=lambda find: find.step, default=None)
        if newest and newest.step == env.state.steps:
            kept += 1
            assert start <= newest.seconds < end
            assert newest.seconds in env.state.view.moments
    assert kept > 10


def test_evidence_at_the_end_carries_the_frames_time_text_and_note():
    env = small_env(choice(DrawnSource(frames_per_second=0.3), subtitles=spoken(256.0)))
    env.reset()
    act(env, Action("ADD_TO_SCRATCHPAD", 1, note="a ball", confidence=0.9))
    *_, info = env.step(Action("ANSWER", answer=0))
    assert (info["score"], info["answer"]) == (1.0, 0)
    assert info["evidence"] == [
        {
            "seconds": 96.0,
            "span": [64.0, 128.0],
            "confidence": 0.9,
            "step": 1,
            "note": "a ball",
            "frame_seconds": 28 / 0.3,
            "subtitle": "第11句 | 第12句",
        }
    ]


def test_subtitles_are_those_of_the_displayed_cells():
    env = small_env(choice(DrawnSource(), subtitles=spoken(256.0, every=4.0)))
    env.reset()
    observation, info = act(env, Action("EXPAND", 2), Action("EXPAND", 1))  # 144 s to 160 s
    assert info["subtitles"] == ("第36句", "第37句", "第38句", "第39句")
    text = decode_text(observation["subtitles"])
    assert text == "0: 第36句\n1: 第37句\n2: 第38句\n3: 第39句"


def test_a_needle_hinted_on_the_coarse_path_can_be_followed_down_to_it():
    moment, geometry = 201.3, GridGeometry(256.0, 2, 0.25)
    needle = Needle(Span(201.0, 202.0), hints=coarse_path(geometry, moment, 4))
    env = small_env(grounding(DrawnSource(needles=[needle]), (201.0, 202.0)), max_depth=3)
    observation, _ = env.reset()
    for depth in range(4):
        red = [
            (cell_pixels(observation["view"], i, 2) == (255, 0, 0)).all(-1).sum() for i in range(4)
        ]
        cell = int(np.argmax(red))
        assert red[cell] > 0 and geometry.cell_at(moment, depth + 1).path[-1] == cell
        observation, _ = act(env, Action("EXPAND" if depth < 3 else "ADD_TO_SCRATCHPAD", cell))
    assert env.step(Action("FINISHED"))[1] == 1.0


def test_a_state_from_json_shows_the_same_next():
    one = small_env(traversal="bfs", grid_size=3, max_steps=50)
    other = small_env(traversal="bfs", grid_size=3, max_steps=50)
    one.reset()
    other.reset()
    rng = np.random.default_rng(3)
    for _ in range(40):
        text = json.dumps(one.state.to_json())
        code = int(rng.choice(np.flatnonzero(one.action_masks()[:-8])))
        other.set_state(AtlasState.from_json(json.loads(text)))
        seen, expected = other.step(code)[0], one.step(code)[0]
        # Shares of the budgets belong to the account, not to the state.
        assert same(seen.pop("position")[:-2], expected.pop("position")[:-2])
        assert same(seen, expected)


def test_a_state_of_another_world_is_refused():
    env = small_env()
    env.reset()
    for other in (
        small_env(choice(DrawnSource(255.0))),
        small_env(grid_size=3),
        small_env(traversal="bfs"),
        small_env(grounding(DrawnSource(), (0.0, 1.0))),
    ):
        other.reset()
        with pytest.raises(ValueError, match="another video, grid, set of rules"):
            env.set_state(other.state)
    with pytest.raises(ValueError, match="kind of environment"):
        env.set_state(env.state.fork())


def test_two_questions_on_one_video_differ_in_the_arrays():
    source = DrawnSource()
    seen = [
        ArrayObservation(small_env(task)).reset()[0]
        for task in (choice(source, query="Which ball?"), choice(source, query="Which hat?"))
    ]
    assert not np.array_equal(*(o["query_features"] for o in seen))
    assert np.array_equal(*(o["view"] for o in seen))


def test_only_the_video_of_the_episode_stays_open(tmp_path):
    paths = [encode(tmp_path / f"{i}.mp4", count=10) for i in range(6)]
    env = small_env(FixedTasks(*(choice(VideoReader(path)) for path in paths)), tile_size=TILE)
    env.reset(options={"task": 0})
    before = len(os.listdir("/proc/self/fd"))
    for index in range(1, 6):
        env.reset(options={"task": index})
    assert len(os.listdir("/proc/self/fd")) == before
    env.close()
    env.close()
    assert len(os.listdir("/proc/self/fd")) == before - 1
