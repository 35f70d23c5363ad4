"""Who does the work: this process, or several beside it; results come in the order asked.

Knows nothing of episodes: an executor maps a callable over batches of items. A new one is a class
and a line in `EXECUTORS`.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache
from multiprocessing.connection import Connection
from typing import Any, Protocol

LOOK_AHEAD = 2
"""Batches per worker that are handed out before the first of them must be back."""


class ExecutorError(ChildProcessError):
    """The work cannot go on; the message says why and what to do."""


class Executor(Protocol):
    """Does work. Closing the iterator it returns ends the work at once."""

    def map(self, work: Callable[[Any], Any], batches: Iterable[Sequence[Any]]) -> Iterator[Any]:
        """Yield ``work(item)`` for each item of each batch, in their order.

        The items of a batch are worked on one after another by one worker, which keeps its copy of
        `work` (and the caches in it) from batch to batch.
        """


class Serial:
    """Works in this process; each result comes before the next item is begun."""

    def map(self, work: Callable[[Any], Any], batches: Iterable[Sequence[Any]]) -> Iterator[Any]:
        """See `Executor.map`."""
        for batch in batches:
            yield from map(work, batch)


class Processes:
    """Works in fresh processes beside this one, which end with it however it ends.

    Each gets `work` once, pickled. What it raises is raised here, in its place in the order.

    Args:
        workers: How many processes; at least 1.
    """

    def __init__(self, workers: int):
        self._workers = workers

    def map(self, work: Callable[[Any], Any], batches: Iterable[Sequence[Any]]) -> Iterator[Any]:
        """See `Executor.map`.

        Raises:
            ExecutorError: If `work` cannot be sent to another process, or one of them dies.
        """
        sent = _pickled(work)
        context = multiprocessing.get_context("spawn")
        ends_with_us, lifeline = context.Pipe(duplex=False)
        pool = ProcessPoolExecutor(self._workers, context, _begin, (sent, ends_with_us))
        try:
            yield from _in_order(pool, iter(batches), LOOK_AHEAD * self._workers)
            pool.shutdown()
        except BrokenProcessPool as error:
            raise ExecutorError(
                "a worker process died, perhaps for want of memory; finished episodes are kept. "
                "Run the same command again to go on, with fewer --workers or --executor serial."
            ) from error
        finally:
            lifeline.close()  # ends workers that are in the midst of a batch
            pool.shutdown(cancel_futures=True)
            ends_with_us.close()


EXECUTORS: dict[str, Callable[[int], Executor]] = {
    "serial": lambda workers: Serial(),
    "processes": Processes,
}
"""What makes an executor with a number of workers, by name."""


def _pickled(work: Callable[[Any], Any]) -> bytes:
    try:
        return pickle.dumps(work)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ExecutorError(
            f"the work cannot be sent to other processes ({error}). Use the serial executor, or "
            "define policies at the top of a module."
        ) from error


def _in_order(
    pool: ProcessPoolExecutor, batches: Iterator[Sequence[Any]], ahead: int
) -> Iterator[Any]:
    """Yield results while at most `ahead` batches are handed out."""
    waiting: deque[Future[list[Any]]] = deque()
    for batch in batches:
        with _interrupts_held():
            waiting.append(pool.submit(_do, batch))
        if len(waiting) >= ahead:
            yield from waiting.popleft().result()
    while waiting:
        yield from waiting.popleft().result()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Keep Ctrl-C from processes that are started meanwhile, for good; here it comes afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_sent: bytes
"""What this worker process does, as it came; set once when it begins."""


def _begin(sent: bytes, ends_with_parent: Connection) -> None:
    global _sent
    _sent = sent
    threading.Thread(target=_end_with, args=(ends_with_parent,), daemon=True).start()


def _end_with(parent: Connection) -> None:
    """Wait until nobody holds the other end of the pipe, then end this process."""
    parent.poll(None)
    os._exit(1)


@cache
def _work() -> Callable[[Any], Any]:
    """Return what this process does; not in `_begin`, where what it raises would be lost."""
    try:
        return pickle.loads(_sent)
    except (pickle.UnpicklingError, AttributeError, ImportError) as error:
        raise ExecutorError(
            f"a worker process cannot read its work ({error}). Use the serial executor, or define "
            "policies at the top of a module that can be imported."
        ) from error


def _do(batch: Sequence[Any]) -> list[Any]:
    work = _work()
    return [work(item) for item in batch]
