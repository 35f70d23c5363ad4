"""An option names subtitles in every way; tracks inside a video count from its first frame."""

from fractions import Fraction

import av
import numpy as np
import pytest
from helpers import data_folder

from videoatlas_gym.subtitles import (
    Cue,
    SubtitleError,
    Subtitles,
    embedded_tracks,
    read_embedded,
    resolve_subtitles,
)


def rows(subtitles):
    return [(cue.start_seconds, cue.end_seconds, cue.text) for cue in subtitles]


def write_with_subtitles(path, codec, cues):
    """A video whose frames begin at 5 s of the container."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=4, width=32, height=32)
        words = container.add_stream(codec)
        words.codec_context.subtitle_header = b"[Script Info]\n\n[V4+ Styles]\n\n[Events]\n"
        for index in range(12):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), index * 20, np.uint8))
            frame.pts = 20 + index
            container.mux(video.encode(frame))
        container.mux(video.encode())
        for start, length, text in cues:
            line = f"0,0,Default,,0,0,0,,{text}".encode()
            item = av.subtitles.subtitle.SubtitleSet.create(line, 0, int(length * 1000))
            packet = words.codec_context.encode_subtitle(item)
            packet.stream, packet.time_base = words, Fraction(1, 1000)
            packet.pts = packet.dts = int(start * 1000)
            packet.duration = int(length * 1000)
            container.mux(packet)


def test_an_option_names_subtitles_in_every_way(tmp_path):
    (tmp_path / "v.srt").write_text("00:00:01,000 --> 00:00:02,000\nsidecar\n")
    said = Subtitles((Cue(0.0, 1.0, "a"),))
    assert resolve_subtitles(None) == resolve_subtitles(False) == Subtitles()
    assert resolve_subtitles(said) == said
    assert resolve_subtitles([{"start": 0, "end": 1, "text": "a"}]) == said
    assert rows(resolve_subtitles("auto", tmp_path / "v.mp4")) == [(1.0, 2.0, "sidecar")]
    assert resolve_subtitles(str(tmp_path / "v.srt")) == resolve_subtitles(tmp_path / "v.srt")
    (tmp_path / "meta.json").write_text('{"title": "no subtitles"}')
    assert resolve_subtitles("auto", tmp_path / "meta.mp4") == Subtitles()
    with pytest.raises(TypeError, match="'auto', a path"):
        resolve_subtitles(3)


@pytest.mark.parametrize(("suffix", "codec"), [("mkv", "srt"), ("mkv", "ass"), ("mp4", "mov_text")])
def test_embedded_times_count_from_the_first_displayed_frame(suffix, codec, tmp_path):
    path = tmp_path / f"v.{suffix}"
    write_with_subtitles(path, codec, [(5.5, 0.5, "one, two"), (6.25, 0.5, "three")])
    assert [t.is_text for t in embedded_tracks(path)] == [True]
    assert rows(read_embedded(path)) == [(0.5, 1.0, "one, two"), (1.25, 1.75, "three")]
    assert resolve_subtitles("auto", path) == read_embedded(path)
    with pytest.raises(SubtitleError, match="1 subtitle tracks.*: 0 "):
        read_embedded(path, 1)


def test_tracks_are_found_under_a_relative_name_with_a_colon(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_with_subtitles(tmp_path / "10:30.mkv", "srt", [(5.5, 0.5, "one")])
    assert rows(resolve_subtitles("auto", "10:30.mkv")) == [(0.5, 1.0, "one")]
    assert rows(read_embedded("10:30.mkv")) == [(0.5, 1.0, "one")]


@pytest.mark.data
def test_tracks_in_real_videos_are_read():
    data = data_folder()
    srt = read_embedded(data / "nasty/mkv_overlapping_srt.mkv")
    assert [row[:2] for row in rows(srt)] == [(0.033, 0.263), (0.083, 0.483), (0.133, 0.383)]
    vtt = read_embedded(data / "nasty/mkv_vtt.mkv")
    assert rows(vtt) == [(0.0, 1.234, "This is the first subtitle.")]
    assert embedded_tracks(data / "nasty/sample.flv") == ()
