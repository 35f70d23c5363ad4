"""Large sound tracks of MP4 files, hidden from the demuxer.

A demuxer builds the index of every track when it opens a file, wanted or not. Ten hours of sound
have twice as many entries as the picture: they cost most of the time and memory of opening, and
each seek walks through them. Here FFmpeg is given the file in pieces, in which the boxes of sound
tracks are called "skip", and passes over them. Box layout: ISO/IEC 14496-12, sections 4.2 and 8.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

MIN_TRACK_BYTES = 1 << 20
"""Smaller tracks are let be: their index costs nothing."""
PROTOCOLS = ("concat", "subfile")
"""Protocols of FFmpeg that `soundless` makes use of."""
_SKIP_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "skip.box")
"""Holds four bytes, "skip". Not "free": FFmpeg looks into boxes of that name."""
_MAX_BOXES = 1000
_MAX_PIECE_BYTES = (1 << 31) - 1
"""FFmpeg's `subfile` counts bytes in 31 bits."""
_MAX_PIECES = 32
"""Each is a descriptor of its own; in larger files sound is let be."""


class _Box(NamedTuple):
    kind: bytes
    start: int
    body: int
    end: int


def soundless(path: str) -> str | None:
    """Return what to open in place of a local file, or None if nothing is to be hidden.

    It reads the file by `PROTOCOLS`: the same bytes, but for the names of the boxes.

    Raises:
        OSError: If the file cannot be read.
    """
    if "|" in path + _SKIP_FILE or not os.path.isfile(_SKIP_FILE):
        return None  # That sign separates the pieces.
    tracks = sound_tracks(path)
    if not tracks:
        return None
    place, pieces = 0, []
    for track in tracks:
        pieces += [*_cut(path, place, track + 4), _SKIP_FILE]
        place = track + 8
    pieces += _cut(path, place, os.path.getsize(path))
    return "concat:" + "|".join(pieces) if len(pieces) <= _MAX_PIECES else None


def _cut(path: str, place: int, end: int) -> list[str]:
    starts = range(place, end, _MAX_PIECE_BYTES)
    ends = [*starts[1:], end]
    return [f"subfile,,start,{s},end,{e},,:{path}" for s, e in zip(starts, ends, strict=True)]


def sound_tracks(path: str) -> list[int]:
    """Return where the large sound tracks of an MP4 file begin, in bytes.

    Returns none for files without pictures, in fragments (whose later parts name their tracks), or
    not built as they should be: those are for the demuxer to make sense of. Sound that names
    another track is left out: that one holds pictures of its chapters, which only the sound tells.

    Raises:
        OSError: If the file cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if os.pread(descriptor, 8, 0)[4:] != b"ftyp":
            return []
        boxes = list(_boxes(descriptor, 0, os.fstat(descriptor).st_size))
        movies = [box for box in boxes if box.kind == b"moov"]
        if len(movies) != 1 or any(box.kind == b"moof" for box in boxes):
            return []
        inside = list(_inside(descriptor, movies[0]))
        if any(box.kind == b"mvex" for box in inside):
            return []
        tracks = [box for box in inside if box.kind == b"trak"]
        handlers = [_handler(descriptor, box) for box in tracks]
        namers = [any(b.kind == b"tref" for b in _inside(descriptor, box)) for box in tracks]
    finally:
        os.close(descriptor)
    if b"vide" not in handlers:
        return []
    return [
        box.start
        for box, handler, names_another in zip(tracks, handlers, namers, strict=True)
        if handler == b"soun" and not names_another and box.end - box.start >= MIN_TRACK_BYTES
    ]


def _boxes(descriptor: int, place: int, end: int) -> Iterator[_Box]:
    """Read the headers of boxes that follow each other, up to the first that makes no sense."""
    for _ in range(_MAX_BOXES):
        header = os.pread(descriptor, 16, place)
        if place + 8 > end or len(header) < 8:
            return
        size, body = int.from_bytes(header[:4], "big"), place + 8
        if size == 1:
            size, body = int.from_bytes(header[8:], "big"), place + 16
        elif size == 0:
            size = end - place
        if place + size < body or place + size > end:
            return
        yield _Box(header[4:8], place, body, place + size)
        place += size


def _inside(descriptor: int, box: _Box) -> Iterator[_Box]:
    return _boxes(descriptor, box.body, box.end)


def _handler(descriptor: int, track: _Box) -> bytes:
    """Return the kind of a track: `vide`, `soun` or another; empty if it is not that plain."""
    media = [box for box in _inside(descriptor, track) if box.kind == b"mdia"]
    if len(media) != 1:
        return b""
    handlers = [box for box in _inside(descriptor, media[0]) if box.kind == b"hdlr"]
    return os.pread(descriptor, 12, handlers[0].body)[8:] if len(handlers) == 1 else b""
