"""The boxes that MP4 files are made of. Layout: ISO/IEC 14496-12, section 4.2.

Files are not to be trusted: so many boxes, and so many bytes of them, are read at most.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

_MAX_BOXES = 10_000
_MAX_BYTES = 128 << 20
"""Headers and tables of a video of 70 hours take less."""

_CONTAINERS = {
    b"moov": {b"mvhd", b"trak"},
    b"trak": {b"tkhd", b"edts", b"mdia", b"tref"},
    b"edts": {b"elst"},
    b"mdia": {b"mdhd", b"hdlr", b"minf", b"elng"},
    b"minf": {b"vmhd", b"smhd", b"nmhd", b"sthd", b"hmhd", b"stbl"},
    b"stbl": {
        *(b"stts", b"ctts", b"stsc", b"stsz", b"stz2", b"stco", b"co64", b"stss", b"stps"),
        *(b"sdtp", b"cslg", b"sgpd", b"sbgp", b"subs", b"saiz", b"saio", b"padb", b"stdp"),
    },
}
"""What may be in what."""
_OPAQUE = {
    *(b"udta", b"meta", b"iods", b"tapt", b"load", b"dinf", b"gmhd", b"stsd", b"hdlr"),
    *(b"free", b"skip", b"wide", b"uuid"),
}
"""What may be anywhere; nothing inside of it is needed here."""
_TELLING = re.compile(
    rb"moov|moof|mvhd|cmov|trak|tkhd|edts|elst|mdhd|stts|ctts|stsc|stsz|stz2|stco|co64|stss|stps"
)
"""Demuxers take these for what they say wherever they come upon them."""
_MOVIES_IN_DISGUISE = {b"mvhd", b"cmov"}


class NotPlain(Exception):
    """The file is not built as is expected here; demuxers may make sense of it."""


class Box(NamedTuple):
    """A part of the file; `body` to `end` are its contents."""

    kind: bytes
    start: int
    body: int
    end: int


class BoxReader:
    """Reads the boxes of an opened file. Whatever is not as it should be raises `NotPlain`.

    Args:
        descriptor: Of the file; its position is neither used nor changed.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.num_bytes = os.fstat(descriptor).st_size
        self._left_boxes, self._left_bytes = _MAX_BOXES, _MAX_BYTES

    def top(self) -> list[Box]:
        """Return the boxes of the file; a last one may be broken off."""
        boxes = list(self._boxes(0, self.num_bytes))
        require(boxes and boxes[0].kind == b"ftyp")
        for box in boxes:
            require(box.kind in {b"ftyp", b"moov", b"mdat"} or box.kind in _OPAQUE)
            if box.kind in _OPAQUE and box.end - box.body >= 8:
                require(self.read(box.body + 4, box.body + 8) not in _MOVIES_IN_DISGUISE)
        return boxes

    def inside(self, box: Box) -> list[Box]:
        """Return the boxes that one is made of."""
        boxes = list(self._boxes(box.body, box.end))
        require(boxes and boxes[-1].end == box.end)
        return boxes

    def check(self, box: Box) -> None:
        """Require that nothing in a box, or deeper in it, can be taken for what it is not."""
        for child in self.inside(box):
            if child.kind in _CONTAINERS[box.kind]:
                if child.kind in _CONTAINERS:
                    self.check(child)
            else:
                require(child.kind in _OPAQUE and not _TELLING.search(self.body(child)))

    def _boxes(self, place: int, end: int) -> Iterator[Box]:
        """Read the headers of boxes that follow each other, up to the first that makes no sense."""
        while place + 8 <= end:
            self._left_boxes -= 1
            require(self._left_boxes >= 0)
            header = os.pread(self._descriptor, 16, place)
            if len(header) < 8:
                return
            size, body = int.from_bytes(header[:4], "big"), place + 8
            if size == 1:
                size, body = int.from_bytes(header[8:], "big"), place + 16
            elif size == 0:
                size = end - place
            if place + size < body or place + size > end:
                return
            yield Box(header[4:8], place, body, place + size)
            place += size

    def descend(self, box: Box, *path: bytes) -> Box:
        """Return a box in a box in a box, each the only one of its kind there."""
        for kind in path:
            box = only(self.inside(box), kind)
        return box

    def read(self, start: int, end: int) -> bytes:
        """Return a part of the file."""
        self._left_bytes -= end - start
        require(self._left_bytes >= 0)
        data = os.pread(self._descriptor, end - start, start)
        require(len(data) == end - start)
        return data

    def body(self, box: Box) -> bytes:
        """Return the contents of a box."""
        return self.read(box.body, box.end)


def only(boxes: list[Box], kind: bytes) -> Box:
    """Return the box of a kind, which has to be the only one."""
    found = [box for box in boxes if box.kind == kind]
    require(len(found) == 1)
    return found[0]


def require(condition: object) -> None:
    """Raise `NotPlain` unless it holds."""
    if not condition:
        raise NotPlain


def written(kind: bytes, *parts: bytes) -> bytes:
    """Return a box of its contents."""
    return struct.pack(">I4s", 8 + sum(map(len, parts)), kind) + b"".join(parts)
