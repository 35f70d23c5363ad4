"""A beam opens, level by level, only the most relevant cells of each depth."""

import numpy as np
import pytest
from drawn import DrawnSource, one_task_of_each_kind, opened, play

from policies.traversal import Beam, BreadthFirst
from videoatlas_gym.span import Cell, GridGeometry, Span

SECONDS, GRID, DEPTH = 64.0, 2, 3
"""A video with 4 + 16 + 64 cells to open below its root."""


def lottery(observation, info):
    """Return relevances below 0.9 that look random and depend on the cell alone."""
    return 0.9 * np.abs(np.sin(1e4 * info["spans"][:, 0] + 7 * info["spans"][:, 1]))


def coarse_lottery(observation, info):
    """Return few different relevances: ties are frequent."""
    return lottery(observation, info).round(1)


def openings(policy, depth=DEPTH):
    """Return the cells in the order of their first opening."""
    task = one_task_of_each_kind(DrawnSource(SECONDS), Span(1.0, 2.0))["open_question"]
    options = {"min_expand_seconds": 0, "max_depth": depth, "max_steps": 5000}
    return list(dict.fromkeys(opened(play(policy, task, **options))))


def expected(width, scorer):
    """Return what a beam opens, from the definition: the best `width` of each level."""
    geometry, level, order = GridGeometry(SECONDS, GRID), [Cell()], []
    for _ in range(DEPTH):
        entries = []
        for parent in level:
            edges = geometry.edges(parent)
            relevances = scorer(None, {"spans": np.stack([edges[:-1], edges[1:]], axis=1)})
            entries += [(-r, parent.child(i)) for i, r in enumerate(relevances)]
        level = [cell for _, cell in sorted(entries)[:width]]
        order += level
    return order


@pytest.mark.parametrize("scorer", [lottery, coarse_lottery])
@pytest.mark.parametrize("width", [1, 2, 3, 5, 64])
def test_a_beam_opens_the_most_relevant_cells_of_each_level(width, scorer):
    order = openings(Beam(scorer, width=width))
    assert order == expected(width, scorer)
    counts = [sum(cell.depth == depth for cell in order) for depth in (1, 2, 3)]
    reachable = [min(width, 4), min(width, 4 * min(width, 4))]
    assert counts == [*reachable, min(width, 4 * reachable[1])]


def test_ties_go_to_the_earlier_cell_of_the_level():
    order = openings(Beam(lambda observation, info: np.full(4, 0.5), width=3))
    assert order == [
        *(Cell((0,)), Cell((1,)), Cell((2,))),
        *(Cell((0, 0)), Cell((0, 1)), Cell((0, 2))),
        *(Cell((0, 0, 0)), Cell((0, 0, 1)), Cell((0, 0, 2))),
    ]


def test_cells_of_a_level_compete_across_their_views():
    def score(observation, info):
        start, end = info["spans"][0]
        if end - start == 16.0:  # the root
            return np.array([0.8, 0.1, 0.7, 0.2])
        return np.array([0.3, 0.4, 0.2, 0.1]) + (0.5 if start >= 32 else 0.0)

    order = openings(Beam(score, width=2), depth=2)
    assert order == [Cell((0,)), Cell((2,)), Cell((2, 1)), Cell((2, 0))]


def test_a_beam_of_one_walks_down_once_and_a_wide_one_opens_what_breadth_first_opens():
    narrow = openings(Beam(lottery, width=1))
    assert [cell.depth for cell in narrow] == [1, 2, 3]
    assert all(later.is_within(cell) for cell, later in zip(narrow, narrow[1:], strict=False))
    everything = openings(BreadthFirst(lottery))
    assert len(everything) == 4 + 16 + 64
    assert set(openings(Beam(lottery, width=64))) == set(everything)
    assert set(openings(Beam(lottery, width=63))) < set(everything)


def test_a_beam_is_three_wide_unless_told_and_at_least_one():
    assert openings(Beam(lottery)) == expected(3, lottery)
    with pytest.raises(ValueError, match="1 or more cells wide, got 0"):
        Beam(width=0)
