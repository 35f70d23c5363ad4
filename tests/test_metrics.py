"""Measures of an episode are those counted by hand; means leave out what does not count."""

import numpy as np
import pytest
from reporting import item, made, row

from eval.metrics import (
    RECALL_IOUS,
    by_family,
    cells_of,
    difference,
    measure,
    summaries,
    summarise,
)
from eval.statistics import bootstrap_interval, mean_interval
from videoatlas_gym.usage import Usage


def seconds_of(spans, step=0.5):
    """Return the half-second slots that lie in some spans, to count overlaps by brute force."""
    return {n for n in range(400) if any(a <= n * step + step / 4 < b for a, b in spans)}


def test_a_question_has_an_accuracy_and_no_overlap():
    measured = measure(made(score=1.0, answer=2))
    assert (measured.accuracy, measured.success) == (1.0, 1.0)
    assert measured.tiou is measured.recall_at is measured.evidence_recall is None
    assert measured.evidence_precision is measured.first_step is None
    assert measure(made(score=0.0)).accuracy == 0.0
    judged = measure(made(kind="open_question", score=0.7))
    assert (judged.accuracy, judged.success) == (0.7, 0.0)


def test_grounding_succeeds_from_half_an_overlap_on_and_others_only_when_right():
    grounding = {"kind": "temporal_grounding", "truth": [[0.0, 10.0]]}
    for score, success in ((0.49, 0.0), (0.5, 1.0), (1.0, 1.0)):
        assert measure(made(score=score, **grounding)).success == success
    assert measure(made(kind="frame_search", score=0.5, truth=[[0.0, 1.0]])).success == 0.0
    assert measure(made(kind="temporal_grounding", score=0.5, truth=[[0, 1]])).accuracy is None


def test_tiou_is_that_of_the_unions_counted_by_brute_force():
    random = np.random.default_rng(0)
    for _ in range(50):
        ends = np.sort(random.choice(200, 4, replace=False) / 2.0)
        truth = [ends[:2].tolist(), ends[2:].tolist()]
        starts = random.integers(0, 180, 3) / 2
        spans = [(a, a + random.integers(1, 40) / 2) for a in starts.tolist()]
        evidence = [item(a, (a, b)) for a, b in spans]
        record = made(kind="temporal_grounding", score=0.5, truth=truth, evidence=evidence)
        found, right = seconds_of(spans), seconds_of(truth)
        assert measure(record).tiou == pytest.approx(len(found & right) / len(found | right))
    assert measure(made(kind="temporal_grounding", score=0.0, truth=[[0, 1]])).tiou == 0.0


def recall(*items, truth=((100.0, 110.0), (0.0, 10.0)), kind="temporal_grounding"):
    """Return recall at each overlap for some evidence."""
    record = made(kind=kind, score=0.0, truth=[list(s) for s in truth], evidence=list(items))
    return measure(record).recall_at


def test_recall_at_one_is_about_the_best_item_and_the_truth_span_it_fits_best():
    assert RECALL_IOUS == (0.3, 0.5, 0.7)
    assert recall(item(1, (0, 10))) == (1.0, 1.0, 1.0)
    assert recall(item(1, (0, 6))) == (1.0, 1.0, 0.0)  # 0.6
    assert recall(item(101, (100, 120))) == (1.0, 1.0, 0.0)  # exactly 0.5
    assert recall(item(1, (0, 25))) == (1.0, 0.0, 0.0)  # 0.4
    assert recall(item(50, (40, 60))) == (0.0, 0.0, 0.0)
    assert recall() == (0.0, 0.0, 0.0)
    assert recall(item(1, (0, 10)), kind="frame_search") == (1.0, 1.0, 1.0)
    assert recall(item(1, (0, 10)), kind="multiple_choice") is None


def test_the_most_confident_item_counts_and_of_equals_the_newest():
    right, wrong = (0, 10), (50, 60)
    assert recall(item(1, right, 0.9), item(51, wrong, 0.8)) == (1.0, 1.0, 1.0)
    assert recall(item(1, right, 0.8), item(51, wrong, 0.9)) == (0.0, 0.0, 0.0)
    assert recall(item(1, right, 0.9, step=5), item(51, wrong, 0.9, step=4)) == (1.0, 1.0, 1.0)
    assert recall(item(1, right, 0.9, step=4), item(51, wrong, 0.9, step=5)) == (0.0, 0.0, 0.0)


def test_evidence_recall_is_the_share_of_needed_spans_that_were_seen():
    needs = [[0.0, 10.0], [20.0, 30.0], [25.0, 40.0], [60.0, 70.0]]
    truth = [[0.0, 70.0]]
    seen = [item(m, (m - 1, m + 1)) for m in (10.0, 26.0, 27.0)]  # 10.0 lies outside [0, 10)
    assert measure(made(truth=truth, needs=needs, evidence=seen)).evidence_recall == 0.5
    assert measure(made(truth=truth, needs=needs)).evidence_recall == 0.0
    any_will_do = {"truth": [[0.0, 10.0], [20.0, 30.0]]}
    assert measure(made(evidence=[item(25, (20, 30))], **any_will_do)).evidence_recall == 1.0
    assert measure(made(evidence=[item(15, (10, 20))], **any_will_do)).evidence_recall == 0.0


def test_precision_and_the_first_step_are_about_moments_in_the_truth():
    evidence = [item(5, (0, 9), step=9), item(7, (0, 9), step=7), item(50, (0, 99), step=1)]
    measured = measure(made(truth=[[0.0, 10.0]], evidence=[*evidence, item(10, (9, 11), step=2)]))
    assert (measured.evidence_precision, measured.first_step) == (0.5, 7)
    empty = measure(made(truth=[[0.0, 10.0]]))
    assert empty.evidence_precision is empty.first_step is None
    missed = measure(made(truth=[[0.0, 10.0]], evidence=evidence[2:]))
    assert (missed.evidence_precision, missed.first_step) == (0.0, None)


def test_failures_are_counted_apart_and_never_averaged_in():
    lost = [
        made(task_index=2, infra_error="FrameDecodeError: x", group="lost"),
        made(task_index=3, error="KeyError: 'x'", group="lost"),
    ]
    summary = summarise(row([1.0, 1.0]) + lost)
    assert (summary.n_total, summary.n_scored) == (4, 2)
    assert (summary.n_infra_error, summary.n_error) == (1, 1)
    assert (summary.mean_score, summary.accuracy, summary.n_clusters) == (1.0, 1.0, 2)


def test_an_entry_without_any_score_has_no_mean():
    summary = summarise([made(infra_error="x")])
    assert summary.mean_score is summary.interval is summary.mean_frames is None
    assert summary.recall_at is summary.seconds is summary.coverage_dead is None
    assert summary.usage == {}


def test_questions_are_answered_by_an_answer_and_other_tasks_by_evidence():
    kept = [item(1, (0, 2))]
    for kind, answered in (("multiple_choice", 1), ("open_question", 1), ("frame_search", 2)):
        records = [
            made(task_index=0, kind=kind, answer=0, evidence=kept),
            made(task_index=1, kind=kind, evidence=kept),
            made(task_index=2, kind=kind),
        ]
        assert summarise(records).n_answered == answered


def test_costs_and_coverage_are_means_over_scored_episodes():
    usage = Usage(steps=4, frames=10, views=2, model_calls=1, input_tokens=30, output_tokens=4)
    records = [
        made(coverage_explored=0.5, coverage_dead=0.25, timing={"seconds": 2.0}),
        made(task_index=1, usage=usage.to_json(), timing={"seconds": 4.0}),
        made(task_index=2, infra_error="x", timing={"seconds": 100.0}),
    ]
    summary = summarise(records)
    assert (summary.usage["steps"], summary.mean_frames, summary.usage["views"]) == (3.5, 9.5, 3)
    assert (summary.usage["model_calls"], summary.usage["tokens"]) == (0.5, 17)
    assert (summary.seconds, summary.frames_decoded) == (3.0, 9)
    assert (summary.coverage_explored, summary.coverage_dead) == (0.25, 0.125)


def test_measures_are_averaged_where_they_are_defined():
    grounding = {"kind": "temporal_grounding", "truth": [[0.0, 10.0]]}
    records = [
        made(score=1.0),
        made(task_index=1, score=0.0),
        made(task_index=2, score=0.6, evidence=[item(5, (0, 6), step=4)], **grounding),
        made(task_index=3, score=0.0, **grounding),
    ]
    summary = summarise(records)
    assert (summary.mean_score, summary.accuracy) == (pytest.approx(0.4), 0.5)
    assert (summary.success, summary.tiou) == (0.5, pytest.approx(0.3))
    assert summary.recall_at == (0.5, 0.5, 0.0)
    assert (summary.evidence_recall, summary.evidence_precision) == (0.5, 1.0)
    assert summary.first_step == 4


def test_the_interval_of_an_entry_is_clustered_by_its_groups():
    scores = [float(i % 3 == 0) for i in range(40)]
    groups = [f"world-{i // 3}" for i in range(40)]
    assert summarise(row(scores, groups)).interval == mean_interval(scores, groups)
    assert summarise(row(scores, groups)[::-1]) == summarise(row(scores, groups))


def test_a_summary_is_of_one_cell():
    for change in ({"depth": 0}, {"policy": "bfs"}, {"budget": "steps=5"}, {"task_set": "other"}):
        with pytest.raises(ValueError, match="one policy on one task set at one depth under one"):
            summarise([made(), made(**change)])
    with pytest.raises(ValueError, match="at least one"):
        summarise([])


def test_records_are_grouped_by_cell_and_by_family():
    records = [made(policy="b"), made(policy="a", family="y"), made(policy="a", task_index=1)]
    assert list(summaries(records)) == [("story-1h", "b", 1, "none"), ("story-1h", "a", 1, "none")]
    assert [len(found) for found in cells_of(records).values()] == [1, 2]
    assert {k: len(v) for k, v in by_family(records).items()} == {"": 2, "y": 1}


def test_a_difference_takes_tasks_that_both_have_a_score_for():
    ours = [*row([1.0, 1.0, 0.0], policy="bfs"), made(task_index=3, policy="bfs", error="x")]
    theirs = [made(task_index=0, error="x"), *row([0.0, 0.0, 1.0, 1.0])[1:]]
    found = difference(ours, theirs)
    assert (found.mean, found.n, found.interval) == (0.0, 2, None)
    assert difference(ours, []) is None


def test_the_interval_of_a_difference_is_clustered_by_footage_not_by_task():
    groups = [f"world-{index // 3}" for index in range(36)]
    theirs = [float(index % 2) for index in range(36)]
    ours = [1.0 if index // 3 % 2 else score for index, score in enumerate(theirs)]
    found = difference(row(ours, groups, policy="bfs"), row(theirs, groups)[::-1])
    values = [one - other for one, other in zip(ours, theirs, strict=True)]
    assert (found.n, found.n_clusters) == (36, 12)
    assert (found.interval.low, found.interval.high) == bootstrap_interval(values, groups)
    by_task = bootstrap_interval(values, [str(index) for index in range(36)])
    assert by_task != bootstrap_interval(values, groups)
    few = [f"world-{index // 4}" for index in range(36)]
    assert difference(row(ours, few, policy="bfs"), row(theirs, few)).interval is None
