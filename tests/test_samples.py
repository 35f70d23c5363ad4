"""Plain MP4 files are read without FFmpeg, and give what FFmpeg gives."""

from __future__ import annotations

import gc
import io
import random
import struct
from contextlib import contextmanager

import av
import numpy as np
import pytest
from av.stream import Disposition
from helpers import (
    VIDEOS,
    data_folder,
    edited,
    encode,
    joined,
    open_files,
    remux,
    silence,
)

from videoatlas_gym.span import Span
from videoatlas_gym.video import FrameDecodeError, VideoChangedError, VideoError, VideoReader
from videoatlas_gym.video._samples import SampleReader
from videoatlas_gym.video.source import VideoOpenError

PLAIN = (
    *("constant rate", "NTSC rate", "no B-frames", "variable rate", "one group", "open groups"),
    *("late start", "hevc", "hevc layers", "hevc 10 bit", "pyramid in slices", "rotated"),
)


def with_sound(source, target, *, sound_first=False, num_tracks=1, **options):
    """Copy with as much silence as there is video, once for each sound track."""
    with av.open(str(source)) as old, av.open(str(target), "w", options=options) as new:
        video = old.streams.video[0]
        copy = None if sound_first else new.add_stream_from_template(video)
        sounds = [new.add_stream("aac", rate=44_100) for _ in range(num_tracks)]
        copy = copy or new.add_stream_from_template(video)
        packets = [(packet, copy) for packet in old.demux(video) if packet.dts is not None]
        for sound in sounds:
            sound.codec_context.layout = "mono"
            for start in range(0, round(44_100 * float(video.duration * video.time_base)), 1024):
                packets += [(packet, sound) for packet in sound.encode(silence(start))]
            packets += [(packet, sound) for packet in sound.encode(None)]
        for packet, stream in sorted(packets, key=lambda pair: pair[0].dts * pair[0].time_base):
            packet.stream = stream
            new.mux(packet)
    return target


@pytest.fixture(scope="module")
def silent(tmp_path_factory):
    return encode(tmp_path_factory.mktemp("silent") / "silent.mp4", 150, group_of_pictures=20)


@pytest.fixture(scope="module")
def film(silent):
    return with_sound(silent, silent.with_name("film.mp4"))


@contextmanager
def by_ffmpeg():
    """Have all files read by FFmpeg."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SampleReader, "of", lambda path: None)
        yield


def is_straight(path):
    with VideoReader(path) as reader:
        _ = reader.duration_seconds
        return reader._access.track.samples is not None


def told(path):
    """All that a reader tells of a file."""
    rng = random.Random(0)
    with VideoReader(path, num_workers=2) as reader:
        duration = reader.duration_seconds
        moments = [0.0, *(rng.random() * duration for _ in range(12)), np.nextafter(duration, 0)]
        frames = [
            (frame.pts, frame.seconds, frame.rgb.tobytes()) for frame in reader.frames_at(moments)
        ]
        spans = [Span(max(0.0, m - 0.5), min(m + 0.5, duration)) for m in moments]
        keys = reader.key_frames_at(moments, spans, (64, 36))
        keys = [key and (key.pts, key.rgb.tobytes()) for key in keys]
        times = [
            reader.frame_times(start, min(end, duration)).tolist()
            for start, end in ((0, duration), (0.7 * duration, 0.8 * duration), (0, duration / 50))
        ]
        return reader.describe(), times, reader.fingerprint(), frames, keys


def packets_by_ffmpeg(path):
    with av.open(str(path), metadata_errors="replace") as container:
        stream = video_of(container)
        return [summary(packet) for packet in container.demux(stream) if packet.size]


def video_of(container):
    return next(s for s in container.streams.video if not s.disposition & Disposition.attached_pic)


def packets_read_straight(path):
    """Return nothing if a file is not read so."""
    reader = SampleReader.of(str(path))
    if reader is None:
        return []
    with av.open(io.BytesIO(reader.miniature), metadata_errors="replace") as container:
        is_alike = reader.is_read_alike(container, video_of(container))
    packets = [summary(packet) for packet in (reader.packets() if is_alike else ())]
    reader.close()
    return packets


def summary(packet):
    return (packet.pts, packet.dts, packet.duration, packet.is_keyframe, bytes(packet))


def assert_alike(straight, other):
    """FFmpeg looks into packets for key frames, and finds some that the tables do not name."""
    assert without_keys(straight) == without_keys(other)
    assert all(mine[3] <= theirs[3] for mine, theirs in zip(straight, other, strict=True))


def without_keys(packets):
    return [(*packet[:3], packet[4]) for packet in packets]


@pytest.mark.parametrize("name", PLAIN)
def test_packets_and_pictures_are_those_that_ffmpeg_reads(name, tmp_path):
    path = VIDEOS[name](tmp_path)
    assert is_straight(path)
    straight = told(path)
    with by_ffmpeg():
        assert straight == told(path)
        assert not is_straight(path)
    assert_alike(packets_read_straight(path), packets_by_ffmpeg(path))


@pytest.mark.parametrize("name", sorted({*VIDEOS} - {*PLAIN}))
def test_all_other_videos_are_read_by_ffmpeg(name, tmp_path):
    assert not is_straight(VIDEOS[name](tmp_path))


@pytest.mark.parametrize(
    "options",
    [{}, {"movflags": "faststart"}, {"sound_first": True}, {"num_tracks": 3}],
    ids=["index last", "index first", "sound first", "three tracks"],
)
def test_sound_is_passed_over(silent, tmp_path, options):
    path = with_sound(silent, tmp_path / "film.mp4", **options)
    assert is_straight(path)
    straight = told(path)
    codecs = [track["codec"] for track in straight[0]["audio_tracks"]]
    assert codecs == ["aac"] * options.get("num_tracks", 1)
    with by_ffmpeg():
        assert straight == told(path)


def test_files_are_read_by_ffmpeg_that_hide_pictures_come_in_parts_or_hold_several(
    silent, tmp_path
):
    other = encode(tmp_path / "other.mp4", 60)
    parts = {"movflags": "frag_keyframe+empty_moov"}
    assert not is_straight(edited(silent, tmp_path / "cut.mp4"))
    assert not is_straight(with_sound(silent, tmp_path / "parts.mp4", **parts))
    assert not is_straight(joined(tmp_path / "two.mp4", silent, other))


@pytest.mark.parametrize("kind", [b"sbgp", b"stps", b"saiz", b"stz2"])
def test_tables_that_are_not_known_leave_a_file_to_ffmpeg(silent, tmp_path, kind):
    """Some say of packets what only FFmpeg understands."""
    data = bytearray(silent.read_bytes())
    place = data.rindex(b"stss")
    path = tmp_path / "other.mp4"
    path.write_bytes(data[:place] + kind + data[place + 4 :])
    assert SampleReader.of(str(path)) is None


def inserted(data, track, box):
    """Append a box to a track; the index is last, so that no packet moves."""
    movie, size = data.index(b"moov") - 4, int.from_bytes(data[track : track + 4], "big")
    data = bytearray(data)
    data[track + size : track + size] = box
    for place in (track, movie):
        length = int.from_bytes(data[place : place + 4], "big") + len(box)
        data[place : place + 4] = length.to_bytes(4, "big")
    return data


def test_pictures_that_sound_names_are_of_its_chapters_and_no_video(film, tmp_path):
    data = film.read_bytes()
    sound = data.rindex(b"trak") - 4
    assert data.index(b"soun") > sound > data.index(b"vide")
    path = tmp_path / "named.mp4"
    path.write_bytes(inserted(data, sound, struct.pack(">I4sI4sI", 20, b"tref", 12, b"chap", 1)))
    assert SampleReader.of(str(path)) is None
    with pytest.raises(VideoError, match="no video stream"):
        VideoReader(path).frame_at(0)


@pytest.mark.data
@pytest.mark.slow
def test_packets_of_real_files_are_those_that_ffmpeg_reads():
    paths = [p for p in data_folder().glob("*/*") if p.suffix in (".mp4", ".mov", ".m4a", ".3gp")]
    num_straight = 0
    for path in paths:
        if straight := packets_read_straight(path):
            assert_alike(straight, packets_by_ffmpeg(path))
            num_straight += 1
    assert num_straight >= 25


@pytest.mark.data
@pytest.mark.slow
def test_real_files_show_and_tell_what_they_do_read_by_ffmpeg():
    paths = [p for p in data_folder().glob("*/*") if p.suffix in (".mp4", ".mov", ".m4a", ".3gp")]
    for path in paths:
        try:
            straight = told(path)
        except VideoError as error:
            with by_ffmpeg(), pytest.raises(type(error)):
                told(path)
            continue
        with by_ffmpeg():
            assert straight == told(path), path.name


def test_files_built_wrongly_are_read_as_ffmpeg_reads_them(film, tmp_path):
    data, rng, path = film.read_bytes(), random.Random(3), tmp_path / "wrong.mp4"
    track, num_straight = data.index(b"trak"), 0
    end = track + int.from_bytes(data[track - 4 : track], "big")
    for _ in range(600):
        wrong = bytearray(data)
        for _ in range(rng.choice((1, 1, 3))):
            wrong[rng.randrange(track, end)] = rng.choice((0, 1, 2, 127, 255))
        path.write_bytes(wrong if rng.random() < 0.9 else wrong[: rng.randrange(len(wrong))])
        try:
            straight = packets_read_straight(path)
        except (av.error.FFmpegError, StopIteration):
            continue
        if straight:
            assert without_keys(straight) == without_keys(packets_by_ffmpeg(path))
            num_straight += 1
    assert num_straight > 100


def stretched(source, target, gap_bytes):
    """Copy with as many empty bytes before the pictures, and again behind them."""
    data = source.read_bytes()
    media, movie = data.index(b"mdat") - 4, data.index(b"moov") - 4
    index = bytearray(data[movie:])
    place = index.find(b"stco")
    while place >= 0:
        count = int.from_bytes(index[place + 8 : place + 12], "big")
        offsets = np.frombuffer(index, ">u4", count, place + 12) + np.int64(gap_bytes)
        index[place + 12 : place + 12 + 4 * count] = offsets.astype(">u4").tobytes()
        place = index.find(b"stco", place + 4)
    gap = struct.pack(">I4sQ", 1, b"wide", gap_bytes)
    with target.open("wb") as file:
        for part in (data[:media], data[media:movie]):
            file.write(part)
            file.write(gap)
            file.seek(gap_bytes - len(gap), 1)
        file.write(index)
    return target


@pytest.mark.parametrize("gap_bytes", [(1 << 31) - 100, 3 << 30], ids=["2 GiB", "3 GiB"])
def test_files_may_be_large(film, tmp_path, gap_bytes):
    path = stretched(film, tmp_path / "large.mp4", gap_bytes)
    assert is_straight(path)
    straight = told(path)
    with by_ffmpeg():
        assert straight == told(path)
    assert straight[-2:] == told(film)[-2:]


def test_a_file_that_becomes_shorter_is_noticed(silent, tmp_path):
    path = remux(silent, tmp_path / "short.mp4", faststart=True)
    for keep_bytes in (path.stat().st_size // 2, 0):
        data = path.read_bytes()
        reader = VideoReader(path)
        assert reader.frame_at(0).pts == 0 and reader._access.track.samples is not None
        with path.open("r+b") as file:
            file.truncate(keep_bytes)
        with pytest.raises(VideoChangedError):
            reader.frame_at(5.5)
        path.write_bytes(data)
        assert reader.frame_at(5.5).pts > 0


def test_packets_that_are_gone_are_no_pictures(silent, tmp_path):
    """As if a file shrank between two looks at it."""
    path = remux(silent, tmp_path / "short.mp4", faststart=True)
    with VideoReader(path) as reader:
        _ = reader.duration_seconds
        with pytest.MonkeyPatch.context() as patch, path.open("r+b") as file:
            patch.setattr(VideoReader, "check_unchanged", lambda reader: None)
            file.truncate(path.stat().st_size // 2)
            with pytest.raises(FrameDecodeError):
                reader.frame_at(5.5)


@pytest.mark.parametrize(
    "name", ["a b.mp4", "\u4e2d%03d.mp4", "it's,:x.mp4", "-a#?.mp4", "a|b.mp4"]
)
def test_any_name_is_the_name_of_a_file(film, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(film.read_bytes())
    assert is_straight(path) and told(path)[3:] == told(film)[3:]


def test_readers_that_are_closed_or_dropped_leave_no_file_open(film, tmp_path):
    for _ in range(3):
        VideoReader(film).frame_at(1.0)
    gc.collect()
    assert open_files(film.parent) == []
    with VideoReader(film) as reader:
        reader.frame_at(1.0)
        assert len(open_files(film.parent)) == 1
    assert open_files(film.parent) == []
    path = tmp_path / "none.mp4"
    path.write_bytes(film.read_bytes()[:5000])
    with pytest.raises(VideoOpenError):
        VideoReader(path).frame_at(0)
    assert open_files(tmp_path) == []


def test_a_decoder_that_starts_over_reads_on_from_the_first_packet(film):
    with VideoReader(film) as reader:
        first = reader.frame_at(0).rgb
        track = reader._access.track
        run = track.rewind()
        assert track.samples is not None and run.picture_at(0).pts == 0
        assert np.array_equal(reader.frame_at(0).rgb, first)
