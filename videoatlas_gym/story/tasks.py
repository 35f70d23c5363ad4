"""Task sets about stories: as many verified questions as wanted, about any number of worlds.

Nothing is rendered or decoded to make a task. Training, validation and test worlds are disjoint by
construction: world ``index`` of a seed has the number ``(seed * 2**63 + index) * 3 + split``.
"""

from __future__ import annotations

import hashlib
import sys
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from videoatlas_gym.arguments import checked_number, checked_whole
from videoatlas_gym.errors import one_of
from videoatlas_gym.story.difficulty import DIFFICULTIES, Difficulty, make_difficulty
from videoatlas_gym.story.narration import narration
from videoatlas_gym.story.plan import StoryWorld
from videoatlas_gym.story.questions import (
    FAMILIES,
    PICTURE_FAMILIES,
    PICTURES,
    QUESTION_FAMILIES,
    Story,
)
from videoatlas_gym.story.source import StorySource, story_frames, write_story
from videoatlas_gym.tasks import Task
from videoatlas_gym.video import VideoReader, VideoSource

SPLITS = ("train", "validation", "test")
MAX_INDEX = 1 << 63
"""Worlds of one seed: as many as an endless set can ask for."""
_KEPT_WORLDS = 8
_TRIES = 10
"""Draws of a question before one that was asked already is given up."""


class StoryTasks:
    """A seeded task set about procedural worlds. Task i is about world ``i // per_world``.

    The families take turns from task to task. Where a world has nothing for a family, or nothing
    that was not asked yet, the next family takes its turn. Needle tasks, whose query is a picture,
    have a world of their own each, since two needles' hints would contradict each other.

    Args:
        duration_seconds: Length of every video, from 30 s.
        worlds: Number of worlds; None for a set that never ends.
        per_world: Tasks per world.
        families: Of `questions.FAMILIES`; either questions or needles.
        split: "train", "validation" or "test".
        seed: Seeds worlds and questions; other seeds give other worlds of the same split.
        difficulty: A name, a `Difficulty`, or a dict of numbers that replace those of "medium".
        frames_per_second: Rate of the videos, a whole number.
        needle_seconds: For how long a needle is on display.
        render_to: None to draw frames when they are looked at; a folder to encode each world once
            to ``story-<fingerprint>.mp4`` in it, with progress on stderr, and play that file.

    Raises:
        ValueError: If a name is unknown, a number out of range, or no such story can be told.
    """

    def __init__(
        self,
        duration_seconds: float = 3600.0,
        worlds: int | None = 10,
        per_world: int = 20,
        families: Sequence[str] = QUESTION_FAMILIES,
        *,
        split: str = "train",
        seed: int = 0,
        difficulty: str | Difficulty | Mapping[str, object] = "medium",
        frames_per_second: int = 10,
        needle_seconds: float = 2.0,
        render_to: str | Path | None = None,
    ):
        per_world = checked_whole("per_world", per_world, 1, sys.maxsize)
        if worlds is not None:
            worlds = checked_whole("worlds", worlds, 1, sys.maxsize // per_world)
        self.families = _checked_families(families)
        self.has_goal = self.families[0] in PICTURES
        self.worlds, self.per_world = worlds, per_world
        self.split, self.seed = one_of("split", split, SPLITS), checked_whole("seed", seed, 0)
        self.duration_seconds = checked_number("duration_seconds", duration_seconds)
        self.frames_per_second = frames_per_second
        self.difficulty, self.needle_seconds = make_difficulty(difficulty), needle_seconds
        self.render_to = None if render_to is None else _checked_folder(render_to)
        self.name = self._described()
        self._stories: OrderedDict[int, tuple[Story, tuple[Task, ...]]] = OrderedDict()
        for index in range(len(self.families) if self.has_goal else 1):
            _ = self.world(index).needles  # a set whose needles have no room is refused now

    def __len__(self) -> int:
        return sys.maxsize if self.worlds is None else self.worlds * self.per_world

    def __getstate__(self) -> dict[str, Any]:
        """Pickle what the set was made from; stories are made again where they are needed."""
        return vars(self) | {"_stories": OrderedDict()}

    def __getitem__(self, index: int) -> Task:
        """Return task `index`, the same one every time. Costs milliseconds for a new world.

        With `render_to`, the first task of a world that has no file yet encodes it.

        Raises:
            IndexError: If the index is not in the set.
            ValueError: If a world has nothing to ask about.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"task {index} is not in the set; it has {len(self)} tasks.")
        if self.has_goal:
            return self._told(int(index))[0]
        return self._told(int(index) // self.per_world)[int(index) % self.per_world]

    def world(self, index: int) -> StoryWorld:
        """Return the plan of world `index`; with needles, of task `index`."""
        kind = PICTURES.get(self.families[index % len(self.families)])
        return StoryWorld(
            (self.seed * MAX_INDEX + index) * len(SPLITS) + SPLITS.index(self.split),
            self.duration_seconds,
            self.difficulty,
            self.frames_per_second,
            needle_kinds=(kind,) if kind else (),
            needle_seconds=self.needle_seconds,
        )

    def _described(self) -> str:
        levels = {level: name for name, level in DIFFICULTIES.items()}
        facts = hashlib.sha256(repr(self.difficulty).encode()).hexdigest()[:6]
        parts = [
            f"{self.duration_seconds:g} s",
            levels.get(self.difficulty, f"difficulty {facts}"),
            *([] if self.families == QUESTION_FAMILIES else ["+".join(self.families)]),
            self.split,
            *([] if self.frames_per_second == 10 else [f"{self.frames_per_second} fps"]),
            *([f"needles of {self.needle_seconds:g} s"] if self.has_goal else []),
        ]
        return f"story({', '.join(parts)}, seed={self.seed})"

    def _told(self, index: int) -> tuple[Task, ...]:
        """The tasks about world `index`. The latest worlds are kept, and with them their caches."""
        if index not in self._stories:
            world = self.world(index)
            seed = f"{self.seed}." if self.seed else ""
            name = f"{self.split}-{seed}{index}"
            story = Story(world, self._source(world, name), narration(world), name)
            tasks = self._tasks_about(story, index)
            self._stories[index] = (story, tasks)
            if len(self._stories) > _KEPT_WORLDS:
                self._stories.popitem(last=False)
        return self._stories[index][1]

    def _source(self, world: StoryWorld, name: str) -> VideoSource:
        source = StorySource(world)
        if self.render_to is None:
            return source
        path = self.render_to / f"story-{source.fingerprint()}.mp4"
        if not path.exists():
            self.render_to.mkdir(parents=True, exist_ok=True)
            frames = tqdm(story_frames(world), f"encoding {name}", world.num_frames, unit="frame")
            write_story(path, world, frames)
        return VideoReader(path)

    def _tasks_about(self, story: Story, index: int) -> tuple[Task, ...]:
        if not self.has_goal:
            first = index * self.per_world % len(self.families)
            return questions_about(story, self.families, self.per_world, first)
        family = self.families[index % len(self.families)]
        task = FAMILIES[family](story, story.world.random("questions"))
        return (replace(task, task_id=f"{story.name}/{family}", family=family),)


def questions_about(
    story: Story, families: Sequence[str], number: int, first: int = 0
) -> tuple[Task, ...]:
    """Return `number` tasks about a story, the families taking turns from number `first` on.

    Raises:
        ValueError: If the story has nothing to ask about for any of the families.
    """
    tasks: list[Task] = []
    asked: set[str] = set()
    for place in range(number):
        turn = (first + place) % len(families)
        family, task = _drawn(story, (*families[turn:], *families[:turn]), place, asked)
        asked.add(task.query)
        task_id = f"{story.name}/{family}-{place:02d}"
        tasks.append(replace(task, task_id=task_id, family=family))
    return tuple(tasks)


def _drawn(story: Story, turns: Sequence[str], place: int, asked: set[str]) -> tuple[str, Task]:
    """Draw a task of the first family that has a new question, or else of any that has one."""
    random = story.world.random("questions", place)
    repeated: tuple[str, Task] | None = None
    for family in turns:
        for _ in range(_TRIES):
            task = FAMILIES[family](story, random)
            if task is None:
                break
            if task.query not in asked:
                return family, task
            repeated = repeated or (family, task)
    if repeated is None:
        raise ValueError(
            f"{story.name} has nothing to ask about for {', '.join(turns)}. Make it longer "
            f"({story.world.duration_seconds:g} s now), its needles fewer and shorter, or ask for "
            "other families."
        )
    return repeated


def _checked_folder(path: str | Path) -> Path:
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"render_to must be a folder, got the file {str(folder)!r}.")
    return folder


def _checked_families(families: Sequence[str]) -> tuple[str, ...]:
    if not isinstance(families, Sequence):
        raise ValueError(f"families must be names of {', '.join(FAMILIES)}, got {families!r}.")
    families = (families,) if isinstance(families, str) else tuple(families)
    if not families:
        raise ValueError(f"families must not be empty. Known: {', '.join(FAMILIES)}.")
    for family in families:
        one_of("family", family, FAMILIES)
    pictures = [family for family in families if family in PICTURES]
    if pictures and len(pictures) < len(families):
        raise ValueError(
            f"needles ({', '.join(PICTURE_FAMILIES)}) have a goal picture and the other families "
            f"have none, so one set cannot hold both, got {', '.join(families)}. Make two sets."
        )
    return families
