"""Intervals respect clusters, cover what they should, and are exact where nothing varies."""

from itertools import product

import numpy as np
import pytest

from eval.statistics import (
    RESAMPLES,
    Interval,
    bootstrap_interval,
    constant_bound,
    mean_interval,
    paired_difference,
    resampled_means,
)


def test_resampling_takes_whole_groups_as_a_loop_would():
    scores, groups = np.array([1.0, 0.0, 0.5, 1.0, 0.2]), ["b", "a", "b", "c", "c"]
    drawn = np.random.default_rng(3).integers(3, size=(50, 3))
    members = [[0.0], [1.0, 0.5], [1.0, 0.2]]
    expected = [np.mean(sum((members[i] for i in line), [])) for line in drawn]
    means = resampled_means(scores, groups, resamples=50, seed=3)
    np.testing.assert_allclose(means, expected, rtol=1e-12)


def test_resampled_means_have_the_exact_distribution():
    scores, groups = np.array([1.0, 1.0, 0.0, 0.5]), ["a", "a", "b", "c"]
    members = [[1.0, 1.0], [0.0], [0.5]]
    exact = [np.mean(sum((members[i] for i in line), [])) for line in product(range(3), repeat=3)]
    means = resampled_means(scores, groups, resamples=50_000, seed=0)
    assert set(np.round(means, 9)) == set(np.round(exact, 9))
    assert np.mean(means) == pytest.approx(np.mean(exact), abs=0.005)
    assert np.std(means) == pytest.approx(np.std(exact), abs=0.005)


def test_many_clusters_are_drawn_in_parts_with_the_same_result(monkeypatch):
    scores, groups = np.linspace(0, 1, 50) ** 2, [str(i) for i in range(50)]
    whole = resampled_means(scores, groups, resamples=101, seed=1)
    monkeypatch.setattr("eval.statistics._CHUNK", 7 * 50)
    assert (resampled_means(scores, groups, resamples=101, seed=1) == whole).all()


def test_clustered_data_has_a_wider_interval_than_the_same_data_unclustered():
    scores = np.repeat([0.0, 1.0], 60)
    clustered = bootstrap_interval(scores, [f"video {i // 10}" for i in range(120)])
    apart = bootstrap_interval(scores, [f"video {i}" for i in range(120)])
    assert clustered[1] - clustered[0] > 2 * (apart[1] - apart[0])
    assert clustered[0] < apart[0] < 0.5 < apart[1] < clustered[1]


def test_no_interval_is_given_below_ten_clusters():
    scores = [0.0, 1.0] * 50
    for interval in (bootstrap_interval, mean_interval):
        assert interval(scores, [str(i % 9) for i in range(100)]) is None
        assert interval([], []) is None
    assert bootstrap_interval(scores, [str(i % 10) for i in range(100)]) is not None
    assert mean_interval([0.0] * 9, list("abcdefghi")) is None


def test_an_interval_is_the_same_every_time_and_asks_for_a_group_per_score():
    scores, groups = np.linspace(0, 1, 30), [str(i % 12) for i in range(30)]
    first = bootstrap_interval(scores, groups)
    assert first == bootstrap_interval(scores, groups) != bootstrap_interval(scores, groups, seed=1)
    wide = bootstrap_interval(scores, groups, level=0.99)
    assert wide[0] <= first[0] < first[1] <= wide[1]
    with pytest.raises(ValueError, match="group per score"):
        bootstrap_interval(scores, groups[1:])


def test_the_bootstrap_covers_the_true_mean_about_as_often_as_it_says():
    random, covered, trials = np.random.default_rng(0), 0, 400
    groups = [str(i // 4) for i in range(160)]
    for _ in range(trials):
        skill = np.repeat(random.beta(2, 3, 40), 4)  # episodes of one video are alike
        low, high = bootstrap_interval((random.random(160) < skill).astype(float), groups)
        covered += low <= 0.4 <= high
    assert 0.91 <= covered / trials <= 0.98


@pytest.mark.parametrize("n", [10, 20, 40])
def test_equal_scores_get_the_bound_at_which_they_would_be_too_rare(n):
    groups = [str(i) for i in range(n)] * 3
    none = mean_interval([0.0] * 3 * n, groups)
    every = mean_interval([1.0] * 3 * n, groups)
    assert none.is_exact and every.is_exact
    assert (none.low, every.high) == (0.0, 1.0)
    assert (1 - none.high) ** n == pytest.approx(0.025)  # that often n clusters show nothing
    assert every.low**n == pytest.approx(0.025)


def test_the_exact_bound_is_that_of_published_tables():
    assert constant_bound(0.0, 10).high == pytest.approx(0.3085, abs=1e-4)
    assert constant_bound(1.0, 10).low == pytest.approx(0.6915, abs=1e-4)
    assert constant_bound(0.0, 10, level=0.99).high == pytest.approx(0.4113, abs=1e-4)
    assert constant_bound(0.5, 10) is None


def test_clusters_that_all_have_one_mean_get_no_interval_without_width():
    groups = [str(i) for i in range(12)]
    assert mean_interval([0.4] * 12, groups) is None
    assert mean_interval([0.0, 1.0] * 12, sorted(groups * 2)) is None
    assert bootstrap_interval([0.4] * 12, groups) == pytest.approx((0.4, 0.4))


def test_other_scores_get_the_bootstrap():
    scores, groups = [0.0] * 11 + [1.0], [str(i) for i in range(12)]
    assert mean_interval(scores, groups) == Interval(*bootstrap_interval(scores, groups))
    assert RESAMPLES == 2000


def test_differences_are_paired_by_task_and_clustered():
    groups = {i: f"video {i // 2}" for i in range(24)}
    theirs = {i: (i % 12) / 12 for i in range(24)}
    ours = {i: score + 0.1 + 0.01 * (i % 3) for i, score in theirs.items()} | {99: 0.0}
    found = paired_difference(ours, theirs, groups)
    values = [ours[i] - theirs[i] for i in range(24)]
    assert found.mean == pytest.approx(np.mean(values))
    assert (found.n, found.n_clusters) == (24, 12)
    expected = bootstrap_interval(values, [groups[i] for i in range(24)])
    assert (found.interval.low, found.interval.high) == pytest.approx(expected)
    apart = mean_interval([ours[i] for i in range(24)], list(groups.values()))
    assert found.interval.high - found.interval.low < 0.2 * (apart.high - apart.low)


def test_differences_without_a_shared_task_or_without_variation_say_so():
    groups = {i: str(i) for i in range(12)}
    assert paired_difference({0: 1.0}, {1: 1.0}, groups) is None
    same = paired_difference(dict.fromkeys(groups, 0.5), dict.fromkeys(groups, 0.25), groups)
    assert (same.mean, same.interval) == (0.25, None)
