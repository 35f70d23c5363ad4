"""The bytes of a tile file's index, and how they are checked. Knows no folder and no video.

A header says whose tiles these are and what their source told of itself; then come records of one
size. Each carries a checksum, so that a reader can tell what a stopped writer or a crash of the
machine left behind.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from videoatlas_gym.video._layout import Facts

MAGIC = b"VATILES1"
HEADER = struct.Struct("<8s16s8sIIddIII4x")
"""Magic, key, generation, tile size, duration, frame length, native size, CRC-32 of these."""
RECORD = np.dtype(
    [
        *(("moment", "<f8"), ("pts", "<i8"), ("seconds", "<f8")),
        *(("slot", "<u4"), ("crc", "<u4"), ("check", "<u8")),
    ]
)
_CHECKED_BYTES = HEADER.size - 8
_CHECKED_WORDS = 8
"""32-bit words of a record in front of its `check`."""
_MULTIPLIERS = np.frombuffer(hashlib.sha512(MAGIC).digest(), "<u8") | np.uint64(1)


def pack_header(key: bytes, generation: bytes, size: tuple[int, int], facts: Facts) -> bytes:
    """Return the first `HEADER.size` bytes of an index."""
    fields = [MAGIC, key, generation, *size]
    fields += [facts.duration_seconds, facts.frame_seconds, *facts.native_size]
    return HEADER.pack(*fields, zlib.crc32(HEADER.pack(*fields, 0)[:_CHECKED_BYTES]))


def unpack_header(data: bytes, key: bytes, size: tuple[int, int]) -> tuple[bytes, Facts] | None:
    """Return generation and facts; None where the header is damaged or that of other tiles."""
    if len(data) < HEADER.size:
        return None
    magic, found_key, generation, *numbers, crc = HEADER.unpack(data)
    width, height, duration, frame, native_width, native_height = numbers
    if (magic, found_key, (width, height)) != (MAGIC, key, size):
        return None
    if crc != zlib.crc32(data[:_CHECKED_BYTES]):
        return None
    return generation, Facts(duration, (native_width, native_height), frame)


def checks(rows: NDArray[np.void]) -> NDArray[np.uint64]:
    """Return checksums of records: a multilinear hash modulo 2**64, for all of an index in one go.

    The multipliers are odd, so a change within any one 32-bit word is always seen.
    """
    words = np.ascontiguousarray(rows).view("<u4").reshape(-1, RECORD.itemsize // 4)
    words = words[:, :_CHECKED_WORDS]
    return (words * _MULTIPLIERS).sum(axis=1, dtype=np.uint64) + _MULTIPLIERS[0]


def by_moment(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Return records sorted by moment; of several about one moment the last."""
    rows = rows[np.argsort(rows["moment"], kind="stable")]
    is_last = np.ones(len(rows), bool)
    is_last[:-1] = rows["moment"][1:] != rows["moment"][:-1]
    return rows[is_last]


def index_bytes(num_records: int) -> int:
    """Return the bytes of an index up to the end of so many records."""
    return HEADER.size + num_records * RECORD.itemsize


def write_at(path: Path, array: NDArray, start: int) -> None:
    """Write at a place of a file that exists, cutting off what lay behind it; all or nothing."""
    descriptor = os.open(path, os.O_WRONLY)
    num_before = min(start, os.fstat(descriptor).st_size)
    try:
        os.truncate(descriptor, num_before)
        data = memoryview(array.view(np.uint8).reshape(-1))
        written = 0
        while written < len(data):
            written += os.pwrite(descriptor, data[written:], start + written)
    except BaseException:
        os.truncate(descriptor, num_before)
        raise
    finally:
        os.close(descriptor)
