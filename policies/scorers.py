"""Scorers of cells that see only the displayed picture, its subtitles and the question.

Each gives a relevance in [0, 1] per cell: 0.5 where it knows nothing for or against a cell, more
the more speaks for it. What shows nothing, a dead or hidden cell, has 0.0. Knows no video, no
state and no truth. A view costs well below a millisecond at 4 x 4 tiles of 64 x 36, a few at 8 x 8
of 160 x 90; the first view of an episode also reads all subtitles once.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from policies.base import Info, Observation
from policies.words import content_words, stem
from videoatlas_gym.render import HIDDEN_RGB
from videoatlas_gym.state import DEAD

THUMBNAIL = (32, 18)
MARGIN_PX = 3
"""Border of a tile that is not compared: marks are drawn there."""
NEUTRAL = 0.5
"""Relevance of a cell that nothing is known for or against."""


def tiles(observation: Observation) -> NDArray[np.uint8]:
    """Cut the view back into its cells, uint8 (n, height, width, 3)."""
    view = observation["view"]
    side = round(len(observation["cell_status"]) ** 0.5)
    height, width = view.shape[0] // side, view.shape[1] // side
    cells = view.reshape(side, height, side, width, 3).swapaxes(1, 2)
    return cells.reshape(-1, height, width, 3)


def sampled(cells: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return every so many pixels of each tile without its border, about `THUMBNAIL` of them."""
    down, right = (max(1, cells.shape[i] // THUMBNAIL[2 - i]) for i in (1, 2))
    return np.ascontiguousarray(_inner(cells)[:, ::down, ::right])


def is_shown(observation: Observation, cells: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell which cells show a frame: neither dead (black) nor hidden (plain grey), shape (n,)."""
    height, width = cells.shape[1:3]
    # Some 40 pixels per tile tell a plain one, clear of the corner that labels cover.
    some = cells[:, height // 4 :: max(1, height // 8), width // 4 :: max(1, width // 8)]
    hidden = (some.reshape(len(cells), -1, 3) == np.array(HIDDEN_RGB, np.uint8)).all(axis=(1, 2))
    return (observation["cell_status"] & DEAD == 0) & ~hidden


class PictureSimilarity:
    """Normalised cross-correlation of each tile's thumbnail with the goal picture's.

    Both are averaged down to 32 x 18 RGB, centred and scaled to unit length, so that brightness and
    contrast do not count. Relevance is ``(1 + r) / 2``. Tasks without a goal give 0.5 everywhere.
    """

    def __call__(self, observation: Observation, info: Info) -> NDArray[np.float64]:
        """Return the relevance of each displayed cell, in [0, 1], shape (n,)."""
        cells = tiles(observation)
        relevance = np.full(len(cells), NEUTRAL)
        if "goal" in observation:
            goal = observation["goal"]
            if goal.shape != cells.shape[1:]:
                # At a tile's size first: shrunk from another size, edges fall on other pixels.
                size = (cells.shape[2], cells.shape[1])
                goal = np.asarray(Image.fromarray(goal).resize(size, Image.Resampling.BOX))
            relevance = (1 + _units(_inner(cells)) @ _units(_inner(goal[None]))[0]) / 2
        return np.where(is_shown(observation, cells), relevance, 0.0)


def _inner(cells: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return cells[:, MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]


def _units(cells: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the thumbnails of tiles, each centred and of length 1 (0 where plain), (n, pixels)."""
    values = np.concatenate([_shrink(cells[i : i + 8]) for i in range(0, len(cells), 8)])
    values -= values.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.where(lengths > 1e-9, lengths, np.inf)


def _shrink(cells: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the thumbnails of tiles, shape (n, pixels)."""
    count, height, width, _ = cells.shape
    # One tall picture is shrunk in one call: each output row averages rows of one tile only.
    tall = Image.fromarray(cells.reshape(count * height, width, 3))
    small = tall.resize((THUMBNAIL[0], count * THUMBNAIL[1]), Image.Resampling.BOX)
    return np.asarray(small, np.float64).reshape(count, -1)


class SubtitleMatch:
    """Share of the question's words that a cell's subtitles hold, rare words counting more.

    A word that occurs in ``d`` of the n cells of the episode's first view weighs ``ln(1 + n / d)``:
    that view spans the whole video, so the weights are those of its whole subtitle track and
    views can be compared. One that occurs nowhere weighs nothing. Relevance is
    ``0.5 + share / 2``: 0.5 where no word occurs, 1.0 where all do.

    It remembers the weights: seeing a first view (the root grid) begins anew. An instance serves
    one episode at a time.
    """

    def __init__(self) -> None:
        self._weights: dict[str, float] | None = None

    def __call__(self, observation: Observation, info: Info) -> NDArray[np.float64]:
        """Return the relevance of each displayed cell, in [0, 1], shape (n,)."""
        shown = is_shown(observation, tiles(observation))
        return np.where(shown, self.match(observation, info), 0.0)

    def match(self, observation: Observation, info: Info) -> NDArray[np.float64]:
        """Return the relevance by subtitles alone, whatever is shown, shape (n,)."""
        is_first = observation["path"][0] < 0
        if self._weights == {} and not is_first:
            return np.full(len(info["subtitles"]), NEUTRAL)
        said = [content_words(text) if text else frozenset() for text in info["subtitles"]]
        if is_first or self._weights is None:
            self._weights = _rarity(content_words(info["query"]), said)
        weights, total = self._weights, sum(self._weights.values())
        if not total:
            return np.full(len(said), NEUTRAL)
        found = [sum(weights[word] for word in sorted(weights.keys() & words)) for words in said]
        return NEUTRAL + (1 - NEUTRAL) * np.array(found) / total


def _rarity(asked: frozenset[str], said: list[frozenset[str]]) -> dict[str, float]:
    counts = {word: sum(word in words for words in said) for word in sorted(asked)}
    return {word: float(np.log1p(len(said) / count)) for word, count in counts.items() if count}


COLOURS: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "red": ((345, 12), (0.45, 1.0), (0.35, 1.0)),
    "orange": ((12, 42), (0.5, 1.0), (0.5, 1.0)),
    "yellow": ((42, 70), (0.4, 1.0), (0.5, 1.0)),
    "green": ((70, 165), (0.3, 1.0), (0.2, 1.0)),
    "cyan": ((165, 200), (0.3, 1.0), (0.3, 1.0)),
    "blue": ((200, 262), (0.35, 1.0), (0.25, 1.0)),
    "purple": ((262, 312), (0.25, 1.0), (0.25, 1.0)),
    "pink": ((300, 352), (0.2, 0.75), (0.6, 1.0)),
    "brown": ((10, 42), (0.35, 1.0), (0.15, 0.6)),
    "white": ((0, 360), (0.0, 0.12), (0.85, 1.0)),
    "black": ((0, 360), (0.0, 1.0), (0.0, 0.12)),
    "grey": ((0, 360), (0.0, 0.12), (0.2, 0.8)),
}
"""Hue in degrees (from, to; past 360 where from > to), saturation and value of each colour word."""
SYNONYMS = {
    "crimson": "red",
    "scarlet": "red",
    "golden": "yellow",
    "teal": "cyan",
    "turquoise": "cyan",
    "violet": "purple",
    "magenta": "pink",
    "gray": "grey",
}
_COLOUR_OF_STEM = {stem(word): word for word in COLOURS} | {
    stem(word): colour for word, colour in SYNONYMS.items()
}


class ColourShare:
    """How much of each tile has the colours that the question names.

    Of a named colour (`COLOURS`, `SYNONYMS`) the share s of such pixels counts ``sqrt(s)``, so that
    small things count too; several colours are averaged. Relevance is ``0.5 + mean / 2``; 0.5
    everywhere where the question names none. Cost: looks at about 32 x 18 pixels per tile.
    """

    def __call__(self, observation: Observation, info: Info) -> NDArray[np.float64]:
        """Return the relevance of each displayed cell, in [0, 1], shape (n,)."""
        cells = tiles(observation)
        named = named_colours(info["query"])
        shares = [_share(sampled(cells), colour) for colour in named] or [np.zeros(len(cells))]
        relevance = NEUTRAL + (1 - NEUTRAL) * np.sqrt(shares).mean(axis=0)
        return np.where(is_shown(observation, cells), relevance, 0.0)


@lru_cache(maxsize=1024)
def named_colours(query: str) -> tuple[str, ...]:
    """Return the colours that a question names, in the order of the alphabet."""
    words = content_words(query)
    return tuple(sorted({_COLOUR_OF_STEM[word] for word in words & _COLOUR_OF_STEM.keys()}))


def _share(pixels: NDArray[np.uint8], colour: str) -> NDArray[np.float64]:
    """Share of each tile's pixels that have a colour, shape (n,)."""
    red, green, blue = np.moveaxis(pixels >> 3, -1, 0).astype(np.intp)
    return _palette(colour)[red << 10 | green << 5 | blue].mean(axis=(1, 2))


@lru_cache(maxsize=len(COLOURS))
def _palette(colour: str) -> NDArray[np.bool_]:
    """Whether each RGB colour of 5 bits per channel is of a named colour, shape (32768,)."""
    levels = (np.arange(32) * 8 + 4) / 255
    rgb = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    value, spread = rgb.max(axis=1), np.ptp(rgb, axis=1)
    red, green, blue = rgb.T
    safe = np.where(spread > 0, spread, 1.0)
    sector = np.select(
        [value == red, value == green],
        [(green - blue) / safe, (blue - red) / safe + 2],
        (red - green) / safe + 4,
    )
    hue = sector * 60 % 360
    (first, last), saturations, values = COLOURS[colour]
    in_hue = (hue >= first) & (hue <= last)
    if first > last:
        in_hue = (hue >= first) | (hue <= last)
    return in_hue & _within(spread / value, saturations) & _within(value, values)


def _within(numbers: NDArray[np.float64], bounds: tuple[float, float]) -> NDArray[np.bool_]:
    return (numbers >= bounds[0]) & (numbers <= bounds[1])


class Change:
    """How much each tile differs from the shown tiles before and after it in the view.

    With c the mean absolute difference to its neighbours in time, relevance is ``c / (c + m)``, m
    the mean of all c: it does not depend on contrast, and 0.5 is an ordinary cell. A view in which
    nothing changes, or with one tile, gives 0.5.
    """

    def __call__(self, observation: Observation, info: Info) -> NDArray[np.float64]:
        """Return the relevance of each displayed cell, in [0, 1), shape (n,)."""
        cells = tiles(observation)
        shown = is_shown(observation, cells)
        relevance = np.zeros(len(cells))
        change = _change(sampled(cells)[shown])
        mean = change.mean() if len(change) else 0.0
        relevance[shown] = change / (change + mean) if mean > 0 else NEUTRAL
        return relevance


def _change(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean absolute difference of each tile to its neighbours in time, shape (n,)."""
    steps = np.abs(np.diff(pixels.astype(np.int16), axis=0)).mean(axis=(1, 2, 3))
    if not len(steps):
        return np.zeros(len(pixels))
    total = np.append(steps, 0.0) + np.append(0.0, steps)
    total[1:-1] /= 2
    return total
