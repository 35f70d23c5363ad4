"""Files made to be slow or to crash: a megabyte of any of them loads in under a second."""

import time
from contextlib import suppress

import pytest

from videoatlas_gym._subtitle_text import MAX_CUE_CHARACTERS, plain_ass, plain_markup
from videoatlas_gym.subtitles import SubtitleError, load_subtitles

PIECES = [
    *(
        "{\\",
        "{\\p1",
        "{\\p1}",
        "\\p1",
        "{",
        "{\\}",
        "}",
        "<rt",
        "<rt>",
        "<",
        "<a",
        "<br ",
        "&#9",
        "&",
    ),
    *("-->", "00:00:01,000 -->", "1:", " ", "\n", "\r", "[", "{1}", "</rt", "<0"),
]
HEADS = {
    "srt": "00:00:01,000 --> 00:00:02,000\n",
    "vtt": "WEBVTT\n\n00:01.000 --> 00:02.000\n",
    "ass": "[Script Info]\n\n[V4+ Styles]\n\n[Events]\nFormat: Layer, Start, End, Style, Name, "
    "MarginL, MarginR, MarginV, Effect, Text\n"
    "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,",
}


def load_time(path, text):
    """CPU seconds that loading takes, whether it succeeds or says why not."""
    path.write_text(text, newline="")
    started = time.process_time()
    with suppress(SubtitleError):
        load_subtitles(path)
    return time.process_time() - started


@pytest.mark.parametrize("piece", PIECES, ids=repr)
@pytest.mark.parametrize("form", HEADS)
def test_one_endless_cue_loads_at_once(form, piece, tmp_path):
    text = HEADS[form] + piece * (2**20 // len(piece))
    assert load_time(tmp_path / f"a.{form}", text) < 1.0


@pytest.mark.parametrize("piece", PIECES, ids=repr)
@pytest.mark.parametrize("form", HEADS)
def test_a_hundred_long_cues_load_at_once(form, piece, tmp_path):
    *start, line = HEADS[form].splitlines(keepends=True)
    cue = line + piece * (10_000 // len(piece)) + "\n\n"
    assert load_time(tmp_path / f"a.{form}", "".join(start) + cue * 100) < 1.0


def test_of_an_endless_cue_the_beginning_is_kept():
    for plain in (plain_ass, plain_markup):
        assert (
            plain("ab " * MAX_CUE_CHARACTERS) == ("ab " * MAX_CUE_CHARACTERS)[:MAX_CUE_CHARACTERS]
        )


def test_a_character_number_beyond_any_other_is_an_unknown_character():
    assert plain_markup("a&#" + "9" * 5000 + ";b &#65;") == "a\ufffdb A"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"{\p1}m 0 0{\p0}said", "said"),
        (r"{\an8\p2}m 0 0{\b1}l 1 1{\p0\b0}said{\p1}m", "said"),
        (r"{\pos(1,2)}said{\pbo3} more", "said more"),
        (r"{\p1", r"{\p1"),
        (r"a{note}b", "ab"),
    ],
)
def test_drawings_end_where_they_are_switched_off(text, expected):
    assert plain_ass(text) == expected
