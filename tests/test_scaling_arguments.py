"""What a measurement of scaling may be asked; a mistake is refused before anything is written."""

import pytest

from eval.scaling import parse_durations, parse_grid_sizes, scaling

LENGTHS = [60.0, 240.0, 960.0]


def test_durations_are_a_list_or_a_range_in_equal_ratios():
    assert parse_durations("1m,1h") == [60, 3600]
    assert parse_durations("1m..16m:5") == [60, 120, 240, 480, 960]
    with pytest.raises(ValueError, match="a range of durations ascends"):
        parse_durations("1h..1m:4")


def test_grid_sizes_are_whole_numbers_from_2_to_64():
    assert parse_grid_sizes("2, 8,64") == [2, 8, 64]
    for wrong in ("", "1", "two", "2.5", "65", "8,99"):
        with pytest.raises(ValueError, match="grid sizes are whole numbers from 2 to 64"):
            parse_grid_sizes(wrong)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"durations": [60, 120]}, "3 durations or more that differ"),
        ({"durations": [60, 60.01, 60.02, 120]}, "3 durations or more that differ .* got 2"),
        ({"durations": [1, 2, 3]}, "a story lasts 30 s to"),
        ({"durations": [60, 120, float("nan")]}, "a duration must be a finite number, got nan"),
        ({"grid_sizes": [3]}, "hinted at for K = 2, 4, 8, 16, got 3"),
        ({"grid_sizes": [99], "needles": ["hidden"]}, "whole number from 2 to 64, got 99"),
        ({"grid_sizes": []}, "no grid size was given"),
        ({"needles": ["invisible"]}, "unknown kind of needle 'invisible'. Did you mean 'visible'"),
        ({"needles": []}, "no kind of needle was given"),
        ({"policies": ["best-frist"]}, "Did you mean 'best-first'"),
        ({"policies": []}, "no policy was given"),
        ({"num_visible": 0}, "visible needles per duration must be a whole number from 1, got 0"),
        ({"num_hidden": -1}, "hidden needles per duration must be a whole number from 1, got -1"),
        ({"hidden_seconds": 0}, "hidden_seconds must be at least 1, .* got 0"),
        ({"visible_seconds": -1}, "visible_seconds must be at least 0.1, .* got -1"),
        ({"visible_seconds": float("nan")}, "visible_seconds must be a finite number, got nan"),
        ({"policies": ["bfs", "exhaustive"]}, "none of the policies .* goes by what it sees"),
        ({"seed": -1}, "seed must be a whole number from 0, got -1"),
        ({"executor": "thread"}, "unknown executor"),
        ({"workers": 2}, "the serial executor has no workers"),
    ],
)
def test_a_mistake_is_a_sentence_and_writes_nothing(tmp_path, change, message):
    arguments = {"out": tmp_path / "run", "durations": LENGTHS} | change
    with pytest.raises(ValueError, match=message):
        scaling(**arguments)
    assert not (tmp_path / "run").exists()


def test_a_world_with_no_room_for_its_needle_is_refused_before_anything_is_written(
    tmp_path, monkeypatch
):
    def refuse(*_, **__):
        raise ValueError("there is no room")

    monkeypatch.setattr("videoatlas_gym.story.plan.place_needle", refuse)
    with pytest.raises(ValueError, match="there is no room"):
        scaling(out=tmp_path / "run", durations=LENGTHS)
    assert not (tmp_path / "run").exists()
