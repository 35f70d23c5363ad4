"""The samples of plain MP4 files: where each lies, and when it is shown.

A demuxer builds the index of every track when it opens a file, entry by entry. Here only that of
the picture is read, all entries at once. Knows bytes and ticks, neither packets nor pictures.

Plain is what nearly all writers make of one video: one track of H.264 or HEVC pictures, whole (not
in fragments), at most one edit that hides nothing. Of anything else `read_samples` says nothing,
and so of tables that contradict each other, which are for a demuxer to make sense of. Layout of
boxes: ISO/IEC 14496-12, sections 4.2 and 8.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_SAMPLE_BYTES = 16 << 20
_MAX_READ_BYTES = 256 << 20
"""Of all headers and tables: those of 150 hours take less."""
_MAX_BOXES = 1000
_MAX_TICKS = 1 << 31
"""Tables hold 32 bits, of which demuxers take the highest for a sign."""

_FORMATS = {b"avc1", b"avc3", b"hvc1", b"hev1"}
_TABLES = {b"stsd", b"stts", b"ctts", b"stsc", b"stsz", b"stco", b"co64", b"stss"}
_HARMLESS = {b"sdtp", b"cslg"}
"""Tables that say nothing which is needed here."""
_GROUPS = {b"sgpd", b"sbgp"}
_HARMLESS_GROUP = b"roll"
"""How long decoding takes to settle; other groups tell of key frames."""
_ONE = 1 << 16
"""The speed of an edit, in 1/65536."""


class Box(NamedTuple):
    """A part of the file; `body` to `end` are its contents."""

    kind: bytes
    start: int
    body: int
    end: int


@dataclass(frozen=True)
class Samples:
    """The samples of a track in decoding order. Times in ticks of the track.

    Tables stay as short as the file has them: what is asked of a few samples is computed from them.
    """

    sizes: NDArray[np.int32]
    """In bytes, of each sample."""
    delays: NDArray[np.int32]
    """From decoding to display, of each sample; at least 0."""
    keys: NDArray[np.int64]
    """Places of those that decoding can begin at, in ascending order of decoding and display."""
    chunks: NDArray[np.unsignedinteger]
    """First bytes of the chunks, 32 bits or 64; samples of one chunk lie side by side."""
    chunk_places: NDArray[np.int32]
    """Places of their first samples."""
    lengths: NDArray[np.int64]
    """From one decoding to the next, for runs of samples."""
    run_places: NDArray[np.int64]
    """Places of their first samples."""
    run_dts: NDArray[np.int64]
    """When their first samples are decoded; the first of all at 0."""

    def __len__(self) -> int:
        return len(self.sizes)

    def offsets(self, first: int, end: int) -> NDArray[np.int64]:
        """Return where the samples of a range begin in the file."""
        # Of another type than the table's, numbers to look for would have all of it converted.
        bounds = np.array((first, end - 1), self.chunk_places.dtype)
        low, high = np.searchsorted(self.chunk_places, bounds, side="right") - (1, 0)
        starts = self.chunk_places[low:high]
        ends = np.cumsum(self.sizes[starts[0] : end], dtype=np.int64)
        begins = np.concatenate(((0,), ends))
        bases = self.chunks[low:high].astype(np.int64) - begins[starts - starts[0]]
        counts = np.diff(np.maximum(starts, first), append=end)
        return begins[first - starts[0] : -1] + np.repeat(bases, counts)

    def dts(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return when samples are decoded."""
        if len(self.lengths) == 1:
            return places * self.lengths[0]
        runs = np.searchsorted(self.run_places, places, side="right") - 1
        return self.run_dts[runs] + (places - self.run_places[runs]) * self.lengths[runs]

    def pts(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return when samples are shown."""
        return self.dts(places) + self.delays[places]

    def place_at(self, tick: int) -> int:
        """Return the first sample decoded at `tick` or later; their number if there is none."""
        run = int(np.searchsorted(self.run_dts, tick, side="right")) - 1
        if run < 0:
            return 0
        later = -((int(self.run_dts[run]) - tick) // int(self.lengths[run]))
        return min(int(self.run_places[run]) + later, len(self))


class _NotPlain(Exception):
    """The file is not plain."""


class Plain(NamedTuple):
    """A plain file."""

    samples: Samples
    miniature: bytes
    """A file of its first samples that says the same of the track; its sound is left out."""
    num_mini: int
    """Samples in it."""


def read_plain(descriptor: int) -> Plain | None:
    """Read the tables of an opened file; None if it is not plain.

    Args:
        descriptor: Of the file; its position is neither used nor changed.

    Raises:
        OSError: If the file cannot be read.
    """
    try:
        return _Reader(descriptor).plain()
    except (_NotPlain, struct.error):
        return None


class _Reader:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._num_bytes = os.fstat(descriptor).st_size
        self._left_bytes = _MAX_READ_BYTES

    def plain(self) -> Plain:
        boxes = list(self._boxes(0, self._num_bytes))
        if not boxes or boxes[0].kind != b"ftyp" or any(box.kind == b"moof" for box in boxes):
            raise _NotPlain
        movie = _only(boxes, b"moov")
        inside = self._inside(movie)
        if any(box.kind == b"mvex" for box in inside):
            raise _NotPlain
        track = self._video_track(inside)
        media = self._descend(track, b"mdia")
        tables = self._inside(self._descend(media, b"minf", b"stbl"))
        samples = self._samples(tables)
        self._check_edits(track, media, _only(inside, b"mvhd"), samples)
        num_mini = _num_mini(samples.sizes)
        return Plain(samples, self._miniature(boxes[0], inside, track, samples, num_mini), num_mini)

    def _boxes(self, place: int, end: int) -> Iterator[Box]:
        """Read the headers of boxes that follow each other, up to the first that makes no sense."""
        for _ in range(_MAX_BOXES):
            header = os.pread(self._descriptor, 16, place)
            if place + 8 > end or len(header) < 8:
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

    def _inside(self, box: Box) -> list[Box]:
        boxes = list(self._boxes(box.body, box.end))
        if not boxes or boxes[-1].end != box.end:
            raise _NotPlain
        return boxes

    def _descend(self, box: Box, *path: bytes) -> Box:
        for kind in path:
            box = _only(self._inside(box), kind)
        return box

    def _read(self, start: int, end: int) -> bytes:
        self._left_bytes -= end - start
        _require(self._left_bytes >= 0)
        data = os.pread(self._descriptor, end - start, start)
        _require(len(data) == end - start)
        return data

    def _body(self, box: Box) -> bytes:
        return self._read(box.body, box.end)

    def _video_track(self, inside: list[Box]) -> Box:
        """Return the only track of pictures.

        Others may be there, but must not name any: pictures named by another are of its chapters.
        """
        videos = []
        for track in (box for box in inside if box.kind == b"trak"):
            handler = self._body(self._descend(track, b"mdia", b"hdlr"))
            if handler[8:12] == b"vide":
                videos.append(track)
            elif any(box.kind == b"tref" for box in self._inside(track)):
                raise _NotPlain
        if len(videos) != 1:
            raise _NotPlain
        return videos[0]

    def _samples(self, boxes: list[Box]) -> Samples:
        for box in boxes:
            if box.kind in _GROUPS:
                _require(self._read(box.body, box.body + 8)[4:] == _HARMLESS_GROUP)
        boxes = [box for box in boxes if box.kind not in _HARMLESS | _GROUPS]
        tables = {box.kind: box for box in boxes}
        if len(tables) < len(boxes) or not tables.keys() <= _TABLES:
            raise _NotPlain
        _, num_formats, _, name = struct.unpack_from(">III4s", self._body(_only(boxes, b"stsd")))
        if num_formats != 1 or name not in _FORMATS:
            raise _NotPlain
        sizes = self._sizes(_only(boxes, b"stsz"))
        run_sizes, lengths = self._table(_only(boxes, b"stts"), ">u4", 2).astype(np.int64).T
        _require(len(lengths) and run_sizes.sum() == len(sizes))
        _require(run_sizes.min() > 0 and 0 < lengths.min() and lengths.max() < _MAX_TICKS)
        samples = Samples(
            sizes,
            self._delays(tables.get(b"ctts"), len(sizes)),
            self._keys(tables.get(b"stss"), len(sizes)),
            *self._chunks(tables, len(sizes)),
            lengths,
            np.cumsum(run_sizes) - run_sizes,
            np.cumsum(run_sizes * lengths) - run_sizes * lengths,
        )
        self._check_place(samples)
        _require((np.diff(samples.pts(samples.keys)) > 0).all())
        return samples

    def _sizes(self, box: Box) -> NDArray[np.int32]:
        _, fixed, _ = struct.unpack_from(">III", self._read(box.body, box.body + 12))
        _require(fixed == 0)
        sizes = self._table(box, ">u4", 1, skip=8)[:, 0]
        _require(len(sizes) and sizes.max() <= MAX_SAMPLE_BYTES)
        sizes = sizes.astype(np.int32)
        _require(sizes.min() > 0)
        return sizes

    def _delays(self, box: Box | None, count: int) -> NDArray[np.int32]:
        if box is None:
            return np.zeros(count, np.int32)
        rows = self._table(box, ">i4", 2)
        run_sizes, values = rows[:, 0].astype(np.int32), rows[:, 1].astype(np.int32)
        _require(len(values) and values.min() >= 0 and run_sizes.min() > 0)
        _require(run_sizes.sum(dtype=np.int64) == count)
        return np.repeat(values, run_sizes) if len(values) < count else values

    def _keys(self, box: Box | None, count: int) -> NDArray[np.int64]:
        if box is None:
            return np.arange(count)
        keys = self._table(box, ">u4", 1)[:, 0].astype(np.int64) - 1
        _require(len(keys) and 0 <= keys[0] and keys[-1] < count and (np.diff(keys) > 0).all())
        return keys

    def _chunks(
        self, tables: dict[bytes, Box], count: int
    ) -> tuple[NDArray[np.unsignedinteger], NDArray[np.int32]]:
        kinds = tables.keys() & {b"stco", b"co64"}
        _require(len(kinds) == 1 and b"stsc" in tables)
        kind = kinds.pop()
        chunks = self._table(tables[kind], ">u8" if kind == b"co64" else ">u4", 1)[:, 0]
        runs = self._table(tables[b"stsc"], ">u4", 3).astype(np.int64)
        _require(len(runs) and runs[0, 0] == 1 and (runs[:, 2] == 1).all())
        num_chunks = np.diff(runs[:, 0], append=len(chunks) + 1)
        _require(num_chunks.min() > 0 and runs[:, 1].min() > 0 and runs[:, 1].max() <= count)
        _require((num_chunks * runs[:, 1]).sum() == count)
        per_chunk = np.repeat(runs[:, 1].astype(np.int32), num_chunks)
        places = np.cumsum(per_chunk, dtype=np.int32)
        places -= per_chunk
        return chunks.astype(chunks.dtype.newbyteorder("=")), places

    def _check_place(self, samples: Samples) -> None:
        """Require that all samples lie in the file."""
        chunks, places = samples.chunks, samples.chunk_places
        _require(chunks.max() <= self._num_bytes)
        most = max(int(np.diff(places).max(initial=0)), len(samples) - int(places[-1]))
        longest = most * int(samples.sizes.max())
        for chunk in np.flatnonzero(chunks > max(0, self._num_bytes - longest)).tolist():
            first, end = places[chunk], [*places[chunk : chunk + 2], len(samples)][1]
            num_bytes = samples.sizes[first:end].sum(dtype=np.int64)
            _require(int(chunks[chunk]) + num_bytes <= self._num_bytes)

    def _table(self, box: Box, kind: str, columns: int, skip: int = 4) -> NDArray:
        """Return the rows of a table; `skip` bytes come between its version and their number."""
        data = self._body(box)
        (count,) = struct.unpack_from(">I", data, skip)
        _require(len(data) >= skip + 4 + count * columns * np.dtype(kind).itemsize)
        return np.frombuffer(data, kind, count * columns, skip + 4).reshape(count, columns)

    def _check_edits(self, track: Box, media: Box, movie_header: Box, samples: Samples) -> None:
        """Require that there is one edit at most, and that no picture lies outside of it.

        Empty ones before it only make the picture begin later.
        """
        edits = [box for box in self._inside(track) if box.kind == b"edts"]
        if not edits:
            return
        data = self._body(self._descend(_only(edits, b"edts"), b"elst"))
        (count,) = struct.unpack_from(">I", data, 4)
        row = struct.Struct(">QqI" if data[0] == 1 else ">IiI")
        _require(data[0] <= 1 and 0 < count <= _MAX_BOXES)
        rows = [row.unpack_from(data, 8 + row.size * number) for number in range(count)]
        _require(all(start == -1 for _, start, _ in rows[:-1]))
        duration, start, speed = rows[-1]
        movie_scale = _scale(self._body(movie_header))
        scale = _scale(self._body(self._descend(media, b"mdhd")))
        _require(speed == _ONE and movie_scale)
        end = start + duration * scale // movie_scale
        latest = int(samples.delays.max())
        first = np.arange(samples.place_at(start))
        last = np.arange(samples.place_at(end - latest), len(samples))
        _require(start >= 0 and (samples.pts(first) >= start).all())
        _require((samples.pts(last) < end).all())

    def _miniature(
        self, kind: Box, inside: list[Box], track: Box, samples: Samples, count: int
    ) -> bytes:
        parts = [self._read(kind.start, kind.end)]
        data = b"".join(
            self._read(start, start + size)
            for start, size in zip(
                samples.offsets(0, count).tolist(), samples.sizes[:count].tolist(), strict=True
            )
        )
        parts.append(_box(b"mdat", data))
        tables = _mini_tables(samples, count, len(parts[0]) + 8)
        movie = [
            self._rebuilt(box, tables) if box == track else self._read(box.start, box.end)
            for box in inside
            if box.kind != b"trak" or box == track
        ]
        return b"".join((*parts, _box(b"moov", *movie)))

    def _rebuilt(self, box: Box, tables: dict[bytes, bytes]) -> bytes:
        """Copy a box with other tables, and without what names other tracks."""
        if box.kind in tables:
            return tables[box.kind]
        if box.kind == b"tref":
            return b""
        if box.kind not in {b"trak", b"mdia", b"minf", b"stbl"}:
            return self._read(box.start, box.end)
        return _box(box.kind, *(self._rebuilt(child, tables) for child in self._inside(box)))


_MINI_SAMPLES = 64
_MINI_BYTES = 1 << 20


def _num_mini(sizes: NDArray) -> int:
    """So many first samples tell a demuxer what it wants to know, and take little memory."""
    fitting = np.cumsum(sizes[:_MINI_SAMPLES], dtype=np.int64) <= _MINI_BYTES
    return max(1, int(fitting.sum()))


def _mini_tables(samples: Samples, count: int, place: int) -> dict[bytes, bytes]:
    """Return the tables of the first `count` samples, which lie side by side from `place` on."""
    sizes = samples.sizes[:count].astype(np.int64)
    lengths = np.diff(samples.dts(np.arange(count + 1)))  # The last run goes on behind its end.
    ones = np.ones(count, np.int64)
    offsets = place + np.cumsum(sizes) - sizes
    keys = samples.keys[samples.keys < count] + 1
    tables = {
        b"stsz": _box(b"stsz", struct.pack(">III", 0, 0, count), _words(sizes)),
        b"stts": _rows(b"stts", ones, lengths),
        b"ctts": _rows(b"ctts", ones, samples.delays[:count]),
        b"stsc": _rows(b"stsc", *np.ones((3, 1), np.int64)),
        b"stco": _rows(b"stco", offsets),
        b"stss": _rows(b"stss", keys),
    }
    return tables | {b"co64": tables[b"stco"]}


def _words(values: NDArray) -> bytes:
    return values.astype(">u4").tobytes()


def _rows(kind: bytes, *columns: NDArray) -> bytes:
    return _box(kind, struct.pack(">II", 0, len(columns[0])), _words(np.stack(columns, axis=1)))


def _box(kind: bytes, *parts: bytes) -> bytes:
    return struct.pack(">I4s", 8 + sum(map(len, parts)), kind) + b"".join(parts)


def _scale(header: bytes) -> int:
    """Ticks per second, of a movie's header or a track's: both begin alike."""
    return struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)[0]


def _only(boxes: list[Box], kind: bytes) -> Box:
    found = [box for box in boxes if box.kind == kind]
    _require(len(found) == 1)
    return found[0]


def _require(condition: object) -> None:
    if not condition:
        raise _NotPlain
