"""The pictures of a scene show the claimed theme and place, and cards the chapter and its title.

Themes, titles and the words on cards are read by what is written here. A place is read by its
landmark: the landmark of that name, as the project draws it by itself, is looked for in the frame.
So this checks the way from the plan to the frame. That the landmark which is named a castle looks
like one is for people to judge.
"""

from functools import lru_cache

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from videoatlas_gym.story import StorySource, StoryWorld, write_story
from videoatlas_gym.story.flats import inks
from videoatlas_gym.story.landmarks import landmark
from videoatlas_gym.story.looks import LOOKS

THEMES = {
    "snow": ((170, 190, 210), (240, 240, 250), "The Frozen North"),
    "desert": ((220, 200, 170), (230, 200, 140), "The Silent Dunes"),
    "forest": ((160, 180, 160), (100, 120, 80), "The Whispering Woods"),
    "city": ((140, 140, 160), (140, 140, 140), "The Grey Metropolis"),
    "night": ((40, 50, 80), (60, 60, 90), "The Land of Stars"),
    "island": ((160, 200, 210), (240, 230, 190), "The Southern Isles"),
    "mountain": ((170, 170, 200), (150, 150, 130), "The High Peaks"),
    "meadow": ((170, 200, 220), (180, 200, 110), "The Spring Meadows"),
    "autumn": ((210, 190, 180), (180, 140, 90), "The Falling Leaves"),
    "volcano": ((80, 70, 70), (80, 70, 70), "The Smoking Mountain"),
    "marsh": ((160, 170, 150), (120, 130, 90), "The Misty Marsh"),
    "canyon": ((180, 190, 190), (200, 140, 110), "The Painted Canyon"),
}
"""The colours of the sky and of the ground, and the title."""

CHANCE = {
    **{"harbour": 0.63, "market": 0.38, "bridge": 0.31, "tower": 0.37, "station": 0.46},
    **{"windmill": 0.37, "lighthouse": 0.43, "castle": 0.25, "farm": 0.26, "temple": 0.19},
    **{"garden": 0.38, "observatory": 0.37},
}
"""How well a landmark fits frames of other places, measured on worlds that are not tested here."""

_SCALES = (0.76, 0.82, 0.88, 0.96, 1.04, 1.12, 1.22)
_GRID = (144, 216)
"""Rows and columns of the padded thumbnail in which landmarks are looked for."""
_PAD = 24


def read_theme(rgb):
    """Return the theme whose sky and ground have the colours of a frame's upper and lower part."""
    high = len(rgb)
    parts = (rgb[: high // 5], rgb[high * 4 // 5 : high * 19 // 20])
    seen = np.concatenate([np.median(part.reshape(-1, 3), 0) for part in parts])
    return min(THEMES, key=lambda theme: np.abs(seen - np.ravel(THEMES[theme][:2])).sum())


def landmarks_in(rgb, theme):
    """Return how much more than by chance each landmark is in a frame, by place.

    The best correlation with its picture (inside its outline only), over all places at which it
    would stand in the lower middle, and over sizes; 1 is a perfect picture.
    """
    small = Image.fromarray(rgb).convert("L").resize((160, 90), Image.Resampling.BOX)
    grey = np.pad(np.asarray(small, float) - 128, _PAD, mode="edge")
    sums, squares = (np.fft.rfft2(one, _GRID) for one in (grey, grey**2))
    found = dict.fromkeys(CHANCE, -1.0)
    for place, outline, picture, area, (high, wide) in _landmarks(theme):
        total, power = (np.fft.irfft2(one * outline, _GRID) for one in (sums, squares))
        spread = np.maximum(power - total**2 / area, area * 20)
        fit = np.fft.irfft2(sums * picture, _GRID) / np.sqrt(spread)
        rows = slice(max(0, _PAD + 53 - high), _PAD + 77 - high)
        best = fit[rows, : 160 + 2 * _PAD - wide].max()
        found[place] = max(found[place], (best - CHANCE[place]) / (1 - CHANCE[place]))
    return found


@lru_cache(maxsize=12)
def _landmarks(theme):
    """Return (place, spectrum of its outline, of its picture, area, (height, width)) of all."""
    drawn = []
    for place in CHANCE:
        cut = landmark(place, inks(LOOKS[theme]), np.random.default_rng(1))
        for scale in _SCALES:
            size = (round(cut.width * scale / 3), round(cut.height * scale / 3))
            small = cut.resize(size, Image.Resampling.BOX)
            inside, grey = (np.asarray(small.convert("LA").getchannel(c), float) for c in "AL")
            inside /= 255
            area = inside.sum()
            picture = inside * (grey - (inside * grey).sum() / area)
            picture /= np.sqrt((picture**2 / np.maximum(inside, 1e-6)).sum())
            spectra = (np.fft.rfft2(one, _GRID).conj() for one in (inside, picture))
            drawn.append((place, *spectra, area, inside.shape))
    return drawn


def read_card(rgb):
    """Return (number of the chapter, theme of the title) of a card, or None if it is not one."""
    bright = np.asarray(Image.fromarray(rgb).convert("L"), float)[75:200, 60:420]
    filled = np.flatnonzero(np.diff(np.pad((bright > 170).sum(1) > 2, 1).astype(int)))
    lines = [bright[a:b] for a, b in filled.reshape(-1, 2) if b - a > 16]
    if len(lines) != 2:
        return None
    chapter = _best_text(lines[0], [f"CHAPTER {number}" for number in range(1, 13)])
    title = _best_text(lines[1], [title for *_, title in THEMES.values()])
    if min(chapter[1], title[1]) < 0.6:
        return None
    return chapter[0] + 1, list(THEMES)[title[0]]


def _best_text(line, texts):
    """Return the index of the text whose picture fits a bright line best, and how well."""
    columns = np.flatnonzero((line > 170).any(0))
    cut = line[:, columns[0] : columns[-1] + 1]
    seen, best = _spectrum(Image.fromarray(cut.astype(np.uint8))), []
    for text in texts:
        fits = []
        for stroke in (0, 2):
            picture = Image.new("L", (700, 120))
            font = ImageFont.load_default(48)
            ImageDraw.Draw(picture).text((30, 30), text, 255, font, stroke_width=stroke)
            ink = picture.crop(picture.getbbox())
            unlike = abs(np.log(cut.shape[1] / cut.shape[0] / ink.width * ink.height))
            shifted = np.fft.irfft2(seen * _spectrum(ink).conj(), (32, 256))
            fits.append(shifted.max() - 0.5 * unlike)
        best.append(max(fits))
    return int(np.argmax(best)), max(best)


def _spectrum(ink):
    """Return the spectrum of a line of text, scaled to one size, its mean 0 and its length 1."""
    pixels = np.asarray(ink.resize((240, 24)), float)
    pixels = np.pad(pixels, ((4, 4), (8, 8))) - pixels.mean()
    return np.fft.rfft2(pixels / np.linalg.norm(pixels))


def frames_of(world, scene, count):
    """The middles of so many shots of a scene that show it: no card, event or needle is there."""
    taken = [event.stretch for event in world.events]
    taken += [stretch for needle in world.needles for stretch in needle.stretches]
    free = []
    for shot in (shot for shot in world.shots(scene) if not shot.is_card):
        frames = [f for f in range(shot.stretch.first, shot.stretch.stop) if not shot.is_card]
        frames = [f for f in frames if not any(f in stretch for stretch in taken)]
        free += frames[len(frames) // 2 :][:1]
    return free[:: max(1, len(free) // count)][:count]


def assert_scenes_are_shown(world, frames, count):
    """Check theme, place and card of each scene; several frames of a scene vote."""
    for scene in world.scenes:
        pictures = [frames[index] for index in frames_of(world, scene, count)]
        themes = [read_theme(rgb) for rgb in pictures]
        theme = max(themes, key=themes.count)
        assert theme == scene.chapter.theme, (scene.index, themes)
        votes = [landmarks_in(rgb, theme) for rgb in pictures]
        place = max(CHANCE, key=lambda name: sum(vote[name] for vote in votes))
        assert place == scene.place, (scene.index, scene.place, place)
        assert all(read_card(rgb) is None for rgb in pictures)
        card = world.card(scene)
        for index in {card.first, card.stop - 1} if len(card) else ():
            assert read_card(frames[index]) == (scene.chapter.index + 1, theme), index


@pytest.mark.parametrize("number", (41, 42))
def test_a_file_shows_the_claimed_theme_place_and_card_of_each_scene(number, tmp_path):
    world = StoryWorld(number, 150, frames_per_second=2)
    path = write_story(tmp_path / "world.mp4", world)
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == world.num_frames
    assert_scenes_are_shown(world, frames, 4)


@pytest.mark.slow
def test_all_twelve_chapters_of_a_long_world_have_their_themes_places_and_cards():
    world = StoryWorld(45, 7200, frames_per_second=2)
    assert {scene.chapter.theme for scene in world.scenes} == set(THEMES)
    assert {scene.place for scene in world.scenes} == set(CHANCE)

    class Frames(dict):
        def __missing__(self, index):
            return StorySource(world).frames_at([index / 2])[0].rgb

    assert_scenes_are_shown(world, Frames(), 3)
