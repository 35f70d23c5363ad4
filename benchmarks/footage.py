"""What the generated videos show: moving textures, things in motion, noise, cuts, and a number.

Knows no files. The number of a frame is burnt into its upper left corner, so any picture that a
decoder delivers, down to 160 x 90 pixels, tells which frame it is. The corner is small: where a
quarter of the picture flips from frame to frame, x264 makes fewer pictures that no other is made
from.
"""

from __future__ import annotations

from collections.abc import Iterator

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from videoatlas_gym.video.synthesis import numbered_frame, read_number

VERSION = 2
"""Raised when the same arguments give other pictures or another sound."""
MEAN_SHOT_SECONDS = 12
SAMPLE_RATE = 48_000
SOUND_SAMPLES = 1024
"""Samples in a packet of AAC: ten minutes are 28,125 packets exactly."""

_CORNER = 2
"""The number is that of a numbered frame so many times smaller, of which the top quarter shows."""
_NOISE = 8
"""Noise lies in ``[0, _NOISE]``; about the grain of a phone at dusk."""
_NUM_NOISES = 16
_NUM_THINGS = 4


def frames(
    count: int, width: int, height: int, *, frames_per_second: int = 25, seed: int = 0
) -> Iterator[NDArray[np.uint8]]:
    """Yield numbered frames, uint8 RGB (height, width, 3), of shots that last 4 to 20 s.

    Args:
        count: How many, numbered from 0; at most 2**20.
        width: In pixels, at least 80.
        height: In pixels, at least 64.
        frames_per_second: How many of them are a second of video.
        seed: Other seeds show other shots.
    """
    random = np.random.default_rng(seed)
    noises = random.integers(0, _NOISE + 1, (_NUM_NOISES, height, width, 3), np.uint8)
    wide, high = width // _CORNER, height // _CORNER
    number_px = round(high / 4)
    index = 0
    while index < count:
        length = random.uniform(MEAN_SHOT_SECONDS / 3, MEAN_SHOT_SECONDS * 5 / 3)
        shot = _Shot(random, width, height)
        for number in range(max(1, round(length * frames_per_second))):
            if index == count:
                return
            rgb = shot.frame(number / frames_per_second)
            noise = noises[random.integers(_NUM_NOISES)]
            rgb += np.roll(noise, int(random.integers(height)), axis=0)
            rgb[:number_px, :wide] = numbered_frame(index, wide, high)[:number_px]
            yield rgb
            index += 1


def read_corner(rgb: NDArray[np.uint8]) -> int:
    """Return the number of a frame from its picture, without bars and not too small.

    Raises:
        ValueError: If it carries none.
    """
    height, width = rgb.shape[:2]
    return read_number(rgb[: height // _CORNER, : width // _CORNER])


class _Shot:
    """A camera that pans over a wide texture, and things that cross the picture."""

    def __init__(self, random: np.random.Generator, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._wide = _texture(random, 2 * width, 2 * height)
        self._camera = random.uniform(-40, 40, 2) * width / 640
        self._things = []
        for _ in range(_NUM_THINGS):
            side = int(random.integers(height // 10, height // 4))
            thing = _texture(random, side, side)
            start = random.uniform(0, (width, height))
            self._things.append((thing, start, random.uniform(-90, 90, 2) * width / 640))

    def frame(self, seconds: float) -> NDArray[np.uint8]:
        """Return the picture without noise, a new array with values up to 255 - `_NOISE`."""
        x, y = (
            self._bounced(seconds * v, side)
            for v, side in zip(self._camera, self._size, strict=True)
        )
        rgb = self._wide[y : y + self._height, x : x + self._width].copy()
        for thing, start, velocity in self._things:
            side = thing.shape[0]
            place = start + velocity * seconds
            x, y = (self._bounced(p, s - side) for p, s in zip(place, self._size, strict=True))
            rgb[y : y + side, x : x + side] = thing
        return rgb

    @property
    def _size(self) -> tuple[int, int]:
        return self._width, self._height

    @staticmethod
    def _bounced(place: float, limit: int) -> int:
        """A place that moves to and fro between 0 and `limit`."""
        return int(limit - abs(place % (2 * limit) - limit))


def _texture(random: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """Coarse and fine patches of colour, uint8 (height, width, 3)."""
    mixed = np.zeros((height, width, 3))
    for patch_px, share in ((64, 0.55), (16, 0.3), (5, 0.15)):
        cells = random.integers(0, 256, (height // patch_px + 2, width // patch_px + 2, 3))
        patches = Image.fromarray(cells.astype(np.uint8)).resize((width, height), Image.BICUBIC)
        mixed += share * np.asarray(patches, float)
    return (mixed * ((255 - _NOISE) / 255)).astype(np.uint8)


def sound(num_packets: int, seed: int = 0) -> Iterator[av.AudioFrame]:
    """Yield tones with a little noise, as many frames as an AAC encoder makes packets of."""
    random = np.random.default_rng(seed)
    steps = np.arange(SOUND_SAMPLES)
    for number in range(num_packets):
        moments = (number * SOUND_SAMPLES + steps) / SAMPLE_RATE
        tone = 220 * 2 ** (number // 47 % 12 / 12)
        wave = 0.2 * np.sin(2 * np.pi * tone * moments) + 0.01 * random.standard_normal(steps.size)
        frame = av.AudioFrame.from_ndarray(wave[None].astype(np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, number * SOUND_SAMPLES
        yield frame
