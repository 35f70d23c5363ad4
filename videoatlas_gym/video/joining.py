"""Files laid round after round on a timeline, until it is as long as is wanted. Decodes nothing."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from videoatlas_gym.video.part import Part
from videoatlas_gym.video.reader import VideoReader


def join_to_duration(
    paths: Sequence[str | os.PathLike[str]],
    duration_seconds: float,
    *,
    seed: int,
    subtitles: Any = None,
) -> list[Part]:
    """Lay files round after round on a timeline until it is at least `duration_seconds` long.

    The first round shows them as they are. In each later round every file is mirrored or not,
    cropped, turned in hue and changed in speed (0.8 to 1.25) at random, so that no stretch repeats
    exactly. `group` is the path of the original. Each file is opened once, for its duration.

    Args:
        paths: Video files, in the order of every round.
        duration_seconds: Wanted length (> 0); the last part is not cut.
        seed: Same seed, same parts.
        subtitles: Given to every part, for example "auto".

    Raises:
        ValueError: If there are no paths or the duration is not positive.
        VideoOpenError: If a file is no video.
    """
    if not paths or not 0 < duration_seconds < math.inf:
        raise ValueError(
            f"give at least one path and a positive duration, got {len(paths)} paths and "
            f"{duration_seconds} s."
        )
    names = [os.fspath(path) for path in paths]
    lengths = {}
    for name in names:
        with VideoReader(name) as reader:
            lengths[name] = reader.duration_seconds
    generator = np.random.default_rng(seed)
    parts: list[Part] = []
    total = 0.0
    while total < duration_seconds:
        name = names[len(parts) % len(names)]
        changes = _random_changes(generator) if len(parts) >= len(names) else {}
        parts.append(Part(name, 0.0, lengths[name], subtitles=subtitles, group=name, **changes))
        total += lengths[name] / parts[-1].speed
    return parts


def _random_changes(generator: np.random.Generator) -> dict[str, Any]:
    width, height = generator.uniform(0.75, 0.97, 2)
    left, top = generator.uniform(0, 1, 2) * (1 - width, 1 - height)
    return {
        "mirror": bool(generator.integers(2)),
        "crop": (float(left), float(top), float(width), float(height)),
        "hue_degrees": float(generator.uniform(30, 330)),
        "speed": float(generator.uniform(0.8, 1.25)),
    }
