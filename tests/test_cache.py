"""What was looked at is kept: same pictures, no decoding, never more bytes than allowed."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers import encode

from videoatlas_gym.video import CachedSource, TileCache, VideoReader, VideoSource
from videoatlas_gym.video.cache import default_cache


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return encode(tmp_path_factory.mktemp("cache") / "plain.mp4", group_of_pictures=24)


@pytest.fixture
def source(path):
    with CachedSource(VideoReader(path), TileCache()) as source:
        yield source


def picture(value, num_bytes=300):
    return np.full((num_bytes // 3, 1, 3), value, np.uint8)


def test_a_cached_source_is_a_video_source_with_the_numbers_of_its_source(source, path):
    assert isinstance(source, VideoSource)
    with VideoReader(path) as reader:
        assert source.duration_seconds == reader.duration_seconds
        assert source.native_size == reader.native_size
        assert source.frame_seconds == reader.frame_seconds
        assert source.fingerprint() == reader.fingerprint()


@pytest.mark.parametrize("size", [None, (40, 30)])
def test_looking_again_gives_the_same_pictures_without_decoding(source, path, size):
    moments = [4.0, 0.3, 0.31, 2.2, 0.3]
    first = source.frames_at(moments, size)
    decoded = source.frames_decoded
    again = source.frames_at(moments[::-1], size)[::-1]
    assert source.frames_decoded == decoded
    for a, b, fresh in zip(first, again, VideoReader(path).frames_at(moments, size), strict=True):
        assert (a.pts, a.seconds) == (b.pts, b.seconds) == (fresh.pts, fresh.seconds)
        assert np.array_equal(a.rgb, b.rgb)
        assert np.array_equal(a.rgb, fresh.rgb)


def test_only_what_lacks_is_decoded(source):
    source.frames_at([1.0, 2.0], (40, 30))
    hits, misses = source.cache.hits, source.cache.misses
    source.frames_at([1.0, 2.0, 3.0], (40, 30))
    assert (source.cache.hits - hits, source.cache.misses - misses) == (2, 1)


def test_sizes_are_kept_apart(source):
    assert source.tiles_at([1.0], 40, 30).shape == (1, 30, 40, 3)
    assert source.tiles_at([1.0], 20, 15).shape == (1, 15, 20, 3)
    assert source.frame_at(1.0).rgb.shape == (96, 160, 3)


def test_a_warm_request_does_not_open_the_video(path):
    cache = TileCache()
    with CachedSource(VideoReader(path), cache) as source:
        wanted = source.tiles_at([0.5, 3.5], 32, 18)
    fresh = CachedSource(VideoReader(path), cache)
    assert np.array_equal(fresh.tiles_at([0.5, 3.5], 32, 18), wanted)
    assert fresh.frames_decoded == 0


def test_cached_pictures_cannot_be_written(source):
    for _ in range(2):
        with pytest.raises(ValueError, match="read-only"):
            source.frame_at(1.0).rgb[0, 0] = 0


def test_frame_times_are_remembered(source):
    times = source.frame_times(1, 2)
    source.source.close()
    assert np.array_equal(source.frame_times(1, 2), times)
    assert len(times) == 25


def test_a_moment_outside_the_video_is_refused_as_by_the_source(source):
    with pytest.raises(ValueError, match="must lie in"):
        source.frame_at(99)


def test_the_longest_unused_picture_goes_first():
    cache = TileCache(max_bytes=900)
    for pts in (1, 2, 3):
        cache.put("film", pts, 1, 100, picture(pts))
    cache.get("film", 1, 1, 100)
    cache.put("film", 4, 1, 100, picture(4))
    assert cache.get("film", 2, 1, 100) is None
    assert [cache.get("film", pts, 1, 100)[0, 0, 0] for pts in (1, 3, 4)] == [1, 3, 4]
    assert cache.bytes == 900


def test_a_picture_bigger_than_the_cache_is_not_kept():
    cache = TileCache(max_bytes=200)
    assert cache.put("film", 1, 1, 100, picture(7))[0, 0, 0] == 7
    assert (len(cache), cache.bytes) == (0, 0)


def test_a_source_works_with_a_cache_that_keeps_nothing(path):
    with CachedSource(VideoReader(path), TileCache(max_bytes=0)) as source:
        assert np.array_equal(source.frame_at(1).rgb, VideoReader(path).frame_at(1).rgb)
        assert source.cache.hits == 0


def test_putting_a_picture_twice_counts_its_bytes_once():
    cache = TileCache()
    for _ in range(2):
        cache.put("film", 1, 1, 100, picture(1))
    assert cache.bytes == 300
    cache.clear()
    assert (len(cache), cache.bytes) == (0, 0)


def test_a_view_is_copied_so_that_its_owner_cannot_change_the_cache():
    cache, canvas = TileCache(), np.zeros((10, 10, 3), np.uint8)
    view = canvas[:5]
    view.flags.writeable = False
    cache.put("film", 1, 10, 5, view)
    canvas[:] = 255
    assert cache.get("film", 1, 10, 5).max() == 0


def test_a_negative_size_is_refused():
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        TileCache(max_bytes=-1)


def test_a_pickled_source_leaves_its_cache_behind(source):
    copy = pickle.loads(pickle.dumps(source))
    assert copy.cache is default_cache()
    assert np.array_equal(copy.frame_at(2).rgb, source.frame_at(2).rgb)
    copy.close()


def test_sources_share_the_cache_of_the_process_unless_given_one(path):
    first, second = (CachedSource(VideoReader(path)) for _ in range(2))
    first.tiles_at([1.5], 24, 24)
    second.tiles_at([1.5], 24, 24)
    assert second.frames_decoded == 0
    first.close()


def test_threads_share_one_source(path):
    with CachedSource(VideoReader(path), TileCache(max_bytes=40_000)) as source:
        wanted = VideoReader(path).tiles_at(moments := [m / 10 for m in range(40)], 40, 24)

        def read(seed):
            order = np.random.default_rng(seed).permutation(40)
            tiles = source.tiles_at([moments[i] for i in order], 40, 24)
            return np.array_equal(tiles, wanted[order])

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(read, range(16)))
        assert source.cache.bytes <= 40_000
