"""Tiles on disk: found by whoever comes later, right or not at all, never more than allowed."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from helpers import encode
from storing import (
    TILE,
    TILE_BYTES,
    film,
    is_nothing_wrong,
    is_right,
    moments,
    the_file,
    through,
    truth,
    warnings_of,
)
from worlds import DrawnSource, choice, small_env

from videoatlas_gym.video import (
    CachedSource,
    TileCache,
    TileStore,
    TileStoreError,
    VideoChangedError,
    VideoReader,
)
from videoatlas_gym.video.cache import as_cache, default_cache

EXPECTED = truth()


def test_what_one_cache_decoded_another_one_finds(tmp_path):
    first, second = through(tmp_path), through(tmp_path)
    assert is_right(first, range(20), EXPECTED) and first.frames_decoded == 20
    assert is_right(second, range(20), EXPECTED) and second.frames_decoded == 0
    assert (second.cache.hits, second.cache.misses, len(second.cache)) == (40, 0, 0)
    assert is_right(second, range(10, 30), EXPECTED) and second.frames_decoded == 10
    assert is_right(first, range(30), EXPECTED) and first.frames_decoded == 20


def test_the_numbers_of_a_video_are_found_to_the_last_bit(tmp_path):
    video = encode(tmp_path / "film.mp4", frames_per_second=Fraction(30000, 1001))
    cache = tmp_path / "tiles"
    with CachedSource(VideoReader(video), cache) as source:
        source.tiles_at([1.0], 40, 30)
        known = source.duration_seconds, source.native_size, source.frame_seconds
    facts = TileStore(cache).facts(source.fingerprint())
    assert (facts.duration_seconds, facts.native_size, facts.frame_seconds) == known
    assert TileStore(cache).facts("another") is None


NO_DECODER = """
import sys, zlib, av, gymnasium, videoatlas_gym
def refuse(*arguments, **options): raise AssertionError("a container was opened")
av.open = refuse
env = gymnasium.make("VideoAtlas-v0", video=sys.argv[1], cache=sys.argv[2], grid_size=2)
observation, _ = env.reset()
print(zlib.crc32(observation["view"].tobytes()), env.unwrapped.telemetry["frames_decoded"])
"""


def test_the_root_of_a_warm_video_is_shown_by_a_new_process_that_opens_no_container(tmp_path):
    video, tiles = encode(tmp_path / "film.mp4"), tmp_path / "tiles"
    arguments = [sys.executable, "-c", NO_DECODER, str(video), str(tiles)]
    options = {"capture_output": True, "text": True, "cwd": Path(__file__).parent.parent}
    cold = subprocess.run(arguments, **options)
    assert "a container was opened" in cold.stderr
    code = NO_DECODER.replace("av.open = refuse", "")
    first = subprocess.run([*arguments[:2], code, *arguments[3:]], **options)
    warm = subprocess.run(arguments, **options)
    assert int(first.stdout.split()[1]) >= 4 and warm.stdout.split()[1] == "0"
    assert first.stdout.split()[0] == warm.stdout.split()[0]


def test_sizes_are_kept_apart_and_native_pictures_in_memory(tmp_path):
    source = through(tmp_path)
    assert source.tiles_at([1.0], 32, 24).shape == (1, 24, 32, 3)
    assert source.tiles_at([1.0], *TILE).shape == (1, 12, 16, 3)
    assert source.frame_at(1.0).rgb.shape == (48, 64, 3) and len(source.cache) == 1
    assert sorted(p.name for p in tmp_path.glob("*/*.index")) == ["16x12.index", "32x24.index"]


def test_moments_of_one_frame_share_a_tile(tmp_path):
    source = through(tmp_path)
    for moment in (1.0, 1.01, 1.24, 1.0):
        assert np.array_equal(source.tiles_at([moment, moment], *TILE)[1], EXPECTED[4])
    assert the_file(tmp_path, "*.tiles").stat().st_size == TILE_BYTES
    assert through(tmp_path).cache.store.find(film().fingerprint(), TILE, [1.01]).rows["pts"] == [4]


def test_a_moment_that_is_no_float_is_not_taken_for_its_neighbour(tmp_path):
    source, third = through(tmp_path), Fraction(1, 3)
    source.tiles_at([float(third)], *TILE)
    assert len(source.cache.store.find(source.fingerprint(), TILE, [third]).indices) == 0
    assert np.array_equal(source.tiles_at([third], *TILE)[0], EXPECTED[1])


def test_cached_tiles_cannot_be_written(tmp_path):
    for source in (through(tmp_path), through(tmp_path)):
        with pytest.raises(ValueError, match="read-only"):
            source.frames_at([1.0], TILE)[0].rgb[0, 0] = 0


def test_a_changed_file_is_a_new_video(tmp_path):
    video = encode(tmp_path / "film.mp4", count=30)
    cache = tmp_path / "tiles"
    CachedSource(VideoReader(video), TileCache(0, cache)).tiles_at([0.5], 40, 30)
    os.utime(video, (1, 1))
    changed = CachedSource(VideoReader(video), TileCache(0, cache))
    changed.tiles_at([0.5], 40, 30)
    assert changed.frames_decoded > 0 and len(list(cache.glob("*/*.index"))) == 2


def test_a_file_that_changes_while_it_is_open_is_not_kept_under_its_old_name(tmp_path):
    video = encode(tmp_path / "film.mp4", count=30)
    source = CachedSource(VideoReader(video), TileCache(0, tmp_path / "tiles"))
    name = source.fingerprint()
    os.utime(video, (1, 1))
    with pytest.raises(VideoChangedError):
        source.tiles_at([0.5], 40, 30)
    assert not list((tmp_path / "tiles").glob("*/*"))
    source.tiles_at([0.5], 40, 30)
    assert source.fingerprint() != name and list((tmp_path / "tiles").glob("*/*"))


def use(source, count=10, at=None):
    """Ask for some tiles; say when they were used, in seconds."""
    assert is_right(source, range(count), truth(source.source.seed))
    if at is not None:
        folder = source.cache.store._file(source.fingerprint(), TILE).folder
        os.utime(folder / "16x12.index", (at, at))


def test_the_video_longest_unused_goes_first_and_the_cap_holds(tmp_path):
    room = 3 * (10 * (TILE_BYTES + 40) + 100)
    for seed, at in ((1, 300), (2, 100), (3, 200)):
        use(through(tmp_path, seed, max_disk_bytes=room), at=at)
    for seed in (4, 5):
        use(through(tmp_path, seed, max_disk_bytes=room))
        assert through(tmp_path).cache.store.num_bytes() <= room
    kept = [seed for seed in range(1, 6) if is_nothing_wrong(tmp_path, seed)[1]]
    assert kept == [1, 4, 5]
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 3


def test_use_counts_as_use_also_without_writing(tmp_path):
    use(through(tmp_path, 1), at=100)
    use(through(tmp_path, 2), at=200)
    use(through(tmp_path, 1))
    use(through(tmp_path, 3, max_disk_bytes=2 * (10 * (TILE_BYTES + 40) + 100)))
    assert [is_nothing_wrong(tmp_path, seed)[1] for seed in (1, 2, 3)] == [10, 0, 10]


def test_an_evicted_file_stays_with_those_who_look_at_it(tmp_path):
    source = through(tmp_path)
    source.tiles_at(moments(*range(10)), *TILE)
    frames = source.frames_at(moments(*range(10)), TILE)
    room = 11 * (TILE_BYTES + 40)
    use(through(tmp_path, 1, max_disk_bytes=room))
    assert is_nothing_wrong(tmp_path) == (True, 0)
    assert all(np.array_equal(frame.rgb, EXPECTED[i]) for i, frame in enumerate(frames))
    assert is_right(source, range(20), EXPECTED) and is_nothing_wrong(tmp_path) == (True, 20)


def test_a_video_too_big_for_the_cap_is_served_from_memory_with_one_warning(tmp_path):
    source = through(tmp_path, max_disk_bytes=10 * TILE_BYTES)

    def ask():
        return [is_right(source, range(i, i + 5), EXPECTED) for i in range(0, 50, 5)]

    right, num_warnings = warnings_of(ask)
    assert all(right) and num_warnings == 1 and source.frames_decoded == 50
    assert "would take more than the 5760 bytes allowed" in source.cache.store.problem
    assert 0 < source.cache.store.num_bytes() <= 10 * TILE_BYTES


def test_a_cache_is_pickled_by_its_directory(tmp_path):
    source = through(tmp_path)
    source.tiles_at(moments(4), *TILE)
    copy = pickle.loads(pickle.dumps(source))
    assert is_right(copy, [4], EXPECTED) and copy.frames_decoded == source.frames_decoded
    assert copy.cache.store.directory == tmp_path and copy.cache.max_bytes == 1 << 20
    assert pickle.loads(pickle.dumps(TileStore(tmp_path, 77))).max_bytes == 77


def test_a_directory_stands_for_one_cache_in_a_process(tmp_path):
    assert as_cache(tmp_path) is as_cache(str(tmp_path)) is CachedSource(film(), tmp_path).cache
    assert as_cache(None) is default_cache()
    with pytest.raises(TypeError, match="cache must be a TileCache, a directory or None, got 7"):
        as_cache(7)


def test_a_directory_of_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(TileStoreError, match="is no tile store: it holds other files"):
        TileStore(tmp_path)
    with pytest.raises(TileStoreError, match="is no directory"):
        TileStore(tmp_path / "letter.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_store_of_another_version_is_refused(tmp_path):
    TileStore(tmp_path)
    marker = tmp_path / "videoatlas-tiles"
    marker.write_bytes(marker.read_bytes().replace(b"format 1", b"format 2"))
    with pytest.raises(TileStoreError, match="of another version of this package"):
        as_cache(tmp_path)


def test_a_negative_size_is_refused(tmp_path):
    with pytest.raises(ValueError, match="max_bytes must not be negative, got -1"):
        TileStore(tmp_path, -1)


def test_files_that_are_not_its_own_are_never_evicted(tmp_path):
    use(through(tmp_path, 1))
    folder = the_file(tmp_path, "*.index").parent
    (folder / "notes.txt").write_text("x" * 10_000)
    (tmp_path / "other").mkdir()
    use(through(tmp_path, 2, max_disk_bytes=10 * (TILE_BYTES + 40) + 100))
    assert is_nothing_wrong(tmp_path, 1)[1] == 0 and (folder / "notes.txt").exists()


def test_an_environment_takes_a_directory_as_its_cache(tmp_path):
    for kind in (str, Path, TileCache):
        source = DrawnSource()
        cache = TileCache(directory=tmp_path) if kind is TileCache else kind(tmp_path)
        env = gymnasium.make("VideoAtlas-v0", tasks=choice(source), grid_size=2, cache=cache)
        env.reset()
        copy = pickle.loads(pickle.dumps(env.unwrapped))
        copy.reset()
        assert copy.telemetry["frames_decoded"] == 0
        assert source.frames_decoded == (4 if kind is str else 0)
    with pytest.raises(TypeError, match="cache must be a TileCache, a directory or None"):
        small_env(cache=7)
