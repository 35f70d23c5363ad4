"""One measurement, in a process of its own: reads a job from its input, prints what it took.

Imports nothing of a contender before its turn, and no judge before memory has been read off.
``python -m benchmarks.measure < job.json`` prints one line of JSON, after what libraries
may print.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.methods import METHODS, Method
from benchmarks.stages import OPEN, VIEWS


class WrongCount(Exception):
    """The floor decoded another number of packets than the scan of the file says it must."""


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Open a video and ask for all views of a round, one after another.

    Args:
        job: "method", "path", "size" of tiles, "views" (each with "stage", "seconds", "is_native",
            "ranks" and "minimum_packets"), and either "num_numbers" or "thumbs" to judge by.

    Returns:
        "stages" (for each "cpu" and "wall" in seconds, "asked" and "wrong" frames, and "packets"
        where the method counts them), "rss_bytes" (peak until the root has been shown), and "error"
        if the method failed.
    """
    contender = METHODS[job["method"]]
    for module in contender.modules:
        importlib.import_module(module)
    stages: dict[str, dict[str, float | int]] = {}
    result: dict[str, Any] = {"stages": stages, "rss_bytes": 0, "error": ""}
    try:
        method, stages[OPEN] = _timed(lambda: contender.make(job["path"], tuple(job["size"])))
        for view in job["views"]:
            stages[view["stage"]] = _show(method, view, job, result)
    except WrongCount:
        raise
    except Exception as error:  # a contender that fails is a result
        result["error"] = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return result


def _show(
    method: Method, view: dict[str, Any], job: dict[str, Any], result: dict[str, Any]
) -> dict[str, float | int]:
    seconds = view["seconds"]
    method.prepare(seconds, is_native=view["is_native"])
    if view["is_native"]:
        delivered, entry = _timed(lambda: method.frame(seconds[0]))
    else:
        delivered, entry = _timed(lambda: method.tiles(seconds))
    if view["stage"] == VIEWS[0]:
        result["rss_bytes"] = _peak_bytes()
    if method.num_packets is not None:
        entry["packets"] = method.num_packets
        if method.num_packets != view["minimum_packets"]:
            raise WrongCount(
                f"{view['stage']}: decoded {method.num_packets} packets, the scan of the file says "
                f"{view['minimum_packets']}."
            )
    wrong = _judge(job)(method.pictures(delivered), view["ranks"])
    return entry | {"asked": len(seconds), "wrong": wrong}


def _timed(function: Callable[[], Any]) -> tuple[Any, dict[str, float | int]]:
    """Return what a function returns, and the seconds it took: of all threads, and on the clock."""
    wall, cpu = time.perf_counter(), time.process_time()
    value = function()
    return value, {
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - wall,
    }


def _peak_bytes() -> int:
    """Peak memory of this process; `getrusage` would count what its parent held when it began."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def _judge(job: dict[str, Any]) -> Callable[[Any, list[int]], int]:
    import numpy as np

    from benchmarks.judge import count_wrong_looks, count_wrong_numbers

    if job["num_numbers"]:
        return lambda shown, ranks: count_wrong_numbers(shown, ranks, job["num_numbers"])
    thumbs = np.load(job["thumbs"], allow_pickle=False)
    return lambda shown, ranks: count_wrong_looks(shown, ranks, thumbs)


if __name__ == "__main__":
    print(f"\n{json.dumps(measure(json.load(sys.stdin)))}", flush=True)
