"""What is asked for in a measurement: the views of a search from the root to one frame.

Pure arithmetic. In a round all methods are asked for the same cells; every round has other ones,
because what a deep view costs depends on where in its group of pictures it lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.stages import STAGES, VIEWS, ZOOM
from videoatlas_gym.span import Cell, GridGeometry

GRID_SIZE = 8
TILE_SIZE = (336, 189)
SHORT_SECONDS = 1.0
"""A descent ends with cells of this length or less."""


def fitted_size(native_size: tuple[int, int]) -> tuple[int, int]:
    """Return the largest (width, height) within `TILE_SIZE` that needs no bars."""
    scale = min(room / side for room, side in zip(TILE_SIZE, native_size, strict=True))
    width, height = (max(2, round(scale * side)) for side in native_size)
    return width, height


@dataclass(frozen=True)
class View:
    """A request: moments in seconds, and whether frames are wanted at native resolution."""

    stage: str
    seconds: list[float]
    is_native: bool = False


def views(duration_seconds: float, round_number: int, seed: int = 0) -> list[View]:
    """Return the views of a round: the root, one cell of it, one cell of that, one of its frames.

    Moments are those of `GridGeometry.midpoints`, 64 per view.
    """
    geometry = GridGeometry(duration_seconds, GRID_SIZE)
    random = np.random.default_rng([seed, round_number])
    path = tuple(int(cell) for cell in random.integers(geometry.num_cells, size=len(VIEWS)))
    grids = [geometry.midpoints(Cell(path[:depth])).tolist() for depth in range(len(VIEWS))]
    found = [View(stage, seconds) for stage, seconds in zip(VIEWS, grids, strict=True)]
    return [*found, View(ZOOM, [grids[-1][path[-1]]], is_native=True)]


def descent(duration_seconds: float) -> Sequence[str]:
    """Return the stages of a descent: opening, and views until cells are `SHORT_SECONDS` long."""
    geometry = GridGeometry(duration_seconds, GRID_SIZE)
    deep = [d for d in range(len(VIEWS)) if geometry.resolution_seconds(d) > SHORT_SECONDS]
    return STAGES[: 2 + len(deep)]
