"""Make the pictures of story worlds for the README: python docs/make_story_images.py docs/images.

Each shows an hour at three levels: the first view, one of its cells opened, one of that view's
cells zoomed, in which the object is on display that a question about the hour asks for.
"""

from __future__ import annotations

import sys
from pathlib import Path

import gymnasium
import numpy as np
from PIL import Image

import videoatlas_gym  # noqa: F401  (registers the environments)
from videoatlas_gym import Action
from videoatlas_gym.span import GridGeometry
from videoatlas_gym.story import StoryTasks

WORLDS, GRID_SIZE, TILE, GAP_PX = 3, 4, (176, 99), 6


def main(folder: str) -> None:
    """Write story_0.jpg to story_2.jpg and print what is asked."""
    tasks = StoryTasks(3600, WORLDS, 20, ("detail",), split="test")
    for world in range(WORLDS):
        about = [tasks[world * 20 + index] for index in range(20)]
        task = next(task for task in about if _cells(task))
        opened, zoomed = _cells(task)
        env = gymnasium.make(
            "VideoAtlas-v0", tasks=[task], grid_size=GRID_SIZE, tile_size=TILE, labels=True
        )
        root = env.reset(seed=0)[0]["view"]
        grid = env.step(Action("EXPAND", opened))[0]["view"]
        frame = env.step(Action("ZOOM", zoomed))[4]["frame"].rgb
        picture = _laid_out(root, grid, frame)
        path = Path(folder, f"story_{world}.jpg")
        picture.save(path, quality=63, optimize=True, progressive=True)
        print(f"{path}, {path.stat().st_size // 1000} kB, cells {opened}, {zoomed}: {task.query}")
        print(f"  {task.options[task.answer]}")


def _cells(task) -> tuple[int, int] | None:
    """Return the cells of the first two views that show what is asked for; None if none does."""
    geometry = GridGeometry(task.source.duration_seconds, GRID_SIZE)
    cell = geometry.cell_at(task.truth[0].midpoint_seconds, 2)
    seen = geometry.midpoint(cell)
    margin = 1.0  # so that it is not seen in the moment it comes or goes
    is_seen = any(s.start_seconds + margin < seen < s.end_seconds - margin for s in task.truth)
    return cell.path if is_seen else None


def _laid_out(root, grid, frame) -> Image.Image:
    """Return the first view, and to its right the opened cell above the zoomed one."""
    height, width = root.shape[:2]
    small = ((height - GAP_PX) // 2 * 16 // 9, (height - GAP_PX) // 2)
    page = Image.new("RGB", (width + GAP_PX + small[0], height), "white")
    page.paste(Image.fromarray(root), (0, 0))
    for row, picture in enumerate((grid, frame)):
        part = Image.fromarray(np.ascontiguousarray(picture)).resize(
            small, Image.Resampling.LANCZOS
        )
        page.paste(part, (width + GAP_PX, row * (height - small[1])))
    return page


if __name__ == "__main__":
    main(*sys.argv[1:])
