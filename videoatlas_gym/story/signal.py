"""The pirate broadcast: a picture unlike every landscape, and the static that it drowns in.

Its blocks depend on the seed, so two broadcasts differ as thumbnails; `broken_signal` mixes one
with static, and a thumbnail of the mixture resembles it the more, the larger its share.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageStat

from videoatlas_gym.story.names import SIZE
from videoatlas_gym.story.paint import muted
from videoatlas_gym.story.things import place_thing, thing

_BLOCKS = (16, 9)
_TONES = ((16, 18, 24), (34, 40, 48), (96, 112, 112), (152, 166, 158), (206, 214, 202))
"""Studio tones; the dark ones are drawn more often."""
_ODDS = (0.36, 0.26, 0.1, 0.12, 0.16)


@lru_cache(maxsize=16)
def signal(seed: int, colour: str, shape: str, digits: str) -> Image.Image:
    """Return a broadcast showing an object with its sign, RGB of `SIZE`. Do not draw on it."""
    rng = np.random.default_rng([seed, 77])
    picture = Image.fromarray(_upscaled(np.array(_TONES)[_studio(rng)]))
    draw = ImageDraw.Draw(picture)
    for x in rng.choice(np.arange(1, 15), 3, replace=False) * 30:
        tone = muted(_TONES[int(rng.integers(3, 5))])
        draw.rectangle((x + 11, 0, x + 18, SIZE[1]), tone)
    middle = (int(rng.integers(150, 331)), 135)
    for reach, tone in ((88, 1), (80, 0)):
        edges = (middle[0] - reach, 135 - reach, middle[0] + reach, 135 + reach)
        draw.ellipse(edges, _TONES[4 - 4 * (1 - tone)], outline=_TONES[4], width=3)
    place_thing(picture, thing(colour, shape, digits, 116), *middle)
    return _scanned(picture, rng, 4)


@lru_cache(maxsize=16)
def interference(seed: int) -> Image.Image:
    """Return broadcast static of the contrast of a signal, RGB of `SIZE`. Do not draw on it."""
    rng = np.random.default_rng([seed, 78])
    tones = rng.integers(20, 236, (24, 3)) * 0.35 + rng.integers(20, 236, (24, 1)) * 0.65
    blocks = tones[rng.integers(0, 24, (_BLOCKS[1], _BLOCKS[0]))]
    picture = _scanned(Image.fromarray(_upscaled(blocks)), rng, 22)
    pixels = np.asarray(picture, float)
    wanted = ImageStat.Stat(_plain(seed)).stddev[0]
    grey = pixels @ (0.299, 0.587, 0.114)
    spread = (pixels - grey.mean()) * (wanted / grey.std()) + 104
    return Image.fromarray(np.clip(spread, 0, 255).astype(np.uint8))


def broken_signal(
    signal_image: Image.Image, interference_image: Image.Image, share: float
) -> Image.Image:
    """Return the two mixed, `share` (0 to 1) of it the signal; costs 0.2 ms."""
    return Image.blend(interference_image, signal_image, share)


def _studio(rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the tone of each block, shape (9, 16): single blocks and bars of several."""
    tones = rng.choice(len(_TONES), (_BLOCKS[1], _BLOCKS[0]), p=_ODDS)
    for _ in range(6):
        row, left, length = rng.integers(0, 9), rng.integers(0, 13), rng.integers(2, 6)
        tones[row, left : left + length] = rng.integers(0, len(_TONES))
    return tones


def _plain(seed: int) -> Image.Image:
    return signal(seed, "red", "circle", "00").convert("L")


def _upscaled(blocks: NDArray) -> NDArray[np.uint8]:
    """Return blocks (9, 16, 3) as a picture of `SIZE`."""
    return blocks.astype(np.uint8).repeat(SIZE[1] // 9, 0).repeat(SIZE[0] // 16, 1)


def _scanned(picture: Image.Image, rng: np.random.Generator, noise: float) -> Image.Image:
    """Return the picture with scan lines and fine grey noise."""
    pixels = (
        np.asarray(picture, float) * np.where(np.arange(SIZE[1]) % 3 == 0, 0.86, 1.0)[:, None, None]
    )
    pixels = pixels + rng.normal(0, noise, (SIZE[1], SIZE[0], 1))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
