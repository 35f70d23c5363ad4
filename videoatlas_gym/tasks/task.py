"""What is asked about a video: a question, its truth, and how an outcome is scored.

A task is data and decodes nothing. It never sees pixels of the world and never steers the agent;
only the environment reads its truth, at the end of an episode.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np

from videoatlas_gym.actions import MAX_CHOICES
from videoatlas_gym.memory import DeadZones
from videoatlas_gym.span import Span, total_seconds
from videoatlas_gym.state import AtlasState
from videoatlas_gym.subtitles import Subtitles
from videoatlas_gym.video import Frame, VideoSource


@dataclass(frozen=True, eq=False)
class Task:
    """A question about one video. Subclasses say what counts as right."""

    kind: ClassVar[str] = "task"

    source: VideoSource
    query: str
    """What the agent is asked."""
    task_id: str = "task"
    options: tuple[str, ...] = ()
    """Answer options; empty where the answer is the evidence or a text."""
    answer: int | str | None = None
    """The right option's index, the right text, or None where the truth is a set of spans."""
    truth: tuple[Span, ...] = ()
    """Where the evidence lies, sorted and disjoint; empty if unknown."""
    subtitles: Subtitles = field(default_factory=Subtitles)
    goal: Frame | None = None
    """The picture that is looked for, for picture tasks."""
    group: str = ""
    """Name of the footage: statistics treat tasks of one group as dependent."""
    family: str = ""
    """Type of question within its set, for tables; "" where there is one type only."""
    needs: tuple[Span, ...] = ()
    """Spans of each of which a moment must be seen to know the answer, in order of time; empty
    where any moment of the truth will do."""

    def __post_init__(self) -> None:
        if not self.query.strip():
            raise ValueError("a task needs a query, got an empty one.")
        if len(self.options) > MAX_CHOICES or len(self.options) == 1:
            raise ValueError(
                f"a task has 2 to {MAX_CHOICES} options or none, got {len(self.options)}."
            )
        for span in self.truth:
            if not 0 <= span.start_seconds < span.end_seconds <= self.source.duration_seconds:
                raise ValueError(
                    f"truth span [{span.start_seconds}, {span.end_seconds}) s must lie in the "
                    f"video [0, {self.source.duration_seconds}) and not be empty."
                )
        object.__setattr__(self, "truth", DeadZones().add(*self.truth).spans)
        truth = self.truth
        if not all(any(whole.covers(span) for whole in truth) for span in self.needs):
            raise ValueError(
                f"each span that must be seen lies in the truth {truth}, got {self.needs}."
            )

    def unseen(self, moments: Sequence[float]) -> tuple[Span, ...]:
        """Return the spans of which none of the moments (in seconds) shows anything yet.

        Empty where the moments settle the answer; `needs` and `truth` say what it takes. Without
        a truth nothing is ever missing.
        """
        if self.needs:
            return tuple(span for span in self.needs if not any(m in span for m in moments))
        found = any(moment in span for span in self.truth for moment in moments)
        return () if found else self.truth

    @property
    def chance(self) -> float | None:
        """Expected score of an option drawn at random; None where there is nothing to draw from."""
        return 1 / len(self.options) if self.options else None

    def score(self, answer: int | str | None, state: AtlasState) -> float:
        """Return how right the outcome is, in [0, 1].

        Args:
            answer: The chosen option's index, the text given, or None for neither.
            state: The final state; its scratchpad is the evidence.
        """
        raise TypeError(f"{type(self).__name__} must say what counts as right.")


@runtime_checkable
class TaskSet(Protocol):
    """A seeded sequence of tasks. `has_goal` tells whether tasks carry a picture to look for."""

    name: str
    has_goal: bool

    def __len__(self) -> int:
        """Number of tasks; sets that never end return `sys.maxsize`."""

    def __getitem__(self, index: int) -> Task:
        """Return task `index`, the same one every time."""


class FixedTasks:
    """A task set made from given tasks."""

    def __init__(self, *tasks: Task, name: str = "fixed"):
        if not tasks:
            raise ValueError("a task set needs at least one task, got none.")
        self.name, self.tasks = name, tasks
        self.has_goal = all(task.goal is not None for task in tasks)

    def __len__(self) -> int:
        return len(self.tasks)

    def __getitem__(self, index: int) -> Task:
        return self.tasks[index]


@dataclass(frozen=True, eq=False)
class MultipleChoice(Task):
    """Right is the option with the index `answer`. `answer` may be None for unlabelled videos."""

    kind: ClassVar[str] = "multiple_choice"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.options:
            raise ValueError("a multiple choice task needs options; use OpenQuestion without.")
        if self.answer is not None and (
            isinstance(self.answer, bool)
            or not isinstance(self.answer, int | np.integer)
            or not 0 <= self.answer < len(self.options)
        ):
            raise ValueError(
                f"answer must be the index of an option, 0 to {len(self.options) - 1}, "
                f"got {self.answer!r}."
            )

    def score(self, answer: int | str | None, state: AtlasState) -> float:
        """1.0 for the right option, else 0.0."""
        return float(self.answer is not None and answer == self.answer)


Judge = Callable[[str, str, str], float]
"""(question, reference answer, given answer) -> rightness in [0, 1]."""


@dataclass(frozen=True, eq=False)
class OpenQuestion(Task):
    """Right is a text that equals one of the accepted ones after normalisation, or as a judge says.

    `answer` holds the accepted text; several are separated by ``|``. An empty reply is an
    abstention and scores 0.
    """

    kind: ClassVar[str] = "open_question"

    judge: Judge | None = None
    """Replaces the comparison of texts, for example by a model's opinion."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.options:
            raise ValueError("an open question has no options; use MultipleChoice.")
        if self.answer is not None and not str(self.answer).strip():
            raise ValueError("the answer of an open question must not be empty.")

    def score(self, answer: int | str | None, state: AtlasState) -> float:
        """1.0 for an accepted text, 0.0 otherwise; or the judge's opinion, cut to [0, 1]."""
        text = "" if answer is None else str(answer)
        if not text.strip() or self.answer is None:
            return 0.0
        if self.judge is not None:
            return min(1.0, max(0.0, float(self.judge(self.query, str(self.answer), text))))
        accepted = {normalised(part) for part in str(self.answer).split("|")}
        return float(normalised(text) in accepted)


def normalised(text: str) -> str:
    """Lower-case a text, fold its Unicode forms, drop punctuation, English articles and blanks.

    What consists of nothing else, such as the answers "A" and "+", is kept.
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    words = "".join(" " if unicodedata.category(c)[0] in "PSZ" else c for c in text)
    without_articles = re.sub(r"\b(a|an|the)\b", " ", words)
    return " ".join((without_articles.strip() or words.strip() or text).split())


@dataclass(frozen=True, eq=False)
class TemporalGrounding(Task):
    """Right is evidence that covers the truth spans: temporal IoU of the unions."""

    kind: ClassVar[str] = "temporal_grounding"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.truth:
            raise ValueError("a grounding task needs at least one truth span.")

    def score(self, answer: int | str | None, state: AtlasState) -> float:
        """Temporal intersection over union of the evidence spans and the truth."""
        return temporal_iou(state.scratchpad.spans, self.truth)


@dataclass(frozen=True, eq=False)
class FrameSearch(Task):
    """Right is a most confident (of equals, newest) item whose moment shows the goal picture."""

    kind: ClassVar[str] = "frame_search"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.truth or self.goal is None:
            raise ValueError("a frame search needs a goal picture and the spans that show it.")

    @property
    def chance(self) -> float:
        """Expected score of a moment drawn at random: the share of the video that is right."""
        return total_seconds(self.truth) / self.source.duration_seconds

    def score(self, answer: int | str | None, state: AtlasState) -> float:
        """1.0 if the single best item's moment lies in a truth span, else 0.0."""
        best = state.scratchpad.best(1)
        return float(bool(best) and any(best[0].seconds in span for span in self.truth))


def overlap_seconds(found: tuple[Span, ...], truth: tuple[Span, ...]) -> float:
    """Length of the intersection of two sets of disjoint spans, in seconds."""
    shared = (a.intersection(b) for a in found for b in truth)
    return total_seconds([span for span in shared if span])


def temporal_iou(found: tuple[Span, ...], truth: tuple[Span, ...]) -> float:
    """Intersection over union of two sets of disjoint spans, in [0, 1]."""
    shared = overlap_seconds(found, truth)
    union = total_seconds(found) + total_seconds(truth) - shared
    return shared / union if union > 0 else 0.0


def temporal_f1(found: tuple[Span, ...], truth: tuple[Span, ...]) -> float:
    """Harmonic mean of precision and recall in seconds: ``2 * shared / (found + truth)``."""
    total = total_seconds(found) + total_seconds(truth)
    return 2 * overlap_seconds(found, truth) / total if total > 0 else 0.0
