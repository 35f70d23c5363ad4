"""Forks look ahead: they share the world and the account, and know nothing of the truth."""

import threading

import numpy as np
import pytest
from playing import random_action
from worlds import DrawnSource, act, choice, flat, grounding, same, small_env, spoken, walk

from videoatlas_gym import ArrayObservation, BlindObservation, ShuffledObservation, ToolCalls
from videoatlas_gym.actions import Action, codes
from videoatlas_gym.span import Span
from videoatlas_gym.tasks import MultipleChoice, OpenQuestion
from videoatlas_gym.video import TileCache

SECRET = 1234567.25
"""A number that only the truth holds."""


class Leaky(MultipleChoice):
    """Scores with a number that can be recognised."""

    def score(self, answer, state):
        return SECRET


def truths():
    """Pairs of tasks that differ in nothing but the truth."""
    cues = spoken(256.0)
    return [
        (choice(DrawnSource(), 0, subtitles=cues), choice(DrawnSource(), 2, subtitles=cues)),
        (grounding(DrawnSource(), (3.0, 5.0)), grounding(DrawnSource(), (200.0, 256.0))),
        (
            OpenQuestion(DrawnSource(), "What?", answer="cat"),
            OpenQuestion(DrawnSource(), "What?", answer="dog"),
        ),
    ]


@pytest.mark.parametrize("pair", truths(), ids=lambda pair: pair[0].kind)
@pytest.mark.parametrize("traversal", ["dfs", "bfs"])
def test_forks_under_two_truths_are_equal_to_the_byte(pair, traversal):
    options = {"traversal": traversal, "reward": "shaped", "grid_size": 3, "max_steps": 999}
    envs = [small_env(task, **options) for task in pair]
    rng = np.random.default_rng(7)
    for env in envs:
        env.reset(seed=0)
    start = [env.fork() for env in envs]
    forks = start
    assert same(*[fork.reset() for fork in forks])
    for _ in range(200):
        state = forks[0].state
        action = random_action(state, rng, endings=0.02)
        one, other = (fork.step(action) for fork in forks)
        assert flat(one) == flat(other)
        _, reward, terminated, truncated, info = one
        assert reward == 0.0 and not truncated
        assert not {"score", "reward_terms", "answer", "evidence"} & set(info)
        assert not info["action_mask"][codes("ANSWER", 9)].any()
        if terminated:
            openable = np.flatnonzero(envs[0].state.expandable)
            cell = envs[0].state.current.child(int(rng.choice(openable)))
            forks = [env.fork(cell) for env in envs]
            assert same(*[fork.reset() for fork in forks])


def test_a_masked_action_in_a_fork_pays_nothing():
    env = small_env(reward={"illegal_action": 1.0, "step": 1.0})
    env.reset()
    _, reward, _, _, info = env.fork().step(Action("ANSWER", answer=0))
    assert reward == 0.0 and "masked" in info["last_error"] and not info["is_legal"]


def test_a_fork_of_a_cell_starts_with_empty_memory_and_inherits_dead_zones():
    env = small_env()
    env.reset()
    act(env, Action("EXPAND", 0), Action("BACKTRACK"), Action("ADD_TO_SCRATCHPAD", 3))
    assert len(env.state.dead_zones.spans) == 1
    cell = env.state.current.child(2)
    state = env.fork(cell).state
    assert (state.current, state.region, state.is_fork) == (cell, cell, True)
    assert not len(state.scratchpad) and not state.queue
    assert state.dead_zones == env.state.dead_zones
    same_place = env.fork().state
    assert same_place.scratchpad == env.state.scratchpad and same_place.current.depth == 0


def test_a_fork_resets_to_where_it_began():
    env = small_env(traversal="bfs")
    env.reset()
    act(env, Action("ADD_TO_SCRATCHPAD", 1), Action("MARK_PROMISING", 2), Action("ZOOM", 3))
    fork = env.fork()
    first, _ = fork.reset()
    act(fork, Action("BACKTRACK"), Action("FINISHED"), Action("ADD_TO_SCRATCHPAD", 0))
    again, info = fork.reset()
    assert all(same(first[key], again[key]) for key in first if key != "position")
    assert fork.state == env.fork().state and info["view_kind"] == "zoom"
    assert env.state.zoomed == 3 and len(env.state.scratchpad) == 1


def test_what_a_fork_finds_stays_after_the_merge():
    env = small_env()
    env.reset()
    left, right = (env.fork(env.state.current.child(i)) for i in (0, 3))
    act(left, Action("ADD_TO_SCRATCHPAD", 1, note="a ball"))
    act(right, Action("EXPAND", 2), Action("BACKTRACK"), Action("FINISHED"))
    before = env.observe()[0]
    observation, info = env.merge(left, right)
    assert observation["cell_status"].tolist() == [5, 0, 0, 9]
    assert not np.array_equal(observation["scratchpad"], before["scratchpad"])
    assert env.state.current.depth == 0 and env.state.steps == 0
    *_, info = env.step(Action("ANSWER", answer=0))
    assert [(item["note"], item["span"]) for item in info["evidence"]] == [("a ball", [16.0, 32.0])]


def test_what_a_fork_keeps_does_not_touch_its_parent():
    env = small_env()
    seen = env.reset()
    fork = env.fork()
    for _ in walk(fork, 30):
        pass
    assert same(env.observe()[0]["view"], seen[0]["view"]) and env.state.steps == 0


WRAPPERS = {
    "array": ArrayObservation,
    "tools": ToolCalls,
    "blind": BlindObservation,
    "shuffled": ShuffledObservation,
    "all": lambda env: ToolCalls(BlindObservation(ArrayObservation(ShuffledObservation(env, 3)))),
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_wrapped_environments_fork_wrapped(wrap):
    env = wrap(small_env(choice(DrawnSource(), subtitles=spoken(256.0))))
    env.reset()
    expected, _ = env.observe()
    fork = env.fork()
    assert type(fork) is type(env) and fork.unwrapped.is_fork
    observation, _ = fork.reset()
    assert set(observation) == set(expected) == set(env.observation_space.spaces)
    assert same(observation["view"], expected["view"])
    assert not fork.action_masks()[-8:].any() and env.action_masks()[-8:].any()
    below = env.fork(env.unwrapped.state.current.child(1))
    assert set(below.reset()[0]) == set(expected)


def numbers_in(value):
    """Every number anywhere inside what an environment returned, arrays of text left out."""
    if isinstance(value, dict):
        return {n for v in value.values() for n in numbers_in(v)}
    if isinstance(value, list | tuple):
        return {n for v in value for n in numbers_in(v)}
    if isinstance(value, np.ndarray):
        return set(np.unique(value).tolist())
    return {value} if isinstance(value, int | float) else set()


@pytest.mark.parametrize("reward", ["sparse", {"step": 1.0}])
def test_the_truth_is_nowhere_to_be_read_before_the_end(reward):
    start, end = 101.03125, 107.09375
    truth = (Span(start, end),)
    leaky = Leaky(DrawnSource(), "Which?", options=("a", "b"), answer=1, truth=truth)
    ends = 0
    for *_, terminated, truncated, info in walk(small_env(leaky, reward=reward), 150, seed=1):
        seen = numbers_in(info)
        if terminated or truncated:
            ends += 1
            assert SECRET in seen
            continue
        assert not seen & {SECRET, start, end}
        assert not set(info) & {"score", "answer", "truth", "evidence", "task"}
    assert ends > 3


def test_observations_do_not_depend_on_the_truth():
    for pair in truths():
        rollouts = [
            [(o, i["spans"]) for o, *_, i in walk(small_env(task), 60, seed=4)] for task in pair
        ]
        assert same(*rollouts)


def views(env, seed):
    return [flat(observation["view"]) for observation, *_ in walk(env, 25, seed=seed)]


def test_forks_work_side_by_side_in_threads():
    env = small_env(grid_size=3, cache=TileCache(200_000))
    env.reset()
    forks = [env.fork(env.state.current.child(i)) for i in range(6)]
    expected = [views(fork, seed) for seed, fork in enumerate(forks)]
    got = [None] * 6

    def play(i):
        got[i] = views(forks[i], i)

    threads = [threading.Thread(target=play, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == expected
