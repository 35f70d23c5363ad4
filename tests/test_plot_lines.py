"""What plots of a comparison show are the numbers on record: lines, intervals, axes, rings."""

import numpy as np
import pytest
from reporting import config_of, item, made, row

from eval.drawing import COLOURS, choose_looks, cost_axis, draw_strips, new_figure
from eval.metrics import cells_of, summaries
from eval.plots import draw
from eval.tables import Axes

pytest.importorskip("matplotlib")

RIGHT = {("random", 0): 3, ("random", 1): 6, ("bfs", 0): 9, ("bfs", 1): 12}
"""Right answers of twelve, by policy and depth."""
FRAMES = {("random", 0): 16, ("random", 1): 64, ("bfs", 0): 32, ("bfs", 1): 256}
SECONDS = {("random", 0): 0.5, ("random", 1): 1.0, ("bfs", 0): 0.25, ("bfs", 1): 2.0}


def compared(**changes):
    """Return twelve records for each policy and depth."""
    records = []
    for (policy, depth), right in RIGHT.items():
        cell = {"policy": policy, "depth": depth, "frames": FRAMES[policy, depth]}
        timing = {"seconds": SECONDS[policy, depth]}
        scores = [float(index < right) for index in range(12)]
        records += row(scores, timing=timing, **cell, **changes)
    return records


@pytest.fixture
def figures(monkeypatch):
    """Return a function that draws records and gives the figure of each plot, by file name."""

    def figures_of(records, **changes):
        given = []
        monkeypatch.setattr("eval.plots.to_png", lambda figure: given.append(figure) or b"")
        plots = list(draw(cells_of(records), summaries(records), Axes.of(config_of(**changes))))
        return dict(zip([plot.name for plot in plots], given, strict=True))

    return figures_of


def is_upright(line):
    """Whether a line is that of an interval: one place, two heights."""
    return len(line.get_xdata()) == 2 and len(set(line.get_xdata())) == 1


def lines(panel):
    """Return the line of each policy by its colour: an artist of matplotlib."""
    found = [line for line in panel.lines if not is_upright(line)]
    assert len({line.get_color() for line in found}) == len(found)
    return {line.get_color(): line for line in found}


def points(panel):
    """Return the points of each policy's line by its colour, as (x, y)."""
    return {colour: line.get_xydata().tolist() for colour, line in lines(panel).items()}


def markers(panel):
    """Return the markers of each policy by its colour: an artist of matplotlib."""
    from matplotlib.colors import to_hex

    return {to_hex(dots.get_facecolor()[0]).upper(): dots for dots in panel.collections}


def by_colour(points_of):
    """Return points by the colour of their policy, to be compared with those of a panel."""
    return {COLOURS[name]: pytest.approx(np.array(own)) for name, own in points_of.items()}


def as_arrays(points_by_colour):
    return {colour: np.array(own) for colour, own in points_by_colour.items()}


def test_score_by_depth_shows_the_mean_score_of_each_policy_at_each_depth(figures):
    (panel,) = figures(compared())["score_by_depth_1.png"].axes
    # Lines stand a fortieth of a depth apart, so that equal ones can be told apart.
    expected = {
        "random": [(-0.0125, 0.25), (0.9875, 0.5)],
        "bfs": [(0.0125, 0.75), (1.0125, 1.0)],
    }
    assert as_arrays(points(panel)) == by_colour(expected)
    dots = {colour: dots.get_offsets() for colour, dots in markers(panel).items()}
    assert {colour: np.array(places) for colour, places in dots.items()} == by_colour(expected)
    assert [tick.get_text() for tick in panel.get_xticklabels()] == ["0", "1"]
    assert panel.get_xlim()[0] < -0.1 and panel.get_xlim()[1] > 1.1
    assert panel.get_ylim()[0] < 0 and panel.get_ylim()[1] > 1


def test_score_by_depth_shows_the_interval_of_each_mean_at_its_point(figures):
    records = compared()
    (panel,) = figures(records)["score_by_depth_1.png"].axes
    drawn = {
        (line.get_color(), float(line.get_xdata()[0])): tuple(line.get_ydata())
        for line in panel.lines
        if is_upright(line)
    }
    expected = {}
    for (_, policy, depth, _), cell in summaries(records).items():
        place = depth + (-0.0125 if policy == "random" else 0.0125)
        expected[COLOURS[policy], place] = (cell.interval.low, cell.interval.high)
    assert drawn == expected and len(expected) == 4
    (panel,) = figures(row([1.0, 0.0]))["score_by_depth_1.png"].axes
    assert not any(map(is_upright, panel.lines)), "two episodes have no interval"


def test_score_by_frames_shows_each_mean_at_its_cost_on_a_logarithmic_axis(figures):
    (panel,) = figures(compared())["score_by_frames_1.png"].axes
    expected = {"random": [(16, 0.25), (64, 0.5)], "bfs": [(32, 0.75), (256, 1.0)]}
    assert as_arrays(points(panel)) == by_colour(expected)
    assert panel.get_xscale() == "log" and "log scale" in panel.get_xlabel()
    assert panel.get_yscale() == "linear"
    assert panel.get_xlim()[0] < 16 and panel.get_xlim()[1] > 256
    for dots in markers(panel).values():
        shallow, deep = dots.get_sizes()
        assert shallow < deep


def test_costs_by_depth_are_means_of_frames_and_of_seconds(figures):
    frames, seconds = figures(compared())["cost_by_depth_1.png"].axes
    for panel, costs in ((frames, FRAMES), (seconds, SECONDS)):
        names = ("random", "bfs")
        expected = {name: [(depth, costs[name, depth]) for depth in (0, 1)] for name in names}
        assert as_arrays(points(panel)) == by_colour(expected)
    assert frames.get_ylabel() == "frames shown per episode, log scale"  # sixteen times apart
    assert seconds.get_ylabel() == "seconds per episode (telemetry)"  # eight times
    assert (frames.get_yscale(), seconds.get_yscale()) == ("log", "linear")
    assert frames.get_ylim()[0] < 16 and frames.get_ylim()[1] > 256
    assert seconds.get_ylim()[0] == 0 and seconds.get_ylim()[1] > 2.0


def test_costs_by_length_are_means_at_the_deepest_depth_on_a_logarithmic_axis(figures):
    lengths = {"short": 600.0, "long": 36000.0}
    records = [
        record
        for name, length in lengths.items()
        for record in compared(task_set=name, duration_seconds=length)
    ]
    records += row([1.0], policy="bfs", task_set="long", duration_seconds=36000.0, frames=1000)
    records[-1] = made(**vars(records[-1]) | {"task_index": 12, "timing": {"seconds": 15.0}})
    sets = [{"name": name} for name in lengths]
    frames, seconds = figures(records, task_sets=sets)["cost_by_length_1.png"].axes
    mean_frames, mean_seconds = (12 * 256 + 1000) / 13, (12 * 2.0 + 15.0) / 13
    assert as_arrays(points(frames)) == by_colour(
        {"random": [(600, 64), (36000, 64)], "bfs": [(600, 256), (36000, mean_frames)]}
    )
    assert as_arrays(points(seconds)) == by_colour(
        {"random": [(600, 1.0), (36000, 1.0)], "bfs": [(600, 2.0), (36000, mean_seconds)]}
    )
    for panel in (frames, seconds):
        assert panel.get_xscale() == "log" and "log scale" in panel.get_xlabel()
        assert panel.get_xticks().tolist() == [600, 36000]
        assert [tick.get_text() for tick in panel.get_xticklabels()] == ["10 min", "10 h"]


@pytest.mark.parametrize(
    ("costs", "scale", "limits"),
    [
        ([3.0, 30.0], "linear", (0, 31.8)),
        ([3.0, 30.3], "log", (2.0, 45.45)),
        ([0.0, 500.0], "linear", (0, 530)),  # 0 has no place on a logarithmic axis
        ([0.0], "linear", (0, 1)),
    ],
)
def test_costs_are_logarithmic_from_ten_times_on_unless_some_are_zero(costs, scale, limits):
    _, (panel,) = new_figure(1, 1, "title")
    cost_axis(panel, "unit", costs)
    assert panel.get_yscale() == scale
    assert panel.get_ylabel() == ("unit, log scale" if scale == "log" else "unit")
    assert panel.get_ylim() == pytest.approx(limits)


def test_a_policy_that_was_shown_the_truth_is_dashed_in_every_plot_and_no_other(figures):
    records = compared() + row([1.0] * 12, policy="oracle", depth=1, is_privileged=True)
    drawn = figures(records, names=("random", "bfs", "oracle"))
    assert len(drawn) == 3
    for figure in drawn.values():
        for panel in figure.axes:
            styles = {colour: line.get_linestyle() for colour, line in lines(panel).items()}
            dashed = {colour for colour, style in styles.items() if style == "--"}
            assert dashed == {COLOURS["oracle"]} and len(styles) == 3
            assert set(styles.values()) == {"-", "--"}


def test_names_point_at_the_ends_of_their_lines(figures):
    for figure in figures(compared()).values():
        for panel in figure.axes:
            own = points(panel)
            ends = {text.get_text(): text.xy for text in panel.texts}
            assert ends == {name: pytest.approx(own[COLOURS[name]][-1]) for name in ends}
            assert set(ends) == {"random", "bfs"}


def test_what_has_no_score_or_showed_no_frame_has_no_point(figures):
    failed = [made(depth=1, task_index=index, error="KeyError: 'x'") for index in range(2)]
    free = row([1.0, 0.0], policy="bfs", frames=0) + row([1.0, 1.0], policy="bfs", depth=0)
    drawn = figures(row([0.0, 0.0], depth=0) + failed + free)
    (by_depth,), (by_frames,) = (drawn[f"score_by_{x}_1.png"].axes for x in ("depth", "frames"))
    heights = {colour: [y for _, y in own] for colour, own in points(by_depth).items()}
    assert heights == {COLOURS["random"]: [0.0], COLOURS["bfs"]: [1.0, 0.5]}
    assert points(by_frames) == {COLOURS["random"]: [[9, 0]], COLOURS["bfs"]: [[9, 1]]}


def rings(*records):
    """Return where the rings of heat strips are, as (seconds, row)."""
    (panel,) = draw_strips(records, "title").axes
    found = [line.get_xydata() for line in panel.lines if line.get_marker() == "o"]
    return [tuple(place.tolist()) for (place,) in found]


def test_the_ring_is_at_the_most_confident_item_and_of_equals_at_the_newest():
    span = (0, 3600)
    doubtful, sure = item(100, span, 0.3, step=9), item(2000, span, 0.9, step=2)
    newer, newer_and_earlier = item(3000, span, 0.9, step=5), item(2500, span, 0.9, step=5)
    looked = {"looked": [1] * 100}
    assert rings(
        made(evidence=[doubtful, sure], **looked),
        made(policy="bfs", **looked),
        made(policy="dfs", evidence=[doubtful, sure, newer], **looked),
        made(policy="beam", evidence=[newer, doubtful, newer_and_earlier, sure], **looked),
    ) == [(2000, 0.5), (3000, 2.5), (2500, 3.5)]


def test_a_strip_has_its_score_beside_it():
    records = [made(score=0.25, looked=[1] * 100), made(policy="bfs", error="x", looked=[1] * 100)]
    (panel,) = draw_strips(records, "title").axes
    assert [(text.get_text(), text.xy[1]) for text in panel.texts] == [("0.25", 0.5), ("-", 1.5)]


def test_markers_tell_policies_apart_that_share_a_colour(figures):
    names = ("beam:2", "beam:4")
    records = [record for name in names for record in row([1.0, 0.0], policy=name)]
    (panel,) = figures(records, names=names)["score_by_depth_1.png"].axes
    first, second = (dots.get_paths()[0].vertices for dots in panel.collections)
    assert first.shape != second.shape or not np.allclose(first, second)
    assert choose_looks(names, set())["beam:2"].marker == "o"
