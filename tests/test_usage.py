"""The ledger: what it books, what it refuses, and that it counts right under threads."""

import pickle
import sys
import threading
import time

import numpy as np
import pytest

from videoatlas_gym.usage import Budget, BudgetExceeded, Ledger, Usage

FULL = Usage(1, 2, 3, 4, 5, 6, 7)


def test_usage_adds_and_subtracts_field_by_field():
    twice = FULL + FULL
    assert twice == Usage(2, 4, 6, 8, 10, 12, 14)
    assert twice - FULL == FULL
    assert FULL + Usage() == FULL
    assert sum([FULL, FULL], Usage()) == twice


def test_tokens_count_cached_input_once():
    assert Usage(input_tokens=100, output_tokens=7, cached_tokens=60).tokens == 107


def test_usage_is_named_in_json():
    names = "steps frames views model_calls input_tokens output_tokens cached_tokens".split()
    assert FULL.to_json() == dict(zip(names, range(1, 8), strict=True))
    assert Usage(**FULL.to_json()) == FULL


def test_distinct_frames_are_counted_once():
    ledger = Ledger()
    ledger.show(["a", "b", "a"])
    ledger.show(["b", "c"])
    ledger.show([])
    assert (ledger.usage.frames, ledger.usage.views) == (3, 3)


def test_a_refused_view_books_nothing():
    ledger = Ledger(Budget(frames=3))
    ledger.show([1, 2])
    before = ledger.usage
    with pytest.raises(BudgetExceeded) as refusal:
        ledger.show([2, 3, 4])
    assert (refusal.value.name, refusal.value.spent, refusal.value.allowed) == ("frames", 4, 3)
    assert ledger.usage == before
    ledger.show([3])
    assert ledger.usage.frames == 3
    ledger.show([1, 2, 3])
    assert ledger.usage.frames == 3


@pytest.mark.parametrize(
    ("budget", "first", "second", "name"),
    [
        (Budget(steps=2), Usage(steps=2), Usage(steps=1), "steps"),
        (Budget(model_calls=1), Usage(model_calls=1), Usage(model_calls=1), "model_calls"),
        (Budget(tokens=9), Usage(input_tokens=4, output_tokens=5), Usage(input_tokens=1), "tokens"),
        (Budget(tokens=9), Usage(input_tokens=9), Usage(output_tokens=1), "tokens"),
        (Budget(frames=5), Usage(frames=5), Usage(frames=1), "frames"),
    ],
)
def test_spending_up_to_the_limit_fits_and_one_more_is_refused(budget, first, second, name):
    ledger = Ledger(budget)
    ledger.spend(first)
    with pytest.raises(BudgetExceeded, match=f"the {name} budget is used up"):
        ledger.spend(second)
    assert ledger.usage == first
    ledger.check()


def test_a_refused_spending_books_none_of_its_parts():
    ledger = Ledger(Budget(steps=1))
    with pytest.raises(BudgetExceeded):
        ledger.spend(Usage(steps=2, model_calls=1, input_tokens=10))
    assert ledger.usage == Usage()


def test_recording_goes_past_the_limit_and_the_check_says_so():
    ledger = Ledger(Budget(tokens=10))
    ledger.record(Usage(input_tokens=8, output_tokens=8))
    assert ledger.usage.tokens == 16
    with pytest.raises(BudgetExceeded, match="16 spent or asked for, 10 allowed"):
        ledger.check()


def test_time_is_a_budget_and_is_checked_before_spending():
    ledger = Ledger(Budget(seconds=0.01))
    time.sleep(0.02)
    with pytest.raises(BudgetExceeded, match="the seconds budget"):
        ledger.spend(Usage(steps=1))
    assert ledger.usage == Usage()
    assert ledger.seconds >= 0.02


def test_no_budget_allows_everything():
    ledger = Ledger()
    ledger.spend(Usage(*[10**12] * 7))
    ledger.check()
    assert ledger.fractions_left() == (1.0, 1.0)


def test_the_shares_left_fall_from_one_to_zero():
    ledger = Ledger(Budget(steps=4, frames=10))
    assert ledger.fractions_left() == (1.0, 1.0)
    ledger.spend(Usage(steps=1))
    ledger.show(range(5))
    assert ledger.fractions_left() == (0.75, 0.5)
    ledger.record(Usage(steps=9))
    assert ledger.fractions_left() == (0.0, 0.5)


@pytest.mark.parametrize("limit", [0, -1, float("nan")])
def test_a_limit_must_be_positive(limit):
    for name in ("steps", "frames", "model_calls", "tokens", "seconds"):
        with pytest.raises(ValueError, match=f"budget {name} must be positive or None"):
            Budget(**{name: limit})


def test_a_budget_reads_from_a_dict_itself_or_nothing():
    assert Budget.of({"steps": 3}) == Budget(steps=3)
    assert Budget.of(None) == Budget.of({}) == Budget()
    assert Budget.of(Budget(tokens=5)) == Budget(tokens=5)
    with pytest.raises(ValueError, match="unknown budget .*'step'.*steps"):
        Budget.of({"step": 3})


def test_eight_threads_lose_no_count():
    ledger = Ledger()

    def work(worker):
        for i in range(300):
            ledger.spend(Usage(steps=1, input_tokens=2))
            ledger.show([i, 1000 * worker + i])

    run_threads(work)
    assert ledger.usage.steps == ledger.usage.views == 8 * 300
    assert ledger.usage.input_tokens == 2 * 8 * 300
    assert ledger.usage.frames == 8 * 300


def test_eight_threads_never_overspend_together():
    ledger, booked = Ledger(Budget(steps=1000, frames=500)), [0] * 8

    def work(worker):
        for i in range(300):
            try:
                ledger.spend(Usage(steps=1))
                booked[worker] += 1
                ledger.show([(worker, i)])
            except BudgetExceeded:
                pass

    run_threads(work)
    assert sum(booked) == ledger.usage.steps == 1000
    assert ledger.usage.frames == ledger.usage.views == 500


def run_threads(work):
    """Run `work(0)` to `work(7)` at once, switching so often that a missing lock shows."""
    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)


def test_a_ledger_survives_pickling_with_all_it_knows():
    ledger = Ledger(Budget(frames=3, seconds=100.0))
    ledger.show(["a", ("b", 1)])
    time.sleep(0.01)
    copy = pickle.loads(pickle.dumps(ledger))
    assert (copy.usage, copy.budget) == (ledger.usage, ledger.budget)
    assert ledger.seconds >= copy.seconds >= 0.01
    copy.show(["a"])
    assert copy.usage.frames == 2
    with pytest.raises(BudgetExceeded):
        copy.show(["c", "d"])
    copy.spend(Usage(steps=1))
    assert ledger.usage.steps == 0


def test_a_refusal_survives_pickling():
    error = pickle.loads(pickle.dumps(BudgetExceeded("tokens", 12, 10)))
    assert (error.name, error.spent, error.allowed) == ("tokens", 12, 10)
    assert str(error) == str(BudgetExceeded("tokens", 12, 10))


@pytest.mark.parametrize("amount", [-1, 1.5, float("nan"), True, "3"])
def test_what_is_booked_is_a_whole_number(amount):
    ledger = Ledger()
    with pytest.raises(ValueError, match="model_calls spent must be a whole number from 0"):
        ledger.record(Usage(model_calls=amount))
    assert ledger.usage == Usage()
    ledger.record(Usage(model_calls=np.int64(2)))
    assert type(ledger.usage.model_calls) is int
