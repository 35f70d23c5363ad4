"""What a file may ask for at most: time, pixels, memory. After a limit was hit, reading goes on."""

from __future__ import annotations

import time
import tracemalloc

import av
import numpy as np
import pytest
from helpers import encode, started_late

from videoatlas_gym.video import FrameDecodeError, VideoOpenError, VideoReader, _run, _samples, plan
from videoatlas_gym.video.synthesis import numbered_frames, read_number, write_video


@pytest.fixture(scope="module", params=[".mp4", ".mkv"], ids=["read straight", "by FFmpeg"])
def one_group(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("limits") / f"long{request.param}"
    return encode(path, count=600, group_of_pictures=1000)


@pytest.fixture(scope="module", params=[".mp4", ".mkv"], ids=["read straight", "by FFmpeg"])
def many_groups(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("limits") / f"short{request.param}"
    return encode(path, count=240, group_of_pictures=12)


@pytest.fixture
def growing(tmp_path):
    """A stream whose pictures become larger after its first second."""
    small, big = encode(tmp_path / "small.ts", count=25), tmp_path / "big.ts"
    write_video(big, numbered_frames(50, 320, 240))
    path = tmp_path / "growing.ts"
    later = started_late(big, tmp_path / "later.ts", 1)
    path.write_bytes(small.read_bytes() + later.read_bytes())
    return path


def slowed(monkeypatch, seconds=0.01):
    """Make reading of each packet take some time, as on a slow machine."""
    demux, read = av.container.InputContainer.demux, _samples.SampleReader._read

    def read_slowly(reader, first, end):
        time.sleep(seconds * (end - first))
        return read(reader, first, end)

    class Slow:
        def __init__(self, container):
            self._container = container

        def __getattr__(self, name):
            return getattr(self._container, name)

        def demux(self, stream):
            for packet in demux(self._container, stream):
                time.sleep(seconds)
                yield packet

    def open_slowly(source, *args, **options):
        container = opened(source, *args, **options)
        return Slow(container) if isinstance(source, str) else container

    opened = av.open
    monkeypatch.setattr(av, "open", open_slowly)
    monkeypatch.setattr(_samples.SampleReader, "_read", read_slowly)


def too_long(reader, moments):
    began = time.monotonic()
    with pytest.raises(FrameDecodeError, match=r"more than the 0.5 s .*\(time_limit_seconds\)"):
        reader.frames_at(moments)
    assert 0.5 <= time.monotonic() - began < 2


def test_opening_ends_in_time(one_group, monkeypatch):
    slowed(monkeypatch)
    reader = VideoReader(one_group, time_limit_seconds=0.5)
    with pytest.raises(VideoOpenError, match="more than the 0.5 s a request may take. Ask for"):
        _ = reader.duration_seconds
    monkeypatch.undo()
    assert reader.duration_seconds == 24


@pytest.mark.parametrize("is_planned", [True, False])
@pytest.mark.parametrize("num_workers", [1, 3])
def test_a_request_ends_in_time_and_the_reader_goes_on(
    one_group, monkeypatch, num_workers, is_planned
):
    with VideoReader(one_group, num_workers=num_workers, time_limit_seconds=0.5) as reader:
        reader.frame_at(0)
        reader.close()
        slowed(monkeypatch)
        with monkeypatch.context() as patch:
            if not is_planned:
                patch.setattr("videoatlas_gym.video._access.GroupReader.read", lambda *_: {})
            too_long(reader, [5, 20, 23])
            too_long(reader, [23])
        monkeypatch.undo()
        assert read_number(reader.frame_at(0.4).rgb) == 10


def test_workers_that_decode_slowly_are_called_off(many_groups, monkeypatch):
    with VideoReader(many_groups, num_workers=3, time_limit_seconds=0.5) as reader:
        reader.frames_at([0, 5])
        paint = "videoatlas_gym.video._picture.Painter.paint"
        monkeypatch.setattr(paint, lambda *_: time.sleep(0.2))
        too_long(reader, np.arange(0, 9.5, 0.2))
        monkeypatch.undo()
        assert [read_number(f.rgb) for f in reader.frames_at([1, 9])] == [25, 225]


def test_each_request_has_its_own_time(many_groups, monkeypatch):
    with VideoReader(many_groups, num_workers=1, time_limit_seconds=0.5) as reader:
        reader.frame_at(0)
        reader.close()
        slowed(monkeypatch, 0.0035)
        for number in range(240):
            assert read_number(reader.frame_at(number * 0.04).rgb) == number
        assert reader.decode_seconds > 0.7


def test_what_fails_in_one_way_of_reading_leaves_time_for_the_other(many_groups, monkeypatch):
    def broken(feed, ticks):
        yield from list(plan.plan(feed, ticks))[:3]
        raise OSError("the disk is gone for a moment")

    monkeypatch.setattr("videoatlas_gym.video._groups.plan", broken)
    with VideoReader(many_groups, num_workers=2) as reader:
        assert [read_number(f.rgb) for f in reader.frames_at([1, 3, 5, 7, 9])] == [
            *(25, 75, 125, 175, 225)
        ]


@pytest.mark.parametrize("limit", [0, -1, float("nan")])
def test_a_limit_that_is_no_time_is_refused(one_group, limit):
    with pytest.raises(ValueError, match="time_limit_seconds must be positive"):
        VideoReader(one_group, time_limit_seconds=limit)


def test_larger_pictures_than_allowed_are_refused_on_opening(one_group):
    with (
        VideoReader(one_group, max_pixels=160 * 96 - 1) as reader,
        pytest.raises(VideoOpenError, match="160x96 pixels .*at most 15359 pixels, see max_pixels"),
    ):
        reader.frame_at(0)
    with VideoReader(one_group, max_pixels=160 * 96) as reader:
        assert reader.frame_at(0).rgb.shape == (96, 160, 3)


@pytest.mark.parametrize("num_workers", [1, 2])
def test_pictures_that_become_larger_than_allowed_are_refused(growing, num_workers):
    with VideoReader(growing, num_workers=num_workers, max_pixels=320 * 240) as reader:
        later = [reader.duration_seconds * share for share in (0.6, 0.7, 0.8, 0.9)]
        allowed = reader.frames_at(later)
    assert all(frame.rgb.shape == (96, 160, 3) and frame.rgb.std() > 20 for frame in allowed)
    with VideoReader(growing, num_workers=num_workers, max_pixels=160 * 96) as reader:
        assert reader.frame_at(0).rgb.shape == (96, 160, 3)
        for moments in (later, later[1:2]):
            with pytest.raises(FrameDecodeError, match=r"320x240 pixels, .*max_pixels"):
                reader.frames_at(moments)


def test_a_group_larger_than_memory_allows_is_decoded_as_it_is_read(one_group, monkeypatch):
    moments = [3.0, 11.0, 23.5]
    with VideoReader(one_group) as reader:
        truth = [frame.rgb for frame in reader.frames_at(moments)]
    queued = []
    look_ahead = _run.Run._look_ahead

    def watched(run):
        for packet in look_ahead(run):
            queued.append(sum(known.size for known in run.queue))
            yield packet

    monkeypatch.setattr(plan, "MAX_GROUP_BYTES", 20_000)
    monkeypatch.setattr(_run, "_MAX_QUEUED_BYTES", 20_000)
    monkeypatch.setattr(_run.Run, "_look_ahead", watched)
    with VideoReader(one_group, num_workers=2) as reader:
        shown = [frame.rgb for frame in reader.frames_at(moments)]
        assert reader._access._groups.is_hopeless
    assert one_group.stat().st_size > 75_000 and 0 < max(queued) < 30_000
    assert all(np.array_equal(one, other) for one, other in zip(truth, shown, strict=True))


def test_a_damaged_end_of_a_large_group_takes_little_memory(tmp_path, monkeypatch):
    path = encode(tmp_path / "long.ts", count=600, group_of_pictures=1000)
    path.write_bytes(path.read_bytes()[:-300])
    monkeypatch.setattr("videoatlas_gym.video._ending.MAX_GROUP_BYTES", 20_000)
    tracemalloc.start()
    with VideoReader(path) as reader:
        assert 23 < reader.duration_seconds <= 24
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 << 20
