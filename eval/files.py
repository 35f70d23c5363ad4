"""Writing files whole or not at all."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def write_atomically(path: str | Path, content: bytes | str) -> Path:
    """Put a file in its place at once, synced to the disk; return its path."""
    path = Path(path)
    partial = write_beside(path, content.encode() if isinstance(content, str) else content)
    os.replace(partial, path)
    return path


def write_beside(path: Path, content: bytes) -> Path:
    """Write what is to become a file into a hidden one in its folder; return that one's path."""
    # Not the process id: two machines that share a directory may have the same ones.
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return partial
