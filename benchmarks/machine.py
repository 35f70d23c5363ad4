"""What ran beside a measurement, and on which machine: Linux only, like the rest of the project."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

import videoatlas_gym

ROOT = Path(__file__).resolve().parent.parent


class Watch:
    """While entered, counts the cores that programs other than our children keep busy."""

    busy_cores = 0.0
    load_average = 0.0

    def __enter__(self) -> Self:
        self.load_average = os.getloadavg()[0]
        self._before = time.perf_counter(), _busy_seconds(), _children_seconds()
        return self

    def __exit__(self, *exception: object) -> None:
        after = time.perf_counter(), _busy_seconds(), _children_seconds()
        wall, busy, own = (b - a for a, b in zip(self._before, after, strict=True))
        self.busy_cores = round(max(0.0, busy - own) / max(wall, 1e-9), 3)


def _busy_seconds() -> float:
    """CPU seconds that anything spent on this machine since it started, all cores."""
    ticks = [int(part) for part in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    user, nice, system, _, _, interrupts, soft, stolen = ticks
    return (user + nice + system + interrupts + soft + stolen) / os.sysconf("SC_CLK_TCK")


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def machine() -> str:
    """Return the processor's name and the number of cores that may be used."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {len(os.sched_getaffinity(0))} cores"


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Return the versions of Python, of this project with its commit, and of some packages."""
    found = {
        "python": platform.python_version(),
        "videoatlas_gym": f"{videoatlas_gym.__version__}, {_commit()}",
    }
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found


def _commit() -> str:
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True
        )
    except OSError:
        return "no git"
    return f"commit {told.stdout.strip()}" if told.returncode == 0 else "no commit"
