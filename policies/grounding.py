"""Which displayed cells lie in true spans: what those who know the truth look for.

Knows the truth and the view, not who asks: the oracle and the perfect reader share it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from videoatlas_gym.span import Span
from videoatlas_gym.state import AtlasState

MERGE_STRIDE_SECONDS = 0.9
"""Cells kept no further apart than this grow into one item (evidence merges below 1 s)."""
WHOLE = 1 - 1e-9
"""Share from which a cell counts as lying in the truth entirely."""


def shares(state: AtlasState, spans: Sequence[Span]) -> NDArray[np.float64]:
    """Return the share of each cell of the current view in disjoint spans, shape (n,)."""
    starts, ends = state.view.starts[:, None], state.view.ends[:, None]
    first, last = _bounds(spans)
    overlaps = np.clip(np.minimum(ends, last) - np.maximum(starts, first), 0.0, None)
    return overlaps.sum(axis=1) / np.maximum(state.view.ends - state.view.starts, 1e-12)


def moments_in(state: AtlasState, spans: Sequence[Span]) -> NDArray[np.bool_]:
    """Tell which cells of the current view show a moment of any of the spans, shape (n,)."""
    first, last = _bounds(spans)
    moments = state.view.moments[:, None]
    return ((moments >= first) & (moments < last)).any(axis=1)


def _bounds(spans: Sequence[Span]) -> NDArray[np.float64]:
    """Starts and ends of spans, shape (2, number of spans)."""
    rows = [(span.start_seconds, span.end_seconds) for span in spans]
    return np.array(rows, np.float64).reshape(-1, 2).T


def covering_cells(state: AtlasState, truth: Sequence[Span]) -> NDArray[np.bool_]:
    """Tell which cells to keep, so that evidence comes to cover the truth, shape (n,).

    Those that lie inside it entirely, or for the most part where they cannot be opened;
    short ones only as densely as their spans grow together. What was kept is not kept again.
    """
    wanted = shares(state, truth) >= np.where(state.expandable, WHOLE, 0.5)
    return _thinned(wanted, state) & ~_kept(state)


def _kept(state: AtlasState) -> NDArray[np.bool_]:
    """Which cells were kept: keeping one again would only make it the picture of its item."""
    return np.isin(state.view.moments, [find.seconds for find in state.scratchpad.finds])


def _thinned(wanted: NDArray[np.bool_], state: AtlasState) -> NDArray[np.bool_]:
    """Of each run of cells keep both ends and enough between them for their spans to merge."""
    width = float(state.view.ends[0] - state.view.starts[0])
    stride = max(1, int(MERGE_STRIDE_SECONDS / width))
    chosen = np.zeros_like(wanted)
    indices = np.flatnonzero(wanted)
    for run in np.split(indices, np.flatnonzero(np.diff(indices) > 1) + 1):
        if len(run):
            chosen[run[::stride]] = chosen[run[-1]] = True
    return chosen
