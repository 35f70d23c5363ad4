"""However a comparison is executed, cut up, killed or resumed, it records the same."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from comparing import (
    SMALL_FLAGS,
    STORY,
    Killer,
    files_of,
    lasting,
    no_plots,
    play,
    write_videos,
)

from eval.compare import main
from eval.episodes import rollout_seed
from eval.executors import ExecutorError
from eval.records import RunDirectory, read_config, read_records
from policies.baselines import Random
from policies.table import POLICIES

ROOT = Path(__file__).parent.parent
POLICY_SPECS = ("random", "best-first@picture", "oracle")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with three videos of eight seconds."""
    return write_videos(tmp_path_factory.mktemp("videos"))


@pytest.fixture(scope="module")
def options(folder):
    """A comparison on both task sets, with pictures."""
    sets = {"tasks": ["frame-search", "story"], "videos": [folder], **STORY}
    return sets | {"budgets": ["none", "frames=8"], "reader": "truth", "sheets": 1}


@pytest.fixture(scope="module")
def whole(options, tmp_path_factory):
    """The directory of that comparison, played in one go; four tasks of each set."""
    out = tmp_path_factory.mktemp("whole")
    play(out, *POLICY_SPECS, **options)
    return out


def is_equal(out, whole):
    """Whether two runs recorded the same, line by line, and kept the same files."""
    return lasting(read_records(out)) == lasting(read_records(whole)) and files_of(out) == files_of(
        whole
    )


def test_a_second_run_of_a_seed_records_the_same(options, whole, tmp_path):
    records = read_records(whole)
    assert len(records) == 2 * 4 * 3 * 2 * 2 and sum(bool(r.sheet) for r in records) == 24
    play(tmp_path, *POLICY_SPECS, **options)
    assert is_equal(tmp_path, whole)


def test_processes_record_the_same_as_one_does(options, whole, tmp_path):
    play(tmp_path, *POLICY_SPECS, **options, executor="processes", workers=2)
    assert is_equal(tmp_path, whole)
    lines = [(out / "records.jsonl").read_text().splitlines() for out in (tmp_path, whole)]
    for mine, its in zip(*(map(json.loads, part) for part in lines), strict=True):
        volatile = {name for name in mine if mine[name] != its[name]}
        assert volatile <= {"timing", "cache"}


def test_shards_together_are_the_whole_run(options, whole, tmp_path):
    for part in (3, 1):
        play(tmp_path, *POLICY_SPECS, **options, shard=(part, 3))
    indices = {r.task_index for r in read_records(tmp_path)}
    assert indices == {0, 1, 3}, "blocks of neighbouring tasks"
    play(tmp_path, *POLICY_SPECS, **options)  # a run without a shard does what they left
    names = ["records.jsonl", "records-1-of-3.jsonl", "records-3-of-3.jsonl"]
    assert {r.task_index for r in only(tmp_path, names[0])} == {2}
    assert sorted(p.name for p in tmp_path.glob("records*")) == sorted(names)
    together = sorted(lasting(read_records(tmp_path)), key=json.dumps)
    assert together == sorted(lasting(read_records(whole)), key=json.dumps)
    assert files_of(tmp_path) == files_of(whole)


def only(out, name):
    """Return the records in one file of a run."""
    records = read_records(out)
    lines = [json.loads(line) for line in (out / name).read_text().splitlines()]
    keys = {(x["task_set"], x["policy"], x["depth"], x["budget"], x["task_index"]) for x in lines}
    return [record for record in records if record.key in keys]


def test_a_shard_without_a_task_plays_nothing_and_does_no_harm(folder, tmp_path):
    options = {"videos": [folder], "episodes": 1}
    assert play(tmp_path, "random", **options, shard=(2, 2)) == ("", [])
    text, records = play(tmp_path, "random", **options, shard=(1, 2))
    assert [r.task_index for r in records] == [0, 0] and "random" in text


def test_a_worker_that_dies_costs_only_what_is_not_done(folder, tmp_path):
    options = {"videos": [folder], "executor": "processes", "workers": 1}
    deadly = rollout_seed(0, "frame-search", 2)
    with pytest.raises(ExecutorError, match="a worker process died"):
        play(tmp_path, Killer(deadly), **options)
    assert {r.task_index for r in read_records(tmp_path)} == {0, 1}
    _, records = play(tmp_path, Killer(seed=-1), **options)
    assert [r.task_index for r in records] == [0, 0, 1, 1, 2, 2, 3, 3]


SLOW = """
import signal, sys, time
from eval.compare import main
from policies.table import POLICIES
class Slow(POLICIES["random"]):
    name = "slow"
    def act(self, observation, info):
        time.sleep(0.05)
        return super().act(observation, info)
POLICIES["slow"] = Slow
if __name__ == "__main__":
    sys.modules["matplotlib"] = None
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in background jobs
    raise SystemExit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("number", "executor"),
    [(signal.SIGKILL, "serial"), (signal.SIGINT, "serial"), (signal.SIGINT, "processes")],
)
def test_a_stopped_command_leaves_a_run_that_resumes_to_the_same_records(
    folder, tmp_path, monkeypatch, number, executor
):
    out = tmp_path / "killed"
    arguments = ["--videos", str(folder), "--policies", "uniform,slow", *SMALL_FLAGS]
    arguments += ["--depths", "0,1", "--episodes", "8", "--executor", executor]
    stderr = stop_after(tmp_path, out, 9, number, [*arguments, "--out", str(out)])
    finished = (out / "records.jsonl").read_bytes()
    assert 9 <= finished.count(b"\n") < 32
    if number == signal.SIGINT:
        assert "Traceback" not in stderr
        assert "Run the same command again to go on in" in stderr.splitlines()[-1]

    monkeypatch.setitem(POLICIES, "slow", type("Slow", (Random,), {"name": "slow"}))
    serial = [*arguments, "--executor", "serial"]
    with no_plots:
        assert main([*serial, "--out", str(out)]) == 0
        assert main([*serial, "--out", str(tmp_path / "whole")]) == 0
    assert is_equal(out, tmp_path / "whole")
    whole_lines = finished[: finished.rfind(b"\n") + 1]
    assert (out / "records.jsonl").read_bytes().startswith(whole_lines)


def stop_after(tmp_path, out, num_records, number, arguments):
    """Run the command with a slow policy, stop it by a signal in mid-run; return its stderr."""
    (tmp_path / "slow_policy.py").write_text(SLOW)  # a file, which workers can import
    command = [sys.executable, str(tmp_path / "slow_policy.py"), *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, env=environment, **pipes, start_new_session=True) as process:
        records, deadline = out / "records.jsonl", time.monotonic() + 60
        while not records.exists() or records.read_bytes().count(b"\n") < num_records:
            assert process.poll() is None and time.monotonic() < deadline, process.stderr.read()
            time.sleep(0.01)
        os.killpg(process.pid, number)  # as a terminal does: workers get it too
        stopped = time.monotonic()
        _, stderr = process.communicate(timeout=60)
    assert time.monotonic() - stopped < 10
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    return stderr


def test_directories_of_others_are_left_alone_by_the_command(folder, tmp_path, capsys):
    arguments = ["--videos", str(folder), "--policies", "uniform", "--depths", "0", *SMALL_FLAGS]
    (tmp_path / "notes.txt").write_text("x")
    assert main([*arguments, "--out", str(tmp_path)]) == 2
    assert "holds no run" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    run = str(tmp_path / "run")
    with no_plots:
        assert main([*arguments, "--out", run, "--episodes", "1"]) == 0
    assert main([*arguments, "--out", run, "--episodes", "2"]) == 2
    assert "holds another run (different: episodes)" in capsys.readouterr().err
    with RunDirectory(run, read_config(run)["config"]):
        assert main([*arguments, "--out", run, "--episodes", "1"]) == 2
    assert "another process is writing" in capsys.readouterr().err
