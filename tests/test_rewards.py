"""Each term of the reward: what it means, its bounds, and that shaping changes no optimum."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import DrawnSource, act, choice, grounding, small_env, walk

from videoatlas_gym.actions import Action
from videoatlas_gym.rewards import REWARD_PRESETS, REWARD_TERMS, potential, reward_weights
from videoatlas_gym.span import Span

BOUNDS = {"score": (0, 1), "grounding": (0, 1), "potential": (-1, 1)}
TRUTH = (Span(64.0, 80.0),)


def paid(env, *actions):
    """The terms of the last of some actions."""
    return act(env, *actions)[1]["reward_terms"]


def begun(task=None, **options):
    env = small_env(task, reward={name: 1.0 for name in REWARD_TERMS}, **options)
    env.reset()
    return env


@pytest.mark.parametrize("traversal", ["dfs", "bfs"])
def test_terms_stay_in_their_bounds_and_sum_to_the_reward(traversal):
    task = grounding(DrawnSource(), (40.0, 90.0), (200.0, 201.0))
    env = begun(task, traversal=traversal, grid_size=3)
    spread = {name: set() for name in REWARD_TERMS}
    for _, reward, *_, info in walk(env, 300, seed=1):
        terms = info.get("reward_terms", {})
        assert math.isclose(reward, sum(terms.values()), abs_tol=1e-12)
        for name, value in terms.items():
            low, high = BOUNDS.get(name, (-1, 0))
            assert low <= value <= high
            spread[name].add(value)
    varies = {name for name, values in spread.items() if len(values) > 1}
    assert varies >= {"score", "grounding", "potential", "decode", "early_answer"}


def test_score_is_paid_at_termination_only():
    env = begun(choice(DrawnSource(), 1))
    assert paid(env, Action("ZOOM", 0), Action("BACKTRACK"))["score"] == 0.0
    assert paid(env, Action("ANSWER", answer=1))["score"] == 1.0
    env.reset()
    assert paid(env, Action("ANSWER", answer=0))["score"] == 0.0
    env = begun(choice(DrawnSource(), 1), max_steps=1)
    assert paid(env, Action("ZOOM", 0))["score"] == 0.0


def test_grounding_is_the_f1_of_evidence_and_truth_in_seconds():
    env = begun(choice(DrawnSource(), 1, truth=TRUTH))
    terms = paid(env, Action("ADD_TO_SCRATCHPAD", 1), Action("ANSWER", answer=0))
    assert terms["grounding"] == pytest.approx(2 * 16 / (64 + 16))
    assert terms["score"] == 0.0
    env = begun(grounding(DrawnSource(), (64.0, 80.0)))
    terms = paid(env, Action("ADD_TO_SCRATCHPAD", 1), Action("FINISHED"))
    assert (terms["grounding"], terms["score"]) == (pytest.approx(0.4), pytest.approx(0.25))


def test_every_step_costs_one():
    assert paid(begun(), Action("ZOOM", 0))["step"] == -1.0


def test_decode_counts_frames_shown_for_the_first_time():
    env = begun()
    assert paid(env, Action("EXPAND", 1))["decode"] == -1.0
    assert paid(env, Action("ZOOM", 2))["decode"] == 0.0
    assert paid(env, Action("BACKTRACK"))["decode"] == 0.0
    assert paid(env, Action("INVESTIGATE_AFTER", 2))["decode"] == -1.0


def test_opening_a_cell_again_is_a_repeat():
    env = begun(dead_zones="never")
    assert paid(env, Action("EXPAND", 1))["repeat"] == 0.0
    assert paid(env, Action("BACKTRACK"))["repeat"] == 0.0
    assert paid(env, Action("EXPAND", 1))["repeat"] == -1.0
    assert paid(env, Action("EXPAND", 1))["repeat"] == 0.0
    masked = Action("MARK_PROMISING", 1)
    assert paid(env, masked)["repeat"] == 0.0


def test_masked_actions_and_refusals_are_illegal():
    env = begun()
    assert paid(env, Action("BACKTRACK"))["illegal_action"] == -1.0
    assert paid(env, Action("ZOOM", 0))["illegal_action"] == 0.0
    assert env.refuse("no action")[-1]["reward_terms"]["illegal_action"] == -1.0
    weak = Action("ADD_TO_SCRATCHPAD", 0, confidence=0.1)
    assert paid(env, weak)["illegal_action"] == 0.0


@pytest.mark.parametrize(
    "looked, cost",
    [
        ([], -1.0),
        ([Action("BACKTRACK")], -1.0),
        ([Action("ADD_TO_SCRATCHPAD", 0)], 0.0),
        ([Action("ZOOM", 0)], 0.0),
        ([Action("EXPAND", 0)], 0.0),
        ([Action("INVESTIGATE_AFTER", 0), Action("BACKTRACK")], 0.0),
    ],
)
def test_answering_before_looking_is_early(looked, cost):
    assert paid(begun(), *looked, Action("ANSWER", answer=0))["early_answer"] == cost


def test_the_potential_grows_towards_the_truth_and_falls_when_led_astray():
    env = begun(choice(DrawnSource(), truth=TRUTH), max_depth=2)
    phi = {}
    for name, actions in {
        "root": [],
        "near": [Action("EXPAND", 1)],
        "astray": [Action("EXPAND", 0)],
        "nearest": [Action("EXPAND", 1), Action("EXPAND", 0)],
        "held": [Action("EXPAND", 1), Action("EXPAND", 0), Action("ADD_TO_SCRATCHPAD", 0)],
        "wrong": [Action("ADD_TO_SCRATCHPAD", 0)],
    }.items():
        env.reset()
        for action in actions:
            env.step(action)
        phi[name] = potential(env.state, env.task)
    assert phi == {
        **{"root": 0.0, "near": 0.25, "astray": 0.0},
        **{"nearest": 0.5, "held": 1.0, "wrong": 0.0},
    }


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    gamma=st.sampled_from([0.5, 0.9, 0.99, 1.0]),
    depth=st.sampled_from([0, 2]),
)
def test_shaping_sums_to_minus_the_first_potential(seed, gamma, depth):
    task = grounding(DrawnSource(), (40.0, 90.0))
    env = small_env(task, reward={"potential": 1.0}, gamma=gamma, max_depth=depth, max_steps=500)
    total, discount, first = 0.0, 1.0, None
    for _, reward, terminated, _, _ in walk(env, 200, seed=seed, endings=0.1):
        if first is None:
            first = potential(env.state, task)
            continue
        total, discount = total + discount * reward, discount * gamma
        if terminated:
            break
    assert terminated and first == (0.0 if depth else 0.5)
    assert total == pytest.approx(-first, abs=1e-9)


def test_sparse_pays_the_score_and_shaped_the_way_there():
    actions = [
        *(Action("BACKTRACK"), Action("EXPAND", 1), Action("EXPAND", 0)),
        *(Action("ADD_TO_SCRATCHPAD", 0), Action("ANSWER", answer=0)),
    ]
    rewards = {}
    for preset in REWARD_PRESETS:
        env = small_env(choice(DrawnSource(), truth=TRUTH), reward=preset, max_depth=2, gamma=1.0)
        env.reset()
        rewards[preset] = [env.step(action)[1] for action in actions]
    assert rewards["sparse"] == [0.0, 0.0, 0.0, 0.0, 1.0]
    assert rewards["shaped"] == pytest.approx([-0.11, 0.115, 0.115, 0.24, 0.49])


def test_presets_name_known_terms_and_are_copies():
    for name, weights in REWARD_PRESETS.items():
        assert set(weights) <= set(REWARD_TERMS)
        reward_weights(name).clear()
        assert REWARD_PRESETS[name]
