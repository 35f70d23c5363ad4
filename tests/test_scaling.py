"""How cost grows with the length of video: fits, the least that is possible, and real searches."""

import json
import math

import numpy as np
import pytest
from reporting import made

from eval.fits import fit_duration, fit_line
from eval.records import RunDirectoryError, read_records
from eval.scaling import main, parse_durations, parse_grid_sizes, scaling
from eval.scaling_curves import curves, minimal_expands
from eval.scaling_report import write_scaling_report
from videoatlas_gym.span import Cell, GridGeometry, Span
from videoatlas_gym.usage import Usage

LENGTHS = [60.0, 240.0, 960.0]


def test_a_line_is_found_with_all_of_its_variance_explained():
    fit = fit_line([1, 2, 4, 8], [5, 8, 14, 26])
    assert (fit.a, fit.b, fit.r_squared) == pytest.approx((2, 3, 1))


def test_the_better_fit_tells_logarithms_from_lines():
    seconds = np.geomspace(60, 36_000, 16)
    by_log, by_line = fit_duration(seconds, 2 + 3 * np.log(seconds))
    assert by_log.r_squared > 0.999 > 0.8 > by_line.r_squared
    by_log, by_line = fit_duration(seconds, 2 + 0.5 * seconds)
    assert by_line.r_squared > 0.999 > 0.8 > by_log.r_squared


def test_equal_values_have_no_share_of_variance():
    assert math.isnan(fit_line([1, 2, 3], [4, 4, 4]).r_squared)


@pytest.mark.parametrize("x", [[1, 2], [3, 3, 3]])
def test_a_fit_needs_three_points_that_differ(x):
    with pytest.raises(ValueError, match="three points or more that differ"):
        fit_line(x, x)


@pytest.mark.parametrize("grid_size", [2, 3, 8])
def test_the_fewest_expands_are_those_of_trying_every_view(grid_size):
    random = np.random.default_rng(grid_size)
    for _ in range(100):
        duration = float(random.uniform(30, 5000))
        start = float(random.uniform(0, duration * 0.9))
        span = Span(start, min(duration, start + float(random.uniform(1, 20))))
        geometry = GridGeometry(duration, grid_size, 0.1)
        expected, cells = 0, [Cell()]
        while not any(m in span for cell in cells for m in geometry.midpoints(cell)):
            cells = [cell.child(i) for cell in cells for i in range(geometry.num_cells)]
            overlapping = [cell for cell in cells if geometry.span(cell).overlaps(span)]
            expected, cells = expected + 1, overlapping
        assert minimal_expands([span], duration, grid_size) == expected


def search(length, index, expands, *, policy="best-first", needle="visible", score=1.0):
    return made(
        task_set=f"{needle}-K2-{length:g}s",
        policy=policy,
        depth="auto",
        task_index=index,
        duration_seconds=length,
        truth=[[length / 2 - 1, length / 2 + 1]],
        actions={"EXPAND": expands},
        usage=Usage(steps=expands, frames=4 * expands + 4, views=expands + 1).to_json(),
        looked=[4 * (expands + 1)],
        score=score,
    )


def test_curves_average_the_searches_of_each_length():
    records = [search(length, i, i + 2) for length in LENGTHS for i in range(2)]
    (curve,) = curves(records)
    assert curve.seconds == tuple(LENGTHS)
    assert curve.expands == (2.5, 2.5, 2.5) and curve.views == (3.5, 3.5, 3.5)
    assert (curve.num_searches, curve.num_found) == (6, 6)
    # The middle of the video is an edge of cells at K = 2: the needle shows at cells of 0.94 s.
    assert curve.minimal == (2, 3, 4)
    assert curve.num_exact == 2  # one search each of 60 s and 240 s


def test_curves_keep_needles_and_policies_apart_and_leave_failures_out():
    records = [
        search(60.0, 0, 1),
        search(60.0, 0, 9, needle="hidden"),
        search(60.0, 0, 5, policy="bfs"),
        made(task_set="visible-K2-60s", policy="bfs", task_index=1, infra_error="gone"),
    ]
    found = {(curve.needle, curve.policy): curve for curve in curves(records)}
    assert found["hidden", "best-first"].expands == (9,)
    assert found["visible", "bfs"].num_searches == 1
    assert len(found) == 3


def test_durations_are_a_list_or_a_range_in_equal_ratios():
    assert parse_durations("1m,1h") == [60, 3600]
    assert parse_durations("1m..16m:5") == [60, 120, 240, 480, 960]
    with pytest.raises(ValueError, match="a range of durations ascends"):
        parse_durations("1h..1m:4")


def test_grid_sizes_are_whole_numbers():
    assert parse_grid_sizes("2, 8") == [2, 8]
    for wrong in ("", "1", "two", "2.5"):
        with pytest.raises(ValueError, match="grid sizes are whole numbers"):
            parse_grid_sizes(wrong)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"durations": [60, 120]}, "three durations or more"),
        ({"grid_sizes": [3]}, "hinted at for K = 2, 4, 8, 16, got 3"),
        ({"needles": ["invisible"]}, "unknown kind of needle 'invisible'. Did you mean 'visible'"),
        ({"policies": ["best-frist"]}, "Did you mean 'best-first'"),
        ({"num_visible": 0}, "there must be a visible needle"),
        ({"executor": "thread"}, "unknown executor"),
    ],
)
def test_a_mistake_is_a_sentence_and_writes_nothing(tmp_path, change, message):
    arguments = {"out": tmp_path / "run", "durations": LENGTHS} | change
    with pytest.raises(ValueError, match=message):
        scaling(**arguments)
    assert not (tmp_path / "run").exists()


def test_searches_are_measured_resumed_and_reported_from_records_alone(tmp_path, capsys):
    out = tmp_path / "run"
    arguments = ["--durations", "1m,4m,16m", "--grid-sizes", "2", "--visible", "2", "--hidden", "1"]
    command = [*arguments, "--policies", "best-first@picture,bfs", "--out", str(out)]
    assert main(command) == 0
    text = (out / "scaling.md").read_text()
    assert "| visible | 2 | best-first@picture | 6 of 6 | 6 of 6 |" in text
    records = read_records(out)
    assert len(records) == 3 * (2 + 1) * 2
    assert {record.family for record in records} == {"needle_visible", "needle_hidden"}
    lines = (out / "records.jsonl").read_text().splitlines(keepends=True)
    (out / "records.jsonl").write_text("".join(lines[:5]))
    (out / "scaling.md").unlink()
    assert main(command) == 0
    again = {json.dumps(record.lasting()) for record in read_records(out)}
    assert again == {json.dumps(record.lasting()) for record in records}
    assert write_scaling_report(out) == (out / "scaling.md").read_text()
    assert capsys.readouterr().out.count("Table, plot and records are in") == 2


def test_a_report_needs_a_measurement(tmp_path):
    with pytest.raises(RunDirectoryError):
        write_scaling_report(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("grid_size", [2, 8])
def test_visible_needles_cost_the_logarithm_of_the_length_and_never_more(tmp_path, grid_size):
    durations = parse_durations("1m..10h:16")
    scaling(
        out=tmp_path,
        durations=durations,
        policies=["best-first@picture"],
        grid_sizes=[grid_size],
        needles=["visible"],
    )
    (curve,) = curves(read_records(tmp_path))
    assert curve.num_found == curve.num_exact == curve.num_searches == 16 * 8
    assert curve.fits[0].r_squared > 0.95


@pytest.mark.slow
def test_hidden_needles_cost_views_in_proportion_to_the_length(tmp_path):
    scaling(
        out=tmp_path,
        durations=parse_durations("1m..1h:10"),
        policies=["best-first@picture", "dfs@picture", "bfs", "exhaustive"],
        grid_sizes=[2],
        needles=["hidden"],
    )
    for curve in curves(read_records(tmp_path)):
        by_log, by_line = curve.fits
        assert curve.num_found == curve.num_searches
        assert by_line.r_squared > max(0.8, by_log.r_squared), curve.policy
