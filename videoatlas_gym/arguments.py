"""How the environment's arguments are read: returned as they are used, or refused in a sentence.

Every check raises ValueError with what was got and what is allowed.
"""

from __future__ import annotations

import math
import os
from numbers import Real

import numpy as np

from videoatlas_gym.errors import shown

MAX_PATH = 16
"""Longest cell path an observation can hold: also the deepest possible view."""


def checked_whole(name: str, value: object, low: int, high: int | None = None) -> int:
    """Return a whole number of at least `low` and at most `high`."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if (
        not (is_number and math.isfinite(value) and int(value) == value and value >= low)
        or high is not None
        and value > high
    ):
        allowed = f"from {low} to {high}" if high is not None else f"from {low}"
        raise ValueError(f"{name} must be a whole number {allowed}, got {shown(value)}.")
    return int(value)


def checked_number(name: str, value: object) -> float:
    """Return a finite number as a float."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not (is_number and math.isfinite(value)):
        raise ValueError(f"{name} must be a finite number, got {shown(value)}.")
    return float(value)


def check_grid_size(grid_size: int) -> None:
    """Raise ValueError unless the grid size is a whole number from 2 to 64."""
    if isinstance(grid_size, bool) or int(grid_size) != grid_size or not 2 <= grid_size <= 64:
        raise ValueError(f"grid_size must be a whole number from 2 to 64, got {grid_size!r}.")


def checked_tile_size(tile_size: tuple[int, int]) -> tuple[int, int]:
    """Return (width, height) in pixels, each 8 to 4096."""
    if len(tile_size) != 2 or not all(8 <= side <= 4096 for side in tile_size):
        raise ValueError(
            f"tile_size is (width, height), each 8 to 4096 pixels, got {tuple(tile_size)!r}."
        )
    return int(tile_size[0]), int(tile_size[1])


def checked_depth(max_depth: int | str) -> int | None:
    """Return the deepest view, None for "auto"."""
    if max_depth == "auto":
        return None
    if isinstance(max_depth, bool) or not isinstance(max_depth, int | np.integer):
        raise ValueError(f"max_depth must be 'auto' or a whole number, got {max_depth!r}.")
    if not 0 <= max_depth <= MAX_PATH:
        raise ValueError(f"max_depth must be 'auto' or 0 to {MAX_PATH}, got {max_depth}.")
    return int(max_depth)


def checked_steps(max_steps: int | None) -> int | None:
    """Return the limit of steps, None where the depth decides it."""
    if max_steps is None:
        return None
    if isinstance(max_steps, bool) or not isinstance(max_steps, int | np.integer):
        raise ValueError(f"max_steps must be a whole number, got {max_steps!r}.")
    if max_steps < 1:
        raise ValueError(f"max_steps must be at least 1, got {max_steps}.")
    return int(max_steps)


def checked_gamma(gamma: float) -> float:
    """Return the discount factor, in [0, 1]."""
    if not 0 <= gamma <= 1:
        raise ValueError(f"gamma must lie in [0, 1], got {gamma}.")
    return float(gamma)


def checked_first_view(
    value: int | tuple[int, int] | None, num_cells: int
) -> tuple[int, int] | None:
    """Return the (low, high) number of cells shown at first, None for all."""
    if value is None:
        return None
    low, high = (value, value) if isinstance(value, int | np.integer) else value
    if not 0 <= low <= high <= num_cells:
        raise ValueError(
            f"first_view_cells must be a number or range within 0 to {num_cells}, got {value!r}."
        )
    return int(low), int(high)


def num_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))
