"""The samples of plain MP4 files: where each lies, and when it is shown.

A demuxer builds the index of every track when it opens a file, entry by entry. Here only that of
the picture is read, all entries at once. Knows bytes and ticks, neither packets nor pictures.

Plain is what nearly all writers make of one video: one track of H.264 or HEVC pictures, whole (not
in fragments), at most one edit that hides nothing. Of anything else `read_plain` says nothing, and
so of tables that contradict each other, which are for a demuxer to make sense of. Layout of tables:
ISO/IEC 14496-12, section 8.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from videoatlas_gym.video._boxes import Box, BoxReader, NotPlain, only, require
from videoatlas_gym.video._miniature import count_of, miniature

MAX_SAMPLE_BYTES = 16 << 20
_MAX_TICKS = 1 << 31
"""Tables hold 32 bits, of which demuxers take the highest for a sign."""
_MAX_EDITS = 1000
_ONE = 1 << 16
"""The speed of an edit, in 1/65536."""
_CHUNK_SAMPLES = 4096
"""Longer chunks are taken for several, so that finding a sample takes no long sums."""

_FORMATS = {b"avc1", b"avc3", b"hvc1", b"hev1"}
_OTHER_FORMATS = {
    *(b"tx3g", b"text", b"c608", b"wvtt", b"stpp", b"tmcd", b"mebx", b"gpmd", b"fdsc", b"rtmd"),
    b"camm",
}
"""Tracks of text, time codes and measurements: no demuxer takes them for pictures."""
_TABLES = {b"stsd", b"stts", b"ctts", b"stsc", b"stsz", b"stco", b"co64", b"stss"}
_HARMLESS = {b"sdtp", b"cslg"}
"""Tables that say nothing which is needed here."""
_GROUPS = {b"sgpd", b"sbgp"}
_HARMLESS_GROUP = b"roll"
"""How long decoding takes to settle; other groups tell of key frames."""


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


class Plain(NamedTuple):
    """A plain file."""

    samples: Samples
    miniature: bytes
    """A file of its first samples that says the same of the track."""
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
        return _plain(BoxReader(descriptor))
    except (NotPlain, struct.error, ValueError, IndexError, OverflowError, MemoryError):
        return None  # Whatever is wrong is for a demuxer to tell.


def _plain(reader: BoxReader) -> Plain:
    boxes = reader.top()
    movie = only(boxes, b"moov")
    reader.check(movie)
    track, others = _tracks(reader, movie)
    media = reader.descend(track, b"mdia")
    samples = _samples(reader, reader.inside(reader.descend(media, b"minf", b"stbl")))
    count = count_of(samples.sizes)
    require(count)
    if any(box.kind == b"edts" for box in reader.inside(track)):
        # A demuxer thinks differently of edits where a track without samples came before.
        require(all(_has_samples(reader, other) for other in others))
        scales = [
            _scale(reader.body(reader.descend(box, kind)))
            for box, kind in ((movie, b"mvhd"), (media, b"mdhd"))
        ]
        _check_edit(reader.body(reader.descend(track, b"edts", b"elst")), scales, samples, count)
    return Plain(samples, miniature(reader, boxes[0], movie, track, samples, count), count)


def _tracks(reader: BoxReader, movie: Box) -> tuple[Box, list[Box]]:
    """Return the only track of pictures, and the others.

    These must not name any: pictures named by another are of its chapters.
    """
    videos, others = [], []
    for track in (box for box in reader.inside(movie) if box.kind == b"trak"):
        handler = reader.body(reader.descend(track, b"mdia", b"hdlr"))[8:12]
        if handler == b"vide":
            videos.append(track)
            continue
        others.append(track)
        require(all(box.kind != b"tref" for box in reader.inside(track)))
        formats = reader.body(reader.descend(track, b"mdia", b"minf", b"stbl", b"stsd"))
        count, _, name = struct.unpack_from(">II4s", formats, 4)
        require(handler == b"soun" or (count == 1 and name in _OTHER_FORMATS))
    require(len(videos) == 1)
    return videos[0], others


def _has_samples(reader: BoxReader, track: Box) -> bool:
    lengths = reader.descend(track, b"mdia", b"minf", b"stbl", b"stts")
    return reader.read(lengths.body + 4, lengths.body + 8) != bytes(4)


def _samples(reader: BoxReader, boxes: list[Box]) -> Samples:
    for box in boxes:
        if box.kind in _GROUPS:
            require(reader.read(box.body, box.body + 8)[4:] == _HARMLESS_GROUP)
    boxes = [box for box in boxes if box.kind not in _HARMLESS | _GROUPS]
    tables = {box.kind: box for box in boxes}
    require(len(tables) == len(boxes) and tables.keys() <= _TABLES)
    count, _, name = struct.unpack_from(">II4s", reader.body(only(boxes, b"stsd")), 4)
    require(count == 1 and name in _FORMATS)
    sizes = _sizes(reader, only(boxes, b"stsz"))
    run_sizes, lengths = _table(reader, only(boxes, b"stts"), ">u4", 2).astype(np.int64).T
    require(len(lengths) and run_sizes.sum() == len(sizes))
    require(run_sizes.min() > 0 and 0 < lengths.min() and lengths.max() < _MAX_TICKS)
    samples = Samples(
        sizes,
        _delays(reader, tables.get(b"ctts"), len(sizes)),
        _keys(reader, tables.get(b"stss"), len(sizes)),
        *_chunks(reader, tables, sizes),
        lengths,
        np.cumsum(run_sizes) - run_sizes,
        np.cumsum(run_sizes * lengths) - run_sizes * lengths,
    )
    require((np.diff(samples.pts(samples.keys)) > 0).all())
    return samples


def _sizes(reader: BoxReader, box: Box) -> NDArray[np.int32]:
    _, fixed, _ = struct.unpack_from(">III", reader.read(box.body, box.body + 12))
    require(fixed == 0)
    sizes = _table(reader, box, ">u4", 1, skip=8)[:, 0]
    require(len(sizes) and sizes.max() <= MAX_SAMPLE_BYTES)
    sizes = sizes.astype(np.int32)
    require(sizes.min() > 0)
    return sizes


def _delays(reader: BoxReader, box: Box | None, count: int) -> NDArray[np.int32]:
    if box is None:
        return np.zeros(count, np.int32)
    rows = _table(reader, box, ">i4", 2)
    run_sizes, values = rows[:, 0].astype(np.int32), rows[:, 1].astype(np.int32)
    require(len(values) and values.min() >= 0 and run_sizes.min() > 0)
    require(run_sizes.sum(dtype=np.int64) == count)
    return np.repeat(values, run_sizes) if len(values) < count else values


def _keys(reader: BoxReader, box: Box | None, count: int) -> NDArray[np.int64]:
    if box is None:
        return np.arange(count)
    keys = _table(reader, box, ">u4", 1)[:, 0].astype(np.int64) - 1
    require(len(keys) and 0 <= keys[0] and keys[-1] < count and (np.diff(keys) > 0).all())
    return keys


def _chunks(
    reader: BoxReader, tables: dict[bytes, Box], sizes: NDArray[np.int32]
) -> tuple[NDArray[np.unsignedinteger], NDArray[np.int32]]:
    kinds = tables.keys() & {b"stco", b"co64"}
    require(len(kinds) == 1 and b"stsc" in tables)
    kind = kinds.pop()
    chunks = _table(reader, tables[kind], ">u8" if kind == b"co64" else ">u4", 1)[:, 0]
    chunks = chunks.astype(chunks.dtype.newbyteorder("="))
    runs = _table(reader, tables[b"stsc"], ">u4", 3).astype(np.int64)
    require(len(runs) and runs[0, 0] == 1 and (runs[:, 2] == 1).all())
    num_chunks = np.diff(runs[:, 0], append=len(chunks) + 1)
    require(num_chunks.min() > 0 and runs[:, 1].min() > 0 and runs[:, 1].max() <= len(sizes))
    require((num_chunks * runs[:, 1]).sum() == len(sizes))
    per_chunk = np.repeat(runs[:, 1].astype(np.int32), num_chunks)
    places = np.cumsum(per_chunk, dtype=np.int32)
    places -= per_chunk
    _check_place(reader.num_bytes, chunks, places, sizes)
    most = int(per_chunk.max())
    return (chunks, places) if most <= _CHUNK_SAMPLES else _cut(chunks, places, sizes)


def _check_place(num_bytes: int, chunks: NDArray, places: NDArray, sizes: NDArray) -> None:
    """Require that all chunks lie in the file."""
    require(chunks.max() <= num_bytes)
    # Those that begin early enough cannot end too late, whichever they are.
    most = max(int(np.diff(places).max(initial=0)), len(sizes) - int(places[-1]))
    late = np.flatnonzero(chunks > max(0, num_bytes - most * int(sizes.max())))
    for part in np.array_split(late, max(1, len(late) // 65536)):
        if len(part):
            first, last = int(part[0]), int(part[-1])
            end = int(places[last + 1]) if last + 1 < len(places) else len(sizes)
            starts = places[first : last + 1] - places[first]
            lengths = np.add.reduceat(sizes[places[first] : end], starts, dtype=np.int64)
            ends = chunks[part].astype(np.int64) + lengths[part - first]
            require(ends.max() <= num_bytes)


def _cut(
    chunks: NDArray, places: NDArray, sizes: NDArray
) -> tuple[NDArray[np.unsignedinteger], NDArray[np.int32]]:
    """Cut long chunks into several."""
    ends = np.append(places[1:], len(sizes))
    cuts = np.concatenate(
        [np.arange(a, b, _CHUNK_SAMPLES) for a, b in zip(places, ends, strict=True)]
    )
    sums = np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))
    owners = np.searchsorted(places, cuts, side="right") - 1
    starts = chunks[owners].astype(np.int64) + sums[cuts] - sums[places[owners]]
    return starts.astype(np.uint64), cuts.astype(np.int32)


def _table(reader: BoxReader, box: Box, kind: str, columns: int, skip: int = 4) -> NDArray:
    """Return the rows of a table; `skip` bytes come between its version and their number."""
    data = reader.body(box)
    (count,) = struct.unpack_from(">I", data, skip)
    require(len(data) >= skip + 4 + count * columns * np.dtype(kind).itemsize)
    return np.frombuffer(data, kind, count * columns, skip + 4).reshape(count, columns)


def _check_edit(data: bytes, scales: list[int], samples: Samples, num_mini: int) -> None:
    """Require one edit that hides no picture, and whose effect the miniature shows.

    Empty ones before it only make the picture begin later. What a demuxer makes of an edit depends
    on the earliest picture, on the first key frame and on key frames near the end.
    """
    (count,) = struct.unpack_from(">I", data, 4)
    row = struct.Struct(">QqI" if data[0] == 1 else ">IiI")
    require(data[0] <= 1 and 0 < count <= _MAX_EDITS)
    rows = [row.unpack_from(data, 8 + row.size * number) for number in range(count)]
    duration, start, speed = rows[-1]
    movie_scale, scale = scales
    require(all(begin == -1 for _, begin, _ in rows[:-1]) and speed == _ONE and movie_scale)
    end = start + duration * scale // movie_scale
    earliest = int(samples.pts(np.arange(num_mini)).min())
    require(0 <= start <= earliest and samples.keys[0] == 0)
    require(samples.place_at(earliest) <= num_mini)  # Later ones are decoded after it is shown.
    last = np.arange(samples.place_at(end - int(samples.delays.max())), len(samples))
    require((samples.pts(last) < end).all())
    lengths = samples.dts(samples.keys + 1) - samples.dts(samples.keys)
    require((samples.pts(samples.keys) + lengths >= end).sum() <= 1)


def _scale(header: bytes) -> int:
    """Ticks per second, of a movie's header or a track's: both begin alike."""
    return struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)[0]
