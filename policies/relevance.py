"""How promising each cell of a view looks: scorers that see only the picture and the question.

Knows no video and no state. A scorer plugs into every traversal.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from policies.base import Info, Observation

THUMBNAIL = (32, 18)
MARGIN_PX = 3
"""Border of a tile that is not compared: marks are drawn there."""


class RelevanceScorer(Protocol):
    """Scores the cells of a view."""

    def __call__(self, observation: Observation, info: Info) -> NDArray[np.float64]:
        """Return the relevance of each displayed cell, in [0, 1], shape (n,)."""


def tiles(observation: Observation) -> NDArray[np.uint8]:
    """Cut the view back into its cells, uint8 (n, height, width, 3)."""
    view = observation["view"]
    side = round(len(observation["cell_status"]) ** 0.5)
    height, width = view.shape[0] // side, view.shape[1] // side
    cells = view.reshape(side, height, side, width, 3).swapaxes(1, 2)
    return cells.reshape(-1, height, width, 3)


class PictureSimilarity:
    """Normalised cross-correlation of each tile's thumbnail with the goal picture's.

    Both are averaged down to 32 x 18 RGB, centred and scaled to unit length, so that brightness and
    contrast do not count. Relevance is ``(1 + r) / 2``. Tasks without a goal give 0.5 everywhere.
    """

    def __call__(self, observation: Observation, info: Info) -> NDArray[np.float64]:
        """Return the relevance of each displayed cell, in [0, 1], shape (n,)."""
        cells = tiles(observation)
        if "goal" not in observation:
            return np.full(len(cells), 0.5)
        goal = observation["goal"]
        if goal.shape != cells.shape[1:]:
            # At a tile's size first: shrunk from another size, edges fall on other pixels.
            size = (cells.shape[2], cells.shape[1])
            goal = np.asarray(Image.fromarray(goal).resize(size, Image.Resampling.BOX))
        goal = _unit(_shrink(_inner(goal)))
        thumbnails = [_unit(_shrink(_inner(cell))) for cell in cells]
        return (1 + np.stack(thumbnails) @ goal) / 2


def _inner(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return picture[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]


def _shrink(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    small = Image.fromarray(picture).resize(THUMBNAIL, Image.Resampling.BOX)
    return np.asarray(small, np.float64).ravel()


def _unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = values - values.mean()
    length = np.linalg.norm(centred)
    return centred / length if length > 1e-9 else np.zeros_like(centred)
