"""Synthetic worlds that several test files share: drawn sources, tasks on them, random play.

A drawn source decodes nothing: the frame at t is a function of t, so it can last a minute or ten
hours. It notes what it was asked, and can be told to fail.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from playing import random_action

from videoatlas_gym import VideoAtlasEnv
from videoatlas_gym.render import letterbox
from videoatlas_gym.span import GridGeometry, Span
from videoatlas_gym.subtitles import Cue, Subtitles
from videoatlas_gym.tasks import MultipleChoice, TemporalGrounding
from videoatlas_gym.video import Frame, FrameDecodeError, TileCache, VideoSource
from videoatlas_gym.video.synthesis import numbered_frame, read_number

TILE = (48, 36)


@dataclass(frozen=True)
class Needle:
    """Something to find: the lower half of the picture has a colour during a span.

    At the moments `hints` (those that coarser views show, say) a stripe has the colour.
    """

    span: Span
    rgb: tuple[int, int, int] = (255, 0, 0)
    hints: tuple[float, ...] = ()


def coarse_path(geometry: GridGeometry, seconds: float, depth: int) -> tuple[float, ...]:
    """The moments that stand for the cells on the way down to a moment, root first."""
    return tuple(geometry.midpoint(geometry.cell_at(seconds, d)) for d in range(1, depth + 1))


class DrawnSource(VideoSource):
    """A video of any length in memory: frame i carries the number i and a texture of its seed."""

    def __init__(self, seconds=256.0, frames_per_second=4.0, size=(64, 48), needles=(), seed=0):
        self._made_of = (float(seconds), float(frames_per_second), size, tuple(needles), seed)
        self._duration, self.rate, self._size, self.needles, self.seed = self._made_of
        self._decoded = 0
        self.asked: list[float] = []
        """Every moment that was drawn, in order."""
        self.broken: Span | None = None
        """Moments of this span cannot be decoded."""

    @property
    def duration_seconds(self):
        return self._duration

    @property
    def native_size(self):
        return self._size

    @property
    def frame_seconds(self):
        return 1 / self.rate

    @property
    def frames_decoded(self):
        return self._decoded

    def fingerprint(self):
        return hashlib.md5(repr(self._made_of).encode()).hexdigest()

    def close(self):
        pass

    def index_at(self, seconds):
        """Number of the frame on display."""
        return int(np.floor(seconds * self.rate + 1e-9))

    def frame_times(self, start_seconds, end_seconds):
        last = int(np.ceil(end_seconds * self.rate - 1e-9))
        return np.arange(self.index_at(start_seconds), last) / self.rate

    def frames_at(self, seconds, size=None):
        return [self._frame(float(moment), size) for moment in seconds]

    def _frame(self, moment, size):
        if not 0 <= moment < self._duration:
            raise ValueError(f"no frame at {moment} s.")
        if self.broken and moment in self.broken:
            raise FrameDecodeError(f"no frame at {moment} s of a drawn video.")
        self.asked.append(moment)
        self._decoded += 1
        index = self.index_at(moment)
        rgb = self.drawn(index)
        return Frame(rgb if size is None else letterbox(rgb, *size), index / self.rate, index)

    def drawn(self, index):
        """The pixels of frame `index`."""
        width, height = self.native_size
        shift = self.seed * 40503 % 251
        rgb = numbered_frame(index, width, height).copy()
        rgb[height // 4 :] += np.uint8(shift)
        moment = index / self.rate
        for needle in self.needles:
            if moment in needle.span:
                rgb[height // 2 :] = needle.rgb
            elif index in map(self.index_at, needle.hints):
                rgb[height // 2 : height // 2 + 4] = needle.rgb
        return rgb


class KeyedSource(DrawnSource):
    """A drawn video with a key frame every so many seconds, from the first frame on."""

    def __init__(self, seconds=256.0, every=10.0, **options):
        super().__init__(seconds, **options)
        self.every = every

    def fingerprint(self):
        return f"{super().fingerprint()} {self.every}"

    def key_frames_at(self, seconds, spans, size=None):
        keys = np.arange(0.0, self.duration_seconds, self.every).tolist()
        nearest = [
            min(
                (key for key in keys if key in span),
                key=lambda key: abs(key - moment),
                default=None,
            )
            for moment, span in zip(seconds, spans, strict=True)
        ]
        return [None if key is None else self._frame(key, size) for key in nearest]


def spoken(duration, every=8.0, text="第{}句"):
    """Subtitles through a whole video: a numbered cue every few seconds."""
    count = int(duration / every)
    return Subtitles(tuple(Cue(i * every, (i + 1) * every, text.format(i)) for i in range(count)))


def choice(source, answer=0, query="Which?", options=("red", "green", "blue"), **keywords):
    """A multiple-choice task."""
    return MultipleChoice(source, query, options=options, answer=answer, **keywords)


def grounding(source, *spans, query="When?", **keywords):
    """A temporal grounding task; spans are pairs of seconds."""
    truth = tuple(Span(*span) for span in spans)
    return TemporalGrounding(source, query, truth=truth, **keywords)


def small_env(task=None, **options):
    """A small environment with a cache of its own: K = 2, tiny tiles, a question on 256 s."""
    options = {"grid_size": 2, "tile_size": TILE, "cache": TileCache()} | options
    return VideoAtlasEnv(tasks=task or choice(DrawnSource()), **options)


def walk(env, steps, seed=0, **style):
    """Reset and take random legal actions, beginning again at each end; yields what is returned.

    The first entry is what `reset` gave, as a step without reward; `style` goes to `random_action`.
    """
    rng = np.random.default_rng(seed)
    observation, info = env.reset(seed=seed)
    yield observation, 0.0, False, False, info
    for _ in range(steps):
        action = random_action(env.unwrapped.state, rng, **style)
        observation, reward, terminated, truncated, info = env.step(action)
        yield observation, reward, terminated, truncated, info
        if terminated or truncated:
            env.reset()


def act(env, *codes_or_actions):
    """Take several steps; return the last one's observation and info."""
    for action in codes_or_actions:
        observation, _, _, _, info = env.step(action)
    return observation, info


def flat(value):
    """Anything an environment returns as nested tuples of plain values; frames by their pixels."""
    if isinstance(value, dict):
        return tuple((key, flat(value[key])) for key in sorted(value))
    if isinstance(value, list | tuple):
        return tuple(map(flat, value))
    if isinstance(value, Frame):
        return flat(value.rgb), value.seconds, value.pts
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    return value


def same(one, other):
    """Whether two returned values are equal to the last bit."""
    return flat(one) == flat(other)


def digest(values):
    """A short text that differs when any of the values does; the same in every process."""
    return hashlib.md5(repr([flat(value) for value in values]).encode()).hexdigest()


def cell_pixels(view, index, columns, tile_size=TILE):
    """The part of a sheet that shows a cell."""
    width, height = tile_size
    row, column = divmod(index, columns)
    return view[row * height : (row + 1) * height, column * width : (column + 1) * width]


def numbers(view, columns, tile_size=TILE):
    """The numbers that the cells of a sheet carry; the tiles must have the video's aspect."""
    count = columns * (view.shape[0] // tile_size[1])
    return [read_number(cell_pixels(view, i, columns, tile_size)) for i in range(count)]
