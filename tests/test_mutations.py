"""Files changed by chance give right pictures or typed errors: a slice of the benchmark."""

from __future__ import annotations

import os
import random
import resource
import signal
import time

import av
import pytest

from benchmarks import isolation, mutations

LIMITS = {"limit_seconds": 2.0, "limit_bytes": 2 << 30}


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    level = av.logging.get_level()
    av.logging.set_level(av.logging.PANIC)
    yield mutations.make_clips(tmp_path_factory.mktemp("clips"), count=40)
    av.logging.set_level(level)


def outcomes(clips, folder, indexes):
    return [mutations.run_case(i, seed=1, sources=clips, folder=folder) for i in indexes]


def assert_harmless(cases):
    assert [case for case in cases if case["failure"]] == []
    assert {"refused", "shown"} <= {name for case in cases for name in case}
    # Each case is a fork of this process.
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert max(case["peak_mib"] for case in cases) < own + 600


def test_changed_files_do_no_harm(clips, tmp_path):
    assert_harmless(outcomes(clips, tmp_path, range(36)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
def test_many_changed_files_do_no_harm(clips, tmp_path, part):
    assert_harmless(outcomes(clips, tmp_path, range(36 + part * 100, 136 + part * 100)))


def test_unchanged_files_are_shown_whole(clips):
    for path in clips:
        found = mutations.check(path, random.Random(0), path)
        assert found["shown"] == mutations.NUM_MOMENTS and not found["lost"] + found["held"]


def test_changes_are_the_same_for_the_same_seed(clips):
    one, other = (
        [mutations.mutated(clips, random.Random(f"{i}")) for i in range(40)] for _ in "ab"
    )
    assert one == other
    assert len({kind for _, kind, _ in one}) == 6
    assert all(data != path.read_bytes() for path, kind, data in one if kind == "cut")


@pytest.mark.parametrize(
    ("work", "failure"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGSEGV), "killed by SIGSEGV"),
        (lambda: time.sleep(60), "no end after 2 s"),
        (lambda: {"size": len(bytearray(3 << 30))}, "builtins.MemoryError: "),
        (lambda: {}["x"], "builtins.KeyError: 'x'"),
        (lambda: os._exit(3), "exit status 3"),
        (lambda: {"fine": True}, ""),
    ],
)
def test_what_goes_wrong_in_a_process_is_told(work, failure):
    outcome = isolation.isolated(work, **LIMITS)
    assert outcome.failure == failure
    assert outcome.result == (None if failure else {"fine": True})
    assert 0 < outcome.seconds < 10 and outcome.peak_mib > 1


def test_a_run_goes_on_where_it_was_stopped_and_sums_up(tmp_path, monkeypatch):
    monkeypatch.setattr(mutations, "CLIPS", {"plain.mp4": {}, "stream.ts": {}})
    options = {"data": None, "workers": 2}
    assert mutations.run(tmp_path, 6, 3, stop_after=0, **options) == []
    first = mutations.run(tmp_path, 4, 3, stop_after=60, **options)
    assert sorted(case["index"] for case in first) == [0, 1, 2, 3]
    log = tmp_path / "cases-3.jsonl"
    log.write_text(log.read_text().replace('"failure": ""', '"failure": "it was me"', 1))
    cases = mutations.run(tmp_path, 6, 3, stop_after=60, **options)
    assert sorted(case["index"] for case in cases) == [0, 1, 2, 3, 4, 5]
    table = mutations.summary(cases).splitlines()
    assert table[0].startswith("| file | cases | refused | shown |")
    assert table[-3].startswith("| all | 6 |") and table[-1].endswith(": it was me")
