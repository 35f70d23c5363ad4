"""Many videos on one timeline, with declared changes; not a byte is copied.

Knows no codec: it only turns moments of the timeline into moments of its parts. Part boundaries
are exact sums of the parts' lengths, rounded once; the rounded value is the boundary, half-open, so
the moment on it belongs to the next part and no part ever shows a frame of its neighbour.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, fields
from fractions import Fraction
from functools import lru_cache
from itertools import groupby, pairwise
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from videoatlas_gym.span import Span
from videoatlas_gym.subtitles import Subtitles, resolve_subtitles
from videoatlas_gym.video._picture import fitted_size
from videoatlas_gym.video.reader import VideoReader
from videoatlas_gym.video.source import LETTERBOX_RGB, Frame, VideoSource

_END_SLACK_SECONDS = 1e-6  # so much may a written-down end exceed the duration it was copied from
_TOLERANCE_SECONDS = 1e-9  # that of VideoReader
_LIFT_SECONDS = 5e-10  # undoes rounding; far below any frame length
_NATIVE_FRAMES_AT_ONCE = 8  # bounds memory while cropped tiles are made from native pictures


@dataclass(frozen=True)
class Part:
    """A span of one source on a timeline, and how its pictures and its pace are changed.

    Changes apply in this order: crop, mirror, hue. JSON-able when `source` is a path.
    """

    source: VideoSource | str | os.PathLike[str]
    """A path, opened when needed, or any source."""
    start_seconds: float = 0.0
    """First moment used, in seconds of the source."""
    end_seconds: float | None = None
    """End of what is used, in seconds of the source; None for its end."""
    _: KW_ONLY
    mirror: bool = False
    """Swap left and right."""
    crop: tuple[float, float, float, float] | None = None
    """Window (x, y, width, height) that is kept, as fractions of the picture from its top left."""
    hue_degrees: float = 0.0
    """Rotation of all colours; greys and luma stay (see `rotate_hue`)."""
    speed: float = 1.0
    """2.0 shows the part twice as fast, in half the time."""
    subtitles: Any = None
    """In seconds of the source; anything `resolve_subtitles` takes."""
    group: str | None = None
    """Name of the original, for statistics clustered by video."""

    def __post_init__(self) -> None:
        if isinstance(self.source, os.PathLike):
            object.__setattr__(self, "source", os.fspath(self.source))
        if self.crop is not None:
            object.__setattr__(self, "crop", _checked_crop(self.crop))
        if isinstance(self.subtitles, list):
            object.__setattr__(self, "subtitles", resolve_subtitles(self.subtitles))
        if not 0 < self.speed < math.inf:
            raise ValueError(f"speed must be positive and finite, got {self.speed}.")
        if not math.isfinite(self.hue_degrees):
            raise ValueError(f"hue_degrees must be finite, got {self.hue_degrees}.")
        end = math.inf if self.end_seconds is None else self.end_seconds
        if not 0 <= self.start_seconds < end:
            raise ValueError(
                f"a part must start at 0 s or later and end after its start, got "
                f"[{self.start_seconds}, {self.end_seconds}) seconds of {self.source!r}."
            )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data from which `from_json` makes an equal part.

        Raises:
            ValueError: If the part was made from a source object and not from a path.
        """
        if not isinstance(self.source, str):
            raise ValueError(
                f"only parts made from paths can be written down, got {self.source!r}. Give a path."
            )
        data = {item.name: getattr(self, item.name) for item in fields(self)}
        data["crop"] = None if self.crop is None else list(self.crop)
        if isinstance(self.subtitles, Subtitles):
            data["subtitles"] = {"cues": self.subtitles.to_json()}
        elif isinstance(self.subtitles, os.PathLike):
            data["subtitles"] = os.fspath(self.subtitles)
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Part:
        """Read what `to_json` wrote."""
        data = dict(data)
        if isinstance(data["subtitles"], dict):
            data["subtitles"] = Subtitles.from_json(data["subtitles"]["cues"])
        return cls(**data)


class ConcatSource(VideoSource):
    """Sources of any size, rate and codec on one timeline, opened when needed.

    Frames come in the (changed) pixels of their part, whatever their size; only `native_size` is
    one for all. `Frame.seconds` is timeline time; a frame already on display before its part begins
    has the part's start. `Frame.pts` is that time in nanoseconds, so it identifies frame and part.
    As in `VideoReader`, times are compared with a tolerance of 1 ns. Changes leave the bars of a
    tile alone.

    Args:
        parts: What is shown, in order; the same path or object in several parts is opened once.
        size: (width, height) reported as `native_size`; None reports the largest part's.
        max_open: At most so many sources keep decoders open; those longest unused are closed, and
            open again when they are needed. Each thread that is just reading may add one.

    Raises:
        ValueError: If there is no part, or (on first use) a part lies outside its source.
    """

    def __init__(
        self, parts: Sequence[Part], *, size: tuple[int, int] | None = None, max_open: int = 8
    ) -> None:
        self.parts = tuple(parts)
        if not self.parts:
            raise ValueError("a timeline needs at least one part, got none.")
        if max_open < 1:
            raise ValueError(f"max_open must be at least 1, got {max_open}.")
        self._size, self._max_open = size, max_open
        self._lock = threading.RLock()
        self._sources: dict[str | int, VideoSource] = {}
        self._in_use: OrderedDict[str | int, VideoSource] = OrderedDict()  # least recent first
        self._layout: _Layout | None = None
        self._subtitles: Subtitles | None = None

    def __repr__(self) -> str:
        return f"ConcatSource({len(self.parts)} parts)"

    def __getstate__(self) -> dict[str, Any]:
        return {"parts": self.parts, "size": self._size, "max_open": self._max_open}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)

    @property
    def duration_seconds(self) -> float:
        """End of the last part, in seconds."""
        return self._laid_out().bounds[-1]

    @property
    def spans(self) -> tuple[Span, ...]:
        """The parts' spans on the timeline; they tile it."""
        return tuple(Span(*bounds) for bounds in pairwise(self._laid_out().bounds))

    @property
    def native_size(self) -> tuple[int, int]:
        """(width, height) of the largest part by area after cropping, unless `size` was given."""
        if self._size is not None:
            return self._size
        layout = self._laid_out()
        sizes = (
            _cropped_size(layout.facts[_key(part)].native_size, part.crop) for part in self.parts
        )
        return max(sizes, key=lambda size: size[0] * size[1])

    @property
    def frame_seconds(self) -> float:
        """Median frame length over the timeline: of the parts', weighted by their durations."""
        layout = self._laid_out()
        lengths = sorted(
            (layout.facts[_key(part)].frame_seconds / part.speed, span.duration_seconds)
            for part, span in zip(self.parts, self.spans, strict=True)
        )
        weights = np.cumsum([weight for _, weight in lengths])
        return lengths[int(np.searchsorted(weights, weights[-1] / 2))][0]

    @property
    def frames_decoded(self) -> int:
        """How many pictures the sources have decoded so far; each source counts once."""
        with self._lock:
            return sum(source.frames_decoded for source in self._sources.values())

    @property
    def subtitles(self) -> Subtitles:
        """The parts' subtitles, clipped to what is shown and moved to the timeline."""
        with self._lock:
            if self._subtitles is None:
                tracks = {_subtitle_key(part): _read_subtitles(part) for part in self.parts[::-1]}
                moved = (self._moved_subtitles(i, tracks) for i in range(len(self.parts)))
                self._subtitles = Subtitles().joined(*moved)
            return self._subtitles

    def part_at(self, seconds: float) -> tuple[int, float]:
        """Return the index of the part on display, and the moment in seconds of its source.

        Raises:
            ValueError: If `seconds` lies outside the timeline.
        """
        layout = self._laid_out()
        self._check(seconds)
        index = bisect_right(layout.bounds, seconds) - 1
        end = layout.locals[index][1]
        return index, min(self._local(index, seconds), math.nextafter(end, -math.inf))

    def to_timeline(self, index: int, local_seconds: float) -> float:
        """Return where a moment of part `index`, in seconds of its source, is on the timeline.

        Raises:
            ValueError: If the part does not show that moment.
        """
        layout = self._laid_out()
        start, end = layout.locals[index]
        if not start <= local_seconds < end:
            raise ValueError(
                f"part {index} shows [{start}, {end}) seconds of its source, not {local_seconds} s."
            )
        return float(self._timeline(index, local_seconds))

    def frames_at(
        self, seconds: Sequence[float], size: tuple[int, int] | None = None
    ) -> list[Frame]:
        """Return the frames on display at moments of the timeline; see `VideoSource.frames_at`.

        With `size` None every frame has its part's own size. Each source is asked once, in order
        (for cropped tiles several times, since those are made from native pictures).
        """
        places = [self._place(moment) for moment in seconds]
        frames: dict[tuple[int, float], Frame] = {}
        for source_size, asked in self._requests(set(places), size):
            with self._using(self.parts[asked[0][0]]) as source:
                pictures = source.frames_at([local for _, local in asked], source_size)
            made: dict[tuple[int, int], Frame] = {}  # moments of one frame share its pixels
            for place, picture in zip(asked, pictures, strict=True):
                identity = place[0], picture.pts
                if identity not in made:
                    made[identity] = self._frame(place[0], picture, source_size, size)
                frames[place] = made[identity]
        return [frames[place] for place in places]

    def frame_times(self, start_seconds: float, end_seconds: float) -> NDArray[np.float64]:
        """Return the times of all frames on display in a span; see `VideoSource.frame_times`."""
        self._check(start_seconds)
        if not start_seconds < end_seconds:
            raise ValueError(
                f"the span must not be empty, got [{start_seconds}, {end_seconds}) seconds."
            )
        bounds = self._laid_out().bounds
        first = bisect_right(bounds, start_seconds) - 1
        stop = max(first + 1, bisect_left(bounds, end_seconds, hi=len(self.parts)))
        spans = ((index, start_seconds, end_seconds) for index in range(first, stop))
        times = np.concatenate([self._part_times(*span) for span in spans])
        begin = int(np.searchsorted(times, start_seconds + _TOLERANCE_SECONDS, side="right")) - 1
        return times[begin : max(begin + 1, int(np.searchsorted(times, end_seconds)))]

    def fingerprint(self) -> str:
        """Return a hex string that changes with a source's content or with what is done to it."""
        prints: dict[str | int, str] = {}
        for part in self.parts:
            if _key(part) not in prints:
                with self._using(part) as source:
                    prints[_key(part)] = source.fingerprint()
        rows = [
            (prints[_key(p)], *span, p.mirror, p.crop, p.hue_degrees, p.speed)
            for p, span in zip(self.parts, self._laid_out().locals, strict=True)
        ]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:32]

    def close(self) -> None:
        """Close all sources; they open again when needed."""
        with self._lock:
            sources = list(self._sources.values())
            self._in_use.clear()
        for source in sources:
            source.close()

    def _laid_out(self) -> _Layout:
        with self._lock:
            if self._layout is None:
                facts: dict[str | int, _Facts] = {}
                for part in self.parts:
                    if _key(part) not in facts:
                        with self._using(part) as source:
                            facts[_key(part)] = _Facts(
                                source.duration_seconds, source.native_size, source.frame_seconds
                            )
                self._layout = _lay_out(self.parts, facts)
            return self._layout

    def _check(self, seconds: float) -> None:
        if not 0 <= seconds < self.duration_seconds:
            raise ValueError(
                f"a moment must lie in [0, {self.duration_seconds}) seconds, the length of the "
                f"timeline; got {seconds}."
            )

    def _local(self, index: int, seconds: float) -> float:
        """A moment of the timeline in seconds of a part's source, rounded once."""
        begin, start = self._laid_out().bounds[index], self._laid_out().locals[index][0]
        offset = (Fraction(seconds) - Fraction(begin)) * Fraction(self.parts[index].speed)
        return float(Fraction(start) + offset)

    def _timeline(self, index: int, local: Any) -> Any:
        """Seconds of a part's source (number or array) on the timeline, inside the part."""
        begin, start = self._laid_out().bounds[index], self._laid_out().locals[index][0]
        return np.maximum(begin + (local - start) / self.parts[index].speed, begin)

    def _place(self, moment: float) -> tuple[int, float]:
        """Part on display, and the moment to ask its source for."""
        index, local = self.part_at(moment)
        start, end = self._laid_out().locals[index]
        # Lifted, so that a rounded frame time finds its frame; but short of a frame at the end.
        return index, max(start, min(local + _LIFT_SECONDS, end - 2 * _TOLERANCE_SECONDS))

    def _part_times(self, index: int, start: float, end: float) -> NDArray[np.float64]:
        """Timeline times of a part's frames on display in a span of the timeline."""
        begin, stop = self._laid_out().bounds[index : index + 2]
        part_start, part_end = self._laid_out().locals[index]
        first = self._place(start)[1] if start > begin else part_start
        last = self._local(index, end) if end < stop else part_end
        with self._using(self.parts[index]) as source:
            local = source.frame_times(first, max(last, math.nextafter(first, math.inf)))
        return self._timeline(index, local[local < part_end - _TOLERANCE_SECONDS])

    def _requests(
        self, places: set[tuple[int, float]], size: tuple[int, int] | None
    ) -> Iterator[tuple[tuple[int, int] | None, list[tuple[int, float]]]]:
        """Group places by source and by the size to ask it for, in order of source time."""

        def kind(place: tuple[int, float]) -> tuple[str, bool]:
            part = self.parts[place[0]]
            return str(_key(part)), size is not None and part.crop is None

        ordered = sorted(places, key=lambda place: (kind(place), place[1]))
        for (_, is_tile), group in groupby(ordered, kind):
            asked = list(group)
            step = _NATIVE_FRAMES_AT_ONCE if size is not None and not is_tile else len(asked)
            for first in range(0, len(asked), step):
                yield (size if is_tile else None), asked[first : first + step]

    def _frame(self, index: int, picture: Frame, source_size, size) -> Frame:
        """The frame of a part, from its source's native picture or (`source_size`) its tile."""
        part, rgb = self.parts[index], picture.rgb
        if source_size is None:
            rgb = _changed(part, rgb)
            rgb = rgb if size is None else _boxed(rgb, size)
        elif part.mirror or part.hue_degrees:
            native = self._laid_out().facts[_key(part)].native_size
            window = _picture_window(native, size)
            rgb = rgb.copy()
            rgb[window] = _changed(part, rgb[window])
        if rgb is not picture.rgb:
            rgb = np.ascontiguousarray(rgb)
            rgb.flags.writeable = False
        seconds = float(self._timeline(index, picture.seconds))
        return Frame(rgb, seconds, round(seconds * 1e9))

    def _moved_subtitles(self, index: int, tracks: dict[Any, Subtitles]) -> Subtitles:
        part, layout = self.parts[index], self._laid_out()
        start, end = layout.locals[index]
        return (
            tracks[_subtitle_key(part)]
            .clipped(start, end)
            .shifted(-start)
            .scaled(1 / part.speed)
            .shifted(layout.bounds[index])
        )

    @contextmanager
    def _using(self, part: Part) -> Iterator[VideoSource]:
        """Lend the source of a part, and close those longest unused above `max_open`."""
        key = _key(part)
        with self._lock:
            if key not in self._sources:
                is_path = isinstance(part.source, str)
                self._sources[key] = VideoReader(part.source) if is_path else part.source
            source = self._sources[key]
        self._mark_used(key, source)
        try:
            yield source
        finally:
            self._mark_used(key, source)  # another thread may have closed it meanwhile

    def _mark_used(self, key: str | int, source: VideoSource) -> None:
        surplus = []
        with self._lock:
            self._in_use[key] = source
            self._in_use.move_to_end(key)
            while len(self._in_use) > self._max_open:
                surplus.append(self._in_use.popitem(last=False)[1])
        for unused in surplus:
            unused.close()


def join_to_duration(
    paths: Sequence[str | os.PathLike[str]],
    duration_seconds: float,
    *,
    seed: int,
    subtitles: Any = None,
) -> list[Part]:
    """Lay files round after round on a timeline until it is at least `duration_seconds` long.

    The first round shows them as they are. In each later round every file is mirrored or not,
    cropped, turned in hue and changed in speed (0.8 to 1.25) at random, so that no stretch repeats
    exactly. `group` is the path of the original. Each file is opened once, for its duration.

    Args:
        paths: Video files, in the order of every round.
        duration_seconds: Wanted length (> 0); the last part is not cut.
        seed: Same seed, same parts.
        subtitles: Given to every part, for example "auto".

    Raises:
        ValueError: If there are no paths or the duration is not positive.
        VideoOpenError: If a file is no video.
    """
    if not paths or not 0 < duration_seconds < math.inf:
        raise ValueError(
            f"give at least one path and a positive duration, got {len(paths)} paths and "
            f"{duration_seconds} s."
        )
    names = [os.fspath(path) for path in paths]
    lengths = {}
    for name in names:
        with VideoReader(name) as reader:
            lengths[name] = reader.duration_seconds
    generator = np.random.default_rng(seed)
    parts: list[Part] = []
    total = 0.0
    while total < duration_seconds:
        name = names[len(parts) % len(names)]
        changes = _random_changes(generator) if len(parts) >= len(names) else {}
        parts.append(Part(name, 0.0, lengths[name], subtitles=subtitles, group=name, **changes))
        total += lengths[name] / parts[-1].speed
    return parts


def rotate_hue(rgb: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    """Rotate the hue of uint8 (height, width, 3) pixels. Greys stay exactly, luma until clipping.

    The matrix of `feColorMatrix type="hueRotate"` (W3C Filter Effects Module Level 1), on encoded
    values: ``W + cos(a) (I - W) + sin(a) S``, every row of W being the luma weights (0.213, 0.715,
    0.072). Computed in integers of 2**-16, so that each machine gives the same pixels.
    """
    if degrees % 360 == 0:
        return rgb
    matrix = _hue_matrix(float(degrees))
    red, green, blue = (rgb[..., channel].astype(np.int32) for channel in range(3))
    turned = np.empty(rgb.shape, np.uint8)
    for channel, (a, b, c) in enumerate(matrix):
        mixed = (red * a + green * b + blue * c + (1 << 15)) >> 16
        turned[..., channel] = np.clip(mixed, 0, 255)
    return turned


@lru_cache(maxsize=1024)
def _hue_matrix(degrees: float) -> tuple[tuple[int, int, int], ...]:
    """The rotation in units of 2**-16; every row sums to 2**16, which keeps greys."""
    luma = np.array([[0.213, 0.715, 0.072]] * 3)
    sine = np.array([[-0.213, -0.715, 0.928], [0.143, 0.140, -0.283], [-0.787, 0.715, 0.072]])
    angle = math.radians(degrees)
    matrix = luma + math.cos(angle) * (np.eye(3) - luma) + math.sin(angle) * sine
    units = np.round(matrix * (1 << 16)).astype(int)
    units[np.diag_indices(3)] += (1 << 16) - units.sum(axis=1)
    return tuple((int(a), int(b), int(c)) for a, b, c in units)


@dataclass(frozen=True)
class _Facts:
    """What a source tells of itself."""

    duration_seconds: float
    native_size: tuple[int, int]
    frame_seconds: float


@dataclass(frozen=True)
class _Layout:
    """Where the parts are: n + 1 boundaries on the timeline, n spans in the sources."""

    bounds: list[float]
    locals: list[tuple[float, float]]
    facts: dict[str | int, _Facts]


def _lay_out(parts: Sequence[Part], facts: dict[str | int, _Facts]) -> _Layout:
    exact, bounds, spans = Fraction(0), [0.0], []
    for index, part in enumerate(parts):
        duration = facts[_key(part)].duration_seconds
        end = duration if part.end_seconds is None else part.end_seconds
        if not part.start_seconds < end <= duration + _END_SLACK_SECONDS:
            raise ValueError(
                f"part {index} shows [{part.start_seconds}, {end}) seconds of {part.source!r}, "
                f"which spans [0, {duration}) seconds. Shorten the part."
            )
        spans.append((part.start_seconds, min(end, duration)))
        used = Fraction(spans[-1][1]) - Fraction(part.start_seconds)
        exact += Fraction(float(used / Fraction(part.speed)))  # rounded, or denominators explode
        bounds.append(float(exact))
        if not bounds[-2] < bounds[-1]:
            raise ValueError(f"part {index} is too short to be shown. Leave it out.")
    return _Layout(bounds, spans, facts)


def _key(part: Part) -> str | int:
    """What makes two parts share a source: the same path, or the same object."""
    return part.source if isinstance(part.source, str) else id(part.source)


def _subtitle_key(part: Part) -> tuple[str | int, Any]:
    """What makes two parts share a reading of their subtitles."""
    value = part.subtitles
    return _key(part), id(value) if isinstance(value, Subtitles) else value


def _read_subtitles(part: Part) -> Subtitles:
    return resolve_subtitles(part.subtitles, part.source if isinstance(part.source, str) else None)


def _random_changes(generator: np.random.Generator) -> dict[str, Any]:
    width, height = generator.uniform(0.75, 0.97, 2)
    left, top = generator.uniform(0, 1, 2) * (1 - width, 1 - height)
    return {
        "mirror": bool(generator.integers(2)),
        "crop": (float(left), float(top), float(width), float(height)),
        "hue_degrees": float(generator.uniform(30, 330)),
        "speed": float(generator.uniform(0.8, 1.25)),
    }


def _checked_crop(crop: Sequence[float]) -> tuple[float, ...]:
    crop = tuple(map(float, crop))
    inside = len(crop) == 4 and min(crop[:2]) >= 0 < min(crop[2:])
    if not (inside and crop[0] + crop[2] <= 1 + 1e-9 and crop[1] + crop[3] <= 1 + 1e-9):
        raise ValueError(
            "crop must be (x, y, width, height) as fractions inside the picture, such as "
            f"(0.1, 0.0, 0.8, 1.0), got {crop}."
        )
    return crop


def _crop_window(size: tuple[int, int], crop: tuple[float, ...]) -> tuple[slice, slice]:
    """(rows, columns) of a crop in a picture of `size`: edges rounded, at least one pixel."""
    slices = []
    for pixels, first, length in ((size[1], crop[1], crop[3]), (size[0], crop[0], crop[2])):
        begin = min(round(first * pixels), pixels - 1)
        slices.append(slice(begin, max(begin + 1, min(round((first + length) * pixels), pixels))))
    return slices[0], slices[1]


def _cropped_size(size: tuple[int, int], crop: tuple[float, ...] | None) -> tuple[int, int]:
    if crop is None:
        return size
    rows, columns = _crop_window(size, crop)
    return columns.stop - columns.start, rows.stop - rows.start


def _changed(part: Part, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Crop, mirror and turn the hue of a picture."""
    if part.crop is not None:
        rgb = rgb[_crop_window((rgb.shape[1], rgb.shape[0]), part.crop)]
    if part.mirror:
        rgb = rgb[:, ::-1]
    return rotate_hue(rgb, part.hue_degrees)


def _picture_window(native: tuple[int, int], tile: tuple[int, int]) -> tuple[slice, slice]:
    """(rows, columns) of a letterboxed tile that hold the picture."""
    width, height = fitted_size(native, tile)
    left, top = (tile[0] - width) // 2, (tile[1] - height) // 2
    return slice(top, top + height), slice(left, left + width)


def _boxed(rgb: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Scale a picture (AREA filter) into a letterboxed tile of `size`."""
    native = (rgb.shape[1], rgb.shape[0])
    width, height = fitted_size(native, size)
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    scaled = picture.reformat(width, height, format="rgb24", interpolation="AREA")
    tile = np.empty((size[1], size[0], 3), np.uint8)
    tile[:] = LETTERBOX_RGB
    tile[_picture_window(native, size)] = scaled.to_ndarray()
    return tile
