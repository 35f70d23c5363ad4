"""Plants, stones and street furniture: small cut-outs that stand on a ridge.

Each is drawn once per colour and variant, 96 x 120 pixels, its foot in the middle of the lower
edge, lit from the left. Whoever places them makes them smaller.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from PIL import Image

from videoatlas_gym.story.paint import RGB, Canvas, lighter, mix

WIDTH, HEIGHT = 96, 120
VARIANTS = 3
"""How many of each kind are drawn."""

Painter = Callable[[Canvas, RGB, RGB, np.random.Generator], None]
_X = WIDTH / 2
_WHITE: RGB = (244, 247, 250)


@lru_cache(maxsize=400)
def plant(kind: str, light: RGB, dark: RGB, variant: int) -> Image.Image:
    """Return a cut-out, RGBA of 96 x 120; `variant` is 0, 1 or 2. Do not draw on it."""
    rng = np.random.default_rng([variant, sum(kind.encode())])
    canvas = Canvas(WIDTH, HEIGHT, 2)
    _PAINTERS[kind](canvas, light, dark, rng)
    return canvas.finished(rng, 0.16)


def _pine(canvas: Canvas, light: RGB, dark: RGB, rng: np.random.Generator) -> None:
    _conifer(canvas, light, dark, rng, snow=False)


def _snowpine(canvas: Canvas, light: RGB, dark: RGB, rng: np.random.Generator) -> None:
    _conifer(canvas, light, dark, rng, snow=True)


def _conifer(
    canvas: Canvas, light: RGB, dark: RGB, rng: np.random.Generator, *, snow: bool
) -> None:
    canvas.box(_X - 3, 96, _X + 3, HEIGHT, lighter(dark, -0.3))
    tiers, wide = int(rng.integers(4, 6)), rng.uniform(21, 29)
    for tier in range(tiers):
        share = (tiers - tier) / tiers
        low = 108 - (tiers - 1 - tier) * 0 - tier * (92 / tiers)
        half, top = wide * share + 4, low - 92 / tiers - 16
        lean = rng.uniform(-2, 2)
        canvas.polygon([(_X + lean, top), (_X + half, low), (_X - half, low - 2)], dark)
        canvas.polygon([(_X + lean, top), (_X + 2, low - 3), (_X - half, low - 2)], light)
        if snow:
            cap = [(_X + lean, top), (_X + half * 0.5, low - 13), (_X + 1, low - 17)]
            cap += [(_X - half * 0.3, low - 9), (_X - half * 0.8, low - 6)]
            canvas.polygon(cap, mix(light, _WHITE, 0.86))


def _crown(
    canvas: Canvas, light: RGB, dark: RGB, rng: np.random.Generator, wide: float, tall: float
) -> None:
    middle = 112 - 24 - tall / 2
    blobs = [
        (_X + rng.uniform(-1, 1) * wide * 0.27, middle + rng.uniform(-1, 1) * tall * 0.24)
        for _ in range(9)
    ]
    for x, y in blobs:
        canvas.oval(x + 3, y + 3, wide * 0.6, tall * 0.58, dark)
    for x, y in blobs:
        canvas.oval(x - 4, y - 5, wide * 0.42, tall * 0.4, mix(light, dark, 0.25))
    for x, y in blobs[:5]:
        canvas.oval(x - 8, y - 9, wide * 0.2, tall * 0.17, lighter(light, 0.16))


def _round(canvas: Canvas, light: RGB, dark: RGB, rng: np.random.Generator) -> None:
    canvas.polygon([(_X - 5, HEIGHT), (_X - 2, 66), (_X + 2, 66), (_X + 5, HEIGHT)], _bark(dark))
    canvas.line([(_X, 96), (_X + 12, 76)], _bark(dark), 2.5)
    _crown(canvas, light, dark, rng, 66, 70)


def _maple(canvas: Canvas, light: RGB, dark: RGB, rng: np.random.Generator) -> None:
    _round(canvas, mix(light, (232, 196, 120), 0.55), mix(dark, (176, 128, 84), 0.5), rng)


def _blossom(canvas: Canvas, light: RGB, dark: RGB, rng: np.random.Generator) -> None:
    _round(canvas, (244, 222, 222), mix((206, 166, 172), dark, 0.2), rng)


def _poplar(canvas: Canvas, light: RGB, dark: RGB, rng: np.random.Generator) -> None:
    canvas.box(_X - 2.5, 90, _X + 2.5, HEIGHT, _bark(dark))
    canvas.oval(_X + 1, 58, 30, 106, dark)
    canvas.oval(_X - 4, 56, 18, 92, mix(light, dark, 0.25))
    for _ in range(6):
        canvas.oval(_X - rng.uniform(1, 9), rng.uniform(22, 94), 7, 15, lighter(light, 0.1))


def _bush(canvas: Canvas, light: RGB, dark: RGB, rng: np.random.Generator) -> None:
    for share, colour in ((1.0, dark), (0.72, mix(light, dark, 0.3)), (0.4, light)):
        for _ in range(6):
            x = _X + rng.uniform(-24, 24) * (0.6 + 0.4 * share) - (1 - share) * 6
            size = 26 * share + 5
            canvas.oval(x, 108 - (1 - share) * 8 + rng.uniform(-5, 2), size * 1.2, size, colour)
    canvas.erase([(0, 118), (WIDTH, 118), (WIDTH, HEIGHT + 1), (0, HEIGHT + 1)])


def _palm(canvas: Canvas, light: RGB, dark: RGB, rng: np.random.Generator) -> None:
    lean = rng.uniform(-18, 18)
    trunk = [(_X + lean * t * t - lean * 0.4, HEIGHT - 84 * t) for t in np.linspace(0, 1, 9)]
    canvas.line(trunk, _bark(dark), 6)
    canvas.line([(x - 1.5, y) for x, y in trunk], lighter(_bark(dark), 0.25), 2)
    x, y = trunk[-1]
    for index, angle in enumerate(np.linspace(-2.9, -0.2, 8) + rng.uniform(-0.1, 0.1, 8)):
        reach = rng.uniform(32, 42)
        tip = (x + reach * np.cos(angle), y + reach * 0.55 * np.sin(angle) + 15)
        mid = (x + reach * 0.55 * np.cos(angle), y + reach * 0.8 * np.sin(angle) - 5)
        colour = light if index < 4 else dark
        canvas.polygon([(x, y - 3), mid, tip, (mid[0], mid[1] + 9), (x, y + 3)], colour)
    canvas.oval(x + 2, y + 4, 7, 7, _bark(dark))
    canvas.oval(x - 4, y + 4, 6, 6, _bark(dark))


def _cactus(canvas: Canvas, light: RGB, dark: RGB, rng: np.random.Generator) -> None:
    for shift, colour, thin in ((0, dark, 0), (-1.6, light, 4.5)):
        canvas.box(_X - 7 + shift + thin / 2, 34, _X + 7 + shift - thin / 2, HEIGHT, colour, 6)
        for side, low in ((-1, rng.uniform(74, 86)), (1, rng.uniform(66, 92))):
            arm = [(_X, low), (_X + side * 19, low), (_X + side * 20, low - 26)]
            canvas.line([(x + shift, y) for x, y in arm], colour, 9 - thin)
            canvas.oval(arm[2][0] + shift, low - 26, 9 - thin, 9 - thin, colour)


def _rock(canvas: Canvas, light: RGB, dark: RGB, rng: np.random.Generator) -> None:
    grey, shade = mix(light, (190, 186, 180), 0.4), mix(dark, (104, 102, 106), 0.3)
    top = rng.uniform(70, 86)
    outline = [(14, HEIGHT), (20, 98), (36, top + 4), (54, top), (74, 92), (84, HEIGHT)]
    canvas.polygon(outline, shade)
    canvas.polygon([(14, HEIGHT), (20, 98), (36, top + 4), (54, top), (46, 94), (50, 120)], grey)
    canvas.polygon([(36, top + 4), (54, top), (46, 94), (30, 92)], lighter(grey, 0.25))


def _spire(canvas: Canvas, light: RGB, dark: RGB, rng: np.random.Generator) -> None:
    for x, top, half in (
        (32, rng.uniform(58, 80), 15),
        (56, rng.uniform(20, 42), 19),
        (74, 84, 13),
    ):
        canvas.polygon([(x - half, HEIGHT), (x - 2, top), (x + 4, top + 5), (x + half, 120)], dark)
        canvas.polygon([(x - half, HEIGHT), (x - 2, top), (x + 1, HEIGHT)], light)


def _hoodoo(canvas: Canvas, light: RGB, dark: RGB, rng: np.random.Generator) -> None:
    warm, shade = mix(light, (214, 152, 122), 0.8), mix(dark, (150, 96, 84), 0.8)
    for x, top, half in ((38, rng.uniform(34, 60), 11), (62, rng.uniform(66, 84), 10)):
        canvas.polygon([(x - half, 120), (x - 6, top), (x + 6, top), (x + half, 120)], shade)
        canvas.polygon([(x - half, 120), (x - 6, top), (x, top), (x, 120)], warm)
        for y in np.arange(top + 14, 116, 15):
            canvas.box(x - 9, y, x + 8, y + 4, mix(warm, shade, 0.6))
        canvas.oval(x, top, 26, 15, mix(warm, shade, 0.8))
        canvas.oval(x - 3, top - 2, 19, 9, lighter(warm, 0.2))


def _trunk(canvas: Canvas, light: RGB, dark: RGB, rng: np.random.Generator) -> None:
    bark = _bark(dark)
    canvas.polygon([(_X - 13, 120), (_X - 8, -2), (_X + 8, -2), (_X + 13, 120)], bark)
    canvas.polygon([(_X - 13, 120), (_X - 8, -2), (_X - 3, -2), (_X - 5, 120)], lighter(bark, 0.2))
    for y in rng.uniform(10, 70, 3):
        side = 1 if rng.random() < 0.5 else -1
        canvas.line([(_X, y + 16), (_X + side * 26, y)], bark, 4)
        for _ in range(3):
            x = _X + side * rng.uniform(16, 38)
            canvas.oval(x, y + rng.uniform(-8, 6), 22, 11, mix(light, dark, rng.uniform(0, 1)))


def _bare(canvas: Canvas, light: RGB, dark: RGB, rng: np.random.Generator) -> None:
    bark = lighter(_bark(dark), -0.12)

    def limb(x: float, y: float, angle: float, length: float, thick: float) -> None:
        end = (x + length * np.cos(angle), y + length * np.sin(angle))
        canvas.line([(x, y), end], bark, thick)
        if length > 9:
            for turn in (-rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7)):
                limb(*end, angle + turn, length * rng.uniform(0.62, 0.78), thick * 0.62)

    limb(_X, HEIGHT, -np.pi / 2 + rng.uniform(-0.12, 0.12), 36, 7)


def _reeds(canvas: Canvas, light: RGB, dark: RGB, rng: np.random.Generator) -> None:
    for _ in range(20):
        x, top, lean = rng.uniform(18, 78), rng.uniform(36, 84), rng.uniform(-9, 9)
        colour = mix(light, dark, rng.uniform(0, 1))
        canvas.polygon([(x - 1.6, HEIGHT), (x + lean, top), (x + 1.6, HEIGHT)], colour)
        if rng.random() < 0.35:
            canvas.oval(x + lean, top + 4, 4.6, 17, mix(dark, (108, 84, 70), 0.6))


def _grass(canvas: Canvas, light: RGB, dark: RGB, rng: np.random.Generator) -> None:
    for _ in range(40):
        x, top, lean = rng.uniform(6, 90), rng.uniform(62, 104), rng.uniform(-12, 12)
        colour = mix(light, dark, rng.uniform(0, 1))
        canvas.polygon([(x - 2.2, HEIGHT), (x + lean, top), (x + 2.2, HEIGHT)], colour)


def _daisies(canvas: Canvas, light: RGB, dark: RGB, rng: np.random.Generator) -> None:
    _grass(canvas, light, dark, rng)
    for _ in range(8):
        x, y = rng.uniform(8, 88), rng.uniform(66, 98)
        canvas.line([(x, y), (x + rng.uniform(-3, 3), HEIGHT)], dark, 1.4)
        canvas.oval(x, y, 11, 9, (240, 236, 226))
        canvas.oval(x, y, 4, 3.4, (206, 186, 120))


def _fern(canvas: Canvas, light: RGB, dark: RGB, rng: np.random.Generator) -> None:
    for angle in np.linspace(-2.8, -0.35, 9):
        reach = rng.uniform(34, 50)
        tip = (_X + reach * np.cos(angle), HEIGHT + reach * 1.25 * np.sin(angle) + 12)
        mid = (_X + reach * 0.5 * np.cos(angle), HEIGHT + reach * np.sin(angle) - 6)
        canvas.polygon([(_X, HEIGHT), mid, tip, (mid[0] + 3, mid[1] + 9)], light)
        canvas.line([(_X, HEIGHT), (mid[0] + 2, mid[1] + 4), tip], dark, 1.2)


def _mound(canvas: Canvas, light: RGB, dark: RGB, rng: np.random.Generator) -> None:
    for x, wide, tall in ((34, 60, 26), (62, 64, rng.uniform(26, 38))):
        canvas.dome(x, HEIGHT, wide, tall, mix(light, (190, 206, 224), 0.85))
        canvas.dome(x - 6, HEIGHT, wide * 0.7, tall * 0.84, mix(light, _WHITE, 0.9))


def _block(canvas: Canvas, light: RGB, dark: RGB, rng: np.random.Generator) -> None:
    wall = mix((172, 148, 138), (128, 122, 140), rng.uniform(0, 1))
    left, right, top = 16, rng.uniform(68, 82), rng.uniform(10, 52)
    canvas.box(left, top, right, HEIGHT, mix(wall, light, 0.25))
    canvas.box(right - 16, top, right, HEIGHT, mix(wall, dark, 0.65))
    canvas.box(left - 2, top - 3, right + 2, top + 2, mix(wall, dark, 0.8))
    if rng.random() < 0.6:
        canvas.box(left + 8, top - 14, left + 18, top - 3, mix(wall, dark, 0.7))
    for y in np.arange(top + 9, 108, 13):
        for x in np.arange(left + 6, right - 20, 11):
            lit = rng.random() < 0.4
            canvas.box(x, y, x + 5.5, y + 7.5, (250, 228, 176) if lit else mix(wall, dark, 0.9))


def _lamp(canvas: Canvas, light: RGB, dark: RGB, rng: np.random.Generator) -> None:
    iron = lighter(dark, -0.45)
    canvas.oval(_X, 34, 42, 42, (255, 240, 200), 60)
    canvas.box(_X - 1.8, 40, _X + 1.8, HEIGHT, iron)
    canvas.box(_X - 5, 112, _X + 5, HEIGHT, iron)
    canvas.polygon([(_X - 7, 26), (_X + 7, 26), (_X + 4, 42), (_X - 4, 42)], (255, 238, 190))
    canvas.polygon([(_X - 9, 27), (_X, 17), (_X + 9, 27)], iron)


def _post(canvas: Canvas, light: RGB, dark: RGB, rng: np.random.Generator) -> None:
    iron = lighter(dark, -0.2)
    for x in np.arange(8, 96, 20):
        canvas.box(x - 3, 78, x + 3, HEIGHT, iron)
        canvas.oval(x, 77, 9, 9, iron)
    canvas.box(0, 92, WIDTH, 95, iron)


def _bark(dark: RGB) -> RGB:
    return mix(dark, (96, 74, 62), 0.5)


_PAINTERS: dict[str, Painter] = {
    "pine": _pine,
    "snowpine": _snowpine,
    "round": _round,
    "maple": _maple,
    "blossom": _blossom,
    "poplar": _poplar,
    "bush": _bush,
    "palm": _palm,
    "cactus": _cactus,
    "rock": _rock,
    "spire": _spire,
    "hoodoo": _hoodoo,
    "trunk": _trunk,
    "bare": _bare,
    "reeds": _reeds,
    "grass": _grass,
    "daisies": _daisies,
    "fern": _fern,
    "mound": _mound,
    "block": _block,
    "lamp": _lamp,
    "post": _post,
}
