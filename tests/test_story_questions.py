"""Questions about stories: exactly one option is right, by a second evaluation from the plan alone.

The evaluation reads the words of each question and counts in the plan's public facts; it shares no
code with the builders.
"""

import itertools
import re
from collections import Counter

import numpy as np
import pytest

from videoatlas_gym.span import Span
from videoatlas_gym.story import DIFFICULTIES, FAMILIES, QUESTION_FAMILIES, StoryWorld
from videoatlas_gym.story.narration import narration
from videoatlas_gym.story.needles import Stretch
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
    things = option.split(", then ")
    assert set(things) == {words["one"], words["two"], words["three"]}
    firsts = [
        min(event.stretch.first for event in events_in(world, theme, thing=thing))
        for thing in things
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
    "order": (
        r"in which order do the (?P<one>.+), the (?P<two>.+) and the (?P<three>.+) first appear\?",
        right_order,
    ),
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
        assert all(b / a >= 1.4 for a, b in zip(ascending, ascending[1:], strict=False))
        ranks[ascending.index(lengths[task.answer])] += 1
    assert len(ranks) == 4 and min(ranks.values()) > 25


@pytest.mark.parametrize("level", DIFFICULTIES)
@pytest.mark.parametrize("duration", [600, 3600])
def test_no_habit_of_answering_does_much_better_than_chance(duration, level):
    stories = [told(n, duration, level) for n in range(100, 160)]
    counts = [task.options[task.answer] for _, task in asked("count", stories, 3)]
    assert len(counts) < 50 or Counter(counts).most_common(1)[0][1] < 0.45 * len(counts)
    low, high = DIFFICULTIES[level].event_seconds
    right = Counter()
    tasks = [task for _, task in asked("duration", stories, 3)]
    for task in tasks:
        lengths = [float(option.split()[0]) for option in task.options]
        assert 0.97 * low <= min(lengths) and max(lengths) <= 1.03 * high
        away = [abs(np.log(length / np.sqrt(low * high))) for length in lengths]
        habits = {"middle": np.argmin(away), "short": np.argmin(lengths)}
        habits["long"] = np.argmax(lengths)
        right.update(name for name, choice in habits.items() if choice == task.answer)
    assert len(tasks) > 100 and max(right.values()) < 0.36 * len(tasks), right


def test_an_object_is_no_option_when_it_is_the_one_that_is_asked_about():
    for _, task in asked("before_after", every_story(), each=20):
        thing = re.search(r"right (before|after) the (\w+ \w+)", task.query)[2]
        assert thing not in task.options


def test_needles_show_no_object_that_questions_are_about():
    """Its picture would be one more appearance, or come between an object and the next."""
    between = 0
    for number in range(40):
        world = StoryWorld(number, 600, needle_kinds=("visible", "hidden"), needle_seconds=2.0)
        story = Story(world, StorySource(world), narration(world), "needles")
        shown = {f"{needle.look[1]} {needle.look[2]}" for needle in world.needles}
        assert not shown & {event.thing for event in world.events}
        taken = [world.span(own) for needle in world.needles for own in needle.stretches]
        for _, task in asked("before_after", [story], each=10):
            first, second = task.needs
            gap = Span(first.end_seconds, second.start_seconds)
            assert not any(own.overlaps(gap) for own in taken)
        between += any(
            Span(a.end_seconds, b.start_seconds).overlaps(own)
            for a, b in itertools.pairwise(seconds(world, event) for event in world.events)
            for own in taken
        )
    assert between > 20


def test_scenes_are_known_from_what_follows_the_card():
    for world, task in asked("summary", every_story()):
        for need in task.needs:
            scene = world.scene_at(round(need.midpoint_seconds * world.frames_per_second))
            assert need == world.span(Stretch(world.card(scene).stop, scene.stretch.stop))


def test_wrong_options_come_from_the_same_story_where_it_has_enough():
    for world, task in asked("detail", [told(n) for n in range(8)]):
        assert set(task.options) <= {event.digits for event in world.events}
    for world, task in asked("before_after", [told(n) for n in range(8)]):
        if "object" in task.query:
            assert set(task.options) <= {event.thing for event in world.events}


def test_a_family_without_matter_asks_nothing():
    tiny = told(0, 30)
    assert FAMILIES["summary"](tiny, np.random.default_rng(0)) is None
    assert FAMILIES["count"](tiny, np.random.default_rng(0)) is None
    short = told(0, 30, "hard", rate=1)
    assert all(len(event.stretch) < 6 for event in short.world.events)
    assert FAMILIES["duration"](short, np.random.default_rng(0)) is None
