"""Threads, processes and forks share one directory: every picture is right, none is kept twice."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from storing import (
    FORK,
    TILE,
    TILE_BYTES,
    exit_codes,
    film,
    in_child,
    is_nothing_wrong,
    is_right,
    moments,
    the_file,
    through,
    truth,
    warnings_of,
)

from videoatlas_gym.video import CachedSource, TileCache
from videoatlas_gym.video import store as store_module

EXPECTED = [truth(seed) for seed in range(4)]
ROOM = 2 * 256 * (TILE_BYTES + 40) + 200
"""Bytes that two of the four films take whole."""


def fill(directory, seed):
    """Ask for all tiles in small random requests, so that writers meet."""
    source = through(directory)
    for indices in np.random.default_rng(seed).permutation(256).reshape(-1, 8).tolist():
        if not is_right(source, indices, EXPECTED[0]):
            return False
    return True


def test_processes_that_write_the_same_video_keep_each_tile_once(tmp_path):
    assert exit_codes([in_child(fill, tmp_path, seed) for seed in range(3)]) == [0] * 3
    assert is_nothing_wrong(tmp_path) == (True, 256)
    assert the_file(tmp_path, "*.tiles").stat().st_size == 256 * TILE_BYTES


def read_until(stop, directory):
    """Read random tiles of a film, and write those that were evicted, until told to stop."""
    source, random = through(directory), np.random.default_rng(os.getpid())
    while not stop.is_set():
        if not is_right(source, random.integers(256, size=16).tolist(), EXPECTED[0]):
            return False
    return True


def test_files_are_evicted_while_other_processes_read_them(tmp_path):
    stop = FORK.Event()
    readers = [in_child(read_until, stop, tmp_path) for _ in range(2)]
    for turn in range(12):
        seed = 1 + turn % 3
        source = through(tmp_path, seed, max_disk_bytes=ROOM)
        assert is_right(source, range(256), EXPECTED[seed])
    stop.set()
    assert exit_codes(readers) == [0, 0]
    assert all(is_nothing_wrong(tmp_path, seed)[0] for seed in range(4))


def read_with_threads(directory, num_threads, num_sheets):
    """Read sheets of four films from many threads through one cache per film, under a cap."""
    sources = [through(directory, seed, max_disk_bytes=ROOM) for seed in range(4)]

    def read(seed):
        random = np.random.default_rng([os.getpid(), seed])
        for _ in range(num_sheets):
            film = int(random.integers(4))
            indices = random.integers(256, size=16)
            tiles = sources[film].tiles_at(moments(*indices.tolist()), *TILE)
            if not np.array_equal(tiles, EXPECTED[film][indices]):
                return False
        return True

    with ThreadPoolExecutor(num_threads) as pool:
        return all(pool.map(read, range(num_threads)))


def test_sixteen_threads_of_four_processes_see_the_right_pictures(tmp_path):
    readers = [in_child(read_with_threads, tmp_path, 16, 12) for _ in range(4)]
    assert exit_codes(readers) == [0] * 4
    assert all(is_nothing_wrong(tmp_path, seed)[0] for seed in range(4))


@pytest.mark.slow
def test_a_hundred_thousand_sheets_are_right(tmp_path):
    readers = [in_child(read_with_threads, tmp_path, 16, 1600) for _ in range(4)]
    assert exit_codes(readers, timeout=1200) == [0] * 4
    assert all(is_nothing_wrong(tmp_path, seed)[0] for seed in range(4))


def test_a_child_forked_amid_the_work_of_threads_can_go_on(tmp_path):
    source, stop = through(tmp_path), threading.Event()

    def work(seed):
        random = np.random.default_rng(seed)
        while not stop.is_set():
            is_right(source, random.integers(256, size=8).tolist(), EXPECTED[0])

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(8):
            indices = [(turn * 31 + i) % 256 for i in range(20)]
            child = in_child(is_right, source, indices, EXPECTED[0])
            assert exit_codes([child], timeout=30) == [0]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert is_nothing_wrong(tmp_path)[0]


def test_a_child_forked_while_memory_is_written_can_go_on(tmp_path):
    source = CachedSource(film(), TileCache())
    assert is_right(source, range(5), EXPECTED[0])
    with source.cache._lock:  # as another thread may, the moment that the process forks
        child = in_child(is_right, source, range(3, 9), EXPECTED[0])
    assert exit_codes([child], timeout=30) == [0]
    assert is_right(source, range(5), EXPECTED[0]) and source.frames_decoded == 5


def hold_the_lock(directory, held):
    """Hold the writers' lock for good, as a stopped process would."""
    with open(directory / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        held.set()
        time.sleep(600)


def test_a_lock_that_never_comes_free_delays_and_does_not_break(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "_LOCK_SECONDS", 0.05)
    source, held = through(tmp_path), FORK.Event()
    holder = in_child(hold_the_lock, tmp_path, held)
    assert held.wait(60)
    right, num_warnings = warnings_of(lambda: is_right(source, range(5), EXPECTED[0]))
    assert right and num_warnings == 1
    assert "another process has been writing for" in source.cache.store.problem
    os.kill(holder.pid, signal.SIGKILL)
    assert exit_codes([holder]) == [-signal.SIGKILL]
    assert is_right(through(tmp_path), range(5), EXPECTED[0])
    assert is_nothing_wrong(tmp_path) == (True, 5)


def test_a_directory_that_is_deleted_in_use_is_made_again(tmp_path):
    directory = tmp_path / "tiles"
    source = through(directory)
    assert is_right(source, range(5), EXPECTED[0])
    shutil.rmtree(directory)
    assert is_right(source, range(3, 9), EXPECTED[0])
    right, count = is_nothing_wrong(directory)
    assert right and 4 <= count <= 6
