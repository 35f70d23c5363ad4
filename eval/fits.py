"""Straight lines through costs: against the length of the video, and against its logarithm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


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
    if len(xs) != len(ys) or len(xs) < 3 or np.ptp(xs) == 0:
        raise ValueError(f"a fit needs three points or more that differ in x, got {len(xs)}.")
    b, a = np.polyfit(xs, ys, 1)
    total = float(((ys - ys.mean()) ** 2).sum())
    rest = float(((ys - (a + b * xs)) ** 2).sum())
    return Fit(float(a), float(b), 1 - rest / total if total > 0 else math.nan)


def fit_duration(seconds: Sequence[float], cost: Sequence[float]) -> tuple[Fit, Fit]:
    """Return the fits ``a + b * ln(T)`` and ``a + b * T``, T in seconds."""
    return fit_line(np.log(seconds), cost), fit_line(seconds, cost)
