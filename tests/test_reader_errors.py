"""What cannot be read fails with a typed error that names the file, the cause and a remedy."""

from __future__ import annotations

import random

import av
import pytest
from helpers import (
    SIZE,
    VIDEOS,
    decode_linearly,
    digest,
    encode,
    joined,
    remux,
    silence,
    with_late_sound,
)

from videoatlas_gym.video import FrameDecodeError, VideoError, VideoOpenError, VideoReader
from videoatlas_gym.video.synthesis import numbered_frame, read_number, write_video


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return encode(tmp_path_factory.mktemp("errors") / "plain.mp4", count=250, group_of_pictures=25)


@pytest.fixture(scope="module")
def intact_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("contents")
    names = ("constant rate", "mkv", "avi mpeg4", "transport stream", "flv", "fragmented")
    return [VIDEOS[name](folder) for name in names]


def refused(path, message):
    with VideoReader(path) as reader, pytest.raises(VideoOpenError, match=message) as caught:
        reader.frame_at(0)
    assert repr(str(path)) in str(caught.value)
    assert "Give a file with a video track" in str(caught.value)


def test_a_missing_file_is_refused_at_once(tmp_path):
    with pytest.raises(VideoOpenError, match=r"no\.mp4': no such file. Give the path of a video"):
        VideoReader(tmp_path / "no.mp4")


def test_a_directory_is_refused_at_once(tmp_path):
    with pytest.raises(VideoOpenError, match="a directory"):
        VideoReader(tmp_path)


def test_making_a_reader_does_not_open_the_file(tmp_path):
    path = tmp_path / "later.mp4"
    path.write_text("not yet a video")
    reader = VideoReader(path)
    encode(path)
    assert reader.duration_seconds == 4.8
    reader.close()


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "empty.mp4"
    path.touch()
    refused(path, "the file is empty")


def test_a_text_file_is_refused(tmp_path):
    path = tmp_path / "text.mp4"
    path.write_text("this is no video " * 50)
    refused(path, "Invalid data found")


def write_sound(path, *, with_cover=False):
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=44_100)
        if with_cover:
            cover = container.add_stream("mjpeg", rate=1)
            cover.width, cover.height, cover.pix_fmt = *SIZE, "yuvj420p"
            cover.disposition = av.stream.Disposition.attached_pic
            picture = av.VideoFrame.from_ndarray(numbered_frame(1, *SIZE), format="rgb24")
            container.mux(cover.encode(picture) + cover.encode(None))
        for start in range(0, 44_100, 1024):
            container.mux(sound.encode(silence(start)))
        container.mux(sound.encode(None))
    return path


def test_a_file_with_sound_only_is_refused_with_what_it_holds(tmp_path):
    refused(write_sound(tmp_path / "sound.m4a"), r"no video stream \(found: audio/aac\)")


def test_a_cover_picture_is_no_video(tmp_path):
    path = write_sound(tmp_path / "song.mp4", with_cover=True)
    refused(path, "no video stream .*mjpeg")


def test_a_track_of_unknown_codec_is_refused(tmp_path):
    path = encode(tmp_path / "unknown.mp4", count=5)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    refused(path, "its video track has an unknown codec")


def test_a_track_of_unknown_codec_is_passed_over_for_another(tmp_path):
    sources = [
        encode(tmp_path / "unknown.mp4", count=5),
        encode(tmp_path / "known.mp4", count=9, codec="mpeg4"),
    ]
    path = joined(tmp_path / "both.mp4", *sources)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    with VideoReader(path) as reader:
        assert reader.describe()["codec"] == "mpeg4"
        assert len(reader.frame_times(0, reader.duration_seconds)) == 9


def test_a_track_that_begins_midway_does_not_matter(tmp_path):
    source = encode(tmp_path / "plain.flv", count=240)
    with VideoReader(with_late_sound(source, tmp_path / "late.flv")) as reader:
        assert reader.describe()["audio_tracks"] == []
        assert reader.duration_seconds == pytest.approx(9.6)
        assert read_number(reader.frame_at(9.5).rgb) == 237
        assert len(reader.frame_times(0, 9.6)) == 240


@pytest.mark.parametrize("seed", range(40))
def test_no_content_gives_an_untyped_error(intact_files, seed):
    rng = random.Random(seed)
    source = intact_files[seed % len(intact_files)]
    data = bytearray(source.read_bytes())
    for _ in range(rng.choice([1, 5, 20])):
        first = rng.randrange(min(len(data), 1500)) - rng.choice([0, 1500])
        data[first] = rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])
    path = source.with_stem(f"changed {seed}")
    path.write_bytes(data)
    with VideoReader(path) as reader:
        try:
            duration = reader.duration_seconds
            reader.describe()
            reader.frames_at([0, duration / 2, duration * 0.9], (32, 18))
            reader.frame_times(duration / 2, min(duration, duration / 2 + 5))
        except VideoError as error:
            assert "Give a file" in str(error) or "Leave this moment out" in str(error)


def test_a_file_cut_before_its_index_is_refused(plain, tmp_path):
    path = tmp_path / "cut.mp4"
    path.write_bytes(plain.read_bytes()[: plain.stat().st_size // 2])
    refused(path, "Invalid data found")


def test_a_file_cut_after_its_index_ends_where_its_data_ends(plain, tmp_path):
    path = encode(
        tmp_path / "fast.mp4",
        count=250,
        group_of_pictures=25,
        container_options={"movflags": "faststart"},
        options={"threads": "1"},  # the same bytes, so the same cut, on a busy machine
    )
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    truth = decode_linearly(path)
    with VideoReader(path) as reader:
        assert reader.describe()["header_duration_seconds"] == 10
        assert 5 < reader.duration_seconds < 7
        assert reader.duration_seconds == pytest.approx(truth.times()[-1] + 0.04, abs=0.041)
        last = reader.frame_at(truth.times()[-1])
    assert digest(last.rgb) == truth.digests[-1]


@pytest.mark.parametrize("seed", range(4))
def test_damage_gives_an_error_or_the_right_picture_never_another(plain, tmp_path, seed):
    rng = random.Random(seed)
    data = bytearray(plain.read_bytes())
    for _ in range(60):
        data[rng.randrange(len(data) * 4 // 10, len(data) * 6 // 10)] = rng.randrange(256)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)
    truth, num_failed = decode_linearly(path), 0
    with VideoReader(path) as reader:
        for moment in [rng.random() * 10 for _ in range(100)]:
            try:
                frame = reader.frame_at(moment)
            except FrameDecodeError as error:
                num_failed += 1
                assert f"no frame at {moment:.3f} s" in str(error)
                assert "'damaged.mp4'" in str(error)
                assert "re-encode" in str(error)
                continue
            index = truth.index_at(moment)
            assert frame.pts == truth.stamps[index]
            assert digest(frame.rgb) == truth.digests[index]
    assert 0 < num_failed < 60


def test_a_picture_that_is_missing_is_not_replaced_by_its_neighbour(tmp_path):
    source = encode(tmp_path / "whole.mp4", count=100, group_of_pictures=20, b_frames=0)

    def spoil(packet):
        if packet.pts == 30 * packet.duration:
            packet.update(bytes(packet.size))
        return True

    path = remux(source, tmp_path / "spoilt.mp4", spoil)
    with VideoReader(path) as reader:
        with pytest.raises(FrameDecodeError, match="no frame at 1.200 s of 'spoilt.mp4'"):
            reader.frame_at(1.2)
        assert reader.frame_at(1.16).seconds == 1.16
        assert reader.frame_at(1.64).seconds == 1.64


def test_a_file_that_was_read_through_on_opening_is_decoded_like_others(tmp_path):
    """Its decoder needs the first packet: without it, x264's 4:4:4 is taken for another kind."""
    path = tmp_path / "live.mkv"
    encode(path, group_of_pictures=12, pixel_format="yuv444p", container_options={"live": "1"})
    truth = decode_linearly(path)
    with VideoReader(path) as reader:
        assert reader.describe()["header_duration_seconds"] is None
        assert digest(reader.frame_at(4).rgb) == truth.digests[100]


def test_an_error_is_a_video_error_with_the_cause_attached(plain, tmp_path):
    path = tmp_path / "noise.mp4"
    path.write_bytes(random.Random(1).randbytes(5000))
    with pytest.raises(VideoError) as caught:
        _ = VideoReader(path).duration_seconds
    assert isinstance(caught.value.__cause__, av.error.FFmpegError)


def test_a_reader_recovers_after_an_error(plain):
    with VideoReader(plain) as reader:
        with pytest.raises(ValueError, match="must lie in"):
            reader.frame_at(11)
        assert reader.frame_at(9).seconds == 9


def test_a_file_that_vanishes_gives_a_typed_error(tmp_path):
    path = encode(tmp_path / "gone.mp4")
    reader = VideoReader(path)
    assert reader.duration_seconds == 4.8
    reader.close()
    path.unlink()
    with pytest.raises(VideoError, match="No such file"):
        reader.frame_at(1)


def test_absurd_sizes_are_refused_before_memory_is_spent(tmp_path, monkeypatch):
    path = write_video(tmp_path / "small.mp4", [numbered_frame(0, 64, 48)] * 3)
    monkeypatch.setattr("videoatlas_gym.video._facts.MAX_SIDE_PX", 60)
    refused(path, r"64x48 pixels .* and 60 a side")
