"""What happens when in a story: chapters, scenes, shots, events and what is said. Knows no pixel.

A world is a value: its number and a few sizes determine everything. Times are counted in frames, so
that what is drawn and what is claimed can never differ by rounding. Chapters hold scenes, scenes
hold shots, and in some shots there is an event: an object of some colour and shape that carries
two digits, for some seconds. All events are alike; whichever is asked for, the others distract.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from videoatlas_gym.arguments import checked_number, checked_whole
from videoatlas_gym.errors import one_of
from videoatlas_gym.span import Span
from videoatlas_gym.story.difficulty import Difficulty, make_difficulty
from videoatlas_gym.story.names import COLOURS, PLACES, SHAPES, THEMES
from videoatlas_gym.story.needles import NEEDLES, Needle, Stretch, place_needle
from videoatlas_gym.story.shots import Shot, cut_into_shots

CHAPTER_SECONDS, SCENE_SECONDS, SHOT_SECONDS = 600.0, 150.0, (5.0, 15.0)
"""Lengths aimed at; of shots the shortest and the longest."""
MIN_SCENE_SECONDS = 20.0
"""Chapters that have room for three scenes of this length have three at least, others two."""
CARD_SECONDS = 3.0
"""A chapter begins with a caption card of this length."""
MIN_EVENTS, MAX_EVENTS_OF_SCENE = 8, 40
"""Of a story, where they have room; of a scene, in which no object appears twice."""
MAX_SECONDS = 1e7
STREAMS = ("chapters", "scenes", "events", "shots", "needles", "scenery", "narration", "questions")
"""Streams of random numbers: one part of a story does not change with another. Append only."""
_EVENT_SHARE = 0.7
"""An event fills at most this share of the part of its scene in which it may be."""
_TRIES = 20


@dataclass(frozen=True)
class Chapter:
    """A long stretch with one theme: its palette and its weather."""

    index: int
    stretch: Stretch
    theme: str


@dataclass(frozen=True)
class Scene:
    """A stretch of a chapter at one place; no two scenes of a chapter are at the same place."""

    index: int
    stretch: Stretch
    chapter: Chapter
    place: str


@dataclass(frozen=True)
class Event:
    """An object that carries two digits, on display during `stretch`, whole and in one shot."""

    index: int
    stretch: Stretch
    scene: Scene
    colour: str
    shape: str
    digits: str
    height: float
    """Height of the object, as a share of the picture's."""
    x: float
    """Where its middle is when it appears, as a share of the picture's width."""
    drift: float
    """How far it moves until it disappears, as a share of the width."""
    told: str
    """What the narrator says of it: "" nothing, "thing" that it is there, "digits" those too."""

    @property
    def thing(self) -> str:
        """Its colour and shape, for example ``red triangle``; unique within its scene."""
        return f"{self.colour} {self.shape}"

    @property
    def a_thing(self) -> str:
        """The same with its article, for example ``an orange circle``."""
        return f"{'an' if self.colour[0] in 'aeiou' else 'a'} {self.thing}"


@dataclass(frozen=True)
class StoryWorld:
    """The plan of one video.

    Raises:
        ValueError: If the sizes leave no room for a story.
    """

    number: int
    """Which of all worlds it is, from 0; other numbers give other stories."""
    duration_seconds: float = 3600.0
    difficulty: Difficulty = Difficulty()
    frames_per_second: int = 10
    needle_kinds: tuple[str, ...] = ()
    """Needles that are hidden in it, of `needles.NEEDLES`: "visible", "hidden"."""
    needle_seconds: float = 2.0

    def __post_init__(self) -> None:
        number = checked_whole("the number of a world", self.number, 0)
        rate = checked_whole("frames_per_second", self.frames_per_second, 1, 60)
        seconds = checked_number("duration_seconds", self.duration_seconds)
        if not 30 <= seconds <= MAX_SECONDS:
            raise ValueError(
                f"a story lasts 30 s to {MAX_SECONDS:g} s, got {seconds:g} s. "
                "Shorter ones leave no room for chapters, scenes and events."
            )
        needle_seconds = checked_number("needle_seconds", self.needle_seconds)
        if not 0 < needle_seconds <= seconds:
            raise ValueError(
                f"needle_seconds must be positive and no longer than the story, got "
                f"{needle_seconds:g}."
            )
        kinds = tuple(one_of("kind of needle", kind, NEEDLES) for kind in self.needle_kinds)
        difficulty = make_difficulty(self.difficulty)
        difficulty.check(rate)
        # Equal worlds are to have equal fingerprints, whether a size came as 10, 10.0 or np.int64.
        plain = {
            "number": number,
            "duration_seconds": round(seconds * rate) / rate,
            "difficulty": difficulty,
            "frames_per_second": rate,
            "needle_kinds": kinds,
            "needle_seconds": needle_seconds,
        }
        vars(self).update(plain)

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the sizes alone; everything else follows from them."""
        return {field.name: vars(self)[field.name] for field in fields(self)}

    @property
    def num_frames(self) -> int:
        """Frames of the whole story."""
        return round(self.duration_seconds * self.frames_per_second)

    def span(self, stretch: Stretch) -> Span:
        """Return a stretch of frames in seconds."""
        rate = self.frames_per_second
        return Span(stretch.first / rate, stretch.stop / rate)

    @cached_property
    def chapters(self) -> tuple[Chapter, ...]:
        """The chapters in order; themes differ."""
        random = self.random("chapters")
        count = int(np.clip(round(self.duration_seconds / CHAPTER_SECONDS), 2, len(THEMES)))
        themes = random.permutation(THEMES)[:count].tolist()
        stretches = _divide(Stretch(0, self.num_frames), count, random)
        return tuple(
            Chapter(index, stretch, theme)
            for index, (stretch, theme) in enumerate(zip(stretches, themes, strict=True))
        )

    @cached_property
    def scenes(self) -> tuple[Scene, ...]:
        """The scenes of all chapters in order; places differ within a chapter."""
        random, scenes = self.random("scenes"), []
        for chapter in self.chapters:
            seconds = len(chapter.stretch) / self.frames_per_second
            fewest = 3 if seconds >= 3 * MIN_SCENE_SECONDS else 2
            count = int(np.clip(round(seconds / SCENE_SECONDS), fewest, len(PLACES)))
            places = random.permutation(PLACES)[:count].tolist()
            stretches = _divide(chapter.stretch, count, random)
            for stretch, place in zip(stretches, places, strict=True):
                scenes.append(Scene(len(scenes), stretch, chapter, place))
        return tuple(scenes)

    @cached_property
    def needles(self) -> tuple[Needle, ...]:
        """The needles in the order of `needle_kinds`; they and their hints never overlap."""
        random, placed = self.random("needles"), []
        length = max(1, round(self.needle_seconds * self.frames_per_second))
        for kind in self.needle_kinds:
            taken = [stretch for needle in placed for stretch in needle.stretches]
            colour, shape, digits = _thing(random, {needle.look[1:3] for needle in placed})
            look = (int(random.integers(1 << 31)), colour, shape, digits)
            placed.append(place_needle(kind, self.num_frames, length, taken, random, look=look))
        return tuple(placed)

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """All events in order of time. None overlaps another, a card, a needle or a hint.

        None shows the object of a needle, of which the needle's picture would be one more.
        """
        random, events = self.random("events"), []
        wanted = self.difficulty.events_per_minute * self.duration_seconds / 60
        total = max(MIN_EVENTS, round(wanted))
        for scene in self.scenes:
            share = total * scene.stretch.stop / self.num_frames
            count = min(MAX_EVENTS_OF_SCENE, max(1, round(share) - len(events)))
            before = len(events)
            for stretch in self._event_stretches(scene, count, random):
                here = events[before:]
                events.append(self._event(len(events), stretch, scene, events[-60:], here, random))
        return tuple(events)

    def shots(self, scene: Scene) -> tuple[Shot, ...]:
        """Return the shots of a scene in order; they tile it, and no cut falls into an event."""
        if scene.index not in self._shots_of:
            events = [event.stretch for event in self.events if event.scene.index == scene.index]
            rate = self.frames_per_second
            lengths = (SHOT_SECONDS[0] * rate, SHOT_SECONDS[1] * rate)
            random = self.random("shots", scene.index)
            shots = cut_into_shots(scene.stretch, self.card(scene), events, lengths, random)
            self._shots_of[scene.index] = shots
        return self._shots_of[scene.index]

    def scenery_seed(self, scene: Scene) -> int:
        """Return what the scenery of a scene is drawn from, besides theme and place."""
        return self._scenery_seeds[scene.index]

    def shot_at(self, frame: int) -> Shot:
        """Return the shot that a frame belongs to."""
        shots = self.shots(self.scene_at(frame))
        return shots[bisect_right(shots, frame, key=lambda shot: shot.stretch.first) - 1]

    def scene_at(self, frame: int) -> Scene:
        """Return the scene that a frame belongs to."""
        return self.scenes[bisect_right(self._scene_starts, frame) - 1]

    def event_at(self, frame: int) -> Event | None:
        """Return the event that a frame shows, if any."""
        index = bisect_right(self._event_starts, frame) - 1
        return self.events[index] if index >= 0 and frame in self.events[index].stretch else None

    @cached_property
    def _shots_of(self) -> dict[int, tuple[Shot, ...]]:
        return {}

    @cached_property
    def _scenery_seeds(self) -> list[int]:
        random = (self.random("scenery", scene.index) for scene in self.scenes)
        return [int(own.integers(1 << 31)) for own in random]

    @cached_property
    def _scene_starts(self) -> list[int]:
        return [scene.stretch.first for scene in self.scenes]

    @cached_property
    def _event_starts(self) -> list[int]:
        return [event.stretch.first for event in self.events]

    def random(self, stream: str, *more: int) -> np.random.Generator:
        """Return a new source of chance of this world alone, one for each name and numbers."""
        key = (STREAMS.index(stream), *more)
        return np.random.default_rng(np.random.SeedSequence(self.number, spawn_key=key))

    def card(self, scene: Scene) -> Stretch:
        """The caption card at the beginning of a chapter; empty in its other scenes."""
        first = scene.stretch.first
        is_first = first == scene.chapter.stretch.first
        length = min(round(CARD_SECONDS * self.frames_per_second), len(scene.stretch) // 5)
        return Stretch(first, first + length * is_first)

    def _event_stretches(
        self, scene: Scene, count: int, random: np.random.Generator
    ) -> list[Stretch]:
        """Draw when events take place: one in each of `count` equal parts of the scene.

        Where parts would be too short for the shortest event there are fewer of them, but one at
        least: in a short scene it may have to be shorter than wished.
        """
        low, high = np.multiply(self.difficulty.event_seconds, self.frames_per_second)
        begin, stop = self.card(scene).stop, scene.stretch.stop
        count = max(1, min(count, int(_EVENT_SHARE * (stop - begin) / low)))
        edges = np.linspace(begin, stop, count + 1).round().astype(int).tolist()
        taken = [own for needle in self.needles for own in needle.stretches]
        drawn = (self._event_stretch(*edge, (low, high), taken, random) for edge in pairwise(edges))
        return [stretch for stretch in drawn if stretch is not None]

    def _event_stretch(
        self,
        first: int,
        stop: int,
        lengths: tuple[float, float],
        taken: Sequence[Stretch],
        random: np.random.Generator,
    ) -> Stretch | None:
        """Draw an event strictly inside a part, or None if needles leave no room for it."""
        longest = min(round(_EVENT_SHARE * (stop - first)), stop - first - 1)
        for _ in range(_TRIES if longest >= 1 else 0):
            length = min(longest, max(1, round(np.exp(random.uniform(*np.log(lengths))))))
            begin = first + int(random.integers(1, max(2, stop - first - length)))
            stretch = Stretch(begin, begin + length)
            if not any(stretch.overlaps(other) for other in taken):
                return stretch
        return None

    def _event(
        self,
        index: int,
        stretch: Stretch,
        scene: Scene,
        recent: Sequence[Event],
        here: Sequence[Event],
        random: np.random.Generator,
    ) -> Event:
        barred = {(event.colour, event.shape) for event in here}
        barred |= {needle.look[1:3] for needle in self.needles}
        known = [(event.colour, event.shape) for event in recent]
        known = [thing for thing in known if thing not in barred]
        colour, shape, digits = _thing(random, barred)
        if known and random.random() < self.difficulty.repeats:
            colour, shape = known[int(random.integers(len(known)))]
        told = "" if random.random() >= self.difficulty.told else "thing"
        if told and random.random() < self.difficulty.told_digits:
            told = "digits"
        x = random.uniform(0.25, 0.75)
        return Event(
            index,
            stretch,
            scene,
            colour,
            shape,
            digits,
            height=float(random.uniform(*self.difficulty.height)),
            x=float(x),
            drift=float(random.uniform(0.0, 0.15) * np.sign(0.5 - x)),
            told=told,
        )


def _thing(
    random: np.random.Generator, without: Collection[tuple[str, str]]
) -> tuple[str, str, str]:
    """Draw a colour and shape that are not excluded, and two digits."""
    things = [(c, s) for c in COLOURS for s in SHAPES if (c, s) not in without]
    colour, shape = things[int(random.integers(len(things)))]
    return colour, shape, str(int(random.integers(10, 100)))


def _divide(whole: Stretch, count: int, random: np.random.Generator) -> list[Stretch]:
    """Cut a stretch into `count` parts whose lengths differ by up to a half."""
    weights = np.cumsum(random.uniform(0.8, 1.2, count))
    edges = whole.first + (len(whole) * weights / weights[-1]).round().astype(int)
    return [Stretch(*edge) for edge in pairwise([whole.first, *edges.tolist()])]
