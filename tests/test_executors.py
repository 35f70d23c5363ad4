"""Executors give equal results in the order asked, stop at once, and say what went wrong."""

import itertools
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eval.executors import EXECUTORS, LOOK_AHEAD, ExecutorError, Processes, Serial

TESTS = Path(__file__).parent
BATCHES = [[0, 1, 2], [3], [], [4, 5], [6]]


class Squares:
    """Squares numbers; remembers how many it was asked for, and in which process."""

    def __init__(self):
        self.count = 0

    def __call__(self, number):
        self.count += 1
        if number == 0:
            time.sleep(0.3)  # later batches are done first
        return number**2, os.getpid(), self.count


def misbehave(how):
    """Die, fail, be slow, or give back what was given."""
    if how == "die":
        os._exit(9)
    if how == "fail":
        raise LookupError("nothing there")
    if how == "sleep":
        time.sleep(60)
    return how


def test_every_executor_gives_results_in_the_order_asked():
    for executor in (Serial(), Processes(2)):
        results = list(executor.map(Squares(), BATCHES))
        assert [square for square, _, _ in results] == [n**2 for n in range(7)]
        batches_of = {pid: [n for n, p, _ in results if p == pid] for _, pid, _ in results}
        assert (list(batches_of) == [os.getpid()]) == isinstance(executor, Serial)
        first_batch = results[:3]
        assert len({pid for _, pid, _ in first_batch}) == 1, "a batch stays with one worker"
        counts = [count for _, _, count in first_batch]
        assert counts == list(range(counts[0], counts[0] + 3)), "each worker keeps its copy"


def test_serial_works_on_an_item_only_when_its_result_is_asked_for():
    work = Squares()
    results = Serial().map(work, BATCHES)
    next(results)
    assert work.count == 1


def test_only_so_many_batches_are_handed_out_ahead():
    taken = []
    batches = (taken.append(n) or [n] for n in range(50))
    results = Processes(1).map(misbehave, batches)
    assert next(results) == 0
    assert len(taken) == LOOK_AHEAD
    results.close()


def test_what_the_work_raises_is_raised_in_its_place():
    results = Processes(1).map(misbehave, [["a"], ["fail"], ["b"]])
    assert next(results) == "a"
    with pytest.raises(LookupError, match="nothing there"):
        next(results)
    assert not multiprocessing.active_children()


def test_a_worker_that_dies_is_one_sentence_and_earlier_results_are_there():
    results = Processes(1).map(misbehave, [["a"], ["die"]])
    assert next(results) == "a"
    with pytest.raises(ExecutorError, match="a worker process died.* with fewer --workers"):
        next(results)


def test_closing_the_results_ends_workers_in_the_midst_of_their_work():
    results = Processes(2).map(misbehave, [["a"], ["sleep"], ["sleep"], ["sleep"]])
    assert next(results) == "a"
    began = time.monotonic()
    results.close()
    assert time.monotonic() - began < 5
    assert not multiprocessing.active_children()


ORPHANS = """
from test_executors import misbehave, pid_of
from eval.executors import Processes
if __name__ == "__main__":
    results = Processes(1).map(pid_of, [[1], ["sleep"]])
    print(next(results), flush=True)
    next(results)
"""


def pid_of(item):
    """Return the number of this process, at once or late."""
    misbehave(item)
    return os.getpid()


def test_workers_end_when_the_process_that_began_them_is_killed(tmp_path):
    (tmp_path / "orphans.py").write_text(ORPHANS)
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    environment = os.environ | {"PYTHONPATH": paths}
    command = [sys.executable, str(tmp_path / "orphans.py")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as parent:
        worker = int(parent.stdout.readline())
        assert Path(f"/proc/{worker}").exists()
        parent.kill()
    deadline = time.monotonic() + 20
    while is_running(worker):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid):
    """Whether a process is there and no zombie that nobody has asked about yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_work_that_cannot_be_sent_is_explained():
    with pytest.raises(ExecutorError, match="cannot be sent to other processes"):
        next(Processes(1).map(lambda item: item, [[1]]))


def test_executors_are_made_by_name():
    for make, workers in itertools.product(EXECUTORS.values(), (1, 2)):
        assert list(make(workers).map(abs, [])) == []
