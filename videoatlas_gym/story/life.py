"""What moves by itself: clouds, sails, smoke, light, water, and whatever falls.

Each is a few small cut-outs made once and pasted where the moment (in seconds) puts them.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from videoatlas_gym.story.names import SIZE
from videoatlas_gym.story.paint import RGB, Canvas, brushed, lighter, mix, muted, texture_at

_WIDTH, _HEIGHT = SIZE


class Clouds:
    """Clouds that drift and come back on the other side."""

    def __init__(self, rng: np.random.Generator, count: int, colour: RGB, haze: RGB) -> None:
        self._clouds = []
        for index in range(count):
            share = index / max(1, count)
            picture = _cloud(rng, rng.uniform(70, 150) * (0.7 + 0.5 * share), colour, haze)
            x = (index + rng.uniform(0.1, 0.9)) / count * 760
            mask = picture.getchannel("A")
            place = (x, rng.uniform(4, 74), 1.2 + 2.6 * share)
            self._clouds.append((picture.convert("RGB"), mask, place))

    def paste_on(self, frame: Image.Image, x: float, y: float, moment: float) -> None:
        """Lay the clouds over a frame."""
        for picture, mask, (start, top, speed) in self._clouds:
            left = (start + moment * speed - x * 14) % 760 - 200
            frame.paste(picture, (round(left), round(top - y * 5)), mask)


def _cloud(rng: np.random.Generator, width: float, colour: RGB, haze: RGB) -> Image.Image:
    wide, tall = int(width), int(width * 0.36)
    canvas = Canvas(wide, tall, 2)
    blobs = [(x, rng.uniform(0.35, 0.9) * np.sin(np.pi * x)) for x in np.linspace(0.14, 0.86, 7)]
    for tone, lift in ((mix(colour, haze, 0.55), 0.0), (colour, 0.13)):
        for x, size in blobs:
            across = wide * (0.14 + 0.2 * size)
            canvas.oval(
                wide * x - lift * 14, tall * (0.8 - 0.34 * size - lift), across, across * 0.8, tone
            )
    canvas.erase([(0, tall * 0.86), (wide, tall * 0.86), (wide, tall + 1), (0, tall + 1)])
    picture = brushed(canvas.finished(), texture_at("brush", rng, tall, wide), 0.06)
    fade = np.array(picture)
    fade[..., 3] = fade[..., 3] * np.linspace(0.95, 0.45, tall)[:, None]
    return Image.fromarray(fade)


class Falling:
    """Flakes, drops, leaves, sparks and birds: small marks on their ways across the frame."""

    def __init__(self, rng: np.random.Generator, kind: str) -> None:
        self._kind = kind
        count, self._speed, self._sway = _HABITS[kind]
        self._marks = _marks(kind)
        self._places = [
            (
                *(float(v) for v in rng.uniform((0, 0), (_WIDTH + 40, _HEIGHT + 30))),
                float(rng.uniform(0.6, 1.3)),
                float(rng.uniform(0, 6.28)),
                int(rng.integers(len(self._marks))),
            )
            for _ in range(count)
        ]

    def paste_on(self, frame: Image.Image, x: float, moment: float) -> None:
        """Lay the marks over a frame."""
        speed_x, speed_y = self._speed
        for start_x, start_y, pace, phase, index in self._places:
            picture, mask = self._marks[index]
            near = 0.5 + index / len(self._marks)
            sway = self._sway * math.sin(moment * 1.1 * pace + phase)
            left = start_x + moment * speed_x * pace - x * 90 * near + sway
            top = start_y + moment * speed_y * pace + 0.4 * sway
            if self._kind == "gulls":
                top = 20 + (top % 90)
            elif self._kind == "fireflies":
                if math.sin(moment * 2 * pace + phase) < -0.2:
                    continue
                top = 110 + (top % 140)
            spot = (round(left % (_WIDTH + 40)) - 30, round(top % (_HEIGHT + 30)) - 20)
            frame.paste(picture, spot, mask)


_HABITS: dict[str, tuple[int, tuple[float, float], float]] = {
    "snow": (64, (-6.0, 34.0), 8.0),
    "rain": (54, (-40.0, 300.0), 0.0),
    "leaves": (20, (-16.0, 26.0), 22.0),
    "petals": (22, (-14.0, 16.0), 18.0),
    "fireflies": (20, (3.0, -2.0), 16.0),
    "embers": (30, (10.0, -26.0), 12.0),
    "dust": (16, (60.0, 3.0), 6.0),
    "gulls": (4, (14.0, 0.4), 10.0),
    "none": (0, (0.0, 0.0), 0.0),
}
"""For each kind: how many, pixels per second to the right and downwards, sideways sway."""


@lru_cache(maxsize=16)
def _marks(kind: str) -> list[tuple[Image.Image, Image.Image]]:
    """Return the marks of a kind, from far to near, as colours and mask."""
    rng = np.random.default_rng(sum(kind.encode()))
    return [_split(_mark(kind, size, rng)) for size in range(6)]


def _mark(kind: str, size: int, rng: np.random.Generator) -> Image.Image:
    canvas = Canvas(30, 16, 4)
    if kind == "snow":
        canvas.oval(8, 8, 1.8 + 0.75 * size, 1.8 + 0.75 * size, (255, 255, 255), 130 + 22 * size)
    elif kind == "rain":
        canvas.polygon([(9, 1), (10, 1), (7.6, 7 + size * 1.4), (7, 7)], (226, 232, 226), 120)
    elif kind in ("leaves", "petals"):
        tones = ((206, 148, 104), (176, 108, 88), (214, 180, 120))
        tone = tones[size % 3] if kind == "leaves" else (246, 226, 228)
        half, turn = 2.4 + 0.5 * size, rng.uniform(0, 3.1)
        along = np.array([np.cos(turn), np.sin(turn)]) * half
        across = np.array([-along[1], along[0]]) * 0.5
        spots = [along, across, -along, -across]
        canvas.polygon([(8 + x, 8 + y) for x, y in spots], tone)
    elif kind in ("fireflies", "embers"):
        tone = (252, 240, 180) if kind == "fireflies" else (252, 178, 130)
        for reach, alpha in ((9, 36), (5.5, 70), (2.2 + 0.2 * size, 240)):
            canvas.oval(8, 8, reach, reach, tone, alpha)
    elif kind == "dust":
        canvas.oval(14, 8, 10 + 2.4 * size, 1.4, (250, 236, 206), 70)
    else:
        y = 8 - size * 0.6
        wing = [(3, y), (7, 5), (11, 8), (15, 5), (19, y), (15, 6.4), (11, 10), (7, 6.4)]
        canvas.polygon(wing, (70, 80, 92))
    return canvas.finished()


def _split(picture: Image.Image) -> tuple[Image.Image, Image.Image]:
    picture = picture.crop(picture.getbbox())
    return picture.convert("RGB"), picture.getchannel("A")


@lru_cache(maxsize=16)
def sails(colour: RGB, wood: RGB, side_px: int) -> list[tuple[Image.Image, Image.Image]]:
    """Return a windmill's sails in 18 positions of a quarter turn, as colours and mask."""
    side = 132
    canvas = Canvas(side, side, 3)
    for turn in range(4):
        angle = turn * np.pi / 2
        along, across = (np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))

        def spot(far: float, wide: float, along=along, across=across) -> tuple[float, float]:
            return tuple(side / 2 + far * a + wide * b for a, b in zip(along, across, strict=True))

        canvas.polygon([spot(14, 1), spot(62, 1), spot(62, 15), spot(14, 13)], colour)
        canvas.polygon(
            [spot(14, 9), spot(62, 10), spot(62, 15), spot(14, 13)], lighter(colour, -0.15)
        )
        canvas.line([spot(0, 0), spot(64, 0)], wood, 3)
        for far in range(14, 64, 8):
            canvas.line([spot(far, 0), spot(far, 14)], wood, 1)
    canvas.oval(side / 2, side / 2, 10, 10, wood)
    picture = canvas.finished().resize((side_px, side_px), Image.Resampling.BICUBIC)
    turned = [picture.rotate(-5 * step, Image.Resampling.BICUBIC) for step in range(18)]
    return [(one.convert("RGB"), one.getchannel("A")) for one in turned]


@lru_cache(maxsize=24)
def puffs(colour: RGB) -> list[tuple[Image.Image, Image.Image]]:
    """Return a puff of smoke at 16 ages, as colours and mask, all 48 x 48."""
    aged = []
    for age in range(16):
        canvas, size = Canvas(48, 48, 2), 9 + age * 1.9
        for x, y in ((-0.24, 0.1), (0.2, 0.14), (0.0, -0.2)):
            canvas.oval(24 + x * size, 24 + y * size, size * 0.74, size * 0.74, colour)
        picture = canvas.finished()
        mask = picture.getchannel("A").point(lambda v, age=age: v * (16 - age) * 0.05)
        aged.append((Image.new("RGB", (48, 48), muted(colour)), mask))
    return aged


def paste_smoke(
    frame: Image.Image, colour: RGB, spot: tuple[int, int], moment: float, spread: float = 1.0
) -> None:
    """Lay a drifting column of smoke over a frame; it rises from `spot`."""
    aged = puffs(colour)
    for puff in range(8):
        age = (moment * 0.22 + puff / 8) % 1
        x = spot[0] + spread * (26 * age + 5 * math.sin(puff * 2.4 + moment * 0.6))
        y = spot[1] - spread * 58 * age
        picture, mask = aged[int(age * 16)]
        frame.paste(picture, (round(x) - 24, round(y) - 24), mask)


@lru_cache(maxsize=1)
def beams() -> list[Image.Image]:
    """Return a lighthouse's beam at 16 moments of its turn, as masks of 360 x 100."""
    masks = []
    for step in range(16):
        reach = 176 * np.cos(step * np.pi / 8)
        mask = Image.new("L", (360, 100))
        near = 5 + 3 * abs(np.sin(step * np.pi / 8))
        wide = 20 + 14 * np.sin(step * np.pi / 8)
        edge = [
            (180, 50 - near),
            (180 + reach, 50 - wide),
            (180 + reach, 50 + wide),
            (180, 50 + near),
        ]
        ImageDraw.Draw(mask).polygon(edge, fill=105)
        fade = np.clip(1 - np.abs(np.arange(360) - 180) / 185, 0, 1)[None, :]
        soft = np.asarray(mask.filter(ImageFilter.GaussianBlur(2)), float) * fade
        masks.append(Image.fromarray(soft.astype(np.uint8)))
    return masks


@lru_cache(maxsize=2)
def glints(phase: int) -> Image.Image:
    """Return level flashes of light on water, as a mask of 720 x 48; two phases."""
    rng = np.random.default_rng([phase, 5])
    mask = Image.new("L", (720, 48))
    draw = ImageDraw.Draw(mask)
    for _ in range(110):
        y = 48 * rng.uniform(0, 1) ** 1.4
        x, half = rng.uniform(0, 720), 2 + y * rng.uniform(0.08, 0.3)
        draw.line([(x - half, y), (x + half, y)], fill=int(rng.integers(60, 170)), width=1)
    return mask
