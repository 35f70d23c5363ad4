"""`videoatlas sheet`: the grid of any cell of a user's own videos, as a picture.

Shows what an agent sees there, with cell numbers, times and subtitles on demand. Knows no task, no
state and no reward; several videos lie one after another on one timeline.
"""

from __future__ import annotations

import os
import re
import sys
import time
from argparse import BooleanOptionalAction, Namespace
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from videoatlas_gym import render
from videoatlas_gym.cli import Parser, parse_tile_size, run_command
from videoatlas_gym.errors import one_of
from videoatlas_gym.files import replacing
from videoatlas_gym.span import Cell, GridGeometry, Span
from videoatlas_gym.subtitles import Subtitles, resolve_subtitles
from videoatlas_gym.tasks import find_files
from videoatlas_gym.video import CachedSource, ConcatSource, Part, TileCache, VideoReader, as_cache
from videoatlas_gym.video.preview import (
    MIDPOINT,
    REPRESENTATIVES,
    Representative,
    Shown,
    shown_for,
)

MAX_PIXELS = 64 << 20
"""Bigger sheets are refused: few programs show them, and drawing them takes gigabytes."""
TILE_SIDES = (8, 4096)
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
"""Suffixes of pictures, and what is written for them."""
JPEG_QUALITY = 90
EXAMPLE = """\
  videoatlas sheet match.mp4 -o root.png                       the whole video
  videoatlas sheet match.mp4 --path 12,3 --times -o cell.png   cell 3 of cell 12 of it
  videoatlas sheet part1.mp4 part2.mp4 --subtitles auto -o joined.jpg"""


@dataclass(frozen=True)
class Place:
    """One cell of a video: what a sheet shows."""

    source: CachedSource
    geometry: GridGeometry
    cell: Cell
    subtitles: Subtitles = Subtitles()

    @property
    def span(self) -> Span:
        """What the sheet spans."""
        return self.geometry.span(self.cell)

    @property
    def cell_seconds(self) -> float:
        """Length of each cell of the sheet."""
        return self.geometry.resolution_seconds(self.cell.depth)

    @property
    def is_finer_than_frames(self) -> bool:
        """Whether neighbouring cells may show the same frame."""
        return self.cell_seconds < self.geometry.frame_seconds * (1 - 1e-9)


def sheet(
    videos: str | Path | Sequence[str | Path],
    path: Sequence[int] = (),
    *,
    grid_size: int = 8,
    tile_size: tuple[int, int] = (320, 180),
    labels: bool = True,
    times: bool = False,
    subtitles: str | Path | Subtitles | None = None,
    cache: TileCache | str | Path | None = None,
    representative: Representative = "midpoint",
) -> NDArray[np.uint8]:
    """Draw the grid of a cell. Decodes K * K frames, one for the middle of each cell.

    Args:
        videos: Files, folders or glob patterns; several files lie one after another on a timeline.
        path: Cell indices from the root, each counted row by row from 0; empty for the root.
        grid_size: K, cells per side.
        tile_size: (width, height) of a cell in pixels.
        labels: Burn in the index of each cell.
        times: Burn in the time at the middle of each cell, which its frame is on display at; of a
            key frame its own time.
        subtitles: "auto" for those beside or inside each video, or a file on the joined timeline.
        cache: Where tiles are looked up and kept: a cache, or a directory. None keeps none.
        representative: "midpoint", or "keyframe" for a preview: the key frame nearest to the middle
            of each cell inside it, decoded alone, and the frame at the middle where there is none.

    Returns:
        uint8 (K * height, K * width, 3).

    Raises:
        ValueError: If the path leaves the grid or goes deeper than frames, or a size is wrong.
        VideoError: If a video is missing, or a frame cannot be decoded.
        SubtitleError: If the subtitles cannot be read.
    """
    names = [videos] if isinstance(videos, str | Path) else videos
    one_of("representative", representative, REPRESENTATIVES)
    _check_size(grid_size, tile_size)
    with _open_videos(_files(names), subtitles, cache) as source:
        place = _place(source, path, grid_size, subtitles)
        shown = _shown(place, tile_size, representative)
        return _draw(place, shown, tile_size, labels=labels, times=times)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code: 0, 2 for a mistake, 130 for Ctrl-C."""
    return run_command("sheet", lambda: _run(_parser().parse_args(argv)))


def _run(options: Namespace) -> int:
    began = time.monotonic()
    path, tile_size = _parse_path(options.path), parse_tile_size(options.tile_size)
    one_of("representative", options.representative, REPRESENTATIVES)
    _check_size(options.grid_size, tile_size)
    files = _files(options.videos)
    out = _checked_output(Path(options.out), files)
    with _open_videos(files, options.subtitles, options.cache) as source:
        place = _place(source, path, options.grid_size, options.subtitles)
        shown = _shown(place, tile_size, options.representative)
        picture = _draw(place, shown, tile_size, labels=options.labels, times=options.times)
        _write(out, picture)
        print(
            f"{out}: {_described(place, files)}, {picture.shape[1]}x{picture.shape[0]} pixels; "
            f"{source.frames_decoded} frames decoded in {time.monotonic() - began:.1f} s."
            f"{_preview_note(shown, options.representative)}"
            f"{_notes(place, has_asked_subtitles=options.subtitles is not None)}"
        )
    return 0


def _parser() -> Parser:
    parser = Parser("sheet", "Draw the grid of a video, or of any cell of it.", EXAMPLE)
    add = parser.add_argument
    add("videos", nargs="+", metavar="VIDEO", help="files, folders or patterns, on one timeline")
    add("--path", default="", metavar="I,J,...", help="cell to open, such as 12,3; empty: the root")
    add("--grid-size", type=int, default=8, metavar="K", help="cells per side (8)")
    add("--tile-size", default="320x180", metavar="WxH", help="pixels of a cell (320x180)")
    add("--labels", action=BooleanOptionalAction, default=True, help="number the cells")
    add("--times", action="store_true", help="write the time of each cell beside its number")
    add(
        "--representative",
        default=MIDPOINT,
        metavar="KIND",
        help="frame of a cell: midpoint, or keyframe for a cheap preview (midpoint)",
    )
    add("--subtitles", metavar="auto|FILE", help="write what is said during each cell")
    add("--cache", metavar="DIR", help="keep decoded tiles there, and take those that are there")
    add("-o", "--out", required=True, metavar="FILE", help="picture to write: .png, .jpg or .jpeg")
    return parser


def _parse_path(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"(\d{1,9}([,/]\d{1,9})*)?", text):
        raise ValueError(
            "a path is cell indices from the root, separated by commas, such as 12,3 (empty for "
            f"the root), got {text!r}."
        )
    return tuple(int(index) for index in re.findall(r"\d+", text))


def _files(names: Sequence[str | Path]) -> list[Path]:
    return list(chain.from_iterable(find_files(name) for name in names))


def _open_videos(
    files: Sequence[Path],
    subtitles: str | Path | Subtitles | None,
    cache: TileCache | str | Path | None,
) -> CachedSource:
    cache = TileCache(0) if cache is None else as_cache(cache)
    if len(files) == 1:
        return CachedSource(VideoReader(files[0]), cache)
    of_each = "auto" if subtitles == "auto" else None
    return CachedSource(ConcatSource([Part(file, subtitles=of_each) for file in files]), cache)


def _cues(
    source: VideoReader | ConcatSource, subtitles: str | Path | Subtitles | None
) -> Subtitles:
    if isinstance(source, VideoReader):
        return resolve_subtitles(subtitles, source.path)
    return source.subtitles if subtitles == "auto" else resolve_subtitles(subtitles)


def _place(
    source: CachedSource,
    path: Sequence[int],
    grid_size: int,
    subtitles: str | Path | Subtitles | None,
) -> Place:
    geometry = GridGeometry(source.duration_seconds, grid_size, source.frame_seconds)
    cell = Cell(tuple(path))
    geometry.check(cell)
    for depth in range(1, cell.depth + 1):
        opened = Cell(cell.path[:depth])
        length = geometry.span(opened).duration_seconds
        if length < geometry.frame_seconds * (1 - 1e-9):
            raise ValueError(
                f"cell {opened} is {_length(length)} long, shorter than a frame "
                f"({_length(geometry.frame_seconds)}): there is nothing to open. The last cell on "
                f"this path that opens is {opened.parent}."
            )
    return Place(source, geometry, cell, _cues(source.source, subtitles))


def _check_size(grid_size: int, tile_size: tuple[int, int]) -> None:
    low, high = TILE_SIDES
    if not 2 <= grid_size <= 64:
        raise ValueError(f"grid_size must be a whole number from 2 to 64, got {grid_size}.")
    if not all(low <= side <= high for side in tile_size):
        raise ValueError(
            f"a tile must be {low} to {high} pixels wide and high, got {tile_size[0]}x"
            f"{tile_size[1]}."
        )
    num_pixels = grid_size**2 * tile_size[0] * tile_size[1]
    if num_pixels > MAX_PIXELS:
        raise ValueError(
            f"{grid_size} x {grid_size} tiles of {tile_size[0]}x{tile_size[1]} make "
            f"{num_pixels / 1e6:.0f} megapixels, at most {MAX_PIXELS / 1e6:.0f} are drawn. Give a "
            "smaller tile size or grid size."
        )


def _shown(place: Place, tile_size: tuple[int, int], representative: Representative) -> list[Shown]:
    """Decode what stands for each cell."""
    moments = place.geometry.midpoints(place.cell).tolist()
    spans = [Span(*edges) for edges in pairwise(place.geometry.edges(place.cell).tolist())]
    return shown_for(place.source, moments, spans, tile_size, representative=representative)


def _draw(
    place: Place,
    shown: Sequence[Shown],
    tile_size: tuple[int, int],
    *,
    labels: bool,
    times: bool,
) -> NDArray[np.uint8]:
    spans = pairwise(place.geometry.edges(place.cell).tolist())
    captions = []
    for index, (chosen, span) in enumerate(zip(shown, spans, strict=True)):
        said = [str(index)] * labels + [_clock(chosen.moment, place.cell_seconds)] * times
        captions.append((" at ".join(said), place.subtitles.text(*span)))
    side = place.geometry.grid_size
    tiles = np.stack([chosen.frame.rgb for chosen in shown])
    # The scratchpad's sheet cuts captions to their tile; the plain contact sheet does not.
    return render.scratchpad_sheet(tiles, captions, columns=side, rows=side, tile_size=tile_size)


def _clock(seconds: float, cell_seconds: float) -> str:
    """Write a time, with milliseconds where cells are too short for tenths of a second."""
    if cell_seconds >= 0.2:
        return render.clock(seconds)
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{minutes:02d}:{milliseconds // 1000:02d}.{milliseconds % 1000:03d}"
    return f"{hours}:{text}" if hours else text


def _length(seconds: float) -> str:
    return f"{seconds:.4g} s" if seconds >= 1 else f"{seconds * 1000:.4g} ms"


def _described(place: Place, files: Sequence[Path]) -> str:
    """Say which span of what the sheet shows."""
    name = files[0].name if len(files) == 1 else f"{len(files)} videos"
    what = f"cell {place.cell} of {name}" if place.cell.path else f"all of {name}"
    start, end = place.span.start_seconds, place.span.end_seconds
    side = place.geometry.grid_size
    return (
        f"{what}, {_clock(start, place.cell_seconds)} to {_clock(end, place.cell_seconds)}, "
        f"{side} x {side} cells of {_length(place.cell_seconds)}"
    )


def _preview_note(shown: Sequence[Shown], representative: Representative) -> str:
    """Say of a preview what it shows."""
    if representative == MIDPOINT:
        return ""
    num_keys = sum(chosen.is_key for chosen in shown)
    return (
        f" A preview: {num_keys} of {len(shown)} cells show a key frame, the others the frame at "
        "their middle."
    )


def _notes(place: Place, *, has_asked_subtitles: bool) -> str:
    """Say what may surprise."""
    notes = ""
    if place.is_finer_than_frames:
        frame = _length(place.geometry.frame_seconds)
        notes += f" Cells are shorter than a frame ({frame}): neighbours show the same one."
    if has_asked_subtitles and not place.subtitles.between(*astuple(place.span)):
        notes += " There are no subtitles in this span."
    return notes


def _checked_output(out: Path, files: Sequence[Path]) -> Path:
    """Refuse what cannot be written before anything is decoded."""
    if out.is_dir():
        raise ValueError(f"cannot write {str(out)!r}: it is a folder. Name a file in it.")
    if out.suffix.lower() not in FORMATS:
        raise ValueError(
            f"cannot write {str(out)!r}: a sheet's name must end in {', '.join(FORMATS)}."
        )
    if not out.parent.is_dir():
        raise ValueError(
            f"cannot write {str(out)!r}: there is no folder {str(out.parent)!r}. Make it first."
        )
    if not os.access(out.parent, os.W_OK):
        raise ValueError(
            f"cannot write {str(out)!r}: the folder {str(out.parent)!r} is not writable. Name "
            "another one."
        )
    if out.exists() and any(out.samefile(file) for file in files):
        raise ValueError(f"cannot write {str(out)!r}: it is a video to read. Name another file.")
    return out


def _write(out: Path, picture: NDArray[np.uint8]) -> None:
    """Write the picture; the file appears whole or not at all, and replaces an older one."""
    with replacing(out) as partial:
        Image.fromarray(picture).save(partial, FORMATS[out.suffix.lower()], quality=JPEG_QUALITY)


if __name__ == "__main__":
    sys.exit(main())
