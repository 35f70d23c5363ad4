"""Vectors of environments over unequal videos: texts, masks, frames and infos survive stacking."""

import gc
from fractions import Fraction
from functools import partial

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from helpers import encode
from worlds import TILE, DrawnSource, choice, flat, spoken

from videoatlas_gym.actions import codes, num_actions
from videoatlas_gym.observation import decode_text
from videoatlas_gym.subtitles import Cue, Subtitles
from videoatlas_gym.tasks import FixedTasks, OpenQuestion
from videoatlas_gym.video import VideoReader
from videoatlas_gym.video.synthesis import numbered_frames, write_video

QUESTIONS = ("你在找什么？", "もう一度？", "무엇입니까?")
ZOOM = codes("ZOOM", 4).start
ANSWER = codes("ANSWER", 4).start


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Three files of unequal size, rate and length."""
    folder = tmp_path_factory.mktemp("unequal")
    rate = Fraction(30000, 1001)
    return [
        encode(folder / "a.mp4", count=50),
        write_video(folder / "b.mp4", numbered_frames(90, 96, 128), frames_per_second=12),
        write_video(folder / "c.mp4", numbered_frames(31, 64, 48), frames_per_second=rate),
    ]


@pytest.fixture
def tasks(paths):
    """A question on each file, with questions and subtitles in CJK."""
    return [
        choice(VideoReader(path), query=query, subtitles=spoken(2.0, every=0.25, text=query + "{}"))
        for path, query in zip(paths, QUESTIONS, strict=True)
    ]


@pytest.fixture(params=["sync", "async"])
def vector(request):
    """A maker of vectors that closes what it made."""
    made = []
    gc.collect()  # A forked process must not have to free what a decoder's threads work on.

    def make(tasks, mode=AutoresetMode.NEXT_STEP, **options):
        kinds = {"sync": gym.vector.SyncVectorEnv, "async": gym.vector.AsyncVectorEnv}
        options = {"grid_size": 2, "tile_size": TILE} | options
        makers = [partial(gym.make, "VideoAtlas-v0", tasks=task, **options) for task in tasks]
        made.append(kinds[request.param](makers, autoreset_mode=mode))
        return made[-1]

    yield make
    for envs in made:
        envs.close(terminate=True)


def test_texts_arrive_whole_in_every_slot(vector, tasks):
    envs = vector(tasks)
    observations, infos = envs.reset(seed=0)
    for index, query in enumerate(QUESTIONS):
        text = decode_text(observations["query"][index])
        assert text == "\n".join([query, "0. red", "1. green", "2. blue"])
        assert infos["query"][index] == query
        lines = decode_text(observations["subtitles"][index]).splitlines()
        assert lines == [f"{i}: {text}" for i, text in enumerate(infos["subtitles"][index]) if text]
        assert lines[0].startswith(f"0: {query}0")


def test_slots_show_what_single_environments_show(vector, tasks):
    envs = vector(tasks)
    rng = np.random.default_rng(1)
    singles = [gym.make("VideoAtlas-v0", tasks=task, grid_size=2, tile_size=TILE) for task in tasks]
    seen = [single.reset(seed=5)[0] for single in singles]
    observations, infos = envs.reset(seed=[5, 5, 5])
    for _ in range(12):
        for index, observation in enumerate(seen):
            stacked = {key: observations[key][index] for key in observations}
            assert flat(stacked) == flat(observation)
        actions = [int(rng.choice(np.flatnonzero(mask[:ANSWER]))) for mask in infos["action_mask"]]
        seen = [single.step(a)[0] for single, a in zip(singles, actions, strict=True)]
        observations, *_, infos = envs.step(np.array(actions))


def test_masks_are_stacked_and_sample_only_legal_actions(vector, tasks):
    envs = vector(tasks, traversal="bfs")
    observations, infos = envs.reset(seed=0)
    for _ in range(30):
        assert infos["action_mask"].shape == (3, num_actions(4))
        assert infos["action_mask"].dtype == np.int8
        assert np.array_equal(infos["action_mask"], observations["action_mask"])
        assert all(masks.any() for masks in envs.call("action_masks"))
        actions = envs.action_space.sample(mask=tuple(infos["action_mask"]))
        observations, _, terminated, truncated, infos = envs.step(actions)
        assert infos["is_legal"].all() or (infos["view_kind"] == "grid").any()


def test_zoomed_frames_of_unequal_videos_travel_in_infos(vector, tasks):
    envs = vector(tasks)
    envs.reset(seed=0)
    *_, infos = envs.step(np.array([ZOOM, ZOOM + 1, ZOOM + 2]))
    shapes = [np.asarray(frame).shape for frame in infos["frame"]]
    assert shapes == [(96, 160, 3), (128, 96, 3), (48, 64, 3)]
    for index, (task, frame) in enumerate(zip(tasks, infos["frame"], strict=True)):
        moment = task.source.duration_seconds * (2 * index + 1) / 8
        assert flat(frame) == flat(task.source.frame_at(moment))


def test_an_episode_that_ends_begins_again_by_itself(vector, tasks):
    envs = vector(tasks)
    first, _ = envs.reset(seed=0)
    _, rewards, terminated, _, infos = envs.step(np.array([ANSWER, ZOOM, ANSWER + 1]))
    assert list(rewards) == [1.0, 0.0, 0.0] and list(terminated) == [True, False, True]
    assert list(infos["_score"]) == [True, False, True] and list(infos["score"]) == [1.0, 0.0, 0.0]
    observations, rewards, terminated, _, infos = envs.step(np.array([0, ANSWER, 0]))
    assert list(rewards) == [0.0, 1.0, 0.0] and list(terminated) == [False, True, False]
    for index in (0, 2):
        assert np.array_equal(observations["view"][index], first["view"][index])
    assert list(infos["usage"]["steps"]) == [0, 2, 0]


def test_episodes_can_begin_again_within_the_step(vector, tasks):
    envs = vector(tasks, mode=AutoresetMode.SAME_STEP)
    first, _ = envs.reset(seed=0)
    observations, *_, infos = envs.step(np.array([ANSWER + 2, ZOOM, ZOOM]))
    assert np.array_equal(observations["view"][0], first["view"][0])
    assert infos["final_info"]["answer"][0] == 2
    assert decode_text(infos["final_obs"][0]["query"]).startswith(QUESTIONS[0])


def test_answers_of_every_kind_end_in_the_same_step(vector):
    source = DrawnSource(60.0)
    mixed = [choice(source), choice(source), OpenQuestion(source, "What?", answer="a cat")]
    envs = vector(mixed, max_steps=1)
    envs.reset(seed=0)
    *_, terminated, truncated, infos = envs.step(
        np.array([ANSWER + 1, ZOOM, codes("FINISHED", 4).start])
    )
    assert list(terminated) == [True, False, True] and list(truncated) == [False, True, False]
    assert list(infos["answer"]) == [1, None, None]


def test_slots_draw_different_tasks_of_a_set(vector):
    subtitles = Subtitles((Cue(0.0, 60.0, "字幕"),))
    queries = [f"第{i}问" for i in range(50)]
    source = DrawnSource(60.0)
    several = FixedTasks(*(choice(source, query=q, subtitles=subtitles) for q in queries))
    envs = vector([several] * 3)
    _, infos = envs.reset(seed=0)
    assert len(set(infos["query"])) > 1 and set(infos["query"]) <= set(queries)
    _, again = envs.reset(seed=0)
    assert list(again["query"]) == list(infos["query"])


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_make_vec_makes_them_from_an_id(mode, tasks):
    envs = gym.make_vec(
        "VideoAtlas/FrameSearch-v0",
        num_envs=2,
        vectorization_mode=mode,
        videos=DrawnSource(60.0),
        tile_size=TILE,
        grid_size=2,
    )
    observations, infos = envs.reset(seed=0)
    assert observations["goal"].shape == (2, 2 * TILE[1], 2 * TILE[0], 3)
    assert not np.array_equal(*observations["goal"])
    observations, rewards, *_ = envs.step(np.array([0, ZOOM]))
    assert list(observations["zoomed"][:, 0]) == [-1, 0]
    envs.close()
