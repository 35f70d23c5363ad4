"""MP4 files with their sound out of the demuxer's sight, as far as it is large.

A demuxer builds the index of every track when it opens a file, wanted or not. Ten hours of sound
have twice as many entries as the picture: they cost most of the time and memory of opening, and
each seek walks through them. Here the boxes of sound tracks read as "skip", which demuxers pass
over; nothing else of the file is touched. Box layout: ISO/IEC 14496-12, sections 4.2 and 8.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

MIN_TRACK_BYTES = 1 << 20
"""Smaller tracks are let be: their index costs nothing."""
_PASSED_OVER = b"skip"
"""Free space; FFmpeg looks into boxes of the other name for it, "free"."""
_MAX_BOXES = 1000
_HANDLER_TYPE = slice(8, 12)
"""Where a handler box says what its track is, from the end of the box's header."""


class _Box(NamedTuple):
    kind: bytes
    start: int
    body: int
    end: int


class SoundlessFile:
    """A local file, open for reading, in which some boxes are called "skip".

    Args:
        path: Its path.
        boxes: Where those boxes begin, in bytes.
    """

    def __init__(self, path: str, boxes: list[int]) -> None:
        self.name = path
        """Read by the demuxer, which guesses the format from it."""
        self._interruption: BaseException | None = None
        self._kinds = [start + 4 for start in boxes]
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._place = 0

    def read(self, count: int) -> bytes:
        """Return up to `count` bytes; none at the end."""
        try:
            data = os.pread(self._descriptor, count, self._place)
            for kind in self._kinds:
                if self._place - 4 < kind < self._place + len(data):
                    data = _overwritten(data, _PASSED_OVER, kind - self._place)
            self._place += len(data)
            return data
        except OSError:
            raise
        except BaseException as interruption:  # Demuxers swallow it, and take the file to end.
            self._interruption = interruption
            return b""

    def check(self) -> None:
        """Raise what interrupted reading, once."""
        if self._interruption is not None:
            interruption, self._interruption = self._interruption, None
            raise interruption

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place; return it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place}
        if whence == os.SEEK_END:
            base[whence] = os.fstat(self._descriptor).st_size
        self._place = base[whence] + offset
        return self._place

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._place

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _overwritten(data: bytes, text: bytes, place: int) -> bytes:
    """Put a text over a part of `data`, as far as it lies inside; `place` may be negative."""
    text, place = text[max(0, -place) :], max(0, place)
    text = text[: len(data) - place]
    return data[:place] + text + data[place + len(text) :]


def sound_tracks(path: str) -> list[int]:
    """Return where the large sound tracks of an MP4 file begin, in bytes.

    None of a file without a picture, in fragments (whose later parts name their tracks), or that is
    not built as it should be: such files are for the demuxer to make sense of.

    Raises:
        OSError: If the file cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        boxes = list(_boxes(descriptor, 0, size))
        if not boxes or boxes[0].kind != b"ftyp":
            return []
        movies = [box for box in boxes if box.kind == b"moov"]
        if len(movies) != 1 or any(box.kind == b"moof" for box in boxes):
            return []
        inside = list(_boxes(descriptor, movies[0].body, movies[0].end))
        if any(box.kind == b"mvex" for box in inside):
            return []
        tracks = [(box, _handler(descriptor, box)) for box in inside if box.kind == b"trak"]
    finally:
        os.close(descriptor)
    if b"vide" not in [handler for _, handler in tracks]:
        return []
    return [
        box.start
        for box, handler in tracks
        if handler == b"soun" and box.end - box.start >= MIN_TRACK_BYTES
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


def _handler(descriptor: int, track: _Box) -> bytes:
    """Return the kind of a track: `vide`, `soun` or another; empty if it does not say."""
    for media in _boxes(descriptor, track.body, track.end):
        if media.kind == b"mdia":
            for box in _boxes(descriptor, media.body, media.end):
                if box.kind == b"hdlr":
                    return os.pread(descriptor, 12, box.body)[_HANDLER_TYPE]
    return b""
