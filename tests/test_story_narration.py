"""What is said in a story: where it is, and of events what is told, while they last."""

import re
from itertools import pairwise

import numpy as np
from test_story_questions import every_story, seconds, told

from videoatlas_gym.span import Span
from videoatlas_gym.story import FAMILIES
from videoatlas_gym.story.narration import PLACE_LINES


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
        assert all(a.end_seconds <= b.start_seconds for a, b in pairwise(cues))


def test_words_have_their_article():
    random = np.random.default_rng(0)
    tasks = [FAMILIES["grounding"](told(n), random) for n in range(30)]
    texts = [task.query for task in tasks]
    texts += [cue.text for n in range(5) for cue in told(n).subtitles]
    assert any("an orange" in text for text in texts)
    assert not any(re.search(r"\ba orange|\ban [^o]", text) for text in texts)
