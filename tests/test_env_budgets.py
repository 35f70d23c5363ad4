"""What ends an episode early: budgets, shared with forks, and videos that fail under way."""

import time

import numpy as np
import pytest
from worlds import DrawnSource, act, choice, same, small_env

from videoatlas_gym import BudgetExceeded, Usage
from videoatlas_gym.actions import Action
from videoatlas_gym.span import Span
from videoatlas_gym.video import FrameDecodeError

EXPAND, ZOOM, BACKTRACK = Action("EXPAND", 1), Action("ZOOM", 1), Action("BACKTRACK")


def test_frames_that_do_not_fit_are_not_shown():
    env = small_env(budget={"frames": 7}, reward={"step": 1.0})
    env.reset()
    last, before = act(env, ZOOM)
    act(env, BACKTRACK)
    last, before = act(env, Action("ADD_TO_SCRATCHPAD", 0))
    observation, reward, terminated, truncated, info = env.step(EXPAND)
    assert same(observation, last)
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert info["budget_exceeded"] == "frames" and "7 allowed" in info["last_error"]
    assert info["usage"]["frames"] == before["usage"]["frames"] == 4
    assert "reward_terms" not in info and "infra_error" not in info
    assert info["score"] == 0.0 and info["answer"] is None and len(info["evidence"]) == 1


def test_frames_seen_before_cost_nothing():
    env = small_env(budget={"frames": 8})
    env.reset()
    for _ in range(5):
        _, info = act(env, EXPAND, ZOOM, BACKTRACK, Action("ADD_TO_SCRATCHPAD", 0), BACKTRACK)
    assert info["usage"]["frames"] == 8 and "budget_exceeded" not in info
    assert env.step(Action("EXPAND", 0))[3]


def test_a_kept_frame_that_was_hidden_is_paid_for():
    env = small_env(first_view_cells=0, budget={"frames": 1})
    _, info = env.reset()
    assert info["usage"]["frames"] == 0
    assert act(env, Action("ADD_TO_SCRATCHPAD", 0))[1]["usage"]["frames"] == 1
    _, info = act(env, Action("ADD_TO_SCRATCHPAD", 1))
    assert info["budget_exceeded"] == "frames" and len(env.state.scratchpad) == 1


def test_a_first_view_that_does_not_fit_says_so():
    env = small_env(budget={"frames": 3})
    with pytest.raises(BudgetExceeded, match="frames budget is used up: 4 spent or asked for"):
        env.reset()


def test_steps_run_out_for_the_agent_and_its_forks_together():
    env = small_env(budget={"steps": 4})
    env.reset()
    act(env, ZOOM, BACKTRACK)
    fork = env.fork()
    fork.reset()
    act(fork, ZOOM)
    assert not env.step(ZOOM)[3]
    *_, truncated, info = env.step(BACKTRACK)
    assert truncated and info["budget_exceeded"] == "steps"
    *_, truncated, info = fork.step(BACKTRACK)
    assert truncated and info["budget_exceeded"] == "steps" and "score" not in info


def test_forks_pay_for_new_frames_from_the_same_account():
    env = small_env(budget={"frames": 10})
    env.reset()
    fork = env.fork(env.state.current.child(0))
    assert fork.reset()[1]["usage"]["frames"] == 8
    *_, truncated, info = env.step(EXPAND)
    assert truncated and info["budget_exceeded"] == "frames"
    assert not env.step(Action("EXPAND", 0))[3]  # what the fork has seen is paid


def test_recorded_tokens_and_calls_end_the_episode_at_the_next_step():
    for name, spent in (
        ("tokens", Usage(input_tokens=90, output_tokens=20)),
        ("model_calls", Usage(model_calls=101)),
    ):
        env = small_env(budget={name: 100})
        env.reset()
        env.ledger.record(spent)
        observation, _, _, truncated, info = env.step(ZOOM)
        assert truncated and info["budget_exceeded"] == name
        assert observation["zoomed"][0] == -1
        assert env.reset()[1]["usage"]["input_tokens"] == 0


def test_time_runs_out():
    env = small_env(budget={"seconds": 0.2})
    env.reset()
    assert not env.step(ZOOM)[3]
    time.sleep(0.25)
    *_, truncated, info = env.step(BACKTRACK)
    assert truncated and info["budget_exceeded"] == "seconds"


@pytest.mark.parametrize(
    "budget, complaint",
    [
        ({"frame": 3}, "unknown budget 'frame'. Did you mean 'frames'"),
        ({"frames": 0}, "budget frames must be positive"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(budget, complaint):
    with pytest.raises(ValueError, match=complaint):
        small_env(budget=budget)


def test_the_last_step_of_an_episode_is_still_shown_and_scored():
    env = small_env(max_steps=2, reward={"score": 1.0, "step": 1.0})
    env.reset()
    act(env, ZOOM)
    observation, reward, terminated, truncated, info = env.step(BACKTRACK)
    assert (reward, terminated, truncated, observation["zoomed"][0]) == (-1.0, False, True, -1)
    assert info["score"] == 0.0 and "budget_exceeded" not in info
    env.reset()
    act(env, ZOOM)
    *_, terminated, truncated, info = env.step(Action("ANSWER", answer=0))
    assert (terminated, truncated, info["score"]) == (True, False, 1.0)


def test_shares_of_the_budgets_are_observed():
    env = small_env(budget={"frames": 16, "steps": 10}, max_steps=5)
    observation, _ = env.reset()
    assert observation["position"][-2:].tolist() == [1.0, 0.75]
    observation, _ = act(env, EXPAND)
    assert np.allclose(observation["position"][-2:], [0.8, 0.5])


def test_a_decoding_failure_under_way_is_no_score_and_no_reward():
    source = DrawnSource()
    env = small_env(choice(source), reward="shaped")
    env.reset()
    last, _ = act(env, Action("ZOOM", 0), BACKTRACK)
    source.broken = Span(64.0, 128.0)
    for action in (EXPAND, EXPAND):
        observation, reward, terminated, truncated, info = env.step(action)
        assert same(observation, last)
        assert (reward, terminated, truncated) == (0.0, False, True)
        assert info["infra_error"].startswith("FrameDecodeError: no frame at 72")
        assert not {"score", "answer", "evidence", "reward_terms"} & set(info)
    source.broken = None
    assert not env.step(EXPAND)[3]


def test_a_decoding_failure_in_a_fork_ends_the_fork_alone():
    source = DrawnSource()
    env = small_env(choice(source), reward={"step": 1.0})
    env.reset()
    act(env, ZOOM, BACKTRACK)
    fork = env.fork()
    source.broken = Span(64.0, 128.0)
    *_, truncated, info = fork.step(EXPAND)
    assert truncated and "infra_error" in info and "reward_terms" not in info
    assert not env.step(Action("EXPAND", 0))[3]


def test_a_decoding_failure_at_the_start_raises():
    source = DrawnSource()
    source.broken = Span(0.0, 256.0)
    with pytest.raises(FrameDecodeError, match="no frame at 32"):
        small_env(choice(source)).reset()
