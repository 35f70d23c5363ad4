"""Groups that do not come out as planned are not believed, and walked to."""

from __future__ import annotations

import random
from dataclasses import replace

import av
import pytest
from helpers import SIZE, decode_linearly, digest, encode, remux

from videoatlas_gym.video import FrameDecodeError, VideoReader
from videoatlas_gym.video._deadline import Deadline
from videoatlas_gym.video._decoder import GroupDecoder, Unbelievable
from videoatlas_gym.video._picture import Painter
from videoatlas_gym.video.plan import Group


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("decoder")


@pytest.fixture(scope="module")
def film(folder):
    """240 frames, a key frame each 24, with B-frames; and what a linear decode shows."""
    path = encode(folder / "film.mp4", 240, group_of_pictures=24)
    return path, decode_linearly(path)


def whole_group(path, first=0, count=24):
    """A decoder of a file's stream, and the group of `count` packets from one of them on."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        codec = av.CodecContext.create(stream.codec_context.name, "r")
        codec.extradata, codec.thread_count = stream.codec_context.extradata, 1
    packets = packets[first : first + count]
    stamps = frozenset(packet.pts for packet in packets)
    group = Group(packets[0].pts, tuple(packets), stamps, {pts: pts for pts in stamps}, 0, 0)
    return GroupDecoder(codec, Painter(SIZE, 1)), group


def decode(decoder, group):
    return decoder.pictures(group, None, Deadline())


def test_a_sound_group_is_believed_again_and_again(film):
    path, truth = film
    decoder, group = whole_group(path)
    for _ in range(3):
        pictures = decode(decoder, group)
        assert [digest(pictures[pts]) for pts in sorted(pictures)] == truth.digests[:24]
    assert decoder.num_decoded == 72


def test_only_what_is_shown_is_painted(film):
    decoder, group = whole_group(film[0])
    pts = sorted(group.expected)[7]
    assert list(decode(decoder, replace(group, shown={pts + 1: pts}))) == [pts]


def test_a_picture_more_or_less_than_promised_is_not_believed(film):
    decoder, group = whole_group(film[0])
    last = max(group.expected)
    for expected in (group.expected - {last}, group.expected | {last + 1}):
        with pytest.raises(Unbelievable):
            decode(decoder, replace(group, expected=expected))
    # As many as promised, but others.
    with pytest.raises(Unbelievable):
        decode(decoder, replace(group, expected=group.expected - {last} | {last + 1}))
    assert len(decode(decoder, group)) == 24


def test_a_picture_without_a_time_stamp_is_not_believed(folder):
    decoder, group = whole_group(encode(folder / "untimed.mp4", 24))
    group.packets[3].pts = None
    with pytest.raises(Unbelievable):
        decode(decoder, group)


def test_pictures_of_before_the_key_frame_are_passed_over(film):
    decoder, group = whole_group(film[0], count=48)
    second = [packet.pts for packet in group.packets if packet.is_keyframe][1]
    later = frozenset(pts for pts in group.expected if pts >= second)
    group = replace(group, sync_pts=second, expected=later, shown={p: p for p in later})
    assert set(decode(decoder, group)) == later


def test_a_group_that_does_not_begin_with_a_key_frame_is_not_believed(folder):
    path = encode(folder / "p.mp4", 24, codec="mpeg4", b_frames=0, group_of_pictures=24)
    decoder, group = whole_group(path, first=5, count=10)
    with pytest.raises(Unbelievable):
        decode(decoder, group)


def test_a_group_that_begins_with_another_picture_than_promised_is_not_believed(film):
    decoder, group = whole_group(film[0])
    with pytest.raises(Unbelievable):
        decode(decoder, replace(group, sync_pts=group.sync_pts - 1))


def test_stamps_that_are_not_in_the_order_of_display_are_not_believed(folder):
    path = encode(folder / "b.mp4", 24, codec="mpeg4", b_frames=2, group_of_pictures=24)
    decoder, group = whole_group(path, count=10)
    assert len(decode(decoder, group)) == 10
    in_order = sorted(packet.pts for packet in group.packets)
    for packet, pts in zip(group.packets, in_order, strict=True):
        packet.pts = pts
    with pytest.raises(Unbelievable):
        decode(decoder, group)


def test_what_the_decoder_refuses_is_not_believed(film):
    decoder, group = whole_group(film[0])
    packets = list(group.packets)
    packets[3] = av.Packet(b"\0\0\0\7\x65" + bytes(6))
    packets[3].pts = group.packets[3].pts
    with pytest.raises(Unbelievable):
        decode(decoder, replace(group, packets=tuple(packets)))
    assert len(decode(decoder, group)) == 24


def false_keys(packet):
    packet.is_keyframe = True
    return True


def silenced(packet):
    """Some pictures of HEVC that nothing is made from are replaced by a mere delimiter."""
    is_spare = bytes(packet)[4] >> 1 in (0, 8)
    if is_spare and packet.pts // packet.duration % 24 > 15:
        filling = packet.size - 11
        filler = filling.to_bytes(4, "big") + b"\x4c\1" + b"\xff" * (filling - 3) + b"\x80"
        packet.update(b"\0\0\0\3\x46\1\x50" + filler)
    return True


def damaged(packet):
    """Some slices end in noise, but not those of key frames."""
    if not packet.is_keyframe and packet.pts % (7 * packet.duration) == 0:
        data = bytes(packet)
        packet.update(data[:20] + random.Random(0).randbytes(len(data) - 20))
    return True


MPEG4 = {"codec": "mpeg4", "group_of_pictures": 24}
DISTRUSTED = {
    "false key frames": ("k.mp4", MPEG4 | {"b_frames": 0}, false_keys),
    "packets without pictures": (
        "s.mp4",
        {"codec": "libx265", "group_of_pictures": 24},
        silenced,
    ),
    "damage": ("d.mp4", {"group_of_pictures": 24}, damaged),
}
"""Streams that are not what their packets say; each by one check alone."""


@pytest.fixture(scope="module", params=DISTRUSTED)
def distrusted(request, folder):
    name, keywords, change = DISTRUSTED[request.param]
    path = remux(encode(folder / f"whole {name}", **keywords), folder / name, change)
    return request.param, path, decode_linearly(path)


@pytest.mark.parametrize("num_workers", [1, 3])
def test_what_is_not_believed_is_walked_to_and_right(distrusted, num_workers):
    name, path, truth = distrusted
    num_refused = 0
    with VideoReader(path, num_workers=num_workers) as reader:
        moments = [reader.duration_seconds * (i + 0.5) / 40 for i in range(40)]
        random.Random(0).shuffle(moments)
        for moment in moments:
            try:
                frames = reader.frames_at([moment, 0])
            except FrameDecodeError:
                num_refused += 1
                continue
            assert digest(frames[0].rgb) == truth.digests[truth.index_at(moment)]
        assert reader._access._groups._num_failures > 0
    assert (num_refused > 0) == (name in ("damage", "packets without pictures"))
    assert num_refused < len(moments)
