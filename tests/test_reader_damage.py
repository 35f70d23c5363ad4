"""Damaged data is never shown as if it were whole: it is an error, or held and said to be."""

from __future__ import annotations

import av
import numpy as np
import pytest
from helpers import data_folder, encode, remux

from videoatlas_gym.video import FrameDecodeError, VideoReader
from videoatlas_gym.video.synthesis import read_number

KINDS = {
    "mp4": {"name": "a.mp4", "options": {"threads": "1"}},
    "mkv": {"name": "a.mkv", "options": {"threads": "1"}},
    "ts": {"name": "a.ts", "options": {"threads": "1"}},
    "raw": {"name": "a.h264", "container_format": "h264", "options": {"threads": "1"}},
}

FROM = {"raw": "ts", "mkv": "mp4"}
"""What is copied from, where packets without time stamps cannot be copied."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")

    def written(kind):
        recipe = dict(KINDS[kind])
        path = folder / recipe.pop("name")
        if not path.exists():
            encode(path, count=100, group_of_pictures=20, **recipe)
        return path

    return written


def pictures(path, **options):
    """All frames that a reader shows, by index, asked for one by one; None where it fails."""
    found = []
    with VideoReader(path, num_workers=1, **options) as reader:
        for moment in np.arange(0.01, reader.duration_seconds, 0.04):
            try:
                found.append(reader.frame_at(moment))
            except FrameDecodeError:
                found.append(None)
    return found


def shortened(source, target, number):
    """Copy with filling instead of the second half of one packet, counted from 0 in their order."""
    count = iter(range(10_000))

    def change(packet):
        if next(count) == number:
            half = packet.size // 2
            kept, rest = bytes(packet)[:half], packet.size - half - 4
            start = b"\0\0\0\1"
            if source.suffix in (".mp4", ".mkv"):
                kept, start = (half - 4).to_bytes(4, "big") + kept[4:], rest.to_bytes(4, "big")
            packet.update(kept + start + b"\x0c" + b"\xff" * (rest - 2) + b"\x80")
        return True

    return remux(source, target, change)


def spoilt_at(source, target, *numbers):
    """Copy with the data of some packets, counted from 0 in their order, made unreadable."""
    count = iter(range(10_000))

    def change(packet):
        if next(count) in numbers:
            packet.update(bytes(packet.size))
        return True

    return remux(source, target, change)


@pytest.mark.parametrize("kind", KINDS)
def test_damage_that_decoders_patch_up_is_told(whole, kind, tmp_path):
    source, name = whole(FROM.get(kind, kind)), KINDS[kind]["name"]
    truth = {frame.rgb.tobytes() for frame in pictures(source)}
    for number in (21, 45, 47):
        path = shortened(source, tmp_path / f"{number}{name}", number)
        seen = pictures(path)
        assert len(seen) == 100 and 0 < seen.count(None) <= 20
        assert truth.issuperset(frame.rgb.tobytes() for frame in seen if frame)


def test_what_follows_lost_packets_of_a_transport_stream_is_refused(whole, tmp_path):
    data = whole("ts").read_bytes()
    first = len(data) // 188 // 2
    path = tmp_path / "lossy.ts"
    path.write_bytes(data[: first * 188] + data[(first + 5) * 188 :])
    truth = {frame.pts: frame.rgb for frame in pictures(whole("ts"))}
    seen = pictures(path)
    assert 3 < seen.count(None) < 30
    assert all(np.array_equal(frame.rgb, truth[frame.pts]) for frame in seen if frame)


@pytest.mark.parametrize("kind", ["mp4", "raw"])
def test_a_held_frame_is_the_last_undamaged_one_before_the_moment(whole, kind, tmp_path):
    path = shortened(whole(FROM.get(kind, kind)), tmp_path / f"bad{whole(kind).suffix}", 45)
    refused, held = pictures(path), pictures(path, damage="hold")
    last = None
    for one, other in zip(refused, held, strict=True):
        if one is not None:
            last = one
        assert other.is_held == (one is None)
        assert other.pts == last.pts and np.array_equal(other.rgb, last.rgb)


def test_frames_asked_for_together_are_held_like_single_ones(whole, tmp_path):
    path = spoilt_at(whole("mp4"), tmp_path / "spoilt.mp4", 30)
    single = pictures(path, damage="hold")
    with VideoReader(path, num_workers=2, damage="hold") as reader:
        together = reader.frames_at(np.arange(0.01, 4, 0.04))
    assert [(f.pts, f.is_held) for f in together] == [(f.pts, f.is_held) for f in single]
    assert 5 < sum(frame.is_held for frame in together) < 20


def test_a_frame_is_held_over_many_damaged_groups(whole, tmp_path):
    path = spoilt_at(whole("mp4"), tmp_path / "spoilt.mp4", *range(10, 100))
    with VideoReader(path, damage="hold") as reader:
        assert reader.duration_seconds == 4
        frame = reader.frame_at(3.9)
        assert frame.is_held and 0.2 < frame.seconds < 0.41


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_anywhere_ends_with_a_frame_that_decodes(whole, kind, tmp_path):
    source = whole(kind)
    if kind == "mp4":
        source = remux(source, tmp_path / "fast.mp4", faststart=True)
    data = source.read_bytes()
    path = tmp_path / f"cut{source.suffix}"
    for place in np.linspace(len(data) * 0.5, len(data) - 1, 25).astype(int):
        path.write_bytes(data[:place])
        with VideoReader(path) as reader:
            last = reader.frame_at(reader.duration_seconds - 1e-6)
            assert last.seconds == pytest.approx(reader.duration_seconds - 0.04, abs=1e-3)


def test_damage_near_the_end_does_not_shorten_a_video(whole, tmp_path):
    path = shortened(whole("ts"), tmp_path / "spoilt.ts", 90)
    with VideoReader(path) as reader:
        assert reader.duration_seconds == 4
        with pytest.raises(FrameDecodeError):
            reader.frame_at(3.9)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "original"),
    [
        ("made_corrupt_middle.mp4", "made_nom*.mp4"),
        ("made_ts_packet_loss.ts", "made_ts_late_start.ts"),
        ("made_truncated_faststart.mp4", "made_nom*.mp4"),
    ],
)
def test_real_damage_is_refused_or_held(name, original):
    folder = data_folder() / "nasty"
    truth = {frame.seconds: frame.rgb for frame in pictures(next(folder.glob(original)))}
    refused, held = pictures(folder / name), pictures(folder / name, damage="hold")
    assert (None in refused) == ("truncated" not in name)
    for one, other in zip(refused, held, strict=True):
        assert other.is_held == (one is None)
        assert np.array_equal(other.rgb, truth[other.seconds])


@pytest.mark.data
@pytest.mark.slow
def test_a_damaged_file_of_one_group_is_held_from_its_damage_on():
    path = data_folder() / "nasty" / "decord_corrupted.mp4"
    refused, held = pictures(path), pictures(path, damage="hold")
    first = refused.index(None)
    assert {frame.pts for frame in held[first:]} == {held[first - 1].pts}
    assert all(frame.is_held for frame in held[first:])


@pytest.mark.data
def test_where_nothing_before_is_undamaged_holding_raises():
    with (
        VideoReader(data_folder() / "nasty" / "no_timescale.mp4", damage="hold") as reader,
        pytest.raises(FrameDecodeError, match="neither it nor any before it can be decoded"),
    ):
        reader.frame_at(0)


def index_entry(data, number):
    return data.index(b"idx1") + 8 + 16 * number


def spoil_nothing(data):
    pass


def spoil_entry(data):
    """An entry of the index names no stream: the pictures behind it have other numbers by it."""
    data[index_entry(data, 22)] = 0xFF


def spoil_chunk(data):
    """A chunk has lost its name: who reads from the start passes over it."""
    movie = data.index(b"movi")
    offset = int.from_bytes(data[index_entry(data, 22) + 8 :][:4], "little")
    assert data[movie + offset : movie + offset + 4] == b"00dc"
    data[movie + offset] = 0xFF


@pytest.mark.parametrize(
    ("spoil", "is_seekable"),
    [(spoil_nothing, True), (spoil_entry, False), (spoil_chunk, False)],
)
def test_an_avi_has_one_time_for_each_picture_however_it_is_reached(tmp_path, spoil, is_seekable):
    data = bytearray(encode(tmp_path / "a.avi", codec="mpeg4", b_frames=0).read_bytes())
    spoil(data)
    path = tmp_path / "spoilt.avi"
    path.write_bytes(data)
    with av.open(str(path)) as container:
        truth = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    with VideoReader(path) as reader:
        assert reader.is_seekable == is_seekable
        for number in (100, 30, 12):
            if number < len(truth):
                shown = read_number(reader.frame_at((number + 0.5) / 25).rgb)
                assert shown == read_number(np.stack([truth[number]] * 3, axis=2))
