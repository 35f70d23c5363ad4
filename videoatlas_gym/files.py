"""Writing files whole or not at all: what stops half-way leaves what was there before."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def partial_of(path: str | Path) -> Iterator[Path]:
    """Yield the path of a hidden new file beside `path`, with its suffix; remove it at the end."""
    path = Path(path)
    # Not the process id: two machines that share a folder may have the same ones.
    partial = path.with_name(f".{path.stem}.{uuid.uuid4().hex}.partial{path.suffix}")
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield the path of a hidden new file that becomes `path` unless the block raises."""
    with partial_of(path) as partial:
        yield partial
        os.replace(partial, path)


def write_atomically(path: str | Path, content: bytes | str) -> Path:
    """Put a file in its place at once, synced to the disk; return its path."""
    path = Path(path)
    with replacing(path) as partial:
        write_synced(partial, content)
    return path


def write_synced(path: Path, content: bytes | str) -> None:
    """Write a file and wait until it is on the disk."""
    with path.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
