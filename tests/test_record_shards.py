"""Shards write to one directory beside each other; readers see one run."""

import json
import subprocess
import sys

import pytest
from recording import CONFIG, content, filled, made_record

from eval.records import (
    RunDirectory,
    RunDirectoryError,
    hash_of_run,
    is_run,
    read_config,
    read_records,
    records_name,
)


def write_shard(path, number, of, indices, **changes):
    """Append records of some tasks to the file of a shard."""
    with RunDirectory(path, CONFIG, shard=(number, of)) as run:
        for index in indices:
            run.append(made_record(run.config_hash, task_index=index, **changes))


def test_shards_have_files_of_their_own_that_are_read_as_one_run(tmp_path):
    write_shard(tmp_path, 2, 2, [2, 3])
    write_shard(tmp_path, 1, 2, [0, 1])
    assert records_name((2, 4)) == "records-2-of-4.jsonl"
    assert [r.task_index for r in read_records(tmp_path)] == [0, 1, 2, 3]
    with RunDirectory(tmp_path, CONFIG) as run:
        assert [r.task_index for r in run.records.values()] == [0, 1, 2, 3]
        run.append(made_record(run.config_hash, task_index=9))
    assert [r.task_index for r in read_records(tmp_path)] == [9, 0, 1, 2, 3]


def test_several_shards_write_at_the_same_time_but_each_only_once(tmp_path):
    with RunDirectory(tmp_path, CONFIG, shard=(1, 2)), RunDirectory(tmp_path, CONFIG, shard=(2, 2)):
        with pytest.raises(RunDirectoryError, match="another process is writing to .*-2-of-2"):
            RunDirectory(tmp_path, CONFIG, shard=(2, 2))


def test_an_episode_that_two_shards_played_alike_is_kept_once(tmp_path):
    write_shard(tmp_path, 1, 2, [0])
    with RunDirectory(tmp_path, CONFIG, shard=(2, 2)) as run:
        line = made_record(run.config_hash, timing={"seconds": 7.0}).to_line()
    (tmp_path / "records-2-of-2.jsonl").write_text(line)
    (record,) = read_records(tmp_path)
    assert record.timing == {"seconds": 0.5}


def test_an_episode_with_two_outcomes_is_refused(tmp_path):
    write_shard(tmp_path, 1, 2, [0])
    other = made_record(hash_of_run(CONFIG), answer=3)
    (tmp_path / "records-2-of-2.jsonl").write_text(other.to_line())
    with pytest.raises(RunDirectoryError, match="recorded before with another answer"):
        read_records(tmp_path)


def test_the_torn_last_line_of_another_shard_is_neither_read_nor_cut(tmp_path):
    write_shard(tmp_path, 1, 2, [0])
    torn = tmp_path / "records-1-of-2.jsonl"
    torn.write_bytes(torn.read_bytes() + b'{"schema')
    before = torn.read_bytes()
    write_shard(tmp_path, 2, 2, [1])
    assert [r.task_index for r in read_records(tmp_path)] == [0, 1]
    assert torn.read_bytes() == before
    write_shard(tmp_path, 1, 2, [])
    assert torn.read_bytes() == before[: -len(b'{"schema')]


def test_a_shard_of_another_run_is_refused_and_leaves_no_file(tmp_path):
    filled(tmp_path)
    before = content(tmp_path)
    with pytest.raises(RunDirectoryError, match="holds another run .different: seed."):
        RunDirectory(tmp_path, CONFIG | {"seed": 1}, shard=(1, 2))
    assert content(tmp_path) == before


def test_the_first_configuration_stays_when_another_is_written_at_the_same_moment(
    tmp_path, monkeypatch
):
    def other_first(partial, path):
        """Let a shard of another seed win the race."""
        monkeypatch.undo()
        filled(tmp_path / "other", count=0, config=CONFIG | {"seed": 1})
        path.write_bytes((tmp_path / "other" / "config.json").read_bytes())
        raise FileExistsError

    monkeypatch.setattr("os.link", other_first)
    with pytest.raises(RunDirectoryError, match="different: seed"):
        RunDirectory(tmp_path / "run", CONFIG, shard=(1, 2))
    assert read_config(tmp_path / "run")["config"]["seed"] == 1
    assert not list((tmp_path / "run").glob(".*partial"))


STARTED = """
import sys
from eval.records import RunDirectory
input()
with RunDirectory(sys.argv[1], {"seed": 0, "depths": [0, 1]}, shard=(int(sys.argv[2]), 4)):
    print("began")
"""


def test_shards_that_start_at_the_same_moment_agree_on_one_configuration(tmp_path):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    for attempt in range(2):
        out = tmp_path / str(attempt)
        command = [sys.executable, "-c", STARTED, str(out)]
        shards = [subprocess.Popen([*command, str(i + 1)], **pipes) for i in range(4)]
        for shard in shards:
            shard.stdin.write("\n")
            shard.stdin.flush()
        assert [shard.communicate(timeout=60)[0] for shard in shards] == ["began\n"] * 4
        assert json.loads((out / "config.json").read_text())["config"] == CONFIG
        assert read_records(out) == [] and not list(out.glob(".*partial"))


def test_a_directory_that_another_shard_is_setting_up_is_no_strangers(tmp_path):
    (tmp_path / "records-1-of-2.jsonl").touch()
    (tmp_path / ".config.json.17.partial").write_text('{"conf')
    assert not is_run(tmp_path)
    write_shard(tmp_path, 2, 2, [1])
    assert is_run(tmp_path)
