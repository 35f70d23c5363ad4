"""Real and broken files: what is shown equals a linear decode, or there is a typed error.

Needs the folder of clips named by VIDEOATLAS_DATA, or shared/data beside the checkout.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pytest
from helpers import data_folder, decode_linearly, digest

from videoatlas_gym.video import FrameDecodeError, VideoOpenError, VideoReader

pytestmark = pytest.mark.data

UNREADABLE = {
    "audio_only.mp4": "no video stream .found: audio/aac",
    "chunk_out_of_range.mp4": "Invalid data",
    "made_audio_with_cover.m4a": "no video stream .found: audio/aac, video/png",
    "made_text_as.mp4": "Invalid data",
    "made_truncated_no_moov.mp4": "Invalid data",
    "made_zero_bytes.mp4": "the file is empty",
    "vp9_invalid_bug_1416.webm": "12336x12336 pixels",
}
DAMAGED = {"decord_corrupted.mp4", "made_corrupt_middle.mp4", "no_timescale.mp4"}
LOSSY = {*DAMAGED, "made_ts_packet_loss.ts", "mkv_block_beyond_cluster.mkv"}
SECOND_STREAM = {"made_two_video_streams.mkv"}
QUICK_BYTES = 300_000
"""Bigger files take long to decode from start to end; they are checked by the slow run."""


def _files() -> list[Path]:
    named = os.environ.get("VIDEOATLAS_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    found = [*folder.glob("clips/*.*"), *folder.glob("nasty/*.*")]
    return sorted(path for path in found if path.suffix != ".md")


def _case(path: Path):
    is_big = path.exists() and path.stat().st_size > QUICK_BYTES
    return pytest.param(path, id=path.name, marks=[pytest.mark.slow] if is_big else [])


READABLE = [_case(path) for path in _files() if path.name not in UNREADABLE] or [
    pytest.param(None, id="no data")
]


@pytest.mark.parametrize("path", READABLE)
def test_random_moments_equal_a_linear_decode_or_fail_with_a_typed_error(path):
    data_folder()
    truth = decode_linearly(path, stream_index=int(path.name in SECOND_STREAM))
    rng = random.Random(path.name)
    num_failed = 0
    with VideoReader(path) as reader:
        facts = reader.describe()
        is_plain = facts["native_size"] == facts["coded_size"] and not (
            facts["rotation_degrees"] or facts["is_mirrored"]
        )
        for moment in [rng.random() * reader.duration_seconds for _ in range(25)]:
            index = truth.index_at(moment)
            try:
                frame = reader.frame_at(moment)
            except FrameDecodeError:
                num_failed += 1
                continue
            assert frame.pts == truth.stamps[index]
            assert not is_plain or digest(frame.rgb) == truth.digests[index]
            assert frame.rgb.shape == (*facts["native_size"][::-1], 3)
    assert num_failed == 0 or path.name in LOSSY


@pytest.mark.parametrize("path", READABLE)
def test_frame_times_equal_those_of_a_linear_decode(path):
    data_folder()
    if path.name in DAMAGED:
        pytest.skip("the file names frames that do not decode")
    truth = decode_linearly(path, stream_index=int(path.name in SECOND_STREAM))
    with VideoReader(path) as reader:
        times = reader.frame_times(0, reader.duration_seconds)
        last = reader.duration_seconds - times[-1]
    assert times.tolist() == sorted(set(truth.times()))
    assert 0 < last <= 5


@pytest.mark.parametrize(("name", "message"), UNREADABLE.items())
def test_files_without_a_picture_are_refused_with_the_cause(name, message):
    path = data_folder() / "nasty" / name
    with VideoReader(path) as reader, pytest.raises(VideoOpenError, match=message):
        reader.frame_at(0)


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("made_wrong_duration.mp4", 10),
        ("made_wrong_duration.webm", 10),
        ("made_pipe_no_index.mkv", 10),
        ("made_live_no_cues.webm", 10),
        ("made_truncated_faststart.mp4", 5),
        ("made_ts_late_start.ts", 10),
        ("firstpts_10s.mp4", 4),
        ("made_raw.h264", 10),
        ("made_single_frame.mp4", 0.04),
    ],
)
def test_durations_are_true_whatever_the_header_says(name, seconds):
    with VideoReader(data_folder() / "nasty" / name) as reader:
        assert reader.duration_seconds == seconds


@pytest.mark.parametrize(
    ("name", "size", "degrees", "is_mirrored"),
    [
        ("made_rotated.mp4", (180, 320), 270, False),
        ("rot90.mov", (320, 568), 90, False),
        ("rot180.mov", (568, 320), 180, False),
        ("rotate_and_reflect.mp4", (720, 1080), 90, True),
        ("no_timescale.mp4", (320, 240), 0, False),
        ("made_sar.mp4", (427, 180), 0, False),
        ("sar_2x1.mp4", (1280, 360), 0, False),
        ("firstpts_10s.mp4", (1137, 640), 0, False),
        ("made_cover_first.mp4", (320, 180), 0, False),
    ],
)
def test_pictures_stand_upright_with_square_pixels(name, size, degrees, is_mirrored):
    with VideoReader(data_folder() / "nasty" / name) as reader:
        assert reader.native_size == size
        assert reader.describe()["rotation_degrees"] == degrees
        assert reader.describe()["is_mirrored"] == is_mirrored
        assert name in DAMAGED or reader.frame_at(0).rgb.shape == (*size[::-1], 3)


def test_a_rotated_copy_shows_its_original_turned():
    nasty = data_folder() / "nasty"
    with (
        VideoReader(nasty / "made_rotated.mp4") as turned,
        VideoReader(nasty / "made_bad_utf8_title.mp4") as original,
    ):
        assert np.array_equal(turned.frame_at(5).rgb, np.rot90(original.frame_at(5).rgb))


def test_a_clock_burnt_into_the_film_changes_at_every_full_second():
    path = data_folder() / "clips" / "wpt_counter_300s.mp4"
    with VideoReader(path) as reader:
        assert reader.duration_seconds == 300
        for second in random.Random(0).sample(range(1, 300), 25):
            before, at, after = reader.frames_at(
                [second - 1 / 24, float(second), second + 23 / 24], (320, 240)
            )
            clock, earlier, later = (f.rgb[30:115].astype(int) for f in (at, before, after))
            assert at.seconds == second
            assert np.abs(clock - later).max() < 100
            assert np.abs(clock - earlier).max() > 200


def test_frame_times_of_reordered_stamps_may_be_the_first_thing_that_is_asked():
    path = data_folder() / "clips" / "highway_30s.avi"
    times = VideoReader(path).frame_times(0.0, 29.99)
    for start in range(1, 29, 3):
        found = VideoReader(path).frame_times(float(start), start + 0.9)
        expected = times[(times > start - 0.04) & (times < start + 0.9)]
        assert np.allclose(found, expected, atol=1e-9)
