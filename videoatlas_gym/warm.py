"""`videoatlas warm`: decodes the first levels of videos ahead of time, into a cache on disk.

Asks for the very moments and tiles that an environment with the same arguments asks for, level by
level, so that it can be stopped at any time: what is there is never decoded again.
"""

from __future__ import annotations

import itertools
import math
import sys
import time
import warnings
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from videoatlas_gym.arguments import check_grid_size, checked_number, checked_tile_size
from videoatlas_gym.cli import Parser, parse_num_bytes, parse_tile_size, run_command
from videoatlas_gym.span import Cell, GridGeometry
from videoatlas_gym.tasks import find_files
from videoatlas_gym.video import CachedSource, TileCache, TileStoreWarning, VideoReader
from videoatlas_gym.video.store import DEFAULT_STORE_BYTES

EXAMPLE = """\
  videoatlas warm match.mp4 --cache tiles/
  videoatlas warm recordings/ --cache tiles/ --depth 1 --grid-size 8 --max-size 50G
Stop it with Ctrl-C; the same command goes on where it stopped. Use the result with
gymnasium.make("VideoAtlas-v0", video="match.mp4", cache="tiles/"), or videoatlas sheet --cache."""


@dataclass(frozen=True)
class Warmed:
    """What is in the cache for one video now."""

    depth: int
    """The deepest level that was asked for and exists."""
    num_moments: int
    """Cells of all levels."""
    num_decoded: int
    """Cells whose tile was not there before."""


def warm(
    video: str | Path,
    cache: TileCache,
    *,
    depth: int = 1,
    grid_size: int = 8,
    tile_size: tuple[int, int] = (160, 90),
    min_expand_seconds: float = 1.0,
) -> Warmed:
    """Decode all views of a video down to a depth into a cache on disk, coarse ones first.

    Costs K**2 frames for the root, K**2 times as much for each level below, less what is there.

    Args:
        video: A file.
        cache: One with a directory.
        depth: Of the deepest views; those that no environment shows are left out.
        grid_size: K, cells per side.
        tile_size: (width, height) of a cell in pixels.
        min_expand_seconds: As the environment's: shorter cells are not opened.

    Raises:
        ValueError: If the tiles need more room than the cache allows, or cannot be written.
        VideoError: If the video cannot be read.
    """
    if cache.store is None:
        raise ValueError("only a cache with a directory can be warmed: give TileCache one.")
    with CachedSource(VideoReader(video), cache) as source:
        geometry = GridGeometry(source.duration_seconds, grid_size, source.frame_seconds)
        depth = min(depth, geometry.auto_depth(min_expand_seconds))
        total = sum(geometry.num_cells ** (level + 1) for level in range(depth + 1))
        num_decoded = 0
        with tqdm(total=total, desc=Path(video).name, unit="tile", leave=False) as bar:
            for moments in _views(geometry, depth):
                lacking = _lacking(source, tile_size, moments)
                source.tiles_at(lacking, *tile_size)
                if lacking and cache.store.problem is not None:
                    raise ValueError(cache.store.problem)
                num_decoded += len(lacking)
                bar.update(len(moments))
    return Warmed(depth, total, num_decoded)


def num_bytes(
    video: str | Path,
    *,
    depth: int,
    grid_size: int,
    tile_size: tuple[int, int],
    min_expand_seconds: float,
) -> int:
    """Return what `warm` writes for a video at most, in bytes. Opens it, decodes one frame."""
    with VideoReader(video) as reader:
        geometry = GridGeometry(reader.duration_seconds, grid_size, reader.frame_seconds)
    levels = range(min(depth, geometry.auto_depth(min_expand_seconds)) + 1)
    num_moments = sum(geometry.num_cells ** (level + 1) for level in levels)
    num_frames = math.ceil(geometry.duration_seconds / geometry.frame_seconds)
    return min(num_moments, num_frames) * tile_size[0] * tile_size[1] * 3 + 40 * num_moments


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code: 0, 2 for a mistake, 130 for Ctrl-C."""
    return run_command("warm", lambda: _run(_parser().parse_args(argv)))


def _run(options: Namespace) -> int:
    check_grid_size(options.grid_size)
    if options.depth < 0:
        raise ValueError(f"depth must be a whole number from 0, got {options.depth}.")
    tile_size = checked_tile_size(parse_tile_size(options.tile_size))
    max_bytes = parse_num_bytes(options.max_size)
    files = list(itertools.chain.from_iterable(map(find_files, options.videos)))
    views = {
        "depth": options.depth,
        "grid_size": options.grid_size,
        "tile_size": tile_size,
        "min_expand_seconds": checked_number("min_expand_seconds", options.min_expand_seconds),
    }
    needed = sum(num_bytes(file, **views) for file in files)
    if needed > max_bytes:
        raise ValueError(
            f"the tiles take up to {needed / 1e9:.3g} GB, --max-size allows {max_bytes / 1e9:.3g} "
            "GB. Allow more, or give a smaller depth, tile size or number of videos."
        )
    with warnings.catch_warnings():
        # What hinders writing ends this command with a sentence.
        warnings.simplefilter("ignore", TileStoreWarning)
        cache = TileCache(0, options.cache, max_disk_bytes=max_bytes)
        for file in files:
            print(_warmed(file, cache, views))
    print(f"{options.cache}: {cache.store.num_bytes() / 1e6:.1f} MB.")
    return 0


def _warmed(file: Path, cache: TileCache, views: dict[str, Any]) -> str:
    """Warm a file; return what to say of it."""
    began = time.monotonic()
    done = warm(file, cache, **views)
    note = "" if done.depth == views["depth"] else " There are no deeper levels."
    return (
        f"{file}: {done.num_moments} cells to depth {done.depth}, {done.num_decoded} of them new, "
        f"in {time.monotonic() - began:.1f} s.{note}"
    )


def _parser() -> Parser:
    text = "Decode the first levels of videos ahead of time, into a cache on disk."
    parser = Parser("warm", text, EXAMPLE)
    add = parser.add_argument
    add("videos", nargs="+", metavar="VIDEO", help="files, folders or patterns")
    add("--cache", required=True, metavar="DIR", help="where the tiles go; made if it is missing")
    add("--depth", type=int, default=1, metavar="D", help="deepest level of views (1)")
    add("--grid-size", type=int, default=8, metavar="K", help="cells per side (8)")
    add("--tile-size", default="160x90", metavar="WxH", help="pixels of a cell (160x90)")
    add(
        "--min-expand-seconds",
        type=float,
        default=1.0,
        metavar="S",
        help="cells shorter than this are not opened (1)",
    )
    add(
        "--max-size",
        default=f"{DEFAULT_STORE_BYTES // 10**9}G",
        metavar="SIZE",
        help="of the whole directory (%(default)s); the videos longest unused go",
    )
    return parser


def _views(geometry: GridGeometry, depth: int) -> Iterator[list[float]]:
    """Yield the moments of every view, level by level, each level in the order of time."""
    for level in range(depth + 1):
        for path in itertools.product(range(geometry.num_cells), repeat=level):
            yield geometry.midpoints(Cell(path)).tolist()


def _lacking(source: CachedSource, size: tuple[int, int], moments: list[float]) -> list[float]:
    found = source.cache.store.find(source.fingerprint(), size, moments)
    return np.delete(np.array(moments), found.indices).tolist()


if __name__ == "__main__":
    sys.exit(main())
