"""Reads the object of a story frame from its pixels alone, as a viewer would.

Imports nothing of the project. What a word means is written down here by hand: how red looks, that
a hexagon has six corners and lies on a side. Digits are compared with PIL's default font, in which
the signs happen to be written too. Knows no plan and no place; that an object is a solid with a
white sign below it is all it knows of how one is drawn. Works on frames that were scaled or
compressed.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Reading = tuple[str, str, str]

COLOUR_RGB = {
    "red": (220, 20, 40),
    "orange": (255, 128, 0),
    "yellow": (255, 215, 0),
    "green": (20, 165, 50),
    "blue": (20, 90, 230),
    "purple": (150, 30, 210),
}
"""About how each colour looks."""


def _regular(corners: int, turn: float = 0.0, inner: float = 1.0) -> list[tuple[float, float]]:
    """Return corners on a circle, the first at the top; every second on one `inner` as large."""
    angles = np.arange(corners) * 2 * np.pi / corners + np.radians(turn)
    reach = np.where(np.arange(corners) % 2, inner, 1.0)
    return list(zip(reach * np.sin(angles), -reach * np.cos(angles), strict=True))


SHAPE_CORNERS = {
    "triangle": [(0, -1), (1, 1), (-1, 1)],
    "circle": _regular(60),
    "square": [(-1, -1), (1, -1), (1, 1), (-1, 1)],
    "star": _regular(10, inner=0.47),
    "diamond": [(0, -1), (0.85, 0), (0, 1), (-0.85, 0)],
    "hexagon": _regular(6, turn=30),
    "cross": [
        *((-1, -3), (1, -3), (1, -1), (3, -1), (3, 1), (1, 1)),
        *((1, 3), (-1, 3), (-1, 1), (-3, 1), (-3, -1), (-1, -1)),
    ],
    "heart": [
        *((0, 8), (-5, 4), (-8, 0), (-9, -3), (-8, -6), (-5, -8), (-2, -7), (0, -5)),
        *((2, -7), (5, -8), (8, -6), (9, -3), (8, 0), (5, 4)),
    ],
}
"""The corners of each shape, x to the right and y downwards, in any unit."""

_CANVAS, _ROOT_AREA = 64, 26
"""Shapes are compared on a square canvas, scaled to about the same area."""
_SIZES = np.linspace(0.92, 1.2, 8)
_TEXT = (40, 32)
"""Width and height at which digits are compared."""


def read_thing(rgb: np.ndarray) -> list[Reading]:
    """Return (colour, shape, digits) of every object in a frame, from left to right.

    An object is a patch of one saturated colour with a white sign below it. Costs some 10 ms.

    Args:
        rgb: uint8 (height, width, 3), about 300 to 500 pixels wide.
    """
    names = _colour_of(rgb)
    found = []
    for index, colour in enumerate(COLOUR_RGB):
        for rows, columns in _patches(names == index) if (names == index).any() else ():
            board = _board_below(rgb, rows, columns)
            if board is not None:
                shape = _shape(_solid(rgb, names == index, rows, columns))
                found.append((columns[0], (colour, shape, _digits(board))))
    return [reading for _, reading in sorted(found)]


def saturation(rgb: np.ndarray) -> np.ndarray:
    """Return the HSV saturation of every pixel, in [0, 1]; 0 where a pixel is nearly black."""
    top = rgb.max(-1).astype(float)
    return np.where(top > 24, (top - rgb.min(-1)) / np.maximum(top, 1), 0.0)


def _colour_of(rgb: np.ndarray) -> np.ndarray:
    """Return the index of each pixel's object colour, or -1 where it is not saturated."""
    names = np.full(rgb.shape[:2], -1)
    clear = (rgb.max(-1) > 80) & (saturation(rgb) > 0.66)
    away = np.abs((_hue(rgb[clear])[:, None] - _hue(_palette()) + 0.5) % 1 - 0.5)
    names[clear] = np.where(away.min(-1) < 0.06, away.argmin(-1), -1)
    return names


def _palette() -> np.ndarray:
    return np.array(list(COLOUR_RGB.values()), np.uint8)


def _hue(colours: np.ndarray) -> np.ndarray:
    """Return the hue of colours, uint8 (n, 3), as shares of the circle."""
    if not len(colours):
        return np.empty(0)
    picture = Image.fromarray(colours.astype(np.uint8)[None]).convert("HSV")
    return np.asarray(picture)[0, :, 0] / 255


def _patches(mask: np.ndarray, cell: int = 3) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return (rows, columns) of connected patches of some size, each a half-open pair."""
    rows, columns = (side // cell for side in mask.shape)
    coarse = mask[: rows * cell, : columns * cell].reshape(rows, cell, columns, cell)
    left = {tuple(spot) for spot in np.argwhere(coarse.sum((1, 3)) * 2 > cell * cell).tolist()}
    patches = []
    while left:
        patch, edge = [], [left.pop()]
        while edge:
            spot = edge.pop()
            patch.append(spot)
            near = {(spot[0] + a, spot[1] + b) for a in (-1, 0, 1) for b in (-1, 0, 1)} & left
            edge += near
            left -= near
        if len(patch) * cell * cell > 200:
            low, high = np.array(patch).min(0) - 2, np.array(patch).max(0) + 3
            (top, first), (bottom, last) = np.maximum(low, 0) * cell, high * cell
            around = mask[top:bottom, first:last]
            ys, xs = (np.flatnonzero(around.any(axis)) for axis in (1, 0))
            patches.append(
                (
                    (int(top + ys[0]), int(top + ys[-1] + 1)),
                    (int(first + xs[0]), int(first + xs[-1] + 1)),
                )
            )
    return patches


def _board_below(
    rgb: np.ndarray, rows: tuple[int, int], columns: tuple[int, int]
) -> np.ndarray | None:
    """Return the grey picture of the sign whose upper edge is at a patch's lower edge."""
    tall, middle = rows[1] - rows[0], sum(columns) // 2
    white = rgb.min(-1) > 195
    inside = {
        (y, middle + shift)
        for y in range(max(0, rows[1] - 3), min(rows[1] + tall // 2, rgb.shape[0]))
        for shift in range(-tall // 3, tall // 3)
        if 0 <= middle + shift < rgb.shape[1] and white[y, middle + shift]
    }
    while inside:
        ys, xs = _flooded(white, inside)
        wide, high = xs.max() - xs.min() + 1, ys.max() - ys.min() + 1
        is_below = ys.min() > rows[1] - 5 and abs(xs.min() + wide / 2 - middle) < tall / 4
        if is_below and 0.4 * tall < high < 1.1 * tall and 0.5 * high < wide < 3 * high:
            cut = rgb[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
            return np.asarray(Image.fromarray(cut).convert("L"))
    return None


def _flooded(white: np.ndarray, starts: set[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of one white patch; takes what it covers out of `starts`."""
    seen, edge = set(), [starts.pop()]
    while edge:
        y, x = edge.pop()
        if (y, x) in seen or not (0 <= y < white.shape[0] and 0 <= x < white.shape[1]):
            continue
        if white[y, x]:
            seen.add((y, x))
            edge += [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
    starts -= seen
    return tuple(np.array(sorted(seen)).T)


def _digits(board: np.ndarray) -> str:
    """Return the two digits whose picture is most like the ink of a sign.

    The edges of blurred ink are uncertain by a pixel, so the cut is tried a little off.
    """
    pad = max(1, board.shape[0] // 12)
    inner = 255.0 - board[pad:-pad, pad:-pad]
    ys, xs = np.nonzero(inner > 128)
    if not len(ys):
        return ""
    picture = Image.fromarray(inner.astype(np.float32))
    box = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
    templates, ratios = _text_templates()
    scores = np.full(100, -9.0)
    for change in _BOX_CHANGES * 0.5:
        left, top, right, bottom = np.clip(box + change, 0, [*picture.size] * 2)
        cut = picture.resize(_TEXT, Image.Resampling.BILINEAR, (left, top, right, bottom))
        unlike = 0.6 * np.abs(np.log((right - left) / (bottom - top) / ratios))
        scores = np.maximum(scores, templates @ _normal(np.asarray(cut)) - unlike)
    return f"{scores.argmax():02d}"


_BOX_CHANGES = np.array(np.meshgrid(*[(-1, 0, 1)] * 4)).reshape(4, -1).T


@lru_cache(maxsize=1)
def _text_templates() -> tuple[np.ndarray, np.ndarray]:
    """Return the normalised pictures of 00 to 99 as rows, and their widths by their heights."""
    pictures, ratios, font = [], [], ImageFont.load_default(60)
    for number in range(100):
        picture = Image.new("L", (200, 120))
        ImageDraw.Draw(picture).text((40, 20), f"{number:02d}", 255, font, stroke_width=2)
        ink = picture.crop(picture.point(lambda v: 255 * (v > 128)).getbbox())
        pictures.append(_normal(np.asarray(ink.resize(_TEXT, Image.Resampling.BOX))))
        ratios.append(ink.width / ink.height)
    return np.array(pictures), np.array(ratios)


def _solid(
    rgb: np.ndarray, mask: np.ndarray, rows: tuple[int, int], columns: tuple[int, int]
) -> np.ndarray:
    """Return how much each pixel of and around a patch belongs to it, in [0, 1].

    A pixel does by its chroma if it is near one that is in the mask: the rim of an object is
    paler or darker than its middle, and a background as colourful as the rim is not far away.
    """
    high = rows[1] - rows[0]
    top, left, right = max(0, rows[0] - high // 5), max(0, columns[0] - high // 5), high // 5
    part = slice(top, rows[1] + high // 10), slice(left, columns[1] + right)
    reach = ImageFilter.MaxFilter(2 * max(1, round(high / 16)) + 1)
    near = np.asarray(Image.fromarray(np.uint8(mask[part]) * 255).filter(reach)) > 0
    chroma = rgb[part].max(-1).astype(float) - rgb[part].min(-1)
    usual = np.median(chroma[mask[part]])
    strong = np.clip((chroma / usual - 0.3) / 0.3, 0, 1)
    return strong * np.clip((saturation(rgb[part]) - 0.25) / 0.2, 0, 1) * near


def _shape(solid: np.ndarray) -> str:
    """Return the shape whose picture is most like that of a patch, of any size, at any place."""
    scale = _ROOT_AREA / np.sqrt((solid > 0.5).sum())
    wide, high = np.minimum(np.round(np.array(solid.shape[::-1]) * scale), _CANVAS).astype(int)
    scaled = Image.fromarray(solid.astype(np.float32)).resize((wide, high))
    canvas = np.zeros((_CANVAS, _CANVAS))
    canvas[:high, :wide] = np.asarray(scaled)
    seen = np.fft.rfft2(_normal(canvas).reshape(canvas.shape))
    likeness = np.fft.irfft2(_shape_templates().conj() * seen, canvas.shape).max((1, 2))
    return list(SHAPE_CORNERS)[likeness.reshape(-1, len(_SIZES)).max(1).argmax()]


@lru_cache(maxsize=1)
def _shape_templates() -> np.ndarray:
    """Return the spectra of the normalised pictures of all shapes in all sizes."""
    spectra, fine = [], 8
    for corners in SHAPE_CORNERS.values():
        points = np.array(corners, float)
        x, y = points.T
        area = abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
        for size in _SIZES:
            laid = points * (size * _ROOT_AREA / np.sqrt(area)) + _CANVAS / 2
            picture = Image.new("L", (_CANVAS * fine,) * 2)
            ImageDraw.Draw(picture).polygon([tuple(p) for p in (laid * fine).tolist()], 255)
            small = np.asarray(picture.reduce(fine), float)
            spectra.append(np.fft.rfft2(_normal(small).reshape(small.shape)))
    return np.array(spectra)


def _normal(picture: np.ndarray) -> np.ndarray:
    """Return the pixels in a row, their mean 0 and their length 1."""
    pixels = picture.ravel() - picture.mean(dtype=float)
    return pixels / max(np.linalg.norm(pixels), 1e-9)
