"""The marks on the near ground, drawn in perspective: smaller and closer together far away."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from videoatlas_gym.story.looks import Look
from videoatlas_gym.story.paint import RGB, lighter, mix, muted

_Pen = Callable[[ImageDraw.ImageDraw, float, float, float, np.random.Generator], None]


def mark_ground(
    surface: Image.Image, look: Look, rng: np.random.Generator, path_x: int | None
) -> None:
    """Draw a theme's marks and a path on an RGB ground; `path_x` is where the path begins."""
    draw = ImageDraw.Draw(surface, "RGBA")
    light, dark = lighter(look.ground[1], 0.22), lighter(look.ground[2], -0.18)
    if path_x is not None:
        _path(draw, surface.size, path_x, lighter(look.ground[1], 0.3), rng)
    width, height = surface.size
    for _ in range(_COUNTS[look.pattern]):
        share = rng.uniform(0.06, 1)
        _MARKS[look.pattern](
            draw, rng.uniform(0, width), 8 + share * (height - 10), share, (light, dark), rng
        )


def _path(
    draw: ImageDraw.ImageDraw,
    size: tuple[int, int],
    x: int,
    tone: RGB,
    rng: np.random.Generator,
) -> None:
    """Draw a pale path that widens and winds towards the camera."""
    bend, lean = rng.uniform(-40, 40), rng.uniform(-120, 120)
    left, right = [], []
    for share in np.linspace(0, 1, 16):
        middle = x + lean * share**2 + bend * np.sin(share * 4)
        half = 5 + 52 * share**1.5
        left.append((middle - half, share * size[1]))
        right.append((middle + half, share * size[1]))
    draw.polygon([*left, *right[::-1]], fill=(*muted(tone), 120))


def _tufts(draw, x, y, share, tones, rng) -> None:
    for lean in (-0.6, 0, 0.6):
        tip = (x + lean * 7 * share, y - 3 - 9 * share)
        draw.line([(x, y), tip], (*muted(tones[int(rng.integers(2))]), 170), 1 + int(share > 0.6))


def _ripples(draw, x, y, share, tones, rng) -> None:
    half = 8 + 34 * share * rng.uniform(0.4, 1)
    points = [(x + t * half, y + (1 - t * t) * -4 * share) for t in np.linspace(-1, 1, 7)]
    draw.line(points, (*muted(tones[int(rng.integers(2))]), 110), 1 + int(2 * share))


def _stones(draw, x, y, share, tones, rng) -> None:
    half = (1.5 + 7 * share) * rng.uniform(0.5, 1.2)
    draw.ellipse((x - half, y - half * 0.5, x + half, y + half * 0.6), (*muted(tones[1]), 190))
    draw.ellipse(
        (x - half, y - half * 0.6, x + half * 0.6, y + half * 0.2), (*muted(tones[0]), 170)
    )


def _cobbles(draw, x, y, share, tones, rng) -> None:
    wide, tall = 5 + 17 * share, 2 + 6 * share
    row = y - y % max(3, tall)
    column = x - x % wide + (wide / 2 if int(row / tall) % 2 else 0)
    tone = muted(mix(*tones, rng.uniform(0.2, 0.8)))
    # Whole pixels: some versions of Pillow cannot round the corners of small boxes between them.
    edges = [round(edge) for edge in (column, row, column + wide - 1, row + tall - 1)]
    draw.rounded_rectangle(edges, 2, (*tone, 150))


def _flowers(draw, x, y, share, tones, rng) -> None:
    _tufts(draw, x, y, share, tones, rng)
    if rng.random() < 0.5:
        petals = ((246, 240, 232), (240, 216, 220), (226, 216, 240), (244, 232, 186))
        half = 1 + 2.6 * share
        tone = muted(petals[int(rng.integers(4))])
        draw.ellipse((x - half, y - 4 - 9 * share - half, x + half, y - 4 - 9 * share + half), tone)


def _leaves(draw, x, y, share, tones, rng) -> None:
    half = 1.5 + 5 * share
    tone = ((206, 150, 104), (164, 104, 84), (216, 186, 124))[int(rng.integers(3))]
    tip = rng.uniform(-1, 1) * half
    spots = [(x - half, y), (x, y - tip * 0.5 - 1), (x + half, y + tip * 0.3), (x, y + half * 0.5)]
    draw.polygon(spots, (*muted(tone), 220))


def _cracks(draw, x, y, share, tones, rng) -> None:
    points = [(x, y)]
    for _ in range(4):
        points.append((points[-1][0] + rng.uniform(4, 26) * share, y + rng.uniform(-5, 5) * share))
    ember = rng.random() < 0.3
    tone = (226, 138, 110) if ember else tones[1]
    draw.line(points, (*muted(tone), 200), 1 + int(1.6 * share))


def _pools(draw, x, y, share, tones, rng) -> None:
    if rng.random() < 0.3:
        half = 16 + 60 * share
        draw.ellipse(
            (x - half, y - 4 - 8 * share, x + half, y + 2 + 5 * share), (160, 172, 156, 150)
        )
        draw.line([(x - half * 0.6, y - 1), (x + half * 0.2, y - 1)], (206, 212, 196, 150), 1)
    else:
        _tufts(draw, x, y, share, tones, rng)


_MARKS: dict[str, _Pen] = {
    "tufts": _tufts,
    "ripples": _ripples,
    "stones": _stones,
    "cobbles": _cobbles,
    "flowers": _flowers,
    "leaves": _leaves,
    "cracks": _cracks,
    "pools": _pools,
}
_COUNTS = {
    "tufts": 150,
    "ripples": 60,
    "stones": 70,
    "cobbles": 260,
    "flowers": 200,
    "leaves": 160,
    "cracks": 60,
    "pools": 110,
}
