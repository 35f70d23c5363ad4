"""Runs one piece of work in a process of its own, within bounds, and says what became of it."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """What became of a process."""

    result: dict | None
    """What the work returned; None if it did not come to that."""
    failure: str
    """Why there is no result: an exception, a signal, or the time; else empty."""
    seconds: float
    peak_mib: float
    """Highest resident memory, that of the imported libraries included."""


def isolated(work: Callable[[], dict], *, limit_seconds: float, limit_bytes: int) -> Outcome:
    """Run `work` in a forked process; its result must be writable as JSON.

    Args:
        work: Called without arguments.
        limit_seconds: Wall-clock time after which the process is killed.
        limit_bytes: Address space that it may take.
    """
    began = time.monotonic()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _run(work, reading, writing, limit_bytes)
    os.close(writing)
    text, is_late = _read_all(reading, began + limit_seconds)
    os.close(reading)
    if is_late:
        os.kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    answer = json.loads(text) if text and not is_late else {}
    if is_late:
        failure = f"no end after {limit_seconds:g} s"
    elif os.WIFSIGNALED(status):
        failure = f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
    else:
        failure = answer.get("failure", f"exit status {os.waitstatus_to_exitcode(status)}")
    result = None if failure else answer["result"]
    return Outcome(result, failure, time.monotonic() - began, usage.ru_maxrss / 1024)


def _run(work: Callable[[], dict], reading: int, writing: int, limit_bytes: int) -> None:
    """Be the child: work, answer through the pipe, and end without Python's own ending."""
    os.close(reading)
    resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        answer = {"result": work(), "failure": ""}
    except BaseException as error:
        answer = {"failure": f"{type(error).__module__}.{type(error).__name__}: {error}"}
    with os.fdopen(writing, "w") as pipe:
        pipe.write(json.dumps(answer))
    os._exit(0)


def _read_all(descriptor: int, end: float) -> tuple[bytes, bool]:
    """Read up to the end of a pipe; the second value is whether time ran out before."""
    parts = []
    while select.select([descriptor], [], [], max(0.0, end - time.monotonic()))[0]:
        part = os.read(descriptor, 1 << 16)
        if not part:
            return b"".join(parts), False
        parts.append(part)
    return b"".join(parts), True
