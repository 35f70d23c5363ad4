"""The page of a race says what its records say: medians, ratios of rounds, wrong frames."""

from __future__ import annotations

import json
from dataclasses import replace
from io import BytesIO

import pytest
from PIL import Image

import benchmarks.page
from benchmarks.methods import METHODS
from benchmarks.page import write_page
from benchmarks.plots import descent_figure, ratio_figure
from benchmarks.records import RECORDS, Measurement, RaceDirectory, read_measurements
from benchmarks.stages import STAGES
from benchmarks.summary import DESCENT, FIRST_SHEET, cost, tables
from benchmarks.views import descent


def made(method, turn=1, cpu=1.0, video="10h", **changes):
    """A measurement whose stages take 1, 2, 3, 4 and 5 times `cpu`, half of it on the clock."""
    stages = {
        stage: {"cpu": cpu * (i + 1), "wall": cpu * (i + 1) / 2, "asked": 64, "wrong": 0}
        for i, stage in enumerate(STAGES)
    }
    values = {
        "video": video,
        "method": method,
        "round": turn,
        "about": "a long video",
        "duration_seconds": 36_000.0,
        "file_bytes": 10**9,
        "stages": stages,
        "rss_bytes": 250_000_000,
        "error": "",
        "busy_cores": 0.0,
        "load_average": 0.5,
        "machine": "a processor, 2 cores",
        "versions": {"python": "3.11"},
    }
    return Measurement(**(values | changes))


def page(tmp_path, *measurements):
    with RaceDirectory(tmp_path) as directory:
        for measurement in measurements:
            directory.append(measurement)
    return write_page(tmp_path).read_text()


def row(text, label, column_head):
    """Return the entries of a method's row in the first table whose head begins as said."""
    lines = iter(text.splitlines())
    while not next(lines).startswith(f"| {column_head} |"):
        pass
    return next([e.strip() for e in line.split("|")[2:-1]] for line in lines if label in line)


def test_a_descent_ends_with_cells_of_a_second():
    expected = {30: 1, 64: 1, 600: 2, 3600: 2, 36_000: 3}
    assert {seconds: len(descent(seconds)) - 1 for seconds in expected} == expected
    one = made("engine-1")
    assert cost(one, DESCENT, "cpu") == 1 + 2 + 3 + 4
    assert cost(replace(one, duration_seconds=600.0), DESCENT, "cpu") == 1 + 2 + 3
    assert cost(one, FIRST_SHEET, "wall") == 1.5


def test_ratios_are_taken_within_rounds_before_the_median():
    ours = [made("engine-1", turn, cpu) for turn, cpu in enumerate((1, 10, 2), 1)]
    others = [made("pyav", turn, cpu) for turn, cpu in enumerate((3, 20, 8), 1)]
    (table,) = tables([*ours, *others])
    engine, peer = table.rows
    assert (engine.method, peer.method) == ("engine-1", "pyav")
    assert peer.ratios["cpu"]["root"] == 3.0  # of 3, 2 and 4; medians would give 8 / 2
    assert peer.costs["cpu"]["root"] == 16.0
    assert engine.ratios["cpu"][DESCENT] == 1.0


def test_rounds_that_the_base_lacks_give_no_ratio_but_count_for_the_median():
    (table,) = tables([made("engine-1", 1, 1), made("pyav", 1, 2), made("pyav", 2, 10)])
    peer = table.rows[1]
    assert peer.ratios["cpu"]["root"] == 2.0
    assert peer.costs["cpu"]["root"] == 12.0


def test_times_on_the_clock_are_against_two_workers_where_they_were_measured():
    measured = [made("engine-1", cpu=2), made("engine-2", cpu=1), made("pyav", cpu=4)]
    (table,) = tables(measured)
    assert table.bases == {"cpu": "engine-1", "wall": "engine-2"}
    assert table.rows[-1].ratios["wall"]["root"] == 4.0
    assert table.rows[-1].ratios["cpu"]["root"] == 2.0
    (table,) = tables([measured[0], measured[2]])
    assert table.bases["wall"] == "engine-1"


def test_the_page_shows_medians_ratios_memory_and_wrong_frames(tmp_path):
    wrong = made("opencv", cpu=3)
    wrong.stages["depth 1"]["wrong"] = 7
    text = page(tmp_path, made("engine-1"), wrong)
    costs = row(text, "OpenCV", "CPU seconds")
    assert costs[:5] == ["3.00", "6.00", "9.00", "12.00", "15.00"]
    assert costs[5:] == ["9.00", "30.00", "250", "7 of 320"]
    assert row(text, "this engine", "CPU seconds")[-1] == "0 of 320"
    assert row(text, "OpenCV", "CPU seconds / this engine, 1 worker")[1] == "3.00"
    assert row(text, "OpenCV", "seconds on the clock / this engine, 1 worker")[1] == "3.00"
    assert "Not measured: floor: decoding alone, this engine, 2 workers, PyAV" in text
    assert "a processor, 2 cores" in text and "| python | 3.11 |" in text


def test_times_on_the_clock_of_a_busy_machine_are_flagged_row_by_row(tmp_path):
    text = page(tmp_path, made("engine-1"), made("pyav", busy_cores=1.5))
    assert row(text, "PyAV", "seconds on the clock")[1] == r"1.00 \*"
    assert row(text, "PyAV", "seconds on the clock")[-1] == "1.50"
    assert row(text, "this engine", "seconds on the clock")[1] == "1.00"
    head = "seconds on the clock / this engine, 1 worker"
    assert row(text, "PyAV", head)[1] == r"1.00 \*"
    assert row(text, "this engine", head)[1] == "1.00"
    assert row(text, "PyAV", "CPU seconds / this engine, 1 worker")[1] == "1.00"
    assert r"\* The machine was busy" in text
    assert "machine was busy" not in page(tmp_path / "idle", made("engine-1"), made("pyav"))


def test_a_contender_that_fails_says_so_and_keeps_what_it_reached(tmp_path):
    stages = {stage: made("decord").stages[stage] for stage in STAGES[:2]}
    failed = made("decord", stages=stages, error="DECORDError: cannot <decode>")
    text = page(tmp_path, made("engine-1"), failed)
    assert row(text, "decord", "CPU seconds")[:3] == ["1.00", "2.00", "-"]
    assert row(text, "decord", "method") == ["failed"]
    assert "decord failed: DECORDError: cannot &lt;decode&gt;" in text


@pytest.mark.parametrize("group", ["warm", "preview"])
def test_groups_of_rows_have_a_place_of_their_own(tmp_path, monkeypatch, group):
    row_of_group = replace(METHODS["engine-1"], label=f"this engine, {group}", group=group)
    monkeypatch.setitem(METHODS, group, row_of_group)
    text = page(tmp_path, made("engine-1"), made(group, cpu=0.001))
    section = text[text.index("## 10h") :]
    heading = benchmarks.page.GROUPS[group]
    before, after = section.split(heading)
    assert f"this engine, {group}" not in before and f"this engine, {group}" in after
    assert "this engine, 1 worker |" not in after.replace("/ this engine, 1 worker |", "")
    assert benchmarks.page.GROUPS[{"warm": "preview", "preview": "warm"}[group]] not in text


def test_pictures_have_a_row_per_method_and_a_marker_per_video(tmp_path):
    measured = [
        made(method, cpu=cpu, video=video, duration_seconds=seconds)
        for video, seconds in (("10h", 36_000.0), ("10min", 600.0))
        for method, cpu in (("floor", 0.5), ("engine-1", 1), ("pyav", 4))
    ]
    text = page(tmp_path, *measured)
    for name in ("descent.png", "ratios.png"):
        assert f"({name})" in text
        with Image.open(BytesIO((tmp_path / name).read_bytes())) as image:
            assert image.width == 1430
    long, short = found = tables(measured)
    ratios = ratio_figure(found)
    for panel in ratios.axes:
        drawn = [line.get_xdata().tolist() for line in panel.lines[1:]]
        assert drawn == [[0.5, 1, 4], [0.5, 1, 4]]
    labels = [METHODS[method].label for method in ("floor", "engine-1", "pyav")]
    assert [label.get_text() for label in ratios.axes[0].get_yticklabels()] == labels
    for table, stages in ((long, 4), (short, 3)):
        for panel in descent_figure(table).axes:
            assert len(panel.patches) == 3 * stages
    widths = [p.get_width() for p in descent_figure(long).axes[0].patches]
    assert widths[-4:] == [4, 8, 12, 16]


def test_records_come_back_as_they_were_and_a_torn_line_is_cut(tmp_path):
    first, second = made("engine-1"), made("pyav", busy_cores=0.3)
    with RaceDirectory(tmp_path) as directory:
        directory.append(first)
        directory.append(second)
    with (tmp_path / RECORDS).open("ab") as file:
        file.write(b'{"torn')
    assert list(read_measurements(tmp_path).values()) == [first, second]
    with RaceDirectory(tmp_path) as directory:
        assert set(directory.measurements) == {("10h", "engine-1", 1), ("10h", "pyav", 1)}
        with pytest.raises(ValueError, match="another process is writing"):
            RaceDirectory(tmp_path)
        directory.append(made("opencv"))
    assert len(read_measurements(tmp_path)) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 2}, "no measurement of schema 1"),
        ({"round": 0}, "its round cannot be 0"),
        ({"busy_cores": -1}, "its busy_cores cannot be -1"),
        ({"duration_seconds": 0}, "its duration_seconds cannot be 0"),
        ({"stages": {"root": {"cpu": "fast", "wall": 1}}}, "its stages cannot be"),
        ({"stages": {"lunch": {"cpu": 1, "wall": 1}}}, "its stages cannot be"),
        ({"versions": {"av": 18}}, "its versions cannot be"),
        ({"more": 1}, "its entries must be"),
    ],
)
def test_lines_that_are_no_measurements_are_refused_with_their_number(tmp_path, change, message):
    lines = [made("engine-1").to_line(), json.dumps(json.loads(made("pyav").to_line()) | change)]
    (tmp_path / RECORDS).write_text("".join(lines) + "\n")
    with pytest.raises(ValueError, match=f"line 2 of .*{message}"):
        write_page(tmp_path)


def test_directories_without_a_race_are_left_alone(tmp_path):
    (tmp_path / "holiday.txt").write_text("mine")
    with pytest.raises(ValueError, match="is not empty and holds no race"):
        RaceDirectory(tmp_path)
    with pytest.raises(ValueError, match="is a file"):
        RaceDirectory(tmp_path / "holiday.txt")
    with pytest.raises(ValueError, match="holds no race"):
        write_page(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["holiday.txt"]
    with RaceDirectory(tmp_path / "new"):
        pass
    with pytest.raises(ValueError, match="without measurements"):
        write_page(tmp_path / "new")
