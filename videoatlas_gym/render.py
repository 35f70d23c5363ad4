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


Box = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels; right and bottom lie outside."""


def contact_sheet(
    tiles: NDArray[np.uint8],
    *,
    columns: int,
    status: NDArray[np.int8] | None = None,
    hidden: NDArray[np.bool_] | None = None,
    labels: Sequence[str] | None = None,
) -> NDArray[np.uint8]:
    """Lay tiles out row by row.

    Args:
        tiles: uint8 (n, height, width, 3). What a dead or hidden tile holds is not looked at.
        columns: Tiles per row; missing ones at the end are left empty.
        status: Bits per cell as `AtlasState.cell_status` has them; dead cells come out black.
        hidden: Cells to leave grey.
        labels: Text to burn into the top left corner of each cell; "" for none.

    Returns:
        uint8 (rows * height, columns * width, 3), rows = ceil(n / columns).
    """
    count, height, width, _ = tiles.shape
    rows = -(-count // columns)
    cells = np.empty((rows * columns, height, width, 3), np.uint8)
    cells[:count] = tiles
    cells[count:] = EMPTY_RGB
    if hidden is not None:
        cells[:count][hidden] = HIDDEN_RGB
    if status is not None:
        cells[:count][status & DEAD > 0] = DEAD_RGB
        _mark(cells[:count], status)
    sheet = cells.reshape(rows, columns, height, width, 3).swapaxes(1, 2)
    sheet = np.ascontiguousarray(sheet).reshape(rows * height, columns * width, 3)
    if labels:
        sheet = _burn(
            sheet,
            [(label, _slot(i, columns, width, height)) for i, label in enumerate(labels)],
            size=_label_px(height),
        )
    return sheet


def _slot(index: int, columns: int, width: int, height: int) -> Box:
    left, top = (index % columns) * width, (index // columns) * height
    return left, top, left + width, top + height


def _mark(cells: NDArray[np.uint8], status: NDArray[np.int8]) -> None:
    """Draw the status bits in place: small squares top right, a frame for evidence."""
    side = max(3, cells.shape[1] // 15)
    alive = status & DEAD == 0
    held = np.flatnonzero((status & EVIDENCE > 0) & alive)
    for edge in (np.s_[:2], np.s_[-2:]):
        cells[held, edge] = EVIDENCE_RGB
        cells[held, :, edge] = EVIDENCE_RGB
    for slot, (bit, colour) in enumerate(MARKS):
        right = cells.shape[2] - slot * (side + 1)
        marked = np.flatnonzero((status & bit > 0) & alive)
        cells[marked, :side, max(0, right - side) : max(0, right)] = colour


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
    canvas[:] = LETTERBOX_RGB
    left, top = (width - fit[0]) // 2, (height - fit[1]) // 2
    canvas[top : top + fit[1], left : left + fit[0]] = picture
    return canvas


def scratchpad_sheet(
    tiles: NDArray[np.uint8],
    captions: Sequence[tuple[str, str]],
    *,
    columns: int,
    rows: int,
    tile_size: tuple[int, int],
) -> NDArray[np.uint8]:
    """Draw kept frames with their captions burnt in.

    Args:
        tiles: uint8 (n, height, width, 3), n <= columns * rows.
        captions: For each tile a heading (index and time; top) and a subtitle (bottom).
        columns: Slots per row.
        rows: Rows of slots; empty slots stay dark, so the size never changes.
        tile_size: (width, height) of a slot in pixels.

    Returns:
        uint8 (rows * height, columns * width, 3).
    """
    width, height = tile_size
    slots = np.empty((columns * rows, height, width, 3), np.uint8)
    slots[:] = EMPTY_RGB
    slots[: len(tiles)] = tiles
    sheet = contact_sheet(slots, columns=columns)
    size = _label_px(height)
    texts = []
    for index, (heading, subtitle) in enumerate(captions):
        left, top, right, bottom = _slot(index, columns, width, height)
        texts.append((_cut(heading, size, width), (left, top, right, bottom)))
        if subtitle:
            low = max(top, bottom - size - 4)
            texts.append((_cut(subtitle, size, width), (left, low, right, bottom)))
    return _burn(sheet, texts, size=size) if texts else sheet


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
def _written(text: str, size: int, path: str | None) -> tuple[Image.Image, int]:
    """Return how much ink a text puts where, as an "L" picture, and the width of its bar."""
    font = _font(size, path)
    length = int(font.getlength(text))
    ink = Image.new("L", (length + 16, 2 * size + 8))  # with room for what hangs over or below
    ImageDraw.Draw(ink).text((2, 1), text, font=font, fill=255)
    return ink, length + 4


def _burn(
    sheet: NDArray[np.uint8], texts: Sequence[tuple[str, Box]], *, size: int
) -> NDArray[np.uint8]:
    """Write texts, white on dark, into the top left corners of boxes that they never leave."""
    image = Image.fromarray(sheet)
    for text, box in texts:
        if not text:
            continue
        ink, bar = _written(text, size, os.environ.get(FONT_VARIABLE))
        room = image.crop(box)
        room.paste((16, 16, 16), (0, 0, bar + 1, size + 4))
        room.paste((255, 255, 255), (0, 0), ink)
        image.paste(room, box[:2])
    return np.array(image)


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
    return _burn(canvas, [(_cut(headline, size, width), (2, 2, width, bar))], size=size)
