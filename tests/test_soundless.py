"""Large sound tracks of MP4 files are not read, and nothing else of a file changes by that."""

from __future__ import annotations

import os
import random

import av
import numpy as np
import pytest
from helpers import data_folder, edited, encode, open_files, silence

from videoatlas_gym.video import VideoError, VideoReader, _soundless
from videoatlas_gym.video._soundless import SoundlessFile, sound_tracks


def with_sound(source, target, *, sound_first=False, **options):
    """Copy with as much silence as there is video."""
    with av.open(str(source)) as old, av.open(str(target), "w", options=options) as new:
        video = old.streams.video[0]
        if sound_first:
            sound, copy = new.add_stream("aac", rate=44_100), new.add_stream_from_template(video)
        else:
            copy, sound = new.add_stream_from_template(video), new.add_stream("aac", rate=44_100)
        sound.codec_context.layout = "mono"
        packets = [packet for packet in old.demux(video) if packet.dts is not None]
        frames = range(0, round(44_100 * float(video.duration * video.time_base)), 1024)
        packets += [p for start in frames for p in sound.encode(silence(start))]
        packets += sound.encode(None)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            packet.stream = copy if packet.stream is video else sound
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


def test_files_built_wrongly_are_left_to_the_demuxer(film, tmp_path, monkeypatch):
    monkeypatch.setattr(_soundless, "MIN_TRACK_BYTES", 0)
    data, rng, path = film.read_bytes(), random.Random(3), tmp_path / "wrong.mp4"
    movie = data.index(b"moov") - 4
    for _ in range(300):
        wrong = bytearray(data)
        for _ in range(3):
            wrong[rng.randrange(movie, len(data))] = rng.choice((0, 1, 127, 255))
        path.write_bytes(wrong[: rng.choice((len(wrong), rng.randrange(len(wrong))))])
        for place in sound_tracks(str(path)):
            assert path.read_bytes()[place + 4 : place + 8] == b"trak"


def test_reading_in_any_pieces_gives_the_file_with_its_boxes_renamed(tmp_path):
    data, rng = random.Random(1).randbytes(500), random.Random(2)
    path = tmp_path / "data"
    path.write_bytes(data)
    wanted = bytearray(data)
    for start in (0, 37, 45, 200, 492):
        wanted[start + 4 : start + 8] = b"skip"
    file = SoundlessFile(str(path), [0, 37, 45, 200, 492])
    for _ in range(400):
        place, count = rng.randrange(520), rng.randrange(1, 40)
        assert file.seek(place) == file.tell() == place
        assert file.read(count) == wanted[place : place + count]
    assert file.seek(-3, os.SEEK_END) == 497 and file.seek(-7, os.SEEK_CUR) == 490
    assert file.read(100) == wanted[490:] and file.read(1) == b""
    file.close()
    file.close()
    assert open_files(tmp_path) == []


def test_an_interruption_while_the_demuxer_reads_ends_the_request_and_nothing_else(
    film, monkeypatch
):
    monkeypatch.setattr(_soundless, "MIN_TRACK_BYTES", 0)
    read, moments = os.pread, [0.5, 2.5, 5.5]
    with VideoReader(film, num_workers=2) as reader:
        wanted = [frame.rgb.tobytes() for frame in reader.frames_at(moments)]
    num_reads = 0

    def interrupting(*arguments):
        nonlocal num_reads
        num_reads -= 1
        if num_reads == 0:
            raise KeyboardInterrupt
        return read(*arguments)

    num_interrupted = 0
    for count in range(1, 60, 4):
        with VideoReader(film, num_workers=2) as reader:
            num_reads = count
            monkeypatch.setattr(os, "pread", interrupting)
            try:
                reader.frames_at(moments)
            except KeyboardInterrupt:
                num_interrupted += 1
            num_reads = 0
            assert [frame.rgb.tobytes() for frame in reader.frames_at(moments)] == wanted
        monkeypatch.setattr(os, "pread", read)
        assert open_files(film.parent) == []
    assert num_interrupted > 5
