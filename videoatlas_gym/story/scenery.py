"""A place in a theme, as a stage: six flats behind each other, seen by a camera that moves.

`scenery` paints the flats once (some 60 ms); `Scenery.view` lays them over each other as the camera
sees them, the nearer ones shifted more, and adds what moves by itself.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image

from videoatlas_gym.errors import one_of
from videoatlas_gym.story import flats
from videoatlas_gym.story.landmarks import ANCHORS, ON_WATER
from videoatlas_gym.story.layers import wide
from videoatlas_gym.story.life import Clouds, Falling, beams, glints, paste_smoke, sails
from videoatlas_gym.story.looks import LOOKS
from videoatlas_gym.story.names import PLACES, SIZE, THEMES
from videoatlas_gym.story.paint import lighter, mix, muted


class Scenery:
    """One place, painted. Views may be taken from several threads."""

    def __init__(self, theme: str, place: str, seed: int) -> None:
        rng = np.random.default_rng([seed, THEMES.index(theme), PLACES.index(place)])
        self._look, self._place = LOOKS[theme], place
        look = self._look
        self._sky = flats.sky(look, rng)
        self._clouds = Clouds(rng, look.clouds, muted(look.cloud), look.haze)
        self._far, self._crater = flats.far(look, rng)
        self._mid = flats.mid(look, rng)
        offset = int(rng.integers(-72, 73))
        self._landmark_x = wide(flats.LAND[0]) // 2 + offset
        self._scale = float(rng.uniform(0.74, 0.9))
        self._inks = flats.inks(look)
        self._land, self._land_top = flats.shore(
            look, place, self._inks, self._landmark_x, self._scale, rng
        )
        self._ground = flats.ground(look, place, offset, rng)
        self._front = flats.front(look, rng)
        self._falling = Falling(rng, look.falling)

    def view(self, x: float, y: float, zoom: float, moment: float) -> Image.Image:
        """Return what the camera sees, a new RGB picture of `SIZE`.

        Args:
            x: Where the camera is, from -1 (left) to 1 (right).
            y: Where it looks, from -1 (up) to 1 (down).
            zoom: From 1 (wide) to 1.4 (close).
            moment: Seconds since the scene began; moves clouds, water, smoke, snow.
        """
        frame = Image.new("RGB", SIZE)
        self._sky.paste_on(frame, x, y)
        self._clouds.paste_on(frame, x, y, moment)
        self._far.paste_on(frame, x, y)
        if self._crater is not None:
            left, top = self._far.corner(x, y)
            spot = (left + self._crater[0], top + self._crater[1])
            paste_smoke(frame, mix(self._look.cloud, self._look.haze, 0.35), spot, moment, 1.5)
        self._mid.paste_on(frame, x, y)
        self._land.paste_on(frame, x, y)
        self._move(frame, x, y, moment)
        self._ground.paste_on(frame, x, y)
        self._front.paste_on(frame, x, y)
        self._falling.paste_on(frame, x, moment)
        if zoom <= 1.001:
            return frame
        across, down = SIZE[0] / zoom, SIZE[1] / zoom
        left, top = (SIZE[0] - across) / 2, (SIZE[1] - down) * 0.55
        seen = (left, top, left + across, top + down)
        return frame.resize(SIZE, Image.Resampling.BILINEAR, seen)

    def _move(self, frame: Image.Image, x: float, y: float, moment: float) -> None:
        """Add what moves on and around the landmark."""
        left, top = self._land.corner(x, y)
        if self._place in ON_WATER:
            drift = round(14 * np.sin(moment * 0.5))
            for phase, step in ((0, drift), (1, -drift)):
                spot = (left - 20 + step, top + self._land_top + 4)
                frame.paste(muted(lighter(self._look.water, 0.6)), spot, glints(phase))
        if self._place not in ANCHORS:
            return
        at_x, at_y = ANCHORS[self._place]
        spot = (
            round(left + self._landmark_x + (at_x - 140) * self._scale),
            round(top + self._land_top + 4 - (180 - at_y) * self._scale),
        )
        if self._place == "windmill":
            side = round(160 * self._scale)
            cloth = muted(mix((240, 232, 214), self._look.haze, 0.15))
            picture, mask = sails(cloth, self._inks.wood, side)[int(moment * 9) % 18]
            frame.paste(picture, (spot[0] - side // 2, spot[1] - side // 2), mask)
        elif self._place == "lighthouse":
            beam = beams()[int(moment * 3) % 16]
            frame.paste((255, 246, 214), (spot[0] - 180, spot[1] - 50), beam)
        elif self._place == "station":
            paste_smoke(frame, mix((226, 224, 222), self._look.haze, 0.3), spot, moment)
        else:
            paste_smoke(frame, (226, 236, 242), spot, moment * 2, 0.3)


@lru_cache(maxsize=48)
def scenery(theme: str, place: str, seed: int) -> Scenery:
    """Return a place in a theme; another seed lays it out in another way.

    Painting one costs about 60 ms and 3 MB; the latest 48 are kept.

    Raises:
        ValueError: When the theme or the place is unknown.
    """
    one_of("theme", theme, THEMES)
    one_of("place", place, PLACES)
    return Scenery(theme, place, seed)
