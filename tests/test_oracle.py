"""The oracle solves every task by the shortest way: what is asked can be done, and how fast."""

import math

import numpy as np
import pytest
from drawn import DrawnSource, one_task_of_each_kind, opened, play

from policies.baselines import Oracle
from videoatlas_gym.span import Span, total_seconds
from videoatlas_gym.tasks import (
    FixedTasks,
    FrameSearchTasks,
    MultipleChoice,
    OpenQuestion,
    TemporalGrounding,
)

TEN_HOURS = 36_000.0
TINY = (16, 9)
"""The oracle does not look, so tiles may be tiny."""


def solve(task, **options):
    """Play the oracle with the default limit of steps and check that it ended by itself."""
    episode = play(Oracle(), task, **({"tile_size": TINY, "grid_size": 8} | options))
    assert episode.terminated, f"out of steps after {episode.actions}"
    assert episode.num_illegal == 0
    return episode


def grounding(*spans, seconds=TEN_HOURS):
    return TemporalGrounding(DrawnSource(seconds), "When?", truth=tuple(Span(*s) for s in spans))


def best_iou(task, episode):
    """Return what rounding both ends of each span to the finest cells leaves at least."""
    lost = len(task.truth) * episode.resolution_seconds
    return 1 - lost / total_seconds(task.truth) - 1e-6


@pytest.mark.parametrize("traversal", ["dfs", "bfs"])
@pytest.mark.parametrize("grid_size", [2, 3, 8])
@pytest.mark.parametrize("seconds", [3.0, 60.0, 3600.0, TEN_HOURS])
def test_the_oracle_solves_every_kind_of_task(traversal, grid_size, seconds):
    start = 0.61 * seconds
    tasks = one_task_of_each_kind(DrawnSource(seconds), Span(start, start + min(4, seconds / 3)))
    for kind, task in tasks.items():
        episode = solve(task, traversal=traversal, grid_size=grid_size)
        assert episode.score >= (best_iou(task, episode) if kind == "temporal_grounding" else 1.0)


@pytest.mark.parametrize("traversal", ["dfs", "bfs"])
def test_the_oracle_answers_at_once_where_no_evidence_is_known(traversal):
    task = MultipleChoice(DrawnSource(60.0), "Which?", options=("a", "b"), answer=1)
    episode = solve(task, traversal=traversal)
    assert (episode.score, episode.actions) == (1.0, {"ANSWER": 1})


@pytest.mark.parametrize("traversal", ["dfs", "bfs"])
@pytest.mark.parametrize(
    ("task", "end"),
    [
        (MultipleChoice(DrawnSource(60.0), "Which?", options=("a", "b"), answer=1), "ANSWER"),
        (OpenQuestion(DrawnSource(60.0), "Who?", answer="Ada"), "FINISHED"),
    ],
)
def test_the_oracle_keeps_something_where_it_must_and_no_evidence_is_known(traversal, task, end):
    episode = solve(task, traversal=traversal, finish_requires_evidence=True)
    assert (episode.score, episode.actions) == (1.0, {"ADD_TO_SCRATCHPAD": 1, end: 1})


@pytest.mark.parametrize("traversal", ["dfs", "bfs"])
def test_the_oracle_keeps_a_moment_of_each_span_that_must_be_seen(traversal):
    needs = tuple(Span(start, start + 4) for start in (500.0, 501.0, 20_000.0, 35_990.0))
    truth = (Span(500.0, 505.0), *needs[2:])
    task = MultipleChoice(
        DrawnSource(TEN_HOURS), "?", options=("a", "b"), answer=1, truth=truth, needs=needs
    )
    episode = solve(task, traversal=traversal)
    assert episode.score == 1.0
    assert task.unseen([item["seconds"] for item in episode.evidence]) == ()


@pytest.mark.parametrize("traversal", ["dfs", "bfs"])
def test_the_oracle_solves_tasks_made_from_a_video(traversal):
    tasks = FrameSearchTasks(DrawnSource(600.0))
    assert all(
        solve(FixedTasks(tasks[i]), grid_size=3, traversal=traversal).score == 1.0
        for i in range(10)
    )


@pytest.mark.parametrize("traversal", ["dfs", "bfs"])
@pytest.mark.parametrize("grid_size", [3, 8])
def test_the_oracle_grounds_ten_seconds_in_ten_hours(traversal, grid_size):
    for start in np.random.default_rng(grid_size).uniform(0, TEN_HOURS - 10, 12).tolist():
        episode = solve(grounding((start, start + 10)), grid_size=grid_size, traversal=traversal)
        assert episode.score >= 0.95


@pytest.mark.parametrize("grid_size", [3, 8])
def test_the_oracle_grounds_ten_seconds_in_ten_hours_to_the_frame(grid_size):
    for start in np.random.default_rng(grid_size).uniform(0, TEN_HOURS - 10, 6).tolist():
        options = {"grid_size": grid_size, "min_expand_seconds": 0}
        assert solve(grounding((start, start + 10)), **options).score >= 0.98


@pytest.mark.parametrize("grid_size", [3, 8])
def test_the_oracle_grounds_several_spans_at_once(grid_size):
    random = np.random.default_rng(grid_size)
    for _ in range(4):
        starts = np.sort(random.uniform(0, TEN_HOURS - 20, 3)).tolist()
        task = grounding(*((start, start + 10) for start in starts))
        options = {"grid_size": grid_size, "max_steps": 400}
        assert solve(task, **options).score >= 0.95


@pytest.mark.parametrize("grid_size", [2, 3, 8])
def test_the_oracle_grounds_a_very_short_event(grid_size):
    for start in np.random.default_rng(grid_size).uniform(0, 3600 - 1, 8).tolist():
        task = grounding((start, start + 0.3), seconds=3600.0)
        options = {"grid_size": grid_size, "min_expand_seconds": 0}
        assert solve(task, **options).score >= 0.9


@pytest.mark.parametrize("where", [(0.0, 10.0), (TEN_HOURS - 10.0, TEN_HOURS), (0.0, 36.0)])
def test_the_oracle_grounds_events_at_the_ends_of_the_video(where):
    assert solve(grounding(where)).score >= 0.95


def test_the_oracle_grounds_the_whole_video_from_the_first_view():
    episode = solve(grounding((0.0, 3600.0), seconds=3600.0), max_steps=65)
    assert (episode.score, episode.deepest) == (1.0, 0)
    assert episode.actions == {"ADD_TO_SCRATCHPAD": 64, "FINISHED": 1}


@pytest.mark.parametrize("grid_size", [2, 3, 8])
@pytest.mark.parametrize("seconds", np.geomspace(60, TEN_HOURS, 6).tolist())
def test_the_oracle_finds_a_frame_in_the_fewest_expansions(grid_size, seconds):
    source = DrawnSource(seconds)
    levels = math.ceil(math.log(seconds * 25) / math.log(grid_size**2))
    for share in np.random.default_rng(1).uniform(0, 1, 5):
        index = int(share * seconds * 25)
        truth = Span(index / 25, (index + 1) / 25)
        task = one_task_of_each_kind(source, truth)["frame_search"]
        episode = solve(task, grid_size=grid_size, min_expand_seconds=0)
        assert episode.score == 1.0
        expands = episode.actions.get("EXPAND", 0)
        assert expands == first_depth_that_shows(truth, seconds, grid_size) <= levels - 1
        assert len(set(opened(episode))) == expands and "BACKTRACK" not in episode.actions


def first_depth_that_shows(span, seconds, grid_size):
    """Return the least depth at which the midpoint of some cell lies in the span."""
    depth, width = 0, seconds / grid_size**2
    while not any((i + 0.5) * width in span for i in nearby(span, width)):
        depth, width = depth + 1, width / grid_size**2
    return depth


def nearby(span, width):
    """Return the numbers of the cells around a span, of those `width` seconds long."""
    return range(int(span.start_seconds / width) - 1, int(span.end_seconds / width) + 2)


def test_the_oracle_guesses_where_no_view_within_its_depth_shows_what_must_be_seen():
    """An upper bound of what can be found, not of what is known: at depth 0 it is at chance."""
    shown = Span(1000.3, 1001.7)  # between the moments of the first view
    options, small = tuple("abcd"), {"grid_size": 8, "tile_size": TINY}
    right = 0
    for answer in range(4):
        task = MultipleChoice(
            DrawnSource(3600.0), "Which?", options=options, answer=answer, truth=(shown,)
        )
        for seed in range(10):
            right += play(Oracle(), task, max_depth=0, seed=seed, **small).score
        assert play(Oracle(), task, max_depth=1, **small).score == 1.0
    assert right < 20
