"""Tasks: what counts as right, and how a task is described."""

import numpy as np
import pytest
from drawn import DrawnSource

from eval.record import Record
from policies.baselines import Random
from policies.rollout import Episode
from videoatlas_gym.memory import Evidence, Scratchpad
from videoatlas_gym.span import GridGeometry, Span
from videoatlas_gym.state import AtlasState
from videoatlas_gym.tasks import (
    FrameSearch,
    MultipleChoice,
    OpenQuestion,
    Task,
    TemporalGrounding,
    temporal_f1,
    temporal_iou,
)
from videoatlas_gym.usage import Usage
from videoatlas_gym.video import Frame

VIDEO = DrawnSource(100.0)
GOAL = Frame(np.zeros((8, 8, 3), np.uint8), 0.0, 0)


def holding(*finds):
    """Return a state of the drawn video with (start, end, confidence, step) kept at the middle."""
    pad = Scratchpad()
    for start, end, *rest in finds:
        span = Span(start, end)
        confidence, step = (*rest, 1.0, 0)[:2] if len(rest) != 1 else (rest[0], 0)
        pad = pad.add(Evidence(span.midpoint_seconds, span, confidence, step))
    return AtlasState(GridGeometry(100.0), scratchpad=pad)


NOTHING = holding()


def test_multiple_choice_is_right_for_the_one_index_only():
    task = MultipleChoice(VIDEO, "Which?", options=("a", "b", "c"), answer=2)
    assert [task.score(i, NOTHING) for i in range(3)] == [0.0, 0.0, 1.0]
    assert task.score(None, NOTHING) == task.score("c", NOTHING) == 0.0
    assert task.score(np.int64(2), NOTHING) == 1.0


def test_multiple_choice_without_a_key_is_never_right():
    task = MultipleChoice(VIDEO, "Which?", options=("a", "b"))
    assert task.score(0, NOTHING) == task.score(None, NOTHING) == 0.0


@pytest.mark.parametrize("answer", [-1, 3, True, 1.0, "b"])
def test_multiple_choice_refuses_an_answer_that_is_no_index(answer):
    with pytest.raises(ValueError, match="index of an option, 0 to 2, got"):
        MultipleChoice(VIDEO, "Which?", options=("a", "b", "c"), answer=answer)


def test_multiple_choice_needs_options():
    with pytest.raises(ValueError, match="needs options; use OpenQuestion"):
        MultipleChoice(VIDEO, "Which?")


@pytest.mark.parametrize("count", [1, 9])
def test_a_task_has_two_to_eight_options(count):
    with pytest.raises(ValueError, match=f"2 to 8 options or none, got {count}"):
        MultipleChoice(VIDEO, "Which?", options=tuple("abcdefghi"[:count]), answer=0)


@pytest.mark.parametrize(
    "accepted, given",
    [
        ("Berlin", "berlin"),
        ("Berlin", "  BERLIN. "),
        ("the red car", "A red car!"),
        ("Straße", "STRASSE"),
        ("Café", "Cafe\u0301"),
        ("five", "\uff26\uff29\uff36\uff25"),
        ("12", "１２"),
        ("東京", "東京。"),
        ("東京 タワー", "「東京　ﾀﾜｰ」"),
        ("Ёлка", "ёлка"),
        ("rock 'n' roll", "rock n roll"),
        ("red|crimson", "Crimson"),
        ("red | dark red", "dark red"),
        ("$5", "5"),
        ("A", "a."),
        ("+", "+"),
        (7, "7"),
    ],
)
def test_an_open_question_accepts_the_same_text_in_another_form(accepted, given):
    assert OpenQuestion(VIDEO, "What?", answer=accepted).score(given, NOTHING) == 1.0


@pytest.mark.parametrize(
    "accepted, given",
    [
        ("red", "green"),
        ("red", "red car"),
        ("12", "1 2"),
        ("東京", "京都"),
        ("art", "rt"),
        ("red|crimson", "red|crimson"),
        ("cafe", "café"),
        ("A", "the"),
        ("+", "-"),
    ],
)
def test_an_open_question_rejects_another_text(accepted, given):
    assert OpenQuestion(VIDEO, "What?", answer=accepted).score(given, NOTHING) == 0.0


@pytest.mark.parametrize("reply", [None, "", "  \n"])
def test_an_empty_reply_is_an_abstention_even_before_a_judge(reply):
    lenient = OpenQuestion(VIDEO, "What?", answer="x", judge=lambda *_: 1.0)
    assert lenient.score(reply, NOTHING) == 0.0
    assert OpenQuestion(VIDEO, "What?", answer="x").score(reply, NOTHING) == 0.0


@pytest.mark.parametrize("reply", ["...", "the", "!"])
def test_a_reply_of_punctuation_or_articles_is_not_right_by_an_empty_alternative(reply):
    assert OpenQuestion(VIDEO, "What?", answer="red|").score(reply, NOTHING) == 0.0


def test_a_judge_replaces_the_comparison_and_is_cut_to_the_unit_interval():
    heard = []

    def judge(question, reference, given):
        heard.append((question, reference, given))
        return {"low": -3, "half": 0.5, "high": 7}[given]

    task = OpenQuestion(VIDEO, "What?", answer="x|y", judge=judge)
    assert [task.score(text, NOTHING) for text in ("low", "half", "high")] == [0.0, 0.5, 1.0]
    assert heard[1] == ("What?", "x|y", "half")


def test_an_open_question_refuses_options_and_an_empty_key():
    with pytest.raises(ValueError, match="has no options; use MultipleChoice"):
        OpenQuestion(VIDEO, "What?", options=("a", "b"))
    with pytest.raises(ValueError, match="must not be empty"):
        OpenQuestion(VIDEO, "What?", answer=" ")
    assert OpenQuestion(VIDEO, "What?").score("anything", NOTHING) == 0.0


@pytest.mark.parametrize(
    "found, truth, iou, f1",
    [
        ([], [(0, 1)], 0.0, 0.0),
        ([(0, 1)], [(1, 2)], 0.0, 0.0),
        ([(0, 2)], [(1, 3)], 1 / 3, 1 / 2),
        ([(0, 10)], [(0, 1), (9, 10)], 0.2, 1 / 3),
        ([(0, 1), (9, 10)], [(0, 1), (9, 10)], 1.0, 1.0),
        ([(0, 4), (6, 8)], [(2, 7)], 3 / 8, 6 / 11),
    ],
)
def test_overlap_is_measured_between_unions_of_spans(found, truth, iou, f1):
    spans = [tuple(Span(*pair) for pair in pairs) for pairs in (found, truth)]
    assert temporal_iou(*spans) == pytest.approx(iou)
    assert temporal_f1(*spans) == pytest.approx(f1)
    assert temporal_iou((), ()) == temporal_f1((), ()) == 0.0


def test_grounding_scores_the_union_of_evidence_once_however_often_it_was_kept():
    task = TemporalGrounding(VIDEO, "When?", truth=(Span(10, 20), Span(40, 50)))
    assert task.score(None, holding((10, 20), (12, 18), (40, 50))) == 1.0
    assert task.score(None, holding((10, 20))) == 0.5
    assert task.score(None, NOTHING) == 0.0


def test_grounding_is_its_truth_share_for_one_who_keeps_everything():
    task = TemporalGrounding(VIDEO, "When?", truth=(Span(10, 16),))
    all_kept = holding(*((float(start), start + 5.0) for start in range(0, 100, 5)))
    assert task.score(None, all_kept) == pytest.approx(0.06)


def test_grounding_and_frame_search_need_a_truth():
    with pytest.raises(ValueError, match="at least one truth span"):
        TemporalGrounding(VIDEO, "When?")
    for given in ({"goal": GOAL}, {"truth": (Span(0, 1),)}):
        with pytest.raises(ValueError, match="needs a goal picture and the spans"):
            FrameSearch(VIDEO, "Where?", **given)


def search_task():
    return FrameSearch(VIDEO, "Where?", truth=(Span(10, 12), Span(50, 52)), goal=GOAL)


def test_frame_search_is_judged_by_the_moment_of_the_most_confident_item():
    assert search_task().score(None, holding((10, 12, 0.9), (70, 72, 0.8))) == 1.0
    assert search_task().score(None, holding((10, 12, 0.8), (70, 72, 0.9))) == 0.0
    assert search_task().score(None, holding((50, 52))) == 1.0
    assert search_task().score(None, NOTHING) == 0.0
    assert search_task().score(None, holding((0, 100))) == 1.0  # the moment counts: 50 s
    assert search_task().score(None, holding((0, 20.1), (0, 23.9, 0.8))) == 1.0
    assert search_task().score(None, holding((0, 24.0))) == 0.0  # truth is half-open


def test_frame_search_goes_by_the_newest_of_equally_confident_items():
    assert search_task().score(None, holding((10, 12, 0.9, 1), (70, 72, 0.9, 2))) == 0.0
    assert search_task().score(None, holding((10, 12, 0.9, 3), (70, 72, 0.9, 2))) == 1.0


@pytest.mark.parametrize("last, score", [(12, 1.0), (13, 0.0), (0, 0.0)])
def test_of_everything_kept_only_the_last_decides_a_frame_search(last, score):
    seen = [cell for cell in range(16) if cell != last] + [last]
    moments = [(cell * 6.25, cell * 6.25 + 6.25, 1.0, step) for step, cell in enumerate(seen)]
    truth = Span(12 * 6.25, 13 * 6.25)
    task = FrameSearch(VIDEO, "Where?", truth=(truth,), goal=GOAL)
    assert task.score(None, holding(*moments)) == score


def test_truth_spans_that_touch_or_overlap_become_one():
    task = TemporalGrounding(
        VIDEO, "When?", truth=(Span(30, 40), Span(10, 20), Span(20, 25), Span(12, 18), Span(10, 20))
    )
    assert task.truth == (Span(10, 25), Span(30, 40))


@pytest.mark.parametrize("span", [(-1, 2), (5, 5), (99, 101)])
def test_a_truth_span_must_lie_in_the_video(span):
    with pytest.raises(ValueError, match=r"must lie in the video \[0, 100.0\) and not be empty"):
        TemporalGrounding(VIDEO, "When?", truth=(Span(*span),))


def test_a_task_needs_a_query_and_must_say_what_is_right():
    with pytest.raises(ValueError, match="needs a query"):
        OpenQuestion(VIDEO, "  ")
    with pytest.raises(TypeError, match="Task must say what counts as right"):
        Task(VIDEO, "?").score(None, NOTHING)


def test_chance_is_told_where_a_guess_can_be_drawn_and_nowhere_else():
    assert MultipleChoice(VIDEO, "?", options=("a", "b", "c", "d"), answer=0).chance == 0.25
    assert search_task().chance == pytest.approx(0.04)
    assert TemporalGrounding(VIDEO, "When?", truth=(Span(10, 16),)).chance is None
    assert OpenQuestion(VIDEO, "What?", answer="x", truth=(Span(10, 16),)).chance is None


def test_a_record_of_a_task_without_a_chance_has_none():
    task = TemporalGrounding(VIDEO, "When?", truth=(Span(10, 16),))
    common = {"config_hash": "h", "seed": 0, "policy": Random()}
    key, played = ("a set", "random", 1, "none", 0), Episode(usage=Usage(), score=0.0)
    record = Record.of(played, key, task=task, **common)
    assert record.chance is None and Record.from_line(record.to_line()) == record
    assert Record.of(played, key, task=search_task(), **common).chance == 0.04
