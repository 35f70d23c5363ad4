"""What a measurement of scaling says, from made-up records: fits, means, tables, and refusals."""

import builtins
import math
from functools import partial

import numpy as np
import pytest
from reporting import config_of, made, write_run

from eval.fits import better_law, fit_duration, fit_line
from eval.records import RunDirectoryError
from eval.scaling_curves import curves, minimal_expands
from eval.scaling_report import scaling_report, write_scaling_report
from videoatlas_gym.span import Cell, GridGeometry, Span
from videoatlas_gym.usage import Usage

LENGTHS = [60.0, 240.0, 960.0]


def search(length, index, expands, *, policy="bfs", needle="visible", frames=None, **changes):
    """Return the record of a search at K = 2 that opened a view per Expand, and the first one."""
    frames = 4 * expands + 4 if frames is None else frames
    values = {
        "task_set": f"{needle}-K2-{length:g}s",
        "policy": policy,
        "depth": "auto",
        "task_index": index,
        "duration_seconds": length,
        "truth": [[length / 2 - 1, length / 2 + 1]],
        "actions": {"EXPAND": expands},
        "usage": Usage(steps=expands, frames=frames, views=expands + 1).to_json(),
        "looked": [4 * (expands + 1)] + [0] * 99,
        "score": 1.0,
    }
    return made(**values | changes)


def failed(length, index, error="gone", **changes):
    return search(length, index, 0, **{"score": None, "infra_error": error} | changes)


def measured(folder, records):
    """Write the run of a measurement; return its folder."""

    def with_hash(config_hash):
        return [made(**vars(record) | {"config_hash": config_hash}) for record in records]

    return write_run(folder, {"kind": "scaling"}, with_hash)


def cells(text, first):
    """Return the entries of the only row of a table that begins with `first`."""
    (row,) = [line for line in text.splitlines() if line.startswith(f"| {first} |")]
    return row.strip("| ").split(" | ")


def test_a_line_is_found_with_all_of_its_variance_explained():
    fit = fit_line([1, 2, 4, 8], [5, 8, 14, 26])
    assert (fit.a, fit.b, fit.r_squared) == pytest.approx((2, 3, 1))


def test_the_better_fit_tells_logarithms_from_lines():
    seconds = np.geomspace(60, 36_000, 16)
    by_log, by_line = fit_duration(seconds, 2 + 3 * np.log(seconds))
    assert by_log.r_squared > 0.999 > 0.8 > by_line.r_squared
    assert better_law(seconds, 2 + 3 * np.log(seconds)) == ("a + b ln T", by_log)
    by_log, by_line = fit_duration(seconds, 2 + 0.5 * seconds)
    assert by_line.r_squared > 0.999 > 0.8 > by_log.r_squared
    assert better_law(seconds, 2 + 0.5 * seconds) == ("a + b T", by_line)


def test_equal_values_have_no_share_of_variance_and_follow_the_logarithm():
    assert math.isnan(fit_line([1, 2, 3], [4, 4, 4]).r_squared)
    name, fit = better_law([1, 2, 3], [4, 4, 4])
    assert name == "a + b ln T" and (fit.a, fit.b) == pytest.approx((4, 0))


@pytest.mark.parametrize("x", [[1, 2], [3, 3, 3]])
def test_a_fit_needs_three_points_that_differ(x):
    with pytest.raises(ValueError, match="three points or more that differ"):
        fit_line(x, x)
    assert fit_duration(x, x) is None and better_law(x, x) is None


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


@pytest.mark.parametrize("truth", [[], [[1, 1]], [[60, 70]], [[-5, -1]]])
@pytest.mark.parametrize("grid_size", [2, 64])
def test_a_truth_that_no_view_shows_is_refused(truth, grid_size):
    with pytest.raises(ValueError, match="the truth must be time within the video's 60 s"):
        minimal_expands([Span(*ends) for ends in truth], 60.0, grid_size)


def test_curves_average_the_searches_of_each_length():
    records = [search(length, i, i + 2) for length in LENGTHS for i in range(2)]
    (curve,) = curves(records)
    assert curve.seconds == tuple(LENGTHS)
    assert curve.expands == (2.5, 2.5, 2.5) and curve.views == (3.5, 3.5, 3.5)
    assert curve.frames == (14, 14, 14) and curve.decoded == (9, 9, 9) and curve.wall == (1, 1, 1)
    assert (curve.num_searches, curve.num_found) == (6, 6)
    # The middle of the video is an edge of cells at K = 2: the needle shows at cells of 0.94 s.
    assert curve.minimal == (2, 3, 4)
    assert curve.num_exact == 2  # one search each of 60 s and 240 s


def test_misses_are_neither_found_nor_exact():
    searches = [search(60.0, 0, 2), search(60.0, 1, 2, score=0.0), search(240.0, 0, 9)]
    (curve,) = curves(searches)
    assert (curve.num_searches, curve.num_found, curve.num_exact) == (3, 2, 1)
    assert curve.missed == (1, 0)


def test_curves_keep_needles_grids_and_policies_apart_and_leave_failures_out():
    records = [
        search(60.0, 0, 1),
        search(60.0, 0, 9, needle="hidden"),
        search(60.0, 0, 5, policy="dfs"),
        search(60.0, 0, 63, task_set="visible-K16-60s"),
        failed(60.0, 1, policy="dfs"),
    ]
    found = {(curve.needle, curve.grid_size, curve.policy): curve for curve in curves(records)}
    assert found["hidden", 2, "bfs"].expands == (9,)
    assert found["visible", 16, "bfs"].views == (1,)  # 256 cells
    assert found["visible", 2, "dfs"].num_searches == 1
    assert len(found) == 4


def test_the_tables_are_exactly_what_the_records_say():
    seen = {"needle": "hidden", "policy": "oracle", "is_privileged": True}
    costs = zip(LENGTHS, (91, 64, 10), (5, 50, 20), strict=True)
    records = [search(length, 0, views - 1, frames=frames) for length, views, frames in costs]
    records += [
        search(length, 0, 3, **seen, timing={"seconds": 0.5}, score=float(length > 60))
        for length in LENGTHS
    ]
    more = search(60.0, 0, 6, needle="hidden", cache={"frames_decoded": 5, "peak_memory_bytes": 1})
    text = scaling_report(curves([*records, more]), has_plot=True)
    assert cells(text, "visible | 2 | bfs")[3:5] == ["3 of 3", "0 of 3"]
    assert cells(text, "hidden | 2 | oracle \\*")[3:] == [
        "2 of 3",
        "1 of 2",
        "4 + 0 ln T",
        "-",
        "4 + 0 T",
        "-",
    ]
    assert cells(text, "hidden | 2 | bfs")[3:] == ["1 of 1", "0 of 1", "-", "-", "-", "-"]
    assert "\\* was shown the truth." in text
    assert (
        "### visible needle, K = 2, bfs\n\n"
        "| length | fewest Expands | Expands | views | frames |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| 1 min | 2 | 90 | 91 | 5 |\n"
        "| 4 min | 3 | 63 | 64 | 50 |\n"
        "| 16 min | 4 | 9 | 10 | 20 |\n"
    ) in text
    assert (
        "### hidden needle, K = 2, all policies\n\n"
        "| length | frames drawn | seconds |\n"
        "| --- | --- | --- |\n"
        "| 1 min | 14 | 1.5 |\n"
        "| 4 min | 9 | 0.5 |\n"
    ) in text


@pytest.mark.parametrize(
    ("views", "by_log", "by_line"),
    [
        ((1001, 821, 101), None, ["1.06e+03 - 1 T", "1.000"]),
        ((31, 21, 11), ["60.5 - 7.21 ln T", "1.000"], None),
        ((11, 21, 31), ["-18.5 + 7.21 ln T", "1.000"], None),
    ],
)
def test_fits_are_of_the_views_with_the_sign_of_their_slope(views, by_log, by_line):
    costs = zip(LENGTHS, views, (7, 3, 9), strict=True)
    found = curves([search(length, 0, count - 1, frames=f) for length, count, f in costs])
    fits = cells(scaling_report(found, has_plot=True), "visible")[5:]
    assert by_log in (None, fits[:2]) and by_line in (None, fits[2:])


def test_a_mark_is_explained_only_where_there_is_one():
    text = scaling_report(curves([search(60.0, 0, 1)]), has_plot=True)
    assert "\\*" not in text


def test_names_on_record_never_become_markup():
    name = "<b>|`x\n# H"
    text = scaling_report(curves([search(60.0, 0, 1, policy=name)]), has_plot=True)
    assert "<b>" not in text and "\n# H" not in text
    assert text.count("&lt;b&gt;\\|\\`x # H") == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task_set": "<b>|`x\n# H-K2-z"}, "is none of a measurement of scaling"),
        ({"task_set": "story"}, "'story' is none of a measurement of scaling"),
        ({"task_set": "visible-K0-60s"}, "with K from 2 to 64"),
        ({"task_set": "visible-K1-60s"}, "with K from 2 to 64"),
        ({"task_set": "visible-K65-60s"}, "with K from 2 to 64"),
        ({"task_set": "visible-K2-0s"}, "is none of a measurement of scaling"),
        ({"duration_seconds": 0.0}, "task 0 of visible-K2-60s by 'bfs' has a score and no video"),
        ({"truth": []}, "task 0 of visible-K2-60s by 'bfs': the truth must be time within"),
        ({"truth": [[1, 1]]}, "the truth must be time within"),
    ],
)
def test_a_record_that_is_no_search_is_refused_in_one_sentence(tmp_path, change, message):
    folder = measured(tmp_path, [search(60.0, 0, 2, **change)])
    with pytest.raises(RunDirectoryError, match=message) as raised:
        write_scaling_report(folder)
    assert "\n" not in str(raised.value) and not (folder / "scaling.md").exists()


def test_failures_are_counted_and_leave_fits_that_lack_lengths_empty(tmp_path):
    records = [search(60.0, 0, 1), search(240.0, 0, 2), failed(960.0, 0, "<i>gone")]
    text = write_scaling_report(measured(tmp_path, records))
    assert cells(text, "visible")[3:] == ["2 of 2", "0 of 2", "-", "-", "-", "-"]
    assert "Left out: 1 search that failed, the first with: &lt;i&gt;gone" in text
    assert "Left out" not in scaling_report(curves(records[:2]), has_plot=True)


def test_a_measurement_of_failures_only_says_so(tmp_path):
    folder = measured(tmp_path, [failed(60.0, 0), failed(240.0, 0)])
    with pytest.raises(RunDirectoryError, match="all 2 searches in .* failed, .*: gone"):
        write_scaling_report(folder)


def test_a_report_needs_a_measurement_with_records(tmp_path):
    with pytest.raises(RunDirectoryError, match="holds no run"):
        write_scaling_report(tmp_path)
    with pytest.raises(RunDirectoryError, match="holds no searches yet"):
        write_scaling_report(measured(tmp_path / "empty", []))
    with pytest.raises(RunDirectoryError, match="not a measurement of scaling"):
        write_scaling_report(write_run(tmp_path / "other", config_of(), lambda config_hash: []))


def test_without_matplotlib_the_report_says_that_there_is_no_plot(tmp_path, monkeypatch):
    folder = measured(tmp_path, [search(length, 0, 3) for length in LENGTHS])
    with monkeypatch.context() as patched:
        patched.setattr(builtins, "__import__", partial(without_matplotlib, builtins.__import__))
        text = write_scaling_report(folder)
    assert "No plot: it needs matplotlib" in text and "scaling.png" not in text
    assert not (folder / "scaling.png").exists()
    text = write_scaling_report(folder)
    assert "(scaling.png)" in text and "No plot" not in text
    assert (folder / "scaling.md").read_text() == text
    assert (folder / "scaling.png").read_bytes().startswith(b"\x89PNG")


def without_matplotlib(real, name, *arguments, **options):
    if name.partition(".")[0] == "matplotlib":
        raise ImportError("no matplotlib")
    return real(name, *arguments, **options)
