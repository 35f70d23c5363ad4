"""Whether the index of an AVI file is that of its packets: nothing else tells their time.

Packets are numbered from the start of the file, or after a seek as the index has it. Where packets
were lost or added, or entries of the index, the two differ.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import av
from av.video.stream import VideoStream

_HEADER_BYTES = 8
"""A chunk begins with its name, two digits for its stream among that, and its size."""
_CHECKED_EVERY = 1024


def is_index_whole(
    path: str | None,
    container: av.container.InputContainer,
    stream: VideoStream,
    check: Callable[[], None],
) -> bool:
    """Whether the index names as many pictures as the header, and each chunk it names is there.

    Costs some microseconds for each chunk.

    Args:
        path: Of a local file; for others, chunks are believed to be there.
        container: Opened, and nothing read of it: demuxers mend an index while they read.
        stream: Of the pictures.
        check: Called now and then; may raise to give up.
    """
    if stream.frames and stream.frames != len(stream.index_entries):
        return False
    if path is None:
        return True
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return all(_are_there(descriptor, one, check) for one in container.streams)
    finally:
        os.close(descriptor)


def last_key(stream: VideoStream) -> tuple[int, int] | None:
    """Return decoding time and position of the last key frame in the index; None without one."""
    index = stream.index_entries
    place = index.search_timestamp(2**62, backward=True)
    return None if place < 0 else (index[place].timestamp, index[place].pos + _HEADER_BYTES)


def _are_there(descriptor: int, stream: av.stream.Stream, check: Callable[[], None]) -> bool:
    name = b"%02d" % stream.index
    for number, entry in enumerate(stream.index_entries):
        if not number % _CHECKED_EVERY:
            check()
        header = os.pread(descriptor, _HEADER_BYTES, entry.pos)
        if header[:2] != name or int.from_bytes(header[4:], "little") != entry.size:
            return False
    return True
