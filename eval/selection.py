"""Which tasks a comparison is about: named sets, from videos or from drawn stories.

Knows no policy. Names do not depend on where files lie, so that results do not either.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tqdm import tqdm

from videoatlas_gym.story import StoryTasks
from videoatlas_gym.tasks import FrameSearchTasks, Task, TaskSet, find_files
from videoatlas_gym.video import ConcatSource, VideoReader, VideoSource
from videoatlas_gym.video.joining import join_to_duration

FRAME_SEARCH, STORY = TASK_SETS = ("frame-search", "story")
"""Names of what can be compared on."""


WORLDS, PER_WORLD = 10, 20
"""Stories, and questions about each, where nothing else is asked for."""


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
    """The first tasks of a set, each made once for all environments; a `TaskSet`.

    Pickles with the tasks that are made, so that other processes need not make them again.

    Args:
        name: Its name in records.
        tasks: The whole set.
        count: How many of it.
        groups: Names of the footage by file; tasks about other videos have named it themselves.
    """

    def __init__(
        self, name: str, tasks: TaskSet, count: int, groups: Mapping[Path, str] | None = None
    ):
        self.name, self.has_goal = name, tasks.has_goal
        self._whole, self._count, self._groups = tasks, count, dict(groups or {})
        self._made: dict[int, Task] = {}

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Task:
        if index not in self._made:
            self.build([index])
        return self._made[index]

    def build(self, indices: Iterable[int]) -> None:
        """Make tasks, with progress; of frame search the first one of each video reads it once.

        Videos are closed on the way, since there may be more than can be open at once.
        """
        lacking = [index for index in indices if index not in self._made]
        if not lacking:
            return
        last: Task | None = None
        with tqdm(lacking, desc=f"making {self.name} tasks", unit="task", leave=False) as bar:
            for index in bar:
                task = self._made[index] = self._grouped(self._whole[index])
                if last is not None and last.source is not task.source:
                    last.source.close()
                last = task

    def _grouped(self, task: Task) -> Task:
        if self._groups and isinstance(task.source, VideoReader):
            return replace(task, group=self._groups[task.source.path])
        return task


@dataclass(frozen=True)
class Selection:
    """A task set of a comparison, and what it was made from."""

    tasks: FirstTasks
    config: dict[str, Any]
    """What determines the tasks, as plain data with a `name`."""
    notes: dict[str, Any] = field(default_factory=dict)
    """What else is worth keeping: where files lay."""


def frame_search(
    *,
    videos: Sequence[str | Path],
    count: int,
    seed: int,
    groups: Sequence[str] = (),
    join_seconds: float | None = None,
    hardness: float = 0.3,
    max_truth_share: float = 0.05,
) -> Selection:
    """Select frame search tasks; opens no video, except for their durations when they are joined.

    Args:
        videos: Files, folders or glob patterns.
        count: How many tasks.
        seed: Seeds every task.
        groups: Patterns of file names; files that match the same one count as one cluster.
        join_seconds: Joins the videos to one timeline of at least this length (see
            `join_to_duration`); None keeps them apart.
        hardness: How much a goal picture differs from its frame, 0 to 1.
        max_truth_share: Pictures on display for more of the video than this are not asked for.

    Raises:
        ValueError: If an argument cannot be used.
        VideoError: If a video is missing or, joined, cannot be read.
    """
    files = find_named_files(videos, groups)
    endless = FrameSearchTasks(
        _sources(files, join_seconds, seed),
        hardness=hardness,
        seed=seed,
        max_truth_share=max_truth_share,
    )
    config = {
        "name": FRAME_SEARCH,
        "videos": [file.to_json() for file in files],
        "join_seconds": None if join_seconds is None else float(join_seconds),
        "hardness": float(hardness),
        "max_truth_share": float(max_truth_share),
    }
    by_path = {file.path: file.group for file in files}
    notes = {"files": [str(file.path.resolve()) for file in files]}
    return Selection(FirstTasks(FRAME_SEARCH, endless, count, by_path), config, notes)


def story(
    *,
    count: int,
    seed: int,
    duration_seconds: float = 3600.0,
    worlds: int = WORLDS,
    per_world: int = PER_WORLD,
    families: Sequence[str] = (),
    split: str = "test",
    difficulty: str = "medium",
    render_to: str | Path | None = None,
) -> Selection:
    """Select questions about procedural stories, task i about world ``i // per_world``.

    Args:
        count: How many tasks, at most ``worlds * per_world``.
        seed: Seeds every task.
        duration_seconds: Length of each story.
        worlds: How many stories.
        per_world: Questions about each.
        families: Kinds of question; empty for the default ones.
        split: "train", "validation" or "test".
        difficulty: Name of a difficulty.
        render_to: Folder for the stories as video files; None draws frames when they are looked at.

    Raises:
        ValueError: If an argument cannot be used.
    """
    asked = {"families": tuple(families)} if families else {}
    tasks = StoryTasks(
        duration_seconds=duration_seconds,
        worlds=worlds,
        per_world=per_world,
        split=split,
        seed=seed,
        difficulty=difficulty,
        render_to=render_to,
        **asked,
    )
    config = {
        "name": STORY,
        "duration_seconds": float(duration_seconds),
        "worlds": worlds,
        "per_world": per_world,
        "families": list(tasks.families),
        "split": split,
        "difficulty": difficulty,
        "is_rendered": render_to is not None,
    }
    notes = {} if render_to is None else {"rendered": str(Path(render_to).resolve())}
    return Selection(FirstTasks(STORY, tasks, count), config, notes)


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
