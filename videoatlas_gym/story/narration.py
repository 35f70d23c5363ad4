"""What the narrator of a story says, as a track of subtitles. Knows no pixel and no question.

The narrator tells where the story is, so that a search by words finds the chapter and the place,
and of some events what is seen while they last. Of an event that is not told there is no word.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from videoatlas_gym.cues import Cue, Subtitles
from videoatlas_gym.story.names import THEME_TITLES
from videoatlas_gym.story.plan import Chapter, Event, Scene, StoryWorld

LINE_SECONDS = 4.0
"""A line is on display for this long, or shorter where what it is about is shorter."""
PLACE_LINE_EVERY_SECONDS = 25.0
"""From one line about the place to the next, about."""
_ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth"),
    *("seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"),
)
CHAPTER_LINE = "The {ordinal} chapter begins: {title}. This is the {theme} chapter."
PLACE_LINES = (
    "We are at the {place}, in {title}: the {theme} chapter.",
    "Here at the {place} the {theme} chapter goes on.",
    "Still at the {place}, somewhere in {title}, the {theme} chapter.",
    "This {place} belongs to the {theme} chapter.",
    "Let us stay at the {place} of the {theme} chapter for a while.",
)
THING_LINES = (
    "Look, {a_thing}!",
    "There is {a_thing}.",
    "And here we see {a_thing}.",
    "Did you notice the {thing}?",
)
DIGITS_LINES = (
    "The {thing} carries the number {digits}.",
    "Look, {a_thing} with the number {digits}!",
    "Number {digits} is on the {thing}.",
)


def narration(world: StoryWorld) -> Subtitles:
    """Return the subtitles of a story. Lines never overlap; those about events come first."""
    random = world.random("narration")
    spoken = [_event_line(world, event, random) for event in world.events if event.told]
    told = Subtitles(tuple(spoken))
    places = (cue for scene in world.scenes for cue in _place_lines(world, scene, told, random))
    return told.joined(Subtitles(tuple(places)))


def _event_line(world: StoryWorld, event: Event, random: np.random.Generator) -> Cue:
    """A line that begins with the event and is over when it is."""
    lines = DIGITS_LINES if event.told == "digits" else THING_LINES
    text = str(random.choice(lines)).format(
        thing=event.thing, a_thing=event.a_thing, digits=event.digits
    )
    span = world.span(event.stretch)
    return Cue(span.start_seconds, min(span.end_seconds, span.start_seconds + LINE_SECONDS), text)


def _place_lines(
    world: StoryWorld, scene: Scene, told: Subtitles, random: np.random.Generator
) -> Iterator[Cue]:
    """Lines about the chapter, where one begins, and about the place, all within the scene.

    A line that would talk over one about an event waits for its end.
    """
    span, card = world.span(scene.stretch), world.span(world.card(scene))
    chapter, length = scene.chapter, min(LINE_SECONDS, span.duration_seconds / 4)
    if card.duration_seconds:
        yield Cue(card.start_seconds, card.end_seconds, _chapter_line(chapter))
    begin = card.end_seconds
    while begin + length <= span.end_seconds:
        if busy := told.between(begin, begin + length):
            begin = busy[-1].end_seconds
            continue
        line = str(random.choice(PLACE_LINES))
        title = _lowered(THEME_TITLES[chapter.theme])
        text = line.format(place=scene.place, theme=chapter.theme, title=title)
        yield Cue(begin, begin + length, text)
        begin += PLACE_LINE_EVERY_SECONDS * random.uniform(0.8, 1.2)


def _chapter_line(chapter: Chapter) -> str:
    return CHAPTER_LINE.format(
        ordinal=_ORDINALS[chapter.index], title=THEME_TITLES[chapter.theme], theme=chapter.theme
    )


def _lowered(title: str) -> str:
    """A title within a sentence: ``The Frozen North`` becomes ``the Frozen North``."""
    return title[0].lower() + title[1:]
