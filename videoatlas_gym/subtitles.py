"""What is said when: cues with times, their text over a span, and every way to read them.

Knows no video engine and no question. Cues are immutable, sorted by start, may overlap, and each is
on display for some time (start < end). Times are seconds from the first displayed frame.
"""

from __future__ import annotations

import codecs
import html
import json
import math
import re
import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import av
import pysubs2
from av.stream import Discard, Disposition

LAST_CUE_SECONDS = 3.0
"""How long a cue without an end is shown when no later cue ends it."""
SIDECAR_SUFFIXES = (".srt", ".vtt", ".ass", ".ssa", ".ttml", ".json")
BITMAP_CODECS = {"pgssub", "hdmv_pgs_subtitle", "dvdsub", "dvd_subtitle", "dvbsub", "dvb_subtitle"}
MAX_FILE_BYTES = 64 * 2**20
"""No subtitle file is larger; a video given by mistake is refused before it is read."""

_Row = tuple[float, float | None, str]  # start, end or None where unknown, text without markup
_PARSER_ERRORS = (
    pysubs2.exceptions.Pysubs2Error,
    *(ValueError, LookupError, TypeError, AttributeError, ArithmeticError, SyntaxError),
)


class SubtitleError(ValueError):
    """Subtitles cannot be read; the message says which, why, and what to do next."""


@dataclass(frozen=True)
class Cue:
    """One subtitle, on display during ``[start_seconds, end_seconds)``; `text` may have lines."""

    start_seconds: float
    end_seconds: float
    text: str

    def __post_init__(self) -> None:
        if not -math.inf < self.start_seconds < self.end_seconds < math.inf:
            raise SubtitleError(
                f"a cue must end after it starts, got [{self.start_seconds}, {self.end_seconds}) "
                f"seconds for {self.text!r}."
            )


def _start(cue: Cue) -> float:
    return cue.start_seconds


@dataclass(frozen=True)
class Subtitles:
    """An immutable track of cues, sorted by start (stable); equal when the cues are equal."""

    cues: tuple[Cue, ...] = ()
    _starts: list[float] = field(init=False, repr=False, compare=False)
    _reach: list[float] = field(init=False, repr=False, compare=False)  # latest end up to each cue

    def __post_init__(self) -> None:
        object.__setattr__(self, "cues", tuple(sorted(self.cues, key=_start)))
        object.__setattr__(self, "_starts", [cue.start_seconds for cue in self.cues])
        ends = (cue.end_seconds for cue in self.cues)
        object.__setattr__(self, "_reach", list(accumulate(ends, max)))

    def __len__(self) -> int:
        return len(self.cues)

    def __iter__(self) -> Iterator[Cue]:
        return iter(self.cues)

    def __repr__(self) -> str:
        if not self.cues:
            return "Subtitles()"
        return f"Subtitles({len(self)} cues, {self._starts[0]:g} s to {self._reach[-1]:g} s)"

    def between(self, start_seconds: float, end_seconds: float) -> tuple[Cue, ...]:
        """Return the cues on display at some moment of ``(start, end)``, in order, by bisection."""
        first = bisect_right(self._reach, start_seconds)  # every earlier cue is over by then
        stop = bisect_left(self._starts, end_seconds)
        return tuple(cue for cue in self.cues[first:stop] if cue.end_seconds > start_seconds)

    def text(
        self,
        start_seconds: float,
        end_seconds: float,
        *,
        max_lines: int = 3,
        max_characters: int = 120,
    ) -> str:
        """Return what is said during a span as one short line (VideoAtlas).

        Each cue is one line; a line that repeats the one before it exactly is dropped. Up to
        `max_lines` lines are joined by `` | ``; of more, evenly spread ones from the first to the
        last stand for all (first | middle | last). Cut to `max_characters`, it ends in an ellipsis.
        """
        lines = [" ".join(cue.text.split()) for cue in self.between(start_seconds, end_seconds)]
        lines = lines[:1] + [line for before, line in pairwise(lines) if line != before]
        joined = " | ".join(_spread(lines, max_lines))
        if len(joined) <= max_characters:
            return joined
        return joined[: max(max_characters - 1, 0)].rstrip() + "…"

    def shifted(self, seconds: float) -> Subtitles:
        """Return the cues moved by `seconds`; negative values move them earlier."""
        return self._mapped(1.0, seconds)

    def scaled(self, factor: float) -> Subtitles:
        """Return the cues with all times multiplied by `factor` (> 0)."""
        if not 0 < factor < math.inf:
            raise ValueError(f"factor must be positive and finite, got {factor}.")
        return self._mapped(factor, 0.0)

    def clipped(self, start_seconds: float, end_seconds: float) -> Subtitles:
        """Return the cues of a span, each cut to it; nothing is moved."""
        cues = self.between(start_seconds, end_seconds)
        spans = [
            (max(c.start_seconds, start_seconds), min(c.end_seconds, end_seconds)) for c in cues
        ]
        return Subtitles(tuple(Cue(*span, c.text) for span, c in zip(spans, cues, strict=True)))

    def joined(self, *others: Subtitles) -> Subtitles:
        """Return one track with the cues of this and the others."""
        return Subtitles(tuple(cue for track in (self, *others) for cue in track.cues))

    def to_json(self) -> list[dict[str, Any]]:
        """Return plain JSON data from which `from_json` makes an equal track."""
        return [{"start": c.start_seconds, "end": c.end_seconds, "text": c.text} for c in self.cues]

    @classmethod
    def from_json(cls, data: list[dict[str, Any]]) -> Subtitles:
        """Read what `to_json` wrote, exactly; for other people's lists see `resolve_subtitles`."""
        return cls(tuple(Cue(item["start"], item["end"], item["text"]) for item in data))

    def _mapped(self, factor: float, offset: float) -> Subtitles:
        def moved(seconds: float) -> float:
            return seconds * factor + offset

        cues = ((moved(c.start_seconds), moved(c.end_seconds), c.text) for c in self.cues)
        # Far from zero a very short cue can round to nothing; then it is gone.
        return Subtitles(tuple(Cue(*cue) for cue in cues if cue[0] < cue[1]))


@dataclass(frozen=True)
class SubtitleTrack:
    """A subtitle track inside a video file; `index` counts subtitle tracks from 0."""

    index: int
    codec: str
    language: str
    title: str
    is_text: bool
    """False for pictures of text (DVD, Blu-ray, DVB), which cannot be read."""


def load_subtitles(path: str | Path, *, encoding: str | None = None) -> Subtitles:
    """Read a subtitle file: SRT, VTT, ASS, SSA, TTML, SAMI, MicroDVD, MPL2, TMP or JSON.

    The content tells the format, not the name. Tags, entities, drawings, comments and ruby
    annotations are removed; cues without text are dropped; of cues that end before they start the
    two times are swapped; overlapping cues stay. A cue without an end (JSON null, or 0 s long)
    lasts until the next one starts, the last one `LAST_CUE_SECONDS`. A file that declares its
    format but no cue (a bare ``WEBVTT``, ``[]``) gives no cues.

    Encoding: a byte order mark decides; else UTF-16 if zeros fill every other byte; else UTF-8 if
    valid; else GB18030 when most bytes >= 0x80 stand beside another such byte, and cp1252 when most
    stand alone (accents among plain letters). Name any other encoding by `encoding`.

    Raises:
        SubtitleError: If the file is missing, a folder, empty, binary, in an unknown format or
            encoding, or if it holds cues but no text at all.
    """
    name = repr(Path(path).name)
    text = _decode(_read_bytes(Path(path), name), name, encoding)
    if text.lstrip()[:1] in ("[", "{"):
        try:
            data = json.loads(text)
        except (
            ValueError,
            RecursionError,
        ) as error:  # ASS, MPL2 and MicroDVD begin with brackets as well
            if Path(path).suffix.lower() == ".json":
                raise SubtitleError(
                    f"cannot read {name}: it is no valid JSON ({error})."
                ) from error
        else:
            return _collect(_json_rows(data, name), name)
    return _collect(_parse(text, name), name)


def embedded_tracks(path: str | Path) -> tuple[SubtitleTrack, ...]:
    """List the subtitle tracks inside a video file.

    Raises:
        SubtitleError: If the file cannot be opened as a video.
    """
    with _open_container(path) as container:
        return tuple(_track(i, stream) for i, stream in enumerate(container.streams.subtitles))


def read_embedded(path: str | Path, track: int = 0) -> Subtitles:
    """Read a text track inside a video file; reads (not decodes) the file to its end.

    Times count from the first displayed frame of the video track, as everywhere.

    Raises:
        SubtitleError: If the file cannot be opened, has no such track, or the track holds no text.
    """
    tracks = embedded_tracks(path)
    name = f"subtitle track {track} of {Path(path).name!r}"
    if not 0 <= track < len(tracks) or not tracks[track].is_text:
        readable = [
            f"{t.index} ({t.codec} {t.language}".rstrip() + ")" for t in tracks if t.is_text
        ]
        raise SubtitleError(
            f"cannot read {name}: the file has {len(tracks)} subtitle tracks, of which these hold "
            f"text: {', '.join(readable) or 'none'}."
        )
    origin = _first_frame_seconds(path)
    with _open_container(path) as container:
        rows = list(_packet_rows(container, track, origin))
    return _collect(rows, name)


def resolve_subtitles(value: Any, video_path: str | Path | None = None) -> Subtitles:
    """Return the cues that an option `subtitles=value` means.

    Args:
        value: None or False for none; "auto" for the file beside the video with its name and one
            of `SIDECAR_SUFFIXES`, else its first embedded text track, else none; a path; a list of
            dicts with text (or content, line) and start, end (or timestamp: [start, end]) in
            seconds, "MM:SS" or "HH:MM:SS.mmm"; or `Subtitles`, which come back as they are.
        video_path: Where "auto" looks; None finds nothing.

    Raises:
        SubtitleError: If what was named, or found beside the video, cannot be read.
        TypeError: If `value` is something else.
    """
    if value is None or value is False:
        return Subtitles()
    if isinstance(value, Subtitles):
        return value
    if value == "auto":
        return Subtitles() if video_path is None else _find_subtitles(Path(video_path))
    if isinstance(value, str | Path):
        return load_subtitles(value)
    if isinstance(value, list):
        return _collect(_json_rows(value, "the given list"), "the given list")
    raise TypeError(
        "subtitles must be None, False, 'auto', a path, a list of cues or Subtitles, "
        f"got {value!r}."
    )


def _spread(lines: list[str], count: int) -> list[str]:
    """At most `count` of the lines: the first, the last, and evenly between them."""
    if len(lines) <= count:
        return lines
    if count == 1:
        return [lines[len(lines) // 2]]
    return [lines[min(i * len(lines) // (count - 1), len(lines) - 1)] for i in range(count)]


def _collect(rows: list[_Row], name: str) -> Subtitles:
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


def _plain_markup(text: str) -> str:
    """Text of an SRT or VTT cue: no tags (ruby with its annotation), no ASS tags, no entities."""
    text = re.sub(r"<rt\b[^>]*>.*?(</rt>|(?=</ruby>)|$)", "", text, flags=re.DOTALL)
    text = re.sub(r"<br */?>|\\N", "\n", text)
    text = re.sub(r"</?[a-zA-Z][^<>]*>|<[\d:.]+>|</>|\{\\[^}]*\}", "", text)
    return html.unescape(text.replace(r"\h", " "))


def _plain_ass(text: str) -> str:
    """Text of an ASS event: no override tags, no drawings."""
    text = re.sub(r"\{[^}]*\\p[1-9][^}]*\}.*?(?=\{[^}]*\\p0|$)", "", text, flags=re.DOTALL)
    return re.sub(r"\\[Nn]", "\n", re.sub(r"\{[^}]*\}", "", text)).replace(r"\h", " ")


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


def _json_rows(data: Any, name: str) -> list[_Row]:
    """Cues of a JSON list, which may lie under a key of a dict (Whisper: `segments`, `chunks`)."""
    for key in ("subtitles", "segments", "chunks"):
        data = data.get(key, data) if isinstance(data, dict) else data
    if not isinstance(data, list):
        raise SubtitleError(
            f"cannot read {name}: expected a list of cues, got {type(data).__name__}. "
            'Write [{"start": 1.0, "end": 2.5, "text": "..."}, ...].'
        )
    return [_json_row(item, f"item {index} of {name}") for index, item in enumerate(data)]


def _json_row(item: Any, name: str) -> _Row:
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
    return start, end, _plain_markup(str("" if text is None else text))


def _parse(text: str, name: str) -> list[_Row]:
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
    return [(event.start / 1000, event.end / 1000, _plain_ass(event.text)) for event in events]


_TIME_LINE = re.compile(r"\s*(-?\d[\d:]*(?:[.,]\d+)?)\s*-->\s*(-?\d[\d:]*(?:[.,]\d+)?)(?:\s|$)")


def _timed_blocks(text: str, *, ends_at_blank: bool) -> list[_Row]:
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
            rows.append((start, end, _plain_markup("\n".join(body))))
    return rows


def _ends_in_counter(body: list[str]) -> bool:
    """Whether the line before the next time line is that cue's number, not spoken digits."""
    return bool(body) and body[-1].strip().isdigit() and (len(body) == 1 or not body[-2].strip())


def _read_bytes(path: Path, name: str) -> bytes:
    """The bytes of a file that can be a subtitle file."""
    try:
        if path.is_dir():
            raise SubtitleError(f"cannot read {name}: it is a folder. Give a subtitle file.")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise SubtitleError(
                f"cannot read {name}: its {path.stat().st_size} bytes are too many for subtitles "
                f"(at most {MAX_FILE_BYTES}). For tracks inside a video use read_embedded."
            )
        data = path.read_bytes()
    except OSError as error:
        raise SubtitleError(
            f"cannot read {name}: {error.strerror or error}. Check the path, or turn subtitles off."
        ) from error
    if not data:
        raise SubtitleError(
            f"cannot read {name}: it is empty (0 bytes). Turn subtitles off instead."
        )
    return data


_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark begins the same
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def _decode(data: bytes, name: str, encoding: str | None) -> str:
    """The text of a file, by the rule that `load_subtitles` states."""
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


def _find_subtitles(video: Path) -> Subtitles:
    """The sidecar file of a video, else its first embedded text track, else none."""
    for suffix in SIDECAR_SUFFIXES:
        sidecar = video.with_suffix(suffix)
        if sidecar.is_file():
            try:
                return load_subtitles(sidecar)
            except SubtitleError:
                if suffix != ".json":  # other things than subtitles are called .json as well
                    raise
    try:
        tracks = embedded_tracks(video)
    except SubtitleError:  # whoever opens the video says what is wrong with it
        return Subtitles()
    text_tracks = [track.index for track in tracks if track.is_text]
    return read_embedded(video, text_tracks[0]) if text_tracks else Subtitles()


def _open_container(path: str | Path) -> av.container.InputContainer:
    """Open a video file for reading."""
    try:
        return av.open(str(path), metadata_errors="replace")
    except (OSError, av.FFmpegError) as error:
        raise SubtitleError(
            f"cannot read subtitles inside {Path(path).name!r}: {error.strerror}. Give a video."
        ) from error


def _track(index: int, stream: av.stream.Stream) -> SubtitleTrack:
    """Describe a subtitle stream; `codec_context` is None where FFmpeg has no decoder."""
    codec = stream.codec_context.name if stream.codec_context else "unknown"
    language, title = stream.metadata.get("language", ""), stream.metadata.get("title", "")
    return SubtitleTrack(index, codec, language, title, codec not in BITMAP_CODECS)


def _first_frame_seconds(path: str | Path) -> Fraction:
    """Exact container time of the first displayed frame (decodes it); 0 without a video."""
    with _open_container(path) as container:
        streams = [
            s for s in container.streams.video if not s.disposition & Disposition.attached_pic
        ]
        if not streams:
            return Fraction(0)
        # The choice of VideoReader: a default track before others, then the largest.
        flagged = [s for s in streams if s.disposition & Disposition.default]
        stream = max(flagged or streams, key=lambda s: s.width * s.height)
        try:
            ticks = next(container.decode(stream)).pts
        except (av.FFmpegError, StopIteration):
            ticks = stream.start_time
        return (ticks or 0) * stream.time_base


def _packet_rows(
    container: av.container.InputContainer, track: int, origin: Fraction
) -> Iterator[_Row]:
    """Rows of a track, times from `origin` on; a damaged file gives those before the damage."""
    stream = container.streams.subtitles[track]
    for other in container.streams:
        other.discard = Discard.default if other is stream else Discard.all  # not even read
    try:
        for packet in container.demux(stream):
            if packet.pts is not None and packet.size:
                start = packet.pts * packet.time_base - origin
                end = start + packet.duration * packet.time_base if packet.duration else None
                text = _packet_text(packet, stream)
                yield float(start), None if end is None else float(end), text
    except av.FFmpegError:
        return


def _packet_text(packet: av.Packet, stream: av.stream.Stream) -> str:
    """Text of a packet: FFmpeg decodes it to ASS lines; where it has no decoder, the bytes."""
    if stream.codec_context is None:
        try:
            text = bytes(packet).decode("utf-8")
        except UnicodeDecodeError:
            return ""
        return "" if "\0" in text else _plain_markup(text)
    lines = (bytes(rect.ass).decode("utf-8", "replace") for rect in packet.decode() if rect.ass)
    return "\n".join(_plain_ass(line.split(",", 8)[-1]) for line in lines)
