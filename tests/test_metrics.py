"""Means come with intervals that respect clusters, and failures are never averaged in."""

from itertools import product

import numpy as np
import pytest
from test_records import made_record

from eval.metrics import bootstrap_interval, resampled_means, summaries, summarise, table
from videoatlas_gym.usage import Usage


def records_of(policy="random", depth=1, scores=(1.0, 0.0), groups=None, frames=9, **changes):
    """Return a record per score, each of its own footage unless groups are given."""
    usage = Usage(steps=3, frames=frames, views=4).to_json()
    groups = groups or [f"{i}.mp4" for i in range(len(scores))]
    return [
        made_record(
            policy=policy,
            depth=depth,
            task_index=i,
            score=score,
            group=group,
            usage=usage,
            **changes,
        )
        for i, (score, group) in enumerate(zip(scores, groups, strict=True))
    ]


def render(records, policies=("random",), depths=(1,), episodes=2):
    """Return the table of some records."""
    return table(records, policies=policies, depths=depths, episodes=episodes, title="test")


def test_resampling_takes_whole_groups_as_a_loop_would():
    scores, groups = np.array([1.0, 0.0, 0.5, 1.0, 0.2]), ["b", "a", "b", "c", "c"]
    drawn = np.random.default_rng(3).integers(3, size=(50, 3))
    members = [[0.0], [1.0, 0.5], [1.0, 0.2]]
    expected = [np.mean(sum((members[i] for i in row), [])) for row in drawn]
    means = resampled_means(scores, groups, resamples=50, seed=3)
    np.testing.assert_allclose(means, expected, rtol=1e-12)


def test_resampled_means_have_the_exact_distribution():
    scores, groups = np.array([1.0, 1.0, 0.0, 0.5]), ["a", "a", "b", "c"]
    members = [[1.0, 1.0], [0.0], [0.5]]
    exact = [np.mean(sum((members[i] for i in row), [])) for row in product(range(3), repeat=3)]
    means = resampled_means(scores, groups, resamples=50_000, seed=0)
    assert set(np.round(means, 9)) == set(np.round(exact, 9))
    assert np.mean(means) == pytest.approx(np.mean(exact), abs=0.005)
    assert np.std(means) == pytest.approx(np.std(exact), abs=0.005)


def test_clustered_data_has_a_wider_interval_than_the_same_data_unclustered():
    scores = np.repeat([0.0, 1.0], 60)
    clustered = bootstrap_interval(scores, [f"video {i // 10}" for i in range(120)])
    apart = bootstrap_interval(scores, [f"video {i}" for i in range(120)])
    assert clustered[1] - clustered[0] > 2 * (apart[1] - apart[0])
    assert clustered[0] < apart[0] < 0.5 < apart[1] < clustered[1]


def test_no_interval_is_given_below_ten_clusters():
    scores = [0.0, 1.0] * 50
    assert bootstrap_interval(scores, [str(i % 9) for i in range(100)]) is None
    assert bootstrap_interval(scores, [str(i % 10) for i in range(100)]) is not None
    assert bootstrap_interval([], []) is None


def test_an_interval_is_the_same_every_time_and_asks_for_a_group_per_score():
    scores, groups = np.linspace(0, 1, 30), [str(i % 12) for i in range(30)]
    first = bootstrap_interval(scores, groups)
    assert first == bootstrap_interval(scores, groups) != bootstrap_interval(scores, groups, seed=1)
    wide = bootstrap_interval(scores, groups, level=0.99)
    assert wide[0] <= first[0] < first[1] <= wide[1]
    with pytest.raises(ValueError, match="group per score"):
        bootstrap_interval(scores, groups[1:])


def test_failures_are_counted_apart_and_never_averaged_in():
    lost = [
        made_record(task_index=2, infra_error="FrameDecodeError: x", group="lost"),
        made_record(task_index=3, error="KeyError: 'x'", group="lost"),
    ]
    summary = summarise(records_of(scores=(1.0, 1.0)) + lost)
    assert (summary.n_total, summary.n_scored) == (4, 2)
    assert (summary.n_infra_error, summary.n_error) == (1, 1)
    assert summary.mean_score == 1.0
    assert summary.n_clusters == 2
    text = render(records_of(scores=(1.0, 1.0)) + lost, episodes=4)
    assert "| random | 1.00, 9.0 frames |" in text
    assert "Not averaged in: 1 episodes in which infrastructure failed and 1 in which" in text
    assert "| random | 1 | 4 | 2 | 0 | 1 | 1 | 2 |" in text


def test_an_entry_without_any_score_has_no_mean():
    summary = summarise([made_record(infra_error="x")])
    assert summary.mean_score is summary.interval is summary.mean_frames is None
    assert "| random | - |" in render([made_record(infra_error="x")], episodes=1)


def test_an_episode_counts_as_answered_by_an_answer_or_by_evidence():
    records = [
        made_record(task_index=0, answer=0),
        made_record(task_index=1, evidence=[{"seconds": 1.0}]),
        made_record(task_index=2),
    ]
    assert summarise(records).n_answered == 2


def test_costs_are_means_over_scored_episodes():
    records = records_of(scores=(1.0, 0.0), frames=8, seconds=2.0)
    records += [made_record(task_index=2, infra_error="x", seconds=100.0)]
    summary = summarise(records)
    assert (summary.mean_frames, summary.mean_steps, summary.mean_views) == (8, 3, 4)
    assert summary.mean_seconds == 2.0


def test_a_summary_is_of_one_policy_at_one_depth():
    for mixed in ([], records_of(depth=0) + records_of(depth=1)):
        with pytest.raises(ValueError, match="one policy at one depth"):
            summarise(mixed)


def test_the_table_has_policies_as_rows_and_depths_as_columns():
    scores, more = (1.0, 0.0) * 6, (1.0, 1.0, 0.0) * 4
    records = [
        *records_of("bfs", 0, scores),
        *records_of("bfs", "auto", more),
        *records_of("random", 0, scores),
        *records_of("random", "auto", scores),
    ]
    text = render(records, ("random", "bfs"), (0, "auto"), episodes=12)
    lines = text.splitlines()
    assert lines[0] == "# test"
    assert lines[2] == "| policy | depth 0 | depth auto |"
    interval = "[{:.2f}, {:.2f}]".format(*bootstrap_interval(more, list("abcdefghijkl")))
    assert lines[4].startswith("| random | 0.50 [0.25, 0.75], 9.0 frames |")
    assert lines[5].endswith(f"| 0.67 {interval}, 9.0 frames |")
    assert "n = 12 scored of 12 episodes per entry, in 12 clusters" in text
    assert "Incomplete" not in text and "Budgets differ" not in text and "Not averaged" not in text


def test_the_table_does_not_depend_on_order_time_or_decoder_work():
    records = records_of("bfs", scores=(0.1, 0.2, 0.7)) + records_of(scores=(0.3, 0.3, 0.1))
    slower = records_of("bfs", scores=(0.1, 0.2, 0.7), seconds=9.0, frames_decoded=999)
    slower += records_of(scores=(0.3, 0.3, 0.1), seconds=7.0)
    asked = {"policies": ("bfs", "random"), "episodes": 3}
    assert render(records, **asked) == render(slower[::-1], **asked)


def test_privileged_policies_are_marked():
    text = render(records_of("oracle", is_privileged=True), ("oracle",))
    assert "| oracle \\* |" in text
    assert "\\* Shown the truth (privileged)" in text
    assert "privileged" not in render(records_of())


def test_an_incomplete_run_says_so():
    text = render(records_of(), ("random", "bfs"), (1, 2), episodes=2)
    assert "**Incomplete: 2 of 8 episodes.**" in text
    assert "| bfs | - | - |" in text
    assert "**Incomplete: 0 of 2 episodes.**" in render([])


def test_different_budgets_are_pointed_out():
    records = records_of("bfs", frames=40) + records_of(frames=9) + records_of("bfs", depth=0)
    text = render(records, ("bfs", "random"), (0, 1))
    assert "Budgets differ between policies (depth 1: 9 to 40 frames, 3 steps)" in text


def test_missing_intervals_are_explained():
    assert "No interval is given for fewer than 10 clusters" in render(records_of())
    many = render(records_of(scores=(1.0, 0.0) * 5), episodes=10)
    assert "Brackets: 95 %" in many and "No interval" not in many and "no width" not in many
    equal = render(records_of(scores=(0.0,) * 10), episodes=10)
    assert "0.00 [0.00, 0.00]" in equal and "not that it is certain" in equal


def test_summaries_come_in_the_order_asked():
    records = records_of("a", 0) + records_of("b", 1) + records_of("b", 0)
    found = summaries(records, policies=["b", "a", "c"], depths=[0, 1])
    assert list(found) == [("b", 0), ("b", 1), ("a", 0)]
