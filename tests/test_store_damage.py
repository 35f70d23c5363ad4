"""Whatever a killed writer, a crash or a bad disk leaves behind: tiles are right or absent."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from storing import (
    TILE,
    TILE_BYTES,
    exit_codes,
    files_at_most,
    in_child,
    is_nothing_wrong,
    is_right,
    moments,
    the_file,
    through,
    truth,
    warnings_of,
)

from videoatlas_gym.video import store as store_module
from videoatlas_gym.video._tile_format import HEADER, RECORD

EXPECTED = truth()


def filled(directory, count=6):
    """Put the first tiles of the film into a directory; return the index's and the pixels' path."""
    source = through(directory)
    for index in range(count):
        assert is_right(source, [index], EXPECTED)
    return the_file(directory, "*.index"), the_file(directory, "*.tiles")


def heals(directory, count=6):
    """Whether nothing wrong is found, a user gets what is right, and then all is there again."""
    right, _ = is_nothing_wrong(directory)
    served = is_right(through(directory), range(count), EXPECTED)
    again = through(directory)
    return right and served and is_right(again, range(count), EXPECTED) and not again.frames_decoded


@pytest.mark.parametrize(
    ("which", "start", "unit", "step"),
    [(0, HEADER.size, RECORD.itemsize, 3), (1, 0, TILE_BYTES, 61)],
)
def test_a_file_cut_off_anywhere_costs_only_what_was_cut_off(tmp_path, which, start, unit, step):
    path = filled(tmp_path / "whole")[which]
    assert path.stat().st_size == start + 6 * unit
    edges = {start + i * unit + j for i in range(7) for j in (-1, 0, 1)}
    for num_bytes in sorted(edges | set(range(0, start + 6 * unit, step))):
        if 0 <= num_bytes <= start + 6 * unit:
            directory = tmp_path / str(num_bytes)
            shutil.copytree(tmp_path / "whole", directory)
            os.truncate(directory / path.relative_to(tmp_path / "whole"), num_bytes)
            whole = max(0, num_bytes - start) // unit
            assert is_nothing_wrong(directory) == (True, whole), num_bytes
            assert heals(directory), num_bytes


def test_a_flipped_bit_in_the_index_is_never_believed(tmp_path):
    random = np.random.default_rng(0)
    index, _ = filled(tmp_path)
    whole = index.read_bytes()
    for place in range(len(whole)):
        data = bytearray(whole)
        data[place] ^= 1 << int(random.integers(8))
        index.write_bytes(data)
        right, count = is_nothing_wrong(tmp_path)
        in_padding = HEADER.size - 4 <= place < HEADER.size
        assert right and count == (6 if in_padding else 5 if place >= HEADER.size else 0), place
    index.write_bytes(data)
    assert heals(tmp_path)


def test_a_flipped_bit_in_a_tile_is_never_shown(tmp_path):
    random = np.random.default_rng(1)
    _, tiles = filled(tmp_path)
    whole = tiles.read_bytes()
    for place in random.integers(len(whole), size=100).tolist():
        data = bytearray(whole)
        data[place] ^= 1 << int(random.integers(8))
        tiles.write_bytes(data)
        assert is_nothing_wrong(tmp_path) == (True, 5)
    assert heals(tmp_path)


def test_zeros_left_by_a_crash_of_the_machine_are_never_shown(tmp_path):
    index, tiles = filled(tmp_path)
    tiles.write_bytes(bytes(3 * TILE_BYTES) + tiles.read_bytes()[3 * TILE_BYTES :])
    assert is_nothing_wrong(tmp_path) == (True, 3)
    index.write_bytes(index.read_bytes()[: -RECORD.itemsize] + bytes(RECORD.itemsize))
    assert is_nothing_wrong(tmp_path) == (True, 2)
    assert heals(tmp_path)


def test_the_index_of_another_video_is_not_believed(tmp_path):
    index, _ = filled(tmp_path / "one")
    source = through(tmp_path / "one", seed=1)
    source.tiles_at([1.0], *TILE)
    (other,) = {*index.parent.parent.glob("*/*.index")} - {index}
    other.write_bytes(index.read_bytes())
    assert is_nothing_wrong(tmp_path / "one", seed=1) == (True, 0)


def write_and_die(directory, num_bytes, which):
    """Die when the given write (0: tiles, 1: index) has come to a number of bytes."""
    source, calls, pwrite = through(directory), [], os.pwrite

    def dying(descriptor, data, offset):
        calls.append(len(data))
        if len(calls) - 1 == which:
            pwrite(descriptor, data[:num_bytes], offset)
            os.kill(os.getpid(), signal.SIGKILL)
        return pwrite(descriptor, data, offset)

    os.pwrite = dying
    source.tiles_at(moments(0, 40, 80), *TILE)
    return True


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize(
    ("which", "num_bytes"),
    [
        *((0, count) for count in (0, 1, TILE_BYTES - 1, TILE_BYTES, 2 * TILE_BYTES + 5)),
        *((1, count) for count in (0, 1, 39, 40, 41, 80, 119, 120)),
    ],
)
def test_a_writer_that_dies_at_some_byte_leaves_what_was_whole(tmp_path, which, num_bytes, is_new):
    if not is_new:
        filled(tmp_path)
    dead = in_child(write_and_die, tmp_path, num_bytes, which)
    assert exit_codes([dead]) == [-signal.SIGKILL]
    whole = num_bytes // RECORD.itemsize if which else 0
    expected = whole if is_new else 6 + min(whole, 2)  # frame 0 is there already
    assert is_nothing_wrong(tmp_path) == (True, expected)
    assert is_right(through(tmp_path), [0, 40, 80, 7], EXPECTED)
    right, count = is_nothing_wrong(tmp_path)
    assert right and count >= 4


def write_forever(directory, seed):
    """Ask for random tiles, which writes those that lack."""
    random, source = np.random.default_rng(seed), through(directory)
    while True:
        if not is_right(source, random.integers(256, size=5).tolist(), EXPECTED):
            return False


def killed_often(directory, rounds):
    """Kill writers at random moments; check what they left each time. Returns what was found."""
    random, counts = np.random.default_rng(2), []
    for turn in range(rounds):
        before = through(directory).cache.store.num_bytes()
        writers = [in_child(write_forever, directory, 2 * turn + i) for i in range(2)]
        while through(directory).cache.store.num_bytes() == before:
            time.sleep(0.001)
        time.sleep(float(random.uniform(0, 0.03)))
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
        assert exit_codes(writers) == [-signal.SIGKILL] * 2
        right, count = is_nothing_wrong(directory)
        assert right
        counts.append(count)
        if count > 200:
            the_file(directory, "*.index").unlink()
    return counts


def test_writers_killed_at_any_time_never_leave_a_wrong_tile(tmp_path):
    counts = killed_often(tmp_path, 12)
    assert max(counts) > 0
    assert is_right(through(tmp_path), range(256), EXPECTED)


@pytest.mark.slow
def test_writers_killed_hundreds_of_times_never_leave_a_wrong_tile(tmp_path):
    assert max(killed_often(tmp_path, 300)) > 100
    assert is_right(through(tmp_path), range(256), EXPECTED)


def test_a_full_disk_costs_one_warning_and_no_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "_PAUSE_SECONDS", 0.0)
    filled(tmp_path)
    source, pwrite = through(tmp_path), os.pwrite

    def full(descriptor, data, offset):
        if len(data) < 100:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return pwrite(descriptor, data[: len(data) // 2], offset)

    monkeypatch.setattr(os, "pwrite", full)
    right, num_warnings = warnings_of(
        lambda: [is_right(source, range(i, i + 4), EXPECTED) for i in range(4, 40, 4)]
    )
    assert all(right) and num_warnings == 1
    assert "No space left on device" in source.cache.store.problem
    assert is_nothing_wrong(tmp_path) == (True, 6) and len(source.cache) == 34
    assert the_file(tmp_path, "*.tiles").stat().st_size == 6 * TILE_BYTES
    monkeypatch.setattr(os, "pwrite", pwrite)
    assert is_right(source, range(50, 60), EXPECTED) and source.cache.store.problem is None
    assert is_nothing_wrong(tmp_path) == (True, 16)


def ask_with_small_files(directory):
    source = through(directory)
    with files_at_most(10 * TILE_BYTES + 100):
        right, num_warnings = warnings_of(
            lambda: [is_right(source, range(i, i + 4), EXPECTED) for i in range(0, 40, 4)]
        )
    return all(right) and num_warnings == 1


def test_files_that_cannot_grow_cost_one_warning_and_no_picture(tmp_path):
    assert exit_codes([in_child(ask_with_small_files, tmp_path)]) == [0]
    assert is_nothing_wrong(tmp_path) == (True, 8)
    assert the_file(tmp_path, "*.tiles").stat().st_size == 8 * TILE_BYTES


def ask_as_a_stranger(directory):
    """Read what is there and more, as a user who may not write."""
    if os.geteuid() == 0:
        os.chmod(directory.parent, 0o755)
        os.seteuid(65534)
    source = through(directory)
    right, num_warnings = warnings_of(
        lambda: [is_right(source, range(i, i + 4), EXPECTED) for i in range(0, 40, 4)]
    )
    missing, num_missing = warnings_of(lambda: through(directory / "new"))
    served = is_right(missing, range(4), EXPECTED)
    return (
        all(right) and served and (num_warnings, num_missing, source.frames_decoded) == (1, 1, 34)
    )


def test_a_read_only_directory_is_read_and_costs_one_warning():
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "tiles"
        index, _ = filled(directory)
        for path in (directory, index.parent):
            path.chmod(0o555)
        try:
            assert exit_codes([in_child(ask_as_a_stranger, directory)]) == [0]
            assert is_nothing_wrong(directory) == (True, 6)
        finally:
            for path in (directory, index.parent):
                path.chmod(0o755)
