"""Reads the objects of a story frame from its pixels alone, as a viewer would.

Knows the names, the objects' colours and the font of the signs, and nothing else: no plan, no
sizes, no places. Works on frames that were scaled or compressed.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from videoatlas_gym.story.names import COLOUR_RGB, SHAPES
from videoatlas_gym.story.things import thing

Reading = tuple[str, str | None, str]


def read_thing(rgb: np.ndarray) -> list[Reading]:
    """Return (colour, shape or None, digits) of every object in a frame, from left to right.

    Args:
        rgb: uint8 (height, width, 3), about 300 to 500 pixels wide.
    """
    names = _colour_of(rgb)
    found = []
    for index, colour in enumerate(COLOUR_RGB):
        for rows, columns in _patches(names == index):
            board = _board_below(rgb, rows, columns)
            if board is not None:
                solid = names[slice(*rows), slice(*columns)] == index
                found.append((columns[0], (colour, _shape(solid), _digits(board))))
    return [reading for _, reading in sorted(found)]


def saturation(rgb: np.ndarray) -> np.ndarray:
    """Return the HSV saturation of every pixel, in [0, 1]; 0 where a pixel is nearly black."""
    top = rgb.max(-1).astype(float)
    return np.where(top > 24, (top - rgb.min(-1)) / np.maximum(top, 1), 0.0)


def _colour_of(rgb: np.ndarray) -> np.ndarray:
    """Return the index of each pixel's object colour, or -1 where it is not saturated."""
    hues = _hue(rgb.reshape(-1, 3)).reshape(rgb.shape[:2])
    wanted = _hue(np.array(list(COLOUR_RGB.values())))
    away = np.abs((hues[..., None] - wanted + 0.5) % 1 - 0.5)
    clear = (saturation(rgb) > 0.66) & (rgb.max(-1) > 80)
    return np.where(clear & (away.min(-1) < 0.06), away.argmin(-1), -1)


def _hue(colours: np.ndarray) -> np.ndarray:
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
            near = [(spot[0] + a, spot[1] + b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
            edge += [other for other in near if other in left]
            left.difference_update(edge)
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
        if 0.4 * tall < high < 1.1 * tall and 0.5 * high < wide < 3 * high and len(ys) > 80:
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
    """Return the two digits whose picture is most like the ink of a sign."""
    pad = max(1, board.shape[0] // 12)
    inner = 255.0 - board[pad:-pad, pad:-pad]
    ys, xs = np.nonzero(inner > 128)
    if not len(ys):
        return ""
    ink = inner[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
    size = (48, 32)
    seen = np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BILINEAR), float)
    shape = ink.shape[1] / ink.shape[0]
    scores = {
        text: _likeness(seen, template) - 0.6 * abs(np.log(shape / ratio))
        for text, (template, ratio) in _templates(size).items()
    }
    return max(scores, key=scores.get)


@lru_cache(maxsize=2)
def _templates(size: tuple[int, int]) -> dict[str, tuple[np.ndarray, float]]:
    """Return the picture of 00 to 99 in the signs' font, and its width by its height."""
    templates, font = {}, ImageFont.load_default(60)
    for number in range(100):
        picture = Image.new("L", (200, 120))
        ImageDraw.Draw(picture).text((40, 20), f"{number:02d}", 255, font, stroke_width=2.4)
        ink = picture.crop(picture.point(lambda v: 255 * (v > 128)).getbbox())
        small = np.asarray(ink.resize(size, Image.Resampling.BILINEAR), float)
        templates[f"{number:02d}"] = small, ink.width / ink.height
    return templates


def _shape(solid: np.ndarray) -> str | None:
    """Return the shape that covers a patch best, or None when none does well.

    Shapes are laid on the patch with its area and its centre, as its edges may be frayed.
    """
    solid = np.pad(solid, 12)
    scores = dict.fromkeys(SHAPES, 0.0)
    for shape in SHAPES:
        template = _shape_template(shape)
        size = round(len(template) * np.sqrt(solid.sum() / (template > 127).sum()))
        small = np.asarray(Image.fromarray(template).resize((size, size))) > 127
        laid = np.zeros((max(solid.shape) + 2 * size,) * 2, bool)
        top, left = np.round(_centre(solid) - _centre(small)).astype(int) + size
        laid[top : top + size, left : left + size] = small
        for down, right in np.ndindex(3, 3):
            there = np.roll(laid, (down - 1 - size, right - 1 - size), (0, 1))
            there = there[: solid.shape[0], : solid.shape[1]]
            overlap = (there & solid).sum() / (there | solid).sum()
            scores[shape] = max(scores[shape], overlap)
    best = max(scores, key=scores.get)
    return best if scores[best] > 0.7 else None


@lru_cache(maxsize=8)
def _shape_template(shape: str) -> np.ndarray:
    """Return how the visible part of a shape looks, uint8 (200, 200), 255 where it is."""
    image = np.asarray(thing("red", shape, "00", 300).convert("RGB"))
    mask = (saturation(image) > 0.66) & (image.max(-1) > 80)
    middle = image.shape[1] // 2
    mask = mask[:200, max(0, middle - 100) : middle + 100]
    mask = np.pad(mask, ((0, 0), (0, 200 - mask.shape[1])))
    return np.where(mask, 255, 0).astype(np.uint8)


def _centre(mask: np.ndarray) -> np.ndarray:
    return np.argwhere(mask).mean(0)


def _likeness(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])
