"""The painter's tools: muted colours, gouache ramps, brush textures, ridge lines, smooth drawing.

Every colour that reaches a background passes `muted`, so no mixture of them is as saturated as an
object: what is saturated in a frame is an object. Knows no theme and no place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

RGB = tuple[int, int, int]
Points = Sequence[tuple[float, float]]

SATURATION_LIMIT = 0.52
"""The HSV saturation that no background colour exceeds."""
TEXTURE_SIZE = (1024, 512)
"""Width and height of the shared textures in pixels."""


def muted(colour: RGB, limit: float = SATURATION_LIMIT) -> RGB:
    """Return the colour with its saturation cut to `limit`; the brightest channel stays."""
    top = max(colour)
    floor = top * (1 - limit)
    low = min(colour)
    if low >= floor:
        return colour
    scale = (top - floor) / (top - low)
    return tuple(round(top - (top - channel) * scale + 0.49) for channel in colour)


def mix(first: RGB, second: RGB, share: float) -> RGB:
    """Return `first` with `share` (0 to 1) of `second` in it."""
    return tuple(round(a + (b - a) * share) for a, b in zip(first, second, strict=True))


def lighter(colour: RGB, share: float) -> RGB:
    """Return the colour mixed with white (`share` > 0) or with near-black (`share` < 0)."""
    return mix(colour, (255, 252, 244) if share > 0 else (20, 20, 26), abs(share))


def ramp(stops: Sequence[RGB], steps: int = 0) -> NDArray[np.uint8]:
    """Return 256 muted colours from the first stop to the last, shape (256, 3).

    `steps` > 0 gathers them into that many flat tones with soft edges, as gouache dries.
    """
    place = np.linspace(0, 1, 256)
    if steps:
        tone = place * steps
        inside = np.clip((tone - np.floor(tone) - 0.5) * 3, -0.5, 0.5) + 0.5
        place = np.clip((np.floor(tone) + inside) / steps, 0, 1)
    at = np.linspace(0, 1, len(stops))
    colours = np.array([muted(stop) for stop in stops], float)
    return np.stack([np.interp(place, at, colours[:, c]) for c in range(3)], 1).astype(np.uint8)


@lru_cache(maxsize=8)
def texture(kind: str) -> NDArray[np.float32]:
    """Return a shared texture, values about -1 to 1, shape (512, 1024): brush, cloud or grain."""
    width, height = TEXTURE_SIZE
    rng = np.random.default_rng(sum(kind.encode()))
    if kind == "grain":
        values = rng.normal(0, 1, (height, width))
    elif kind == "cloud":
        values = sum(
            _smooth(rng, height, width, cell) * (cell / 96) ** 0.7 for cell in (96, 48, 24, 12)
        )
    else:
        values = _strokes(rng, height, width)
    values = values - values.mean()
    return np.clip(values / (2.2 * values.std()), -1, 1).astype(np.float32)


def _smooth(rng: np.random.Generator, height: int, width: int, cell: int) -> NDArray:
    small = rng.uniform(0, 255, (height // cell + 3, width // cell + 3)).astype(np.uint8)
    big = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(big, float)


def _strokes(rng: np.random.Generator, height: int, width: int) -> NDArray:
    """Return dabs of a flat brush, mostly level, laid over each other."""
    picture = Image.new("L", (width, height), 128)
    draw = ImageDraw.Draw(picture)
    count = 5200
    xs, ys = rng.uniform(-40, width, count), rng.uniform(-10, height, count)
    lengths, tilts = rng.uniform(14, 64, count), rng.normal(0, 0.16, count)
    greys, widths = rng.normal(128, 42, count), rng.integers(2, 8, count)
    for x, y, length, tilt, grey, thick in zip(xs, ys, lengths, tilts, greys, widths, strict=True):
        end = (x + length, y + length * tilt)
        draw.line([(x, y), end], fill=int(np.clip(grey, 0, 255)), width=int(thick))
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(0.7)), float)


def texture_at(kind: str, rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Return a random piece of a shared texture, shape (height, width)."""
    top = int(rng.integers(0, TEXTURE_SIZE[1] - height + 1))
    left = int(rng.integers(0, TEXTURE_SIZE[0] - width + 1))
    return texture(kind)[top : top + height, left : left + width]


def toned(field: NDArray, colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the colours of a field of values in [0, 1], shape (height, width, 3)."""
    return colours[np.clip(field * 255, 0, 255).astype(np.uint8)]


def wave(rng: np.random.Generator, width: int, length_px: float, rough: float = 0.5) -> NDArray:
    """Return a line of hills, values about -1 to 1, shape (width,); `rough` weighs the small ones.

    The largest hills are about `length_px` long.
    """
    xs = np.arange(width)
    total, weight = np.zeros(width), 1.0
    for octave in range(5):
        cell = length_px / 2**octave
        if cell < 3:
            break
        knots = rng.uniform(-1, 1, int(width / cell) + 4)
        at = xs / cell + rng.uniform(0, 1)
        whole = at.astype(int)
        part = at - whole
        ease = part * part * (3 - 2 * part)
        total += weight * (knots[whole] * (1 - ease) + knots[whole + 1] * ease)
        weight *= rough
    return total


@dataclass(frozen=True)
class Inks:
    """The colours a landmark is painted in."""

    wall: RGB
    roof: RGB
    window: RGB
    leaf: RGB
    haze: RGB

    @property
    def shade(self) -> RGB:
        """The wall's side away from the light."""
        return mix(lighter(self.wall, -0.34), self.haze, 0.1)

    @property
    def light(self) -> RGB:
        """The wall's edge towards the light."""
        return lighter(self.wall, 0.35)

    @property
    def roof_shade(self) -> RGB:
        """The roof's side away from the light."""
        return lighter(self.roof, -0.3)

    @property
    def wood(self) -> RGB:
        """Beams, posts and hulls."""
        return mix(mix((104, 76, 60), self.roof, 0.25), self.haze, 0.08)


class Canvas:
    """A transparent picture drawn at several times its size and reduced: smooth edges."""

    def __init__(self, width: int, height: int, scale: int = 3) -> None:
        self.size = (width, height)
        self._scale = scale
        self._picture = Image.new("RGBA", (width * scale, height * scale))
        self._draw = ImageDraw.Draw(self._picture)

    def polygon(self, points: Points, colour: RGB, alpha: int = 255) -> None:
        """Fill a polygon; points are (x, y) in pixels of the finished picture."""
        scale = self._scale
        self._draw.polygon([(x * scale, y * scale) for x, y in points], (*muted(colour), alpha))

    def box(
        self, left: float, top: float, right: float, bottom: float, colour: RGB, radius: float = 0
    ) -> None:
        """Fill a rectangle, its corners rounded by `radius`."""
        edges = [round(edge * self._scale) for edge in (left, top, right, bottom)]
        if radius:
            self._draw.rounded_rectangle(edges, round(radius * self._scale), muted(colour))
        else:
            self._draw.rectangle(edges, muted(colour))

    def oval(
        self, x: float, y: float, width: float, height: float, colour: RGB, alpha: int = 255
    ) -> None:
        """Fill an ellipse around its centre."""
        edges = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        self._draw.ellipse([edge * self._scale for edge in edges], (*muted(colour), alpha))

    def arch(self, left: float, top: float, right: float, bottom: float, colour: RGB) -> None:
        """Fill a round-topped opening."""
        width = right - left
        self.oval((left + right) / 2, top + width / 2, width, width, colour)
        self.box(left, top + width / 2, right, bottom, colour)

    def dome(self, x: float, base: float, width: float, height: float, colour: RGB) -> None:
        """Fill the upper half of an ellipse standing on `base`."""
        scale = self._scale
        edges = (x - width / 2, base - height, x + width / 2, base + height)
        self._draw.pieslice([edge * scale for edge in edges], 180, 360, muted(colour))

    def drop(self, left: float, right: float, top: float, colour: RGB) -> None:
        """Fill the lower half of a circle hanging from `top`."""
        scale, half = self._scale, (right - left) / 2
        edges = (left, top - half, right, top + half)
        self._draw.pieslice([edge * scale for edge in edges], 0, 180, muted(colour))

    def line(self, points: Points, colour: RGB, width: float = 1) -> None:
        """Draw a line through the points."""
        scale = self._scale
        self._draw.line(
            [(x * scale, y * scale) for x, y in points],
            muted(colour),
            max(1, round(width * scale)),
            joint="curve",
        )

    def erase(self, points: Points) -> None:
        """Cut a polygon out of the picture."""
        scale = self._scale
        self._draw.polygon([(x * scale, y * scale) for x, y in points], (0, 0, 0, 0))

    def erase_oval(self, x: float, y: float, width: float, height: float) -> None:
        """Cut an ellipse out of the picture."""
        edges = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        self._draw.ellipse([edge * self._scale for edge in edges], (0, 0, 0, 0))

    def finished(
        self, rng: np.random.Generator | None = None, strength: float = 0.1
    ) -> Image.Image:
        """Return the RGBA picture, brushed over with texture when `rng` is given."""
        small = self._picture.convert("RGBa").reduce(self._scale).convert("RGBA")
        if rng is None:
            return small
        width, height = self.size
        return brushed(small, texture_at("brush", rng, height, width), strength)


def brushed(picture: Image.Image, strokes: NDArray, strength: float) -> Image.Image:
    """Return an RGBA picture with its colours made lighter and darker by a texture of its size."""
    pixels = np.array(picture)
    factor = (1 - strength * 0.5) + strength * strokes[..., None]
    pixels[..., :3] = np.minimum(pixels[..., :3] * factor, 255).astype(np.uint8)
    return Image.fromarray(pixels)
