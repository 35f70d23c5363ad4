"""The demonstration: draws a film, compares all baselines on it, shows the table and where it lies.

The film is made of drawn scenes (textured ground, drifting objects with numbers, cuts), so the
command needs nothing but the package. `--write FILE` only draws the film, for trying other
commands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from eval.compare import main as compare_main
from videoatlas_gym.cli import Parser
from videoatlas_gym.video.synthesis import write_video

SIZE = (320, 180)
FRAMES_PER_SECOND = 10
EXAMPLE = """  videoatlas demo --out runs/demo
  videoatlas demo --write my_video.mp4"""


def draw_film(minutes: float, seed: int = 0) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames of a film, uint8 (180, 320, 3), ten per second.

    A scene lasts 4 to 14 seconds: a textured ground in a palette of its own, panned slowly, and two
    to five objects that drift over it, each carrying a number.
    """
    random = np.random.default_rng(seed)
    left = round(minutes * 60 * FRAMES_PER_SECOND)
    while left > 0:
        count = min(left, int(random.integers(4, 15)) * FRAMES_PER_SECOND)
        yield from _scene(count, random)
        left -= count


def _scene(count: int, random: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    ground = _ground(random)
    objects = [_Object(random) for _ in range(int(random.integers(2, 6)))]
    pan = random.uniform(-1, 1, 2) * 8 / FRAMES_PER_SECOND
    middle = np.array([ground.width - SIZE[0], ground.height - SIZE[1]]) / 2
    for index in range(count):
        x, y = np.clip(middle + pan * (index - count / 2), 0, 2 * middle).round().astype(int)
        frame = ground.crop((x, y, x + SIZE[0], y + SIZE[1]))
        draw = ImageDraw.Draw(frame)
        for thing in objects:
            thing.draw(draw, index / FRAMES_PER_SECOND)
        yield np.asarray(frame)


def _ground(random: np.random.Generator) -> Image.Image:
    """Return two colours blended by smooth noise, a little larger than a frame."""
    size = (SIZE[0] + 80, SIZE[1] + 60)
    coarse = Image.fromarray(random.integers(0, 256, (7, 11), dtype=np.uint8))
    fine = Image.fromarray(random.integers(0, 256, (40, 64), dtype=np.uint8))
    layers = [np.asarray(noise.resize(size, Image.Resampling.BICUBIC)) for noise in (coarse, fine)]
    blend = (0.75 * layers[0] + 0.25 * layers[1])[..., None] / 255
    dark, light = random.integers(0, 140, 3), random.integers(90, 256, 3)
    return Image.fromarray((dark + (light - dark) * blend).clip(0, 255).astype(np.uint8))


class _Object:
    """A shape with a number that drifts in a straight line."""

    def __init__(self, random: np.random.Generator):
        self.place = random.uniform((30, 30), (SIZE[0] - 30, SIZE[1] - 30))
        self.speed = random.uniform(-9, 9, 2)
        self.radius = float(random.uniform(14, 34))
        self.colour = tuple(int(c) for c in random.integers(30, 256, 3))
        self.number = str(int(random.integers(10, 100)))
        self.shape = str(random.choice(["ellipse", "rectangle", "triangle"]))

    def draw(self, draw: ImageDraw.ImageDraw, seconds: float) -> None:
        x, y = self.place + self.speed * seconds
        box = (x - self.radius, y - self.radius, x + self.radius, y + self.radius)
        if self.shape == "triangle":
            corners = [(x, box[1]), (box[0], box[3]), (box[2], box[3])]
            draw.polygon(corners, fill=self.colour, outline=(20, 20, 20))
        else:
            getattr(draw, self.shape)(box, fill=self.colour, outline=(20, 20, 20))
        font = ImageFont.load_default(max(10, self.radius * 0.9))
        draw.text((x, y + self.radius * 0.2), self.number, fill=(0, 0, 0), font=font, anchor="mm")


def write_film(path: str | Path, minutes: float = 10.0, seed: int = 0) -> Path:
    """Draw a film into a file, with progress."""
    total = round(minutes * 60 * FRAMES_PER_SECOND)
    frames = tqdm(draw_film(minutes, seed), total=total, desc="drawing the film", unit="frame")
    return write_video(path, frames, frames_per_second=FRAMES_PER_SECOND, group_of_pictures=50)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demonstration; return the exit code."""
    parser = Parser("demo", __doc__, EXAMPLE)
    parser.add_argument("--out", default="runs/demo", help="folder of film, records and table")
    parser.add_argument("--write", metavar="FILE", help="only draw the film, into this file")
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the film (10)")
    parser.add_argument("--episodes", type=int, default=20, help="tasks per policy and depth (20)")
    options = parser.parse_args(argv)
    if options.minutes <= 0:
        parser.error(f"--minutes must be positive, got {options.minutes:g}")
    if options.write:
        print(f"wrote {write_film(options.write, options.minutes)}")
        return 0
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    film = out / f"film_{options.minutes:g}min.mp4"
    if not film.exists():
        write_film(film, options.minutes)
    arguments = ["--videos", str(film), "--episodes", str(options.episodes), "--grid-size", "4"]
    code = compare_main([*arguments, "--depths", "0,1,2,3", "--out", str(out / "comparison")])
    if code == 0:
        print(f"\nFilm, records, trajectories and this table are in {out}.")
    return code


if __name__ == "__main__":
    raise SystemExit(main())
