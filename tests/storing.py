"""What the tests of the tile store share: a video whose tiles are known, and child processes."""

import multiprocessing
import os
import resource
import signal
import warnings
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
from worlds import DrawnSource

from videoatlas_gym.video import CachedSource, TileCache, TileStoreWarning

TILE = (16, 12)
TILE_BYTES = 16 * 12 * 3
RATE = 4.0
FORK = multiprocessing.get_context("fork")


def film(seed=0, seconds=64.0):
    """A drawn video of 256 frames; each carries its number."""
    return DrawnSource(seconds, RATE, size=(64, 48), seed=seed)


@lru_cache
def truth(seed=0):
    """All its tiles, by frame number."""
    return film(seed).tiles_at(moments(*range(256)), *TILE)


def through(directory, seed=0, **options):
    """The video through a new cache over a directory: nothing is remembered but what is there."""
    return CachedSource(film(seed), TileCache(1 << 20, directory, **options))


def moments(*indices):
    """A moment within each of some frames."""
    return [(index + 0.5) / RATE for index in indices]


def is_right(source, indices, expected):
    """Whether a request shows the very tiles of some frames, asked for in both ways."""
    tiles = source.tiles_at(moments(*indices), *TILE)
    frames = source.frames_at(moments(*indices), TILE)
    return (
        np.array_equal(tiles, expected[list(indices)])
        and all(np.array_equal(f.rgb, expected[i]) for f, i in zip(frames, indices, strict=True))
        and [(f.pts, f.seconds) for f in frames] == [(i, i / RATE) for i in indices]
    )


def the_file(directory, pattern):
    """The only file below a directory whose name matches."""
    (path,) = directory.glob(f"*/{pattern}")
    return path


def is_nothing_wrong(directory, seed=0):
    """Whether everything that a new reader finds in a directory is right; returns how many too."""
    expected, source = truth(seed), through(directory, seed)
    found = source.cache.store.find(source.fingerprint(), TILE, moments(*range(256)))
    right = all(np.array_equal(f.rgb, expected[i]) and f.pts == i for i, f in found.frames())
    return right, len(found.indices)


def in_child(function, *arguments):
    """Start a process that runs a function; it exits with 0 only if that returns True."""
    process = FORK.Process(target=_child, args=(function, arguments), daemon=True)
    process.start()
    return process


def _child(function, arguments):
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os._exit(0 if function(*arguments) is True else 1)


def exit_codes(processes, timeout=120):
    """Wait for processes; return what they exited with."""
    for process in processes:
        process.join(timeout)
    return [process.exitcode for process in processes]


def warnings_of(function):
    """Call a function; return its result, and how many warnings came of the store."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function()
    return result, sum(issubclass(w.category, TileStoreWarning) for w in caught)


@contextmanager
def files_at_most(num_bytes):
    """Let no file of this process grow further: writes end half-way, then fail."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
