"""What packets say of themselves, against decoding without them."""

from __future__ import annotations

import random
from dataclasses import dataclass
from hashlib import md5

import av
import pytest
from helpers import data_folder, encode

from videoatlas_gym.video._bitstream import NEEDED, is_hidden, spare_reader

AVCC = bytes([1, 100, 0, 10, 0xFF, 0xE1, 0])
"""Beginning of what MP4 keeps beside H.264; the two lowest bits of byte 4 are the length size."""

RECIPES = {
    "pyramid": ("mp4", {"x264-params": "bframes=7:b-pyramid=normal:b-adapt=0:keyint=15"}),
    "slices and delimiters": ("mp4", {"x264-params": "slices=4:aud=1:bframes=3:keyint=15"}),
    "start codes": ("ts", {"x264-params": "bframes=3:b-adapt=0:keyint=15"}),
    "open groups": ("mkv", {"x264-params": "bframes=3:open-gop=1:keyint=12"}),
    "interlaced": ("mp4", {"x264-params": "tff=1:bframes=2:keyint=15"}),
    "hevc": ("mp4", {"x265-params": "log-level=none:bframes=4:b-adapt=0:keyint=15"}),
    "hevc start codes": ("ts", {"x265-params": "log-level=none:bframes=4:keyint=15"}),
    "hevc layers": (
        "mkv",
        {"x265-params": "log-level=none:temporal-layers=3:bframes=7:b-adapt=0:keyint=15"},
    ),
}


@dataclass(frozen=True)
class Stream:
    """Packets of an encoded stream, and which of them plans leave out."""

    codec_name: str
    extradata: bytes | None
    packets: list[av.Packet]

    def spare(self):
        read = spare_reader(self.codec_name, self.extradata)
        told = [read(memoryview(packet)) for packet in self.packets]
        top = max(layer for _, layer in told)
        return {i for i, (is_spare, layer) in enumerate(told) if is_spare and layer == top}

    def pictures(self, left_out=()):
        """Planes by time stamp, after decoding all but some packets."""
        codec = av.CodecContext.create(self.codec_name, "r")
        codec.extradata, codec.thread_count, shown = self.extradata, 1, {}
        for index, packet in enumerate([*self.packets, None]):
            if index in left_out:
                continue
            try:
                frames = codec.decode(packet)
            except av.error.FFmpegError:
                continue
            for frame in frames:
                planes = b"".join(bytes(plane) for plane in frame.planes)
                shown[frame.pts] = (md5(planes).hexdigest(), frame.is_corrupt)
        return shown


@pytest.fixture(scope="module", params=RECIPES)
def stream(request, tmp_path_factory):
    suffix, options = RECIPES[request.param]
    path = tmp_path_factory.mktemp("bitstream") / f"video.{suffix}"
    codec = "libx265" if "x265-params" in options else "libx264"
    with av.open(str(encode(path, 30, codec=codec, options=options))) as container:
        video = container.streams.video[0]
        packets = [packet for packet in container.demux(video) if packet.size]
        context = video.codec_context
        return Stream(context.name, context.extradata, packets)


def test_without_any_spare_packets_all_other_pictures_are_the_same(stream):
    whole, spare = stream.pictures(), stream.spare()
    assert len(spare) >= 7
    for some in (spare, set(random.Random(0).sample(sorted(spare), len(spare) // 2))):
        gone = {stream.packets[index].pts for index in some}
        assert len(gone) == len(some)
        rest = {pts: planes for pts, planes in whole.items() if pts not in gone}
        assert stream.pictures(some) == rest


def test_without_a_packet_that_is_not_spare_other_pictures_change(stream):
    whole, spare = stream.pictures(), stream.spare()
    needed = set(range(len(stream.packets))) - spare
    num_mattering = 0
    for index in needed:
        rest = dict(whole)
        del rest[stream.packets[index].pts]
        num_mattering += stream.pictures({index}) != rest
    # The last pictures of groups are needed by none though they could be.
    assert num_mattering >= len(needed) * 2 // 3


@pytest.mark.parametrize(
    "stream", [name for name, (suffix, _) in RECIPES.items() if suffix != "ts"], indirect=True
)
def test_a_packet_cut_short_is_needed_where_units_tell_their_length(stream):
    read = spare_reader(stream.codec_name, stream.extradata)
    rng = random.Random(0)
    for index in stream.spare():
        data = bytes(stream.packets[index])
        assert read(memoryview(data))[0]
        assert not read(memoryview(data[: rng.randrange(1, len(data))]))[0]
        assert not read(memoryview(data + b"\1"))[0]


def test_noise_is_read_without_an_error_and_nearly_always_needed(stream):
    read, rng, num_spare = spare_reader(stream.codec_name, stream.extradata), random.Random(0), 0
    for size in range(1, 400):
        num_spare += read(memoryview(rng.randbytes(size)))[0]
    assert num_spare <= 1


def h264_unit(kind, importance=0):
    return bytes([importance << 5 | kind, 0x9A, 0x21])


def hevc_unit(kind, layer=0, scalable=0):
    return bytes([kind << 1 | scalable >> 5, (scalable & 31) << 3 | layer + 1, 0x80])


def in_units(units, length_size):
    """Write a packet; with a length size of 0, with start codes of both kinds."""
    if length_size:
        return b"".join(len(unit).to_bytes(length_size, "big") + unit for unit in units)
    return b"".join(b"\0" * (2 + i % 2) + b"\1" + unit for i, unit in enumerate(units))


SLICE, KEY, DATA, DELIMITER, FILLING = 1, 5, 6, 9, 12
SEQUENCE, PICTURE = 7, 8


@pytest.mark.parametrize("length_size", [0, 1, 2, 3, 4])
@pytest.mark.parametrize(
    ("units", "is_spare"),
    [
        ([h264_unit(SLICE)], True),
        ([h264_unit(SLICE, 1)], False),
        ([h264_unit(SLICE), h264_unit(SLICE), h264_unit(SLICE)], True),
        ([h264_unit(SLICE), h264_unit(SLICE, 2)], False),
        ([h264_unit(DELIMITER), h264_unit(DATA), h264_unit(SLICE), h264_unit(FILLING)], True),
        ([h264_unit(SEQUENCE, 3), h264_unit(SLICE)], False),
        ([h264_unit(SLICE), h264_unit(PICTURE, 3)], False),
        ([h264_unit(KEY)], False),
        ([h264_unit(2)], False),
        ([h264_unit(14), h264_unit(SLICE)], False),
        ([h264_unit(SLICE), h264_unit(20)], False),
        ([h264_unit(DATA)], False),
        ([h264_unit(SLICE | 0x80)], False),
        ([], False),
    ],
)
def test_h264_units(units, is_spare, length_size):
    extradata = AVCC[:4] + bytes([0xFC | length_size - 1]) + AVCC[5:] if length_size else None
    read = spare_reader("h264", extradata)
    assert read(memoryview(in_units(units, length_size) or b"\0")) == (is_spare, 0)


TRAIL_N, TRAIL_R, TSA_N, RADL_N, RASL_N, RASL_R, RSV_N14, CRA = 0, 1, 2, 6, 8, 9, 14, 21


@pytest.mark.parametrize("length_size", [0, 1, 2, 3, 4])
@pytest.mark.parametrize(
    ("units", "answer"),
    [
        ([hevc_unit(TRAIL_N)], (True, 0)),
        ([hevc_unit(TRAIL_R)], (False, 0)),
        ([hevc_unit(TSA_N, 2), hevc_unit(TSA_N, 2)], (True, 2)),
        ([hevc_unit(TRAIL_R, 3)], (False, 3)),
        ([hevc_unit(35), hevc_unit(39), hevc_unit(RASL_N, 1), hevc_unit(40)], (True, 1)),
        ([hevc_unit(RADL_N), hevc_unit(RASL_R)], (False, 0)),
        ([hevc_unit(RSV_N14)], (True, 0)),
        ([hevc_unit(16)], (False, 0)),
        ([hevc_unit(CRA)], (False, 0)),
        ([hevc_unit(22)], (False, 0)),
        ([hevc_unit(33), hevc_unit(TRAIL_N)], (False, 0)),
        ([hevc_unit(TRAIL_N), hevc_unit(36)], (False, 0)),
        ([hevc_unit(TRAIL_N, scalable=1)], (False, 0)),
        ([hevc_unit(TRAIL_N, scalable=32)], (False, 0)),
        ([hevc_unit(39)], (False, 0)),
        ([b"\0"], NEEDED),
    ],
)
def test_hevc_units(units, answer, length_size):
    extradata = bytes([1, *[0] * 20, 0xFC | length_size - 1, 0]) if length_size else None
    read = spare_reader("hevc", extradata)
    assert read(memoryview(in_units(units, length_size))) == answer


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\5" + h264_unit(SLICE),
        b"\0\0\0\3" + h264_unit(SLICE) + b"\0\0\0\0",
        b"\0\0\0\3" + h264_unit(SLICE) + b"\0\0",
        b"\0\0\0\1" + h264_unit(SLICE),
    ],
    ids=["too long", "of nothing", "cut", "start codes"],
)
def test_h264_units_of_a_length_that_cannot_be_are_needed(data):
    assert spare_reader("h264", AVCC)(memoryview(data)) == NEEDED


def test_h264_units_after_something_else_are_needed():
    read = spare_reader("h264", None)
    assert read(memoryview(b"\0\0\0\0\0\1" + h264_unit(SLICE)))[0]
    assert read(memoryview(b"\7\0\0\0\1" + h264_unit(SLICE))) == NEEDED


@pytest.mark.parametrize("codec_name", ["vp8", "vp9", "mpeg2video", "mpeg4", "libdav1d"])
def test_other_codecs_do_not_tell_what_is_spare(codec_name):
    assert spare_reader(codec_name, None) is None


def first_packets(path, count):
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        packets = (packet for packet in container.demux(video) if packet.size)
        return [packet for packet, _ in zip(packets, range(count), strict=False)]


def shows(codec_name, packets):
    """Whether each packet shows a picture, by decoding."""
    codec = av.CodecContext.create(codec_name, "r")
    codec.thread_count = 1
    return [bool(codec.decode(packet)) for packet in packets]


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format", "shown_bit"),
    [
        ("vp8", "libvpx", "yuv420p", 0x10),
        ("vp9", "libvpx-vp9", "yuv420p", 2),
        ("vp9", "libvpx-vp9", "yuv444p", 2),
    ],
)
def test_pictures_that_are_not_shown_are_told(tmp_path, name, codec, pixel_format, shown_bit):
    path = encode(tmp_path / "v.webm", 4, codec=codec, pixel_format=pixel_format)
    key, *later = first_packets(path, 4)
    hidden = av.Packet(bytes([bytes(key)[0] & ~shown_bit]) + bytes(key)[1:])
    packets = [hidden, *later]
    assert shows(name, packets) == [False, True, True, True]
    assert [is_hidden(name, packet) for packet in packets] == [True, False, False, False]
    assert not is_hidden(name, key)


@pytest.mark.parametrize(
    ("header", "is_told"),
    [(0x80, True), (0x82, False), (0x90, True), (0x92, False), (0xB0, True), (0xB1, False)],
)
def test_headers_of_all_vp9_profiles_are_told_apart(header, is_told):
    assert is_hidden("vp9", av.Packet(bytes([header, 0]))) == is_told


def test_a_vp9_packet_of_several_parts_shows_its_last():
    part, index = b"\x80" + bytes(9), bytes([0xC1, 10, 10, 0xC1])
    assert is_hidden("vp9", av.Packet(part))
    assert not is_hidden("vp9", av.Packet(part + part + index))
    assert is_hidden("vp9", av.Packet(part[:-1] + b"\xc1")), "only its last byte looks like it"
    assert is_hidden("vp9", av.Packet(b"\x80\xd9"))


def test_a_vp9_packet_that_shows_an_earlier_picture_again_is_not_hidden():
    assert not is_hidden("vp9", av.Packet(b"\x88"))
    assert not is_hidden("vp9", av.Packet(b"\xb4"))


@pytest.mark.data
def test_hidden_pictures_of_a_real_file_are_told():
    packets = first_packets(data_folder() / "nasty" / "vp9_10bit.webm", 80)
    told = [not is_hidden("vp9", packet) for packet in packets]
    assert told == shows("vp9", packets)
    assert told.count(False) == 8
