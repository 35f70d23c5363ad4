"""Plots are made of what is on record, small, equal every time, and their names never overlap."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from reporting import config_of, item, made, played, row

from eval.drawing import (
    COLOURS,
    Point,
    choose_looks,
    clock,
    draw_lines,
    draw_strips,
    new_figure,
    spread,
)
from eval.metrics import cells_of, summaries
from eval.plots import draw, length_classes
from eval.tables import Axes

pytest.importorskip("matplotlib")


def drawn(records, **changes):
    """Return the plots of some records by name."""
    axes = Axes.of(config_of(**changes))
    return {plot.name: plot for plot in draw(cells_of(records), summaries(records), axes)}


@pytest.fixture(scope="module")
def many():
    """The plots of a comparison of nine policies."""
    names = (*COLOURS, "beam:4@subtitles")
    config = config_of(names=names, depths=[0, 1, "auto"], episodes=12)
    return drawn(list(played(config)), names=names, depths=[0, 1, "auto"], episodes=12)


def test_a_comparison_has_scores_costs_and_strips(many):
    assert list(many) == [
        "score_by_depth_1.png",
        "score_by_frames_1.png",
        "cost_by_depth_1.png",
        "looked_1.png",
        "looked_2.png",
        "looked_3.png",
    ]
    assert {plot.section for plot in many.values()} == {"score", "cost", "looked"}
    for plot in many.values():
        picture = Image.open(BytesIO(plot.png))
        assert picture.format == "PNG" and len(plot.png) < 60_000
        assert 500 < picture.width < 1300 and 250 < picture.height < 700
        assert len(picture.convert("RGB").getcolors()) > 10
        assert "story-1h" in plot.alt


def test_equal_records_give_equal_bytes():
    records = row([1.0, 0.0], looked=[1, 0, 2, 0] * 25)
    assert drawn(records) == drawn(records[::-1])


def test_costs_are_against_length_where_there_are_several_lengths():
    records = row([1.0], task_set="short", duration_seconds=600.0)
    sets = [{"name": "short"}, {"name": "long"}]
    changes = {"task_sets": sets, "names": ("random",)}
    longer = records + row([1.0], task_set="long", duration_seconds=36000.0)
    assert "cost_by_length_1.png" in drawn(longer, **changes)
    similar = records + row([1.0], task_set="long", duration_seconds=610.0)
    assert "cost_by_depth_1.png" in drawn(similar, **changes)
    assert "cost_by_length_1.png" not in drawn(similar, **changes)


def test_lengths_of_a_class_are_a_fifth_apart_at_most():
    assert length_classes([600, 610, 720, 721, 600]) == {
        600: 632.5,
        610: 632.5,
        720: 632.5,
        721: 721,
    }


def test_strips_are_of_tasks_that_all_policies_have_a_record_of():
    looked = {"looked": [1] * 100}
    records = row([1.0, 0.0, 1.0], **looked) + row([1.0, 0.0], policy="bfs", **looked)[1:]
    plots = drawn(records)
    assert [p.alt for p in plots.values() if p.section == "looked"] == [
        "Where each policy looked: task 1, depth 1, story-1h, no budget"
    ]
    assert not any(p.section == "looked" for p in drawn(row([1.0])).values())


def test_nothing_is_drawn_of_episodes_without_a_score_or_frames():
    assert drawn([made(error="x")]) == {}
    nothing_shown = {name: 0 for name in made().usage}
    assert len(drawn([made(score=0.0, usage=nothing_shown)])) == 3


def test_a_strip_is_dark_where_a_policy_looked_and_marks_the_truth():
    looked = [0] * 50 + [9] * 50
    evidence = [item(3500, (3400, 3600))]
    truth = [[300.0, 400.0]]
    records = [made(looked=looked, evidence=evidence, truth=truth), made(policy="bfs")]
    figure = draw_strips(records, "title")
    (panel,) = figure.axes
    (picture,) = panel.images
    shades = picture.get_array()
    assert shades.shape == (2, 100)
    assert (shades[0, :50] == 0).all() and (shades[0, 50:] == 1).all() and (shades[1] == 0).all()
    assert [text.get_text() for text in panel.get_yticklabels()] == ["truth", "random", "bfs"]
    marks = [tuple(map(float, line.get_xdata())) for line in panel.lines]
    assert (350.0,) in marks and (300.0, 400.0) in marks and (3500.0,) in marks


def test_a_policy_has_one_colour_and_variants_differ_in_their_marker():
    looks = choose_looks(["beam:2", "bfs", "beam:4@subtitles", "mine", "oracle"], {"oracle"})
    assert looks["beam:2"].colour == looks["beam:4@subtitles"].colour == COLOURS["beam"]
    assert looks["beam:2"].marker != looks["beam:4@subtitles"].marker
    assert looks["bfs"] == choose_looks(["x", "bfs"], set())["bfs"]
    assert looks["mine"].colour not in COLOURS.values()
    assert looks["oracle"].line == "--" and looks["bfs"].line == "-"


def test_names_are_moved_as_little_as_it_takes():
    assert spread([0.1, 0.5, 0.9], 0.1) == pytest.approx([0.1, 0.5, 0.9])
    assert spread([0.5, 0.5, 0.5], 0.1) == pytest.approx([0.4, 0.5, 0.6])
    assert spread([0.0, 0.0, 0.9], 0.1) == pytest.approx([0.0, 0.1, 0.9])
    random = np.random.default_rng(0)
    for _ in range(100):
        heights = np.sort(random.random(random.integers(1, 12))).tolist()
        places = spread(heights, 0.08)
        assert (np.diff(places) >= 0.08 - 1e-9).all()
        assert min(places) >= 0 and max(places) <= 1 + 1e-9


def test_names_neither_overlap_nor_leave_the_picture():
    from matplotlib.text import Text

    names = [f"{i}-a-policy-with-a-very-long-name@combined" for i in range(10)]
    figure, (panel,) = new_figure(1, len(names), "title")
    panel.set_ylim(0, 1)
    panel.set_xlim(0, 1)
    draw_lines(
        panel,
        {name: [Point(0, 0.5), Point(1, 0.5)] for name in names},
        choose_looks(names, set()),
        growing=False,
    )
    figure.canvas.draw()
    boxes = [Text.get_window_extent(text) for text in panel.texts]  # without its line
    assert len(boxes) == 10
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert all(figure.bbox.contains(box.x1, box.y1) for box in boxes)


def test_lengths_are_written_as_people_say_them():
    said = [clock(seconds) for seconds in (45, 90, 600, 3600, 5400, 36000)]
    assert said == ["45 s", "1.5 min", "10 min", "1 h", "1.5 h", "10 h"]
