"""A file of the first samples of a plain MP4 file, which says the same of its track.

Demuxers tell by it what they make of the whole file, and take no more time and memory than for its
samples.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from videoatlas_gym.video._boxes import Box, BoxReader, require, written

if TYPE_CHECKING:
    from videoatlas_gym.video._mp4 import Samples

_SAMPLES = 64
_MIN_SAMPLES = 17
"""Enough for all that H.264 and HEVC show before the picture they begin with."""
_BYTES, _MAX_BYTES = 1 << 20, 8 << 20
"""Of so many samples as fit into the first; of the fewest, at most."""
_MAX_BOX_BYTES = 1 << 20

_COPIED = {
    b"moov": {b"mvhd", b"trak"},
    b"trak": {b"tkhd", b"edts", b"mdia"},
    b"mdia": {b"mdhd", b"hdlr", b"minf"},
    b"minf": {b"vmhd", b"dinf", b"stbl"},
    b"stbl": {b"stsd"},
}


def count_of(sizes: NDArray[np.int32]) -> int:
    """Return how many first samples a miniature holds; 0 if they are too large for one."""
    ends = np.cumsum(sizes[:_SAMPLES], dtype=np.int64)
    count = max(int((ends <= _BYTES).sum()), min(_MIN_SAMPLES, len(sizes)))
    return count if ends[count - 1] <= _MAX_BYTES else 0


def miniature(
    reader: BoxReader, kind: Box, movie: Box, track: Box, samples: Samples, count: int
) -> bytes:
    """Write a miniature of the first `count` samples."""
    starts, sizes = samples.offsets(0, count).tolist(), samples.sizes[:count].tolist()
    data = [reader.read(start, start + size) for start, size in zip(starts, sizes, strict=True)]
    head = _copied(reader, kind)
    tables = _tables(samples, count, len(head) + 8)
    kept = [box for box in reader.inside(movie) if box.kind == b"mvhd" or box == track]
    return b"".join((head, written(b"mdat", *data), _rebuilt(reader, b"moov", kept, tables)))


def _rebuilt(reader: BoxReader, kind: bytes, inside: list[Box], tables: bytes) -> bytes:
    """Copy what is needed of a box, with other tables."""
    parts = [
        _rebuilt(reader, box.kind, reader.inside(box), tables)
        if box.kind in _COPIED
        else _copied(reader, box)
        for box in inside
        if box.kind in _COPIED[kind]
    ]
    return written(kind, *parts, tables if kind == b"stbl" else b"")


def _copied(reader: BoxReader, box: Box) -> bytes:
    require(box.end - box.start <= _MAX_BOX_BYTES)
    return reader.read(box.start, box.end)


def _tables(samples: Samples, count: int, place: int) -> bytes:
    """Return the tables of the first `count` samples, which lie side by side from `place` on."""
    sizes = samples.sizes[:count].astype(np.int64)
    lengths = np.diff(samples.dts(np.arange(count + 1)))  # The last run goes on behind its end.
    ones = np.ones(count, np.int64)
    keys = samples.keys[samples.keys < count] + 1
    return b"".join(
        (
            _rows(b"stts", ones, lengths),
            _rows(b"ctts", ones, samples.delays[:count]),
            _rows(b"stsc", *np.array([[1], [count], [1]])),
            written(b"stsz", struct.pack(">III", 0, 0, count), sizes.astype(">u4").tobytes()),
            _rows(b"stco", np.array([place])),
            _rows(b"stss", keys),
        )
    )


def _rows(kind: bytes, *columns: NDArray) -> bytes:
    table = np.stack(columns, axis=1).astype(">u4")
    return written(kind, struct.pack(">II", 0, len(table)), table.tobytes())
