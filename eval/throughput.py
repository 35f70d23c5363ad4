"""`videoatlas throughput`: how many steps per second vectors of environments make on this machine.

Each vector takes the same legal random walk twice: first with empty caches (cold), then again with
everything in them (warm). Only the steps are timed, neither resets nor the choice of actions.
"""

from __future__ import annotations

import json
import os
import sys
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal, Protocol

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

import videoatlas_gym  # noqa: F401  (registers the environments)
from eval.command_line import parse_list
from eval.markdown import grid
from eval.records import versions
from videoatlas_gym.actions import codes
from videoatlas_gym.arguments import check_grid_size, checked_tile_size, checked_whole
from videoatlas_gym.cli import Parser, parse_tile_size, run_command
from videoatlas_gym.errors import one_of
from videoatlas_gym.files import write_atomically
from videoatlas_gym.render import contact_sheet
from videoatlas_gym.tasks import find_files, make_task
from videoatlas_gym.video import TileCache

SCHEMA_VERSION = 1
"""Of throughput.json."""
CACHE_BYTES = 1 << 30
"""For all environments of a vector together; each has its own part, as separate processes have."""
MAX_STEPS = 1 << 30
OPENING = ("EXPAND", "ZOOM", "INVESTIGATE_BEFORE", "INVESTIGATE_AFTER", "BACKTRACK")
"""Actions that show another view."""
WALK = (*OPENING, "ADD_TO_SCRATCHPAD")
"""Actions of the walk, all equally likely; any legal one where none of them is."""
NOTE = """\
A step's time is wall-clock time by the number of environments. Beyond the sheet: less what laying
out one sheet and copying it takes, {sheet:.0f} us here; below zero where processes share the
work. "none" is one environment without a vector and without wrappers."""
EXAMPLE = """\
  videoatlas throughput match.mp4
  videoatlas throughput --story --envs 1,2,8 --vectorization async --out runs/throughput"""


@dataclass(frozen=True)
class Throughput:
    """One walk of one vector."""

    vectorization: str
    """none, sync or async."""
    num_envs: int
    tiles: str
    """cold or warm."""
    steps: int
    """Of all environments together."""
    seconds: float
    """Wall-clock time of the steps."""
    sheets: int
    """Steps that showed another view."""
    misses: int
    """Pictures that had to be decoded or scaled, since no cache had them."""
    sheet_us: float
    """What laying out a contact sheet and copying it takes on this machine, in microseconds."""

    @property
    def steps_per_second(self) -> float:
        """Steps of all environments in a second."""
        return self.steps / self.seconds

    @property
    def sheets_per_second(self) -> float:
        """Views that were opened in a second."""
        return self.sheets / self.seconds

    @property
    def step_us(self) -> float:
        """Microseconds of a step: wall-clock time by the number of steps."""
        return 1e6 / self.steps_per_second

    @property
    def beyond_sheet_us(self) -> float:
        """Microseconds of a step, less those of a sheet."""
        return self.step_us - self.sheet_us

    def to_json(self) -> dict[str, Any]:
        """Return what was measured and what follows from it."""
        names = ("steps_per_second", "sheets_per_second", "step_us", "beyond_sheet_us")
        return asdict(self) | {name: round(getattr(self, name), 1) for name in names}


def throughput(
    videos: Sequence[str | Path] = (),
    *,
    story: bool = False,
    grid_size: int = 8,
    tile_size: tuple[int, int] = (160, 90),
    envs: Sequence[int] = (1, 2, 8),
    seconds: float = 5.0,
    vectorization: Literal["sync", "async"] = "sync",
) -> Iterator[Throughput]:
    """Measure one environment alone, then vectors of them; yield each result when it is there.

    Args:
        videos: Files, folders or glob patterns; each file is a task that episodes draw from.
        story: Measure on drawn worlds of an hour instead.
        grid_size: K, cells per side.
        tile_size: (width, height) of a cell in pixels.
        envs: Numbers of environments; each is measured cold and warm.
        seconds: How long each walk goes on, resets not counted.
        vectorization: "sync" or "async" (a process each, observations in shared memory).

    Raises:
        ValueError: If an argument cannot be used.
        VideoError: If a video cannot be read.
    """
    if story == bool(videos):
        raise ValueError("give either videos or --story, and not both.")
    check_grid_size(grid_size)
    if not 0 < seconds <= 3600:
        raise ValueError(f"seconds must be more than 0 and at most 3600, got {seconds}.")
    tile_size = checked_tile_size(tile_size)
    kinds = [("none", 1)]
    one_of("vectorization", vectorization, ("sync", "async"))
    kinds += [(vectorization, checked_whole("envs", count, 1, 256)) for count in envs]
    made = {"duration_seconds": 3600.0} if story else {"tasks": _tasks(videos)}
    made |= {"grid_size": grid_size, "tile_size": tile_size, "max_steps": MAX_STEPS}
    env_id = "VideoAtlas/Story-v0" if story else "VideoAtlas-v0"
    return _measured(env_id, made, kinds, seconds)


def _tasks(videos: Sequence[str | Path]) -> list:
    files = chain.from_iterable(find_files(video) for video in videos)
    return [make_task(file) for file in files]


def _measured(
    env_id: str, made: dict[str, Any], kinds: Sequence[tuple[str, int]], seconds: float
) -> Iterator[Throughput]:
    num_cells, sheet_us = made["grid_size"] ** 2, _sheet_us(made["grid_size"], made["tile_size"])
    for vectorization, num_envs in kinds:
        # Vectors copy what they are given for each environment; of a cache only its size.
        options = made | {"cache": TileCache(CACHE_BYTES // num_envs)}
        with closing(_vector(env_id, vectorization, num_envs, options)) as vector:
            walk: list[NDArray[np.int64]] = []
            for tiles in ("cold", "warm"):
                spent, misses = _walk(vector, walk, seconds, num_cells, is_new=tiles == "cold")
                steps = np.concatenate(walk[: len(spent)])
                yield Throughput(
                    vectorization,
                    num_envs,
                    tiles,
                    steps=steps.size,
                    seconds=sum(spent),
                    sheets=int(np.isin(steps, _codes(OPENING, num_cells)).sum()),
                    misses=misses,
                    sheet_us=sheet_us,
                )


def _sheet_us(grid_size: int, tile_size: tuple[int, int]) -> float:
    """The median of what one sheet and one copy of it take, in microseconds."""
    width, height = tile_size
    shape = (grid_size**2, height, width, 3)
    tiles = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    spent = []
    for _ in range(30):
        began = time.perf_counter()
        sheet = contact_sheet(tiles, columns=grid_size)
        sheet.copy()
        spent.append(time.perf_counter() - began)
    return float(np.median(spent)) * 1e6


class _Vector(Protocol):
    """What a walk needs of a vector of environments."""

    def reset(self, *, seed: int) -> tuple[Any, dict[str, Any]]: ...

    def step(self, actions: NDArray[np.int64]) -> tuple: ...

    def get_attr(self, name: str) -> Sequence[Any]: ...

    def close(self) -> None: ...


class _Alone:
    """One environment without wrappers in the shape of a vector."""

    def __init__(self, env: gym.Env) -> None:
        self._env = env.unwrapped
        self._is_over = False

    def reset(self, *, seed: int | None) -> tuple[Any, dict[str, Any]]:
        """Begin again."""
        self._is_over = False
        observation, info = self._env.reset(seed=seed)
        return observation, {"action_mask": info["action_mask"][None]}

    def step(self, actions: NDArray[np.int64]) -> tuple:
        """Take the one action; begin again at the step after an episode's end, as vectors do."""
        if self._is_over:
            observation, infos = self.reset(seed=None)
            return observation, 0.0, False, False, infos
        observation, reward, terminated, truncated, info = self._env.step(int(actions[0]))
        self._is_over = terminated or truncated
        infos = {"action_mask": info["action_mask"][None]}
        return observation, reward, terminated, truncated, infos

    def get_attr(self, name: str) -> list[Any]:
        """Return an attribute of the environment."""
        return [getattr(self._env, name)]

    def close(self) -> None:
        """Close the environment."""
        self._env.close()


def _vector(env_id: str, vectorization: str, num_envs: int, options: dict[str, Any]) -> _Vector:
    if vectorization == "none":
        return _Alone(gym.make(env_id, disable_env_checker=True, **options))
    return gym.make_vec(env_id, num_envs=num_envs, vectorization_mode=vectorization, **options)


def _walk(
    vector: _Vector, walk: list[NDArray], seconds: float, num_cells: int, *, is_new: bool
) -> tuple[list[float], int]:
    """Take a walk and write it down, or take a written one; return times and cache misses."""
    rng, spent = np.random.default_rng(0), []
    _, infos = vector.reset(seed=0)
    before = _misses(vector)
    while sum(spent) < seconds and (is_new or len(spent) < len(walk)):
        if is_new:
            walk.append(_legal_actions(infos["action_mask"], rng, num_cells))
        began = time.perf_counter()
        *_, infos = vector.step(walk[len(spent)])
        spent.append(time.perf_counter() - began)
    return spent, _misses(vector) - before


def _misses(vector: _Vector) -> int:
    return sum(telemetry["cache_misses"] for telemetry in vector.get_attr("telemetry"))


def _legal_actions(masks: NDArray, rng: np.random.Generator, num_cells: int) -> NDArray[np.int64]:
    """One action per environment: a verb of `WALK` that is legal, then one of its codes."""
    actions = []
    for mask in masks:
        verbs = [verb for verb in WALK if mask[codes(verb, num_cells)].any()]
        part = codes(str(rng.choice(verbs)), num_cells) if verbs else slice(0, len(mask))
        actions.append(part.start + int(rng.choice(np.flatnonzero(mask[part]))))
    return np.array(actions)


def _codes(verbs: Sequence[str], num_cells: int) -> list[int]:
    parts = (codes(verb, num_cells) for verb in verbs)
    return [code for part in parts for code in range(part.start, part.stop)]


def table(results: Sequence[Throughput]) -> str:
    """Return results as a Markdown table with a note on what its columns mean."""
    head = ("vector", "envs", "tiles", "steps/s", "sheets/s", "step (us)", "beyond the sheet (us)")
    rows = [_row(result) for result in results]
    return f"{grid(head, rows)}\n\n{NOTE.format(sheet=results[0].sheet_us)}\n"


def _row(result: Throughput) -> tuple[str, ...]:
    figures = (
        *(result.steps_per_second, result.sheets_per_second),
        *(result.step_us, result.beyond_sheet_us),
    )
    names = (result.vectorization, str(result.num_envs), result.tiles)
    return (*names, *(f"{figure:.0f}" for figure in figures))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code: 0, 2 for a mistake, 130 for Ctrl-C."""
    return run_command("throughput", lambda: _run(_parser().parse_args(argv)))


def _parser() -> Parser:
    parser = Parser("throughput", "Measure how many steps environments make per second.", EXAMPLE)
    add = parser.add_argument
    add("videos", nargs="*", metavar="VIDEO", help="files, folders or patterns")
    add("--story", action="store_true", help="drawn worlds of an hour instead of videos")
    add("--grid-size", type=int, default=8, metavar="K", help="cells per side (8)")
    add("--tile-size", default="160x90", metavar="WxH", help="pixels of a cell (160x90)")
    add("--envs", default="1,2,8", metavar="N,...", help="numbers of environments (1,2,8)")
    add("--seconds", type=float, default=5.0, help="how long each walk goes on (5)")
    add("--vectorization", default="sync", metavar="sync|async", help="one process, or many (sync)")
    add("--out", metavar="DIR", help="write throughput.md and throughput.json there")
    return parser


def _run(options: Namespace) -> int:
    arguments = {
        "story": options.story,
        "grid_size": options.grid_size,
        "tile_size": parse_tile_size(options.tile_size),
        "envs": _parse_counts(options.envs),
        "seconds": options.seconds,
        "vectorization": options.vectorization,
    }
    out = None if options.out is None else Path(options.out)
    if out is not None and out.exists() and not out.is_dir():
        raise ValueError(f"cannot write to {str(out)!r}: it is a file. Name a folder.")
    results = list(throughput(options.videos, **arguments))
    text = table(results)
    print(text, end="")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        data = {
            "schema_version": SCHEMA_VERSION,
            "versions": versions(),
            "cores": len(os.sched_getaffinity(0)),
            "arguments": arguments | {"videos": [Path(video).name for video in options.videos]},
            "results": [result.to_json() for result in results],
        }
        write_atomically(out / "throughput.json", json.dumps(data, indent=2) + "\n")
        write_atomically(out / "throughput.md", f"# Throughput\n\n{text}")
        print(f"\n{out}: throughput.md, throughput.json.")
    return 0


def _parse_counts(text: str) -> list[int]:
    parts = parse_list(text)
    if not parts or not all(part.isdecimal() for part in parts):
        raise ValueError(f"--envs takes numbers of environments such as 1,2,8, got {text!r}.")
    return [int(part) for part in parts]


if __name__ == "__main__":
    sys.exit(main())
