"""CachedSource: any source, through a `TileCache`. Knows nothing of how pictures are kept."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import astuple

import numpy as np
from numpy.typing import NDArray

from videoatlas_gym.span import Span
from videoatlas_gym.video._layout import Facts
from videoatlas_gym.video.cache import TileCache, as_cache
from videoatlas_gym.video.source import Frame, VideoChangedError, VideoSource


class CachedSource(VideoSource):
    """Any source, with its pictures kept in a `TileCache`.

    Thread-safe as far as the source is. Pickles with its source; pictures in memory stay behind:
    the copy uses the shared cache of its process or the same directory. What a directory knows of a
    video (its duration, its tiles) is read without opening the video.

    Args:
        source: Where pictures come from when the cache lacks them.
        cache: Where they are kept: a cache, the directory of one that keeps tiles on disk, or None
            for the one that the process shares.
    """

    def __init__(
        self,
        source: VideoSource,
        cache: TileCache | str | os.PathLike[str] | None = None,
    ) -> None:
        self.source = source
        self.cache = as_cache(cache)
        self._fingerprint: str | None = None
        self._facts: Facts | None = None

    def __repr__(self) -> str:
        return f"CachedSource({self.source!r})"

    def __reduce__(self):
        return CachedSource, (self.source, None if self.cache.store is None else self.cache)

    @property
    def duration_seconds(self) -> float:
        """As the source has it."""
        return self._known().duration_seconds

    @property
    def native_size(self) -> tuple[int, int]:
        """As the source has it."""
        return self._known().native_size

    @property
    def frame_seconds(self) -> float:
        """As the source has it."""
        return self._known().frame_seconds

    @property
    def frames_decoded(self) -> int:
        """How many pictures the source has decoded: looking at the same moments again adds none."""
        return self.source.frames_decoded

    def fingerprint(self) -> str:
        """As the source has it, read once: each request checks that the source is still that."""
        if self._fingerprint is None:
            self._fingerprint = self.source.fingerprint()
        return self._fingerprint

    def check_unchanged(self) -> None:
        """As the source does; afterwards, pictures are those of the source as it is now."""
        try:
            self.source.check_unchanged()
        except VideoChangedError:
            self._fingerprint = self._facts = None
            raise

    def _checked(self) -> str:
        """Return the fingerprint of a source that is still the same."""
        self.check_unchanged()
        return self.fingerprint()

    def close(self) -> None:
        """Close the source; the pictures stay in the cache."""
        self.source.close()
        self._fingerprint = self._facts = None

    def frames_at(
        self, seconds: Sequence[float], size: tuple[int, int] | None = None
    ) -> list[Frame]:
        """Return the frames on display at `seconds`, in the order asked, decoding what lacks."""
        frames = self.cache.look_up(self._checked(), seconds, size)
        lacking = [index for index, frame in enumerate(frames) if frame is None]
        if lacking:
            decoded = self._decoded([seconds[index] for index in lacking], size)
            for index in lacking:
                frames[index] = decoded[seconds[index]]
        return frames

    def tiles_at(self, seconds: Sequence[float], width: int, height: int) -> NDArray[np.uint8]:
        """Return letterboxed tiles, uint8 (n, height, width, 3), in the order asked.

        Costs one copy of each tile where all are here; decodes what lacks.
        """
        tiles = np.empty((len(seconds), height, width, 3), np.uint8)
        lacking = self.cache.fill(self._checked(), seconds, tiles)
        if lacking:
            decoded = self._decoded([seconds[index] for index in lacking], (width, height))
            for index in lacking:
                tiles[index] = decoded[seconds[index]].rgb
        return tiles

    def key_frames_at(
        self,
        seconds: Sequence[float],
        spans: Sequence[Span],
        size: tuple[int, int] | None = None,
    ) -> list[Frame | None]:
        """As the source has them; kept in memory, apart from the frames on display then.

        So a preview never passes for an exact frame, nor gets to the disk.
        """
        name, box = f"{self._checked()} key", size or (0, 0)
        places = list(zip(seconds, spans, strict=True))
        keys = [(f"{name} {moment}", *astuple(span)) for moment, span in places]
        found: list[Frame | None] = [None] * len(places)
        lacking = []
        for index, key in enumerate(keys):
            known = self.cache.times(key)  # the frame's pts and seconds; nothing for no key frame
            rgb = None
            if known is not None and len(known):
                rgb = self.cache.get(name, int(known[0]), *box)
                found[index] = None if rgb is None else Frame(rgb, float(known[1]), int(known[0]))
            if known is None or (len(known) and rgb is None):
                lacking.append(index)
        if lacking:
            moments, within = zip(*(places[index] for index in lacking), strict=True)
            decoded = self.source.key_frames_at(moments, within, size)
            for index, frame in zip(lacking, decoded, strict=True):
                found[index] = frame
                facts = [] if frame is None else [frame.pts, frame.seconds]
                self.cache.put_times(keys[index], np.array(facts, np.float64))
                if frame is not None:
                    self.cache.put(name, frame.pts, *box, frame.rgb)
        return found

    def frame_times(self, start_seconds: float, end_seconds: float) -> NDArray[np.float64]:
        """As the source has it; spans asked for before are remembered while there is room."""
        key = (self._checked(), start_seconds, end_seconds)
        times = self.cache.times(key)
        if times is None:
            times = self.cache.put_times(key, self.source.frame_times(start_seconds, end_seconds))
        return times

    def _known(self) -> VideoSource | Facts:
        """Where the numbers of the source are to be had: from the disk if they are there."""
        if self._facts is None and self.cache.store is not None:
            self._facts = self.cache.store.facts(self.fingerprint())
        return self._facts or self.source

    def _decoded(
        self, lacking: Sequence[float], size: tuple[int, int] | None
    ) -> dict[float, Frame]:
        """Decode each of some moments once, and keep the frames."""
        moments = list(dict.fromkeys(lacking))
        frames = self.source.frames_at(moments, size)
        facts = None
        # A file that was changed since would leave its new pictures under its old name for good.
        if self.cache.store is not None and self.source.fingerprint() == self.fingerprint():
            source = self.source
            facts = Facts(source.duration_seconds, source.native_size, source.frame_seconds)
        # A frame that stands in for a damaged one is not the frame of that moment.
        known = [index for index, frame in enumerate(frames) if not frame.is_held]
        kept = self.cache.keep(
            self.fingerprint(),
            [moments[index] for index in known],
            size,
            [frames[index] for index in known],
            facts,
        )
        decoded = dict(zip(moments, frames, strict=True))
        return decoded | {moments[index]: frame for index, frame in zip(known, kept, strict=True)}
