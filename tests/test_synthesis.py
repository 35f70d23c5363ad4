"""Written videos hold what was asked for, at the times asked for, or are not there at all."""

from __future__ import annotations

import os
from fractions import Fraction

import numpy as np
import pytest
from helpers import decode_linearly
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from videoatlas_gym.video import VideoReader
from videoatlas_gym.video.synthesis import (
    numbered_frame,
    numbered_frames,
    read_number,
    write_video,
)


@given(index=st.integers(0, 2**20 - 1), width=st.integers(40, 400), height=st.integers(32, 300))
def test_a_number_can_be_read_from_its_frame(index, width, height):
    frame = numbered_frame(index, width, height)
    assert frame.shape == (height, width, 3)
    assert frame.dtype == np.uint8
    assert read_number(frame) == index


@pytest.mark.parametrize("size", [(100, 60), (64, 48), (640, 360), (41, 33)])
def test_a_number_survives_resizing(size):
    for index in (0, 1, 2**19, 2**20 - 1, 699_050, 349_525):
        small = Image.fromarray(numbered_frame(index)).resize(size, Image.Resampling.BOX)
        assert read_number(np.asarray(small)) == index


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        (".mp4", "libx264"),
        (".mp4", "libx265"),
        (".mkv", "libx264"),
        (".mkv", "ffv1"),
        (".webm", "libvpx-vp9"),
        (".avi", "mpeg4"),
        (".mov", "mjpeg"),
        (".ts", "libx264"),
    ],
)
def test_numbers_survive_encoding(tmp_path, suffix, codec):
    path = write_video(
        tmp_path / f"video{suffix}", numbered_frames(60, 160, 96, first_index=5000), codec=codec
    )
    with VideoReader(path) as reader:
        frames = reader.frames_at([index / 25 for index in range(60)])
    assert [read_number(frame.rgb) for frame in frames] == list(range(5000, 5060))


def test_strong_compression_leaves_the_number(tmp_path):
    path = write_video(tmp_path / "low.mp4", numbered_frames(100), options={"crf": "40"})
    with VideoReader(path) as reader:
        tiles = reader.tiles_at([index / 25 for index in range(100)], 96, 54)
    assert [read_number(tile) for tile in tiles] == list(range(100))


def test_neighbouring_frames_differ():
    first, second = numbered_frame(6), numbered_frame(7)
    assert np.abs(first.astype(int) - second).mean() > 5


def test_a_picture_without_a_number_is_refused():
    with pytest.raises(ValueError, match="carries no number.*neither black nor white"):
        read_number(np.full((90, 160, 3), 128, np.uint8))


@pytest.mark.parametrize("index", [-1, 2**20])
def test_a_number_that_does_not_fit_is_refused(index):
    with pytest.raises(ValueError, match=rf"\[0, 1048576\), got {index}"):
        numbered_frame(index)


def test_a_frame_too_small_for_its_blocks_is_refused():
    with pytest.raises(ValueError, match="at least 40x32 pixels, got 20x20"):
        numbered_frame(1, 20, 20)


def test_times_are_kept(tmp_path):
    times = [0.0, 0.04, 0.5, 0.51, 7.25]
    path = write_video(tmp_path / "vfr.mp4", numbered_frames(5, 64, 48), times_seconds=times)
    assert decode_linearly(path).times() == pytest.approx(times, abs=1e-9)


@pytest.mark.parametrize("rate", [25, 12.5, Fraction(30000, 1001), 60])
def test_rates_are_kept(tmp_path, rate):
    path = write_video(tmp_path / "cfr.mp4", numbered_frames(30, 64, 48), frames_per_second=rate)
    wanted = [float(index / Fraction(rate)) for index in range(30)]
    assert decode_linearly(path).times() == pytest.approx(wanted, abs=1e-9)


def test_key_frames_come_as_often_as_asked(tmp_path):
    import av

    path = write_video(
        tmp_path / "keys.mp4",
        numbered_frames(60, 64, 48),
        group_of_pictures=10,
        options={"sc_threshold": "0"},
    )
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert [packet.is_keyframe for packet in packets].count(True) == 6


def test_an_existing_file_is_replaced(tmp_path):
    path = tmp_path / "video.mp4"
    path.write_bytes(b"old")
    assert write_video(path, numbered_frames(3, 64, 48)) == path
    assert VideoReader(path).duration_seconds == 0.12


def failing_frames():
    yield numbered_frame(0, 64, 48)
    raise RuntimeError("the camera fell")


@pytest.mark.parametrize(
    ("frames", "keywords", "message"),
    [
        ([], {}, "no frames"),
        (failing_frames(), {}, "camera fell"),
        ([numbered_frame(0, 64, 48), numbered_frame(1, 64, 40)], {}, "frame 1 is uint8"),
        ([np.zeros((48, 64, 3))], {}, "frame 0 is float64"),
        ([np.zeros((48, 64), np.uint8)], {}, "of one size; frame 0"),
        (numbered_frames(3, 64, 48), {"times_seconds": [0, 1]}, "more frames than times"),
        (numbered_frames(1, 64, 48), {"times_seconds": [0, 1]}, "2 times for 1 frames"),
        (numbered_frames(2, 64, 48), {"times_seconds": [1, 1]}, "must ascend"),
        (numbered_frames(2, 64, 48), {"frames_per_second": 0}, "must be positive, got 0"),
    ],
)
def test_a_failure_leaves_no_file_behind(tmp_path, frames, keywords, message):
    with pytest.raises((ValueError, RuntimeError), match=message):
        write_video(tmp_path / "video.mp4", frames, **keywords)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_read_only", [False, True])
def test_an_array_that_is_given_again_is_written_as_it_is_by_then(tmp_path, is_read_only):
    def frames():
        picture = np.empty((48, 64, 3), np.uint8)
        for index in range(12):
            if index % 3 == 0:
                fresh = numbered_frame(index, 64, 48)
                if is_read_only:
                    picture = fresh
                    picture.flags.writeable = False
                else:
                    picture[:] = fresh
            yield picture

    path = write_video(tmp_path / "held.mp4", frames(), frames_per_second=12)
    with VideoReader(path) as reader:
        shown = [read_number(reader.frame_at(index / 12).rgb) for index in range(12)]
    assert shown == [index // 3 * 3 for index in range(12)]


def test_writing_av1_leaves_the_priority_of_the_program_as_it_is(tmp_path):
    before = os.sched_getscheduler(0)
    frames = numbered_frames(4, 64, 48)
    write_video(tmp_path / "some.mp4", frames, codec="libsvtav1", options={"preset": "12"})
    assert os.sched_getscheduler(0) == before
