"""Tasks: questions about videos with their truth and scoring, and seeded sets of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from videoatlas_gym.actions import MAX_CHOICES
from videoatlas_gym.span import Span
from videoatlas_gym.tasks.frame_search import (
    FrameSearchTasks,
    degrade,
    find_files,
    find_sources,
)
from videoatlas_gym.tasks.picture_index import PictureIndex, picture_index
from videoatlas_gym.tasks.source_subtitles import subtitles_of
from videoatlas_gym.tasks.task import (
    FixedTasks,
    FrameSearch,
    MultipleChoice,
    OpenQuestion,
    Task,
    TaskSet,
    TemporalGrounding,
    overlap_seconds,
    temporal_f1,
    temporal_iou,
)
from videoatlas_gym.video import VideoReader, VideoSource

__all__ = [
    "FixedTasks",
    "FrameSearch",
    "FrameSearchTasks",
    "MultipleChoice",
    "OpenQuestion",
    "PictureIndex",
    "Task",
    "TaskSet",
    "TemporalGrounding",
    "degrade",
    "find_files",
    "find_sources",
    "make_task",
    "make_task_set",
    "overlap_seconds",
    "picture_index",
    "subtitles_of",
    "temporal_f1",
    "temporal_iou",
]

EXPLORE = "Explore the video."
"""The query where none is given: nothing is asked, nothing scored."""


def make_task(
    video: str | Path | VideoSource,
    question: str | None = None,
    options: Sequence[str] | None = None,
    answer: int | str | None = None,
    spans: Sequence[tuple[float, float]] | None = None,
    *,
    subtitles: Any = None,
    task_id: str = "task",
) -> Task:
    """Return the task that the arguments describe.

    With options it is multiple choice; with a text answer an open question; with spans alone
    (seconds) temporal grounding; without a question there is nothing to score. A file is opened
    only to check `spans`, and closed again.

    Args:
        video: A file's path or a source.
        question: What to ask.
        options: 2 to 8 answer options; `answer` is then the right one's index or its text.
        answer: The right option, or the text of an open question's answer.
        spans: Where the evidence lies, pairs of seconds.
        subtitles: None, "auto", False, a file's path, cues, or `Subtitles`; see `subtitles_of`.
        task_id: Name of the task in records.

    Raises:
        ValueError: If the arguments do not make a task that can be scored.
        VideoOpenError: If the video cannot be opened.
    """
    # Not isinstance(video, VideoSource): asking a protocol reads all properties, which opens files.
    if isinstance(video, str | Path):
        described = (question, options, answer, spans)
        with VideoReader(video) as reader:  # it opens again when it is played
            return make_task(reader, *described, subtitles=subtitles, task_id=task_id)
    cues = subtitles_of(video, subtitles)
    truth = tuple(Span(float(start), float(end)) for start, end in spans or ())
    common = {"task_id": task_id, "truth": truth, "subtitles": cues}
    if question is None:
        if options or answer is not None or truth:
            raise ValueError("options, answer and spans belong to a question: give question=....")
        return OpenQuestion(video, EXPLORE, **common)
    if options is not None:
        index = _option_index(options, answer)
        return MultipleChoice(video, question, options=tuple(options), answer=index, **common)
    if answer is not None:
        return OpenQuestion(video, question, answer=str(answer), **common)
    if truth:
        return TemporalGrounding(video, question, **common)
    raise ValueError(
        "a question needs something to score it by: options and answer (multiple choice), "
        "answer (open question) or spans (temporal grounding)."
    )


def _option_index(options: Sequence[str], answer: int | str | None) -> int:
    if isinstance(options, str):
        raise ValueError(
            f"options must be a list of 2 to {MAX_CHOICES} texts, got the text {options!r}."
        )
    for option in options:
        if not isinstance(option, str) or not option.strip():
            raise ValueError(f"each option must be a text that is not empty, got {option!r}.")
    if answer is None:
        raise ValueError("options need an answer: the right option's index or its text.")
    if isinstance(answer, str):
        if answer not in options:
            raise ValueError(f"answer {answer!r} is none of the options {list(options)!r}.")
        return list(options).index(answer)
    return answer


def make_task_set(
    video: str | Path | VideoSource | None = None,
    question: str | None = None,
    options: Sequence[str] | None = None,
    answer: int | str | None = None,
    spans: Sequence[tuple[float, float]] | None = None,
    *,
    tasks: TaskSet | Task | Sequence[Task] | None = None,
    subtitles: Any = None,
) -> TaskSet:
    """Return a task set from a ready one, from tasks, or from what `make_task` takes.

    Raises:
        ValueError: If both or neither are given.
        TypeError: If `tasks` is none of these.
    """
    described = (video, question, options, answer, spans, subtitles)
    if tasks is not None:
        if any(part is not None for part in described):
            raise ValueError("give either tasks=... or a video with its question, not both.")
        return _as_set(tasks)
    if video is None:
        raise ValueError("give a video (a path or a source) or tasks=....")
    task = make_task(video, question, options, answer, spans, subtitles=subtitles)
    return FixedTasks(task)


def _as_set(tasks: TaskSet | Task | Sequence[Task]) -> TaskSet:
    if isinstance(tasks, Task):
        return FixedTasks(tasks)
    if isinstance(tasks, list | tuple) and all(isinstance(task, Task) for task in tasks):
        return FixedTasks(*tasks)
    if isinstance(tasks, TaskSet):
        return tasks
    raise TypeError(
        "tasks must be a task, a list of tasks, or a set with `name`, `has_goal`, a length and "
        f"tasks by index; got {type(tasks).__name__}."
    )
