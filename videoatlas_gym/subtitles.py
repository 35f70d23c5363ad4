"""Every way to get subtitles: from a file, from inside a video, or from what an option names.

Knows no format, which `_subtitle_text` reads, and no video engine: of a video it takes the subtitle
packets and the time of the first displayed frame, from which all times count.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.stream import Discard, Disposition

from videoatlas_gym._subtitle_text import (
    LAST_CUE_SECONDS,
    Row,
    collect,
    decode,
    json_rows,
    parse,
    plain_ass,
    plain_markup,
)
from videoatlas_gym.cues import Cue, SubtitleError, Subtitles

__all__ = [
    "BITMAP_CODECS",
    "LAST_CUE_SECONDS",
    "MAX_FILE_BYTES",
    "SIDECAR_SUFFIXES",
    "Cue",
    "SubtitleError",
    "SubtitleTrack",
    "Subtitles",
    "embedded_tracks",
    "load_subtitles",
    "read_embedded",
    "resolve_subtitles",
]

SIDECAR_SUFFIXES = (".srt", ".vtt", ".ass", ".ssa", ".ttml", ".json")
BITMAP_CODECS = {"pgssub", "hdmv_pgs_subtitle", "dvdsub", "dvd_subtitle", "dvbsub", "dvb_subtitle"}
MAX_FILE_BYTES = 64 * 2**20
"""No subtitle file is larger; a video given by mistake is refused before it is read."""


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
    path = Path(path)
    name = repr(path.name)
    text = decode(_read_bytes(path, name), name, encoding)
    return collect(parse(text, name, is_named_json=path.suffix.lower() == ".json"), name)


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
    return collect(rows, name)


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
        return collect(json_rows(value, "the given list"), "the given list")
    raise TypeError(
        "subtitles must be None, False, 'auto', a path, a list of cues or Subtitles, "
        f"got {value!r}."
    )


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
        return av.open(os.path.abspath(path), metadata_errors="replace")
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
            s
            for s in container.streams.video
            if s.codec_context is not None and not s.disposition & Disposition.attached_pic
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
) -> Iterator[Row]:
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
    except (av.FFmpegError, IndexError):  # the latter where a track appears midway
        return


def _packet_text(packet: av.Packet, stream: av.stream.Stream) -> str:
    """Text of a packet: FFmpeg decodes it to ASS lines; where it has no decoder, the bytes."""
    if stream.codec_context is None:
        try:
            text = bytes(packet).decode("utf-8")
        except UnicodeDecodeError:
            return ""
        return "" if "\0" in text else plain_markup(text)
    lines = (bytes(rect.ass).decode("utf-8", "replace") for rect in packet.decode() if rect.ass)
    return "\n".join(plain_ass(line.split(",", 8)[-1]) for line in lines)
