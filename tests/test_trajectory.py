"""What was recorded replays to the pixel, forks and refused actions included."""

import json

import numpy as np
import pytest
from drawn import DrawnSource, make_env, one_task_of_each_kind

from policies.base import World
from videoatlas_gym.actions import ACTIONS, Action, decode
from videoatlas_gym.span import Cell, Span
from videoatlas_gym.tasks import FixedTasks, FrameSearchTasks
from videoatlas_gym.trajectory import Trajectory, replay, same_pixels
from videoatlas_gym.video import TileCache


def fresh_env(kind="open_question", traversal="dfs", **options):
    """Return a new environment about the same video, with nothing cached."""
    task = one_task_of_each_kind(DrawnSource(64.0), Span(20.0, 22.0))[kind]
    return make_env(task, traversal=traversal, cache=TileCache(), **options)


def random_action(random, mask, num_cells, *, only_legal=False):
    """Draw a legal action that does not end the episode, or now and then any at all."""
    if not only_legal and random.random() < 0.15:
        return decode(int(random.integers(len(mask))), num_cells)
    legal = [decode(int(code), num_cells) for code in np.flatnonzero(mask)]
    verbs = sorted({a.verb for a in legal} - {"FINISHED", "ANSWER"}) or ["FINISHED"]
    verb = verbs[random.integers(len(verbs))]
    action = [a for a in legal if a.verb == verb][0 if verb == "FINISHED" else -1]
    if verb == "ADD_TO_SCRATCHPAD":
        confidence = float(random.choice([0.5, 0.75, 1.0]))  # the first is rejected
        return Action(verb, action.cell, note="red car", confidence=confidence)
    return action


class Recording:
    """An episode played at random, with everything that was seen and what was written down."""

    def __init__(self, env, seed, task=0):
        self.env, self.random = env, np.random.default_rng(seed)
        self.trajectory = Trajectory(task, seed)
        self.seen = [env.reset(seed=seed, options={"task": task})]
        self.world = World(env, self.trajectory)

    def act(self, count=1):
        for _ in range(count):
            mask = self.seen[-1][1]["action_mask"]
            action = random_action(self.random, mask, self.env.num_cells)
            observation, _, terminated, truncated, info = self.env.step(action)
            self.trajectory.add_action(action, is_legal=info["is_legal"], text="why not")
            self.seen.append((observation, info))
            if terminated or truncated:
                return

    def merge(self, *cells):
        """Explore forks in turns, then take over what they found."""
        forks = [self.world.fork(cell) for cell in cells]
        views = [fork.reset() for fork in forks]
        for _ in range(6):
            for i, fork in enumerate(forks):
                mask = views[i][1]["action_mask"]
                action = random_action(self.random, mask, self.env.num_cells)
                if not fork.is_over and action.verb != "ANSWER":
                    views[i] = fork.step(action)
        self.seen.append(self.world.merge(*forks))


def assert_replays(recording, env, trajectory=None):
    moments = list(replay(env, trajectory or recording.trajectory))
    events = [event for event in recording.trajectory.events if "fork" not in event]
    assert len(moments) == len(recording.seen) == len(events) + 1
    for (observation, *_, info), (seen, seen_info) in zip(moments, recording.seen, strict=True):
        assert same_pixels(observation, seen)
        assert info["last_error"] == seen_info["last_error"]
        assert np.array_equal(info["spans"], seen_info["spans"])
        assert info["usage"] == seen_info["usage"]
    assert env.state == recording.env.state


@pytest.mark.parametrize("traversal", ["dfs", "bfs"])
@pytest.mark.parametrize("seed", range(4))
def test_a_replay_shows_the_same_pixels_at_every_event(traversal, seed, tmp_path):
    recording = Recording(fresh_env(traversal=traversal, max_steps=200), seed)
    recording.act(12)
    recording.merge(Cell((1,)), Cell((2, 3)), None)
    recording.act(12)
    recording.merge(Cell((3,)))
    recording.act(5)
    events = recording.trajectory.events
    assert [e["type"] for e in events].count("merge") == 2
    assert any(e.get("is_legal") is False for e in events)
    recording.trajectory.save(tmp_path / "episode.jsonl")
    stored = Trajectory.load(tmp_path / "episode.jsonl")
    assert_replays(recording, fresh_env(traversal=traversal, max_steps=200), stored)


def test_forks_in_a_recording_find_something_that_the_replay_takes_over():
    recording = Recording(fresh_env(), 0)
    fork = recording.world.fork(Cell((2,)))
    fork.reset()
    fork.step(Action("ADD_TO_SCRATCHPAD", 1, note="there"))
    fork.step(Action("FINISHED"))
    recording.seen.append(recording.world.merge(fork))
    assert [item.note for item in recording.env.state.scratchpad.items] == ["there"]
    assert_replays(recording, fresh_env())


LIMITS = {"budget": {"frames": 300, "steps": 120}, "max_steps": 100}
"""Limits whose shares left are part of every observation, spent by forks as well."""


@pytest.mark.parametrize("traversal", ["dfs", "bfs"])
@pytest.mark.parametrize("seed", range(3))
def test_forks_that_are_not_merged_are_replayed_where_they_took_place(seed, traversal, tmp_path):
    recording = Recording(fresh_env(traversal=traversal, **LIMITS), seed)
    recording.act(2)
    kept, dropped = recording.world.fork(Cell((1,))), recording.world.fork(Cell((2, 3)))
    for _ in range(3):
        for fork in (kept, dropped):
            view = fork.reset()
            for _ in range(3):
                action = random_action(recording.random, view[1]["action_mask"], 4)
                view = fork.step(action)
        recording.act(2)
    inner = dropped.fork()
    inner.step(Action("ADD_TO_SCRATCHPAD", 1))
    dropped.merge(inner)
    recording.act(1)
    recording.seen.append(recording.world.merge(kept))
    recording.world.fork().step(Action("ZOOM", 0))
    env = fresh_env(traversal=traversal, **LIMITS)
    recording.trajectory.save(tmp_path / "episode.jsonl")
    assert_replays(recording, env, Trajectory.load(tmp_path / "episode.jsonl"))
    assert env.ledger.usage == recording.env.ledger.usage
    assert recording.env.state.steps < env.ledger.usage.steps - 15


def test_a_fork_that_runs_out_of_frames_does_so_again_in_a_replay():
    options = LIMITS | {"budget": {"frames": 10, "steps": 40}}
    recording = Recording(fresh_env(**options), 0)
    fork = recording.world.fork()
    fork.step(Action("EXPAND", 1))
    fork.step(Action("EXPAND", 2))
    assert fork.is_over
    for step in (Action("ADD_TO_SCRATCHPAD", 1), Action("BACKTRACK")):  # the last one is masked
        observation, *_, info = recording.env.step(step)
        recording.trajectory.add_action(step, is_legal=info["is_legal"])
        recording.seen.append((observation, info))
    assert_replays(recording, fresh_env(**options))


def test_actions_of_an_episode_are_those_taken_outside_forks():
    recording = Recording(fresh_env(), 0)
    recording.world.fork().step(Action("ZOOM", 1))
    recording.trajectory.add_action(Action("ZOOM", 2))
    assert recording.trajectory.actions == [Action("ZOOM", 2)]


def test_a_replay_ends_with_the_same_answer_score_and_reward():
    env = fresh_env("multiple_choice")
    env.reset(seed=0, options={"task": 0})
    trajectory = Trajectory(0, 0)
    for action in (Action("EXPAND", 1), Action("ADD_TO_SCRATCHPAD", 2), Action("ANSWER", answer=1)):
        *_, info = env.step(action)
        trajectory.add_action(action)
    *_, (observation, reward, terminated, truncated, again) = replay(
        fresh_env("multiple_choice"), trajectory
    )
    assert (reward, terminated, truncated) == (1.0, True, False)
    for name in ("score", "answer", "evidence", "usage"):
        assert again[name] == info[name]


def test_a_replay_of_another_task_of_the_set_draws_that_task():
    def env():
        return make_env(FrameSearchTasks(DrawnSource(100.0)), cache=TileCache())

    recording = Recording(env(), seed=1, task=7)
    recording.act(5)
    assert recording.trajectory.task_index == 7
    assert_replays(recording, env())


def test_a_replay_draws_the_same_hidden_cells():
    recording = Recording(fresh_env(first_view_cells=2), seed=9)
    recording.act(3)
    assert_replays(recording, fresh_env(first_view_cells=2))


def test_pixels_that_differ_are_told_apart():
    one, _ = fresh_env().reset(seed=0)
    other = {**one, "view": one["view"].copy()}
    assert same_pixels(one, other)
    other["view"][0, 0, 0] ^= 1
    assert not same_pixels(one, other)
    assert not same_pixels(one, {k: v for k, v in one.items() if k != "view"})


def test_a_trajectory_is_the_same_after_a_round_trip_through_a_file(tmp_path):
    recording = Recording(fresh_env(), 2)
    recording.act(4)
    recording.merge(Cell((1,)))
    path = tmp_path / "an episode.jsonl"
    recording.trajectory.save(path)
    assert Trajectory.load(path) == recording.trajectory
    assert Trajectory.load(path).actions == recording.trajectory.actions
    assert [p.name for p in tmp_path.iterdir()] == ["an episode.jsonl"]
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0]["schema_version"] == 1
    assert len(lines) == 1 + len(recording.trajectory.events)


@pytest.mark.parametrize("verb", ACTIONS)
def test_every_verb_keeps_its_arguments_note_and_confidence_in_a_file(verb, tmp_path):
    argument = {"cell": {"cell": 3}, "answer": {"answer": 2}, None: {}}[ACTIONS[verb].argument]
    action = Action(verb, **argument, note="naïve 東京\n", confidence=0.8)
    trajectory = Trajectory(4)
    trajectory.add_action(action, is_legal=False, text="because")
    trajectory.save(tmp_path / "one.jsonl")
    stored = Trajectory.load(tmp_path / "one.jsonl")
    assert stored.actions == [action]
    assert stored.events[0]["text"] == "because" and stored.events[0]["is_legal"] is False


@pytest.mark.parametrize("version", [0, 2, None, "1"])
def test_another_schema_is_refused(version, tmp_path):
    data = {**Trajectory(0).to_json(), "schema_version": version}
    with pytest.raises(ValueError, match=f"schema {version!r}; this version reads 1"):
        Trajectory.from_json(data)
    (tmp_path / "foreign.jsonl").write_text(json.dumps(data))
    with pytest.raises(ValueError, match="cannot read a trajectory of schema"):
        Trajectory.load(tmp_path / "foreign.jsonl")


@pytest.mark.parametrize(
    "content", [b"Once upon a time\n", b"", b"42\n", b"[1, 2]\n", b"\xff\xfe\x00", b'{"a": 1}\nno']
)
def test_a_file_that_is_no_trajectory_is_refused_by_name(content, tmp_path):
    path = tmp_path / "story.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"story\.txt' is not a trajectory"):
        Trajectory.load(path)


def test_a_replay_needs_the_task_that_was_recorded():
    env = make_env(FixedTasks(*one_task_of_each_kind(DrawnSource(64.0), Span(1, 2)).values()))
    with pytest.raises(ValueError, match="task 9 is not in the set"):
        list(replay(env, Trajectory(9)))
