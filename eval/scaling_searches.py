"""What a scaling measurement looks for: needles of many lengths in videos of many lengths."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from eval.arguments import missing
from eval.fits import FEWEST_POINTS
from eval.scaling_curves import LARGEST_GRID
from videoatlas_gym.arguments import checked_number, checked_whole
from videoatlas_gym.story.needles import HINTED_GRIDS, NEEDLES
from videoatlas_gym.story.plan import StoryWorld

_MANY = 1000
"""Worlds among which one has its needle in a certain part of it: far more than are needed."""
FRAMES_PER_SECOND = {"visible": 10, "hidden": 1}
"""Of the videos: hidden needles are long, and all frames of their videos may have to be drawn."""
_MANY_DURATIONS = 8
"""Of more than these, hidden needles are looked for in every second one."""
_HIDDEN_SECONDS = 16
"""Divided by K, the length of the shortest hidden needle: the finest grids that one can need in ten
hours are then some thousand at K = 2 and at K = 8, enough for a curve and few enough to be opened.
"""


@dataclass(frozen=True)
class Search:
    """One needle in one world, looked for by all policies."""

    needle: str
    grid_size: int
    duration_seconds: float
    index: int
    """Which of the needles of this length of video."""
    number: int
    """Number of the world."""
    needle_seconds: float

    @property
    def task_set(self) -> str:
        """Its name in records: all searches with this needle, grid and length of video."""
        return f"{self.needle}-K{self.grid_size}-{self.duration_seconds:.10g}s"

    @property
    def world(self) -> StoryWorld:
        """The world that the needle is in, and no other needle."""
        return StoryWorld(
            self.number,
            self.duration_seconds,
            needle_kinds=(self.needle,),
            frames_per_second=FRAMES_PER_SECOND[self.needle],
            needle_seconds=self.needle_seconds,
        )

    def lies_in(self, part: int, parts: int) -> bool:
        """Whether a hidden needle is in one of so many equal parts of where it may be.

        What it takes to find one follows from where it is: one in each part makes a mean. Visible
        ones may be anywhere.
        """
        stretch, places = self.world.needles[0].stretch, self.world.num_frames
        return self.needle == "visible" or (
            stretch.first * parts // (places - len(stretch) + 1) == part
        )


def make_searches(
    durations: Sequence[float],
    grid_sizes: Sequence[int],
    counts: Mapping[str, int],
    seconds: Mapping[str, float | None],
    seed: int,
) -> list[Search]:
    """Return all searches, short videos first, each in a world of its own that can be made."""
    skipped = set(durations[-2::-2]) if len(durations) > _MANY_DURATIONS else set()
    searches = []
    for turn, duration in enumerate(durations):
        for kind, grid_size in product(counts, grid_sizes):
            if kind == "hidden" and duration in skipped:
                continue
            for index in range(counts[kind]):
                step = (index + 0.5) / counts[kind]
                shortest = seconds[kind] or _HIDDEN_SECONDS / grid_size
                length = min(shortest * float(grid_size) ** (2 * step), duration / 4)
                rate = FRAMES_PER_SECOND[kind]
                length = max(1, round(length * rate)) / rate
                facts = [seed, NEEDLES.index(kind), grid_size, round(duration * 1000), index]
                found = (
                    Search(kind, grid_size, duration, index, int(number), length)
                    for number in np.random.SeedSequence(facts).generate_state(_MANY)
                )
                # Needles are placed here, and refused before anything is written.
                part = (index + turn) % counts[kind]
                searches.append(next(s for s in found if s.lies_in(part, counts[kind])))
    return searches


def checked_durations(durations: Sequence[float]) -> list[float]:
    """Return the lengths that are different videos, ascending; worlds check the rest."""
    rounded = {round(checked_number("a duration", duration), 1) for duration in durations}
    if len(rounded) < FEWEST_POINTS:
        raise ValueError(
            f"fits need {FEWEST_POINTS} durations or more that differ by a tenth of a second, got "
            f"{len(rounded)}. Name more, such as 1m..10h:16."
        )
    return sorted(rounded)


def checked_grid_sizes(grid_sizes: Sequence[int], needles: Collection[str]) -> list[int]:
    """Return the values of K, each once; hints serve some of them only."""
    sizes = [checked_whole("a grid size", size, 2, LARGEST_GRID) for size in grid_sizes]
    if "visible" in needles and (others := set(sizes) - set(HINTED_GRIDS)):
        raise ValueError(
            f"visible needles are hinted at for K = {', '.join(map(str, HINTED_GRIDS))}, got "
            f"{min(others)}. Use one of these, or --needles hidden."
        )
    return list(dict.fromkeys(sizes)) or missing("grid size")


def checked_counts(counts: Mapping[str, int]) -> Mapping[str, int]:
    """Return the numbers of needles by kind, at least one of each."""
    return {
        kind: checked_whole(f"the number of {kind} needles per duration", count, 1)
        for kind, count in counts.items()
    } or missing("kind of needle")


def checked_seconds(kind: str, seconds: float | None) -> float | None:
    """Return the length of a shortest needle, which is a frame or more; None for 16 s / K."""
    if seconds is None:
        return None
    shortest = 1 / FRAMES_PER_SECOND[kind]
    if checked_number(f"{kind}_seconds", seconds) < shortest:
        raise ValueError(
            f"{kind}_seconds must be at least {shortest:g}, the length of a frame, got "
            f"{seconds:g}. Make the needle longer."
        )
    return float(seconds)
