"""Comparisons are fair, survive being killed at any moment, and explain users' mistakes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eval.compare import compare, main, rollout_seed
from eval.records import RunDirectory, RunDirectoryError, read_config, read_records
from eval.selection import FirstTasks, find_named_files
from policies.base import Decision, Policy
from policies.baselines import Random, Uniform
from policies.table import POLICIES
from videoatlas_gym.actions import Action
from videoatlas_gym.tasks import FrameSearchTasks
from videoatlas_gym.trajectory import Trajectory
from videoatlas_gym.video import ConcatSource, FrameDecodeError, VideoOpenError
from videoatlas_gym.video.synthesis import numbered_frames, write_video

ROOT = Path(__file__).parent.parent
SMALL = {"grid_size": 2, "tile_size": (32, 20)}
SMALL_FLAGS = ["--grid-size", "2", "--tile-size", "32x20"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with three videos of eight seconds."""
    folder = tmp_path_factory.mktemp("videos")
    for index in range(3):
        frames = numbered_frames(40, 96, 64, first_index=1000 * index)
        write_video(folder / f"match {index}.mp4", frames, frames_per_second=5)
    return folder


class Watcher(Policy):
    """Ends at once; remembers what it was given in `seen`: states, seeds, queries, tasks."""

    name = "watcher"

    def __init__(self, name="watcher", env_options=None, fails_with=None):
        self.name, self.env_options = name, env_options or {}
        self.fails_with, self.seen, self.sheets = fails_with or {}, [], []

    def act(self, observation, info):
        self.seen.append((self.world.state, self.seed, observation["goal"].sum(), self.task))
        self.sheets.append(observation["view"].shape)
        if error := self.fails_with.get(len(self.seen)):
            raise error
        return Decision(Action("FINISHED"))


def play(folder, out, *policies, **options):
    """Compare policies on small grids; return the table and the records."""
    policies = policies or (Random(), Uniform())
    text = compare(
        policies=policies,
        videos=[folder],
        out=out,
        **({"episodes": 4, "depths": [0, 1]} | SMALL | options),
    )
    return text, read_records(out)


def test_every_policy_gets_the_same_tasks_and_seeds_at_every_depth(folder, tmp_path):
    one, other = Watcher("one"), Watcher("other")
    _, records = play(folder, tmp_path, one, other, seed=3)
    assert [r.key for r in records] == [
        (name, depth, index) for name in ("one", "other") for depth in (0, 1) for index in range(4)
    ]
    assert [r.seed for r in records] == [rollout_seed(3, i) for i in range(4)] * 4
    assert [seen[1:3] for seen in one.seen] == [seen[1:3] for seen in other.seen]
    assert len({r.seed for r in records}) == len({seen[2] for seen in one.seen}) == 4
    assert all(seen[3] is None for seen in one.seen), "nobody but the privileged sees the task"


def test_rollout_seeds_depend_on_seed_and_task():
    assert rollout_seed(0, 0) == rollout_seed(0, 0)
    assert len({rollout_seed(seed, index) for seed in range(20) for index in range(20)}) == 400


def test_tasks_are_built_once_and_not_for_a_finished_run(folder, tmp_path, monkeypatch):
    built, build = [], FrameSearchTasks.__getitem__
    monkeypatch.setattr(
        FrameSearchTasks, "__getitem__", lambda self, i: built.append(i) or build(self, i)
    )
    first, _ = play(folder, tmp_path)
    assert built == [0, 1, 2, 3]
    assert play(folder, tmp_path)[0] == first
    assert built == [0, 1, 2, 3]


def test_building_tasks_leaves_few_files_open(tmp_path):
    for index in range(30):
        frames = numbered_frames(30, 96, 64, first_index=1000 * index)
        write_video(tmp_path / f"{index:02}.mp4", frames, frames_per_second=10)
    files = find_named_files([tmp_path], [])
    numbers = {"count": 40, "seed": 0, "hardness": 0.3, "max_truth_share": 0.5}
    tasks, before = FirstTasks("frame-search", files, join_seconds=None, **numbers), open_count()
    tasks.build()
    assert len({tasks[index].source.path for index in range(40)}) > 15
    assert open_count() - before <= 3


def open_count():
    """Return how many files this process holds open."""
    return len(os.listdir("/proc/self/fd"))


def test_options_reach_the_environment(folder, tmp_path):
    policy = Watcher(env_options={"traversal": "bfs", "min_expand_seconds": 0.1})
    _, records = play(folder, tmp_path, policy, depths=["auto"], grid_size=3, tile_size=(24, 16))
    state = policy.seen[0][0]
    assert (state.rules.traversal, state.rules.min_expand_seconds) == ("bfs", 0.1)
    assert (state.num_cells, policy.sheets[0]) == (9, (3 * 16, 3 * 24, 3))
    assert (state.rules.max_depth, records[0].depth) == (1, "auto")


def test_limits_of_steps_and_frames_end_episodes(folder, tmp_path):
    _, records = play(folder, tmp_path / "a", Random(), max_steps=1, depths=[1])
    assert {r.usage["steps"] for r in records} == {1}
    assert "max_steps" in {r.budget_exceeded for r in records}
    _, records = play(folder, tmp_path / "b", POLICIES["bfs"](), max_frames=6, depths=[1])
    assert {r.budget_exceeded for r in records} == {"frames"}
    assert all(r.score is not None and r.usage["frames"] <= 6 for r in records)


def test_trajectories_lie_beside_the_records(folder, tmp_path):
    _, records = play(folder, tmp_path)
    for record in records:
        trajectory = Trajectory.load(tmp_path / record.trajectory)
        assert (trajectory.task_index, trajectory.seed) == (record.task_index, record.seed)
        assert len(trajectory.actions) == sum(record.actions.values()) == record.usage["steps"]


def test_files_are_groups_unless_patterns_join_them(folder, tmp_path):
    options = {"depths": [0], "episodes": 12}
    _, records = play(folder, tmp_path / "a", Watcher(), **options)
    assert {r.group for r in records} == {f"match {i}.mp4" for i in range(3)}
    _, records = play(folder, tmp_path / "b", Watcher(), **options, groups=["*[01].mp4"])
    assert {r.group for r in records} == {"*[01].mp4", "match 2.mp4"}


def test_joined_videos_are_one_timeline_that_keeps_groups(folder, tmp_path):
    class Knowing(Watcher):
        is_privileged = True

    policy, options = Knowing(), {"depths": [0], "episodes": 12, "groups": ["*[01].mp4"]}
    text, records = play(folder, tmp_path, policy, **options, join_seconds=60.0)
    source = policy.seen[0][3].source
    assert isinstance(source, ConcatSource) and source.duration_seconds >= 60
    assert all(seen[3].source is source for seen in policy.seen)
    assert {r.group for r in records} == {"*[01].mp4", "match 2.mp4"}
    assert "joined to at least 60 s" in text


def test_results_do_not_depend_on_where_files_lie(folder, tmp_path):
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in folder.iterdir():
        (moved / path.name).write_bytes(path.read_bytes())
    first, records = play(folder, tmp_path / "run", depths=[0])
    assert play(moved, tmp_path / "run", depths=[0]) == (first, records)
    (moved / "match 1.mp4").unlink()
    with pytest.raises(RunDirectoryError, match="different: videos"):
        play(moved, tmp_path / "run", depths=[0])


def test_files_of_one_name_are_told_apart_and_a_file_given_twice_is_one(folder, tmp_path):
    twin = tmp_path / "match 0.mp4"
    twin.write_bytes((folder / "match 1.mp4").read_bytes())
    videos = [folder / "match 0.mp4", folder, twin]
    compare(policies=[Watcher()], videos=videos, out=tmp_path / "run", episodes=1, **SMALL)
    names = [video["name"] for video in read_config(tmp_path / "run")["config"]["videos"]]
    assert names == ["match 0.mp4", "match 1.mp4", "match 2.mp4", "match 0.mp4#2"]


def test_a_policy_that_raises_loses_its_episode_and_the_run_goes_on(folder, tmp_path, capsys):
    failing = Watcher("failing", fails_with={2: KeyError("x"), 3: FrameDecodeError("no frame")})
    text, records = play(folder, tmp_path, failing, Watcher("fine"), depths=[0])
    assert [(r.score is None, r.error, r.infra_error) for r in records[:4]] == [
        (False, "", ""),
        (True, "KeyError: 'x'", ""),
        (True, "", "FrameDecodeError: no frame"),
        (False, "", ""),
    ]
    assert all(r.score is not None and not r.error for r in records[4:])
    assert {r.group for r in records[1:3]} <= {f"match {i}.mp4" for i in range(3)}
    assert records[1].usage["frames"] == 4
    assert "| failing | 0 | 4 | 2 | 0 | 1 | 1 |" in text
    assert "failing, depth 0, task 1 raised KeyError: 'x'" in capsys.readouterr().err


def test_an_interrupted_run_resumes_to_the_same_table(folder, tmp_path):
    whole, records = play(folder, tmp_path / "whole", Watcher("a"), Watcher("b"))
    interrupted = Watcher("a", fails_with={6: KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        play(folder, tmp_path / "run", interrupted, Watcher("b"))
    assert len(read_records(tmp_path / "run")) == 5
    assert not (tmp_path / "run" / "table.md").exists()
    text, resumed = play(folder, tmp_path / "run", Watcher("a"), Watcher("b"))
    assert text == whole == (tmp_path / "run" / "table.md").read_text()
    assert [r.key for r in resumed] == [r.key for r in records]


SLOW = """
import signal, sys, time
from eval.compare import main
from policies.table import POLICIES
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in background jobs of a shell
class Slow(POLICIES["random"]):
    name = "slow"
    def act(self, observation, info):
        time.sleep(0.05)
        return super().act(observation, info)
POLICIES["slow"] = Slow
raise SystemExit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_process_leaves_a_run_that_resumes_to_the_same_table(
    folder, tmp_path, monkeypatch, capsys, number
):
    out = tmp_path / "killed"
    arguments = ["--videos", str(folder), "--policies", "uniform,slow", *SMALL_FLAGS]
    arguments += ["--depths", "0,1", "--episodes", "8"]
    stderr = stop_after(out, 19, number, [*arguments, "--out", str(out)])
    finished = (out / "records.jsonl").read_bytes()
    assert 19 <= finished.count(b"\n") < 32
    if number == signal.SIGINT:
        assert "Traceback" not in stderr
        assert "Run the same command again to go on in" in stderr.splitlines()[-1]

    monkeypatch.setitem(POLICIES, "slow", type("Slow", (Random,), {"name": "slow"}))
    assert main([*arguments, "--out", str(out)]) == 0
    assert main([*arguments, "--out", str(tmp_path / "whole")]) == 0
    table = (out / "table.md").read_bytes()
    assert table == (tmp_path / "whole" / "table.md").read_bytes()
    assert capsys.readouterr().out == table.decode() * 2
    whole_lines = finished[: finished.rfind(b"\n") + 1]
    assert (out / "records.jsonl").read_bytes().startswith(whole_lines)


def stop_after(out, num_records, number, arguments):
    """Run the command with a slow policy, stop it by a signal in mid-run; return its stderr."""
    command = [sys.executable, "-c", SLOW, *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        records, deadline = out / "records.jsonl", time.monotonic() + 60
        while not records.exists() or records.read_bytes().count(b"\n") < num_records:
            assert process.poll() is None and time.monotonic() < deadline, process.stderr.read()
            time.sleep(0.01)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    return stderr


def test_directories_of_others_are_left_alone_by_the_command(folder, tmp_path, capsys):
    arguments = ["--videos", str(folder), "--policies", "uniform", "--depths", "0", *SMALL_FLAGS]
    (tmp_path / "notes.txt").write_text("x")
    assert main([*arguments, "--out", str(tmp_path)]) == 2
    assert "holds no run" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    run = str(tmp_path / "run")
    assert main([*arguments, "--out", run, "--episodes", "1"]) == 0
    assert main([*arguments, "--out", run, "--episodes", "2"]) == 2
    assert "holds another run (different: episodes)" in capsys.readouterr().err
    with RunDirectory(run, read_config(run)["config"]):
        assert main([*arguments, "--out", run, "--episodes", "1"]) == 2
    assert "another process is writing" in capsys.readouterr().err


def test_a_file_that_is_no_video_is_named(tmp_path):
    (tmp_path / "a.mp4").write_text("no video")
    with pytest.raises(VideoOpenError, match="a.mp4"):
        play(tmp_path, tmp_path / "run", Watcher())
    assert not (tmp_path / "run").exists()


def test_policies_of_one_name_are_refused(folder, tmp_path):
    with pytest.raises(ValueError, match="policy names must differ"):
        play(folder, tmp_path / "run", Watcher(), Watcher())
    with pytest.raises(ValueError, match="policy names must differ and be made of"):
        play(folder, tmp_path / "run", Watcher("../up"))
