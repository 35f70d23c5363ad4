"""The state of a file on disk: whether it is still the one that was opened."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field, replace

_END_BYTES = 1 << 16


@dataclass(frozen=True)
class FileState:
    """Tells a file from another one, and from itself at other times."""

    num_bytes: int
    changed_ns: int
    identity: tuple[int, int]
    """Device and inode."""
    head: str = field(default="", compare=False)
    """Hash of its first bytes, where it was taken."""

    def __str__(self) -> str:
        return f"{self.num_bytes} bytes"

    @classmethod
    def of(cls, path: str) -> FileState:
        """Look at a file without opening it.

        Raises:
            OSError: If it is gone.
        """
        status = os.stat(path)
        return cls(status.st_size, status.st_mtime_ns, (status.st_dev, status.st_ino))

    def with_head(self, path: str) -> FileState:
        """Return the same with a hash of the first bytes, up to its length."""
        return replace(self, head=_digest(path, self.num_bytes))

    def has_grown_to(self, now: FileState, path: str) -> bool:
        """Whether the file has only been written on to: a new end, and the old beginning."""
        is_longer = self.identity == now.identity and self.num_bytes < now.num_bytes
        return is_longer and self.head == _digest(path, self.num_bytes)

    def fingerprint(self, path: str) -> str:
        """Hash size, time of change and both ends of the file."""
        digest = hashlib.sha256(f"{self.num_bytes} {self.changed_ns}".encode())
        with open(path, "rb") as file:
            digest.update(file.read(_END_BYTES))
            file.seek(max(0, self.num_bytes - _END_BYTES))
            digest.update(file.read(_END_BYTES))
        return digest.hexdigest()[:32]


def _digest(path: str, num_bytes: int) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read(min(num_bytes, _END_BYTES))).hexdigest()
