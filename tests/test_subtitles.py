"""Cues and their text over a span; every format and encoding gives the same cues, or says why."""

import json
import os
import pickle
import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoatlas_gym.subtitles import (
    LAST_CUE_SECONDS,
    Cue,
    SubtitleError,
    Subtitles,
    load_subtitles,
    resolve_subtitles,
)

BESIDE = Path(__file__).resolve().parents[2] / "shared/data"
DATA = Path(os.environ.get("VIDEOATLAS_DATA", BESIDE))

ONE = "1\n00:00:01,000 --> 00:00:02,000\n"
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
TWO = [(1.0, 2.5, "Hello,\nyou & me"), (62.0, 3600.5, "Bye")]
FORMATS = {
    "srt": "1\n00:00:01,000 --> 00:00:02,500\n<i>Hello</i>,\n{\\an8}you &amp; me\n\n"
    "2\n00:01:02,000 --> 01:00:00,500\nBye\n",
    "srt without counters": "00:00:01.000 --> 00:00:02.500\nHello,\nyou & me\n\n"
    "00:01:02.000 --> 01:00:00.500\nBye",
    "vtt": "WEBVTT - x\n\nNOTE not\nsaid\n\nfirst\n00:01.000 --> 00:02.500 line:1\n"
    "<v Ann>Hel<00:01.200><c>lo,</c>\nyou &amp; <00:01.300>m<00:01.400>e\n\nNOTE nor this\n\n"
    "STYLE\n::cue {}\n\nsecond\n00:01:02.000 --> 01:00:00.500\nBye\n",
    "ass": "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\n\n[Events]\n"
    "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    "Dialogue: 0,0:01:02.00,1:00:00.50,Default,,0,0,0,,Bye\n"
    "Comment: 0,0:00:05.00,0:00:06.00,Default,,0,0,0,,unsaid\n"
    "Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,{\\b1}Hello{\\b0},\\Nyou & me"
    "{\\p1}m 0 0 l 1 1{\\p0}\n"
    "Dialogue: 0,0:00:07.00,0:00:08.00,Default,,0,0,0,,{\\p1}m 0 0 l 1 1{\\p0}\n",
    "ttml": '<?xml version="1.0"?><tt xmlns="http://www.w3.org/ns/ttml"><body><div>'
    '<p begin="00:00:01.000" end="00:00:02.500">Hello,<br/>you &amp; me</p>'
    '<p begin="00:01:02.000" end="01:00:00.500">Bye</p></div></body></tt>',
    "json, segments": '{"segments": [{"start": 1, "end": 2.5, "text": "Hello,\\nyou & me"},'
    '{"start": 62.0, "end": 3600.5, "text": "Bye"}]}',
    "json, clock times": '[{"start": "00:01", "end": "0:2.5", "line": "Hello,\\nyou & me"},'
    '{"start": "00:01:02", "end": "01:00:00.500", "line": "Bye"}]',
    "json, time stamps": '[{"timestamp": [1, 2.5], "content": "Hello,\\nyou & me"},'
    '{"timestamp": ["01:02", 3600.5], "content": "Bye"}]',
}
PROPERTY = settings(derandomize=True, deadline=None, database=None, max_examples=150)
times = st.floats(-1e4, 1e5) | st.integers(0, 9).map(float)
lengths = st.floats(0.001, 500) | st.just(2.0)
tracks = st.lists(st.tuples(times, lengths, st.sampled_from("abc")), max_size=30).map(
    lambda made: Subtitles(tuple(Cue(start, start + length, t) for start, length, t in made))
)


def rows(subtitles):
    return [(cue.start_seconds, cue.end_seconds, cue.text) for cue in subtitles]


def track(*spoken):
    return Subtitles(tuple(Cue(float(i), i + 1.0, text) for i, text in enumerate(spoken)))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_cues(name, tmp_path):
    (tmp_path / "talk.txt").write_text(FORMATS[name], encoding="utf-8")
    assert rows(load_subtitles(tmp_path / "talk.txt")) == TWO


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_encodings_and_line_ends_are_recognised(encoding, line_end, tmp_path):
    content = f"{ONE}Déjà vu, señor – naïve café\n\n".replace("\n", line_end).encode(encoding)
    (tmp_path / "a.srt").write_bytes(content)
    assert rows(load_subtitles(tmp_path / "a.srt")) == [(1.0, 2.0, "Déjà vu, señor – naïve café")]


@pytest.mark.parametrize("encoding", ["gb2312", "gb18030", "utf-8", "utf-16-le"])
def test_chinese_is_recognised(encoding, tmp_path):
    (tmp_path / "a.srt").write_bytes(f"{ONE}宇宙守护神 保护我们远离邪恶\n".encode(encoding))
    assert load_subtitles(tmp_path / "a.srt").cues[0].text == "宇宙守护神 保护我们远离邪恶"


def test_an_encoding_that_cannot_be_told_must_be_named(tmp_path):
    file = tmp_path / "a.srt"
    file.write_bytes(f"{ONE}Привет мир\n".encode("cp1251"))
    with pytest.raises(SubtitleError, match="encoding='shift_jis'"):
        load_subtitles(file)
    assert load_subtitles(file, encoding="cp1251").cues[0].text == "Привет мир"


def test_spoken_digits_are_no_counters(tmp_path):
    head = "00:00:0{0},000 --> 00:00:0{0},500\n"
    texts = ["Count:\n3", "", "2", "1"]
    numbered = "".join(f"{i}\n{head.format(i)}{t}\n\n" for i, t in enumerate(texts, 1))
    plain = "".join(f"{head.format(i)}{t}\n\n" for i, t in enumerate(texts, 1))
    for content in (numbered, plain):
        (tmp_path / "a.srt").write_text(content)
        assert [c.text for c in load_subtitles(tmp_path / "a.srt")] == ["Count:\n3", "2", "1"]


def test_cues_without_an_end_last_until_the_next_one(tmp_path):
    items = [{"timestamp": [4, None], "text": "b"}, {"start": 1, "text": "a"}]
    (tmp_path / "a.json").write_text(json.dumps(items))
    expected = [(1.0, 4.0, "a"), (4.0, 4.0 + LAST_CUE_SECONDS, "b")]
    assert rows(load_subtitles(tmp_path / "a.json")) == rows(resolve_subtitles(items)) == expected


def test_reversed_times_are_swapped_and_equal_starts_keep_their_order():
    items = [{"start": 3, "end": 1, "text": "z"}, {"start": 1, "end": 2, "text": "a"}]
    assert rows(resolve_subtitles(items)) == [(1.0, 3.0, "z"), (1.0, 2.0, "a")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (bytes(range(256)) * 20, "binary file"),
        (b"just some words\nand more", "nothing in it looks like a subtitle"),
        (ONE.encode(), "none of its 1 cues has text"),
        (b"{1}{25}frames without a rate", "frame rate"),
        (b'{"a": 1}', "expected a list of cues, got dict"),
        (b'[{"start": 1, "end": 2}]', "item 0 of 'a.srt'.*has no text"),
        (b'[{"start": "noon", "end": 2, "text": "x"}]', "'noon' is no time"),
        (b'[{"start": true, "end": 2, "text": "x"}]', "True is no time"),
    ],
)
def test_what_cannot_be_read_says_why(content, message, tmp_path):
    (tmp_path / "a.srt").write_bytes(content)
    with pytest.raises(SubtitleError, match=message):
        load_subtitles(tmp_path / "a.srt")


def test_missing_files_folders_and_broken_json_say_so(tmp_path):
    (tmp_path / "a.json").write_text("[" * 100_000)
    reasons = {"none.srt": "No such file", ".": "a folder", "a.json": "no valid JSON"}
    for name, reason in reasons.items():
        with pytest.raises(SubtitleError, match=reason):
            load_subtitles(tmp_path / name)


@PROPERTY
@given(st.binary(max_size=300) | st.text("0123456789:,.->[]{}\n\"aé'", max_size=300))
def test_any_bytes_load_or_raise_a_subtitle_error(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "fuzz.srt"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with suppress(SubtitleError):
        load_subtitles(file)


def test_text_joins_three_lines_thins_out_more_and_is_cut():
    assert track("a", "b", "c").text(0, 3) == "a | b | c"
    assert track("a", "b", "c").text(1, 2) == "b"
    assert track(*"abcdefg").text(0, 7) == "a | d | g"
    assert track(*"abcdefg").text(0, 7, max_lines=1) == "d"
    assert track("x\ny", "x y", "z", "x y").text(0, 4) == "x y | z | x y"
    assert track("a").text(5, 9) == ""
    text = track("word " * 40).text(0, 1)
    assert len(text) == 120
    assert text.endswith("word…")
    assert track("x" * 120).text(0, 1) == "x" * 120
    assert track("abcdef").text(0, 1, max_characters=4) == "abc…"


@PROPERTY
@given(tracks, times, times)
def test_between_is_the_overlap_test(subtitles, one, other):
    start, end = min(one, other), max(one, other)
    expected = [c for c in subtitles.cues if c.start_seconds < end and c.end_seconds > start]
    assert list(subtitles.between(start, end)) == expected


@PROPERTY
@given(tracks, st.integers(-(10**4), 10**4))
def test_shifting_moves_the_text_with_the_times(subtitles, seconds):
    moved = subtitles.shifted(seconds)
    assert [c.text for c in moved] == [c.text for c in subtitles]
    assert [c.start_seconds - seconds for c in moved] == pytest.approx(subtitles._starts, abs=1e-9)


@PROPERTY
@given(tracks, times, st.floats(0.01, 1e4))
def test_clipped_cues_lie_in_the_span_and_lose_no_text(subtitles, start, length):
    clipped = subtitles.clipped(start, start + length)
    assert all(start <= c.start_seconds < c.end_seconds <= start + length for c in clipped)
    inside = [c.text for c in subtitles.between(start, start + length)]
    assert sorted(c.text for c in clipped) == sorted(inside)


@PROPERTY
@given(tracks)
def test_values_survive_json_and_pickle(subtitles):
    assert Subtitles.from_json(json.loads(json.dumps(subtitles.to_json()))) == subtitles
    assert pickle.loads(pickle.dumps(subtitles)) == subtitles
    assert hash(Subtitles(subtitles.cues)) == hash(subtitles)


def test_scaled_and_joined_and_refused_cues():
    assert rows(track("a", "b").scaled(0.5)) == [(0.0, 0.5, "a"), (0.5, 1.0, "b")]
    assert [c.text for c in track("a", "c").joined(track("b").shifted(0.5))] == ["a", "b", "c"]
    with pytest.raises(ValueError, match="factor"):
        track("a").scaled(0)
    with pytest.raises(SubtitleError, match="end after it starts"):
        Cue(2.0, 2.0, "x")


@pytest.fixture
def data():
    """The folder of real files."""
    if not (DATA / "subtitles").is_dir():
        pytest.skip("no real files: set VIDEOATLAS_DATA to the folder that holds `subtitles`.")
    return DATA


REAL_FILES = {  # number of cues, or what is wrong
    "bom.vtt": 4, "carriage_return.srt": 3, "cue_tags.vtt": 3, "cues-chrono-order.vtt": 3,
    "cues-overlapping.vtt": 3, "elephantsdream.ar.vtt": 77, "elephantsdream.en.vtt": 78,
    "elephantsdream.ja.vtt": 77, "empty-cue.vtt": "none of its 3 cues", "entities.vtt": 7,
    "example.ssa": 6, "gb2312.srt": 3, "html_entities.srt": 3, "invalid_format4.srt": "has text",
    "invalid_timeframe.srt": 5, "made_empty_cues.srt": 52, "made_film.ass": 63,
    "made_zero_bytes.srt": "is empty", "markup.vtt": 4, "metadata_headers.vtt": 2,
    "missing_caption_text.srt": 4, "no_captions.vtt": 0, "non_utf8.srt": 6, "pbs_long.srt": 1847,
    "sample.srt": 5, "se_test.ass": 3, "settings-line.vtt": 46, "ttml_example.ass": 11,
    "subtitle_with_attached_images_aegisub.ass": "none of its 1 cues",
}  # fmt: skip


@pytest.mark.data
@pytest.mark.parametrize("name", REAL_FILES)
def test_real_files_load_whole_or_say_why(name, data):
    expected, path = REAL_FILES[name], data / "subtitles" / name
    if isinstance(expected, str):
        with pytest.raises(SubtitleError, match=expected):
            load_subtitles(path)
    else:
        loaded = load_subtitles(path)
        assert len(loaded) == expected
        assert not any(re.search(r"\{\\|-->|</|&amp|\ufeff", c.text) for c in loaded)


@pytest.mark.data
def test_variants_of_one_film_give_its_cues(data):
    film = load_subtitles(data / "subtitles/elephantsdream.en.vtt")
    variants = ["film", "cp1252_crlf", "html_tags", "negative_duration", "no_counters_dot"]
    for variant in [*variants, "out_of_order", "utf-16-le_bom", "utf8_bom"]:
        assert load_subtitles(data / f"subtitles/made_{variant}.srt") == film
    longer = load_subtitles(data / "subtitles/made_overlapping.srt")
    assert [(c.start_seconds, c.text) for c in longer] == [(c.start_seconds, c.text) for c in film]
    spoken = [c.text for i, c in enumerate(film) if i % 5 != 4]  # the others are comments
    styled = load_subtitles(data / "subtitles/made_film.ass")
    assert [c.text.removesuffix(", with, commas") for c in styled] == spoken
