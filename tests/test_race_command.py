"""The race runs from one command, resumes, and says in a sentence what cannot be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

import benchmarks.decode_race
from benchmarks.decode_race import PROGRAM, main
from benchmarks.machine import ROOT, Watch
from benchmarks.measure import measure
from benchmarks.methods import METHODS, Engine
from benchmarks.records import read_measurements
from benchmarks.stages import STAGES
from videoatlas_gym.video.synthesis import numbered_frames, write_video


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder for generated videos that all tests of a worker share."""
    return tmp_path_factory.mktemp("work")


def shell(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.decode_race", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_quick_race_measures_checks_and_reports(tmp_path, work, capsys):
    out, methods = tmp_path / "race", ["floor", "engine-1", "pyav"]
    quick = ["--quick", "--videos", "short", "--work", str(work), "--out", str(out)]
    assert main([*quick, "--methods", ",".join(methods)]) == 0
    found = read_measurements(out)
    assert sorted(found) == sorted(("short", method, 1) for method in methods)
    for measurement in found.values():
        assert not measurement.error
        assert tuple(measurement.stages) == STAGES
        asked = {s: e.get("asked") for s, e in measurement.stages.items()}
        assert asked == {"open": None, "root": 64, "depth 1": 64, "depth 2": 64, "zoom": 1}
        assert sum(entry.get("wrong", 0) for entry in measurement.stages.values()) == 0
        assert 20e6 < measurement.rss_bytes < 500e6
        assert measurement.versions["av"]
    floor = found["short", "floor", 1].stages
    assert all(entry["packets"] > 0 for stage, entry in floor.items() if stage != "open")
    assert floor["root"]["cpu"] < found["short", "pyav", 1].stages["root"]["cpu"]
    text = (out / "results.md").read_text()
    assert "| PyAV, cell by cell |" in text and (out / "ratios.png").is_file()
    assert f"Results are in {out / 'results.md'}." in capsys.readouterr().out
    lines = (out / "records.jsonl").read_text()
    assert main([*quick, "--methods", "pyav,floor,engine-1"]) == 0
    assert (out / "records.jsonl").read_text() == lines
    (out / "results.md").unlink()
    assert main(["--report", str(out)]) == 0
    assert (out / "results.md").read_text() == text


@pytest.mark.slow
def test_a_quick_race_of_all_that_is_here_has_no_wrong_frame_of_ours(tmp_path, work):
    assert main(["--quick", "--work", str(work), "--out", str(tmp_path / "race")]) == 0
    found = read_measurements(tmp_path / "race")
    assert {video for video, _, _ in found} == {"short", "short-copied"}
    ours = [m for m in found.values() if m.method in ("floor", "engine-1", "engine-2", "pyav")]
    assert not any(m.error or any(s.get("wrong") for s in m.stages.values()) for m in ours)


def test_a_video_of_ones_own_is_judged_by_its_looks_whatever_its_shape(tmp_path, work):
    path = write_video(tmp_path / "own.mp4", numbered_frames(50, 160, 120), group_of_pictures=10)
    out = tmp_path / "race"
    arguments = ["--videos", str(path), "--methods", "pyav,engine-1", "--rounds", "1"]
    assert main([*arguments, "--work", str(work), "--out", str(out)]) == 0
    found = read_measurements(out)
    assert {(video, method) for video, method, _ in found} == {
        ("own.mp4", "pyav"),
        ("own.mp4", "engine-1"),
    }
    for measurement in found.values():
        assert measurement.duration_seconds == 2
        assert [e.get("wrong") for e in measurement.stages.values()] == [None, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "give one of --out DIR, --report DIR and --only-videos"),
        (["--out", "a", "--report", "b"], "give one of"),
        (["--report", "{tmp}/none"], "holds no race"),
        (["--out", "{tmp}/r", "--videos", "10hr"], "unknown video '10hr'. Did you mean '10h'?"),
        (["--out", "{tmp}/r", "--methods", "decor"], "Did you mean 'decord'?"),
        (["--out", "{tmp}/r", "--rounds", "0"], "rounds must be a whole number from 1"),
        (["--out", "{tmp}/r", "--videos", "film", "--methods", "pyav"], "set VIDEOATLAS_DATA"),
        (["--out", "{tmp}/r", "--lunch"], "unrecognized arguments"),
    ],
)
def test_mistakes_are_told_in_a_sentence(tmp_path, work, capsys, monkeypatch, arguments, sentence):
    monkeypatch.setenv("VIDEOATLAS_DATA", str(tmp_path))
    arguments = [argument.format(tmp=tmp_path) for argument in arguments]
    assert main([*arguments, "--work", str(work)]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"{PROGRAM}: ") and sentence in said


def test_help_shows_an_example_that_can_be_typed(capsys):
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert f"{PROGRAM} --quick --out" in said and "benchmarks/requirements.txt" in said
    assert (ROOT / "benchmarks" / "requirements.txt").is_file()


def test_ctrl_c_ends_quietly_and_keeps_what_was_measured(tmp_path, work):
    out = tmp_path / "race"
    run = shell("--quick", "--out", out, "--work", work, "--methods", "pyav,floor", "--rounds", 50)
    deadline = time.monotonic() + 100
    while not (out / "records.jsonl").is_file() or not (out / "records.jsonl").read_bytes():
        assert time.monotonic() < deadline and run.poll() is None, run.communicate()
        time.sleep(0.1)
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 130
    assert said.splitlines()[-1] == f"{PROGRAM}: interrupted."
    assert "Traceback" not in said and read_measurements(out)


def test_absent_contenders_are_left_out_with_a_line_that_says_how_to_get_them(monkeypatch, capsys):
    absent = METHODS["decord"].__class__("none", print, modules=("a_module_that_is_not_there",))
    monkeypatch.setitem(METHODS, "absent", absent)
    assert benchmarks.decode_race.present(["pyav", "absent"]) == ["pyav"]
    (line,) = capsys.readouterr().err.splitlines()
    assert "absent: left out" in line and "pip install -r benchmarks/requirements.txt" in line


@pytest.mark.parametrize("has_workers", [True, False])
def test_two_workers_take_part_only_if_the_reader_has_them(monkeypatch, capsys, has_workers):
    monkeypatch.setattr(benchmarks.decode_race, "has_workers", lambda: has_workers)
    assert benchmarks.decode_race.present(["engine-2"]) == ["engine-2"] * has_workers
    assert ("this reader has no num_workers" in capsys.readouterr().err) is not has_workers


def test_the_number_of_workers_goes_to_a_reader_that_knows_of_it(monkeypatch):
    class Reader:
        duration_seconds = 1.0

        def __init__(self, path, num_workers=None):
            self.num_workers = num_workers

    monkeypatch.setattr("videoatlas_gym.video.VideoReader", Reader)
    assert Engine("video.mp4", (8, 8), num_workers=2)._reader.num_workers == 2


def test_a_contender_that_fails_is_a_result_and_a_process_that_dies_too(tmp_path, monkeypatch):
    job = {"method": "pyav", "path": str(tmp_path / "none.mp4"), "size": [8, 8], "views": []}
    result = measure(job)
    assert "No such file" in result["error"] and result["stages"] == {}
    assert "exit code 1: " in benchmarks.decode_race._run("{}")["error"]
    monkeypatch.setattr(benchmarks.decode_race, "_TIMEOUT_SECONDS", 0.01)
    assert benchmarks.decode_race._run("{}")["error"] == "no result after 0.01 s"


def test_the_work_of_others_is_seen_and_that_of_children_is_not():
    burn = [sys.executable, "-c", "import time\nwhile time.process_time() < 1: pass"]
    cores = os.cpu_count()
    begin = time.monotonic()
    with Watch() as own:
        for child in [subprocess.Popen(burn) for _ in range(cores)]:
            child.wait()
    wall = time.monotonic() - begin
    assert own.busy_cores < cores - 0.8 * cores / wall
    script = "import subprocess, sys; subprocess.Popen(sys.argv[1:])"  # no child of ours burns
    subprocess.run([sys.executable, "-c", script, *burn], check=True)
    begin = time.monotonic()
    with Watch() as others:
        time.sleep(1.2)
    assert others.busy_cores > 0.3
