"""What readers keep, when they have enough, and what they answer."""

import math

import numpy as np
import pytest
from drawn import DrawnSource, make_env, one_task_of_each_kind, opened, play

from policies.baselines import Hoarder, Oracle, Random, Uniform
from policies.reading import EVIDENCE_LIMIT, FOUND, ScoreReader, TruthReader
from policies.traversal import Beam, BestFirst, BreadthFirst, DepthFirst, Exhaustive
from videoatlas_gym.span import Span
from videoatlas_gym.tasks import MultipleChoice, OpenQuestion, TemporalGrounding
from videoatlas_gym.wrappers import BlindObservation

SECONDS = 64.0
SEARCHES = [BreadthFirst, DepthFirst, BestFirst, Beam, Exhaustive]
DEEP = {"max_depth": 2, "max_steps": 1000, "min_expand_seconds": 0}


def lottery(observation, info):
    """Return relevances below 0.9 that look random and depend on the cell alone."""
    return 0.9 * np.abs(np.sin(1e4 * info["spans"][:, 0] + 7 * info["spans"][:, 1]))


def of_kind(kind, span=None, seconds=SECONDS):
    return one_task_of_each_kind(DrawnSource(seconds), span or Span(20.0, 22.0))[kind]


def order_question(*needs, options=("a", "b", "c"), answer=1, seconds=SECONDS):
    """Return a question whose answer needs a moment of each span."""
    spans = tuple(Span(*need) for need in needs)
    return MultipleChoice(
        DrawnSource(seconds), "?", options=options, answer=answer, truth=spans, needs=spans
    )


def kept(episode):
    """Return the confidences with which cells were kept, in order."""
    actions = episode.trajectory.actions
    return [a.confidence for a in actions if a.verb == "ADD_TO_SCRATCHPAD"]


def seconds_kept(episode):
    return sorted(item["seconds"] for item in episode.evidence)


def test_the_score_reader_ends_with_the_most_relevant_moments():
    task = of_kind("multiple_choice", seconds=640.0)
    episode = play(Exhaustive(lottery), task, **DEEP)
    geometry, scores = make_env(task, **DEEP), []
    geometry.reset(seed=0)
    state = geometry.state
    cells = {state.current, *opened(episode)}
    for cell in cells:
        edges = state.geometry.edges(cell)
        scores += lottery(None, {"spans": np.stack([edges[:-1], edges[1:]], axis=1)}).tolist()
    best = sorted((item["confidence"] for item in episode.evidence), reverse=True)[:EVIDENCE_LIMIT]
    assert best == pytest.approx(
        [0.7 + 0.3 * s for s in sorted(scores)[: -EVIDENCE_LIMIT - 1 : -1]]
    )
    assert len(kept(episode)) < len(scores) / 2


def test_the_score_reader_keeps_only_what_beats_the_fourth_best():
    confidences = kept(play(BreadthFirst(lottery), of_kind("temporal_grounding"), **DEEP))
    for index in range(EVIDENCE_LIMIT, len(confidences)):
        before = sorted(confidences[:index])
        assert confidences[index] > before[-EVIDENCE_LIMIT]


def test_of_equal_cells_the_score_reader_keeps_the_first_four():
    def same(observation, info):
        return np.full(len(info["spans"]), 0.5)

    episode = play(BreadthFirst(same), of_kind("multiple_choice"), grid_size=3, **DEEP)
    middles = [SECONDS / 9 * (i + 0.5) for i in range(EVIDENCE_LIMIT)]
    assert seconds_kept(episode) == pytest.approx(middles)
    one = play(BreadthFirst(same), of_kind("frame_search"), grid_size=3, **DEEP)
    assert seconds_kept(one) == pytest.approx(middles[:1])


def test_moments_less_than_a_second_apart_take_one_place_of_the_four():
    def late(observation, info):
        return np.minimum(0.9, info["spans"].mean(axis=1) / 100)

    task = of_kind("open_question", Span(1.0, 2.0), seconds=8.0)
    episode = play(Uniform(late), task, grid_size=4)  # cells of half a second
    assert seconds_kept(episode) == [4.75, 5.75, 6.75, 7.75]


@pytest.mark.parametrize("policy", SEARCHES[:4])
@pytest.mark.parametrize(("relevance", "stops"), [(FOUND, True), (FOUND - 0.01, False)])
def test_the_score_reader_has_enough_for_one_picture_only(policy, relevance, stops):
    def score(observation, info):
        return np.array([0.1, relevance, 0.2, 0.3])

    first = {"ADD_TO_SCRATCHPAD": 1, "FINISHED": 1}
    assert (play(policy(score), of_kind("frame_search"), **DEEP).actions == first) == stops
    assert play(policy(score), of_kind("multiple_choice"), **DEEP).actions["EXPAND"] > 3


@pytest.mark.parametrize("policy", SEARCHES)
@pytest.mark.parametrize("kind", ["multiple_choice", "open_question", "frame_search"])
def test_the_perfect_reader_is_right_when_a_true_moment_was_displayed(policy, kind):
    task = of_kind(kind, Span(41.0, 43.0))
    options = DEEP | {"max_depth": 3}
    episode = play(policy(lottery, TruthReader()), task, **options)
    was_seen = any(41.0 <= s < 43.0 for s in seconds_kept(episode))
    assert len(kept(episode)) == was_seen
    if policy is not Beam:
        assert was_seen
    if was_seen or not task.options:
        assert episode.score == float(was_seen)


def test_the_perfect_reader_keeps_the_first_cell_of_each_unseen_span_and_then_stops():
    task = order_question((9.0, 25.0), (33.0, 39.0), (57.0, 63.0))
    episode = play(BreadthFirst(lottery, TruthReader()), task, grid_size=4, **DEEP)
    # Cells of 4 s show 10, 14, 18, 22 s of the first span, 34 and 38 s of the second, 58 and 62 s.
    assert [(a.verb, a.cell) for a in episode.trajectory.actions[:3]] == [
        ("ADD_TO_SCRATCHPAD", 2),
        ("ADD_TO_SCRATCHPAD", 8),
        ("ADD_TO_SCRATCHPAD", 14),
    ]
    assert episode.actions == {"ADD_TO_SCRATCHPAD": 3, "ANSWER": 1} and episode.score == 1.0


def answers(task, count, **options):
    policy = BreadthFirst(lottery, TruthReader())
    return [play(policy, task, seed=seed, **options).score for seed in range(count)]


def test_the_perfect_reader_guesses_while_any_of_several_spans_is_unseen():
    # At depth 0 cells show 8, 24, 40 and 56 s; 33 s is shown two levels deeper.
    task = order_question((7.0, 9.0), (32.5, 33.5))
    shallow = answers(task, 120, max_depth=0)
    assert abs(sum(shallow) - 40) < 3.5 * math.sqrt(120 * 2 / 9)
    assert answers(task, 8, max_depth=2, max_steps=1000, min_expand_seconds=0) == [1.0] * 8


def test_five_needed_moments_are_more_than_are_read():
    needs = [(10.0 * i + 4, 10.0 * i + 6) for i in range(5)]
    assert set(answers(order_question(*needs[:4]), 30, grid_size=8, max_depth=0)) == {1.0}
    five = answers(order_question(*needs), 60, grid_size=8, max_depth=0)
    assert 8 < sum(five) < 35


def test_the_perfect_reader_covers_what_the_oracle_covers_when_all_is_opened():
    task = TemporalGrounding(
        DrawnSource(SECONDS), "When?", truth=(Span(5.0, 14.5), Span(40.0, 41.0))
    )
    for depth in (0, 1, 2):
        options = DEEP | {"max_depth": depth, "grid_size": 3}
        oracle = play(Oracle(), task, **options)
        episode = play(Exhaustive(None, TruthReader()), task, **options)
        assert episode.score == pytest.approx(oracle.score)
        assert all(sure == 1.0 for sure in kept(episode))
    assert episode.score > 0.9


def test_the_perfect_reader_stops_once_the_truth_is_covered():
    task = TemporalGrounding(DrawnSource(SECONDS), "When?", truth=(Span(16.0, 32.0),))
    episode = play(BreadthFirst(None, TruthReader()), task, **DEEP)
    assert episode.actions == {"ADD_TO_SCRATCHPAD": 1, "FINISHED": 1} and episode.score == 1.0


def test_the_perfect_reader_is_content_with_nineteen_twentieths_of_the_truth_and_no_less():
    for end, looks_on in ((32.8, False), (33.0, True), (40.0, True)):  # 16 of 16.8, 17 and 24 s
        task = TemporalGrounding(DrawnSource(SECONDS), "When?", truth=(Span(16.0, end),))
        episode = play(BreadthFirst(None, TruthReader()), task, **DEEP | {"max_depth": 4})
        assert ("EXPAND" in episode.actions) == looks_on
        assert episode.terminated and 0.95 <= episode.score <= 1.0
        assert looks_on or episode.score == pytest.approx(16 / 16.8)


@pytest.mark.parametrize("policy", SEARCHES[:4])
def test_the_perfect_reader_never_says_where_to_go(policy):
    options = DEEP | {"max_steps": 60}
    one = play(
        policy(lottery, TruthReader()), of_kind("multiple_choice", Span(60.9, 61.0)), **options
    )
    other = play(
        policy(lottery, TruthReader()), of_kind("multiple_choice", Span(2.1, 2.2)), **options
    )
    assert opened(one) == opened(other) != []


def test_what_is_not_displayed_is_not_recognised():
    policy = Uniform(None, TruthReader())
    task = order_question((0.0, SECONDS))
    env = BlindObservation(make_env(task, policy))
    policy_sees = []
    for wrapped in (env, env.unwrapped):
        observation, info = wrapped.reset(seed=0)
        policy.reader.begin(observation, seed=0, task=task)
        state = env.unwrapped.state
        policy_sees.append(policy.reader.keep(state, observation, info, np.zeros(4)))
    assert [len(actions) for actions in policy_sees] == [0, 1]


def test_an_open_question_is_answered_in_words_when_it_was_seen_and_not_at_all_else():
    task = OpenQuestion(DrawnSource(SECONDS), "Who?", answer="Ada|A", truth=(Span(7.0, 9.0),))
    for max_steps in (2, 10):
        seen = play(BreadthFirst(None, TruthReader()), task, max_steps=max_steps)
        assert (seen.score, seen.answer) == (1.0, "Ada")
    unseen = OpenQuestion(DrawnSource(SECONDS), "Who?", answer="Ada", truth=(Span(1.0, 1.1),))
    assert play(BreadthFirst(None, TruthReader()), unseen, max_depth=0).score == 0.0


def test_the_truth_reader_must_be_given_the_task():
    with pytest.raises(ValueError, match="the truth reader needs the task"):
        TruthReader().begin({}, seed=0, task=None)
    assert TruthReader().reads_truth and not ScoreReader().reads_truth


@pytest.mark.parametrize("policy", [Hoarder, Random])
def test_keeping_everything_is_chance_though_a_perfect_reader_answers(policy):
    random, right, count = np.random.default_rng(5), 0.0, 100
    for seed, start in enumerate(random.uniform(0, 3590, count).tolist()):
        task = order_question((start, start + 4), seconds=3600.0, answer=seed % 3)
        options = {"max_steps": 20, "grid_size": 3, "tile_size": (16, 9)}
        right += play(policy(TruthReader()), task, seed=seed, **options).score
    # Random may run out of steps before it answers; more than chance is what must not be.
    deviation = 3.5 * math.sqrt(count * 2 / 9)
    assert right - count / 3 < deviation
    assert policy is Random or count / 3 - right < deviation


def test_the_hoarder_is_right_only_if_its_newest_moments_show_it():
    task = order_question((0.0, SECONDS))
    assert play(Hoarder(TruthReader()), task).score == 1.0
    assert play(Hoarder(TruthReader()), task, max_steps=9).score == 1.0  # answers in time
