"""Needles: one picture that is found in a story only by looking, with or without hints on the way.

A hidden needle is on display for its seconds and nowhere else: a search can do no better than look
everywhere. A visible one is announced: at the middle of every coarser cell that holds it stands a
hint, the clearer the finer the cell, so that each view on the way to it says where to go on.

Cells of K x K grids nest where K is a power of two: those of K = 4 and 8 are every second and third
level of those of K = 2. Hints therefore serve all of `HINTED_GRIDS` at once. Knows no pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NEEDLES = ("visible", "hidden")
HINTED_GRIDS = (2, 4, 8, 16)
"""Values of K for which each view on the way to a visible needle shows a hint."""
FAINTEST, CLEAREST = 0.5, 0.8
"""Share of the needle's picture in the hint of the coarsest and the finest cell."""
HINT_SHARE = 1 / 32
"""A hint lasts this share of its cell, at least a frame and at most `MAX_HINT_FRAMES`."""
MAX_HINT_FRAMES = 20
_LEVELS_PER_GRID = {2: 1, 4: 2, 8: 3, 16: 4}
NEAR_FRAMES = 1e-6
"""A moment that lies this little before a frame shows the frame already: times are rounded."""
_TRIES = 5000


@dataclass(frozen=True)
class Stretch:
    """Frames ``first`` to ``stop``, the latter not included."""

    first: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.first

    def __contains__(self, frame: int) -> bool:
        return self.first <= frame < self.stop

    def overlaps(self, other: Stretch) -> bool:
        """Whether the two share a frame."""
        return max(self.first, other.first) < min(self.stop, other.stop)


@dataclass(frozen=True)
class Needle:
    """The picture's stretch, what it looks like, and where which share of it shows through."""

    kind: str
    stretch: Stretch
    look: tuple[int, str, str, str]
    """Seed, colour, shape and digits of the picture."""
    hints: tuple[tuple[Stretch, float], ...] = ()

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """All frames that it changes, hints included."""
        return (self.stretch, *(stretch for stretch, _ in self.hints))

    def share_at(self, frame: int) -> float:
        """Return the share of its picture in a frame, 0 to 1."""
        if frame in self.stretch:
            return 1.0
        return next((share for stretch, share in self.hints if frame in stretch), 0.0)


def first_level(stretch: Stretch, num_frames: int, grid_size: int) -> int:
    """Return the depth of the first view whose cells' midpoints include one of the stretch."""
    depth = 0
    while not _is_met(stretch, num_frames, _LEVELS_PER_GRID[grid_size] * (depth + 1)):
        depth += 1
    return depth


def place_needle(
    kind: str,
    num_frames: int,
    length: int,
    taken: Sequence[Stretch],
    random: np.random.Generator,
    *,
    look: tuple[int, str, str, str],
) -> Needle:
    """Draw where a needle of `length` frames is, uniformly over all places that are possible.

    Args:
        kind: "visible" or "hidden".
        num_frames: Frames of the story.
        length: Frames of the needle.
        taken: What it and its hints must not overlap.
        random: Source of chance.
        look: What the needle looks like.

    Raises:
        ValueError: If there is no room for it.
    """
    for _ in range(_TRIES if length < num_frames else 0):
        first = int(random.integers(num_frames - length + 1))
        stretch = Stretch(first, first + length)
        hints = _hints(stretch, num_frames) if kind == "visible" else ()
        if hints is None:
            continue
        needle = Needle(kind, stretch, look, hints)
        if not any(own.overlaps(other) for own in needle.stretches for other in taken):
            return needle
    raise ValueError(
        f"there is no room for a {kind} needle of {length} frames in a story of {num_frames}. "
        "Make the needle shorter or the story longer."
    )


def _hints(stretch: Stretch, num_frames: int) -> tuple[tuple[Stretch, float], ...] | None:
    """Return the hints to a place, or None if views on the way to it would contradict each other.

    That is so where the place straddles two cells that need a hint, or two hints meet.
    """
    levels = sorted(
        {
            step * (depth + 1)
            for grid, step in _LEVELS_PER_GRID.items()
            for depth in range(first_level(stretch, num_frames, grid))
        }
    )
    shares = np.linspace(FAINTEST, CLEAREST, max(2, len(levels))).tolist()
    hints: list[tuple[Stretch, float]] = []
    for level, share in zip(levels, shares, strict=False):
        cells = 4**level
        index = stretch.first * cells // num_frames
        if stretch.stop * cells > (index + 1) * num_frames:
            return None
        middle = _middle(index, level, num_frames)
        length = int(min(MAX_HINT_FRAMES, max(1, num_frames * HINT_SHARE // cells)))
        hint = Stretch(middle - length // 2, middle - length // 2 + length)
        if any(hint.overlaps(other) for other in (stretch, *(h for h, _ in hints))):
            return None
        hints.append((hint, share))
    return tuple(hints)


def _is_met(stretch: Stretch, num_frames: int, level: int) -> bool:
    """Whether the frame at the middle of a cell of a level (4**level cells) is in the stretch."""
    index = max(0, -(-(2 * 4**level * stretch.first - num_frames) // (2 * num_frames)))
    # The first middle that is not before the stretch; the one before it may be near enough.
    return any(_middle(cell, level, num_frames) in stretch for cell in (index - 1, index))


def _middle(index: int, level: int, num_frames: int) -> int:
    """Return the frame on display at the middle of a cell of a level, in exact arithmetic."""
    half_cells, parts = 2 * 4**level, round(1 / NEAR_FRAMES)
    return (num_frames * (2 * index + 1) * parts + half_cells) // (half_cells * parts)
