"""The picture of a measurement of scaling: what is drawn where, how, and what it is called."""

import io

import numpy as np
import pytest
from PIL import Image

from eval.scaling import DEFAULT_POLICIES
from eval.scaling_curves import Curve
from eval.scaling_plot import scaling_figure, scaling_plot

LENGTHS = tuple(np.geomspace(60, 36_000, 16).round(1).tolist())
QUANTITIES = ("views opened", "frames shown", "Expands")


def curve(policy="bfs", needle="visible", grid_size=2, *, lengths=LENGTHS, **changes):
    """Return a curve whose three costs differ: logarithmic if visible, linear if hidden."""
    seconds = np.asarray(lengths)
    cost = 3 * np.log(seconds) if needle == "visible" else 2 + seconds / 10
    values = {
        "seconds": tuple(lengths),
        "views": tuple(cost + 1),
        "frames": tuple(grid_size**2 * (cost + 1)),
        "expands": tuple(cost),
        "minimal": tuple(cost),
        "missed": (0,) * len(lengths),
        "decoded": tuple(cost + 7),
        "wall": tuple(cost + 9),
        "num_exact": 1,
        "num_found": 16,
        "num_searches": 16,
        "is_privileged": policy == "oracle",
    }
    return Curve(needle, grid_size, policy, **values | changes)


def default_curves():
    """Return curves as a measurement with the default policies has."""
    return [
        curve(policy, needle, grid_size)
        for grid_size in (2, 8)
        for policy in (*DEFAULT_POLICIES, "oracle")
        for needle in ("visible", "hidden")
    ]


def drawn(figure):
    """Return the lines of each panel by its title and their labels."""
    return {
        panel.get_title(loc="left"): {line.get_label(): line for line in panel.get_lines()}
        for panel in figure.axes
    }


def legend_of(figure):
    (legend,) = figure.legends
    entries = zip(legend.get_texts(), legend.get_lines(), strict=True)
    return {text.get_text(): line for text, line in entries}


def test_there_is_a_row_of_panels_for_each_k_and_a_column_for_each_cost():
    figure = scaling_figure(default_curves())
    titles = [f"K = {k}: {quantity}" for k in (2, 8) for quantity in QUANTITIES]
    assert [panel.get_title(loc="left") for panel in figure.axes] == titles
    boxes = [panel.get_position() for panel in figure.axes]
    assert boxes[0].x0 == boxes[3].x0 < boxes[1].x0 and boxes[0].y0 == boxes[1].y0 > boxes[3].y0


@pytest.mark.parametrize("grid_size", [2, 8])
def test_markers_stand_at_the_means_of_each_curve_in_the_panel_of_their_cost(grid_size):
    found = default_curves()
    panels = drawn(scaling_figure(found))
    for quantity, field in zip(QUANTITIES, ("views", "frames", "expands"), strict=True):
        lines = panels[f"K = {grid_size}: {quantity}"]
        own = [one for one in found if one.grid_size == grid_size]
        for one in own:
            line = lines[f"{one.policy}, {one.needle}"]
            assert tuple(line.get_ydata()) == getattr(one, field)
            assert line.get_xdata() == pytest.approx(LENGTHS, rel=0.2)
            assert line.get_linestyle() == "None" and line.get_marker() not in ("None", "")
        assert len(lines) == 2 * len(own)  # and a law for each


def test_the_better_law_is_a_line_through_the_means_full_for_ln_t_and_dashed_for_t():
    panels = drawn(scaling_figure([curve("bfs"), curve("bfs", "hidden")]))
    for quantity, field in zip(QUANTITIES, ("views", "frames", "expands"), strict=True):
        lines = panels[f"K = 2: {quantity}"]
        by_log, by_line = lines["bfs, visible: a + b ln T"], lines["bfs, hidden: a + b T"]
        assert len(lines) == 4
        assert (by_log.get_linestyle(), by_line.get_linestyle()) == ("-", "--")
        for line, needle in ((by_log, "visible"), (by_line, "hidden")):
            expected = getattr(curve("bfs", needle), field)
            x, y = line.get_data()
            assert np.interp(LENGTHS, x, y) == pytest.approx(expected, rel=0.01)


def test_a_law_is_cut_where_it_leaves_what_was_measured_behind():
    views = (2.0, 2.0, 2.0, 400.0)
    found = curve(lengths=(60, 240, 960, 3840), views=views)
    (line,) = [
        line
        for label, line in drawn(scaling_figure([found]))["K = 2: views opened"].items()
        if label.endswith("T")
    ]
    shown = line.get_ydata()[~np.isnan(line.get_ydata())]
    assert 1 <= shown.min() and 0 < len(shown) < len(line.get_ydata())


def test_needles_that_were_missed_are_crossed_and_giving_up_gets_no_law():
    few = curve("dfs", missed=(0,) * 15 + (1,), num_found=15)
    most = curve("beam:3", missed=(1,) * 16, num_found=0)
    lines = drawn(scaling_figure([few, most]))["K = 2: views opened"]
    crosses = lines["dfs, visible: missed"]
    assert tuple(crosses.get_ydata()) == few.views[-1:]
    assert crosses.get_xdata()[0] == lines["dfs, visible"].get_xdata()[-1]
    assert len(lines["beam:3, visible: missed"].get_xdata()) == 16
    assert "dfs, visible: a + b ln T" in lines
    assert not [label for label in lines if label.startswith("beam:3, visible: a")]
    assert "needles missed there" in legend_of(scaling_figure([few]))
    assert "needles missed there" not in legend_of(scaling_figure([curve()]))


def test_no_two_curves_of_a_panel_look_alike_and_the_legend_names_them_all():
    figure = scaling_figure(default_curves())
    legend = legend_of(figure)
    for lines in drawn(figure).values():
        markers = {label: line for label, line in lines.items() if ":" not in label.split(", ")[1]}
        looks = {
            (line.get_color(), line.get_marker(), line.get_markerfacecolor())
            for line in markers.values()
        }
        assert len(looks) == len(markers) == 12
        for label, line in markers.items():
            policy, needle = label.split(", ")
            entry = legend[policy + " (shown the truth)" * (policy == "oracle")]
            assert (entry.get_color(), entry.get_marker()) == (line.get_color(), line.get_marker())
            assert (line.get_markerfacecolor() == "none") == (needle == "hidden")
    assert legend["visible needle, hinted at"].get_markerfacecolor() != "none"
    assert legend["hidden needle, no hints"].get_markerfacecolor() == "none"
    assert legend["a + b ln T fits better"].get_linestyle() == "-"
    assert legend["a + b T fits better"].get_linestyle() == "--"
    assert len(legend) == 6 + 1 + 2 + 2  # one is a gap


def test_variants_of_a_policy_have_colours_of_their_own():
    figure = scaling_figure([curve(f"beam:{width}@picture") for width in range(1, 11)])
    assert len({line.get_color() for line in legend_of(figure).values()}) >= 10


def test_axes_are_logarithmic_with_lengths_as_people_say_them():
    for panel in scaling_figure(default_curves()).axes:
        assert panel.get_xscale() == "log" and panel.get_yscale() == "symlog"
        labels = [label.get_text() for label in panel.get_xticklabels()]
        assert labels == ["1 min", "10 min", "1 h", "10 h"]
        height = panel.transData.transform
        tens = [height((60, cost))[1] for cost in (1, 10, 100, 1000)]
        assert np.diff(tens) == pytest.approx([tens[1] - tens[0]] * 3)
    (panel, *_) = scaling_figure([curve(lengths=(100, 200, 300))]).axes
    assert [tick.get_text() for tick in panel.get_xticklabels()] == ["1.67 min", "5 min"]


def test_no_text_overlaps_another_or_leaves_the_picture():
    many = [curve(f"{base}@picture") for base in ("beam:1234567890123456789012345", "adaptive")]
    for found in (default_curves(), [*default_curves()[:12], *many], [curve("x" * 200)]):
        figure = scaling_figure(found)
        figure.canvas.draw()
        (legend,) = figure.legends
        texts = [figure._suptitle, *legend.get_texts()]
        for panel in figure.axes:
            texts += [panel.title, panel._left_title, panel.xaxis.label]
            texts += [*panel.get_xticklabels(), *visible_labels(panel)]
        boxes = [text.get_window_extent() for text in texts if text.get_text().strip()]
        width, height = figure.canvas.get_width_height()
        for index, box in enumerate(boxes):
            assert 0 <= box.x0 and box.x1 <= width and 0 <= box.y0 and box.y1 <= height
            assert not any(box.overlaps(other) for other in boxes[:index])


def visible_labels(panel):
    low, high = panel.get_ylim()
    labels = zip(panel.get_yticks(), panel.get_yticklabels(), strict=True)
    return [label for place, label in labels if low <= place <= high]


def test_the_picture_is_a_small_png_and_the_same_whatever_the_users_settings_are():
    import matplotlib

    png = scaling_plot(default_curves())
    assert len(png) < 150_000
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG" and image.width > 1000
    with matplotlib.rc_context({"axes.facecolor": "red", "lines.linewidth": 9}):
        assert scaling_plot(default_curves()) == png


@pytest.mark.parametrize("lengths", [(60,), (60, 120)])
def test_means_without_enough_lengths_for_a_law_are_drawn_all_the_same(lengths):
    lines = drawn(scaling_figure([curve(lengths=lengths)]))["K = 2: views opened"]
    assert len(lines) == 1 and len(lines["bfs, visible"].get_xdata()) == len(lengths)


def test_a_cost_of_nothing_has_its_place():
    found = curve(lengths=LENGTHS[:4], expands=(0.0, 0.0, 0.5, 1.0))
    panel = scaling_figure([found]).axes[2]
    panel.figure.canvas.draw()
    low, high = panel.get_ylim()
    assert low < 0 < 1 < high
