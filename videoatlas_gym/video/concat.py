"""Many videos on one timeline, with declared changes; not a byte is copied.

Knows no codec and no arithmetic: `_layout` turns moments of the timeline into moments of its parts,
`part` changes pictures. Part boundaries are half-open: the moment on one belongs to the next part,
and no part ever shows a frame of its neighbour.
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoatlas_gym.cues import Subtitles
from videoatlas_gym.span import Span
from videoatlas_gym.subtitles import resolve_subtitles
from videoatlas_gym.video._layout import TOLERANCE_SECONDS, Facts, Layout, lay_out, source_key
from videoatlas_gym.video.part import Part, boxed, changed, picture_window
from videoatlas_gym.video.reader import VideoReader
from videoatlas_gym.video.source import Frame, VideoSource

__all__ = ["ConcatSource", "Part"]

Place = tuple[int, float]
"""Index of a part, and a moment in seconds of its source."""
Size = tuple[int, int] | None
"""(width, height) of a tile, None for native pixels."""

_NATIVE_FRAMES_AT_ONCE = 8  # bounds memory while cropped tiles are made from native pictures


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
        self._layout: Layout | None = None
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
        return self._laid_out().spans

    @property
    def native_size(self) -> tuple[int, int]:
        """(width, height) of the largest part by area after cropping, unless `size` was given."""
        return self._laid_out().largest_size() if self._size is None else self._size

    @property
    def frame_seconds(self) -> float:
        """Median frame length over the timeline: of the parts', weighted by their durations."""
        return self._laid_out().median_frame_seconds()

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
        return self._laid_out().part_at(seconds)

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
        return float(layout.to_timeline(index, local_seconds))

    def frames_at(
        self, seconds: Sequence[float], size: tuple[int, int] | None = None
    ) -> list[Frame]:
        """Return the frames on display at moments of the timeline; see `VideoSource.frames_at`.

        With `size` None every frame has its part's own size. Each source is asked once, in order
        (for cropped tiles several times, since those are made from native pictures).
        """
        places = [self._laid_out().place(moment) for moment in seconds]

        def read(source: VideoSource, asked: list[Place], tile: Size) -> list[Frame]:
            return source.frames_at([local for _, local in asked], tile)

        frames = self._read(set(places), size, read)
        return [frames[place] for place in places]

    def key_frames_at(
        self, seconds: Sequence[float], spans: Sequence[Span], size: Size = None
    ) -> list[Frame | None]:
        """Return the nearest key frames of the part on display at each moment, or None.

        Key frames of other parts are not looked for; see `VideoSource.key_frames_at`.
        """
        places = [self._laid_out().place(moment) for moment in seconds]
        local_spans = {
            place: self._local_span(place, span) for place, span in zip(places, spans, strict=True)
        }

        def read(source: VideoSource, asked: list[Place], tile: Size) -> list[Frame | None]:
            wanted = [local_spans[place] for place in asked]
            return source.key_frames_at([local for _, local in asked], wanted, tile)

        frames = self._read(set(places), size, read)
        return [
            frames[place] if place in frames and frames[place].seconds in span else None
            for place, span in zip(places, spans, strict=True)
        ]

    def frame_times(self, start_seconds: float, end_seconds: float) -> NDArray[np.float64]:
        """Return the times of all frames on display in a span; see `VideoSource.frame_times`."""
        layout = self._laid_out()
        layout.check(start_seconds)
        if not start_seconds < end_seconds:
            raise ValueError(
                f"the span must not be empty, got [{start_seconds}, {end_seconds}) seconds."
            )
        first = bisect_right(layout.bounds, start_seconds) - 1
        stop = max(first + 1, bisect_left(layout.bounds, end_seconds, hi=len(self.parts)))
        spans = ((index, start_seconds, end_seconds) for index in range(first, stop))
        times = np.concatenate([self._part_times(*span) for span in spans])
        begin = int(np.searchsorted(times, start_seconds + TOLERANCE_SECONDS, side="right")) - 1
        return times[begin : max(begin + 1, int(np.searchsorted(times, end_seconds)))]

    def fingerprint(self) -> str:
        """Return a hex string that changes with a source's content or with what is done to it."""
        prints: dict[str | int, str] = {}
        for part in self.parts:
            if source_key(part) not in prints:
                with self._using(part) as source:
                    prints[source_key(part)] = source.fingerprint()
        rows = [
            (prints[source_key(p)], *span, p.mirror, p.crop, p.hue_degrees, p.speed)
            for p, span in zip(self.parts, self._laid_out().locals, strict=True)
        ]
        return hashlib.sha256(json.dumps([self._size, rows]).encode()).hexdigest()[:32]

    def close(self) -> None:
        """Close all sources; they open again when needed."""
        with self._lock:
            sources = list(self._sources.values())
            self._in_use.clear()
        for source in sources:
            source.close()

    def _laid_out(self) -> Layout:
        with self._lock:
            if self._layout is None:
                facts: dict[str | int, Facts] = {}
                for part in self.parts:
                    if source_key(part) not in facts:
                        with self._using(part) as source:
                            facts[source_key(part)] = Facts(
                                source.duration_seconds, source.native_size, source.frame_seconds
                            )
                self._layout = lay_out(self.parts, facts)
            return self._layout

    def _part_times(self, index: int, start: float, end: float) -> NDArray[np.float64]:
        """Timeline times of a part's frames on display in a span of the timeline."""
        layout = self._laid_out()
        begin, stop = layout.bounds[index : index + 2]
        part_start, part_end = layout.locals[index]
        first = layout.place(start)[1] if start > begin else part_start
        last = layout.to_local(index, end) if end < stop else part_end
        with self._using(self.parts[index]) as source:
            local = source.frame_times(first, max(last, math.nextafter(first, math.inf)))
        return layout.to_timeline(index, local[local < part_end - TOLERANCE_SECONDS])

    def _local_span(self, place: Place, span: Span) -> Span:
        """A span of the timeline in seconds of the source on display at a place, as far as shown.

        It holds the moment of the place.
        """
        index, moment = place
        layout = self._laid_out()
        start, end = layout.locals[index]
        first, last = (layout.to_local(index, edge) for edge in astuple(span))
        return Span(min(max(start, first), moment), max(min(end, last), moment))

    def _read(
        self,
        places: set[Place],
        size: Size,
        read: Callable[[VideoSource, list[Place], Size], Sequence[Frame | None]],
    ) -> dict[Place, Frame]:
        """Make the frames of places, of those that `read` finds something at."""
        frames: dict[Place, Frame] = {}
        for source_size, asked in self._requests(places, size):
            with self._using(self.parts[asked[0][0]]) as source:
                pictures = read(source, asked, source_size)
            made: dict[tuple[int, int], Frame] = {}  # moments of one frame share its pixels
            for place, picture in zip(asked, pictures, strict=True):
                if picture is None:
                    continue
                identity = place[0], picture.pts
                if identity not in made:
                    made[identity] = self._frame(place[0], picture, source_size, size)
                frames[place] = made[identity]
        return frames

    def _requests(self, places: set[Place], size: Size) -> Iterator[tuple[Size, list[Place]]]:
        """Group places by source and by the size to ask it for, in order of source time."""

        def kind(place: Place) -> tuple[str, bool]:
            part = self.parts[place[0]]
            return str(source_key(part)), size is not None and part.crop is None

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
            rgb = changed(part, rgb)
            rgb = rgb if size is None else boxed(rgb, size)
        elif part.mirror or part.hue_degrees:
            window = picture_window(self._laid_out().facts[source_key(part)].native_size, size)
            rgb = rgb.copy()
            rgb[window] = changed(part, rgb[window])
        if rgb is not picture.rgb:
            rgb = np.ascontiguousarray(rgb)
            rgb.flags.writeable = False
        seconds = float(self._laid_out().to_timeline(index, picture.seconds))
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
        key = source_key(part)
        with self._lock:
            if key not in self._sources:
                self._sources[key] = VideoReader(key) if isinstance(key, str) else part.source
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


def _subtitle_key(part: Part) -> tuple[str | int, Any]:
    """What makes two parts share a reading of their subtitles."""
    value = part.subtitles
    return source_key(part), id(value) if isinstance(value, Subtitles) else value


def _read_subtitles(part: Part) -> Subtitles:
    return resolve_subtitles(part.subtitles, part.source if isinstance(part.source, str) else None)
