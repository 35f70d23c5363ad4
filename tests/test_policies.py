"""Every policy in the table acts legally, repeatably, and on what it may see."""

import math

import pytest
from drawn import (
    DrawnSource,
    make_env,
    one_task_of_each_kind,
    opened,
    play,
    search_for_needle,
    visible_needle,
)

from policies.base import Policy
from policies.baselines import Hoarder, Oracle, Random, Uniform
from policies.reading import READERS
from policies.rollout import rollout
from policies.table import POLICIES, make_policy
from videoatlas_gym.actions import Action
from videoatlas_gym.env import VideoAtlasEnv
from videoatlas_gym.span import Cell, Span, total_seconds
from videoatlas_gym.tasks import FixedTasks, FrameSearchTasks, make_task
from videoatlas_gym.usage import Usage
from videoatlas_gym.video import FrameDecodeError, TileCache
from videoatlas_gym.video.synthesis import numbered_frames, write_video

KINDS = ("multiple_choice", "open_question", "temporal_grounding", "frame_search")
every_policy = pytest.mark.parametrize("name", POLICIES)
every_kind = pytest.mark.parametrize("kind", KINDS)
every_reader = pytest.mark.parametrize("reader", READERS)


def task_of(kind, seconds=64.0):
    return one_task_of_each_kind(DrawnSource(seconds), Span(20.0, 22.0))[kind]


class Watched(Policy):
    """Plays like another policy and writes down what it is given."""

    def __init__(self, policy):
        self.policy, self.given = policy, []
        self.env_options, self.is_privileged = policy.env_options, policy.is_privileged
        self.reads_truth = policy.reads_truth

    def prepare(self, query, options):
        self.policy.prepare(query, options)

    def bind(self, world, *, seed=0, task=None):
        self.bound_task = task
        self.policy.bind(world, seed=seed, task=task)

    def reset(self, observation, info):
        self.given.append((observation, info))
        self.policy.reset(observation, info)

    def act(self, observation, info):
        self.given.append((observation, info))
        return self.policy.act(observation, info)


@every_policy
@every_kind
@every_reader
@pytest.mark.parametrize("max_depth", [0, 2])
def test_a_policy_acts_legally_for_fifty_steps(name, kind, reader, max_depth):
    policy, acted, seed = make_policy(name, reader=reader), 0, 0
    while acted < 50:
        episode = play(policy, task_of(kind), seed=seed, max_depth=max_depth)
        assert episode.num_illegal == 0
        assert episode.terminated or episode.budget_exceeded == "max_steps"
        assert episode.deepest <= max_depth
        acted, seed = acted + sum(episode.actions.values()), seed + 1
        assert sum(episode.actions.values()) == episode.usage.steps > 0


@every_policy
@every_kind
@every_reader
def test_a_policy_does_the_same_again_with_the_same_seed(name, kind, reader):
    policy, twin = make_policy(name, reader=reader), make_policy(name, reader=reader)
    first = play(policy, task_of(kind), seed=7).trajectory
    play(policy, task_of(kind), seed=8)
    assert play(policy, task_of(kind), seed=7).trajectory == first
    assert play(twin, task_of(kind), seed=7).trajectory == first


@every_policy
@every_reader
@pytest.mark.parametrize("traversal", ["dfs", "bfs"])
def test_a_policy_acts_legally_in_both_traversals(name, reader, traversal):
    for kind in KINDS:
        for needs_evidence in (False, True):
            options = {"traversal": traversal, "finish_requires_evidence": needs_evidence}
            episode = play(make_policy(name, reader=reader), task_of(kind), **options)
            assert episode.num_illegal == 0 and not episode.infra_error
            assert episode.terminated or episode.budget_exceeded == "max_steps"


@every_policy
@every_kind
def test_a_policy_never_sees_score_or_reward_and_only_the_oracle_sees_the_task(name, kind):
    watched = Watched(make_policy(name))
    options = {"reward": "shaped", "max_steps": 12}
    assert play(watched, task_of(kind), **options).total_reward != 0
    assert (watched.bound_task is not None) == (name == "oracle")
    hidden = {"score", "reward_terms", "answer", "evidence"}
    for observation, info in watched.given:
        assert not hidden & (set(info) | set(observation))
    assert len(watched.given) > 2


@every_policy
def test_a_policy_plays_the_bare_environment(name):
    policy = make_policy(name)
    env = VideoAtlasEnv(DrawnSource(64.0), "?", ["a", "b"], 0, grid_size=3, tile_size=(32, 18))
    assert env.unwrapped is env
    assert rollout(env, policy, seed=0).num_illegal == 0


@every_policy
def test_a_policy_is_listed_under_its_own_name(name):
    assert POLICIES[name].name == name
    assert isinstance(make_policy(name), Policy)
    assert make_policy(name).is_privileged == (name == "oracle")


def test_an_unknown_policy_is_answered_with_a_suggestion():
    with pytest.raises(ValueError, match=r"unknown policy 'oracel'\. Did you mean 'oracle'\?"):
        make_policy("oracel")


def test_a_policy_must_say_how_it_acts():
    with pytest.raises(TypeError, match="Policy must implement act"):
        play(Policy(), task_of("open_question"))


def test_random_plays_another_episode_for_another_seed():
    actions = [
        tuple(play(Random(), task_of("open_question"), seed=seed).trajectory.actions)
        for seed in range(8)
    ]
    assert len(set(actions)) >= 6  # some end at once


def test_random_takes_every_verb_that_is_legal_somewhere():
    tasks, verbs = FixedTasks(*map(task_of, KINDS)), set()
    for seed in range(40):
        for traversal in ("dfs", "bfs"):
            episode = play(Random(), tasks, seed=seed, index=seed % 4, traversal=traversal)
            verbs |= set(episode.actions)
    assert verbs == {
        *("EXPAND", "ZOOM", "INVESTIGATE_BEFORE", "INVESTIGATE_AFTER", "ADD_TO_SCRATCHPAD"),
        *("MARK_PROMISING", "BACKTRACK", "FINISHED", "ANSWER"),
    }


@every_kind
def test_uniform_keeps_cells_of_the_first_view_and_opens_nothing(kind):
    episode = play(Uniform(), task_of(kind))
    end = "ANSWER" if kind == "multiple_choice" else "FINISHED"
    kept = 1 if kind == "frame_search" else 4
    verbs = [action.verb for action in episode.trajectory.actions]
    assert verbs == [*["ADD_TO_SCRATCHPAD"] * kept, end]
    assert (episode.deepest, len(episode.evidence), episode.usage.frames) == (0, kept, 4)


def test_uniform_keeps_the_cell_that_looks_most_like_the_goal():
    for seed in range(5):
        task = search_for_needle(visible_needle(600.0, 4, seed))
        episode = play(Uniform(), task, grid_size=4)
        hinted = min(task.source.needle.hints, key=lambda hint: hint[1])[0]
        assert task.source.index_at(episode.evidence[0]["seconds"]) == hinted


def test_hoarder_keeps_everything_that_it_sees():
    episode = play(Hoarder(), task_of("open_question"), max_depth=1)
    assert episode.actions == {"ADD_TO_SCRATCHPAD": 8, "EXPAND": 1, "FINISHED": 1}
    kept = {tuple(item["span"]) for item in episode.evidence}
    assert {(16.0 * i, 16.0 * i + 16.0) for i in range(4)} <= kept and len(kept) == 8


def test_hoarder_keeps_each_moment_once_however_close_they_are():
    episode = play(Hoarder(), task_of("open_question"), max_depth=5, min_expand_seconds=0.0)
    assert episode.actions["ADD_TO_SCRATCHPAD"] <= 4 * 6 and episode.terminated
    assert episode.resolution_seconds < 1.0  # moments of one view are one item there


HOARDED = 150
"""Episodes, each about another picture."""


@pytest.fixture(scope="module")
def hoarded():
    """Episodes of the hoarder, and how much of the video shows each picture."""
    source = DrawnSource(100.0)
    tasks, policy = FrameSearchTasks(source), Hoarder()
    env = make_env(tasks, policy, max_steps=24, tile_size=(32, 18))
    episodes, shares = [], []
    for index in range(HOARDED):
        episodes.append(rollout(env, policy, seed=index, task=index))
        shares.append(total_seconds(env.task.truth) / source.duration_seconds)
    return episodes, shares


def test_keeping_everything_finds_a_picture_no_more_often_than_chance(hoarded):
    episodes, shares = hoarded
    right, expected = sum(e.score for e in episodes), sum(shares)
    # Binomial with n = 150, p = 0.04: beyond 3.5 standard deviations in one of 2000 runs.
    spread = math.sqrt(sum(p * (1 - p) for p in shares))
    assert abs(right - expected) < 3.5 * spread


def test_keeping_everything_would_win_if_any_kept_moment_counted(hoarded):
    episodes, _ = hoarded
    tasks, held = FrameSearchTasks(DrawnSource(100.0)), 0
    for index in range(HOARDED):
        (span, *_) = tasks[index].truth
        held += any(item["seconds"] in span for item in episodes[index].evidence)
    assert held > 3 * sum(episode.score for episode in episodes) + 15


def test_guessing_an_option_is_right_as_often_as_chance():
    task, seeds = task_of("multiple_choice"), range(300)
    right = sum(play(Uniform(), task, seed=seed, tile_size=(16, 9)).score for seed in seeds)
    assert abs(right - 100) < 3.5 * math.sqrt(300 * 2 / 9)


def test_only_the_oracle_knows_where_to_look():
    truth = Span(3000.0, 3000.5)
    task = one_task_of_each_kind(DrawnSource(4096.0), truth)["frame_search"]
    assert play(Oracle(), task).score == 1.0
    assert play(Random(), task).score == play(Uniform(), task).score == 0.0
    paths = opened(play(Oracle(), task))
    assert [cell.depth for cell in paths] == list(range(1, len(paths) + 1))


BUDGET_FOR_NO_VIEW = {"budget": {"frames": 3}}
"""One frame less than the first view of 2 x 2 cells shows."""


@pytest.mark.parametrize("name", ["random", "oracle"])
def test_a_budget_below_the_first_view_ends_the_episode_with_score_zero(name):
    episode = play(make_policy(name), task_of("multiple_choice"), **BUDGET_FOR_NO_VIEW)
    assert (episode.budget_exceeded, episode.score, episode.infra_error) == ("frames", 0.0, "")
    assert episode.truncated and not episode.terminated and episode.trajectory.events == []
    assert (episode.task_id, episode.kind) == ("drawn", "multiple_choice")
    assert episode.usage == Usage()


class Undecodable(DrawnSource):
    """Fails whenever a picture is wanted."""

    def frames_at(self, seconds, size=None):
        raise FrameDecodeError("no frame.")


def test_a_first_view_that_cannot_be_decoded_is_no_score_but_says_of_which_task():
    task = make_task(Undecodable(64.0), "Which?", ["a", "b"], 0)
    episode = play(Random(), task, cache=TileCache())
    assert (episode.score, episode.truncated) == (None, True)
    assert episode.infra_error == "FrameDecodeError: no frame."
    assert (episode.task_id, episode.kind) == (task.task_id, task.kind)


class Eager(Policy):
    """Looks ahead before its first action, further than a small budget allows."""

    def reset(self, observation, info):
        fork = self.world.fork()
        fork.reset()
        for cell in (1, 2):
            fork.step(Action("EXPAND", cell))
        self.world.fork(Cell((0, 1))).reset()


def test_a_policy_that_spends_the_budget_in_its_reset_ends_the_episode():
    episode = play(Eager(), task_of("multiple_choice"), budget={"frames": 9})
    assert (episode.budget_exceeded, episode.score) == ("frames", 0.0)
    assert episode.truncated and episode.actions == {} and episode.usage.frames > 4
    assert [e["type"] for e in episode.trajectory.events].count("fork") == 2


class Unlucky(Policy):
    """Meets a broken frame before its first action."""

    def reset(self, observation, info):
        raise FrameDecodeError("no frame.")


def test_a_policy_whose_reset_meets_a_broken_frame_gets_no_score():
    episode = play(Unlucky(), task_of("multiple_choice"))
    assert episode.score is None and episode.infra_error == "FrameDecodeError: no frame."


def test_a_rollout_reports_decoder_work_of_the_first_view_too(tmp_path):
    path = write_video(tmp_path / "film.mp4", numbered_frames(100), frames_per_second=5)
    task = make_task(path, "Which?", ["a", "b"], 0)
    env = VideoAtlasEnv(tasks=task, grid_size=2, max_depth=0, cache=TileCache())
    cold = rollout(env, make_policy("uniform"), seed=0)
    warm = rollout(env, make_policy("uniform"), seed=0)
    assert cold.frames_decoded >= cold.usage.frames == warm.usage.frames == 4
    assert warm.frames_decoded == 0 and warm.peak_memory_bytes > 10**7
