"""Further decoders of a stream show what its own decoder shows, or there are none."""

from __future__ import annotations

import av
import numpy as np
import pytest
from helpers import SIZE, VIDEOS, decode_linearly, digest, encode

from videoatlas_gym.video import VideoReader
from videoatlas_gym.video._decoder import GroupDecoder
from videoatlas_gym.video._picture import Painter
from videoatlas_gym.video._twin import look, make_twins
from videoatlas_gym.video.synthesis import numbered_frames, write_video


def new_painter():
    return Painter(SIZE, 1)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """The decoder of an opened stream, its packets, and its first picture, looked at."""
    path = encode(tmp_path_factory.mktemp("twin") / "plain.mp4", 20, b_frames=0)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        packets = [packet for packet in container.demux(stream) if packet.size]
        frames = [frame for packet in packets[:3] for frame in stream.codec_context.decode(packet)]
        yield stream.codec_context, packets, look(frames[0], new_painter())


def black_first():
    """Two black pictures, then thirty of large coloured patches."""
    random = np.random.default_rng(0)
    patches = random.integers(0, 256, (30, 12, 20, 3), np.uint8)
    return [np.zeros((96, 160, 3), np.uint8)] * 2 + list(patches.repeat(8, 1).repeat(8, 2))


@pytest.mark.parametrize("place", ["unspecified", "left", "topleft", "center"])
def test_twins_know_where_a_container_puts_chroma_though_the_first_picture_is_black(
    tmp_path, place
):
    options = {"chroma_sample_location": place, "deadline": "realtime"}
    path = write_video(
        tmp_path / "black.mkv", black_first(), codec="libvpx", group_of_pictures=8, options=options
    )
    moments = [0.04 * index for index in range(32)]
    with VideoReader(path, num_workers=1) as one, VideoReader(path, num_workers=3) as many:
        for size in ((64, 36), (100, 60), None):
            alone, shared = (reader.frames_at(moments, size) for reader in (one, many))
            assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(alone, shared, strict=True))
        assert len(many._access._groups._twins) == 3


def test_a_picture_looks_the_same_again_and_differently_with_other_colours_or_pixels():
    def frame(colorspace=5, brightness=10):
        planes = np.full((144, 160), brightness, np.uint8)
        made = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        made.colorspace = colorspace
        return made

    looks = [look(made, new_painter()) for made in (frame(), frame(), frame(1), frame(5, 11))]
    assert looks[0] == looks[1]
    assert len(set(looks)) == 3


def test_looking_at_a_picture_does_not_change_what_is_made_from_it(tmp_path):
    path = encode(tmp_path / "plain.mp4", 12, options={"x264-params": "bframes=3:ref=4"})
    with av.open(str(path)) as container:
        shown = []
        for frame in container.decode(video=0):
            shown.append(digest(frame))
            look(frame, new_painter())
    assert shown == decode_linearly(path).digests


@pytest.mark.parametrize("name", ["hevc 10 bit", "av1", "interlaced mpeg2", "rotated"])
def test_deep_pictures_and_other_codecs_can_be_looked_at(tmp_path, name):
    with VideoReader(VIDEOS[name](tmp_path), num_workers=2) as reader:
        reader.frames_at([0, 2, 4])
        assert len(reader._access._groups._twins) == 2


def test_twins_are_made_only_if_the_first_picture_looks_alike(opened):
    codec, packets, first_look = opened
    twins = make_twins(codec, {}, packets[:3], new_painter, first_look, 3)
    assert [type(twin) for twin in twins] == [GroupDecoder] * 3
    assert make_twins(codec, {}, packets[:3], new_painter, b"another", 3) == []
    assert make_twins(codec, {}, [], new_painter, first_look, 3) == []
    assert make_twins(codec, {}, [av.Packet(b"\0" * 50)], new_painter, first_look, 3) == []


def test_twins_are_under_the_same_limits(opened):
    codec, packets, first_look = opened
    small, large = ({"max_pixels": str(pixels)} for pixels in (160 * 96 // 2, 1 << 20))
    assert make_twins(codec, small, packets[:3], new_painter, first_look, 1) == []
    assert len(make_twins(codec, large, packets[:3], new_painter, first_look, 1)) == 1


def test_a_stream_that_grows_beyond_the_limit_is_refused_by_twins_too(tmp_path):
    path, large = encode(tmp_path / "small.ts", 60), tmp_path / "large.ts"
    write_video(large, numbered_frames(6, 1280, 960))  # codecs are lenient by some rows
    path.write_bytes(path.read_bytes() + large.read_bytes())
    with VideoReader(path, num_workers=2, max_pixels=200 * 100) as reader:
        (twin, _) = reader._opened()._groups._decoders()
        with av.open(str(large)) as container, pytest.raises(av.error.FFmpegError):
            for packet in container.demux(video=0):
                twin._codec.decode(packet)
