"""Run directories keep what they are given, resume what is theirs and touch nothing else."""

import json
import subprocess
import sys

import numpy as np
import pytest
from recording import CONFIG, content, filled, kept, made_record

from eval.record import SCHEMA_VERSION, Record
from eval.records import RunDirectory, RunDirectoryError, is_run, read_config, read_records
from videoatlas_gym.actions import Action
from videoatlas_gym.trajectory import Trajectory


def test_a_record_reads_back_equal():
    record = made_record(answer="text\nof two lines", evidence=[kept(note="ä")])
    assert record.to_line().count("\n") == 1
    assert Record.from_line(record.to_line()) == record
    assert record.key == ("story", "random", 1, "none", 0)


def test_only_time_and_the_work_of_caches_may_differ_between_equal_runs():
    record, again = made_record(), made_record(timing={"seconds": 9.0})
    assert record != again and record.lasting() == again.lasting()
    assert record.lasting().keys() == vars(record).keys() - {"timing", "cache"}
    assert record.lasting() != made_record(answer=1).lasting()


def test_numbers_of_numpy_are_written_as_numbers():
    record = made_record(evidence=[kept(step=np.int64(3))], score=np.float64(0.5))
    assert json.loads(record.to_line())["evidence"] == [kept(step=3)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": 1.5}, "depth must be int | str"),
        ({"seed": True}, "seed must be int"),
        ({"score": 1.5}, r"score must lie in \[0, 1\]"),
        ({"score": float("nan")}, r"score must lie in \[0, 1\]"),
        ({"score": None}, "either a score or"),
        ({"score": 0.0, "infra_error": "x"}, "either a score or"),
        ({"evidence": None}, "evidence must be list"),
        ({"terminated": 1}, "terminated must be bool"),
        ({"timing": {}}, "timing must hold seconds, got -"),
        ({"timing": {"seconds": "1"}}, "timing 'seconds' must be a float from 0 to .*, got '1'"),
        ({"timing": {"seconds": float("nan")}}, "timing 'seconds' must be a float from 0"),
        ({"cache": {"frames_decoded": 1}}, "cache must hold frames_decoded, peak_memory_bytes"),
        ({"cache": {"frames_decoded": True, "peak_memory_bytes": 0}}, "must be an int from 0"),
        ({"schema_version": SCHEMA_VERSION + 1}, "schema_version must be"),
    ],
)
def test_a_record_that_makes_no_sense_cannot_be_made(changes, message):
    with pytest.raises(ValueError, match=message):
        made_record(**changes)


def test_a_run_resumes_with_its_records_in_order(tmp_path):
    records = filled(tmp_path / "run")
    with RunDirectory(tmp_path / "run", CONFIG) as run:
        assert list(run.records.values()) == records
        run.append(made_record(run.config_hash, task_index=7))
    assert [r.task_index for r in read_records(tmp_path / "run")] == [0, 1, 2, 7]


def test_the_configuration_tells_arguments_versions_and_notes(tmp_path):
    with RunDirectory(tmp_path, CONFIG, notes={"files": ["/somewhere/a.mp4"]}) as run:
        there = read_config(tmp_path)
    assert there["config"] == CONFIG
    assert there["config_hash"] == run.config_hash
    assert there["versions"].keys() == {
        *("python", "videoatlas_gym", "gymnasium", "numpy", "av", "pillow")
    }
    assert there["notes"] == {"files": ["/somewhere/a.mp4"]}


def test_the_hash_depends_on_the_configuration_and_not_on_notes_or_order(tmp_path):
    def hashed(name, config, notes=None):
        with RunDirectory(tmp_path / name, config, notes=notes) as run:
            return run.config_hash

    reordered = dict(reversed(CONFIG.items()))
    assert hashed("a", CONFIG) == hashed("b", reordered, {"files": ["x"]})
    assert hashed("c", CONFIG | {"seed": 1}) != hashed("d", CONFIG)


def test_another_run_is_refused_and_left_as_it_is(tmp_path):
    filled(tmp_path)
    before = content(tmp_path)
    with pytest.raises(RunDirectoryError, match="holds another run .different: seed."):
        RunDirectory(tmp_path, CONFIG | {"seed": 1})
    assert content(tmp_path) == before


def test_a_run_made_with_other_versions_is_refused(tmp_path, monkeypatch):
    filled(tmp_path)
    monkeypatch.setattr("numpy.__version__", "1.0.0")
    with pytest.raises(RunDirectoryError, match="different: numpy version"):
        RunDirectory(tmp_path, CONFIG)


def test_a_directory_of_something_else_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(
        RunDirectoryError, match="is not empty and holds no run .found 'thesis.tex'"
    ):
        RunDirectory(tmp_path, CONFIG)
    assert list(content(tmp_path).values()) == [b"x"]
    with pytest.raises(RunDirectoryError, match="is a file"):
        RunDirectory(tmp_path / "thesis.tex", CONFIG)


def test_a_foreign_configuration_file_is_refused_and_left_as_it_is(tmp_path):
    for text in ("not json", "[]", '{"model": 1}', '{"schema_version": 99}'):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(RunDirectoryError, match="Name a new directory"):
            RunDirectory(tmp_path, CONFIG)
        assert (tmp_path / "config.json").read_text() == text


def test_a_run_killed_while_it_was_set_up_can_begin_again(tmp_path):
    (tmp_path / "records.jsonl").touch()
    (tmp_path / ".config.json.17.partial").write_text('{"conf')
    assert not is_run(tmp_path)
    assert len(filled(tmp_path)) == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data["config"].update(seed=1),
        lambda data: data["config"].update(reader="truth"),
        lambda data: data["versions"].update(numpy="1.0.0"),
        lambda data: data.update(config_hash="0" * 64),
    ],
    ids=["another value", "another entry", "another version", "another hash"],
)
def test_a_configuration_that_was_changed_is_refused_and_left_as_it_is(tmp_path, change):
    filled(tmp_path)
    file = tmp_path / "config.json"
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))
    before = content(tmp_path)
    for act in (read_records, lambda path: RunDirectory(path, CONFIG)):
        with pytest.raises(RunDirectoryError, match="config.json' was changed after the run began"):
            act(tmp_path)
    assert content(tmp_path) == before


def test_notes_may_be_added_to_a_configuration(tmp_path):
    records = filled(tmp_path)
    file = tmp_path / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"notes": {"by": "me"}}))
    assert read_records(tmp_path) == records


@pytest.mark.parametrize("kept_bytes", [1, 40, -1])
def test_a_torn_last_line_is_cut_off(tmp_path, kept_bytes):
    records = filled(tmp_path)
    file = tmp_path / "records.jsonl"
    whole = file.read_bytes()
    torn = made_record(records[0].config_hash, task_index=3).to_line().encode()[:kept_bytes]
    file.write_bytes(whole + torn)
    assert read_records(tmp_path) == records
    assert file.read_bytes() == whole + torn, "reading must change nothing"
    with RunDirectory(tmp_path, CONFIG) as run:
        assert list(run.records.values()) == records
        assert file.read_bytes() == whole
        run.append(made_record(run.config_hash, task_index=3))
    assert len(read_records(tmp_path)) == 4


def test_a_first_line_that_was_torn_is_cut_off(tmp_path):
    filled(tmp_path, count=0)
    (tmp_path / "records.jsonl").write_bytes(b'{"schema')
    assert len(filled(tmp_path)) == 3


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda line: line.replace(b'"schema_version": 2', b'"schema_version": 1'), "schema 1"),
        (lambda line: line.replace(b'"group"', b'"grope"'), "fields: 'grope, group'"),
        (lambda line: line.replace(b'"random"', b"17"), "policy must be str"),
        (lambda line: line[:50] + b"\n", "cannot be used"),
        (lambda line: b"[]\n", "schema None"),
        (lambda line: line + line.replace(b'"score": 1.0', b'"score": 0.0'), "with another score"),
    ],
    ids=["schema", "field", "type", "not the last line", "no record", "twice, differently"],
)
def test_a_line_that_is_no_record_of_the_run_is_an_error(tmp_path, spoil, message):
    filled(tmp_path)
    file = tmp_path / "records.jsonl"
    first, *others = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([spoil(first), *others]))
    before = content(tmp_path)
    with pytest.raises(RunDirectoryError, match=message):
        RunDirectory(tmp_path, CONFIG)
    assert content(tmp_path) == before


def test_a_line_of_another_configuration_is_an_error(tmp_path):
    filled(tmp_path, count=0)
    (tmp_path / "records.jsonl").write_text(made_record("another hash").to_line())
    with pytest.raises(RunDirectoryError, match="belongs to another configuration"):
        RunDirectory(tmp_path, CONFIG)


def test_an_episode_is_recorded_once(tmp_path):
    with RunDirectory(tmp_path, CONFIG) as run:
        run.append(made_record(run.config_hash))
        with pytest.raises(ValueError, match="is there already"):
            run.append(made_record(run.config_hash))


def test_a_picture_is_there_before_its_record(tmp_path):
    with RunDirectory(tmp_path, CONFIG) as run:
        run.append(made_record(run.config_hash, sheet="sheets/one.jpg"), sheet=b"picture")
    assert (tmp_path / "sheets/one.jpg").read_bytes() == b"picture"
    assert not list(tmp_path.rglob(".*partial"))


def test_the_trajectory_is_there_before_the_record(tmp_path, monkeypatch):
    trajectory = Trajectory(0, 5)
    trajectory.add_action(Action("FINISHED"))
    with RunDirectory(tmp_path, CONFIG) as run:
        record = made_record(run.config_hash, trajectory="trajectories/one.jsonl")
        with monkeypatch.context() as patched:
            patched.setattr("os.write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                run.append(record, trajectory)
        assert Trajectory.load(tmp_path / "trajectories/one.jsonl") == trajectory
        assert read_records(tmp_path) == []
        run.append(record, trajectory)
    assert read_records(tmp_path) == [record]


def test_a_write_that_the_system_cuts_short_is_continued(tmp_path, monkeypatch):
    from os import write

    with RunDirectory(tmp_path, CONFIG) as run:
        monkeypatch.setattr("os.write", lambda file, data: write(file, data[:7]))
        run.append(made_record(run.config_hash))
    assert len(read_records(tmp_path)) == 1


def test_only_one_process_writes_at_a_time(tmp_path):
    code = (
        "import sys; from eval.records import RunDirectory\n"
        f"RunDirectory({str(tmp_path)!r}, {CONFIG!r}); print('holds', flush=True); input()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as holder:
        assert holder.stdout.readline() == "holds\n"
        with pytest.raises(RunDirectoryError, match="another process is writing to"):
            RunDirectory(tmp_path, CONFIG)
        assert read_records(tmp_path) == [], "reading needs no lock"
        holder.kill()
    with RunDirectory(tmp_path, CONFIG) as run:
        with pytest.raises(RunDirectoryError, match="another process"):
            RunDirectory(tmp_path, CONFIG)
        run.close()
        RunDirectory(tmp_path, CONFIG).close()


def test_reading_asks_for_a_run(tmp_path):
    with pytest.raises(RunDirectoryError, match="holds no run"):
        read_records(tmp_path / "missing")
    assert not (tmp_path / "missing").exists()
