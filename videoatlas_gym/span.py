"""Where things are in time: spans in seconds, cells as addresses, and the grid that joins them.

Pure arithmetic; knows no video, no pixels and no question. A cell is the path of cell indices from
the root; its span comes from the integer path by one exact division, so cells tile their parent
exactly, and neighbouring or nested cells share their boundaries to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

STRIP_FRAMES = 64
"""Most frames that zooming into a leaf cell shows: all of a second at 64 frames per second."""


@dataclass(frozen=True, order=True)
class Span:
    """A half-open interval of time ``[start_seconds, end_seconds)``."""

    start_seconds: float
    end_seconds: float

    def __post_init__(self) -> None:
        if not self.start_seconds <= self.end_seconds:
            raise ValueError(
                f"a span must not end before it starts, got [{self.start_seconds}, "
                f"{self.end_seconds}) seconds."
            )

    @property
    def duration_seconds(self) -> float:
        """Length in seconds, >= 0."""
        return self.end_seconds - self.start_seconds

    @property
    def midpoint_seconds(self) -> float:
        """The middle, in seconds."""
        return (self.start_seconds + self.end_seconds) / 2

    def __contains__(self, seconds: float) -> bool:
        return self.start_seconds <= seconds < self.end_seconds

    def covers(self, other: Span) -> bool:
        """Whether every moment of `other` lies in this span."""
        return self.start_seconds <= other.start_seconds and other.end_seconds <= self.end_seconds

    def overlaps(self, other: Span) -> bool:
        """Whether the two share a moment."""
        first = max(self.start_seconds, other.start_seconds)
        return first < min(self.end_seconds, other.end_seconds)

    def intersection(self, other: Span) -> Span | None:
        """The shared part, or None when there is none."""
        if not self.overlaps(other):
            return None
        return Span(
            max(self.start_seconds, other.start_seconds), min(self.end_seconds, other.end_seconds)
        )

    def hull(self, other: Span) -> Span:
        """The smallest span that covers both."""
        return Span(
            min(self.start_seconds, other.start_seconds), max(self.end_seconds, other.end_seconds)
        )


@dataclass(frozen=True, order=True)
class Cell:
    """The address of one cell: its path of row-major indices from the root, ``()`` for the root."""

    path: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", tuple(map(int, self.path)))

    @property
    def depth(self) -> int:
        """Number of expansions that lead here; the root has depth 0."""
        return len(self.path)

    def child(self, index: int) -> Cell:
        """The cell at `index` of this cell's grid."""
        return Cell((*self.path, index))

    @property
    def parent(self) -> Cell:
        """The cell whose grid holds this one; the root has none."""
        if not self.path:
            raise ValueError("the root cell has no parent.")
        return Cell(self.path[:-1])

    def is_within(self, other: Cell) -> bool:
        """Whether this cell is `other` or lies somewhere below it."""
        return self.path[: other.depth] == other.path

    def __str__(self) -> str:
        return "/".join(map(str, self.path)) or "root"


@dataclass(frozen=True)
class GridGeometry:
    """How a video of some length is cut into K x K grids (VideoAtlas, section 3.1).

    At depth d the cells of a view are ``T / K**(2 * (d + 1))`` seconds long. The duration is part
    of the value: an address keeps its meaning with the geometry it was made under.
    """

    duration_seconds: float
    grid_size: int = 8
    frame_seconds: float = 0.04
    """Length of one frame (median gap), in seconds: no cell is opened that is shorter than it."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.duration_seconds) and self.duration_seconds > 0):
            raise ValueError(
                f"duration_seconds must be positive and finite, got {self.duration_seconds}."
            )
        if not (self.grid_size >= 2 and float(self.grid_size).is_integer()):
            raise ValueError(f"grid_size must be a whole number, at least 2, got {self.grid_size}.")
        object.__setattr__(self, "grid_size", int(self.grid_size))
        if not (math.isfinite(self.frame_seconds) and self.frame_seconds > 0):
            raise ValueError(f"frame_seconds must be positive, got {self.frame_seconds}.")

    @property
    def num_cells(self) -> int:
        """Cells of one view, ``K * K``."""
        return self.grid_size**2

    def _boundary(self, index: int, divisions: int) -> float:
        """``duration * index / divisions``, rounded once (int / int rounds correctly)."""
        return self._boundaries((index,), divisions)[0]

    def _boundaries(self, indices: Iterable[int], divisions: int) -> list[float]:
        numerator, denominator = self.duration_seconds.as_integer_ratio()
        denominator *= divisions
        return [numerator * index / denominator for index in indices]

    def _index(self, cell: Cell) -> int:
        index = 0
        for step in cell.path:
            index = index * self.num_cells + step
        return index

    def check(self, cell: Cell) -> None:
        """Raise ValueError unless every index of the cell's path lies in the grid."""
        count = self.num_cells
        for index in cell.path:
            if not 0 <= index < count:
                raise ValueError(
                    f"cell {index} of path {cell} is not in a {self.grid_size} x {self.grid_size} "
                    f"grid; indices go from 0 to {self.num_cells - 1}, row by row."
                )

    def check_inside(self, cell: Cell, moments: Sequence[float]) -> None:
        """Raise ValueError unless there is one moment inside each child of a cell, in order."""
        edges, inside = self.edges(cell), np.array(moments)
        if (
            inside.shape != (self.num_cells,)
            or not ((edges[:-1] <= inside) & (inside < edges[1:])).all()
        ):
            raise ValueError(
                f"there must be one moment inside each of the {self.num_cells} cells of cell "
                f"{cell}, got {len(inside)} moments; leave them out for midpoints."
            )

    def span(self, cell: Cell) -> Span:
        """The span of a cell; the children's spans tile it exactly."""
        index, divisions = self._index(cell), self.num_cells**cell.depth
        return Span(*self._boundaries((index, index + 1), divisions))

    def edges(self, cell: Cell) -> NDArray[np.float64]:
        """The n + 1 boundaries of the cell's children, in seconds, ascending, read-only."""
        return _edges(self, cell)

    def midpoints(self, cell: Cell) -> NDArray[np.float64]:
        """The middle of each child, in seconds, shape (n,), read-only. The frames a view shows."""
        return _midpoints(self, cell)

    def midpoint(self, cell: Cell) -> float:
        """The middle of a cell, in seconds; equal to its entry in its parent's `midpoints`."""
        return self._boundary(2 * self._index(cell) + 1, 2 * self.num_cells**cell.depth)

    def resolution_seconds(self, depth: int) -> float:
        """Length of the cells in a view at `depth`: ``T / K**(2 * (depth + 1))``."""
        return self._boundary(1, self.num_cells ** (depth + 1))

    def shortest_opened(self, min_expand_seconds: float) -> float:
        """Cells shorter than this are not opened: `min_expand_seconds`, and never below one frame.

        At high frame rates cells are opened down to `STRIP_FRAMES` frames, so that what a leaf cell
        holds can always be shown as a strip.
        """
        return max(min(min_expand_seconds, STRIP_FRAMES * self.frame_seconds), self.frame_seconds)

    def auto_depth(self, min_expand_seconds: float = 1.0) -> int:
        """The first depth whose cells are too short to be opened (see `shortest_opened`)."""
        finest = self.shortest_opened(min_expand_seconds)
        depth = 0
        while self.resolution_seconds(depth) >= finest:
            depth += 1
        return depth

    def cell_at(self, seconds: float, depth: int) -> Cell:
        """The cell of `depth` (path length) that holds a moment: the inverse of `span`."""
        if not 0 <= seconds < self.duration_seconds:
            raise ValueError(
                f"no cell at {seconds} s: the video spans [0, {self.duration_seconds}) seconds."
            )
        cell = Cell()
        for _ in range(depth):
            edges = self.edges(cell)
            cell = cell.child(int(np.searchsorted(edges, seconds, side="right")) - 1)
        return cell

    def levels_to_frame(self) -> int:
        """Grids on the way to any single frame: ``ceil(log_{K^2}(T * fps))``, at least 1."""
        levels, cells = 1, self.num_cells
        while cells * self.frame_seconds < self.duration_seconds * (1 - 1e-12):
            levels, cells = levels + 1, cells * self.num_cells
        return levels


def split(span: Span, count: int) -> NDArray[np.float64]:
    """The count + 1 boundaries of `count` equal parts of a span; the ends are the span's own."""
    edges = np.linspace(span.start_seconds, span.end_seconds, count + 1)
    edges[0], edges[-1] = span.start_seconds, span.end_seconds
    return edges


def total_seconds(spans: Sequence[Span]) -> float:
    """Summed length of spans that do not overlap, in seconds."""
    return math.fsum(span.duration_seconds for span in spans)


@lru_cache(maxsize=256)
def children_of(cell: Cell, count: int) -> tuple[Cell, ...]:
    """The cells of a cell's grid, in order."""
    return tuple(map(cell.child, range(count)))


@lru_cache(maxsize=4096)
def _edges(geometry: GridGeometry, cell: Cell) -> NDArray[np.float64]:
    first = geometry._index(cell) * geometry.num_cells
    divisions = geometry.num_cells ** (cell.depth + 1)
    count = geometry.num_cells + 1
    edges = np.array(geometry._boundaries(range(first, first + count), divisions))
    edges.setflags(write=False)
    return edges


@lru_cache(maxsize=4096)
def _midpoints(geometry: GridGeometry, cell: Cell) -> NDArray[np.float64]:
    first = geometry._index(cell) * geometry.num_cells
    divisions = 2 * geometry.num_cells ** (cell.depth + 1)
    odd = range(2 * first + 1, 2 * (first + geometry.num_cells), 2)
    midpoints = np.array(geometry._boundaries(odd, divisions))
    midpoints.setflags(write=False)
    return midpoints
