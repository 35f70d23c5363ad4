"""Searches open cells in the order of their strategy, walk the shortest way, and end in time.

The beam is in `test_beam.py`, the choice of a strategy by question in `test_adaptive.py`.
"""

import math
import os

import numpy as np
import pytest
from drawn import (
    DrawnSource,
    hidden_needle,
    make_env,
    one_task_of_each_kind,
    opened,
    play,
    search_for_needle,
    visible_needle,
)

from policies.table import make_policy
from policies.traversal import BestFirst, BreadthFirst, DepthFirst, Exhaustive
from videoatlas_gym.span import Cell, GridGeometry, Span

SECONDS, GRID, DEPTH = 16.0, 2, 2
"""A video with 4 + 16 cells to open below its root."""
SEARCHES = [BreadthFirst, DepthFirst, BestFirst, Exhaustive]


def nearness_to(moment):
    """Return a scorer: the nearer a cell's middle to a moment, the more relevant, below 0.9."""

    def score(observation, info):
        return 0.9 / (1 + np.abs(info["spans"].mean(axis=1) - moment))

    return score


def lottery(observation, info):
    """Return relevances below 0.9 that look random and depend on the cell alone."""
    return 0.9 * np.abs(np.sin(1e4 * info["spans"][:, 0] + 7 * info["spans"][:, 1]))


def coarse_lottery(observation, info):
    """Return one of three relevances: cells of all depths are often equal, but never all."""
    return np.round(2 * lottery(observation, info)) / 2.5


def sameness(observation, info):
    """Return the same relevance everywhere."""
    return np.full(len(info["spans"]), 0.5)


def task_about(seconds=SECONDS, kind="open_question"):
    return one_task_of_each_kind(DrawnSource(seconds), Span(1.0, 2.0))[kind]


def search(policy, tasks=None, **options):
    options = {"max_depth": DEPTH, "max_steps": 1000} | options
    return play(policy, tasks or task_about(), **options)


def first_openings(episode):
    """Return the cells in the order in which they were opened for the first time."""
    return list(dict.fromkeys(opened(episode)))


def expected_order(choose, scorer, depth=DEPTH):
    """Return all cells in the order in which `choose` takes them from those in sight.

    The least key of `choose(relevance, cell, when it came into sight)` is next.
    """
    geometry = GridGeometry(SECONDS, GRID)
    waiting, order, here = [], [], Cell()
    while True:
        if here.depth < depth:
            edges = geometry.edges(here)
            spans = np.stack([edges[:-1], edges[1:]], axis=1)
            relevances = scorer(None, {"spans": spans})
            waiting += [(r, here.child(i), len(order)) for i, r in enumerate(relevances)]
        if not waiting:
            return order
        best = min(waiting, key=lambda entry: choose(*entry))
        waiting.remove(best)
        here = best[1]
        order.append(here)


def longest_waiting(relevance, cell, seen):
    return seen, cell.path


def best_of_newest_view(relevance, cell, seen):
    return -seen, -relevance, cell.path


def first_of_newest_view(relevance, cell, seen):
    return -seen, cell.path


def best_of_all(relevance, cell, seen):
    return -relevance, -cell.depth, cell.path


@pytest.mark.parametrize(
    "scorer", [lottery, coarse_lottery, sameness, nearness_to(9.7), nearness_to(0.0)]
)
@pytest.mark.parametrize(
    "policy, choose",
    [
        (BreadthFirst, longest_waiting),
        (DepthFirst, best_of_newest_view),
        (BestFirst, best_of_all),
        (Exhaustive, first_of_newest_view),
    ],
)
def test_cells_are_opened_in_the_order_of_the_strategy(policy, choose, scorer):
    episode = search(policy(scorer))
    assert first_openings(episode) == expected_order(choose, scorer)
    assert episode.terminated


def test_breadth_first_opens_a_level_in_the_order_of_its_views():
    order = first_openings(search(BreadthFirst(lottery)))
    assert order == [Cell((i,)) for i in range(4)] + [
        Cell((i, j)) for i in range(4) for j in range(4)
    ]


def test_depth_first_goes_down_the_most_relevant_branch_before_it_goes_on():
    order = first_openings(search(DepthFirst(nearness_to(9.7))))
    assert order[:6] == [Cell(path) for path in ((2,), (2, 1), (2, 2), (2, 0), (2, 3), (1,))]


def test_best_first_leaves_a_branch_for_a_better_cell_elsewhere():
    def score(observation, info):
        first = info["spans"][0]
        if first[1] - first[0] == 4.0:  # the root
            return np.array([0.6, 0.7, 0.1, 0.65])
        return np.array([0.0, 0.68 if first[0] == 4.0 else 0.0, 0.0, 0.0])

    order = first_openings(search(BestFirst(score)))
    assert order[:4] == [Cell((1,)), Cell((1, 1)), Cell((3,)), Cell((0,))]


def test_best_first_opens_the_deeper_and_then_the_earlier_of_equals():
    def score(observation, info):
        first = info["spans"][0]
        if first[1] - first[0] == 4.0:  # the root
            return np.array([0.5, 0.5, 0.6, 0.5])
        return np.array([0.1, 0.5, 0.5, 0.1] if first[0] == 8.0 else [0.1] * 4)

    order = first_openings(search(BestFirst(score)))
    assert order[:6] == [Cell(path) for path in ((2,), (2, 1), (2, 2), (0,), (1,), (3,))]


@pytest.mark.parametrize("policy", SEARCHES)
@pytest.mark.parametrize("scorer", [lottery, sameness])
def test_no_view_is_opened_twice_but_on_the_way_to_a_new_one(policy, scorer):
    actions = search(policy(scorer)).trajectory.actions
    path, seen, walked, last_new = (), {()}, 0, ()
    for action in actions:
        if action.verb == "ADD_TO_SCRATCHPAD":
            continue
        path = (*path, action.cell) if action.verb == "EXPAND" else path[:-1]
        walked += 1
        if action.verb == "EXPAND" and path not in seen:
            shared = len(os.path.commonprefix([last_new, path]))
            assert walked == len(last_new) + len(path) - 2 * shared
            seen, walked, last_new = seen | {path}, 0, path
    assert len(seen) == 1 + 4 + 16


@pytest.mark.parametrize("policy", SEARCHES)
def test_a_search_ends_when_nothing_is_left_to_open(policy):
    episode = search(policy(sameness))
    assert episode.terminated and not episode.truncated
    assert episode.coverage_explored == 1.0
    assert episode.actions["ADD_TO_SCRATCHPAD"] == 4  # nothing beats the first four
    assert episode.trajectory.actions[-1].verb == "FINISHED"


@pytest.mark.parametrize("policy", SEARCHES)
def test_a_search_for_a_picture_keeps_a_cell_exactly_when_it_beats_all_before(policy):
    episode = search(policy(lottery), task_about(kind="frame_search"))
    confidences = [
        a.confidence for a in episode.trajectory.actions if a.verb == "ADD_TO_SCRATCHPAD"
    ]
    assert confidences == sorted(set(confidences))
    geometry, best = GridGeometry(SECONDS, GRID), 0.0
    for cell in [Cell(), *first_openings(episode)]:
        edges = geometry.edges(cell)
        spans = np.stack([edges[:-1], edges[1:]], axis=1)
        best = max(best, lottery(None, {"spans": spans}).max())
    assert confidences[-1] == pytest.approx(0.7 + 0.3 * best)


@pytest.mark.parametrize("policy", SEARCHES)
def test_a_search_answers_before_it_runs_out_of_steps(policy):
    task = task_about(kind="multiple_choice")
    for max_steps in range(2, 40):
        episode = search(policy(lottery), task, max_steps=max_steps)
        assert episode.terminated and not episode.truncated
        assert episode.trajectory.actions[-1].verb == "ANSWER"
        assert episode.usage.steps == max_steps


@pytest.mark.parametrize("policy", SEARCHES)
def test_where_nothing_is_to_be_answered_the_last_step_keeps_what_is_to_be_kept(policy):
    whole = [a.verb for a in search(policy(lottery)).trajectory.actions]
    assert whole[:4] == ["ADD_TO_SCRATCHPAD"] * 4  # all of the first view, none is better yet
    for max_steps in range(2, 40):
        verbs = [a.verb for a in search(policy(lottery), max_steps=max_steps).trajectory.actions]
        assert verbs[:-1] == whole[: max_steps - 1]
        keeps = whole[max_steps - 1] == "ADD_TO_SCRATCHPAD"
        assert verbs[-1] == ("ADD_TO_SCRATCHPAD" if keeps else "FINISHED")


@pytest.mark.parametrize("policy", SEARCHES)
def test_a_step_budget_is_minded_like_a_limit_of_steps(policy):
    task = task_about(kind="multiple_choice")
    episode = search(policy(lottery), task, budget={"steps": 9})
    assert episode.trajectory.actions[-1].verb == "ANSWER"
    assert not episode.budget_exceeded


def found(observation, info):
    """Return 1.0 for the cells that hold 9.7 s, else 0.2."""
    return np.where((info["spans"][:, 0] <= 9.7) & (info["spans"][:, 1] > 9.7), 1.0, 0.2)


def test_an_exhaustive_search_opens_every_cell_once_though_it_finds_the_picture_at_once():
    episode = search(Exhaustive(found), task_about(kind="frame_search"))
    order = [Cell(path) for i in range(4) for path in ((i,), *((i, j) for j in range(4)))]
    assert opened(episode) == order
    assert episode.usage.frames == 4 + 4 * 4 + 16 * 4  # every cell of every depth
    assert episode.trajectory.actions[0].verb == "ADD_TO_SCRATCHPAD" and episode.terminated


@pytest.mark.parametrize("policy", SEARCHES[:3])
def test_a_search_stops_as_soon_as_the_picture_is_found(policy):
    episode = search(policy(found), task_about(kind="frame_search"))
    assert [action.verb for action in episode.trajectory.actions] == [
        "ADD_TO_SCRATCHPAD",
        "FINISHED",
    ]


def expands_to_reach(seconds, grid_size):
    """Return the number of EXPAND actions that finding a visible needle took."""
    task = search_for_needle(visible_needle(seconds, grid_size, seed=round(seconds)))
    episode = play(make_policy("best-first"), task, grid_size=grid_size, min_expand_seconds=0)
    assert (episode.score, episode.terminated) == (1.0, True)
    return episode.actions.get("EXPAND", 0)


def levels_by_formula(seconds, grid_size):
    """Return ``ceil(log_{K^2}(T * fps))``."""
    return math.ceil(math.log(seconds * 25) / math.log(grid_size**2))


ONE_MINUTE_TO_TEN_HOURS = np.geomspace(60, 36_000, 16).tolist()


def test_best_first_reaches_a_visible_needle_in_the_fewest_expansions():
    expands = [expands_to_reach(seconds, 2) for seconds in ONE_MINUTE_TO_TEN_HOURS]
    assert expands == [levels_by_formula(seconds, 2) - 1 for seconds in ONE_MINUTE_TO_TEN_HOURS]
    logs = np.log(ONE_MINUTE_TO_TEN_HOURS)
    assert np.corrcoef(logs, expands)[0, 1] ** 2 > 0.95


@pytest.mark.parametrize("seconds", np.geomspace(60, 36_000, 5).tolist())
def test_best_first_reaches_a_visible_needle_in_the_fewest_expansions_of_large_grids(seconds):
    assert expands_to_reach(seconds, 8) == levels_by_formula(seconds, 8) - 1


@pytest.mark.slow
def test_a_hidden_needle_costs_views_in_proportion_to_the_length_of_the_video():
    means = []
    for seconds in (8.0, 32.0):
        tasks = [search_for_needle(hidden_needle(seconds, seed)) for seed in range(12)]
        options = {"min_expand_seconds": 0, "max_steps": 5000}
        episodes = [play(make_policy("best-first"), task, **options) for task in tasks]
        assert all(episode.score == 1.0 for episode in episodes)
        means.append(np.mean([episode.actions["EXPAND"] for episode in episodes]))
    assert 2.5 < means[1] / means[0] < 6.5
    assert means[1] > 8 * levels_by_formula(32.0, 2)


def test_a_policy_for_searching_needs_an_environment_that_rules_nothing_out():
    env = make_env(task_about(), BestFirst(sameness))
    env.reset(seed=0)
    assert env.state.rules.dead_zones == "never"
