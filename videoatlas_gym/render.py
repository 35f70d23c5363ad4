"""Pictures for agents and people: contact sheets, zooms, the scratchpad.

The same arrays and texts give the same pixels, as long as the environment variable VIDEOATLAS_FONT
names the same font. Knows arrays, not videos or rules. Every picture is letterboxed, never
stretched; dead cells are black, hidden ones grey, and nothing else is drawn in those two plain
colours.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from videoatlas_gym.state import DEAD, EVIDENCE, QUEUED, VISITED
from videoatlas_gym.video.source import LETTERBOX_RGB

DEAD_RGB = (0, 0, 0)
HIDDEN_RGB = (96, 96, 96)
EMPTY_RGB = (20, 20, 24)
"""Background of slots that hold nothing."""
EVIDENCE_RGB = (0, 220, 90)
MARKS = ((VISITED, (80, 140, 255)), (QUEUED, (255, 190, 0)), (EVIDENCE, EVIDENCE_RGB))
"""Corner mark per status bit: blue visited, amber queued; green evidence also frames the cell."""
FONT_VARIABLE = "VIDEOATLAS_FONT"
"""Environment variable naming a TrueType file, for scripts that Pillow's own font lacks."""


def contact_sheet(
    tiles: NDArray[np.uint8] | Sequence[NDArray[np.uint8]],
    *,
    columns: int,
    status: NDArray[np.int8] | None = None,
    hidden: NDArray[np.bool_] | None = None,
    labels: Sequence[str] | None = None,
) -> NDArray[np.uint8]:
    """Lay tiles out row by row.

    Args:
        tiles: uint8 (n, height, width, 3), or n tiles of one size. What a dead or hidden tile holds
            is not looked at.
        columns: Tiles per row; missing ones at the end are left empty.
        status: Bits per cell as `AtlasState.cell_status` has them; dead cells come out black.
        hidden: Cells to leave grey.
        labels: Text to burn into the top left corner of each cell; "" for none.

    Returns:
        uint8 (rows * height, columns * width, 3), rows = ceil(n / columns).
    """
    count, (height, width) = len(tiles), tiles[0].shape[:2]
    sheet, cells = _empty_sheet(-(-count // columns), columns, width, height)
    for index, cell in enumerate(cells):
        cell[:] = tiles[index] if index < count else _plain(EMPTY_RGB, width, height)
    dead = None if status is None else status & DEAD
    for where, colour in ((hidden, HIDDEN_RGB), (dead, DEAD_RGB)):
        for index in () if where is None else np.flatnonzero(where):
            cells[index][:] = _plain(colour, width, height)
    if status is not None:
        _mark(cells, status)
    for cell, label in zip(cells, labels or (), strict=False):
        _burn(cell, label, size=_label_px(height))
    return sheet


def _empty_sheet(
    rows: int, columns: int, width: int, height: int
) -> tuple[NDArray[np.uint8], list[NDArray[np.uint8]]]:
    """Return a sheet that is yet to be drawn, and its cells row by row, to draw into."""
    sheet = np.empty((rows * height, columns * width, 3), np.uint8)
    grid = sheet.reshape(rows, height, columns, width, 3)
    return sheet, [grid[row, :, column] for row in range(rows) for column in range(columns)]


@lru_cache(maxsize=16)
def _plain(colour: tuple[int, int, int], width: int, height: int) -> NDArray[np.uint8]:
    """Return a cell of one colour; read-only, since all share it."""
    cell = np.full((height, width, 3), colour, np.uint8)
    cell.setflags(write=False)
    return cell


def _mark(cells: Sequence[NDArray[np.uint8]], status: NDArray[np.int8]) -> None:
    """Draw the status bits in place: small squares top right, a frame for evidence."""
    height, width = cells[0].shape[:2]
    side = max(3, height // 15)
    for index in np.flatnonzero((status > 0) & (status & DEAD == 0)).tolist():
        cell, bits = cells[index], status[index]
        if bits & EVIDENCE:
            for edge in (np.s_[:2], np.s_[-2:]):
                cell[edge] = EVIDENCE_RGB
                cell[:, edge] = EVIDENCE_RGB
        for slot, (bit, colour) in enumerate(MARKS):
            if bits & bit:
                right = width - slot * (side + 1)
                cell[:side, max(0, right - side) : max(0, right)] = colour


def letterbox(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Fit a picture into width x height without stretching, bars in `LETTERBOX_RGB`.

    Shrinking averages over areas, enlarging is bicubic.
    """
    source_height, source_width = picture.shape[:2]
    scale = min(width / source_width, height / source_height)
    fit = (max(1, round(source_width * scale)), max(1, round(source_height * scale)))
    if fit != (source_width, source_height):
        how = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
        picture = np.asarray(Image.fromarray(picture).resize(fit, how))
    canvas = np.empty((height, width, 3), np.uint8)
    left, top = (width - fit[0]) // 2, (height - fit[1]) // 2
    right, bottom = left + fit[0], top + fit[1]
    canvas[top:bottom, left:right] = picture
    row = np.full((width, 3), LETTERBOX_RGB, np.uint8)
    inside = canvas[top:bottom]
    for bar in (canvas[:top], canvas[bottom:], inside[:, :left], inside[:, right:]):
        bar[:] = row[: bar.shape[1]]
    return canvas


def scratchpad_sheet(
    tiles: NDArray[np.uint8] | Sequence[NDArray[np.uint8]],
    captions: Sequence[tuple[str, str]],
    *,
    columns: int,
    rows: int,
    tile_size: tuple[int, int],
) -> NDArray[np.uint8]:
    """Draw kept frames with their captions burnt in.

    Args:
        tiles: uint8 (n, height, width, 3), or n tiles; n <= columns * rows.
        captions: For each tile a heading (index and time; top) and a subtitle (bottom).
        columns: Slots per row.
        rows: Rows of slots; empty slots stay dark, so the size never changes.
        tile_size: (width, height) of a slot in pixels.

    Returns:
        uint8 (rows * height, columns * width, 3).
    """
    width, height = tile_size
    sheet, slots = _empty_sheet(rows, columns, width, height)
    for index, slot in enumerate(slots):
        slot[:] = tiles[index] if index < len(tiles) else _plain(EMPTY_RGB, width, height)
    size = _label_px(height)
    for slot, (heading, subtitle) in zip(slots, captions, strict=False):
        _burn(slot, _cut(heading, size, width), size=size)
        if subtitle:
            _burn(slot[max(0, height - size - 4) :], _cut(subtitle, size, width), size=size)
    return sheet


def clock(seconds: float) -> str:
    """Write a time as h:mm:ss.s, leaving out hours that are zero."""
    tenths = round(seconds * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    text = f"{minutes:02d}:{tenths // 10:02d}.{tenths % 10}"
    return f"{hours}:{text}" if hours else text


def _label_px(height: int) -> int:
    return max(9, round(height * 0.14))


@lru_cache(maxsize=8)
def _font(size: int, path: str | None) -> ImageFont.FreeTypeFont:
    try:
        return ImageFont.truetype(path, size) if path else ImageFont.load_default(size)
    except OSError as error:
        raise ValueError(
            f"{FONT_VARIABLE} names {path!r}, which is no font that can be read ({error}). Set it "
            "to a TrueType file, or unset it for Pillow's own font."
        ) from error


def _cut(text: str, size: int, width: int) -> str:
    """Shorten a line until it fits, marking the cut with three dots."""
    return _cut_line(text, size, width, os.environ.get(FONT_VARIABLE))


@lru_cache(maxsize=4096)
def _cut_line(text: str, size: int, width: int, path: str | None) -> str:
    font = _font(size, path)
    text = " ".join(text.split())
    if font.getlength(text) <= width - 4:
        return text
    while text and font.getlength(text + "...") > width - 4:
        text = text[: -max(1, len(text) // 16)]
    return text + "..."


@lru_cache(maxsize=4096)
def _written(
    text: str, size: int, path: str | None
) -> tuple[NDArray[np.uint8], Image.Image | None]:
    """Return a text on its bar, read-only; and its ink, as an "L" picture, if the bar is left."""
    font = _font(size, path)
    length = int(font.getlength(text))
    ink = Image.new("L", (length + 16, 2 * size + 8))  # with room for what hangs over or below
    ImageDraw.Draw(ink).text((2, 1), text, font=font, fill=255)
    bar = Image.new("RGB", (length + 5, size + 4), (16, 16, 16))
    bar.paste((255, 255, 255), (0, 0, *ink.size), ink)
    _, _, right, bottom = ink.getbbox() or (0, 0, 0, 0)
    return np.asarray(bar), ink if right > bar.width or bottom > bar.height else None


def _burn(box: NDArray[np.uint8], text: str, *, size: int) -> None:
    """Write a text, white on dark, into the top left corner of a box that it never leaves."""
    if not text:
        return
    bar, ink = _written(text, size, os.environ.get(FONT_VARIABLE))
    height, width = bar.shape[:2]
    if ink is not None:
        corner = box[: ink.height, : ink.width]
        room = Image.fromarray(np.ascontiguousarray(corner))
        room.paste((255, 255, 255), (0, 0), ink)
        corner[:] = room
    box[:height, :width] = bar[: box.shape[0], : box.shape[1]]


def page(
    view: NDArray[np.uint8], scratchpad: NDArray[np.uint8], headline: str
) -> NDArray[np.uint8]:
    """Put a headline over the view and the scratchpad beside it: what `render()` shows people.

    Returns:
        uint8 (view height + bar, view width + scratchpad width, 3).
    """
    bar = max(20, view.shape[0] // 24)
    width = view.shape[1] + scratchpad.shape[1]
    height = max(view.shape[0], scratchpad.shape[0])
    canvas = np.empty((bar + height, width, 3), np.uint8)
    canvas[:] = EMPTY_RGB
    canvas[bar : bar + view.shape[0], : view.shape[1]] = view
    canvas[bar : bar + scratchpad.shape[0], view.shape[1] :] = scratchpad
    size = bar - 8
    _burn(canvas[2:bar, 2:], _cut(headline, size, width), size=size)
    return canvas
