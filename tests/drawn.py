"""Videos that are drawn on demand, of any length, for tests that need to know what is where.

Every scene is a random texture; a needle is one more texture in a place that the test knows.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from policies.rollout import rollout
from videoatlas_gym.env import VideoAtlasEnv
from videoatlas_gym.render import letterbox
from videoatlas_gym.span import Cell, GridGeometry, Span
from videoatlas_gym.tasks import FrameSearch, MultipleChoice, OpenQuestion, TemporalGrounding
from videoatlas_gym.video import Frame, VideoSource
from videoatlas_gym.video.synthesis import write_video

FLICKER = 7
"""Brightness grows by one level per frame and starts anew: neighbours differ in pixels only."""
NEEDLE = -1
"""Number of the needle's texture; those of scenes count from 0."""
FILM_RATE = 10
SHOTS = ((1, 37), (2, 50), (3, 13), (4, 21), (2, 28), (5, 51))
"""(picture, frames) of each shot of a film: all are static, and picture 2 occurs twice."""


@dataclass(frozen=True)
class Needle:
    """A picture shown during `span` and, mixed into the scenery, in some single frames."""

    span: Span
    hints: tuple[tuple[int, float], ...] = ()
    """(frame index, share of the needle's picture in that frame)."""


class DrawnSource(VideoSource):
    """A video without a file: the scene changes every few seconds, frames are drawn when asked."""

    def __init__(self, seconds, seed=0, needle=None, *, scene_seconds=4.0, frames_per_second=25):
        self._seconds, self._decoded = seconds, 0
        self.seed, self.needle, self.scene_seconds = seed, needle, scene_seconds
        self.frames_per_second = frames_per_second

    @property
    def duration_seconds(self):
        return self._seconds

    @property
    def native_size(self):
        return (128, 72)

    @property
    def frame_seconds(self):
        return 1 / self.frames_per_second

    @property
    def frames_decoded(self):
        return self._decoded

    def index_at(self, seconds):
        """Number of the frame on display, to the microsecond."""
        last = max(0, round(self._seconds * self.frames_per_second) - 1)
        return min(last, int((seconds + 1e-6) * self.frames_per_second))

    def draw(self, index):
        """Return the pixels of a frame."""
        seconds = (index + 0.5) / self.frames_per_second
        scene = texture(self.seed, int(seconds / self.scene_seconds), self.native_size)
        if self.needle is not None:
            goal = texture(self.seed, NEEDLE, self.native_size)
            if seconds in self.needle.span:
                scene = goal
            elif share := dict(self.needle.hints).get(index):
                scene = (share * goal + (1 - share) * scene).astype(np.uint8)
        return scene + np.uint8(index % FLICKER)

    def frames_at(self, seconds, size=None):
        frames = []
        for moment in seconds:
            if not 0 <= moment < self.duration_seconds:
                raise ValueError(f"{moment} s is not in [0, {self.duration_seconds}) s.")
            index = self.index_at(moment)
            rgb = self.draw(index)
            rgb = rgb if size in (None, self.native_size) else letterbox(rgb, *size)
            frames.append(Frame(rgb, index / self.frames_per_second, index))
        self._decoded += len(frames)
        return frames

    def frame_times(self, start_seconds, end_seconds):
        first, last = self.index_at(start_seconds), self.index_at(np.nextafter(end_seconds, 0))
        times = np.arange(first, last + 1) / self.frames_per_second
        return times[(times < end_seconds) | (np.arange(len(times)) == 0)]

    def fingerprint(self):
        return repr([self._seconds, self.seed, self.needle, self.scene_seconds])

    def close(self):
        pass


@lru_cache(maxsize=4096)
def texture(seed, number, size=(128, 72)):
    """Return the picture with a number: 16 x 9 random colours, no two pictures alike."""
    blocks = np.random.default_rng([seed, number + 1]).integers(8, 240, (9, 16, 3), np.uint8)
    picture = blocks.repeat(size[1] // 9, axis=0).repeat(size[0] // 16, axis=1)
    picture.setflags(write=False)
    return picture


def write_film(path):
    """Write a file of static shots, `SHOTS`, `FILM_RATE` frames per second; return its path."""
    frames = [texture(0, picture) for picture, count in SHOTS for _ in range(count)]
    return write_video(path, frames, frames_per_second=FILM_RATE, group_of_pictures=30)


def visible_needle(seconds, grid_size, seed=0):
    """Return a video with a needle of one frame that every coarser view on its way hints at.

    The midpoint of each of its ancestor cells shows a mixture with the needle's picture, the
    stronger the deeper; the first view to show the picture itself is the last possible one.
    """
    plain = DrawnSource(seconds, seed)
    geometry = GridGeometry(seconds, grid_size, plain.frame_seconds)
    levels, random = geometry.levels_to_frame(), np.random.default_rng(seed)
    is_shown_earlier = True
    while is_shown_earlier:
        path = random.integers(geometry.num_cells, size=levels).tolist()
        *coarse, finest = [geometry.midpoint(Cell(tuple(path[: d + 1]))) for d in range(levels)]
        span = frame_span(plain, plain.index_at(finest))
        coarser = map(geometry.resolution_seconds, range(levels - 1))
        is_shown_earlier = any(_is_met(span, width) for width in coarser)
    hints = [plain.index_at(middle) for middle in coarse]
    shares = np.linspace(0.5, 0.8, len(hints)).tolist()
    return DrawnSource(seconds, seed, Needle(span, tuple(zip(hints, shares, strict=True))))


def _is_met(span, width):
    """Whether the midpoint of any cell of a level, `width` seconds long, lies in the span."""
    return (np.ceil(span.start_seconds / width - 0.5) + 0.5) * width < span.end_seconds


def hidden_needle(seconds, seed=0):
    """Return a video with a needle of one frame, somewhere, that nothing hints at."""
    plain = DrawnSource(seconds, seed)
    index = np.random.default_rng(seed).integers(plain.index_at(seconds))
    return DrawnSource(seconds, seed, Needle(frame_span(plain, index)))


def frame_span(source, index):
    """Return the span during which a frame is on display."""
    return Span(index * source.frame_seconds, (index + 1) * source.frame_seconds)


def search_for_needle(source):
    """Return the task of finding a drawn video's needle."""
    goal = Frame(texture(source.seed, NEEDLE, source.native_size), 0.0, 0)
    return FrameSearch(source, "Find it.", truth=(source.needle.span,), goal=goal)


def one_task_of_each_kind(source, span):
    """Return tasks about a drawn video by kind; the evidence of each lies in `span`."""
    goal = Frame(source.draw(source.index_at(span.midpoint_seconds)), 0.0, 0)
    common = {"truth": (span,), "task_id": "drawn"}
    return {
        "multiple_choice": MultipleChoice(
            source, "Which?", options=("a", "b", "c"), answer=1, **common
        ),
        "open_question": OpenQuestion(source, "What?", answer="Jörg|George", **common),
        "temporal_grounding": TemporalGrounding(source, "When?", **common),
        "frame_search": FrameSearch(source, "Where?", goal=goal, **common),
    }


def make_env(tasks, policy=None, **options):
    """Return an environment with tiles of a drawn video's own size and what the policy needs."""
    needs = policy.env_options if policy else {}
    return VideoAtlasEnv(tasks=tasks, **({"tile_size": (64, 36), "grid_size": 2} | needs | options))


def play(policy, tasks, *, seed=0, index=0, **options):
    """Play one episode and return what came out."""
    return rollout(make_env(tasks, policy, **options), policy, seed=seed, task=index)


def opened(episode):
    """Return the cells that the episode's EXPAND actions entered, in their order."""
    path, cells = (), []
    for action in episode.trajectory.actions:
        if action.verb == "EXPAND":
            path = (*path, action.cell)
            cells.append(Cell(path))
        elif action.verb == "BACKTRACK":
            path = path[:-1]
    return cells
