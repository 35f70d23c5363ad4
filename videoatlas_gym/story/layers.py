"""The flats of a stage: wide cut-outs behind each other that move at their own speeds.

A layer is pasted in blocks cut beforehand, of which only the ragged upper edge needs a mask, so
that laying five of them over each other costs half a millisecond.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from videoatlas_gym.story.names import SIZE
from videoatlas_gym.story.paint import RGB, lighter, mix, muted, ramp, texture_at, toned, wave

_BLOCK_PX = 96
_SNOW: tuple[RGB, RGB] = ((248, 250, 252), (176, 192, 216))


class Layer:
    """A wide picture, and how far it moves with the camera."""

    def __init__(self, picture: Image.Image, top: int, shift_x: int, shift_y: int) -> None:
        self._top, self._shift_x, self._shift_y = top, shift_x, shift_y
        self._pieces = list(_pieces(picture))

    def corner(self, x: float, y: float) -> tuple[int, int]:
        """Return where the layer's upper left corner is in the frame, for a camera at (x, y)."""
        return (
            -self._shift_x - round(x * self._shift_x),
            self._top - round(y * self._shift_y),
        )

    def paste_on(self, frame: Image.Image, x: float, y: float) -> None:
        """Lay the layer over a frame."""
        left, top = self.corner(x, y)
        for picture, mask, column, row in self._pieces:
            if -_BLOCK_PX < left + column < SIZE[0] and top + row < SIZE[1]:
                frame.paste(picture, (left + column, top + row), mask)


def _pieces(picture: Image.Image):
    """Yield (colours, mask or None where opaque, column, row) of each block of a picture."""
    picture = picture.convert("RGBA")
    for column in range(0, picture.width, _BLOCK_PX):
        right = min(column + _BLOCK_PX, picture.width)
        block = picture.crop((column, 0, right, picture.height))
        alpha = np.asarray(block.getchannel("A"))
        inked = np.flatnonzero(alpha.any(1))
        if not inked.size:
            continue
        first, stop = int(inked[0]), int(inked[-1]) + 1
        open_rows = np.flatnonzero(alpha.min(1) < 255)
        solid = int(open_rows[open_rows < stop].max(initial=-1)) + 1
        for low, high, masked in ((first, solid, True), (max(first, solid), stop, False)):
            if low < high:
                part = block.crop((0, low, block.width, high))
                yield part.convert("RGB"), part.getchannel("A") if masked else None, column, low


def wide(shift_x: int) -> int:
    """Return the width of a layer that moves by `shift_x` pixels to either side."""
    return SIZE[0] + 2 * shift_x


def ridge(kind: str, rng: np.random.Generator, width: int, tall: float) -> NDArray[np.float64]:
    """Return the height of a ridge above its base in each column, about 0 to `tall` pixels."""
    return np.maximum(_RIDGES[kind](rng, width), -0.2) * tall


def _hills(rng: np.random.Generator, width: int) -> NDArray:
    return 0.45 + 0.36 * wave(rng, width, 190, 0.3)


def _flat(rng: np.random.Generator, width: int) -> NDArray:
    return 0.2 + 0.08 * wave(rng, width, 160, 0.5)


def _peaks(rng: np.random.Generator, width: int) -> NDArray:
    gaps = rng.uniform(34, 74, width // 34 + 4)
    knots = np.cumsum(gaps) - 60
    high = np.where(np.arange(len(knots)) % 2, rng.uniform(0.5, 1, len(knots)), 0)
    high += np.where(np.arange(len(knots)) % 2, 0, rng.uniform(0.05, 0.35, len(knots)))
    return np.interp(np.arange(width), knots, high) + 0.03 * wave(rng, width, 14, 0.6)


def _dunes(rng: np.random.Generator, width: int) -> NDArray:
    at = np.arange(width) / rng.uniform(150, 220) + rng.uniform(0, 1) + 0.1 * wave(rng, width, 260)
    part = at % 1
    rise = np.where(part < 0.68, np.sin(part / 0.68 * np.pi / 2) ** 1.6, ((1 - part) / 0.32) ** 1.4)
    return 0.15 + 0.62 * rise * (0.75 + 0.25 * wave(rng, width, 300, 0.2))


def _mesas(rng: np.random.Generator, width: int) -> NDArray:
    raw = wave(rng, width, 120, 0.45)
    steps = [0.5 / (1 + np.exp(-(raw - level) * 26)) for level in (0.1, 0.5)]
    return 0.12 + sum(steps) * 0.9 + 0.015 * wave(rng, width, 8)


def _skyline(rng: np.random.Generator, width: int) -> NDArray:
    heights, filled = np.zeros(width), 0
    while filled < width:
        broad = int(rng.integers(14, 38))
        heights[filled : filled + broad] = rng.uniform(0.2, 1) ** 1.3
        spike = filled + broad // 2
        if rng.random() < 0.25:
            heights[max(0, spike - 4) : spike + 4] += 0.12
            heights[spike : spike + 2] += 0.16
        filled += broad
    return heights


def _cone(rng: np.random.Generator, width: int) -> NDArray:
    away = np.abs(np.arange(width) - width * (0.5 + rng.choice([-1, 1]) * rng.uniform(0.14, 0.3)))
    slope = np.minimum(1.12 * np.exp(-away / 66), 0.96) - 0.05 * (away < 10)
    return np.maximum(slope, 0.2 + 0.12 * wave(rng, width, 120)) + 0.015 * wave(rng, width, 16)


def _sea(rng: np.random.Generator, width: int) -> NDArray:
    return np.maximum(0.55 * wave(rng, width, 110, 0.4) - 0.12, 0) + 0.01


def _trees(rng: np.random.Generator, width: int) -> NDArray:
    xs = np.arange(width)
    crowns = np.zeros(width)
    for x in rng.uniform(0, width, width // 7):
        half, tall = rng.uniform(6, 12), rng.uniform(0.15, 0.5)
        crowns = np.maximum(crowns, tall * (1 - np.abs(xs - x) / half))
    return 0.42 + 0.2 * wave(rng, width, 200) + crowns


_RIDGES = {
    "hills": _hills,
    "flat": _flat,
    "peaks": _peaks,
    "dunes": _dunes,
    "mesas": _mesas,
    "skyline": _skyline,
    "cone": _cone,
    "sea": _sea,
    "islets": _sea,
    "trees": _trees,
}


def land(
    rng: np.random.Generator,
    heights: NDArray,
    deep: int,
    colours: tuple[RGB, RGB],
    haze: tuple[RGB, float],
    kind: str = "hills",
    snow_above: float | None = None,
) -> Image.Image:
    """Return land below a ridge, RGBA; its lower edge is the ridge's base.

    Args:
        rng: Source of chance.
        heights: Of the ridge over its base in each column, in pixels.
        deep: How far the land reaches below the base, in pixels.
        colours: Its light and its dark side.
        haze: What it fades to downwards, and how much (0 to 1).
        kind: Whose texture it has: a kind of ridge.
        snow_above: Where snow begins, in pixels over the base.
    """
    width, top = len(heights), int(np.ceil(heights.max())) + 2
    rows = np.arange(top + deep, dtype=np.float32)[:, None]
    depth = rows - (top - heights[None, :]).astype(np.float32)
    brush = texture_at("brush", rng, top + deep, width)
    cloud = texture_at("cloud", rng, top + deep, width)
    slope = np.gradient(heights) if kind == "skyline" else _eased(np.gradient(heights), kind)
    at = np.arange(width)[None, :] + (np.clip(depth, 0, 60) * (0.2 + 0.7 * cloud)).astype(int)
    side = np.tanh(-slope * (1.6 if kind in ("peaks", "cone") else 3.2)).astype(np.float32)
    field = 0.42 + 0.3 * side[np.clip(at, 0, width - 1)] + 0.17 * brush + 0.1 * cloud
    if kind == "mesas":
        field = field + 0.17 * np.sin(rows / 2.6 + 3 * cloud)
    pixels = toned(field, ramp(colours, 7))
    if snow_above is not None:
        capped = rows < top - snow_above + 16 * cloud + 8 * brush
        pixels = np.where(capped[..., None], toned(field - 0.12, ramp(_SNOW, 6)), pixels)
    rim = np.array(muted(lighter(colours[0], 0.35)))
    edge = (np.clip(2.6 - depth, 0, 1) * 0.6)[..., None]
    veil = np.clip((depth - 6) / 64, 0, 1)[..., None] * haze[1]
    pixels = pixels + (rim - pixels) * edge
    pixels = pixels + (np.array(muted(haze[0]), np.float32) - pixels) * veil
    alpha = np.clip(depth + 0.5, 0, 1) * 255
    return Image.fromarray(np.dstack([pixels, alpha]).astype(np.uint8))


def _eased(slope: NDArray, kind: str) -> NDArray:
    span = 5 if kind in ("peaks", "cone", "mesas") else 21
    return np.convolve(slope, np.ones(span) / span, "same")


def sheet(
    rng: np.random.Generator, width: int, height: int, stops: tuple[RGB, ...], stretch: float
) -> Image.Image:
    """Return a brushed surface, RGB: its colours run from the upper edge to the lower."""
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    brush = texture_at("brush", rng, height, width)
    cloud = texture_at("cloud", rng, height, width)
    return Image.fromarray(toned(rows + stretch * (0.6 * brush + cloud), ramp(stops, 11)))


def water(rng: np.random.Generator, width: int, height: int, colour: RGB, sky: RGB) -> Image.Image:
    """Return water in level strokes, RGB: sky at its far edge, deeper towards the camera."""
    strokes = texture_at("brush", rng, -(-height // 3), width).repeat(1, 0)
    strokes = np.asarray(
        Image.fromarray(((strokes + 1) * 127).astype(np.uint8)).resize((width, height)), np.float32
    )
    rows = np.linspace(0.05, 0.85, height, dtype=np.float32)[:, None]
    field = rows + (strokes / 127 - 1) * 0.22
    return Image.fromarray(
        toned(field, ramp((mix(colour, sky, 0.6), colour, lighter(colour, -0.2)), 8))
    )
