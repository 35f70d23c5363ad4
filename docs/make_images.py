"""Make the pictures of the README from a video: python docs/make_images.py VIDEO docs/images."""

from __future__ import annotations

import sys
from pathlib import Path

import gymnasium
import numpy as np
from PIL import Image

from videoatlas_gym import Action

CELL, FRAME = 31, 26
"""The cell that is opened, and the one of its cells that is zoomed."""


def main(video: str, folder: str) -> None:
    """Write root.jpg (the first view) and descent.jpg (a cell's grid beside one of its frames)."""
    env = gymnasium.make("VideoAtlas-v0", video=video, tile_size=(112, 63), labels=True)
    root = env.reset(seed=0)[0]["view"]
    grid = env.step(Action("EXPAND", CELL))[0]["view"]
    frame = env.step(Action("ZOOM", FRAME))[0]["view"]
    gap = np.full((grid.shape[0], 8, 3), 255, np.uint8)
    pair = np.concatenate([grid, gap, frame], axis=1)
    for name, picture in (("root.jpg", root), ("descent.jpg", pair)):
        Image.fromarray(picture).save(Path(folder, name), quality=80, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
