"""The moments that stand for the cells of grids where key frames are shown: the preview mode.

Knows states and frames, not how they are drawn. One per episode, shared by its forks. Grids alone
are previews: scans are close looks and show exact midpoints, and a zoom shows the frame at the
moment that its cell's tile was taken from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from videoatlas_gym.recent import Recent
from videoatlas_gym.span import Cell
from videoatlas_gym.state import AtlasState
from videoatlas_gym.video import VideoSource
from videoatlas_gym.video.preview import KEYFRAME, Shown, shown_for


@dataclass(eq=False)
class Previews:
    """Chooses a key frame for each cell of a grid, where there is one."""

    source: VideoSource
    tile_size: tuple[int, int]
    moments: dict[Cell, NDArray[np.float64]] = field(default_factory=dict, init=False)
    """Of each grid that was displayed, by its cell: the moments that stood for its cells, (n,)."""
    _chosen: Recent[Sequence[Shown]] = field(default_factory=lambda: Recent(3), init=False)

    def chosen(self, state: AtlasState, shown: NDArray[np.bool_]) -> Sequence[Shown]:
        """Return what stands for the shown cells (mask of shape (n,)) of the current grid."""
        indices = np.flatnonzero(shown).tolist()

        def choose() -> Sequence[Shown]:
            return shown_for(
                self.source,
                state.geometry.midpoints(state.current)[indices].tolist(),
                [state.cell_span(index) for index in indices],
                self.tile_size,
                representative=KEYFRAME,
            )

        return self._chosen.get((state.current, shown.tobytes()), choose)

    def settled(self, state: AtlasState, shown: NDArray[np.bool_]) -> AtlasState:
        """Return the state with the moments that its grid shows, if the grid is displayed.

        Cells that show nothing keep their midpoints. Decodes what was not decoded last.
        """
        if state.view_kind != "grid":
            return state
        moments = state.geometry.midpoints(state.current).copy()
        moments[shown] = [frame.moment for frame in self.chosen(state, shown)]
        self.moments[state.current] = moments
        chosen = tuple(moments.tolist())
        return state if state.shown_moments == chosen else state.changed(shown_moments=chosen)
