"""From the bytes of a subtitle file to cues: encoding, format, and text without markup.

Knows no file and no video: a name is only for messages. Between text and cues lie rows, whose times
and text are as written; `collect` alone decides what becomes a cue.
"""

from __future__ import annotations

import codecs
import html
import json
import math
import re
import warnings
from bisect import bisect_right
from itertools import pairwise
from typing import Any

import pysubs2

from videoatlas_gym.cues import Cue, SubtitleError, Subtitles

LAST_CUE_SECONDS = 3.0
"""How long a cue without an end is shown when no later cue ends it."""
MAX_CUE_CHARACTERS = 10_000
"""Of a longer cue the rest is dropped, markup included."""

Row = tuple[float, float | None, str]
"""Start, end or None where it is unknown, and text without markup."""

_PARSER_ERRORS = (
    pysubs2.exceptions.Pysubs2Error,
    *(ValueError, LookupError, TypeError, AttributeError, ArithmeticError, SyntaxError),
    RuntimeError,
)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark begins the same
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_TIME_LINE = re.compile(r"\s*(-?\d[\d:]*(?:[.,]\d+)?)\s*-->\s*(-?\d[\d:]*(?:[.,]\d+)?)(?:\s|$)")


def decode(data: bytes, name: str, encoding: str | None) -> str:
    """Return the text of a file, by the rule that `load_subtitles` states."""
    if encoding is None:
        for mark, codec in _BOMS:
            if data.startswith(mark):
                return data[len(mark) :].decode(codec, "replace")
    try:
        text = data.decode(encoding or _guess_encoding(data))
    except (UnicodeError, LookupError) as error:
        raise SubtitleError(
            f"cannot read {name}: its encoding is not {encoding or 'recognised'} ({error!r:.80}). "
            "Save it as UTF-8, or name its encoding (encoding='shift_jis')."
        ) from error
    if "\0" in text or len(re.findall(r"[\x01-\x08\x0e-\x1f]", text)) > len(text) / 100:
        raise SubtitleError(
            f"cannot read {name}: it is a binary file. Give a text file; for tracks inside a video "
            "use read_embedded."
        )
    return text


def _guess_encoding(data: bytes) -> str:
    """Name of the encoding of a text without a byte order mark."""
    zeros = (data[::2].count(0), data[1::2].count(0))
    if max(zeros) > len(data) / 10 > 10 * min(zeros):
        return "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
    if any(zeros):
        return "latin-1"  # binary, which is said where the text is looked at
    try:
        data.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError:
        runs = [len(run) for run in re.findall(rb"[\x80-\xff]+", data)]
    paired = sum(run for run in runs if run > 1)
    return "gb18030" if 2 * paired > sum(runs) else "cp1252"


def parse(text: str, name: str, *, is_named_json: bool) -> list[Row]:
    """Return the rows of a file in any format; one named JSON must not be broken JSON."""
    if text.lstrip()[:1] in ("[", "{"):  # ASS, MPL2 and MicroDVD begin with brackets as well
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            if is_named_json:
                raise SubtitleError(
                    f"cannot read {name}: it is no valid JSON ({error})."
                ) from error
        else:
            return json_rows(data, name)
    return _parse_other(text, name)


def _parse_other(text: str, name: str) -> list[Row]:
    """Rows of a file in any format but JSON."""
    if re.match(r"\s*WEBVTT", text):
        return _timed_blocks(text, ends_at_blank=True)
    if not re.search(r"^\[(Script Info|V4\+? Styles|Events)\]", text, re.MULTILINE | re.IGNORECASE):
        rows = _timed_blocks(text, ends_at_blank=False)
        if rows:
            return rows
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles, which are not looked at
            file = pysubs2.SSAFile.from_string(text)
    except _PARSER_ERRORS as error:
        raise SubtitleError(
            f"cannot read {name}: nothing in it looks like a subtitle ({error!r:.80}). Give SRT, "
            "VTT, ASS, TTML, SAMI, MicroDVD with its frame rate, or JSON."
        ) from error
    events = (event for event in file if not event.is_comment)
    return [(event.start / 1000, event.end / 1000, plain_ass(event.text)) for event in events]


def _timed_blocks(text: str, *, ends_at_blank: bool) -> list[Row]:
    """Rows of an SRT or VTT text.

    Not by pysubs2, which takes VTT notes and cue names for text, a line with two inline time stamps
    (YouTube writes them) for a time line, and a last line of digits for a counter.
    """
    lines = re.split(r"\r\n|\r|\n", text)
    heads = [index for index, line in enumerate(lines) if "-->" in line] + [len(lines) + 1]
    rows = []
    for head, following in pairwise(heads):
        match = _TIME_LINE.match(lines[head])
        body = lines[head + 1 : following]
        if ends_at_blank:
            body = body[: next((i for i, line in enumerate(body) if not line.strip()), len(body))]
        elif following <= len(lines) and _ends_in_counter(body):
            body = body[:-1]
        if match:
            try:
                start, end = map(_seconds, match.groups())
            except ValueError:
                continue
            rows.append((start, end, plain_markup("\n".join(body))))
    return rows


def _ends_in_counter(body: list[str]) -> bool:
    """Whether the line before the next time line is that cue's number, not spoken digits."""
    return bool(body) and body[-1].strip().isdigit() and (len(body) == 1 or not body[-2].strip())


def json_rows(data: Any, name: str) -> list[Row]:
    """Return the rows of a JSON list, or of one in a dict (Whisper: `segments`, `chunks`)."""
    for key in ("subtitles", "segments", "chunks"):
        data = data.get(key, data) if isinstance(data, dict) else data
    if not isinstance(data, list):
        raise SubtitleError(
            f"cannot read {name}: expected a list of cues, got {type(data).__name__}. "
            'Write [{"start": 1.0, "end": 2.5, "text": "..."}, ...].'
        )
    return [_json_row(item, f"item {index} of {name}") for index, item in enumerate(data)]


def _json_row(item: Any, name: str) -> Row:
    """One cue of a JSON list."""
    try:
        start, end = item["timestamp"] if "timestamp" in item else (item["start"], item.get("end"))
        text = next(item[key] for key in ("text", "content", "line") if key in item)
        start, end = _seconds(start), None if end is None else _seconds(end)
    except (LookupError, AttributeError, StopIteration, TypeError, ValueError) as error:
        why = "it has no text" if isinstance(error, StopIteration) else error
        raise SubtitleError(
            f"cannot read {name}, {item!r:.80}: {why}. "
            "Give text (or content, line) and start, end (or timestamp: [start, end])."
        ) from error
    return start, end, plain_markup(str("" if text is None else text))


def _seconds(value: Any) -> float:
    """Seconds from a number, "MM:SS" or "HH:MM:SS.mmm" (or with a comma)."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    parts = re.fullmatch(r"(-?)(?:(?:(\d+):)?(\d+):)?(\d+(?:[.,]\d*)?)", str(value).strip())
    if not parts:
        raise ValueError(f"{value!r} is no time; write seconds, 'MM:SS' or 'HH:MM:SS.mmm'")
    sign, hours, minutes, seconds = parts.groups()
    whole = float(hours or 0) * 3600 + float(minutes or 0) * 60
    total = round(whole + float(seconds.replace(",", ".")), 6)
    if not math.isfinite(total):
        raise ValueError(f"{value!r:.40} is too long a time")
    return -total if sign else total


def collect(rows: list[Row], name: str) -> Subtitles:
    """Turn rows into cues: drop those without text, swap reversed times, fill in missing ends."""
    cleaned = ((start, end, _tidy(text)) for start, end, text in rows)
    kept = [
        (min(start, end), max(start, end), text) if end is not None else (start, start, text)
        for start, end, text in cleaned
        if text
    ]
    if rows and not kept:
        raise SubtitleError(
            f"cannot read {name}: none of its {len(rows)} cues has text. Fill them in, or turn "
            "subtitles off."
        )
    starts = sorted(row[0] for row in kept)
    cues = []
    for start, end, text in kept:
        following = bisect_right(starts, start)
        open_end = starts[following] if following < len(kept) else start + LAST_CUE_SECONDS
        cues.append(Cue(start, end if end > start else open_end, text))
    return Subtitles(tuple(cues))


def _tidy(text: str) -> str:
    """Lines with single blanks between words, without empty lines."""
    lines = (" ".join(line.replace("\ufeff", "").split()) for line in re.split(r"\r\n?|\n", text))
    return "\n".join(line for line in lines if line)


def plain_markup(text: str) -> str:
    """Return an SRT or VTT cue without tags (ruby with its annotation), ASS tags and entities."""
    # No pattern looks beyond the next opening bracket: each takes time linear in the text.
    text = text[:MAX_CUE_CHARACTERS]
    text = re.sub(r"<rt\b[^<>]*>.*?(</rt>|(?=</ruby>)|$)", "", text, flags=re.DOTALL)
    text = re.sub(r"<br */?>|\\N", "\n", text)
    text = re.sub(r"</?[a-zA-Z][^<>]*>|<[\d:.]+>|</>|\{\\[^{}]*\}", "", text)
    text = re.sub(r"&#\d{9,};?", "\ufffd", text.replace(r"\h", " "))  # Python refuses such numbers
    return html.unescape(text)


def plain_ass(text: str) -> str:
    """Return the text of an ASS event without override tags and drawings."""
    said, is_drawing = [], False
    for index, part in enumerate(re.split(r"\{([^{}]*)\}", text[:MAX_CUE_CHARACTERS])):
        if index % 2:  # the inside of an override block, which may switch drawing on and off
            modes = re.findall(r"\\p(\d)", part)
            is_drawing = modes[-1] != "0" if modes else is_drawing
        elif not is_drawing:
            said.append(part)
    return re.sub(r"\\[Nn]", "\n", "".join(said)).replace(r"\h", " ")
