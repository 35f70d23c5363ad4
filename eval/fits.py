"""Straight lines through costs: against the length of the video, and against its logarithm."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEWEST_POINTS = 3
"""A line goes through any two points: only a third one says whether it fits."""

LAWS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "a + b ln T": np.log,
    "a + b T": lambda seconds: seconds,
}
"""Each law's x from lengths T in seconds."""


@dataclass(frozen=True)
class Fit:
    """The least squares line ``a + b * x`` and the share of the variance that it explains."""

    a: float
    b: float
    r_squared: float
    """1 - residual / total sum of squares; NaN where all values are equal."""


def fit_line(x: Sequence[float], y: Sequence[float]) -> Fit:
    """Fit a line by least squares.

    Raises:
        ValueError: If there are fewer than three points or x does not vary.
    """
    xs, ys = np.asarray(x, float), np.asarray(y, float)
    if len(xs) != len(ys) or len(xs) < FEWEST_POINTS or np.ptp(xs) == 0:
        raise ValueError(f"a fit needs three points or more that differ in x, got {len(xs)}.")
    if np.ptp(ys) == 0:
        return Fit(float(ys[0]), 0.0, math.nan)  # without what rounding makes of the slope
    b, a = np.polyfit(xs, ys, 1)
    total = float(((ys - ys.mean()) ** 2).sum())
    rest = float(((ys - (a + b * xs)) ** 2).sum())
    return Fit(float(a), float(b), 1 - rest / total)


def fit_duration(seconds: Sequence[float], cost: Sequence[float]) -> tuple[Fit, Fit] | None:
    """Return the fits ``a + b * ln(T)`` and ``a + b * T``, T in seconds; None for too few lengths.

    Args:
        seconds: Lengths that differ, positive.
        cost: What each of them took.
    """
    if len(set(seconds)) < FEWEST_POINTS:
        return None
    return tuple(fit_line(x_of(np.asarray(seconds, float)), cost) for x_of in LAWS.values())


def better_law(seconds: Sequence[float], cost: Sequence[float]) -> tuple[str, Fit] | None:
    """Return the law of `LAWS` that explains more, and its fit; None for too few lengths.

    Costs that are all equal follow both: then it is the logarithm, which grows less.
    """
    fits = fit_duration(seconds, cost)
    if fits is None:
        return None
    by_log, by_line = zip(LAWS, fits, strict=True)
    return by_line if by_line[1].r_squared > by_log[1].r_squared else by_log
