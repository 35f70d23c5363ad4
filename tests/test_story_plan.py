"""The plan of a story: its parts tile, its names are unique, its events disturb nothing."""

import gc
import pickle
import time
import weakref
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from videoatlas_gym.story.difficulty import DIFFICULTIES, Difficulty, make_difficulty
from videoatlas_gym.story.names import COLOURS, PLACES, SHAPES, THEMES
from videoatlas_gym.story.plan import MAX_EVENTS_OF_SCENE, StoryWorld
from videoatlas_gym.story.source import StorySource

DURATIONS = (30, 31.7, 60, 90.05, 300, 600, 1800, 3600, 10 * 3600, 100 * 3600)
BOTH = ("visible", "hidden")


def worlds():
    """Worlds of all sizes, difficulties and rates, with and without needles."""
    random, number = np.random.default_rng(0), 0
    for duration in DURATIONS:
        for name, difficulty in DIFFICULTIES.items():
            for rate in (1, 10, int(random.integers(2, 30)), 30):
                number += 1
                if duration * rate > 4e6:
                    continue
                kinds = BOTH[: int(random.integers(3))]
                seconds = max(1 / rate, min(2.0, duration / 60))
                world = StoryWorld(number, duration, difficulty, rate, kinds, seconds)
                yield pytest.param(world, id=f"{duration}-{name}-{rate}-{len(kinds)}")


every_world = pytest.mark.parametrize("world", list(worlds()))


def assert_tiles(whole, parts):
    assert parts[0].first == whole.first and parts[-1].stop == whole.stop
    assert all(a.stop == b.first for a, b in pairwise(parts))
    assert all(len(part) > 0 for part in parts)


@every_world
def test_chapters_scenes_and_shots_tile(world):
    chapters = [chapter.stretch for chapter in world.chapters]
    assert chapters[0].first == 0 and chapters[-1].stop == world.num_frames
    assert_tiles(chapters[0].__class__(0, world.num_frames), chapters)
    for chapter in world.chapters:
        scenes = [scene.stretch for scene in world.scenes if scene.chapter == chapter]
        assert_tiles(chapter.stretch, scenes)
    for scene in world.scenes[::7]:
        shots = world.shots(scene)
        assert_tiles(scene.stretch, [shot.stretch for shot in shots])
        assert [shot.is_card for shot in shots].count(True) == (len(world.card(scene)) > 0)
        assert shots[0].stretch == world.card(scene) or not shots[0].is_card
        events = [event.stretch for event in world.events if event.scene == scene]
        for shot in shots[shots[0].is_card : -1]:
            seconds = len(shot.stretch) / world.frames_per_second
            is_held = any(event.stop == shot.stretch.stop for event in events)
            assert 4.99 < seconds < (15.01 if not is_held else 40)


@every_world
def test_names_say_one_thing_each(world):
    themes = [chapter.theme for chapter in world.chapters]
    assert len(set(themes)) == len(themes) and set(themes) <= set(THEMES)
    for chapter in world.chapters:
        places = [scene.place for scene in world.scenes if scene.chapter == chapter]
        assert len(set(places)) == len(places) >= 2 and set(places) <= set(PLACES)
    things = [(event.scene.index, event.thing) for event in world.events]
    assert len(set(things)) == len(things)
    assert all(event.colour in COLOURS and event.shape in SHAPES for event in world.events)
    assert all(len(event.digits) == 2 and event.digits.isdecimal() for event in world.events)


@every_world
def test_events_disturb_neither_each_other_nor_cards_nor_needles(world):
    events = world.events
    assert [event.index for event in events] == list(range(len(events)))
    # A frame without an event lies between any two, so that each begins and ends visibly.
    assert all(a.stretch.stop < b.stretch.first for a, b in pairwise(events))
    taken = [stretch for needle in world.needles for stretch in needle.stretches]
    for event in events:
        scene = event.scene
        assert world.card(scene).stop < event.stretch.first < event.stretch.stop
        assert event.stretch.stop <= scene.stretch.stop
        assert not any(event.stretch.overlaps(other) for other in taken)


@every_world
def test_every_event_is_whole_in_one_shot(world):
    for event in world.events[::5]:
        shot = world.shot_at(event.stretch.first)
        assert not shot.is_card
        assert shot.stretch.first <= event.stretch.first
        assert event.stretch.stop <= shot.stretch.stop


@every_world
def test_events_are_as_long_and_as_many_as_the_difficulty_says(world):
    numbers, rate = world.difficulty, world.frames_per_second
    low, high = (seconds * rate for seconds in numbers.event_seconds)
    for event in world.events:
        assert 1 <= len(event.stretch) <= round(high)
        if len(event.scene.stretch) > 3 * low:  # shorter scenes have shorter events
            assert len(event.stretch) >= int(low)
        assert numbers.height[0] <= event.height <= numbers.height[1]
    room = MAX_EVENTS_OF_SCENE * len(world.scenes)
    wanted = min(room, numbers.events_per_minute * world.duration_seconds / 60)
    if world.duration_seconds >= 600 and not world.needles:
        assert len(world.events) == pytest.approx(wanted, rel=0.1)
    assert len(world.events) >= (1 if world.needles else len(world.scenes))


@every_world
def test_look_ups_agree_with_a_search_through_everything(world):
    random = np.random.default_rng(world.number)
    frames = [0, world.num_frames - 1, *random.integers(world.num_frames, size=30).tolist()]
    frames += [e.stretch.first for e in world.events[:5]] + [e.stretch.stop for e in world.events]
    for frame in (frame for frame in frames[:60] if frame < world.num_frames):
        [scene] = [scene for scene in world.scenes if frame in scene.stretch]
        assert world.scene_at(frame) == scene
        assert [event for event in world.events if frame in event.stretch] == [
            event for event in [world.event_at(frame)] if event
        ]
    for frame in frames[:10]:
        assert frame in world.shot_at(frame).stretch


def test_a_world_is_a_value_that_pickles_by_its_sizes():
    world = StoryWorld(np.int64(5), 600, needle_kinds=["hidden"])
    fresh = pickle.dumps(world)
    facts = (world.chapters, world.scenes, world.events, world.needles)
    assert pickle.dumps(world) == fresh
    twin = pickle.loads(fresh)
    assert twin == world and hash(twin) == hash(world)
    assert (twin.chapters, twin.scenes, twin.events, twin.needles) == facts
    assert [twin.shots(scene) for scene in twin.scenes] == [world.shots(s) for s in world.scenes]
    assert world == StoryWorld(5, 600.0, needle_kinds=("hidden",))


def test_other_numbers_give_other_stories():
    numbers = [*range(40), 1 << 32, (1 << 32) + 1, 1 << 64, (1 << 64) * 3 + 1]
    stories = [StoryWorld(number, 600) for number in numbers]
    assert len({tuple(event.stretch for event in story.events) for story in stories}) == len(
        stories
    )
    assert len({tuple(chapter.theme for chapter in story.chapters) for story in stories}) > 20


def test_one_part_of_a_story_does_not_change_with_another():
    easy, hard = (StoryWorld(3, 3600, DIFFICULTIES[name]) for name in ("easy", "hard"))
    assert easy.scenes == hard.scenes and easy.events != hard.events
    streams = [easy.random(*key).random() for key in (("events",), ("shots", 0), ("shots", 1))]
    assert len(set(streams)) == 3


def test_repeats_and_told_are_the_shares_that_the_difficulty_states():
    for level in (Difficulty(repeats=0.8, told=0.7, told_digits=0.4), DIFFICULTIES["hard"]):
        events = [e for n in range(6) for e in StoryWorld(n, 36000, level).events]
        told = [event for event in events if event.told]
        assert len(told) / len(events) == pytest.approx(level.told, abs=0.04)
        digits = sum(event.told == "digits" for event in told) / len(told)
        assert digits == pytest.approx(level.told_digits, abs=0.05)
    alike = [
        len({e.thing for e in StoryWorld(1, 36000, Difficulty(repeats=share)).events[:30]})
        for share in (0.0, 0.9)
    ]
    assert alike[1] < alike[0] / 1.5


def test_the_plan_of_ten_hours_is_made_in_a_second():
    began = time.process_time()
    world = StoryWorld(1, 36000, DIFFICULTIES["hard"], needle_kinds=BOTH)
    assert len(world.events) > 1000 and all(world.shots(scene) for scene in world.scenes)
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ({"number": -1}, "whole number from 0, got -1"),
        ({"duration_seconds": 29}, "lasts 30 s to 1e.07 s, got 29 s"),
        ({"duration_seconds": float("nan")}, "got nan"),
        ({"duration_seconds": float("inf")}, "got inf"),
        ({"frames_per_second": 0}, "whole number from 1 to 60, got 0"),
        ({"frames_per_second": 12.5}, "got 12.5"),
        ({"frames_per_second": float("nan")}, "got nan"),
        ({"needle_seconds": 0}, "needle_seconds must be positive"),
        ({"needle_seconds": 700}, "no longer than the story"),
        (
            {"needle_kinds": ("visibel",)},
            "unknown kind of needle 'visibel'. Did you mean 'visible'",
        ),
        ({"difficulty": Difficulty((0.01, 3.0))}, r"one frame \(0.1 s\)"),
        ({"difficulty": Difficulty((3.0, 21.0))}, "to 20 s or less"),
        ({"difficulty": Difficulty((3.0, 2.0))}, "must ascend"),
        ({"difficulty": Difficulty(events_per_minute=0)}, "must be positive"),
        ({"difficulty": Difficulty(events_per_minute=4)}, "would fill 80%"),
        ({"difficulty": Difficulty(height=(0.1, 0.3))}, "digits stay readable"),
        ({"difficulty": {"height": 0.3}}, "height is a pair"),
        ({"difficulty": {"told": "x"}}, "told must be a finite number, got 'x'"),
        ({"difficulty": "hart"}, "Did you mean 'hard'"),
        ({"duration_seconds": float("nan")}, "duration_seconds must be a finite number"),
        ({"duration_seconds": "1h"}, "duration_seconds must be a finite number, got '1h'"),
        ({"number": 1.5}, "the number of a world must be a whole number from 0, got 1.5"),
        ({"frames_per_second": "10"}, "frames_per_second must be a whole number from 1 to 60"),
        ({"needle_seconds": "2"}, "needle_seconds must be a finite number"),
        ({"difficulty": Difficulty(told=1.5)}, r"told is a share in \[0, 1\], got 1.5"),
    ],
)
def test_an_impossible_story_is_refused_in_a_sentence(sizes, sentence):
    with pytest.raises(ValueError, match=sentence):
        replace(StoryWorld(0, 600), **sizes)


def test_difficulties_come_by_name_as_values_or_as_numbers():
    assert make_difficulty("hard") == DIFFICULTIES["hard"]
    assert make_difficulty(Difficulty(told=0.1)).told == 0.1
    mine = make_difficulty({"event_seconds": [1, 2], "repeats": 0.9})
    assert mine == Difficulty((1, 2), repeats=0.9)
    with pytest.raises(ValueError, match="unknown difficulty 'heard'. Did you mean 'hard'"):
        make_difficulty("heard")
    with pytest.raises(ValueError, match="unknown number of a difficulty 'repeat'"):
        make_difficulty({"repeat": 0.1})
    with pytest.raises(TypeError, match="got 3"):
        make_difficulty(3)
    assert make_difficulty("medium") == Difficulty()


def test_equal_numbers_are_equal_worlds_with_equal_fingerprints():
    made = [
        StoryWorld(3, 600, Difficulty(told=told, height=height))
        for told, height in ((1, (0.3, 0.4)), (1.0, [0.3, 0.4]), (np.float64(1), (0.3, 0.4)))
    ]
    assert made[0] == made[1] == made[2]
    assert len({StorySource(world).fingerprint() for world in made}) == 1


def test_lengths_are_log_uniform_and_heights_uniform():
    events = [event for n in range(6) for event in StoryWorld(n, 36000).events]
    logs = np.log([len(event.stretch) / 10 for event in events])
    heights = [event.height for event in events]
    for values, low, high in ((logs, np.log(3), np.log(12)), (heights, 0.32, 0.45)):
        quarters = np.quantile((np.array(values) - low) / (high - low), (0.25, 0.5, 0.75))
        assert np.abs(quarters - (0.25, 0.5, 0.75)).max() < 0.04


def test_a_world_that_is_no_longer_used_is_freed():
    world = StoryWorld(5, 600)
    StorySource(world).frame_at(300.0)
    assert world.shots(world.scenes[0])
    there = weakref.ref(world)
    del world
    gc.collect()
    assert there() is None
