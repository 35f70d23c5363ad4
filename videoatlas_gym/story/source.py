"""A story as a video: its frames are drawn when they are asked for, and no file is needed.

What a frame shows follows from the plan alone; the same frame is the same pixels in every
process (of one version of Pillow and NumPy).
Drawing a frame costs about as much as decoding one, wherever it is, so an hour and a hundred hours
are equally cheap to have. `write_story` encodes one as an ordinary file.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from videoatlas_gym.story.cards import card
from videoatlas_gym.story.names import SIZE
from videoatlas_gym.story.needles import NEAR_FRAMES, Needle
from videoatlas_gym.story.plan import Event, StoryWorld
from videoatlas_gym.story.scenery import scenery
from videoatlas_gym.story.shots import Shot
from videoatlas_gym.story.signal import broken_signal, interference, signal
from videoatlas_gym.story.things import place_thing, thing
from videoatlas_gym.video import Frame, VideoSource
from videoatlas_gym.video.part import boxed
from videoatlas_gym.video.synthesis import write_video

POSES_PER_SECOND = 4
"""The camera and all that moves take a new pose at most this often, whatever the rate of frames:
drawn films do the same, and an hour costs about as much to draw at 30 frames per second as at 10.
What is on display changes at its exact frame all the same."""
KEY_FRAME_SECONDS = 5
"""Distance of key frames in files: any moment of one is at most this much decoding away."""


class StorySource(VideoSource):
    """The frames of a world, 480 x 270, at the world's rate. Pickles by the world."""

    def __init__(self, world: StoryWorld) -> None:
        self.world = world
        self._drawn = 0
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"StorySource({self.world.number}, {self.world.duration_seconds:g} s)"

    def __getstate__(self) -> dict[str, Any]:
        return {"world": self.world}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)

    @property
    def duration_seconds(self) -> float:
        """Length of the story in seconds."""
        return self.world.duration_seconds

    @property
    def native_size(self) -> tuple[int, int]:
        """(width, height) of every frame."""
        return SIZE

    @property
    def frame_seconds(self) -> float:
        """Length of a frame in seconds."""
        return 1 / self.world.frames_per_second

    @property
    def frames_decoded(self) -> int:
        """How many frames have been drawn: what stands for decoding here."""
        return self._drawn

    def frames_at(
        self, seconds: Sequence[float], size: tuple[int, int] | None = None
    ) -> list[Frame]:
        """Return the frames on display at moments; see `VideoSource.frames_at`."""
        indices = [self._index_at(moment) for moment in seconds]
        frames = {index: self._frame(index, size) for index in dict.fromkeys(indices)}
        return [frames[index] for index in indices]

    def frame_times(self, start_seconds: float, end_seconds: float) -> NDArray[np.float64]:
        """Return the times of all frames on display in a span; see `VideoSource.frame_times`."""
        if not start_seconds < end_seconds:
            raise ValueError(
                f"the span must not be empty, got [{start_seconds}, {end_seconds}) seconds."
            )
        rate = self.world.frames_per_second
        first = self._index_at(start_seconds)
        stop = min(self.world.num_frames, math.ceil(end_seconds * rate - NEAR_FRAMES))
        return np.arange(first, max(stop, first + 1)) / rate

    def fingerprint(self) -> str:
        """Return a hex string that names the world and the picture size."""
        world = self.world
        facts = (
            "story 1",  # the version of the pictures: to be raised when drawing changes
            *(world.number, world.duration_seconds, world.frames_per_second),
            *(world.difficulty, world.needle_kinds, world.needle_seconds),
        )
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]

    def close(self) -> None:
        """Nothing is open."""

    def _index_at(self, seconds: float) -> int:
        if not 0 <= seconds < self.duration_seconds:
            raise ValueError(
                f"a moment must lie in [0, {self.duration_seconds}) seconds, got {seconds}."
            )
        index = int(seconds * self.world.frames_per_second + NEAR_FRAMES)
        return min(index, self.world.num_frames - 1)

    def _frame(self, index: int, size: tuple[int, int] | None) -> Frame:
        rgb = np.asarray(draw_frame(self.world, index))
        with self._lock:
            self._drawn += 1
        rgb = rgb if size is None or tuple(size) == SIZE else boxed(rgb, size)
        rgb.flags.writeable = False
        return Frame(rgb, index / self.world.frames_per_second, index)


def draw_frame(world: StoryWorld, index: int) -> Image.Image:
    """Return a frame of a world, RGB of size `SIZE`."""
    for needle in world.needles:
        if share := needle.share_at(index):
            return _needle_picture(needle, share)
    scene = world.scene_at(index)
    shot = world.shot_at(index)
    if shot.is_card:
        chapter = scene.chapter
        return card(chapter.theme, chapter.index + 1, world.scenery_seed(scene))
    pose = _pose(world, shot, index)
    moment = (pose - scene.stretch.first) / world.frames_per_second
    view = scenery(scene.chapter.theme, scene.place, world.scenery_seed(scene))
    picture = view.view(*shot.camera(pose), moment)
    if event := world.event_at(index):
        _draw_event(picture, event, max(pose, event.stretch.first))
    return picture


def _pose(world: StoryWorld, shot: Shot, index: int) -> int:
    """Return the frame of the shot whose pose a frame shows."""
    held = -(-world.frames_per_second // POSES_PER_SECOND)
    return index - (index - shot.stretch.first) % held


def _is_held(world: StoryWorld, index: int) -> bool:
    """Whether a frame is the same picture as the one before it."""
    shot = world.shot_at(index)
    if index == shot.stretch.first or (world.needles and _needles_at(world, index)):
        return False
    if world.needles and _needles_at(world, index - 1):
        return False
    is_same_pose = shot.is_card or _pose(world, shot, index) < index
    return is_same_pose and world.event_at(index) == world.event_at(index - 1)


def _needles_at(world: StoryWorld, index: int) -> float:
    return max(needle.share_at(index) for needle in world.needles)


def write_story(
    path: str | Path, world: StoryWorld, frames: Iterator[NDArray] | None = None
) -> Path:
    """Encode a story as a video file (H.264), a key frame every 5 s; the file appears whole.

    Args:
        path: Where to write; the suffix chooses the container.
        world: Which story.
        frames: Its frames, for showing progress; `story_frames` by default.
    """
    rate = world.frames_per_second
    return write_video(
        path,
        story_frames(world) if frames is None else frames,
        frames_per_second=rate,
        group_of_pictures=KEY_FRAME_SECONDS * rate,
        # An hour would take minutes with slower presets; one thread costs the least in all.
        options={"preset": "ultrafast", "crf": "23", "threads": "1"},
    )


def story_frames(world: StoryWorld) -> Iterator[NDArray[np.uint8]]:
    """Yield all frames of a story in order, uint8 (270, 480, 3)."""
    picture = np.empty(0, np.uint8)
    for index in range(world.num_frames):
        if index == 0 or not _is_held(world, index):
            picture = np.asarray(draw_frame(world, index))
        yield picture


def _draw_event(picture: Image.Image, event: Event, index: int) -> None:
    share = (index - event.stretch.first) / max(1, len(event.stretch) - 1)
    height = round(event.height * SIZE[1])
    image = thing(event.colour, event.shape, event.digits, height)
    place_thing(picture, image, round((event.x + share * event.drift) * SIZE[0]), _ground(height))


def _ground(height: int) -> int:
    """Where an object's middle is, so that it stands in the lower half of the picture."""
    return round(SIZE[1] * 0.92 - height / 2)


def _needle_picture(needle: Needle, share: float) -> Image.Image:
    seed = needle.look[0]
    picture = signal(*needle.look)
    return picture if share == 1.0 else broken_signal(picture, interference(seed), share)
