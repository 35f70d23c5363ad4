"""Wrappers keep masks, times and forks, and change what they say they change."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import (
    DrawnSource,
    act,
    cell_pixels,
    choice,
    flat,
    numbers,
    same,
    small_env,
    spoken,
    walk,
)

from videoatlas_gym import ArrayObservation, BlindObservation, ShuffledObservation, ToolCalls
from videoatlas_gym.actions import ACTIONS, Action, codes
from videoatlas_gym.errors import shown

GREY = 96


def subtitled(seed=0, **options):
    return small_env(choice(DrawnSource(seed=seed), subtitles=spoken(256.0)), **options)


# ToolCalls


def call(name, **arguments):
    return {"name": name, "arguments": arguments}


def tools(**options):
    env = ToolCalls(small_env(reward={"step": 1.0, "illegal_action": 1.0}, **options))
    env.reset()
    return env


def test_a_list_of_calls_is_taken_one_step_each():
    env = tools()
    _, reward, terminated, truncated, info = env.step(
        [call("add_to_scratchpad", cell=i, note=f"n{i}", confidence=0.8) for i in (0, 2, 3)]
    )
    assert (reward, terminated, truncated, info["calls_taken"]) == (-3.0, False, False, 3)
    finds = env.unwrapped.state.scratchpad.finds
    assert [(f.note, f.confidence, f.step) for f in finds] == [
        *[("n0", 0.8, 1), ("n2", 0.8, 2), ("n3", 0.8, 3)]
    ]


@pytest.mark.parametrize("verb", ["EXPAND", "INVESTIGATE_BEFORE", "INVESTIGATE_AFTER"])
def test_calls_after_other_cells_are_displayed_are_not_taken(verb):
    env = tools()
    info = env.step([call(verb.lower(), cell=1), call("add_to_scratchpad", cell=2)])[-1]
    assert info["calls_taken"] == 1 and not env.unwrapped.state.scratchpad.finds


def test_calls_after_a_zoom_still_mean_the_same_cells():
    env = tools()
    info = env.step([call("zoom", cell=1), call("add_to_scratchpad", cell=1), call("backtrack")])[
        -1
    ]
    assert info["calls_taken"] == 3 and info["view_kind"] == "grid"
    assert env.unwrapped.state.scratchpad.finds[0].seconds == 96.0


def test_calls_after_a_mistake_or_the_end_are_not_taken():
    env = tools()
    info = env.step([call("backtrack"), call("zoom", cell=1)])[-1]
    assert info["calls_taken"] == 1 and "masked" in info["last_error"]
    *_, terminated, _, info = env.step([call("answer", answer=0), call("zoom", cell=1)])
    assert terminated and info["calls_taken"] == 1


def test_only_legal_actions_are_offered_as_tools():
    env = tools(finish_requires_evidence=True)

    def offered():
        return [tool["function"]["name"] for tool in env.tools()]

    assert offered() == [
        *("expand", "zoom", "investigate_before", "investigate_after", "add_to_scratchpad")
    ]
    env.step(call("zoom", cell=0))
    assert offered() == ["add_to_scratchpad", "backtrack"]
    env.step(call("add_to_scratchpad", cell=0))
    assert offered() == ["backtrack", "answer"]
    answer = env.tools()[-1]["function"]["parameters"]["properties"]["answer"]
    assert (answer["minimum"], answer["maximum"]) == (0, 2)
    assert json.dumps(env.tools())


def test_codes_and_actions_are_taken_as_well():
    one, other = tools(), tools()
    assert flat(one.step(codes("ZOOM", 4).start + 2)) == flat(other.step(Action("ZOOM", 2)))
    assert flat(one.step(call("backtrack"))) == flat(
        other.step(np.int64(codes("BACKTRACK", 4).start))
    )


def test_the_terms_of_a_list_of_calls_are_sums_like_its_reward():
    env = tools()
    _, reward, *_, info = env.step([call("zoom", cell=1), call("zoom", cell=1)])
    assert info["reward_terms"] == {"step": -2.0, "illegal_action": -1.0}
    assert reward == sum(info["reward_terms"].values()) and info["calls_taken"] == 2
    fork = env.fork()
    fork.reset()
    assert "reward_terms" not in fork.step([call("backtrack")])[-1]


def test_the_terms_of_calls_taken_before_a_budget_ran_out_are_summed():
    env = tools(budget={"frames": 5})
    *_, truncated, info = env.step([call("add_to_scratchpad", cell=1), call("expand", cell=0)])
    assert truncated and info["budget_exceeded"] == "frames"
    assert info["reward_terms"] == {"step": -1.0, "illegal_action": 0.0}


def test_an_action_without_arguments_says_so():
    env = tools()
    error = env.step(call("backtrack", cell=1))[-1]["last_error"]
    assert error == "BACKTRACK takes no arguments, got {'cell': 1}."


def deep(levels=100_000):
    """Return lists within lists, deeper than Python's own `repr` can follow."""
    nested = []
    for _ in range(levels):
        nested = [nested]
    return nested


GARBAGE = [
    *(
        [deep()],
        {"name": deep()},
        {"name": "expand", "arguments": deep()},
        call("zoom", cell=deep()),
    ),
    *(None, True, 3.5, -1, 10**9, "expand 3", b"expand", Ellipsis, [], [[]], {}),
    *({"name": None}, {"name": ["expand"]}, {"name": "expand"}, {"arguments": {"cell": 1}}),
    *({"name": "expand", "arguments": bad} for bad in (None, "1", [1])),
    {"name": "expand", "arguments": {"cell": 1}, "extra": 1},
    *(call("expand", cell=bad) for bad in ("1", 4, -1, 1.5, 10**400, float("inf"), [1], None)),
    *(call("add_to_scratchpad", cell=1, confidence=bad) for bad in (10**400, "high", float("nan"))),
    *(call("expand", cell=1, note=2), call("answer", answer=9), call("answer", cell=1)),
    *(call("fly"), call("\ud800")),
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=shown)
def test_a_call_that_cannot_be_read_is_a_counted_refusal(garbage):
    env = tools()
    before, _ = env.observe()
    observation, reward, terminated, truncated, info = env.step(garbage)
    assert (reward, terminated, truncated, info["calls_taken"]) == (-2.0, False, False, 1)
    assert info["last_error"] and not info["is_legal"] and len(info["last_error"]) < 2000
    assert same(observation["view"], before["view"]) and env.unwrapped.state.steps == 1
    json.dumps(env.unwrapped.state.to_json())


texts = st.text(max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from([verb.lower() for verb in ACTIONS]) | texts
keys = st.sampled_from(["cell", "answer", "note", "confidence"]) | texts
calls = st.fixed_dictionaries(
    {"name": names}, optional={"arguments": st.dictionaries(keys, values, max_size=3)}
)


@settings(max_examples=150, deadline=None)
@given(st.lists(calls | values, max_size=4) | values)
def test_nothing_that_a_model_writes_raises(reply):
    env = FUZZED
    steps = env.unwrapped.state.steps
    *_, terminated, truncated, info = env.step(reply)
    assert env.unwrapped.state.steps == steps + info["calls_taken"]
    json.dumps(env.unwrapped.state.to_json())
    if terminated or truncated:
        env.reset()


FUZZED = tools(max_steps=500)


# BlindObservation


@pytest.mark.parametrize(
    "wrap",
    [
        BlindObservation,
        lambda env: ArrayObservation(BlindObservation(env)),
        lambda env: BlindObservation(ArrayObservation(env)),
        lambda env: ToolCalls(BlindObservation(env)),
    ],
    ids=["alone", "arrays outside", "arrays inside", "tools outside"],
)
def test_blindness_shows_nothing_of_the_video(wrap):
    seen, refused = [], []
    for seed in (0, 1):
        task = choice(DrawnSource(seed=seed), subtitles=spoken(256.0, text=f"{seed} {{}}"))
        env = wrap(small_env(task, strip=True))
        seen.append(list(walk(env, 60, seed=2)))
        refused.append(env.refuse("what?"))
        fork = env.fork()
        seen[-1] += [(*fork.reset(),)]
    for observation, *_ in seen[0]:
        assert (observation["view"] == GREY).all() and (observation["scratchpad"] == GREY).all()
    assert same(*seen) and same(*refused)
    assert not {"frame", "strip"} & {key for *_, info in seen[0] for key in info}


def test_blindness_leaves_question_place_and_mask():
    env = subtitled()
    blind = BlindObservation(env)
    blind.reset()
    observation, info = act(blind, Action("EXPAND", 2))
    plain, told = env.observe()
    for key in set(plain) - {"view", "scratchpad", "subtitles"}:
        assert same(observation[key], plain[key])
    assert (info["query"], info["options"]) == (told["query"], told["options"])


# ShuffledObservation


def test_shuffled_root_pictures_are_a_permutation():
    plain, told = subtitled(grid_size=3).reset()
    env = ShuffledObservation(subtitled(grid_size=3), seed=5)
    observation, info = env.reset()
    before, after = numbers(plain["view"], 3), numbers(observation["view"], 3)
    assert sorted(after) == sorted(before) and after != before
    order = [before.index(number) for number in after]
    for cell, origin in enumerate(order):
        assert same(
            cell_pixels(observation["view"], cell, 3), cell_pixels(plain["view"], origin, 3)
        )
        assert info["subtitles"][cell] == told["subtitles"][origin]
    assert np.allclose(info["spans"], told["spans"], rtol=0, atol=1e-9)
    assert same(info["action_mask"], told["action_mask"])


def test_the_shuffle_belongs_to_its_seed():
    def order(seed):
        env = ShuffledObservation(small_env(grid_size=3), seed)
        return numbers(env.reset(seed=1)[0]["view"], 3)

    assert order(1) == order(1) != order(2)


def test_a_shuffled_timeline_is_the_same_at_every_depth():
    plain, env = small_env(grid_size=3), ShuffledObservation(small_env(grid_size=3), seed=5)
    origin = numbers(plain.reset()[0]["view"], 3)
    shuffled = numbers(env.reset()[0]["view"], 3)
    for cell in range(9):
        plain.reset()
        env.reset()
        expected, _ = act(plain, Action("EXPAND", origin.index(shuffled[cell])))
        observation, _ = act(env, Action("EXPAND", cell))
        assert numbers(observation["view"], 3) == numbers(expected["view"], 3)
        _, info = act(env, Action("ZOOM", 4))
        expected = act(plain, Action("ZOOM", 4))[1]
        assert same(info["frame"].rgb, expected["frame"].rgb)
