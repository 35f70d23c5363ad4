"""Whether a delivered picture is the frame that was on display: by its number, or by its looks.

Generated videos carry numbers. Of a real film every frame is decoded once from the start and kept
tiny and grey; a delivered picture is wrong if another frame of the film is clearly more like it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.footage import read_corner
from videoatlas_gym.files import replacing

THUMB_SIZE = (32, 18)
_CLEARLY = 1.5
"""Another frame is more like a picture if it differs by so many times less than the right one."""
_GRAIN = 0.4
"""What scaling by other filters may differ by, in grey levels."""


def count_wrong_numbers(
    pictures: Iterable[NDArray[np.uint8]], ranks: Sequence[int], num_numbers: int
) -> int:
    """Count pictures that do not show the number of their frame.

    Args:
        pictures: RGB (height, width, 3), of any size.
        ranks: The frames that were on display, counted from 0.
        num_numbers: Frame i shows i modulo this.
    """
    shown = [_number(picture) for picture in pictures]
    if len(shown) != len(ranks):
        return len(ranks)
    return sum(n != rank % num_numbers for n, rank in zip(shown, ranks, strict=True))


def _number(picture: NDArray[np.uint8]) -> int | None:
    try:
        return read_corner(picture)
    except ValueError:
        return None


def count_wrong_looks(
    pictures: Iterable[NDArray[np.uint8]], ranks: Sequence[int], thumbs: NDArray[np.float32]
) -> int:
    """Count pictures to which another frame of the film is clearly nearer than the right one.

    Frames that look the same are not told apart: a still scene hides mistakes.

    Args:
        pictures: RGB (height, width, 3), of any size.
        ranks: The frames that were on display, counted from 0.
        thumbs: What `stored_thumbs` returns.
    """
    seen = [_thumb(picture) for picture in pictures]
    if len(seen) != len(ranks):
        return len(ranks)
    wrong = 0
    for thumb, rank in zip(seen, ranks, strict=True):
        differences = np.abs(thumbs - thumb).mean(axis=1)
        wrong += bool(differences[rank] > _CLEARLY * differences.min() + _GRAIN)
    return wrong


def stored_thumbs(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> Path:
    """Return the file with all frames of a film, made by a decode from its start if missing.

    Returns:
        An array file, float32 (frames, pixels), grey less its mean, in the order of display.
    """
    path, state = Path(path), os.stat(path)
    kept = Path(folder) / f"{path.stem}-{state.st_size}-{state.st_mtime_ns}.thumbs.npy"
    if not kept.is_file():
        with av.open(str(path)) as container:
            frames = container.decode(container.streams.video[0])
            thumbs = [_thumb(frame.to_ndarray(format="rgb24")) for frame in frames]
        with replacing(kept) as partial:
            np.save(partial, np.array(thumbs, np.float32))
    return kept


def _thumb(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    image = Image.fromarray(np.ascontiguousarray(picture)).convert("L")
    grey = np.asarray(image.resize(THUMB_SIZE, Image.Resampling.BOX), np.float32).ravel()
    return grey - grey.mean()
