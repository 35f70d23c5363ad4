"""Keeping decoded pictures in memory, so that a moment looked at before costs nothing.

Knows pictures by (fingerprint of the source, time stamp, size) and moments by (fingerprint,
seconds): two readers of the same file share what they decode, and a changed file is a new one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from videoatlas_gym.video.source import Frame, VideoSource

DEFAULT_MAX_BYTES = 256 << 20

_MAX_MOMENTS = 1 << 18
_NATIVE = (0, 0)
"""Stands for the native size in keys, so that looking one up does not open the video."""

PictureKey = tuple[str, int, int, int]
"""(fingerprint, pts, width, height)."""
SpanKey = tuple[str, float, float]
"""(fingerprint, start, end), in seconds."""


class TileCache:
    """Read-only pictures up to a number of bytes; what was not used for longest goes first.

    Thread-safe. A copy or pickle of a cache is an empty one of the same size. Moments (which frame
    is on display when) are remembered beside the pictures, up to a fixed number, so that a picture
    that is here is found without asking the decoder.

    Args:
        max_bytes: Bytes of pixels to keep at most. A bigger picture is simply not kept.
    """

    def __init__(self, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        if max_bytes < 0:
            raise ValueError(f"max_bytes must not be negative, got {max_bytes}.")
        self.max_bytes = max_bytes
        self.hits = 0
        """How many pictures were found."""
        self.misses = 0
        """How many pictures were asked for and not found."""
        self._bytes = 0
        self._lock = Lock()
        self._arrays: OrderedDict[PictureKey | SpanKey, NDArray] = OrderedDict()
        self._moments: OrderedDict[tuple[str, float], tuple[int, float]] = OrderedDict()

    def __reduce__(self):
        return TileCache, (self.max_bytes,)

    def __len__(self) -> int:
        return len(self._arrays)

    @property
    def bytes(self) -> int:
        """Bytes of pixels kept now, at most `max_bytes`."""
        return self._bytes

    def get(self, fingerprint: str, pts: int, width: int, height: int) -> NDArray[np.uint8] | None:
        """Return the picture, or None; counts a hit or a miss."""
        key = (fingerprint, pts, width, height)
        with self._lock:
            picture = self._arrays.get(key)
            if picture is None:
                self.misses += 1
                return None
            self.hits += 1
            self._arrays.move_to_end(key)
            return picture

    def put(
        self, fingerprint: str, pts: int, width: int, height: int, rgb: NDArray[np.uint8]
    ) -> NDArray[np.uint8]:
        """Keep a picture, making room for it; return it read-only (a copy if it was not)."""
        return self._put((fingerprint, pts, width, height), rgb)

    def times(self, key: SpanKey) -> NDArray[np.float64] | None:
        """Return the frame times of (fingerprint, start, end), or None. Counts no hit or miss."""
        with self._lock:
            times = self._arrays.get(key)
            if times is not None:
                self._arrays.move_to_end(key)
            return times

    def put_times(self, key: SpanKey, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Keep the frame times of a span, as `put` keeps a picture."""
        return self._put(key, times)

    def _put(self, key: PictureKey | SpanKey, array: NDArray) -> NDArray:
        array = _read_only(array)
        with self._lock:
            old = self._arrays.pop(key, None)
            self._bytes -= 0 if old is None else old.nbytes
            if array.nbytes <= self.max_bytes:
                self._arrays[key] = array
                self._bytes += array.nbytes
            while self._bytes > self.max_bytes:
                _, dropped = self._arrays.popitem(last=False)
                self._bytes -= dropped.nbytes
        return array

    def moment(self, fingerprint: str, seconds: float) -> tuple[int, float] | None:
        """Return (pts, seconds) of the frame on display at `seconds`, if it is known."""
        with self._lock:
            return self._moments.get((fingerprint, seconds))

    def look_up(self, fingerprint: str, seconds: float, size: tuple[int, int]) -> Frame | None:
        """Return the frame on display at `seconds` if it is here; counts a hit or a miss."""
        known = self.moment(fingerprint, seconds)
        if known is None:
            with self._lock:
                self.misses += 1
            return None
        pts, frame_seconds = known
        rgb = self.get(fingerprint, pts, *size)
        return None if rgb is None else Frame(rgb, frame_seconds, pts)

    def remember_moment(self, fingerprint: str, seconds: float, frame: Frame) -> None:
        """Note which frame is on display at `seconds`."""
        with self._lock:
            self._moments[fingerprint, seconds] = (frame.pts, frame.seconds)
            if len(self._moments) > _MAX_MOMENTS:
                self._moments.popitem(last=False)

    def clear(self) -> None:
        """Forget everything, the counts excepted."""
        with self._lock:
            self._arrays.clear()
            self._moments.clear()
            self._bytes = 0


def _read_only(array: NDArray) -> NDArray:
    """Return an array nobody can write through: a view may belong to something that changes."""
    if array.flags.writeable or array.base is not None:
        array = array.copy()
        array.flags.writeable = False
    return array


_DEFAULT_CACHE = TileCache()


def default_cache() -> TileCache:
    """Return the cache that all sources of this process share unless they are given their own."""
    return _DEFAULT_CACHE


class CachedSource(VideoSource):
    """Any source, with its pictures kept in a `TileCache`.

    Thread-safe as far as the source is. Pickles with its source; the cache stays behind, and the
    copy uses the shared cache of its process.

    Args:
        source: Where pictures come from when the cache lacks them.
        cache: Where they are kept; the cache shared by the process if None.
    """

    def __init__(self, source: VideoSource, cache: TileCache | None = None) -> None:
        self.source = source
        self.cache = default_cache() if cache is None else cache
        self._fingerprint: str | None = None

    def __repr__(self) -> str:
        return f"CachedSource({self.source!r})"

    def __reduce__(self):
        return CachedSource, (self.source,)

    @property
    def duration_seconds(self) -> float:
        """As the source has it."""
        return self.source.duration_seconds

    @property
    def native_size(self) -> tuple[int, int]:
        """As the source has it."""
        return self.source.native_size

    @property
    def frame_seconds(self) -> float:
        """As the source has it."""
        return self.source.frame_seconds

    @property
    def frames_decoded(self) -> int:
        """How many pictures the source has decoded: looking at the same moments again adds none."""
        return self.source.frames_decoded

    def fingerprint(self) -> str:
        """As the source has it, read once: a file is taken to stay as it is while it is open."""
        if self._fingerprint is None:
            self._fingerprint = self.source.fingerprint()
        return self._fingerprint

    def close(self) -> None:
        """Close the source; the pictures stay in the cache."""
        self.source.close()
        self._fingerprint = None

    def frames_at(
        self, seconds: Sequence[float], size: tuple[int, int] | None = None
    ) -> list[Frame]:
        """Return the frames on display at `seconds`, in the order asked, decoding what lacks."""
        stored_size = size or _NATIVE
        fingerprint = self.fingerprint()
        frames = {
            moment: self.cache.look_up(fingerprint, moment, stored_size) for moment in seconds
        }
        lacking = [moment for moment, frame in frames.items() if frame is None]
        if lacking:
            decoded = self.source.frames_at(lacking, size)
            for moment, frame in zip(lacking, decoded, strict=True):
                frames[moment] = self._keep(moment, frame, size)
        return [frames[moment] for moment in seconds]

    def frame_times(self, start_seconds: float, end_seconds: float) -> NDArray[np.float64]:
        """As the source has it; spans asked for before are remembered while there is room."""
        key = (self.fingerprint(), start_seconds, end_seconds)
        times = self.cache.times(key)
        if times is None:
            times = self.cache.put_times(key, self.source.frame_times(start_seconds, end_seconds))
        return times

    def _keep(self, seconds: float, frame: Frame, size: tuple[int, int] | None) -> Frame:
        fingerprint = self.fingerprint()
        self.cache.remember_moment(fingerprint, seconds, frame)
        rgb = self.cache.put(fingerprint, frame.pts, *(size or _NATIVE), frame.rgb)
        return Frame(rgb, frame.seconds, frame.pts)
