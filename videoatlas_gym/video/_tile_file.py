"""The tiles of one video in one size on disk: an index of fixed-size records, and raw pixels.

| File | Content |
|---|---|
| WxH.index | a header, then a record for each known moment: which frame it shows, and its slot |
| WxH.GENERATION.tiles | uint8 pixels; the tile in slot i begins at byte ``i * H * W * 3`` |

Both are only appended to, tiles before the records that name them, by one writer at a time: the
caller holds a lock. What a stopped writer left is cut off (records) or left behind (tiles). Readers
hold no lock: what is torn, damaged or was lost fails a check and counts as absent. A new index
names new tiles (its generation), so records never meet another one's pixels.
"""

from __future__ import annotations

import mmap
import os
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from videoatlas_gym.video._layout import Facts
from videoatlas_gym.video._tile_format import (
    HEADER,
    RECORD,
    by_moment,
    checks,
    index_bytes,
    pack_header,
    unpack_header,
    write_at,
)
from videoatlas_gym.video.source import Frame

_UNKNOWN, _GOOD, _BAD = 0, 1, 2
_TOUCH_SECONDS = 30.0


class Found(NamedTuple):
    """The moments of a request that are here."""

    indices: NDArray[np.intp]
    """Where they stand in the request, ascending."""
    rows: NDArray[np.void]
    """Their records, in the same order."""
    tiles: NDArray[np.uint8]
    """All tiles, (slots, height, width, 3), read-only: the file itself."""

    def copy_into(self, tiles: NDArray[np.uint8]) -> None:
        """Copy what was found to its places in uint8 (n, height, width, 3)."""
        if len(self.indices) == len(tiles) > 0:
            # "clip" writes straight into `out`; the default would go through a buffer.
            np.take(self.tiles, self.rows["slot"], axis=0, out=tiles, mode="clip")
            return
        for index, slot in zip(self.indices.tolist(), self.rows["slot"].tolist(), strict=True):
            tiles[index] = self.tiles[slot]

    def frames(self) -> Iterator[tuple[int, Frame]]:
        """Yield (index in the request, frame); the pixels are views of the file."""
        for index, row in zip(self.indices.tolist(), self.rows.tolist(), strict=True):
            _, pts, seconds, slot, _, _ = row
            yield index, Frame(self.tiles[slot], seconds, pts)


NOTHING = Found(np.zeros(0, np.intp), np.zeros(0, RECORD), np.zeros((0, 0, 0, 3), np.uint8))


class _Table(NamedTuple):
    """What a process has read of a file; replaced as a whole, so readers need no lock."""

    facts: Facts | None = None
    generation: bytes = b""
    signature: tuple[int, ...] = ()
    """Of the index when it was read."""
    num_records: int = 0
    """Whole records in the index, damaged ones included."""
    rows: NDArray[np.void] = NOTHING.rows
    """Undamaged records, in the order of the file."""
    by_moment: NDArray[np.void] = NOTHING.rows
    """Those whose tile is in the file, sorted by moment; of several the last."""
    moments: NDArray[np.float64] = np.zeros(0)
    tiles: NDArray[np.uint8] = NOTHING.tiles
    state: NDArray[np.uint8] = np.zeros(0, np.uint8)
    """Per slot whether its pixels agree with their checksum, as far as that was looked at."""


class TileFile:
    """The tiles of one video in one size. Thread-safe; `append` needs the writers' lock.

    Args:
        folder: Where the files lie; need not exist.
        key: 16 bytes that name the video.
        size: (width, height) of a tile in pixels.
    """

    def __init__(self, folder: Path, key: bytes, size: tuple[int, int]) -> None:
        self.folder, self.key, self.size = folder, key, size
        self.name = f"{size[0]}x{size[1]}"
        self._index = str(folder / f"{self.name}.index")
        self._lock = threading.RLock()
        self._table = _Table()
        self._touched = -_TOUCH_SECONDS

    @property
    def tile_bytes(self) -> int:
        """Bytes of one tile."""
        return self.size[0] * self.size[1] * 3

    @property
    def facts(self) -> Facts | None:
        """What the source told of itself when the file was made; None while there is no file."""
        self.refresh()
        return self._table.facts

    def find(self, seconds: NDArray[np.float64]) -> Found:
        """Look moments up, shape (n,). What lacks is looked for in the file once more."""
        found = self._look_up(self._table, seconds)
        if len(found.indices) < len(seconds) and self.refresh():
            found = self._look_up(self._table, seconds)
        self._touch()
        return found

    def refresh(self, *, is_forced: bool = False) -> bool:
        """Read what was appended since the last time; return whether anything changed.

        Args:
            is_forced: Read even if the index looks as it did.

        Raises:
            OSError: If there is a file that cannot be read.
        """
        with self._lock:
            table = self._table
            try:
                if _signature(os.stat(self._index)) == table.signature and not is_forced:
                    return False
                self._table = self._read()
            except FileNotFoundError:
                self._table = _Table()  # evicted: let go of the mapping, so that its disk is free
            return table is not self._table and bool(table.signature or self._table.signature)

    def append(self, facts: Facts, seconds: Sequence[float], frames: Sequence[Frame]) -> None:
        """Add what lacks of frames and the moments they were asked for; repairs torn tails.

        Raises:
            OSError: If they cannot be written; the file is then as it was.
        """
        with self._lock:
            self.refresh(is_forced=True)
            if not self._table.generation:
                self._create(facts)
            moments = dict(zip(map(float, seconds), frames, strict=True))
            known = self._look_up(self._table, np.array(list(moments))).indices.tolist()
            for moment in [list(moments)[index] for index in known]:
                del moments[moment]
            if moments:
                self._write(moments)
                self.refresh()

    def _look_up(self, table: _Table, seconds: NDArray[np.float64]) -> Found:
        if not len(table.moments):
            return NOTHING
        places = np.searchsorted(table.moments, seconds)
        np.minimum(places, len(table.moments) - 1, out=places)
        is_here = table.moments[places] == seconds
        rows = table.by_moment[places]
        states = table.state[rows["slot"]]
        for index in np.flatnonzero(is_here & (states == _UNKNOWN)).tolist():
            states[index] = _GOOD if _is_good(table, rows[index]) else _BAD
        is_here &= states == _GOOD
        if is_here.all():
            return Found(np.arange(len(seconds)), rows, table.tiles)
        indices = np.flatnonzero(is_here)
        return Found(indices, rows[indices], table.tiles)

    def _touch(self) -> None:
        """Note in the file system that the file is in use, now and then."""
        now = time.monotonic()
        if now - self._touched >= _TOUCH_SECONDS and self._table.generation:
            self._touched = now
            try:
                os.utime(self._index)
            except OSError:  # a read-only directory: nothing will be evicted from it either
                return

    def _tiles_path(self, generation: bytes) -> Path:
        return self.folder / f"{self.name}.{generation.hex()}.tiles"

    def _read(self) -> _Table:
        with open(self._index, "rb") as file:
            signature = _signature(os.fstat(file.fileno()))
            header = unpack_header(file.read(HEADER.size), self.key, self.size)
            if header is None:
                return _Table(signature=signature)
            generation, facts = header
            old = self._table
            if generation != old.generation or signature[1] < index_bytes(old.num_records):
                old = _Table()
            file.seek(index_bytes(old.num_records))
            data = file.read(max(0, signature[1] - file.tell()))
        num_new = len(data) // RECORD.itemsize
        new = np.ndarray(num_new, RECORD, data)
        rows = np.concatenate([old.rows, new[checks(new) == new["check"]]])
        num_slots = int(rows["slot"].max()) + 1 if len(rows) else 0
        tiles = old.tiles if old.generation else self._mapped(generation, num_slots)
        if num_slots > len(tiles):
            tiles = self._mapped(generation, num_slots)
        state = np.zeros(len(tiles), np.uint8)
        state[: len(old.state)] = old.state[: len(state)]
        latest = by_moment(rows[rows["slot"] < len(tiles)])
        return _Table(
            facts=facts,
            generation=generation,
            signature=signature,
            num_records=old.num_records + num_new,
            rows=rows,
            by_moment=latest,
            moments=np.ascontiguousarray(latest["moment"]),
            tiles=tiles,
            state=state,
        )

    def _mapped(self, generation: bytes, num_slots: int) -> NDArray[np.uint8]:
        """Map the tiles that records name, as far as they are there: no writer cuts those off."""
        shape = self.size[1], self.size[0], 3
        try:
            with self._tiles_path(generation).open("rb") as file:
                count = min(num_slots, os.fstat(file.fileno()).st_size // self.tile_bytes)
                if not count:
                    return np.zeros((0, *shape), np.uint8)
                length = count * self.tile_bytes
                pixels = mmap.mmap(file.fileno(), length, access=mmap.ACCESS_READ)
        except FileNotFoundError:
            return np.zeros((0, *shape), np.uint8)
        return np.frombuffer(pixels, np.uint8).reshape(count, *shape)

    def _create(self, facts: Facts) -> None:
        """Begin the file anew; what was there is of no use, and stays with those who have it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        remove(self.folder, self.name)
        self._table = _Table()
        generation = os.urandom(8)
        self._tiles_path(generation).touch()
        with open(self._index, "xb") as file:
            file.write(pack_header(self.key, generation, self.size, facts))
        self.refresh()

    def _write(self, moments: dict[float, Frame]) -> None:
        table = self._table
        slots = self._slots_of({frame.pts for frame in moments.values()})
        next_slot = first_slot = self._first_free_slot()
        rows, tiles = np.zeros(len(moments), RECORD), []
        for index, (moment, frame) in enumerate(moments.items()):
            if frame.pts not in slots:
                tile = np.ascontiguousarray(frame.rgb)
                assert tile.shape == table.tiles.shape[1:], (tile.shape, self.size)
                slots[frame.pts] = next_slot, zlib.crc32(tile)
                tiles.append(tile)
                next_slot += 1
            slot, crc = slots[frame.pts]
            rows[index] = (moment, frame.pts, frame.seconds, slot, crc, 0)
        rows["check"] = checks(rows)
        if tiles:
            start = first_slot * self.tile_bytes
            write_at(self._tiles_path(table.generation), np.stack(tiles), start)
        write_at(Path(self._index), rows, index_bytes(table.num_records))

    def _slots_of(self, stamps: set[int]) -> dict[int, tuple[int, int]]:
        """Return (slot, checksum) of frames that are here already, by time stamp."""
        table = self._table
        rows = table.by_moment[np.isin(table.by_moment["pts"], list(stamps))]
        return {int(r["pts"]): (int(r["slot"]), int(r["crc"])) for r in rows if _is_good(table, r)}

    def _first_free_slot(self) -> int:
        """Behind all that was ever written, complete or not: readers know tiles by their slot."""
        table = self._table
        num_bytes = self._tiles_path(table.generation).stat().st_size
        after_known = int(table.rows["slot"].max()) + 1 if len(table.rows) else 0
        return max(after_known, -(-num_bytes // self.tile_bytes))


def remove(folder: Path, name: str) -> None:
    """Unlink a tile file, the index first. Processes that have it open keep what they have."""
    (folder / f"{name}.index").unlink(missing_ok=True)
    for path in folder.glob(f"{name}.*.tiles"):
        path.unlink(missing_ok=True)


def _is_good(table: _Table, row: NDArray[np.void]) -> bool:
    """Whether a tile's pixels agree with their checksum; looked at once."""
    slot = int(row["slot"])
    if table.state[slot] == _UNKNOWN:
        is_good = zlib.crc32(table.tiles[slot]) == row["crc"]
        table.state[slot] = _GOOD if is_good else _BAD
    return bool(table.state[slot] == _GOOD)


def _signature(status: os.stat_result) -> tuple[int, ...]:
    return status.st_ino, status.st_size, status.st_mtime_ns
