"""TileStore: decoded tiles on disk, shared by processes and kept from run to run.

    DIRECTORY/videoatlas-tiles      marks the directory, names the format
    DIRECTORY/lock                  held by whoever writes
    DIRECTORY/KEY/WxH.*             the tiles of one video in one size (see `_tile_file`)

Knows nothing of decoding. Whatever goes wrong with the disk costs the benefit of the cache and
never a request: what cannot be read counts as absent, what cannot be written is not kept, and one
warning says so. The directory must be on a local file system: locks and mappings rely on it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import threading
import time
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from videoatlas_gym.files import write_atomically
from videoatlas_gym.video._layout import Facts
from videoatlas_gym.video._tile_file import NOTHING, Found, TileFile, remove
from videoatlas_gym.video.source import Frame

DEFAULT_STORE_BYTES = 20_000_000_000

MARKER = "videoatlas-tiles"
_FORMAT = 1
_PICTURES = 1
"""To be raised when sources make other pixels or numbers of the same file than before."""
_MAX_OPEN = 128
"""Tile files that a process keeps mapped; each holds a file descriptor."""
_LOCK_SECONDS = 10.0
_PAUSE_SECONDS = 60.0
_FOLDER = re.compile(r"[0-9a-f]{32}")
_FILE = re.compile(r"(\d{1,9}x\d{1,9})\.(index|[0-9a-f]{16}\.tiles)")


class TileStoreError(ValueError):
    """A directory cannot be used as a tile store; the message says why, and what to do."""


class TileStoreWarning(RuntimeWarning):
    """Tiles are not kept on disk for now; pictures are decoded instead."""


@dataclass
class _Usage:
    """What one tile file takes, and when it was last in use."""

    num_bytes: int = 0
    used_ns: int = 0


class TileStore:
    """Tiles of any videos in one directory, up to a number of bytes.

    When they do not fit, whole tile files (one video in one size) go, the one longest unused first;
    processes that have one open keep what they have mapped. Thread-safe, safe across forks, pickles
    by its directory. Native pictures are not kept: they are large, and looked at once.

    Args:
        directory: Made if it is missing. Local; an existing one must be a tile store or empty.
        max_bytes: Bytes of all tile files together at most.

    Raises:
        TileStoreError: If the directory holds something else, or a format of another version.
        ValueError: If `max_bytes` is negative.
    """

    def __init__(
        self, directory: str | os.PathLike[str], max_bytes: int = DEFAULT_STORE_BYTES
    ) -> None:
        if max_bytes < 0:
            raise ValueError(f"max_bytes must not be negative, got {max_bytes}.")
        self.directory = Path(os.path.abspath(directory))
        self.max_bytes = max_bytes
        self.problem: str | None = None
        """Why tiles were last not written, or None while all was well."""
        self._has_warned = False
        self._paused_until = -_PAUSE_SECONDS
        self._descriptor: int | None = None
        self._reset()
        _STORES.add(self)
        self._check()
        with self._kept_going():
            self._prepare()

    def __repr__(self) -> str:
        return f"TileStore({str(self.directory)!r})"

    def __reduce__(self):
        return TileStore, (str(self.directory), self.max_bytes)

    def _reset(self) -> None:
        """Begin with nothing open: at first, and after a fork that may have cut a thread short."""
        if self._descriptor is not None:
            os.close(self._descriptor)  # the parent's; its lock ends with the parent
            self._descriptor = None
        self._lock, self._write_lock = threading.Lock(), threading.Lock()
        self._files: OrderedDict[tuple[str, int, int], TileFile] = OrderedDict()

    def facts(self, fingerprint: str) -> Facts | None:
        """Return what the source told of itself when its tiles were written, None if unknown."""
        with self._kept_going():
            folder = self.directory / _key(fingerprint).hex()
            for name in sorted(os.listdir(folder)) if folder.is_dir() else ():
                match = _FILE.fullmatch(name)
                if match and match[2] == "index":
                    width, height = map(int, match[1].split("x"))
                    facts = self._file(fingerprint, (width, height)).facts
                    if facts is not None:
                        return facts
        return None

    def find(self, fingerprint: str, size: tuple[int, int], seconds: Sequence[float]) -> Found:
        """Look up the tiles on display at moments. Costs some microseconds where all are here.

        A tile is compared with its checksum the first time that this process meets it.
        """
        file = self._file(fingerprint, size)
        moments = np.array(seconds, np.float64)
        if moments.tolist() != list(seconds):
            moments = moments[:0]  # exact fractions that no float is equal to: not for files
        with self._kept_going():
            return file.find(moments)
        return NOTHING

    def put(
        self,
        fingerprint: str,
        facts: Facts,
        size: tuple[int, int],
        seconds: Sequence[float],
        frames: Sequence[Frame],
    ) -> bool:
        """Keep tiles of `size` and the moments they were asked for; return whether that worked."""
        if time.monotonic() < self._paused_until:
            return False
        with self._kept_going(), self._locked():
            file = self._file(fingerprint, size)
            if self._make_room(file, len(frames) * (file.tile_bytes + 40)):
                file.append(facts, seconds, frames)
                self.problem = None
                return True
        return False

    def num_bytes(self) -> int:
        """Return the bytes of all tile files together."""
        return sum(usage.num_bytes for usage in self._usage().values())

    def _file(self, fingerprint: str, size: tuple[int, int]) -> TileFile:
        name = fingerprint, *size
        with self._lock:
            file = self._files.get(name)
            if file is None:
                key = _key(fingerprint)
                file = self._files[name] = TileFile(self.directory / key.hex(), key, size)
                if len(self._files) > _MAX_OPEN:
                    self._files.popitem(last=False)
            else:
                self._files.move_to_end(name)
            return file

    def _make_room(self, file: TileFile, num_bytes: int) -> bool:
        """Evict what is longest unused until so many bytes fit; tell if they never will."""
        usage = self._usage()
        own = usage.pop((file.folder.name, file.name), _Usage()).num_bytes
        if own + num_bytes > self.max_bytes:
            self._complain(
                f"the tiles of one video in size {file.name} would take more than the "
                f"{self.max_bytes} bytes allowed. Allow more."
            )
            return False
        total = own + num_bytes + sum(other.num_bytes for other in usage.values())
        for folder, name in sorted(usage, key=lambda key: usage[key].used_ns):
            if total <= self.max_bytes:
                break
            remove(self.directory / folder, name)
            total -= usage[folder, name].num_bytes
            if not os.listdir(self.directory / folder):
                os.rmdir(self.directory / folder)
        return True

    def _usage(self) -> dict[tuple[str, str], _Usage]:
        """What every tile file takes, by folder and name."""
        usage: dict[tuple[str, str], _Usage] = {}
        for folder in os.scandir(self.directory):
            if not _FOLDER.fullmatch(folder.name) or not folder.is_dir(follow_symlinks=False):
                continue
            for entry in os.scandir(folder):
                if match := _FILE.fullmatch(entry.name):
                    status = entry.stat(follow_symlinks=False)
                    of_file = usage.setdefault((folder.name, match[1]), _Usage())
                    of_file.num_bytes += status.st_size
                    if match[2] == "index":
                        of_file.used_ns = status.st_mtime_ns
        return usage

    def _check(self) -> None:
        """Refuse what is no tile store, or one of another format."""
        try:
            found = (self.directory / MARKER).read_bytes()
        except FileNotFoundError:
            if any(MARKER not in name for name in self._names()):
                raise TileStoreError(
                    f"{str(self.directory)!r} is no tile store: it holds other files. Give an "
                    "empty or a new directory."
                ) from None
        except NotADirectoryError:
            raise TileStoreError(
                f"{str(self.directory)!r} is no directory. Give the path of one, or a new name."
            ) from None
        except OSError:
            return
        else:
            if found != _marker():
                raise TileStoreError(
                    f"{str(self.directory)!r} is a tile store of another version of this package, "
                    "or its marker is damaged. Give another directory, or delete this one."
                )

    def _names(self) -> list[str]:
        try:
            return os.listdir(self.directory)
        except OSError:
            return []

    def _prepare(self) -> None:
        if not (self.directory / MARKER).exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            write_atomically(self.directory / MARKER, _marker())

    @contextmanager
    def _kept_going(self) -> Iterator[None]:
        """Turn what the disk refuses into a warning, and leave it alone for a while."""
        try:
            yield
        except OSError as error:
            self._paused_until = time.monotonic() + _PAUSE_SECONDS
            self._complain(
                f"{error.strerror or error}. Make room there, or name another directory."
            )

    def _complain(self, cause: str) -> None:
        self.problem = f"tiles are not kept in {str(self.directory)!r}: {cause}"
        if not self._has_warned:
            self._has_warned = True
            warnings.warn(self.problem, TileStoreWarning, stacklevel=2)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Be the only writer, among threads and processes; give up after some seconds."""
        with self._write_lock:
            self._prepare()
            self._descriptor = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, 0o666)
            try:
                _lock_file(self._descriptor)
                try:
                    yield
                finally:
                    # Not by closing alone: a child forked meanwhile may hold a copy open.
                    fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            finally:
                os.close(self._descriptor)
                self._descriptor = None


def _lock_file(descriptor: int) -> None:
    deadline, wait = time.monotonic() + _LOCK_SECONDS, 0.0005
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"another process has been writing for {_LOCK_SECONDS} s"
                ) from None
        time.sleep(wait)
        wait = min(2 * wait, 0.01)


def _marker() -> bytes:
    return f"videoatlas-gym tile store, format {_FORMAT}\n".encode()


def _key(fingerprint: str) -> bytes:
    """Name of a video's pixels: another FFmpeg may decode or scale to others."""
    made_by = sorted(av.library_versions.items())
    return hashlib.sha256(repr((_PICTURES, made_by, fingerprint)).encode()).digest()[:16]


_STORES: weakref.WeakSet[TileStore] = weakref.WeakSet()


def _after_fork() -> None:
    for store in _STORES:
        store._reset()


os.register_at_fork(after_in_child=_after_fork)
