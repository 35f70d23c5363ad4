"""Questions about stories: exactly one option is right, by a second evaluation from the plan alone.

The evaluation reads the words of each question and counts in the plan's public facts; it shares no
code with the builders.
"""

import re
from collections import Counter

import numpy as np
import pytest

from videoatlas_gym.span import Span
from videoatlas_gym.story import DIFFICULTIES, FAMILIES, QUESTION_FAMILIES, StoryWorld
from videoatlas_gym.story.narration import PLACE_LINES, narration
from videoatlas_gym.story.questions import Story
from videoatlas_gym.story.source import StorySource

DURATIONS = (30, 90, 600, 3600, 36000)


def told(number, duration=3600, level="medium", rate=10):
    world = StoryWorld(number, duration, DIFFICULTIES[level], rate)
    return Story(world, StorySource(world), narration(world), f"world-{number}")


def asked(family, stories, each=6):
    """Tasks of a family about several worlds."""
    for story in stories:
        random = np.random.default_rng(story.world.number)
        drawn = (FAMILIES[family](story, random) for _ in range(each))
        yield from ((story.world, task) for task in drawn if task)


def every_story():
    for number, duration in enumerate(DURATIONS):
        for level in DIFFICULTIES:
            yield told(number, duration, level)
    yield told(9, 600, "hard", rate=1)


def events_in(world, theme, place=None, thing=None):
    return [
        event
        for event in sorted(world.events, key=lambda event: event.stretch.first)
        if event.scene.chapter.theme == theme
        and place in (None, event.scene.place)
        and thing in (None, f"{event.colour} {event.shape}")
    ]


def seconds(world, event):
    rate = world.frames_per_second
    return Span(event.stretch.first / rate, event.stretch.stop / rate)


def right_detail(world, theme, option, words):
    return [e.digits for e in events_in(world, theme, words["place"], words["thing"])] == [option]


def right_order(world, theme, option, words):
    firsts = [
        min(event.stretch.first for event in events_in(world, theme, thing=thing))
        for thing in option.split(", then ")
    ]
    return firsts == sorted(firsts)


def right_count(world, theme, option, words):
    return len(events_in(world, theme, thing=words["thing"])) == int(option)


def right_duration(world, theme, option, words):
    [event] = events_in(world, theme, words["place"], words["thing"])
    ratio = float(option.split()[0]) / seconds(world, event).duration_seconds
    return 1 / 1.2 < ratio < 1.2


def right_before_after(world, theme, option, words):
    events = events_in(world, theme)
    [index] = [
        index
        for index, event in enumerate(events)
        if event.thing == words["thing"] and words["digits"] in (None, event.digits)
    ]
    near = events[index + (1 if words["side"] == "after" else -1)]
    return option == (near.digits if words["asked"] == "digits appear" else near.thing)


def right_where(world, theme, option, words):
    [event] = [
        event
        for event in events_in(world, theme, thing=words["thing"])
        if words["digits"] in (None, event.digits)
    ]
    return event.scene.place == option


def right_summary(world, theme, option, words):
    places = [scene.place for scene in world.scenes if scene.chapter.theme == theme]
    return option.split(", ") == places[:3]


NAME = r"(?P<thing>\w+ \w+)(?: with the digits (?P<digits>\d\d))?"
FORMS = {
    "detail": (r"at the (?P<place>\w+), which digits does the (?P<thing>.+) carry\?", right_detail),
    "order": (r"in which order do these three objects first appear\?", right_order),
    "count": (r"how many times does an? (?P<thing>.+) appear\?", right_count),
    "duration": (
        r"at the (?P<place>\w+), for how long is the (?P<thing>.+) on display\?",
        right_duration,
    ),
    "before_after": (
        r"which (?P<asked>digits appear|object appears) right (?P<side>before|after) "
        rf"the {NAME}\?",
        right_before_after,
    ),
    "where": (rf"at which place does the {NAME} appear\?", right_where),
    "summary": (r"which three places come first, in order\?", right_summary),
}
"""How each family's question reads, and whether an option is right by a search in the plan."""


@pytest.mark.parametrize("family", FORMS)
def test_exactly_one_option_is_right_by_a_search_through_the_plan(family):
    form, is_right = FORMS[family]
    stories = [*every_story(), *(told(n) for n in range(20, 30))]
    tasks = list(asked(family, stories))
    assert len(tasks) > 40
    for world, task in tasks:
        match = re.fullmatch(rf"In the (?P<theme>\w+) chapter, {form}", task.query)
        words = match.groupdict()
        answers = [is_right(world, words["theme"], option, words) for option in task.options]
        assert answers.count(True) == 1 and answers.index(True) == task.answer, task.query
        assert len(set(task.options)) == 4


def test_every_family_is_checked_here():
    assert set(FORMS) | {"grounding"} == set(QUESTION_FAMILIES)


def test_grounding_asks_for_all_moments_that_show_the_object():
    for world, task in asked("grounding", every_story()):
        words = re.fullmatch(
            r"In the (\w+) chapter, find all moments at which an? (.+) is on display\.", task.query
        )
        spans = [seconds(world, event) for event in events_in(world, words[1], thing=words[2])]
        assert list(task.truth) == list(task.needs) == spans


@pytest.mark.parametrize("family", FORMS)
def test_the_right_option_stands_anywhere_alike(family):
    tasks = [task for _, task in asked(family, [told(n) for n in range(20)], each=20)]
    shares = np.bincount([task.answer for task in tasks], minlength=4) / len(tasks)
    assert shares.min() > 0.17 and shares.max() < 0.33, shares


def test_the_truth_is_the_evidence_and_what_is_needed_lies_in_it():
    for story in (told(1), told(2, 36000), told(3, 600, "hard")):
        for family in FORMS:
            for world, task in asked(family, [story], each=10):
                assert task.needs and all(any(t.covers(n) for t in task.truth) for n in task.needs)
                shown = [seconds(world, event) for event in world.events]
                if family == "summary":
                    assert len(task.needs) == 3
                    scenes = [world.scene_at(int(n.midpoint_seconds * 10)) for n in task.needs]
                    assert [scene.place for scene in scenes] == task.options[task.answer].split(
                        ", "
                    )
                elif family == "duration":
                    [whole] = task.truth
                    assert whole in shown
                    first, last = task.needs
                    assert first.start_seconds == whole.start_seconds
                    assert last.end_seconds == whole.end_seconds
                    assert all(
                        n.duration_seconds < whole.duration_seconds / 2.9 for n in task.needs
                    )
                else:
                    wanted = {"order": 3, "before_after": 2, "count": len(task.truth)}
                    assert len(task.needs) == wanted.get(family, 1)
                    assert set(task.needs) <= set(shown)


def test_counts_and_lengths_are_spread_over_all_options():
    stories = [told(n, 36000) for n in range(6)]
    counts = Counter(task.options[task.answer] for _, task in asked("count", stories, 30))
    assert set(counts) == {"1", "2", "3", "4"} and min(counts.values()) > 25
    ranks = Counter()
    for _, task in asked("duration", stories, 30):
        lengths = [float(option.split()[0]) for option in task.options]
        ascending = sorted(lengths)
        assert all(b / a >= 1.5 for a, b in zip(ascending, ascending[1:], strict=False))
        ranks[ascending.index(lengths[task.answer])] += 1
    assert len(ranks) == 4 and min(ranks.values()) > 25


def test_wrong_options_come_from_the_same_story_where_it_has_enough():
    for world, task in asked("detail", [told(n) for n in range(8)]):
        assert set(task.options) <= {event.digits for event in world.events}
    for world, task in asked("before_after", [told(n) for n in range(8)]):
        if "object" in task.query:
            assert set(task.options) <= {event.thing for event in world.events}


def test_a_family_without_matter_asks_nothing():
    tiny = told(0, 30)
    assert FAMILIES["summary"](tiny, np.random.default_rng(0)) is None
    short = told(0, 30, "hard", rate=1)
    assert all(len(event.stretch) < 6 for event in short.world.events)
    assert FAMILIES["duration"](short, np.random.default_rng(0)) is None


def test_the_narrator_tells_where_the_story_is():
    for story in every_story():
        world, track = story.world, story.subtitles
        places = [cue for cue in track if re.search(r"\b(chapter)\b", cue.text)]
        for cue in places:
            scene = world.scene_at(round(cue.start_seconds * world.frames_per_second + 0.5))
            assert scene.chapter.theme in cue.text
            assert scene.place in cue.text or "chapter begins" in cue.text
        assert sum("chapter begins" in cue.text for cue in places) == len(world.chapters)
        named = {(c.theme, p) for c, p in ((s.chapter, s.place) for s in world.scenes)}
        heard = {
            (theme, place)
            for theme, place in named
            if any(theme in cue.text and place in cue.text for cue in places)
        }
        if world.duration_seconds >= 90:  # in a shorter one events may leave no time for words
            assert heard == named
    assert len(places) > 3 and len(PLACE_LINES) >= 4


def test_the_narrator_says_what_is_told_while_it_lasts_and_nothing_else():
    for story in every_story():
        world = story.world
        lines = [cue for cue in story.subtitles if " chapter" not in cue.text]
        events = [event for event in world.events if event.told]
        assert len(lines) == len(events)
        for cue, event in zip(lines, events, strict=True):
            assert seconds(world, event).covers(Span(cue.start_seconds, cue.end_seconds))
            assert event.thing in cue.text
            assert (event.digits in cue.text) == (event.told == "digits")
            assert bool(re.search(r"\d", cue.text)) == (event.told == "digits")
        cues = list(story.subtitles)
        assert not any(re.search(r"\d", cue.text) for cue in cues if cue not in lines)
        assert all(a.end_seconds <= b.start_seconds for a, b in zip(cues, cues[1:], strict=False))


def test_words_have_their_article():
    texts = [task.query for _, task in asked("count", [told(n) for n in range(30)])]
    texts += [cue.text for n in range(5) for cue in told(n).subtitles]
    assert any("an orange" in text for text in texts)
    assert not any(re.search(r"\ba orange|\ban [^o]", text) for text in texts)
