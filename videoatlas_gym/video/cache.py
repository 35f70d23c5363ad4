"""Keeping decoded pictures, so that a moment looked at before costs nothing.

Knows pictures by (fingerprint of the source, time stamp, size) and moments by (fingerprint,
seconds): two readers of the same file share what they decode, and a changed file is a new one.
Pictures are in memory; with a directory, tiles are in its `TileStore` instead, where other
processes find them.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from videoatlas_gym.video._layout import Facts
from videoatlas_gym.video.source import Frame
from videoatlas_gym.video.store import DEFAULT_STORE_BYTES, TileStore

DEFAULT_MAX_BYTES = 256 << 20

_MAX_MOMENTS = 1 << 18
_NATIVE = (0, 0)
"""Stands for the native size in keys, so that looking one up does not open the video."""

Size = tuple[int, int] | None
"""(width, height) of tiles in pixels, or None for native pictures."""
PictureKey = tuple[str, int, int, int]
"""(fingerprint, pts, width, height)."""
SpanKey = tuple[str, float, float]
"""(fingerprint, start, end), in seconds."""


class TileCache:
    """Read-only pictures up to a number of bytes; what was not used for longest goes first.

    Thread-safe, safe across forks. A copy or pickle of a cache is an empty one of the same size
    over the same directory. Moments (which frame is on display when) are remembered beside the
    pictures, up to a fixed number, so that a picture that is here is found without asking the
    decoder.

    With a directory, tiles go to files in it, and memory keeps native pictures and frame times, and
    the tiles that the disk does not take. The files' pages are shared with all processes.

    Args:
        max_bytes: Bytes of pixels to keep in memory at most. A bigger picture is not kept.
        directory: Of a `TileStore`; None for memory alone.
        max_disk_bytes: What all tile files in the directory may take together.

    Raises:
        TileStoreError: If the directory cannot be used as a tile store.
    """

    def __init__(
        self,
        max_bytes: int = DEFAULT_MAX_BYTES,
        directory: str | os.PathLike[str] | None = None,
        *,
        max_disk_bytes: int = DEFAULT_STORE_BYTES,
    ) -> None:
        if max_bytes < 0:
            raise ValueError(f"max_bytes must not be negative, got {max_bytes}.")
        self.max_bytes = max_bytes
        self.store = None if directory is None else TileStore(directory, max_disk_bytes)
        """The tiles on disk, or None."""
        self.hits = 0
        """How many pictures were found, in memory or on disk."""
        self.misses = 0
        """How many pictures were asked for and not found."""
        self._bytes = 0
        self._lock = Lock()
        self._arrays: OrderedDict[PictureKey | SpanKey, NDArray] = OrderedDict()
        self._moments: OrderedDict[tuple[str, float], tuple[int, float]] = OrderedDict()
        _CACHES.add(self)

    def __reduce__(self):
        if self.store is None:
            return TileCache, (self.max_bytes,)
        return _with_store, (self.max_bytes, str(self.store.directory), self.store.max_bytes)

    def __len__(self) -> int:
        return len(self._arrays)

    @property
    def bytes(self) -> int:
        """Bytes of pixels kept in memory now, at most `max_bytes`."""
        return self._bytes

    def get(self, fingerprint: str, pts: int, width: int, height: int) -> NDArray[np.uint8] | None:
        """Return a picture that is in memory, or None; counts a hit or a miss."""
        with self._lock:
            picture = self._used((fingerprint, pts, width, height))
            self._count(found=picture is not None, asked=1)
            return picture

    def put(
        self, fingerprint: str, pts: int, width: int, height: int, rgb: NDArray[np.uint8]
    ) -> NDArray[np.uint8]:
        """Keep a picture in memory, making room for it; return it read-only (or such a copy)."""
        return self._put((fingerprint, pts, width, height), rgb)

    def times(self, key: SpanKey) -> NDArray[np.float64] | None:
        """Return the frame times of (fingerprint, start, end), or None. Counts no hit or miss."""
        with self._lock:
            return self._used(key)

    def put_times(self, key: SpanKey, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Keep the frame times of a span, as `put` keeps a picture."""
        return self._put(key, times)

    def look_up(self, fingerprint: str, seconds: Sequence[float], size: Size) -> list[Frame | None]:
        """Return the frames on display at `seconds`, None for each that is not here; counts them.

        Tiles on disk come as views of the mapped file.
        """
        frames: list[Frame | None] = [None] * len(seconds)
        if self.store is not None and size is not None:
            for index, frame in self.store.find(fingerprint, size, seconds).frames():
                frames[index] = frame
        lacking = [index for index, frame in enumerate(frames) if frame is None]
        with self._lock:
            for index, (rgb, pts, moment) in self._in_memory(fingerprint, seconds, size, lacking):
                frames[index] = Frame(rgb, moment, pts)
            self._count(found=len(frames) - frames.count(None), asked=len(frames))
        return frames

    def fill(
        self, fingerprint: str, seconds: Sequence[float], tiles: NDArray[np.uint8]
    ) -> list[int]:
        """Copy the tiles on display at `seconds` into uint8 (n, height, width, 3); count them.

        Returns:
            The indices of those that are not here, ascending.
        """
        size, lacking = (tiles.shape[2], tiles.shape[1]), list(range(len(seconds)))
        if self.store is not None:
            found = self.store.find(fingerprint, size, seconds)
            found.copy_into(tiles)
            lacking = sorted(set(lacking).difference(found.indices.tolist()))
        with self._lock:
            known = list(self._in_memory(fingerprint, seconds, size, lacking))
            self._count(found=len(seconds) - len(lacking) + len(known), asked=len(seconds))
        if len(known) == len(tiles) > 0 and tiles.flags.c_contiguous:
            rows = tiles.reshape(-1, *tiles.shape[2:])
            np.concatenate([rgb for _, (rgb, _, _) in known], out=rows)  # one call, not n
            return []
        for index, (rgb, _, _) in known:
            tiles[index] = rgb
        return sorted(set(lacking).difference(index for index, _ in known))

    def keep(
        self,
        fingerprint: str,
        seconds: Sequence[float],
        size: Size,
        frames: Sequence[Frame],
        facts: Facts | None,
    ) -> list[Frame]:
        """Keep what was decoded for `seconds`; return the frames, read-only.

        Args:
            fingerprint: Of the source.
            seconds: The moments asked for, shape (n,).
            size: What they were asked for in.
            frames: On display then, shape (n,).
            facts: What the source tells of itself; None to keep the frames in memory only.
        """
        if self.store is not None and size is not None and facts is not None:
            if self.store.put(fingerprint, facts, size, seconds, frames):
                return [Frame(_read_only(frame.rgb), frame.seconds, frame.pts) for frame in frames]
        kept = []
        for moment, frame in zip(seconds, frames, strict=True):
            rgb = self.put(fingerprint, frame.pts, *(size or _NATIVE), frame.rgb)
            kept.append(Frame(rgb, frame.seconds, frame.pts))
            with self._lock:
                self._moments[fingerprint, moment] = (frame.pts, frame.seconds)
                if len(self._moments) > _MAX_MOMENTS:
                    self._moments.popitem(last=False)
        return kept

    def clear(self) -> None:
        """Forget everything in memory, the counts excepted; files stay."""
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        self._arrays.clear()
        self._moments.clear()
        self._bytes = 0

    def _used(self, key: PictureKey | SpanKey) -> NDArray | None:
        array = self._arrays.get(key)
        if array is not None:
            self._arrays.move_to_end(key)
        return array

    def _count(self, *, found: int, asked: int) -> None:
        self.hits += found
        self.misses += asked - found

    def _in_memory(
        self, fingerprint: str, seconds: Sequence[float], size: Size, indices: Iterable[int]
    ) -> list[tuple[int, tuple[NDArray[np.uint8], int, float]]]:
        """Return (index, (pixels, pts, seconds)) of what memory has; needs the lock."""
        width, height = size or _NATIVE
        arrays, moments, found = self._arrays, self._moments, []
        for index in indices:
            known = moments.get((fingerprint, seconds[index]))
            if known is None:
                continue
            key = fingerprint, known[0], width, height
            rgb = arrays.get(key)
            if rgb is not None:
                arrays.move_to_end(key)
                found.append((index, (rgb, *known)))
        return found

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

    def _after_fork(self) -> None:
        """In a child: if a thread of the parent was at work here, what it left is not trusted."""
        if self._lock.locked():
            self._forget()
        self._lock = Lock()


def _with_store(max_bytes: int, directory: str, max_disk_bytes: int) -> TileCache:
    return TileCache(max_bytes, directory, max_disk_bytes=max_disk_bytes)


def _read_only(array: NDArray) -> NDArray:
    """Return an array nobody can write through: a view may belong to something that changes."""
    if array.flags.writeable or array.base is not None:
        array = array.copy()
        array.flags.writeable = False
    return array


_CACHES: weakref.WeakSet[TileCache] = weakref.WeakSet()
_OF_DIRECTORY: weakref.WeakValueDictionary[str, TileCache] = weakref.WeakValueDictionary()
_OF_DIRECTORY_LOCK = threading.Lock()
_DEFAULT_CACHE = TileCache()


def default_cache() -> TileCache:
    """Return the cache that all sources of this process share unless they are given their own."""
    return _DEFAULT_CACHE


def as_cache(cache: TileCache | str | os.PathLike[str] | None) -> TileCache:
    """Return what `cache` means: itself, the process's one over a directory, or the default.

    Raises:
        TypeError: If it is something else.
        TileStoreError: If the directory cannot be used as a tile store.
    """
    if cache is None:
        return default_cache()
    if isinstance(cache, TileCache):
        return cache
    if not isinstance(cache, str | os.PathLike):
        raise TypeError(f"cache must be a TileCache, a directory or None, got {cache!r}.")
    directory = os.path.abspath(cache)
    with _OF_DIRECTORY_LOCK:
        shared = _OF_DIRECTORY.get(directory)
        if shared is None:
            shared = _OF_DIRECTORY[directory] = TileCache(directory=directory)
        return shared


def _after_fork() -> None:
    global _OF_DIRECTORY_LOCK
    _OF_DIRECTORY_LOCK = threading.Lock()
    for cache in _CACHES:
        cache._after_fork()


os.register_at_fork(after_in_child=_after_fork)
