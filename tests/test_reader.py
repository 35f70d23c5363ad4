"""Frames at exact moments: every answer equals what a decode from the start shows, bit for bit."""

from __future__ import annotations

import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
from helpers import OPEN_GROUPS, SIZE, VIDEOS, LinearDecode, decode_linearly, digest, encode, remux

from videoatlas_gym.video import VideoReader, VideoSource
from videoatlas_gym.video.synthesis import numbered_frames, read_number, write_video

NUM_MOMENTS = 100


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("videos")


@pytest.fixture(scope="module", params=VIDEOS, ids=str)
def video(request, folder) -> tuple[VideoReader, LinearDecode]:
    path = VIDEOS[request.param](folder)
    with VideoReader(path) as reader:
        yield reader, decode_linearly(path)


@pytest.fixture(scope="module")
def plain(folder):
    """120 numbered frames at 25 per second, a key frame each 24."""
    return encode(folder / "plain.mp4", group_of_pictures=24)


def random_moments(reader, count=NUM_MOMENTS, seed=0):
    rng = random.Random(seed)
    return [rng.random() * reader.duration_seconds for _ in range(count)]


def test_a_frame_is_on_display_from_its_time_up_to_the_next(video):
    reader, truth = video
    times = truth.times()
    for index in range(0, len(times), 7):
        end = times[index + 1] if index + 1 < len(times) else reader.duration_seconds
        assert reader.frame_at(times[index]).pts == truth.stamps[index]
        assert reader.frame_at(end - 1e-6).pts == truth.stamps[index]


def test_the_times_of_frames_lead_back_to_the_same_frames(video):
    reader, truth = video
    times = reader.frame_times(0, reader.duration_seconds)
    assert times.tolist() == truth.times()
    frames = reader.frames_at(times, SIZE)
    assert [frame.seconds for frame in frames] == times.tolist()
    assert [frame.pts for frame in frames] == truth.stamps


def test_the_duration_is_the_end_of_the_last_frame(video):
    reader, truth = video
    last = truth.times()[-1]
    assert last < reader.duration_seconds <= last + 3.01
    assert reader.frame_at(np.nextafter(reader.duration_seconds, 0)).pts == truth.stamps[-1]


def test_frame_times_of_a_span_begin_with_the_frame_still_on_display(video):
    reader, truth = video
    times = np.array(truth.times())
    for start, end in np.sort(np.array(random_moments(reader, 20)).reshape(10, 2)):
        first = truth.index_at(start)
        wanted = [times[first], *times[(times > times[first]) & (times < end)]]
        assert reader.frame_times(start, end).tolist() == wanted


def test_a_reader_is_a_video_source(plain):
    assert isinstance(VideoReader(plain), VideoSource)


def test_a_constant_rate_file_has_plain_numbers(plain):
    with VideoReader(plain) as reader:
        assert reader.duration_seconds == 4.8
        assert reader.frame_seconds == 0.04
        assert reader.native_size == SIZE
        assert reader.is_seekable


def test_moments_computed_in_floats_are_not_off_by_one(plain):
    with VideoReader(plain) as reader:
        numbers = [read_number(reader.frame_at(index * 0.04).rgb) for index in range(120)]
        assert numbers == list(range(120))
        assert read_number(reader.frame_at(Fraction(1, 25)).rgb) == 1


@pytest.mark.parametrize("moment", [-1e-6, 4.8, 1e9, float("nan"), float("inf")])
def test_a_moment_outside_the_video_is_refused_with_its_length(plain, moment):
    with VideoReader(plain) as reader, pytest.raises(ValueError, match=r"\[0, 4.8\) seconds.*got"):
        reader.frame_at(moment)


def test_an_empty_request_gives_no_frames(plain):
    assert VideoReader(plain).frames_at([]) == []


def test_pixels_are_read_only(plain):
    with VideoReader(plain) as reader, pytest.raises(ValueError, match="read-only"):
        reader.frame_at(0).rgb[0, 0, 0] = 1


def test_a_single_frame_lasts_its_own_length(folder):
    with VideoReader(encode(folder / "single.mp4", count=1)) as reader:
        assert reader.duration_seconds == reader.frame_seconds == 0.04


def test_the_last_frame_of_a_variable_rate_file_counts_with_its_length(folder):
    times = [0.0, 0.1, 0.15, 0.5, 2.0]
    path = encode(folder / "last.mp4", count=5, times_seconds=times, b_frames=0)
    with VideoReader(path) as reader:
        assert reader.duration_seconds == 3.5
        assert reader.frame_times(0, 3.5).tolist() == times
        assert read_number(reader.frame_at(1.999).rgb) == 3


def test_threads_that_read_at_random_see_what_one_thread_sees(plain):
    truth = decode_linearly(plain)

    def read_some(seed):
        moments = random_moments(reader, 25, seed)
        return all(
            digest(reader.frame_at(moment).rgb) == truth.digests[truth.index_at(moment)]
            for moment in moments
        )

    with VideoReader(plain) as reader, ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read_some, range(8)))


def test_a_pickled_reader_reads_the_same(plain):
    with VideoReader(plain) as reader, pickle.loads(pickle.dumps(reader)) as copy:
        assert copy.duration_seconds == reader.duration_seconds
        assert digest(copy.frame_at(3).rgb) == digest(reader.frame_at(3).rgb)


def test_a_closed_reader_opens_again_and_answers_alike(plain):
    reader = VideoReader(plain)
    before = digest(reader.frame_at(2.5).rgb)
    reader.close()
    reader.close()
    assert digest(reader.frame_at(2.5).rgb) == before
    reader.close()


def test_reading_forward_decodes_each_frame_once(folder):
    path = encode(folder / "forward.mp4", group_of_pictures=1000)
    with VideoReader(path) as reader:
        opened = reader.duration_seconds and reader.frames_decoded
        for index in range(120):
            reader.frame_at(index * 0.04)
        # The picture that reading began with is decoded again for the second.
        assert 120 <= reader.frames_decoded - opened <= 122


@pytest.mark.parametrize("options", [{"g": "24"}, OPEN_GROUPS], ids=["closed", "open"])
def test_far_moments_cost_one_group_of_pictures_each(folder, options):
    path = encode(folder / "far.mp4", count=600, options=options)
    with VideoReader(path) as reader:
        opened = reader.duration_seconds and reader.frames_decoded
        reader.frames_at([4.0, 20.0, 12.0, 9.0])
        assert reader.frames_decoded - opened <= 4 * 32


def test_the_fingerprint_follows_the_content(folder, plain):
    same = VideoReader(plain).fingerprint()
    assert VideoReader(plain).fingerprint() == same
    other = remux(plain, folder / "other.mp4", lambda packet: packet.pts < 20_000)
    assert VideoReader(other).fingerprint() != same
    assert len(same) == 32


def test_describe_tells_the_header_from_the_truth(plain):
    with VideoReader(plain) as reader:
        facts = reader.describe()
    assert facts["codec"] == "h264"
    assert facts["header_duration_seconds"] == facts["duration_seconds"] == 4.8
    assert facts["fallback"] is None


def test_a_raw_stream_is_timed_by_counting_its_frames(folder):
    path = encode(folder / "raw.h264", group_of_pictures=24)
    truth = decode_linearly(path)
    with VideoReader(path) as reader:
        assert not reader.is_seekable
        assert "time stamps" in reader.describe()["fallback"]
        assert reader.duration_seconds == 4.8
        for moment in random_moments(reader, 20):
            assert digest(reader.frame_at(moment).rgb) == truth.digests[int(moment * 25)]


def test_stamps_that_run_backwards_keep_the_order_of_the_decoder(folder):
    path = encode(folder / "bframes.avi", codec="mpeg4", b_frames=2, group_of_pictures=12)
    truth = decode_linearly(path)
    with VideoReader(path) as reader:
        moments = random_moments(reader)
        for frame, moment in zip(reader.frames_at(moments), moments, strict=True):
            assert digest(frame.rgb) == truth.digests[truth.index_at(moment)]
        numbers = [read_number(f.rgb) for f in reader.frames_at(reader.frame_times(0, 4))]
        assert numbers == list(range(100))


def test_a_stream_that_changes_size_keeps_one_native_size(folder):
    small, big = encode(folder / "small.ts"), folder / "big.ts"
    write_video(big, numbered_frames(50, 320, 240))
    joined = folder / "joined.ts"
    joined.write_bytes(small.read_bytes() + big.read_bytes())
    with VideoReader(joined) as reader:
        shapes = {reader.frame_at(m).rgb.shape for m in random_moments(reader, 20)}
        assert shapes == {(96, 160, 3)}
