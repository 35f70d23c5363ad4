"""Every argument of the environment changes what it should: a case per name in the signature."""

import inspect

import numpy as np
import pytest
from worlds import (
    TILE,
    DrawnSource,
    KeyedSource,
    act,
    cell_pixels,
    choice,
    grounding,
    numbers,
    small_env,
    spoken,
)

from videoatlas_gym import FrameSearchEnv, VideoAtlasEnv
from videoatlas_gym.actions import Action
from videoatlas_gym.render import HIDDEN_RGB
from videoatlas_gym.tasks import FixedTasks, MultipleChoice, OpenQuestion, TemporalGrounding
from videoatlas_gym.video import ConcatSource, Part, TileCache

OPTIONS = ("red", "green", "blue")


def described(*arguments, **options):
    env = VideoAtlasEnv(*arguments, grid_size=2, tile_size=TILE, **options)
    return env, *env.reset()


def verbs(env, *actions):
    """The verbs that are legal after some actions."""
    env.reset()
    _, info = act(env, *actions) if actions else env.observe()
    return {env._as_action(int(code)).verb for code in np.flatnonzero(info["action_mask"])}


def video():
    source = DrawnSource(64.0)
    env, observation, info = described(source)
    assert env.source.source is source
    assert numbers(observation["view"], 2) == [32, 96, 160, 224]


def question():
    _, _, info = described(DrawnSource(), "What animal?", answer="cat")
    assert info["query"] == "What animal?"


def options():
    env, _, info = described(DrawnSource(), "Which?", OPTIONS, 1)
    assert info["options"] == OPTIONS and isinstance(env.task, MultipleChoice)
    assert info["action_mask"][-8:].tolist() == [1, 1, 1, 0, 0, 0, 0, 0]


def answer():
    for given in (2, "blue"):
        env, *_ = described(DrawnSource(), "Which?", OPTIONS, given)
        assert env.step(Action("ANSWER", answer=2))[1] == 1.0
    env, *_ = described(DrawnSource(), "What animal?", answer="a cat")
    assert isinstance(env.task, OpenQuestion)
    assert env.step(Action("FINISHED", note="Cat!"))[1] == 1.0


def spans():
    env, *_ = described(DrawnSource(), "When?", spans=[(64.0, 128.0)])
    assert isinstance(env.task, TemporalGrounding)
    env.step(Action("ADD_TO_SCRATCHPAD", 1))
    assert env.step(Action("FINISHED"))[1] == 1.0


def tasks():
    several = FixedTasks(*(choice(DrawnSource(), query=f"Q{i}") for i in range(9)))
    env = small_env(several)
    drawn = [env.reset(seed=seed)[1]["query"] for seed in range(20)]
    assert len(set(drawn)) > 3
    assert [env.reset(seed=seed)[1]["query"] for seed in range(20)] == drawn
    assert env.reset(options={"task": 4})[1]["query"] == "Q4"
    with pytest.raises(ValueError, match="indices go from 0 to 8"):
        env.reset(options={"task": 9})
    with pytest.raises(ValueError, match="known: 'task'"):
        env.reset(options={"tusk": 1})
    with pytest.raises(ValueError, match="not both"):
        VideoAtlasEnv(DrawnSource(), tasks=several)


def subtitles():
    cues = spoken(256.0, every=64.0)
    _, _, info = described(DrawnSource(), subtitles=cues)
    assert info["subtitles"] == ("第0句", "第1句", "第2句", "第3句")
    assert described(DrawnSource())[2]["subtitles"] == ("",) * 4
    joined = ConcatSource([Part(DrawnSource(), subtitles=cues)])
    assert FrameSearchEnv(joined, subtitles=False).reset()[1]["subtitles"] == ("",) * 64


def grid_size():
    env = small_env(grid_size=3)
    observation, _ = env.reset()
    assert numbers(observation["view"], 3) == [int(1024 * (2 * i + 1) / 18) for i in range(9)]
    assert env.action_space.n == 6 * 9 + 10


def tile_size():
    observation, _ = small_env(tile_size=(80, 60)).reset()
    assert observation["view"].shape == (120, 160, 3)
    assert observation["scratchpad"].shape == (240, 320, 3)


def max_depth():
    for depth in (0, 1, 2):
        env = small_env(max_depth=depth)
        env.reset()
        _, info = act(env, *[Action("EXPAND", 0)] * depth) if depth else env.observe()
        assert not info["action_mask"][:4].any()
    env = small_env()
    env.reset()
    assert env.state.rules.max_depth == 4  # 256 / 4**5 = 0.25 s: the first below a second


def traversal():
    assert "EXPAND" in verbs(small_env()) and "MARK_PROMISING" not in verbs(small_env())
    bfs = small_env(traversal="bfs")
    assert "MARK_PROMISING" in verbs(bfs) and "EXPAND" not in verbs(bfs)
    assert "FINISHED" in verbs(bfs, Action("MARK_PROMISING", 2))
    bfs.step(Action("FINISHED"))
    assert bfs.state.current.path == (2,)


def max_steps():
    env = small_env(max_steps=3)
    env.reset()
    ends = [env.step(Action("ZOOM", 0))[3] for _ in range(3)]
    assert ends == [False, False, True]
    env = small_env(max_depth=1)
    env.reset()
    ends = [env.step(Action("ZOOM", 0))[3] for _ in range(32)]
    assert ends == [False] * 31 + [True]


def budget():
    env = small_env(budget={"steps": 2})
    env.reset()
    *_, truncated, info = [env.step(Action("ZOOM", 0)) for _ in range(3)][-1]
    assert truncated and info["budget_exceeded"] == "steps"


def reward():
    env = small_env(reward={"step": 0.25, "illegal_action": 1.0})
    env.reset()
    assert env.step(Action("ZOOM", 0))[1] == -0.25
    assert env.step(Action("ZOOM", 0))[1] == -1.25
    env = small_env(reward="shaped")
    env.reset()
    assert env.step(Action("ZOOM", 0))[1] == -0.01


def gamma():
    task = grounding(DrawnSource(), (0.0, 64.0))
    for discount in (0.5, 1.0):
        env = small_env(task, reward={"potential": 1.0}, gamma=discount, max_depth=2)
        env.reset()
        assert env.step(Action("EXPAND", 0))[1] == discount * 0.25


def labels():
    plain, _ = small_env(tile_size=(96, 72)).reset()
    burnt, _ = small_env(tile_size=(96, 72), labels=True).reset()
    for index in range(4):
        before, after = (cell_pixels(v["view"], index, 2, (96, 72)) for v in (plain, burnt))
        assert (before[:16, :16] != after[:16, :16]).any()
        assert np.array_equal(before[20:], after[20:])


def strip():
    to_leaf = [*[Action("EXPAND", 0)] * 4, Action("ZOOM", 1)]
    for asked in (True, False):
        env = small_env(strip=asked)
        env.reset()
        _, info = act(env, *to_leaf)
        assert ("strip" in info) == asked


def representative():
    env = small_env(choice(KeyedSource(every=10.0)), representative="keyframe")
    assert numbers(env.reset()[0]["view"], 2) == [120, 400, 640, 880]
    assert numbers(small_env(choice(KeyedSource())).reset()[0]["view"], 2) == [128, 384, 640, 896]
    with pytest.raises(ValueError, match="unknown representative 'keyframes'. Did you mean"):
        small_env(representative="keyframes")


def first_view_cells():
    def grey(env, seed=0):
        view = env.reset(seed=seed)[0]["view"]
        return [(cell_pixels(view, i, 3) == HIDDEN_RGB).all() for i in range(9)]

    env = small_env(grid_size=3, first_view_cells=4)
    assert sum(grey(env)) == 5 and grey(env, 1) != grey(env)
    assert env.reset()[1]["action_mask"][:9].all()
    assert {sum(grey(small_env(grid_size=3, first_view_cells=(2, 4)), s)) for s in range(30)} == {
        *(5, 6, 7)
    }
    act(env, Action("ZOOM", 0))
    assert not (act(env, Action("BACKTRACK"))[0]["view"] == HIDDEN_RGB).all(axis=-1).any()


def min_expand_seconds():
    down = [Action("EXPAND", 0)] * 2  # to cells of 4 s
    assert "EXPAND" in verbs(small_env(min_expand_seconds=4.0, max_depth=4), *down)
    assert "EXPAND" not in verbs(small_env(min_expand_seconds=4.1, max_depth=4), *down)


def investigate_seconds():
    env = small_env(investigate_seconds=10.0)
    env.reset()
    _, info = act(env, Action("INVESTIGATE_AFTER", 1))
    assert info["spans"][0, 0] == 128.0 and info["spans"][-1, 1] == 138.0


def min_confidence():
    for least, kept in ((0.9, 0), (0.2, 1)):
        env = small_env(min_confidence=least)
        env.reset()
        _, info = act(env, Action("ADD_TO_SCRATCHPAD", 0, confidence=0.5))
        assert len(env.state.scratchpad) == kept and bool(info["last_error"]) != kept


def dead_zones():
    for rule, dead in (("on_leave", 8), ("never", 0)):
        env = small_env(dead_zones=rule)
        env.reset()
        observation, _ = act(env, Action("EXPAND", 3), Action("BACKTRACK"))
        assert observation["cell_status"][3] & 8 == dead


def finish_requires_evidence():
    env = small_env(finish_requires_evidence=True)
    assert "ANSWER" not in verbs(env) and "ANSWER" in verbs(small_env())
    assert "ANSWER" in verbs(env, Action("ADD_TO_SCRATCHPAD", 0))


def cache():
    mine = TileCache()
    env = small_env(cache=mine)
    env.reset()
    assert len(mine) == 4
    for kept, num_decoded in ((TileCache(), 4), (TileCache(0), 8)):
        source = DrawnSource()
        for _ in range(2):
            small_env(choice(source), cache=kept).reset()
        assert source.frames_decoded == num_decoded


def render_mode():
    for mode, kind in (("rgb_array", np.ndarray), ("ansi", str)):
        env = small_env(render_mode=mode)
        env.reset()
        assert isinstance(env.render(), kind)
    with pytest.raises(ValueError, match="Did you mean 'rgb_array'"):
        small_env(render_mode="rgb_aray")


def videos():
    env = FrameSearchEnv(DrawnSource(64.0, seed=3), grid_size=2, tile_size=TILE)
    env.reset()
    assert env.source.duration_seconds == 64.0


def search(**options):
    env = FrameSearchEnv(DrawnSource(64.0), grid_size=2, tile_size=TILE, **options)
    return env.reset(options={"task": 0})[0]["goal"], env


def hardness():
    assert np.array_equal(search(hardness=0.0)[0], search(hardness=0.0)[0])
    assert not np.array_equal(search(hardness=0.0)[0], search(hardness=0.9)[0])


def task_seed():
    assert search(task_seed=0)[1].task.truth != search(task_seed=1)[1].task.truth


def max_truth_share():
    with pytest.raises(ValueError, match="larger max_truth_share"):
        search(max_truth_share=1e-6)


ENV_CASES = [
    *(video, question, options, answer, spans, tasks, subtitles, grid_size, tile_size, max_depth),
    *(traversal, max_steps, budget, reward, gamma, labels, strip, representative),
    first_view_cells,
    *(min_expand_seconds, investigate_seconds, min_confidence, dead_zones),
    *(finish_requires_evidence, cache, render_mode),
]
SEARCH_CASES = [videos, hardness, task_seed, max_truth_share, subtitles]


@pytest.mark.parametrize(
    "case", dict.fromkeys(ENV_CASES + SEARCH_CASES), ids=lambda case: case.__name__
)
def test_the_argument_has_its_effect(case):
    case()


@pytest.mark.parametrize("a, cases", [(VideoAtlasEnv, ENV_CASES), (FrameSearchEnv, SEARCH_CASES)])
def test_every_argument_has_a_case(a, cases):
    named = [p.name for p in inspect.signature(a).parameters.values() if p.kind != p.VAR_KEYWORD]
    assert named == [case.__name__ for case in cases]
