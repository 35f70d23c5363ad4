"""How a scene is filmed: shots without a cut, and the camera's way through each. Knows no pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from videoatlas_gym.story.needles import Stretch


@dataclass(frozen=True)
class Shot:
    """A stretch without a cut, and the camera's way through it: (x, y, zoom) at both its ends."""

    stretch: Stretch
    start: tuple[float, float, float]
    end: tuple[float, float, float]
    is_card: bool = False

    def camera(self, frame: int) -> tuple[float, float, float]:
        """Return where the camera is: x and y in [-1, 1], zoom from 1; it eases in and out."""
        share = (frame - self.stretch.first) / max(1, len(self.stretch) - 1)
        eased = share * share * (3 - 2 * share)
        return tuple(a + (b - a) * eased for a, b in zip(self.start, self.end, strict=True))


def cut_into_shots(
    whole: Stretch,
    card: Stretch,
    events: Sequence[Stretch],
    lengths: tuple[float, float],
    random: np.random.Generator,
) -> tuple[Shot, ...]:
    """Cut a scene into shots that tile it.

    Args:
        whole: The scene.
        card: Its beginning, a shot of its own where it is not empty.
        events: In order. Where no cut may fall: each lies whole within one shot.
        lengths: Shortest and longest distance of cuts, in frames. A shot is longer where the next
            cut would fall into an event or too close to the end of the scene, and shorter only
            where the scene is.
        random: Source of chance.
    """
    cuts, frame = [whole.first], card.stop
    while frame < whole.stop:
        cuts.append(frame)
        frame += max(1, round(random.uniform(*lengths)))
        frame = next((event.stop for event in events if frame in event), frame)
        if whole.stop - frame < lengths[0]:
            break
    edges = pairwise([*dict.fromkeys(cuts), whole.stop])
    return tuple(_shot(Stretch(*edge), random, is_card=edge[1] <= card.stop) for edge in edges)


def _shot(stretch: Stretch, random: np.random.Generator, *, is_card: bool) -> Shot:
    """Draw the camera's way: it pans or tilts, or (one shot in three) stands nearer and zooms."""
    x, y = random.uniform(-0.9, 0.9, 2)
    way_x, way_y = random.uniform(-0.6, 0.6, 2)
    near, far = random.uniform(1.0, 1.15), random.uniform(1.2, 1.4)
    kind = int(random.integers(6))
    if kind < 2:  # zooming costs a resize per frame, so most shots do without
        zooms = (near, far) if kind else (far, near)
        way_x, way_y = 0.3 * way_x, 0.3 * way_y
    else:
        zooms = (1.0, 1.0)
        way_x, way_y = (way_x, 0.2 * way_y) if kind < 5 else (0.2 * way_x, way_y)
    end = np.clip([x + way_x, y + way_y], -1.0, 1.0).tolist()
    return Shot(stretch, (float(x), float(y), zooms[0]), (*end, zooms[1]), is_card)
