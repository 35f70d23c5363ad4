"""A report replaces what a report made and nothing else, and says in short what it wrote where."""

from unittest.mock import Mock

import pytest
from reporting import config_of, made, write_run

from eval.merge import ReportError
from eval.metrics import summaries
from eval.report import main, write_report
from videoatlas_gym.cli import main as videoatlas


def small_run(folder, **changes):
    """Write a run of eight episodes per budget."""
    return write_run(folder, config_of(**changes))


def refused(*directories, **options):
    """Return the sentence with which a report is refused."""
    with pytest.raises(ReportError) as raised:
        write_report(directories, **options)
    return str(raised.value)


def test_a_report_replaces_only_what_a_report_made(tmp_path):
    run, out = small_run(tmp_path / "run"), tmp_path / "mine.md"
    out.write_text("# My thesis")
    assert "mine.md' is there and was not made by a report" in refused(run, out=out)
    assert out.read_text() == "# My thesis" and not (tmp_path / "mine").exists()
    out.unlink()
    holiday = tmp_path / "mine" / "score_by_depth_1.png"
    holiday.parent.mkdir()
    holiday.write_bytes(b"holiday")
    assert "score_by_depth_1.png' is there and was not made by a report" in refused(run, out=out)
    assert holiday.read_bytes() == b"holiday" and not out.exists()
    holiday.unlink()
    write_report([run], out)
    out.write_text(out.read_text() + "old")
    assert write_report([run], out) == out.read_text()


def test_pictures_that_are_no_longer_made_are_removed_and_no_others(tmp_path):
    run = small_run(tmp_path / "run", limits=("none", "frames=64"))
    write_report([run])
    folder = run / "report"
    (folder / "looked_9.png").write_bytes(b"somebody else's")
    before = {path.name for path in folder.iterdir()}
    kept = {"config.json", "records.jsonl"}
    for path in (path for path in run.iterdir() if path.name in kept):
        path.unlink()
    small_run(run)
    write_report([run])
    after = {path.name for path in folder.iterdir()}
    assert after < before and "looked_9.png" in after
    assert {"score_by_depth_2.png", "cost_by_depth_2.png"} <= before - after


def scaling_run(folder):
    """Write a measurement of three searches."""
    names = [f"visible-K8-{seconds}s" for seconds in (60, 600, 6000)]
    config = {"kind": "scaling", "policies": ["bfs"], "searches": [], "tile_size": [64, 36]}
    place = {"policy": "bfs", "depth": "auto", "kind": "frame_search", "truth": [[1.0, 9.0]]}
    return write_run(
        folder,
        config,
        lambda h: [
            made(config_hash=h, task_set=n, duration_seconds=float(n[11:-1]), **place)
            for n in names
        ],
    )


def test_a_measurement_of_scaling_gets_its_own_report_and_is_not_mixed(tmp_path, capsys):
    scaling, run = scaling_run(tmp_path / "scaling"), small_run(tmp_path / "run")
    assert videoatlas(["report", str(scaling)]) == 0
    printed = capsys.readouterr()
    assert printed.out == (scaling / "scaling.md").read_text().rstrip("\n") + "\n"
    assert "| visible | 8 | bfs |" in printed.out and "scaling.md" in printed.err
    assert not (scaling / "report.md").exists()
    for mixture in ([scaling, run], [run, scaling], [scaling, scaling]):
        sentence = "holds a measurement of scaling, which goes into no other report"
        assert sentence in refused(*mixture)
    assert videoatlas(["report", str(scaling), "--out", str(tmp_path / "x.md")]) == 2
    assert "Leave --out away" in capsys.readouterr().err


def test_what_is_printed_is_short_names_the_file_and_takes_one_reading(
    tmp_path, capsys, monkeypatch
):
    lost = [made(task_index=1, error="x"), made(task_index=2, answer=3)]
    config = config_of(names=("random",), depths=[1], episodes=3)
    run = write_run(
        tmp_path / "run",
        config,
        lambda h: [made(**vars(record) | {"config_hash": h}) for record in (made(), *lost)],
    )
    reading = Mock(wraps=summaries)
    monkeypatch.setattr("eval.report.summaries", reading)
    assert main([str(run)]) == 0
    printed = capsys.readouterr().out
    assert reading.call_count == 1
    assert "Episodes per entry: 2 scored, 1 failed, 1 answered." in printed
    assert printed.rstrip().endswith(f"are in {run / 'report.md'}.")
    assert "n_scored" not in printed and "n_scored" in (run / "report.md").read_text()
