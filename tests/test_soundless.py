"""Large sound tracks of MP4 files are not read, and nothing else of a file changes by that."""

from __future__ import annotations

import gc
import random
import re
import struct
from pathlib import Path

import av
import numpy as np
import pytest
from helpers import data_folder, edited, encode, open_files, silence

from videoatlas_gym.video import VideoError, VideoReader, _soundless
from videoatlas_gym.video._soundless import sound_tracks, soundless


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


def facts(path, min_bytes, monkeypatch):
    """All that a reader tells of a file, and the tracks that it hid."""
    monkeypatch.setattr(_soundless, "MIN_TRACK_BYTES", min_bytes)
    rng = random.Random(0)
    with VideoReader(path, num_workers=2) as reader:
        duration = reader.duration_seconds
        moments = [0.0, *(rng.random() * duration for _ in range(12)), np.nextafter(duration, 0)]
        frames = [
            (frame.pts, frame.seconds, frame.rgb.tobytes()) for frame in reader.frames_at(moments)
        ]
        told = (reader.describe(), reader.frame_times(0, duration).tolist(), reader.fingerprint())
        return sound_tracks(str(path)), (*told, frames)


@pytest.mark.parametrize(
    "options",
    [{}, {"movflags": "faststart"}, {"sound_first": True}],
    ids=["index last", "index first", "sound first"],
)
def test_a_file_without_its_sound_shows_and_tells_the_same(silent, tmp_path, options, monkeypatch):
    path = with_sound(silent, tmp_path / "film.mp4", **options)
    none, whole = facts(path, 1 << 40, monkeypatch)
    one, soundless = facts(path, 0, monkeypatch)
    assert soundless == whole and none == [] and len(one) == 1
    assert [track["codec"] for track in soundless[0]["audio_tracks"]] == ["aac"]


def test_an_edit_list_holds_without_the_sound(silent, tmp_path, monkeypatch):
    path = with_sound(edited(silent, tmp_path / "cut.mp4"), tmp_path / "film.mp4")
    assert facts(path, 0, monkeypatch)[1] == facts(path, 1 << 40, monkeypatch)[1]


@pytest.mark.data
@pytest.mark.slow
def test_real_files_without_their_sound_show_and_tell_the_same(monkeypatch):
    paths = [p for p in data_folder().glob("*/*") if p.suffix in (".mp4", ".mov", ".m4a", ".3gp")]
    num_hidden = 0
    for path in paths:
        try:
            _, whole = facts(path, 1 << 40, monkeypatch)
        except VideoError as error:
            with pytest.raises(type(error)):
                facts(path, 0, monkeypatch)
            continue
        hidden, soundless = facts(path, 0, monkeypatch)
        assert soundless == whole, path.name
        num_hidden += bool(hidden)
    assert num_hidden >= 10


def test_small_tracks_are_let_be(film):
    assert sound_tracks(str(film)) == []


def test_no_sound_is_hidden_where_tracks_are_named_later_or_nothing_else_is_there(
    film, silent, tmp_path, monkeypatch
):
    monkeypatch.setattr(_soundless, "MIN_TRACK_BYTES", 0)
    whole = with_sound(silent, tmp_path / "whole.mp4")
    assert len(sound_tracks(str(whole))) == 1
    options = {"movflags": "frag_keyframe+empty_moov"}
    assert sound_tracks(str(with_sound(silent, tmp_path / "parts.mp4", **options))) == []
    assert sound_tracks(str(silent)) == []
    assert sound_tracks(str(encode(tmp_path / "other.mkv", 20))) == []
    with av.open(str(tmp_path / "sound.mp4"), "w") as new:
        sound = new.add_stream("aac", rate=44_100)
        sound.codec_context.layout = "mono"
        new.mux([*sound.encode(silence(0)), *sound.encode(None)])
    assert sound_tracks(str(tmp_path / "sound.mp4")) == []


def test_files_built_wrongly_show_no_other_pictures_without_their_sound(
    film, tmp_path, monkeypatch
):
    data, rng, path = film.read_bytes(), random.Random(3), tmp_path / "wrong.mp4"
    movie, num_compared = data.index(b"moov") - 4, 0
    for _ in range(60):
        wrong = bytearray(data)
        for _ in range(3):
            wrong[rng.randrange(movie, len(data))] = rng.choice((0, 1, 127, 255))
        path.write_bytes(wrong[: rng.choice((len(wrong), rng.randrange(len(wrong))))])
        try:
            _, whole = facts(path, 1 << 40, monkeypatch)
            hidden, soundless_facts = facts(path, 0, monkeypatch)
        except VideoError:
            continue
        assert soundless_facts[1:] == whole[1:]  # Headers may tell the length by the sound alone.
        num_compared += bool(hidden)
    assert num_compared > 5


def test_what_is_opened_is_the_file_with_its_boxes_renamed(silent, tmp_path, monkeypatch):
    monkeypatch.setattr(_soundless, "MIN_TRACK_BYTES", 0)
    path = with_sound(silent, tmp_path / "film.mp4", num_tracks=3)
    data, starts = path.read_bytes(), sound_tracks(str(path))
    assert len(starts) == 3 and [data[start + 4 : start + 8] for start in starts] == [b"trak"] * 3
    wanted = bytearray(data)
    for start in starts:
        wanted[start + 4 : start + 8] = b"skip"
    scheme, _, pieces = soundless(str(path)).partition(":")
    read = b""
    for piece in pieces.split("|"):
        options, _, name = piece.rpartition(":")
        start, end = map(int, re.findall(r"\d+", options) or (0, 0))
        read += Path(name).read_bytes()[start : end or None]
    assert scheme == "concat" and read == wanted


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
def test_files_may_be_larger_than_31_bits_count(film, tmp_path, gap_bytes, monkeypatch):
    path = stretched(film, tmp_path / "large.mp4", gap_bytes)
    none, whole = facts(path, 1 << 40, monkeypatch)
    one, hidden = facts(path, 0, monkeypatch)
    assert hidden == whole and (len(none), len(one)) == (0, 1)
    assert whole[-1] == facts(film, 0, monkeypatch)[1][-1]
    with VideoReader(path) as reader:
        reader.frame_at(1.0)
        assert reader._opened().track._soundless is not None


def test_sound_is_let_be_where_it_would_take_too_many_pieces(film, tmp_path, monkeypatch):
    monkeypatch.setattr(_soundless, "MIN_TRACK_BYTES", 0)
    assert soundless(str(film)) is not None
    monkeypatch.setattr(_soundless, "_MAX_PIECE_BYTES", 100)
    assert soundless(str(film)) is None


def test_what_cannot_be_opened_in_pieces_is_opened_whole(film, monkeypatch):
    _, whole = facts(film, 1 << 40, monkeypatch)
    monkeypatch.setattr("videoatlas_gym.video._track.soundless", lambda path: "concat:nowhere")
    assert facts(film, 0, monkeypatch)[1] == whole


@pytest.mark.parametrize(
    "name", ["a b.mp4", "\u4e2d%03d.mp4", "it's,:x.mp4", "-a#?.mp4", "a|b.mp4"]
)
def test_any_name_is_the_name_of_a_file(silent, tmp_path, name, monkeypatch):
    path = with_sound(silent, tmp_path / "film.mp4").rename(tmp_path / name)
    _, whole = facts(path, 1 << 40, monkeypatch)
    one, hidden = facts(path, 0, monkeypatch)
    assert hidden == whole and len(one) == 1
    assert (soundless(str(path)) is None) == ("|" in name)


def test_sound_that_names_another_track_stays_for_its_pictures_may_be_no_video(
    silent, tmp_path, monkeypatch
):
    path = with_sound(silent, tmp_path / "film.mp4")
    monkeypatch.setattr(_soundless, "MIN_TRACK_BYTES", 0)
    data, (start,) = bytearray(path.read_bytes()), sound_tracks(str(path))
    movie, size = data.index(b"moov") - 4, int.from_bytes(data[start : start + 4], "big")
    names = struct.pack(">I4sI4sI", 20, b"tref", 12, b"chap", 1)
    data[start + size : start + size] = names
    for place in (start, movie):  # The index is last: no packet moves.
        length = int.from_bytes(data[place : place + 4], "big") + len(names)
        data[place : place + 4] = length.to_bytes(4, "big")
    path.write_bytes(data)
    assert sound_tracks(str(path)) == []
    with pytest.raises(VideoError, match="no video stream"):
        VideoReader(path).frame_at(0)


def test_readers_that_are_dropped_leave_no_file_open(film, monkeypatch):
    monkeypatch.setattr(_soundless, "MIN_TRACK_BYTES", 0)
    for _ in range(3):
        VideoReader(film).frame_at(1.0)
    gc.collect()
    assert open_files(film.parent) == []
