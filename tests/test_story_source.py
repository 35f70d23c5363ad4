"""A story as a source: the frame at t is drawn by its number alone, and a file shows the same."""

import hashlib
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import av
import numpy as np
import pytest

from videoatlas_gym.story import Difficulty, StorySource, StoryWorld, write_story
from videoatlas_gym.story.source import KEY_FRAME_SECONDS, draw_frame, story_frames
from videoatlas_gym.video import LETTERBOX_RGB, VideoReader

WORLD = StoryWorld(3, 60, needle_kinds=("hidden",))


@pytest.fixture
def source():
    return StorySource(WORLD)


def pixels(index, world=WORLD):
    return np.asarray(draw_frame(world, index))


def test_the_frame_at_a_moment_is_the_last_that_began(source):
    moments = [0.0, 0.05, 0.1, 0.0999999999, 12.34, 59.95]
    frames = source.frames_at(moments)
    assert [frame.pts for frame in frames] == [0, 0, 1, 1, 123, 599]
    assert [frame.seconds for frame in frames] == [0.0, 0.0, 0.1, 0.1, 12.3, 59.9]
    for frame in frames:
        assert np.array_equal(frame.rgb, pixels(frame.pts))
        assert frame.rgb.shape == (270, 480, 3) and not frame.rgb.flags.writeable
    assert source.native_size == (480, 270) and source.frame_seconds == 0.1


def test_frames_come_in_the_order_asked_and_are_drawn_once(source):
    frames = source.frames_at([30.0, 5.0, 30.0, 5.01])
    assert [frame.pts for frame in frames] == [300, 50, 300, 50]
    assert source.frames_decoded == 2


def test_tiles_are_letterboxed(source):
    [tile] = source.tiles_at([7.0], 120, 120)
    assert tile.shape == (120, 120, 3)
    assert (tile[:20] == LETTERBOX_RGB).all() and (tile[-20:] == LETTERBOX_RGB).all()
    assert tile[40:80].std() > 5
    native = source.tiles_at([7.0], 480, 270)[0]
    assert np.array_equal(native, pixels(70))


@pytest.mark.parametrize("moment", [-0.1, 60.0, float("nan")])
def test_moments_outside_are_refused(source, moment):
    with pytest.raises(ValueError, match=r"must lie in \[0, 60.0\) seconds"):
        source.frame_at(moment)


def test_frame_times_are_all_that_are_on_display(source):
    assert source.frame_times(0.0, 60.0).tolist() == [i / 10 for i in range(600)]
    assert source.frame_times(1.05, 1.25).tolist() == [1.0, 1.1, 1.2]
    assert source.frame_times(1.1, 1.2).tolist() == [1.1]
    assert source.frame_times(1.11, 1.12).tolist() == [1.1]
    assert source.frame_times(59.95, 70.0).tolist() == [59.9]
    with pytest.raises(ValueError, match="must not be empty"):
        source.frame_times(2.0, 2.0)


def test_each_size_of_the_world_has_its_fingerprint():
    worlds = [
        WORLD,
        replace(WORLD, number=4),
        replace(WORLD, duration_seconds=61),
        replace(WORLD, frames_per_second=11),
        replace(WORLD, difficulty=Difficulty(told=0.4)),
        replace(WORLD, needle_kinds=()),
        replace(WORLD, needle_seconds=1.0),
    ]
    prints = {StorySource(world).fingerprint() for world in worlds}
    assert len(prints) == len(worlds)
    assert StorySource(StoryWorld(3, 60.0, needle_kinds=["hidden"])).fingerprint() in prints


def test_a_source_pickles_by_its_world_and_draws_the_same(source):
    source.frame_at(3.0)
    twin = pickle.loads(pickle.dumps(source))
    assert twin.frames_decoded == 0 and twin.fingerprint() == source.fingerprint()
    assert np.array_equal(twin.frame_at(3.0).rgb, source.frame_at(3.0).rgb)


def test_threads_and_processes_draw_the_same_pixels(source):
    moments = np.linspace(0, 59.9, 24).tolist()
    alone = [frame.rgb.tobytes() for frame in source.frames_at(moments)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda moment: source.frame_at(moment).rgb.tobytes(), moments))
    assert together == alone and source.frames_decoded == 48
    script = (
        "import hashlib, test_story_source as t, numpy as np;"
        "s = t.StorySource(t.WORLD);"
        "frames = s.frames_at(np.linspace(0, 59.9, 24).tolist());"
        "print(hashlib.sha256(b''.join(f.rgb.tobytes() for f in frames)).hexdigest())"
    )
    here = __file__.rsplit("/", 1)[0]
    runs = [
        subprocess.run(
            [sys.executable, "-c", f"import sys; sys.path.insert(0, {here!r}); {script}"],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONPATH": f"{here}/..", "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1] == hashlib.sha256(b"".join(alone)).hexdigest() + "\n"


def test_neighbouring_frames_of_a_shot_are_alike_and_cuts_are_cuts():
    world = StoryWorld(5, 60)
    scene = world.scenes[1]
    for shot in world.shots(scene):
        middle = (shot.stretch.first + shot.stretch.stop) // 2
        near = np.abs(pixels(middle, world).astype(int) - pixels(middle + 1, world)).mean()
        assert near < 12
    ends = [scene.stretch.first - 1, scene.stretch.first]
    cut = np.abs(pixels(ends[0], world).astype(int) - pixels(ends[1], world)).mean()
    assert cut > 12


def test_a_file_shows_what_is_drawn_with_a_key_frame_every_few_seconds(tmp_path):
    world = StoryWorld(2, 30, frames_per_second=5)
    path = write_story(tmp_path / "world.mp4", world)
    with av.open(str(path)) as container:
        keys = [p.pts * p.time_base for p in container.demux(video=0) if p.is_keyframe]
    assert max(b - a for a, b in zip(keys, [*keys[1:], 30], strict=True)) <= KEY_FRAME_SECONDS
    with VideoReader(path) as reader:
        assert reader.duration_seconds == 30 and reader.native_size == (480, 270)
        for index in range(0, world.num_frames, 17):
            frame = reader.frame_at(index / 5)
            assert frame.seconds == index / 5
            assert np.abs(frame.rgb.astype(int) - pixels(index, world)).mean() < 8


def test_a_file_that_was_interrupted_leaves_nothing(tmp_path):
    def frames():
        for index, frame in enumerate(story_frames(WORLD)):
            if index == 20:
                raise KeyboardInterrupt
            yield frame

    with pytest.raises(KeyboardInterrupt):
        write_story(tmp_path / "world.mp4", WORLD, frames())
    assert list(tmp_path.iterdir()) == []


def test_ten_hours_cost_nothing_until_they_are_looked_at():
    source = StorySource(StoryWorld(1, 36000))
    assert source.duration_seconds == 36000 and source.frames_decoded == 0
    assert source.frame_at(35999.99).pts == 359_999
    assert source.frames_decoded == 1


@pytest.mark.parametrize("rate", [3, 10, 30])
def test_all_frames_in_order_are_what_is_drawn_one_by_one(rate):
    world = StoryWorld(7, 30, Difficulty((0.4, 2.0)), rate, ("visible", "hidden"), 0.5)
    assert world.needles[0].stretches and world.events
    drawn = 0
    last = None
    for index, frame in enumerate(story_frames(world)):
        assert np.array_equal(frame, pixels(index, world)), index
        drawn += frame is not last
        last = frame
    assert index == world.num_frames - 1
    assert drawn < 30 * 8  # held frames are not drawn again
