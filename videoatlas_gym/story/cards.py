"""The caption card of a chapter: its title in a frame, over its blurred landscape."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from videoatlas_gym.story.names import PLACES, SIZE, THEME_TITLES
from videoatlas_gym.story.paint import RGB
from videoatlas_gym.story.scenery import scenery

_PAPER: RGB = (246, 238, 220)
_NIGHT: RGB = (20, 22, 34)


@lru_cache(maxsize=32)
def card(theme: str, number: int, seed: int) -> Image.Image:
    """Return the card of a chapter, RGB of `SIZE`: "CHAPTER 2" and the theme's title.

    Raises:
        ValueError: When the theme is unknown.
    """
    place = PLACES[int(np.random.default_rng([seed, 9]).integers(len(PLACES)))]
    picture = scenery(theme, place, seed).view(0.0, 0.0, 1.0, 3.0)
    picture = Image.blend(
        picture.filter(ImageFilter.GaussianBlur(5)), Image.new("RGB", SIZE, _NIGHT), 0.34
    )
    draw = ImageDraw.Draw(picture, "RGBA")
    draw.rectangle((52, 66, SIZE[0] - 52, 204), fill=(*_NIGHT, 176))
    _ornament(draw)
    _write(picture, f"CHAPTER {number}", 101, 42, 2)
    _write(picture, THEME_TITLES[theme], 165, 44, 1)
    draw.line((150, 133, 330, 133), fill=(*_PAPER, 220), width=2)
    draw.polygon([(240, 127), (250, 133), (240, 139), (230, 133)], fill=_PAPER)
    return picture


def _ornament(draw: ImageDraw.ImageDraw) -> None:
    """Draw a double frame with diamonds at its corners."""
    width, height = SIZE
    for inset, thick in ((14, 3), (22, 1)):
        draw.rectangle((inset, inset, width - inset, height - inset), outline=_PAPER, width=thick)
    for x in (18, width - 18):
        for y in (18, height - 18):
            draw.polygon([(x, y - 13), (x + 13, y), (x, y + 13), (x - 13, y)], fill=_PAPER)
            draw.polygon([(x, y - 7), (x + 7, y), (x, y + 7), (x - 7, y)], fill=_NIGHT)


def _write(picture: Image.Image, text: str, middle: int, tall: int, stroke: int) -> None:
    """Write a line across the middle, smaller where it would be too wide."""
    font = ImageFont.load_default(tall)
    while font.getlength(text) > SIZE[0] - 120:
        tall -= 2
        font = ImageFont.load_default(tall)
    draw = ImageDraw.Draw(picture)
    draw.text(
        (SIZE[0] / 2, middle), text, _PAPER, font, anchor="mm", stroke_width=stroke,
        stroke_fill=_PAPER,
    )  # fmt: skip
