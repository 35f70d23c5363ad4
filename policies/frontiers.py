"""The order in which a search opens cells: everything in which the strategies differ.

A frontier is told the cells of each newly opened view with their relevance, and gives back which
one is opened next. Ties always go to the earlier cell of a view.
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import Protocol

from videoatlas_gym.span import Cell

Scored = tuple[float, Cell]
"""A cell with its relevance."""


class Frontier(Protocol):
    """The cells that wait to be opened, in the order of a strategy."""

    def push(self, cells: list[Scored]) -> None:
        """Add the cells of one view with their relevance, in the order of their indices."""

    def pop(self) -> Cell:
        """Remove and return the next cell to open."""

    def __len__(self) -> int:
        """Return the number of cells that will still be returned if no more are pushed."""


class Closed:
    """Opens nothing: the first view must do."""

    def push(self, cells: list[Scored]) -> None:
        """Let the cells be."""

    def pop(self) -> Cell:
        """Fail: there is nothing to open."""
        raise IndexError("a closed frontier holds no cells.")

    def __len__(self) -> int:
        return 0


class Queue:
    """Breadth first: cells in the order in which they were seen, whatever their relevance."""

    def __init__(self) -> None:
        self._cells: deque[Cell] = deque()

    def push(self, cells: list[Scored]) -> None:
        """Append the cells in the order of their indices."""
        self._cells.extend(cell for _, cell in cells)

    def pop(self) -> Cell:
        """Return the cell that has waited longest."""
        return self._cells.popleft()

    def __len__(self) -> int:
        return len(self._cells)


class Stack:
    """Depth first: the most relevant cell of the newest view; ties go to the earlier cell."""

    def __init__(self) -> None:
        self._cells: list[Cell] = []

    def push(self, cells: list[Scored]) -> None:
        """Put the cells on top, the most relevant one uppermost."""
        self._cells += [cell for _, cell in sorted(cells, key=_preference, reverse=True)]

    def pop(self) -> Cell:
        """Return the cell on top."""
        return self._cells.pop()

    def __len__(self) -> int:
        return len(self._cells)


class Chronicle(Stack):
    """Depth first in the order of time: the earliest cell of the newest view."""

    def push(self, cells: list[Scored]) -> None:
        """Put the cells on top, the earliest one uppermost, whatever their relevance."""
        super().push([(0.0, cell) for _, cell in cells])


class Heap:
    """Best first: the most relevant cell of all views; ties go to the deeper, then the earlier."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Cell]] = []

    def push(self, cells: list[Scored]) -> None:
        """Add the cells by relevance."""
        for relevance, cell in cells:
            heapq.heappush(self._heap, (-relevance, -cell.depth, cell))

    def pop(self) -> Cell:
        """Return the most relevant cell."""
        return heapq.heappop(self._heap)[2]

    def __len__(self) -> int:
        return len(self._heap)


class Levels:
    """Level by level: of all cells seen at a depth only the `width` most relevant are returned.

    The most relevant comes first; ties go to the earlier cell of the video. The next level begins
    when the last cell of this one was opened, so at most `width` cells per depth are opened. With
    ``width >= n**d`` (n cells per view) the first d levels hold the same cells as breadth first.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._level: deque[Cell] = deque()
        self._next: list[Scored] = []

    def push(self, cells: list[Scored]) -> None:
        """Add cells to choose from for the next level."""
        self._next += cells

    def pop(self) -> Cell:
        """Return the most relevant cell left of this level, else of the next."""
        if not self._level:
            best = heapq.nsmallest(self._width, self._next, key=_preference)
            self._level.extend(cell for _, cell in best)
            self._next.clear()
        return self._level.popleft()

    def __len__(self) -> int:
        return len(self._level) + min(self._width, len(self._next))


def _preference(entry: Scored) -> tuple[float, Cell]:
    """Sort key: the most relevant first, then the earliest."""
    relevance, cell = entry
    return -relevance, cell
