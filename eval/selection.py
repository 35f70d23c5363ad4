"""Which videos and tasks a comparison is about: files by name and group, tasks built once.

Knows no policy. Names do not depend on where files lie, so that results do not either.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tqdm import tqdm

from videoatlas_gym.errors import one_of
from videoatlas_gym.tasks import FrameSearchTasks, Task, find_files
from videoatlas_gym.video import ConcatSource, VideoReader, VideoSource
from videoatlas_gym.video.concat import join_to_duration

TASKS: dict[str, type[FrameSearchTasks]] = {"frame-search": FrameSearchTasks}
"""Kinds of task sets that are made from videos alone: a new one is a class and a line here."""


@dataclass(frozen=True)
class VideoFile:
    """A video file, by the name it has in records: results do not depend on where it lies."""

    path: Path
    name: str
    """The file name; a second file of the same name gets ``#2``."""
    group: str
    """Cluster in statistics: the pattern that the file matches, or its name."""

    def to_json(self) -> dict[str, Any]:
        """Return what stands for its content: name, size and group."""
        return {"name": self.name, "bytes": self.path.stat().st_size, "group": self.group}


def find_named_files(videos: Sequence[str | Path], patterns: Sequence[str]) -> list[VideoFile]:
    """Find the files, each once, with names that tell them apart.

    Args:
        videos: Files, folders or glob patterns.
        patterns: Of file names; files that match the same (first) one are one group.

    Raises:
        VideoOpenError: If there is no such video.
        ValueError: If nothing was asked for, or a pattern matches no file.
    """
    paths = {path.resolve(): path for where in videos for path in find_files(where)}
    files, taken = [], set()
    for path in paths.values():
        name, number = path.name, 1
        while name in taken:
            number += 1
            name = f"{path.name}#{number}"
        taken.add(name)
        group = next((p for p in patterns if fnmatchcase(path.name, p)), name)
        files.append(VideoFile(path, name, group))
    if not files:
        raise ValueError("no videos were given; name a file, a folder or a pattern.")
    for pattern in patterns:
        if not any(fnmatchcase(file.path.name, pattern) for file in files):
            raise ValueError(
                f"group pattern {pattern!r} matches none of the files "
                f"({', '.join(file.name for file in files[:8])}). Give a pattern of file names."
            )
    return files


class FirstTasks:
    """The first `count` tasks of a set, built once for all environments; a `TaskSet`.

    Making it opens no video, except for their durations when they are joined.
    """

    def __init__(
        self,
        kind: str,
        files: Sequence[VideoFile],
        *,
        count: int,
        seed: int,
        hardness: float,
        max_truth_share: float,
        join_seconds: float | None,
    ):
        made = TASKS[one_of("kind of tasks", kind, TASKS)]
        self.name, self.has_goal = kind, made.has_goal
        self._count, self._tasks = count, []
        self._groups = {file.path: file.group for file in files}
        self._endless = made(
            _sources(files, join_seconds, seed),
            hardness=hardness,
            seed=seed,
            max_truth_share=max_truth_share,
        )

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Task:
        self.build()
        return self._tasks[index]

    def build(self) -> None:
        """Make the tasks, with progress; the first one of each video reads its pictures.

        Videos are closed on the way, since there may be more than can be open at once.
        """
        if self._tasks:
            return
        made: list[Task] = []
        with tqdm(range(self._count), desc="making tasks", unit="task", leave=False) as bar:
            for index in bar:
                made.append(self._grouped(self._endless[index]))
                if index and made[-2].source is not made[-1].source:
                    made[-2].source.close()
        self._tasks = made

    def _grouped(self, task: Task) -> Task:
        """Name the footage; on a joined timeline the parts have done so."""
        if isinstance(task.source, VideoReader):
            return replace(task, group=self._groups[task.source.path])
        return task


def _sources(
    files: Sequence[VideoFile], join_seconds: float | None, seed: int
) -> list[VideoSource]:
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
