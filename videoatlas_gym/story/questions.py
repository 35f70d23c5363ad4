"""What is asked about a story: one builder for each family of questions.

Every question names its chapter by the theme and its objects by colour and shape, and is built so
that the plan allows exactly one answer. Wrong options come from elsewhere in the same story, where
it has enough. Builders read the plan alone and draw no picture, but for the goal of a needle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise, permutations
from typing import TypeVar

import numpy as np

from videoatlas_gym.cues import Subtitles
from videoatlas_gym.span import Span
from videoatlas_gym.story.names import COLOURS, PLACES, SHAPES
from videoatlas_gym.story.needles import Stretch
from videoatlas_gym.story.plan import Chapter, Event, Scene, StoryWorld
from videoatlas_gym.story.signal import signal
from videoatlas_gym.tasks import FrameSearch, MultipleChoice, Task, TemporalGrounding
from videoatlas_gym.video import Frame, VideoSource

T = TypeVar("T")
NUM_OPTIONS = 4
LENGTH_STEPS = 3.5
"""Options of a length are this many to the range of lengths that events may have, on a logarithmic
scale: all four lie within it, and which one is right cannot be told from the range."""
MIN_LENGTH_FACTOR = 1.15
"""Lengths are not asked for where options would differ by less."""
MIN_LENGTH_FRAMES = 6
"""Events with fewer frames are not asked for their length."""


@dataclass(frozen=True, eq=False)
class Story:
    """A world with what its tasks share, and its facts in the order that questions need them."""

    world: StoryWorld
    source: VideoSource
    subtitles: Subtitles = field(default_factory=Subtitles)
    name: str = ""

    @cached_property
    def events_of(self) -> dict[Chapter, list[Event]]:
        """The events of each chapter that has some, in order of time."""
        events: dict[Chapter, list[Event]] = {}
        for event in self.world.events:
            events.setdefault(event.scene.chapter, []).append(event)
        return events

    @cached_property
    def names_of(self) -> dict[Chapter, dict[Event, str]]:
        """What to call an event so that no other of its chapter is meant, where that is possible.

        The object where it appears once in the chapter, otherwise the object with its digits.
        """
        names: dict[Chapter, dict[Event, str]] = {}
        for chapter, events in self.events_of.items():
            alike = Counter(event.thing for event in events)
            same = Counter((event.thing, event.digits) for event in events)
            names[chapter] = {
                event: event.thing
                if alike[event.thing] == 1
                else f"{event.thing} with the digits {event.digits}"
                for event in events
                if same[event.thing, event.digits] == 1
            }
        return names

    def has_needle_between(self, first: Event, second: Event) -> bool:
        """Whether a needle or a hint, whose picture shows an object too, comes between events."""
        gap = Stretch(first.stretch.stop, second.stretch.first)
        return any(own.overlaps(gap) for needle in self.world.needles for own in needle.stretches)

    def spans(self, stretches: Iterable[Stretch]) -> tuple[Span, ...]:
        """Return stretches in seconds."""
        return tuple(self.world.span(stretch) for stretch in stretches)

    def choice(
        self,
        query: str,
        right: str,
        wrong: Sequence[str],
        needed: Iterable[Stretch],
        random: np.random.Generator,
        *,
        truth: Iterable[Stretch] | None = None,
    ) -> MultipleChoice:
        """Return a question whose right option stands at a random place.

        Args:
            query: The question.
            right: The right option.
            wrong: The others.
            needed: Frames of each of which one must be seen to know the answer.
            random: Source of chance.
            truth: All frames that show something of the answer; `needed` if None.
        """
        place = int(random.integers(len(wrong) + 1))
        options = (*wrong[:place], right, *wrong[place:])
        needs = self.spans(needed)
        return MultipleChoice(
            self.source,
            query,
            options=options,
            answer=place,
            truth=needs if truth is None else self.spans(truth),
            needs=needs,
            subtitles=self.subtitles,
            group=self.name,
        )


def detail(story: Story, random: np.random.Generator) -> Task | None:
    """Which digits an object carries."""
    if not story.world.events:
        return None
    event = _pick(story.world.events, random)
    chapter = story.events_of[event.scene.chapter]
    alike = [other.digits for other in story.world.events if other.thing == event.thing]
    near = [other.digits for other in chapter]
    wrong = _wrong(event.digits, [*alike[-6:], *near], _two_digits(random), random)
    query = f"{_where(event.scene)}, which digits does the {event.thing} carry?"
    return story.choice(query, event.digits, wrong, [event.stretch], random)


def order(story: Story, random: np.random.Generator) -> Task | None:
    """In which order three objects of a chapter appear for the first time."""
    firsts = {
        chapter: list({event.thing: event for event in reversed(events)}.values())
        for chapter, events in story.events_of.items()
    }
    chapters = [chapter for chapter, events in firsts.items() if len(events) >= 3]
    if not chapters:
        return None
    chapter = _pick(chapters, random)
    events = _sample(firsts[chapter], 3, random)
    events.sort(key=lambda event: event.index)
    right, *others = (", then ".join(three) for three in permutations(e.thing for e in events))
    *some, last = (f"the {event.thing}" for event in _sample(events, 3, random))
    query = f"{_in(chapter)}, in which order do {', '.join(some)} and {last} first appear?"
    wrong = _sample(others, NUM_OPTIONS - 1, random)
    return story.choice(query, right, wrong, [event.stretch for event in events], random)


def count(story: Story, random: np.random.Generator) -> Task | None:
    """How many times an object appears in a chapter, one to four.

    Each number that there is in the story is as likely; a story with fewer than three of them is
    not asked, because the options would be as good as fewer.
    """
    things: dict[int, list[tuple[Chapter, str]]] = {}
    for chapter, events in story.events_of.items():
        for thing, number in Counter(event.thing for event in events).items():
            if number <= NUM_OPTIONS:
                things.setdefault(number, []).append((chapter, thing))
    if len(things) < NUM_OPTIONS - 1:
        return None
    number = _pick(sorted(things), random)
    chapter, thing = _pick(things[number], random)
    shown = [event for event in story.events_of[chapter] if event.thing == thing]
    others = [str(other) for other in range(1, NUM_OPTIONS + 1) if other != number]
    query = f"{_in(chapter)}, how many times does {shown[0].a_thing} appear?"
    wrong = _sample(others, len(others), random)
    return story.choice(query, str(number), wrong, [event.stretch for event in shown], random)


def duration(story: Story, random: np.random.Generator) -> Task | None:
    """For how long an object is on display; to tell, its beginning and its end must be seen."""
    low, high = story.world.difficulty.event_seconds
    factor = (high / low) ** (1 / LENGTH_STEPS)
    fitting: dict[int, list[Event]] = {}
    for event in story.world.events:
        seconds = story.world.span(event.stretch).duration_seconds
        for place in range(NUM_OPTIONS if len(event.stretch) >= MIN_LENGTH_FRAMES else 0):
            shortest = seconds / factor**place
            if low <= shortest and shortest * factor ** (NUM_OPTIONS - 1) <= high:
                fitting.setdefault(place, []).append(event)
    if not fitting or factor < MIN_LENGTH_FACTOR:
        return None
    place = _pick(sorted(fitting), random)
    event = _pick(fitting[place], random)
    seconds = story.world.span(event.stretch).duration_seconds
    lengths = [seconds * factor ** (i - place) for i in range(NUM_OPTIONS)]
    right, wrong = lengths.pop(place), lengths
    third = len(event.stretch) // 3
    first, stop = event.stretch.first, event.stretch.stop
    needed = [Stretch(first, first + third), Stretch(stop - third, stop)]
    query = f"{_where(event.scene)}, for how long is the {event.thing} on display?"
    texts = [_length(other) for other in _sample(wrong, len(wrong), random)]
    return story.choice(query, _length(right), texts, needed, random, truth=[event.stretch])


def before_after(story: Story, random: np.random.Generator) -> Task | None:
    """Which object, or whose digits, come right before or after an object of a chapter.

    Not asked where the answer is the object's own name or digits, which options must leave out, or
    where a needle's picture comes between the two.
    """
    pairs = [
        (anchor, near, asked)
        for chapter, names in story.names_of.items()
        for pair in pairwise(story.events_of[chapter])
        for anchor, near in (pair, pair[::-1])
        for asked in ("thing", "digits")
        if anchor in names and getattr(anchor, asked) != getattr(near, asked)
        if not story.has_needle_between(*pair)
    ]
    if not pairs:
        return None
    anchor, near, asked = _pick(pairs, random)
    chapter = anchor.scene.chapter
    question = {"thing": "which object appears", "digits": "which digits appear"}[asked]
    near_by = [getattr(event, asked) for event in story.events_of[chapter]]
    more = _things(random) if asked == "thing" else _two_digits(random)
    own = getattr(anchor, asked)
    near_by, more = ([text for text in texts if text != own] for texts in (near_by, more))
    wrong = _wrong(getattr(near, asked), near_by, more, random)
    side = "before" if near.index < anchor.index else "after"
    query = f"{_in(chapter)}, {question} right {side} the {story.names_of[chapter][anchor]}?"
    needed = sorted((anchor.stretch, near.stretch), key=lambda stretch: stretch.first)
    return story.choice(query, getattr(near, asked), wrong, needed, random)


def where(story: Story, random: np.random.Generator) -> Task | None:
    """At which place an object of a chapter stands."""
    named = [pair for names in story.names_of.values() for pair in names.items()]
    if not named:
        return None
    event, name = _pick(named, random)
    chapter, right = event.scene.chapter, event.scene.place
    here = [scene.place for scene in story.world.scenes if scene.chapter == chapter]
    wrong = _wrong(right, here, _sample(PLACES, len(PLACES), random), random)
    query = f"{_in(chapter)}, at which place does the {name} appear?"
    return story.choice(query, right, wrong, [event.stretch], random)


def summary(story: Story, random: np.random.Generator) -> Task | None:
    """Which three places a chapter visits first, in order; each scene must be seen once."""
    scenes: dict[Chapter, list[Scene]] = {}
    for scene in story.world.scenes:
        scenes.setdefault(scene.chapter, []).append(scene)
    chapters = [chapter for chapter, here in scenes.items() if len(here) >= 3]
    if not chapters:
        return None
    chapter = _pick(chapters, random)
    first = scenes[chapter][:3]
    right, *others = (", ".join(three) for three in permutations(scene.place for scene in first))
    shown = [Stretch(story.world.card(scene).stop, scene.stretch.stop) for scene in first]
    query = f"{_in(chapter)}, which three places come first, in order?"
    return story.choice(query, right, _sample(others, NUM_OPTIONS - 1, random), shown, random)


def grounding(story: Story, random: np.random.Generator) -> Task | None:
    """All moments of a chapter at which an object is on display; the truth is their spans."""
    if not story.world.events:
        return None
    event = _pick(story.world.events, random)
    chapter = event.scene.chapter
    alike = [other for other in story.events_of[chapter] if other.thing == event.thing]
    spans = story.spans(other.stretch for other in alike)
    return TemporalGrounding(
        story.source,
        f"{_in(chapter)}, find all moments at which {event.a_thing} is on display.",
        truth=spans,
        needs=spans,
        subtitles=story.subtitles,
        group=story.name,
    )


def needle(story: Story, random: np.random.Generator) -> Task | None:
    """The moment at which the world's needle is on display, whatever its kind."""
    placed = story.world.needles[0]
    return FrameSearch(
        story.source,
        "Find the moment at which the goal picture is on display and keep it in the scratchpad.",
        truth=story.spans([placed.stretch]),
        subtitles=story.subtitles,
        goal=Frame(np.asarray(signal(*placed.look)), 0.0, 0),
        group=story.name,
    )


Builder = Callable[[Story, np.random.Generator], Task | None]
"""Draws a question about a story, or returns None where it has nothing fitting."""

QUESTIONS: dict[str, Builder] = {
    "detail": detail,
    "order": order,
    "count": count,
    "duration": duration,
    "before_after": before_after,
    "where": where,
    "summary": summary,
    "grounding": grounding,
}
PICTURES: dict[str, str] = {"needle_visible": "visible", "needle_hidden": "hidden"}
"""Families whose query is a picture, with the kind of needle that their worlds hide."""
FAMILIES: dict[str, Builder] = QUESTIONS | dict.fromkeys(PICTURES, needle)
QUESTION_FAMILIES, PICTURE_FAMILIES = tuple(QUESTIONS), tuple(PICTURES)


def _in(chapter: Chapter) -> str:
    return f"In the {chapter.theme} chapter"


def _where(scene: Scene) -> str:
    return f"{_in(scene.chapter)}, at the {scene.place}"


def _length(seconds: float) -> str:
    """A length with two digits, for example ``4.3 seconds`` or ``12 seconds``."""
    digits = 0 if seconds >= 9.95 else 1 if seconds >= 0.995 else 2
    return f"{seconds:.{digits}f} seconds"


def _pick(items: Sequence[T], random: np.random.Generator) -> T:
    return items[int(random.integers(len(items)))]


def _sample(items: Sequence[T], number: int, random: np.random.Generator) -> list[T]:
    return [items[index] for index in random.permutation(len(items))[:number].tolist()]


def _wrong(
    right: str, near: Collection[str], more: Iterable[str], random: np.random.Generator
) -> list[str]:
    """Draw three other options, from those of the story first and then from all there are."""
    mixed = _sample(tuple(dict.fromkeys(near)), len(near), random)
    others = [text for text in dict.fromkeys([*mixed, *more]) if text != right]
    return others[: NUM_OPTIONS - 1]


def _two_digits(random: np.random.Generator) -> list[str]:
    return [str(number) for number in random.permutation(np.arange(10, 100))[:12].tolist()]


def _things(random: np.random.Generator) -> list[str]:
    things = [f"{colour} {shape}" for colour in COLOURS for shape in SHAPES]
    return _sample(things, 12, random)
