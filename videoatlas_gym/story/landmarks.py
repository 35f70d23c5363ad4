"""The twelve landmarks: the buildings by which a place is known.

Each is a cut-out of 280 x 180 pixels that stands on its lower edge, lit from the left and painted
in the inks of a theme. `ANCHORS` says where on it something moves: sails, smoke, a beam of light.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from videoatlas_gym.story.landmarks_inland import (
    castle,
    farm,
    garden,
    observatory,
    temple,
    windows,
)
from videoatlas_gym.story.paint import RGB, Canvas, Inks, lighter, mix

WIDTH, HEIGHT = 280, 180
ANCHORS = {
    "windmill": (140, 62),
    "lighthouse": (140, 30),
    "station": (75, 112),
    "garden": (140, 104),
}
"""Where the moving part of a landmark is, in pixels of its cut-out."""
ON_WATER = ("harbour", "bridge", "lighthouse")
"""The places whose land is a shore."""


def landmark(place: str, inks: Inks, rng: np.random.Generator) -> Image.Image:
    """Return the landmark of a place, RGBA of 280 x 180."""
    canvas = Canvas(WIDTH, HEIGHT, 2)
    _PAINTERS[place](canvas, inks, rng)
    return canvas.finished(rng, 0.13)


def _harbour(canvas: Canvas, inks: Inks, rng: np.random.Generator) -> None:
    sail, fold = (238, 230, 212), (204, 192, 176)
    _ship(canvas, inks, 118, sail, fold)
    canvas.box(255, 40, 261, 150, inks.wood)
    canvas.line([(258, 66), (206, 26)], inks.wood, 5)
    canvas.line([(258, 40), (206, 26)], inks.shade, 1.5)
    canvas.line([(208, 28), (208, 84)], inks.shade, 1)
    canvas.box(200, 84, 216, 98, inks.roof)
    canvas.box(170, 148, 280, 155, lighter(inks.wood, 0.18))
    canvas.box(170, 153, 280, 157, inks.wood)
    for x in range(176, 280, 20):
        canvas.box(x, 150, x + 5, 180, lighter(inks.wood, -0.25))
    canvas.box(226, 130, 244, 148, mix(inks.wood, inks.wall, 0.5))
    canvas.box(246, 136, 260, 148, inks.roof)
    canvas.box(232, 117, 246, 130, inks.roof_shade)
    canvas.oval(266, 142, 11, 13, inks.wood)


def _ship(canvas: Canvas, inks: Inks, x: float, sail: RGB, fold: RGB) -> None:
    for mast, top in ((x - 30, 26), (x + 22, 14), (x + 58, 44)):
        canvas.box(mast - 1.5, top, mast + 1.5, 150, inks.wood)
    for mast, top, half in ((x - 30, 34, 25), (x + 22, 22, 30)):
        for row in range(2):
            high, wide = top + row * 42, half * (0.8 + 0.25 * row)
            shape = [(mast - wide, high), (mast + wide, high), (mast + wide * 1.15, high + 36)]
            canvas.polygon([*shape, (mast - wide * 1.1, high + 36)], sail)
            canvas.polygon([(mast + 4, high), *shape[1:], (mast + 4, high + 36)], fold)
            canvas.line([(mast - wide, high), (mast + wide, high)], inks.wood, 2)
    canvas.polygon([(x + 60, 50), (x + 98, 138), (x + 60, 134)], fold)
    canvas.polygon([(x - 34, 44), (x - 96, 132), (x - 50, 132)], sail)
    canvas.line([(x - 60, 138), (x - 102, 126)], inks.wood, 3)
    hull = [(x - 78, 136), (x + 84, 128), (x + 74, 172), (x - 54, 172)]
    canvas.polygon(hull, mix(inks.wood, inks.roof, 0.3))
    canvas.polygon([(x - 78, 136), (x + 84, 128), (x + 83, 134), (x - 74, 143)], inks.light)
    canvas.polygon([(x - 60, 160), (x + 77, 158), (x + 74, 172), (x - 54, 172)], inks.roof_shade)
    for port in range(-44, 70, 19):
        canvas.oval(x + port, 150, 6, 6, inks.window)


def _market(canvas: Canvas, inks: Inks, rng: np.random.Generator) -> None:
    tints = [inks.roof, (150, 160, 150), (196, 170, 128), (150, 134, 152)]
    order = rng.permutation(4)
    canvas.line([(8, 58), (8, 180)], inks.wood, 2.5)
    canvas.line([(272, 58), (272, 180)], inks.wood, 2.5)
    rope = [(8 + t * 264, 60 + 68 * t * (1 - t)) for t in np.linspace(0, 1, 23)]
    canvas.line(rope, inks.shade, 1.2)
    for index, (x, y) in enumerate(rope[1:-1]):
        canvas.polygon([(x - 5, y), (x + 5, y), (x, y + 11)], tints[index % 4])
    for index, left in enumerate((14, 100, 186)):
        _stall(canvas, inks, left, tints[order[index]], index)


def _stall(canvas: Canvas, inks: Inks, left: float, tint: RGB, index: int) -> None:
    right, top = left + 80, 92 + 6 * (index % 2)
    canvas.box(left + 6, top, right - 6, 180, lighter(inks.shade, -0.3))
    for x in (left + 5, right - 8):
        canvas.box(x, top, x + 3, 180, inks.wood)
    canvas.box(left + 3, 150, right - 3, 180, inks.wall)
    canvas.box(left + 40, 154, right - 3, 180, inks.shade)
    canvas.box(left, 146, right, 151, inks.light)
    for heap in range(5):
        x = left + 12 + heap * 14
        goods = ((196, 148, 110), (150, 166, 116), (206, 188, 132), (168, 122, 130))[heap % 4]
        for dx, dy in ((-4, 0), (4, 0), (0, -6)):
            canvas.oval(x + dx, 142 + dy, 8, 8, goods)
    stripes = 8
    for stripe in range(stripes):
        colour = tint if stripe % 2 == 0 else (242, 234, 218)
        x0, x1 = left + 10 + stripe * 60 / stripes, left + 10 + (stripe + 1) * 60 / stripes
        y0, y1 = left - 2 + stripe * 84 / stripes, left - 2 + (stripe + 1) * 84 / stripes
        canvas.polygon([(x0, top - 18), (x1, top - 18), (y1, top + 12), (y0, top + 12)], colour)
        canvas.drop(y0, y1, top + 12, colour)


def _bridge(canvas: Canvas, inks: Inks, rng: np.random.Generator) -> None:
    deck = [(0, 112), (70, 92), (140, 84), (210, 92), (280, 112)]
    canvas.polygon([*deck, (280, 180), (0, 180)], inks.wall)
    under = [(x, y + 12) for x, y in deck]
    canvas.polygon([*under, (280, 180), (0, 180)], mix(inks.wall, inks.shade, 0.35))
    for x in np.arange(8, 280, 13):
        for y in np.arange(108, 176, 9):
            if rng.random() < 0.35:
                tone = inks.light if rng.random() < 0.5 else inks.shade
                canvas.box(x, y, x + 9, y + 4, mix(inks.wall, tone, 0.5), 1)
    for x, half, top in ((52, 27, 122), (140, 40, 106), (228, 27, 122)):
        canvas.dome(x, 158, half * 2 + 12, 164 - top, inks.shade)
        canvas.box(x - half - 6, 158, x + half + 6, 181, inks.shade)
        canvas.erase_oval(x, 158, half * 2, (158 - top) * 2)
        canvas.erase([(x - half, 158), (x + half, 158), (x + half, 182), (x - half, 182)])
    rail = [(x, y - 8) for x, y in deck]
    canvas.line(rail, inks.light, 4)
    canvas.line(deck, inks.light, 3)
    for x in np.arange(6, 280, 14):
        y = float(np.interp(x, [p[0] for p in deck], [p[1] for p in deck]))
        canvas.box(x - 1.5, y - 9, x + 1.5, y, inks.shade)
    for x in (96, 184):
        canvas.box(x - 7, 66, x + 7, 182, inks.wall)
        canvas.box(x + 1, 66, x + 7, 182, inks.shade)
        canvas.polygon([(x - 11, 68), (x, 44), (x + 11, 68)], inks.roof)
        canvas.polygon([(x, 44), (x + 11, 68), (x, 68)], inks.roof_shade)
        windows(canvas, inks, [x - 1], [76], 5)


def _tower(canvas: Canvas, inks: Inks, rng: np.random.Generator) -> None:
    for left, right, top in ((70, 122, 138), (158, 214, 146)):
        canvas.box(left, top, right, 180, inks.shade)
        middle = (left + right) / 2
        canvas.polygon([(left - 5, top), (middle, top - 24), (right + 5, top)], inks.roof_shade)
        windows(canvas, inks, np.arange(left + 10, right - 4, 13), [top + 12], 6)
    canvas.polygon([(118, 180), (122, 58), (158, 58), (162, 180)], inks.wall)
    canvas.polygon([(142, 180), (142, 58), (158, 58), (162, 180)], inks.shade)
    canvas.polygon([(118, 180), (122, 58), (125, 58), (122, 180)], inks.light)
    for y in (52, 92, 134):
        canvas.box(116, y, 164, y + 5, inks.light)
        canvas.box(142, y, 164, y + 5, mix(inks.wall, inks.shade, 0.5))
    canvas.polygon([(114, 53), (140, 2), (166, 53)], inks.roof)
    canvas.polygon([(140, 2), (166, 53), (142, 53)], inks.roof_shade)
    canvas.line([(140, 8), (140, -4)], inks.wood, 2)
    canvas.oval(140, 75, 29, 29, inks.roof_shade)
    canvas.oval(140, 75, 24, 24, (246, 238, 216))
    hour = rng.uniform(0, 2 * np.pi)
    for angle, reach in ((hour, 7), (hour * 12, 10)):
        tip = (140 + reach * np.sin(angle), 75 - reach * np.cos(angle))
        canvas.line([(140, 75), tip], (50, 46, 56), 2)
    windows(canvas, inks, [133, 148], [104, 146], 6)


def _station(canvas: Canvas, inks: Inks, rng: np.random.Generator) -> None:
    canvas.box(108, 92, 280, 170, inks.wall)
    canvas.dome(194, 94, 176, 66, inks.roof)
    canvas.dome(194, 94, 156, 54, mix(inks.window, (204, 214, 218), 0.5))
    for angle in np.linspace(0.12, np.pi - 0.12, 8):
        rim = (194 + 78 * np.cos(angle), 94 - 54 * np.sin(angle))
        canvas.line([(194, 94), rim], inks.roof_shade, 2)
    canvas.dome(194, 94, 72, 25, mix(inks.window, (220, 224, 222), 0.6))
    canvas.box(104, 90, 280, 97, inks.light)
    canvas.box(184, 14, 204, 34, inks.wall)
    canvas.polygon([(180, 15), (194, 2), (208, 15)], inks.roof_shade)
    canvas.oval(194, 25, 16, 16, (246, 240, 222))
    canvas.line([(194, 19), (194, 25), (199, 27)], (50, 46, 56), 1.5)
    for x in np.arange(118, 276, 22):
        canvas.arch(x, 106, x + 12, 150, inks.window)
        canvas.box(x + 14, 98, x + 18, 170, inks.shade)
    _train(canvas, inks)
    canvas.box(0, 171, 280, 180, lighter(inks.shade, 0.15))
    canvas.box(0, 170, 280, 172, lighter(inks.shade, -0.4))


def _train(canvas: Canvas, inks: Inks) -> None:
    iron, body = (58, 58, 68), mix(inks.roof, (120, 76, 72), 0.5)
    canvas.box(62, 126, 112, 154, iron, 6)
    canvas.box(62, 128, 112, 133, lighter(iron, 0.3), 3)
    canvas.box(70, 112, 80, 128, iron)
    canvas.box(67, 108, 83, 114, iron)
    canvas.dome(96, 127, 12, 9, lighter(iron, 0.2))
    canvas.box(110, 108, 140, 156, body)
    canvas.box(106, 104, 144, 110, iron)
    canvas.box(116, 115, 134, 128, inks.window)
    canvas.polygon([(62, 150), (48, 166), (64, 166)], iron)
    for left in (150, 218):
        canvas.box(left, 116, left + 62, 158, body)
        canvas.box(left - 2, 112, left + 64, 119, iron, 2)
        for x in range(left + 6, left + 54, 14):
            canvas.box(x, 124, x + 9, 136, inks.window)
        canvas.box(left, 143, left + 62, 147, inks.light)
    canvas.box(58, 154, 280, 159, iron)
    for x, size in ((74, 16), (94, 16), (122, 20), (162, 14), (200, 14), (230, 14), (268, 14)):
        canvas.oval(x, 170 - size / 2, size, size, lighter(iron, -0.3))
        canvas.oval(x, 170 - size / 2, size * 0.5, size * 0.5, (150, 146, 146))


def _windmill(canvas: Canvas, inks: Inks, rng: np.random.Generator) -> None:
    canvas.box(168, 142, 226, 180, inks.shade)
    canvas.polygon([(162, 144), (197, 118), (232, 144)], inks.roof_shade)
    windows(canvas, inks, [184, 206], [150], 8)
    canvas.polygon([(104, 180), (121, 66), (159, 66), (176, 180)], inks.wall)
    canvas.polygon([(143, 180), (143, 66), (159, 66), (176, 180)], inks.shade)
    canvas.polygon([(104, 180), (121, 66), (125, 66), (112, 180)], inks.light)
    for y, half in ((98, 25), (138, 31)):
        canvas.box(140 - half, y, 140 + half, y + 4, mix(inks.wall, inks.shade, 0.6))
    canvas.box(98, 124, 182, 129, inks.wood)
    for x in np.arange(100, 182, 10):
        canvas.box(x, 115, x + 1.5, 126, inks.wood)
    canvas.line([(98, 115), (182, 115)], inks.wood, 2)
    canvas.dome(140, 68, 46, 34, inks.roof)
    canvas.polygon([(144, 35), (154, 42), (163, 68), (144, 68)], inks.roof_shade)
    windows(canvas, inks, [137], [82, 106], 8)
    canvas.arch(131, 148, 149, 180, inks.wood)


def _lighthouse(canvas: Canvas, inks: Inks, rng: np.random.Generator) -> None:
    stone, shade = mix(inks.shade, (140, 134, 132), 0.5), lighter(inks.shade, -0.3)
    canvas.polygon([(62, 180), (84, 158), (118, 146), (172, 148), (208, 162), (232, 180)], shade)
    canvas.polygon([(62, 180), (84, 158), (118, 146), (146, 148), (138, 180)], stone)
    bands = 6
    for band in range(bands):
        low, high = 152 - band * 17.5, 152 - (band + 1) * 17.5
        half, thin = 24 - band * 2.1, 24 - (band + 1) * 2.1
        colour = (244, 238, 226) if band % 2 else mix(inks.roof, (172, 96, 88), 0.6)
        edge = [(140 - half, low), (140 - thin, high), (140 + thin, high), (140 + half, low)]
        canvas.polygon(edge, colour)
        dark = [(144, low), (144, high), (140 + thin, high), (140 + half, low)]
        canvas.polygon(dark, lighter(colour, -0.3))
    canvas.box(120, 42, 160, 48, inks.roof_shade)
    canvas.box(128, 22, 152, 42, (255, 242, 196))
    for x in (128, 139, 150):
        canvas.box(x, 22, x + 2, 42, inks.roof_shade)
    canvas.dome(140, 23, 32, 16, inks.roof)
    canvas.line([(140, 8), (140, 0)], inks.wood, 2)
    windows(canvas, inks, [136], [66, 102], 6)
    canvas.box(174, 134, 212, 166, inks.wall)
    canvas.box(196, 134, 212, 166, inks.shade)
    canvas.polygon([(168, 136), (193, 116), (218, 136)], inks.roof)
    windows(canvas, inks, [184], [144], 8)


_Painter = Callable[[Canvas, Inks, np.random.Generator], None]
_PAINTERS: dict[str, _Painter] = {
    "harbour": _harbour,
    "market": _market,
    "bridge": _bridge,
    "tower": _tower,
    "station": _station,
    "windmill": _windmill,
    "lighthouse": _lighthouse,
    "castle": castle,
    "farm": farm,
    "temple": temple,
    "garden": garden,
    "observatory": observatory,
}
