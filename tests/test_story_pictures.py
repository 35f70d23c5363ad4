"""The pictures of the story worlds: deterministic, deep, cheap, and readable from pixels alone."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
from PIL import Image

from tests.story_reading import read_thing, saturation
from videoatlas_gym.story.cards import card
from videoatlas_gym.story.names import COLOURS, PLACES, SHAPES, SIZE, THEMES
from videoatlas_gym.story.scenery import Scenery, scenery
from videoatlas_gym.story.signal import broken_signal, interference, signal
from videoatlas_gym.story.things import place_thing, thing

PAIRS = list(zip(THEMES, PLACES, strict=True))


def _pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture)


def _thumbnail(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("L").resize((32, 18), Image.Resampling.BOX), float).ravel()


def _likeness(first: Image.Image, second: Image.Image) -> float:
    return float(np.corrcoef(_thumbnail(first), _thumbnail(second))[0, 1])


@pytest.mark.parametrize(("theme", "place"), PAIRS)
def test_the_same_scenery_is_the_same_pixels_and_another_seed_is_not(theme: str, place: str):
    camera = (0.3, -0.4, 1.2, 7.5)
    first = Scenery(theme, place, 5).view(*camera)
    assert first.size == SIZE and first.mode == "RGB"
    assert first.tobytes() == Scenery(theme, place, 5).view(*camera).tobytes()
    other = _pixels(Scenery(theme, place, 6).view(*camera)).astype(int)
    assert np.abs(_pixels(first) - other).mean() > 4


def test_a_view_does_not_depend_on_the_views_before_it():
    fresh, used = Scenery("snow", "windmill", 2), Scenery("snow", "windmill", 2)
    for step in range(5):
        used.view(-1 + step / 2, 0.5, 1.3, float(step))
    assert used.view(0, 0, 1, 4).tobytes() == fresh.view(0, 0, 1, 4).tobytes()


def _shift(before: np.ndarray, after: np.ndarray, rows: slice) -> int:
    """Return by how many pixels a band of rows moved to the left."""
    first, second = (band[rows, 130:-130].astype(float) for band in (before, after))
    scores = {}
    for step in range(0, 60):
        moved = before[rows, 130 + step : before.shape[1] - 130 + step].astype(float)
        scores[step] = np.corrcoef(moved.ravel(), second.ravel())[0, 1]
    assert first.shape == second.shape
    return max(scores, key=scores.get)


@pytest.mark.parametrize("theme", ["snow", "desert", "forest", "city", "night", "canyon"])
def test_near_things_move_more_than_far_things_when_the_camera_moves(theme: str):
    place = Scenery(theme, "temple", 11)
    before, after = (np.asarray(place.view(x, 0, 1, 0).convert("L")) for x in (0.0, 0.3))
    sky, building, ground = (
        _shift(before, after, slice(*rows)) for rows in ((0, 22), (110, 160), (216, 244))
    )
    assert sky < 8 < 20 <= building < building + 6 < ground


def test_the_camera_looks_up_and_down_and_closer():
    place = Scenery("island", "castle", 4)
    wide = _pixels(place.view(0, 0, 1, 0)).astype(int)
    for camera in ((0, 0.8, 1, 0), (0, -0.8, 1, 0), (0, 0, 1.3, 0)):
        assert np.abs(_pixels(place.view(*camera)) - wide).mean() > 3


@pytest.mark.parametrize(("theme", "place"), PAIRS)
def test_something_moves_while_the_camera_stands_still(theme: str, place: str):
    stage = scenery(theme, place, 1)
    changed = _pixels(stage.view(0, 0, 1, 1)) != _pixels(stage.view(0, 0, 1, 3.4))
    assert 0.001 < changed.any(-1).mean() < 0.6


@pytest.mark.parametrize("theme", THEMES)
def test_no_background_is_as_saturated_as_an_object(theme: str):
    for seed, place in enumerate(PLACES):
        frame = _pixels(scenery(theme, place, seed).view(0.5 - seed / 12, 0, 1.1, seed))
        assert np.quantile(saturation(frame), 0.9999) < 0.6
    for colour in COLOURS:
        solid = _pixels(thing(colour, "square", "18", 100))
        inner = solid[15:45, solid.shape[1] // 2 - 15 : solid.shape[1] // 2 + 15, :3]
        assert saturation(inner).min() > 0.75


def test_themes_are_told_apart_by_their_mean_colours():
    """The mean colours of themes differ, whatever the place."""
    means = {
        theme: np.mean(
            [
                _pixels(scenery(theme, place, 3).view(0, 0, 1, 0)).mean((0, 1))
                for place in PLACES[:3]
            ],
            axis=0,
        )
        for theme in THEMES
    }
    for theme, other in ((a, b) for a in THEMES for b in THEMES if a < b):
        assert np.abs(means[theme] - means[other]).max() > 6, (theme, other)


@pytest.mark.parametrize("theme", ["desert", "island"])
def test_places_are_told_apart_in_a_thumbnail(theme: str):
    """The middle of a place is most like the middle of the same place laid out by another seed."""

    def thumbnail(place: str, seed: int) -> np.ndarray:
        view = scenery(theme, place, seed).view(0, 0, 1, 0).convert("L")
        return np.asarray(view.resize((120, 68), Image.Resampling.BOX), float)[12:52]

    known, right = {place: thumbnail(place, 2) for place in PLACES}, 0
    for place in PLACES:
        seen = thumbnail(place, 1)[:, 32:88].ravel()
        likeness = {
            other: max(np.corrcoef(seen, rows[:, x : x + 56].ravel())[0, 1] for x in range(65))
            for other, rows in known.items()
        }
        right += max(likeness, key=likeness.get) == place
    assert right == len(PLACES)


def test_a_view_costs_about_a_millisecond():
    stage = scenery("snow", "windmill", 1)
    costs = []
    for step in range(60):
        start = time.process_time()
        stage.view(step / 60, 0, 1.0, step / 10)
        costs.append(time.process_time() - start)
    assert np.median(costs) < 0.006


def _reading_frame(rng: np.random.Generator, colour: str, shape: str) -> tuple[Image.Image, str]:
    theme, place = (str(rng.choice(names)) for names in (THEMES, PLACES))
    frame = scenery(theme, place, int(rng.integers(3))).view(
        float(rng.uniform(-1, 1)), 0, float(rng.uniform(1, 1.4)), float(rng.uniform(0, 20))
    )
    digits = f"{rng.integers(100):02d}"
    image = thing(colour, shape, digits, round(rng.uniform(0.30, 0.45) * SIZE[1]))
    place_thing(frame, image, int(rng.integers(80, 400)), int(rng.integers(150, 190)))
    return frame, digits


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("colour", COLOURS)
def test_a_reader_of_pixels_reads_every_object(colour: str, shape: str):
    rng = np.random.default_rng([COLOURS.index(colour), SHAPES.index(shape)])
    for _ in range(2):
        frame, digits = _reading_frame(rng, colour, shape)
        assert read_thing(_pixels(frame)) == [(colour, shape, digits)]
        small = frame.resize((384, 216), Image.Resampling.BILINEAR)
        file = io.BytesIO()
        small.save(file, "JPEG", quality=80)
        assert read_thing(_pixels(Image.open(file))) == [(colour, shape, digits)]


def test_a_reader_of_pixels_finds_nothing_in_an_empty_landscape():
    for theme, place in PAIRS:
        assert read_thing(_pixels(scenery(theme, place, 2).view(0, 0, 1.1, 5))) == []


@pytest.mark.parametrize("height", [81, 121])
def test_digits_are_black_on_white_and_at_least_three_tenths_of_the_object(height: int):
    image = thing("red", "cross", "47", height).convert("RGB")
    grey, middle, reach = np.asarray(image.convert("L")), image.width // 2, height // 5
    board = grey[round(0.62 * height) : -4, middle - reach : middle + reach]
    ink = np.flatnonzero((board < 100).any(1))
    assert ink[-1] - ink[0] + 1 >= 0.3 * height - 1
    assert (board > 240).mean() > 0.2


def test_an_object_is_as_high_as_asked_and_unknown_ones_are_named():
    assert thing("blue", "heart", "07", 97).height == 97
    with pytest.raises(ValueError, match="Did you mean 'heart'"):
        thing("blue", "hart", "07", 97)
    with pytest.raises(ValueError, match="Did you mean 'blue'"):
        thing("bleu", "heart", "07", 97)
    with pytest.raises(ValueError, match="24 pixels"):
        thing("blue", "heart", "07", 9)
    with pytest.raises(ValueError, match="unknown place"):
        scenery("snow", "harbor town", 1)


@pytest.mark.slow
def test_a_signal_resembles_neither_another_signal_nor_a_landscape():
    signals = [signal(seed, "red", "star", "42") for seed in range(12)]
    for index, one in enumerate(signals):
        assert all(abs(_likeness(one, other)) < 0.5 for other in signals[:index])
    for theme in THEMES:
        for seed, place in enumerate(PLACES):
            view = scenery(theme, place, seed).view(0, 0, 1, 0)
            assert all(abs(_likeness(one, view)) < 0.45 for one in signals)


def test_a_signal_carries_its_object_and_static_has_its_contrast():
    for seed in range(6):
        picture = signal(seed, "green", "cross", f"{seed}7")
        assert read_thing(_pixels(picture)) == [("green", "cross", f"{seed}7")]
        spread = [np.asarray(one.convert("L")).std() for one in (picture, interference(seed))]
        assert abs(spread[0] / spread[1] - 1) < 0.15


def test_a_broken_signal_resembles_the_signal_the_more_the_larger_its_share():
    for seed in range(8):
        whole = signal(seed, "blue", "circle", "35")
        mixed = [broken_signal(whole, interference(seed), s) for s in np.arange(0.5, 0.96, 0.05)]
        likeness = [_likeness(whole, one) for one in mixed]
        assert all(a < b for a, b in zip(likeness, likeness[1:], strict=False))
        assert likeness[0] < 0.9 < likeness[-1]


@pytest.mark.parametrize("theme", THEMES)
def test_a_card_differs_by_number_and_seed_and_has_bright_words_on_dark(theme: str):
    first = card(theme, 2, 1)
    assert first.size == SIZE
    assert first.tobytes() == card(theme, 2, 1).tobytes()
    assert first.tobytes() != card(theme, 3, 1).tobytes()
    assert first.tobytes() != card(theme, 2, 8).tobytes()
    words = np.asarray(first.convert("L"))[75:200, 60:420]
    assert np.quantile(words, 0.98) - np.median(words) > 110
