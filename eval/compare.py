"""The comparison: every policy at every depth on the same tasks, a record per episode, one table.

Knows no policy by name: they come from a table or from the caller. It can be stopped at any moment
and resumed by the same command; the table is that of an uninterrupted run, byte for byte.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NoReturn

import gymnasium as gym
import numpy as np
from tqdm import tqdm

import videoatlas_gym  # noqa: F401  (registers the environments)
from eval.metrics import Depth, table
from eval.records import Key, Record, RunDirectory, RunDirectoryError, is_run
from policies.base import Policy
from policies.rollout import Episode, rollout
from policies.table import POLICIES
from videoatlas_gym.errors import one_of
from videoatlas_gym.tasks import FrameSearchTasks, Task, find_files
from videoatlas_gym.video import ConcatSource, VideoError, VideoReader, VideoSource
from videoatlas_gym.video.concat import join_to_duration

TASKS: dict[str, type[FrameSearchTasks]] = {"frame-search": FrameSearchTasks}
"""Kinds of task sets that are made from videos alone: a new one is a class and a line here."""
DEFAULT_DEPTHS = (0, 1, 2, 3)
EXAMPLE = """example:
  videoatlas compare --videos recordings/ --policies random,uniform,bfs,dfs,oracle \\
      --depths 0,1,2,3 --episodes 20 --out runs/first
Stop it with Ctrl-C; the same command goes on where it stopped."""


def compare(
    *,
    videos: Sequence[str | Path],
    out: str | Path,
    policies: Mapping[str, Callable[[], Policy]] = POLICIES,
    depths: Sequence[Depth] = DEFAULT_DEPTHS,
    tasks: str = "frame-search",
    episodes: int = 20,
    seed: int = 0,
    hardness: float = 0.3,
    max_truth_share: float = 0.05,
    join_seconds: float | None = None,
    groups: Sequence[str] = (),
    grid_size: int = 8,
    tile_size: tuple[int, int] = (160, 90),
    max_steps: int | None = None,
    max_frames: int | None = None,
) -> str:
    """Play what is not on record yet in `out`; write the table there and return it.

    Args:
        videos: Files, folders or glob patterns.
        out: Directory of the records: a new or empty one, or one of the same comparison.
        policies: What makes each policy, by the name it has in records and table.
        depths: Depth budgets, whole numbers or "auto".
        tasks: Kind of tasks, a name of `TASKS`.
        episodes: Tasks per policy and depth, the same ones for all.
        seed: Seeds tasks and rollouts; the seed of a rollout depends on it and the task alone.
        hardness: How much a goal picture differs from its frame, 0 to 1.
        max_truth_share: Pictures on display for more of the video than this are not asked for.
        join_seconds: Joins the videos to one timeline of at least this length (see
            `join_to_duration`); None keeps them apart.
        groups: Patterns of file names; files that match the same one count as one cluster.
        grid_size: K, cells per side of a view.
        tile_size: (width, height) of a cell in pixels.
        max_steps: Limit of steps per episode; None for that of the environment.
        max_frames: Limit of distinct frames shown per episode; None for none.

    Returns:
        The table as Markdown, as in ``table.md``.

    Raises:
        ValueError: If an argument cannot be used; then nothing was written.
        RunDirectoryError: If `out` holds something else, or another process writes there.
        VideoError: If a video is missing or cannot be read.
    """
    files = _files(videos, groups)
    config = {
        "tasks": one_of("kind of tasks", tasks, TASKS),
        "videos": [file.to_json() for file in files],
        "join_seconds": None if join_seconds is None else float(join_seconds),
        "hardness": float(hardness),
        "max_truth_share": float(max_truth_share),
        "seed": _at_least(0, "seed", seed),
        "episodes": _at_least(1, "episodes", episodes),
        "policies": {name: dict(_made(name, policies).env_options) for name in policies},
        "depths": list(dict.fromkeys(depths)),
        "grid_size": grid_size,
        "tile_size": list(tile_size),
        "max_steps": max_steps,
        "max_frames": max_frames,
    }
    with ExitStack() as stack:
        chosen = _Tasks(config, files)
        environments = _environments(config, chosen, stack)
        if not is_run(out):
            chosen.build()  # what cannot be asked about leaves no directory behind
        notes = {"files": [str(file.path.resolve()) for file in files]}
        run = stack.enter_context(RunDirectory(out, config, notes=notes))
        _Match(run, config, chosen, environments).play(policies)
        text = table(
            run.records.values(),
            policies=list(policies),
            depths=config["depths"],
            episodes=episodes,
            title=_title(config),
        )
        run.write_table(text)
    return text


@dataclass(frozen=True)
class _File:
    """A video file, by the name it has in records: results do not depend on where it lies."""

    path: Path
    name: str
    group: str

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "bytes": self.path.stat().st_size, "group": self.group}


def _files(videos: Sequence[str | Path], patterns: Sequence[str]) -> list[_File]:
    """Find the files, each once, with names that tell them apart."""
    paths = {path.resolve(): path for where in videos for path in find_files(where)}
    files, taken = [], set()
    for path in paths.values():
        name, number = path.name, 1
        while name in taken:
            number += 1
            name = f"{path.name}#{number}"
        taken.add(name)
        group = next((p for p in patterns if fnmatchcase(path.name, p)), name)
        files.append(_File(path, name, group))
    if not files:
        raise ValueError("no videos were given; name a file, a folder or a pattern.")
    for pattern in patterns:
        if not any(fnmatchcase(file.path.name, pattern) for file in files):
            raise ValueError(
                f"group pattern {pattern!r} matches none of the files "
                f"({', '.join(file.name for file in files[:8])}). Give a pattern of file names."
            )
    return files


class _Tasks:
    """The first tasks of a set, built once for all environments."""

    def __init__(self, config: Mapping[str, Any], files: Sequence[_File]):
        kind = TASKS[config["tasks"]]
        self.name, self.has_goal = config["tasks"], kind.has_goal
        self._count, self._tasks = config["episodes"], []
        self._groups = {file.path: file.group for file in files}
        self._endless = kind(
            _sources(files, config["join_seconds"], config["seed"]),
            hardness=config["hardness"],
            seed=config["seed"],
            max_truth_share=config["max_truth_share"],
        )

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Task:
        self.build()
        return self._tasks[index]

    def build(self) -> None:
        """Make the tasks, with progress; the first one of each video reads its pictures."""
        if self._tasks:
            return
        bar = tqdm(range(self._count), desc="making tasks", unit="task", leave=False)
        with bar:
            self._tasks = [self._grouped(self._endless[index]) for index in bar]

    def _grouped(self, task: Task) -> Task:
        """Name the footage; on a joined timeline the parts have done so."""
        if isinstance(task.source, VideoReader):
            return replace(task, group=self._groups[task.source.path])
        return task


def _sources(files: Sequence[_File], join_seconds: float | None, seed: int) -> list[VideoSource]:
    if join_seconds is None:
        return [VideoReader(file.path) for file in files]
    groups = {str(file.path): file.group for file in files}
    parts = join_to_duration(list(groups), join_seconds, seed=seed)
    used = {part.source for part in parts}
    timeline = ConcatSource([replace(part, group=groups[part.source]) for part in parts])
    print(
        f"joined {len(used)} of {len(files)} videos, in {len(parts)} parts, to a timeline of "
        f"{timeline.duration_seconds:.0f} s",
        file=sys.stderr,
    )
    return [timeline]


def _environments(
    config: Mapping[str, Any], tasks: _Tasks, stack: ExitStack
) -> dict[tuple[str, Depth], gym.Env]:
    """Make an environment per policy and depth. Opens no video; checks all options."""
    options = {
        "grid_size": config["grid_size"],
        "tile_size": tuple(config["tile_size"]),
        "max_steps": config["max_steps"],
        "budget": {"frames": config["max_frames"]},
    }
    if not config["policies"] or not config["depths"]:
        raise ValueError("name at least one policy and one depth.")
    environments = {}
    for name, own_options in config["policies"].items():
        for depth in config["depths"]:
            env = gym.make(
                "VideoAtlas-v0", tasks=tasks, **{**options, "max_depth": depth, **own_options}
            )
            environments[name, depth] = env
            stack.callback(env.close)
    return environments


@dataclass
class _Match:
    """Plays the episodes that are not on record, in a fixed order."""

    run: RunDirectory
    config: Mapping[str, Any]
    tasks: _Tasks
    environments: Mapping[tuple[str, Depth], gym.Env]

    def play(self, policies: Mapping[str, Callable[[], Policy]]) -> None:
        """Play and record them, with progress on stderr."""
        count = self.config["episodes"]
        keys = [(*entry, index) for entry in self.environments for index in range(count)]
        left = [key for key in keys if key not in self.run.records]
        if not left:
            return
        self.tasks.build()
        made = {name: policies[name]() for name in dict.fromkeys(key[0] for key in left)}
        done = len(keys) - len(left)
        with tqdm(total=len(keys), initial=done, unit="episode", desc="comparing") as bar:
            for key in left:
                bar.set_postfix_str(f"{key[0]}, depth {key[1]}")
                self._play_one(key, made[key[0]])
                bar.update()

    def _play_one(self, key: Key, policy: Policy) -> None:
        name, depth, index = key
        seed = rollout_seed(self.config["seed"], index)
        episode, error = self._outcome(self.environments[name, depth], policy, seed, index)
        file = f"trajectories/{name}_depth-{depth}_task-{index:05d}.jsonl"
        record = self._record(episode, self.tasks[index], policy=name, depth=depth, seed=seed)
        record = replace(
            record,
            task_index=index,
            error=error,
        )
        self.run.append(record, episode.trajectory)
