"""The objects of the story: a saturated solid of one of eight shapes, carrying a sign with digits.

The digits are at least 0.3 of the object's height, black on white: in an object 80 pixels high they
survive scaling to 80 % and JPEG.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from videoatlas_gym.errors import one_of
from videoatlas_gym.story.names import COLOUR_RGB, COLOURS, SHAPES
from videoatlas_gym.story.paint import RGB, Points, mix

_SCALE = 4
_SOLID = 0.6
"""The solid's share of the object's height; the sign hangs right below."""
_BOARD = 0.41
_DIGITS = 0.32
_OUTLINE: RGB = (34, 28, 36)


@lru_cache(maxsize=128)
def thing(colour: str, shape: str, digits: str, height_px: int) -> Image.Image:
    """Return an object with its sign, RGBA, exactly `height_px` high. Do not draw on it.

    Raises:
        ValueError: When the colour or the shape is unknown, or the height is below 24 pixels.
    """
    one_of("colour", colour, COLOURS)
    one_of("shape", shape, SHAPES)
    if height_px < 24:
        raise ValueError(f"an object must be at least 24 pixels high, got {height_px}.")
    board = _board(digits, height_px * _SCALE)
    high = height_px * _SCALE
    width = -(-max(round(high * (_SOLID + 0.06)), board.width + 2 * _SCALE) // _SCALE) * _SCALE
    picture = Image.new("RGBA", (width, high))
    side = round(high * _SOLID)
    solid = _solid(COLOUR_RGB[colour], shape, side)
    picture.alpha_composite(solid, ((width - side) // 2, 0))
    picture.alpha_composite(board, ((width - board.width) // 2, high - board.height))
    return picture.convert("RGBa").reduce(_SCALE).convert("RGBA")


def place_thing(frame: Image.Image, image: Image.Image, x_px: int, y_px: int) -> None:
    """Paste an object into an RGB frame, its middle at (x, y), with its soft shadow on the ground.

    Whatever lies outside the frame is cut off.
    """
    shadow = _shadow(*image.size)
    left, top = round(x_px - image.width / 2), round(y_px - image.height / 2)
    low = top + image.height - shadow.height // 2
    frame.paste((18, 18, 28), (left - (shadow.width - image.width) // 2, low), shadow)
    frame.paste(image, (left, top), image)


@lru_cache(maxsize=32)
def _shadow(width: int, height: int) -> Image.Image:
    """Return how much a flat shadow darkens, L, wider than the object."""
    across, deep = round(width * 1.4), max(8, height // 5)
    shadow = Image.new("L", (across, deep))
    ImageDraw.Draw(shadow).ellipse(
        (across * 0.14, deep * 0.25, across * 0.86, deep * 0.75), fill=170
    )
    return shadow.filter(ImageFilter.GaussianBlur(deep * 0.13))


def _solid(colour: RGB, shape: str, side: int) -> Image.Image:
    """Return the shape: outlined, lit from above left, its rim bevelled."""
    rim, bevel = max(4, side // 32), max(5, side // 16)
    outer = _silhouette(shape, side, 0)
    inner = _silhouette(shape, side, rim)
    ys, xs = np.mgrid[0:side, 0:side] / side
    light = np.clip(1.12 - 0.26 * ys - 0.10 * xs, 0, 1.1)[..., None]
    body = np.minimum(np.array(colour) * light, 255).astype(np.uint8)
    picture = Image.new("RGBA", (side, side), (*_OUTLINE, 0))
    picture.paste(_OUTLINE, (0, 0), outer)
    picture.paste(Image.fromarray(body), (0, 0), inner)
    lit = ImageChops.subtract(inner, ImageChops.offset(inner, bevel, bevel))
    dim = ImageChops.subtract(inner, ImageChops.offset(inner, -bevel, -bevel))
    picture.paste(mix(colour, (255, 255, 255), 0.34), (0, 0), lit.point(lambda v: v * 0.8))
    picture.paste(mix(colour, (0, 0, 0), 0.36), (0, 0), dim.point(lambda v: v * 0.8))
    picture.putalpha(outer)
    return picture


def _silhouette(shape: str, side: int, inset: int) -> Image.Image:
    """Return the shape as a mask, made smaller by `inset` pixels all round."""
    mask = Image.new("L", (side, side))
    draw = ImageDraw.Draw(mask)
    edge = 0.02 * side
    if shape == "circle":
        near, far = edge + inset, side - 1 - edge - inset
        draw.ellipse((near, near, far, far), fill=255)
        return mask
    corners = [(edge + x * 0.95 * side, edge + y * 0.95 * side) for x, y in _outline(shape)]
    draw.polygon(corners, fill=255)
    if inset:
        draw.line([*corners, corners[0], corners[1]], 0, 2 * inset, joint="curve")
    return mask


def _outline(shape: str) -> Points:
    """Return the corners of a shape in the unit square, y downwards."""
    if shape == "star":
        turns = np.arange(10) * np.pi / 5 - np.pi / 2
        reach = np.where(np.arange(10) % 2 == 0, 0.54, 0.27)
        return [
            (0.5 + r * np.cos(t), 0.53 + r * np.sin(t)) for t, r in zip(turns, reach, strict=True)
        ]
    if shape == "heart":
        t = np.linspace(0, 2 * np.pi, 64)
        x = 16 * np.sin(t) ** 3
        y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
        return list(zip(0.5 + x / 33, 0.425 - y / 30.5, strict=True))
    return _CORNERS[shape]


_CORNERS: dict[str, Points] = {
    "triangle": [(0.5, 0.0), (1.0, 0.97), (0.0, 0.97)],
    "square": [(0.06, 0.06), (0.94, 0.06), (0.94, 0.96), (0.06, 0.96)],
    "diamond": [(0.5, 0.0), (0.92, 0.5), (0.5, 1.0), (0.08, 0.5)],
    "hexagon": [(0.25, 0.1), (0.75, 0.1), (1.0, 0.54), (0.75, 0.98), (0.25, 0.98), (0.0, 0.54)],
    "cross": [
        *((0.33, 0.0), (0.67, 0.0), (0.67, 0.33), (1.0, 0.33), (1.0, 0.67), (0.67, 0.67)),
        *((0.67, 1.0), (0.33, 1.0), (0.33, 0.67), (0.0, 0.67), (0.0, 0.33), (0.33, 0.33)),
    ],
}


def _board(digits: str, high: int) -> Image.Image:
    """Return the sign for an object `high` pixels high: bold black on white, framed."""
    text = _digits(digits, round(high * _DIGITS))
    tall, pad, edge = round(high * _BOARD), round(high * 0.06), max(3, high // 70)
    board = Image.new("RGBA", (text.width + 2 * pad, tall))
    draw = ImageDraw.Draw(board)
    radius = high // 30
    draw.rounded_rectangle((0, 0, board.width - 1, tall - 1), radius, (*_OUTLINE, 255))
    draw.rounded_rectangle(
        (edge, edge, board.width - 1 - edge, tall - 1 - edge), radius, (255, 255, 255, 255)
    )
    board.paste((10, 10, 14), (pad, (tall - text.height) // 2), text)
    return board


@lru_cache(maxsize=64)
def _digits(digits: str, tall: int) -> Image.Image:
    """Return a line of bold text as a mask, cut to its ink, `tall` pixels high."""
    font = ImageFont.load_default(100)
    left, top, right, bottom = font.getbbox(digits, stroke_width=4)
    mask = Image.new("L", (round(right - left) + 8, round(bottom - top) + 8))
    ImageDraw.Draw(mask).text((4 - left, 4 - top), digits, 255, font, stroke_width=4)
    mask = mask.crop(mask.getbbox())
    return mask.resize((round(mask.width * tall / mask.height), tall), Image.Resampling.LANCZOS)
