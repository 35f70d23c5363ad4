"""A report is made from run directories alone, says only what they hold, and refuses mixtures."""

import builtins
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from reporting import config_of, made, played, row, write_run

from eval.merge import ReportError, merge
from eval.report import main, write_report
from videoatlas_gym.cli import main as videoatlas

GOLDEN = Path(__file__).parent / "golden" / "report.md"
ROOT = Path(__file__).parent.parent
SMALL = {"names": ("random", "bfs"), "depths": [0, 1], "episodes": 2}


def small_run(folder, **changes):
    """Write a run of eight episodes."""
    return write_run(folder, config_of(**SMALL | changes))


def one_run(folder, *records, **changes):
    """Write a run of given records."""

    def with_hash(config_hash):
        return [made(**vars(record) | {"config_hash": config_hash}) for record in records]

    return write_run(
        folder, config_of(**{"episodes": 1, "names": ("random",)} | changes), with_hash
    )


def golden_run():
    """Write the run of the golden report to ``run``: all that a report can say, in small."""
    budgets = [{"name": "none"}, {"name": "frames=64", "frames": 64}]
    config = config_of(
        names=("random", "best-first", "oracle"), budgets=budgets, depths=[0, 1], episodes=12
    )

    def records(config_hash):
        found = list(played(config, config_hash=config_hash))
        failed = [made(**vars(r) | {"score": None, "error": "KeyError: '|'"}) for r in found[:1]]
        never = [made(**vars(r) | {"score": 0.0}) for r in found[1:12]]
        return failed + never + found[12:-2]

    write_run(Path("run"), config, records, versions={"videoatlas_gym": "1.2.3"})
    return write_report(["run"])


def test_the_report_is_the_golden_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    expected = GOLDEN.read_text(encoding="utf-8")
    assert golden_run() == expected, f"if it is meant: PYTHONPATH=. python {__file__}"
    assert Path("run/report.md").read_text(encoding="utf-8") == expected


def test_every_picture_of_the_report_is_there_and_nothing_else_is_written(tmp_path):
    run = small_run(tmp_path / "run")
    text = write_report([run])
    pictures = re.findall(r"!\[[^]]+\]\((report/[^)]+\.png)\)", text)
    assert len(pictures) == len(set(pictures)) >= 4
    found = {str(p.relative_to(run)) for p in run.rglob("*") if p.is_file()}
    assert found == {"config.json", "records.jsonl", "report.md", *pictures}
    before = {name: (run / name).read_bytes() for name in found}
    assert write_report([run]) == text
    assert before == {name: (run / name).read_bytes() for name in found}


def test_shards_and_copies_make_the_report_of_the_whole(tmp_path):
    config = config_of(**SMALL)
    whole = small_run(tmp_path / "whole")
    records = list(
        played(config, config_hash=json.loads((whole / "config.json").read_bytes())["config_hash"])
    )
    for number, part in enumerate((records[::2], records[1::2], records[:3])):
        write_run(tmp_path / f"{number}", config, lambda _, part=part: part)
    merged = write_report([tmp_path / n for n in "012"], tmp_path / "out" / "all.md")
    assert (tmp_path / "out" / "all" / "score_by_depth_1.png").is_file()
    expected = write_report([whole]).replace("(report/", "(all/")
    assert merged.split("## How it was made")[0] == expected.split("## How it was made")[0]
    assert "Incomplete: 3 of 8" in write_report([tmp_path / "2"])


def test_files_of_shards_in_one_directory_are_read(tmp_path):
    config = config_of(**SMALL)
    for number in (1, 2):
        write_run(
            tmp_path / "run",
            config,
            lambda h, n=number: list(played(config, config_hash=h))[n - 1 :: 2],
            name=f"records-{number}-of-2.jsonl",
        )
    assert len(merge([tmp_path / "run"])[2]) == 8


def refused(*directories, **options):
    """Return the one sentence with which a report is refused."""
    with pytest.raises(ReportError) as raised:
        write_report(directories, **options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_what_is_no_run_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    assert "no directory was given" in refused()
    assert "there is no directory" in refused(tmp_path / "missing")
    assert "there is no directory" in refused(tmp_path / "file")
    assert "holds no run (no config.json)" in refused(tmp_path / "empty")
    run = write_run(tmp_path / "run", config_of(), lambda _: [])
    assert "holds no records yet" in refused(run)
    (run / "config.json").write_text("{}")
    assert "is no configuration of a run" in refused(run)
    assert not (run / "report.md").exists()


def test_mixtures_are_refused_and_the_difference_is_named(tmp_path):
    run = small_run(tmp_path / "a")
    sentence = refused(run, small_run(tmp_path / "b", seed=1, grid_size=8))
    assert "are of different comparisons (different: grid_size, seed)" in sentence
    newer = write_run(tmp_path / "c", config_of(**SMALL), versions={"av": "99"})
    assert "av version" in refused(run, newer)
    older = write_run(tmp_path / "d", config_of(**SMALL), schema_version=1)
    assert "was written under schema 1" in refused(run, older)
    records = list(merge([run])[2])
    changed = [made(**vars(records[0]) | {"seed": 99})]
    other = write_run(tmp_path / "e", config_of(**SMALL), lambda _: changed)
    assert "came out differently in" in refused(run, other)
    same = [made(**vars(records[0]) | {"timing": {"seconds": 9.0}})]
    write_report([run, write_run(tmp_path / "f", config_of(**SMALL), lambda _: same)])


def test_a_record_that_was_not_asked_for_or_cannot_be_read_is_refused(tmp_path):
    stray = one_run(tmp_path / "stray", *row([1.0], policy="dfs"))
    assert "none of those that its configuration asks for" in refused(stray)
    late = one_run(tmp_path / "late", *row([1.0, 1.0]), episodes=1)
    assert "'random', 1, 'none', 1) in " in refused(late)
    broken = small_run(tmp_path / "broken")
    lines = (broken / "records.jsonl").read_text().splitlines(keepends=True)
    (broken / "records.jsonl").write_text("".join([lines[0], '{"x": 1}\n', *lines[1:]]))
    assert "line 2 of" in refused(broken)
    (broken / "records.jsonl").write_text("".join(lines)[:-20])  # torn by a kill: left out
    assert "Incomplete: 7 of 8" in write_report([broken])


def test_pictures_of_episodes_are_shown_if_they_are_there_and_inside_the_run(tmp_path):
    names = [
        "sheets/a b.jpg",
        "sheets/missing.jpg",
        "../secret.jpg",
        "sheets/link.jpg",
        "/etc/hosts",
    ]
    run = one_run(
        tmp_path / "run",
        *[made(task_index=i, sheet=name) for i, name in enumerate([*names, "x" * 5000, "\0"])],
        episodes=7,
    )
    (run / "sheets").mkdir()
    (run / "sheets" / "a b.jpg").write_bytes(b"x")
    (tmp_path / "secret.jpg").write_bytes(b"x")
    (run / "sheets" / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    shown = re.findall(r"\]\(([^)]+\.jpg)\)", write_report([run]))
    assert shown == ["sheets/a%20b.jpg"]
    elsewhere = write_report([run], tmp_path / "out" / "x.md")
    assert "](../run/sheets/a%20b.jpg)" in elsewhere


def test_without_matplotlib_there_is_a_report_that_says_how_to_get_pictures(tmp_path, monkeypatch):
    imported = builtins.__import__

    def without(name, *arguments):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return imported(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    run = small_run(tmp_path / "run")
    text = write_report([run])
    assert 'pip install "videoatlas-gym' in text and "\\[report\\]" in text
    assert ".png" not in text and not (run / "report").exists()
    assert "## Scores" in text


def test_the_command_writes_the_report_and_explains_mistakes(tmp_path, capsys):
    run = small_run(tmp_path / "run")
    assert videoatlas(["report", str(run)]) == 0
    output = capsys.readouterr()
    assert output.out.startswith("# 2 policies on story-1h")
    assert str(run / "report.md") in output.err
    assert main([str(run), "--out", str(tmp_path / "x" / "mine.md")]) == 0
    assert (tmp_path / "x" / "mine.md").is_file()
    capsys.readouterr()
    assert videoatlas(["report", str(run), "--out", str(tmp_path / "mine.txt")]) == 2
    assert "Name one ending in .md" in capsys.readouterr().err
    assert videoatlas(["report", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("videoatlas report: ")
    assert videoatlas(["report"]) == 2


MEASURED = """
import sys, time
from eval.report import write_report
started = time.perf_counter()
write_report([sys.argv[1]])
seconds = time.perf_counter() - started
# Not ru_maxrss: that begins with the size of the process that started this one.
(peak,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(seconds, int(peak.split()[1]) / 1024)
"""


@pytest.mark.slow
def test_ten_thousand_records_are_reported_in_seconds(tmp_path):
    config = config_of(
        names=("random", "uniform", "bfs", "dfs", "oracle"),
        depths=[0, 1, 2, 3],
        limits=("none", "frames=256"),
        episodes=250,
    )
    run = write_run(tmp_path / "run", config)
    assert (run / "records.jsonl").read_bytes().count(b"\n") == 10_000
    command = [sys.executable, "-c", MEASURED, str(run)]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    seconds, megabytes = map(float, output.split())
    assert seconds < 30 and megabytes < 1000, output


if __name__ == "__main__":
    import os
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        GOLDEN.write_text(golden_run(), encoding="utf-8")
