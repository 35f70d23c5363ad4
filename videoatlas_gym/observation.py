"""What an agent gets to see: the observation's spaces, and how a state becomes an observation.

Text travels as zero-padded UTF-8 in arrays of fixed length, because text spaces lose their content
in asynchronous vector environments; the strings themselves are in `info`.
"""

from __future__ import annotations

import math

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from videoatlas_gym.actions import num_actions
from videoatlas_gym.arguments import MAX_PATH
from videoatlas_gym.atlas import action_mask
from videoatlas_gym.span import Span
from videoatlas_gym.state import AtlasState

QUERY_BYTES = 2048
SUBTITLE_BYTES = 8192
SCRATCHPAD_COLUMNS = 4
SCRATCHPAD_ROWS = 4
POSITION_FIELDS = (
    "base_start",
    "base_end",
    "cell_start",
    "cell_end",
    "region_start",
    "region_end",
    "depth",
    "log_span",
    "zoom_time",
    "queue_length",
    "queue_head_start",
    "queue_head_end",
    "evidence_count",
    "dead_share",
    "steps_left",
    "frames_left",
)
"""Entries of `position`, in order; the environment's docstring says what each means."""


def observation_space(grid_size: int, tile_size: tuple[int, int], has_goal: bool) -> spaces.Dict:
    """Return the observation space; it depends on K and the tile size, never on the video."""
    count, (width, height) = grid_size**2, tile_size
    parts: dict[str, spaces.Space] = {
        "view": _picture(grid_size * width, grid_size * height),
        "scratchpad": _picture(SCRATCHPAD_COLUMNS * width, SCRATCHPAD_ROWS * height),
        "action_mask": spaces.MultiBinary(num_actions(count)),
        "cell_status": spaces.Box(0, 15, (count,), np.int8),
        "path": spaces.Box(-1, count - 1, (MAX_PATH,), np.int16),
        "zoomed": spaces.Box(-1, count - 1, (1,), np.int16),
        "anchor": spaces.Box(-1, count - 1, (2,), np.int16),
        "position": spaces.Box(-1, 1, (len(POSITION_FIELDS),), np.float32),
        "query": spaces.Box(0, 255, (QUERY_BYTES,), np.uint8),
        "subtitles": spaces.Box(0, 255, (SUBTITLE_BYTES,), np.uint8),
    }
    if has_goal:
        parts["goal"] = _picture(2 * width, 2 * height)
    return spaces.Dict(parts)


def _picture(width: int, height: int) -> spaces.Box:
    return spaces.Box(0, 255, (height, width, 3), np.uint8)


def place(state: AtlasState) -> dict[str, NDArray]:
    """Return the parts of an observation that say where the agent is and what it may do.

    Some are read-only and belong to the state.
    """
    path = np.full(MAX_PATH, -1, np.int16)
    path[: state.current.depth] = state.current.path
    anchor = (-1, -1)
    if state.scan:
        anchor = (state.scan.anchor, 0 if state.scan.side == "before" else 1)
    return {
        "action_mask": action_mask(state),
        "cell_status": state.cell_status,
        "path": path,
        "zoomed": np.array([-1 if state.zoomed is None else state.zoomed], np.int16),
        "anchor": np.array(anchor, np.int16),
    }


def position(state: AtlasState, steps_left: float, frames_left: float) -> NDArray[np.float32]:
    """Return the fields of `POSITION_FIELDS` as float32, all in [-1, 1]."""
    duration, span = state.geometry.duration_seconds, state.geometry.span
    zoom = -1.0 if state.zoomed is None else state.view.moments[state.zoomed] / duration
    head = _fractions(span(state.queue[0]), duration) if state.queue else (-1.0, -1.0)
    log_span = math.log(state.span.duration_seconds / duration) / math.log(1e-9)
    values = (
        *_fractions(state.span, duration),
        *_fractions(span(state.current), duration),
        *_fractions(span(state.region), duration),
        state.current.depth / MAX_PATH,
        min(1.0, max(0.0, log_span)),
        zoom,
        _squash(len(state.queue), state.num_cells),
        *head,
        _squash(len(state.scratchpad), SCRATCHPAD_COLUMNS * SCRATCHPAD_ROWS),
        min(1.0, state.dead_zones.duration_seconds / duration),
        steps_left,
        frames_left,
    )
    return np.array(values, np.float32)


def _squash(count: int, scale: int) -> float:
    """Map a count to [0, 1): half at `scale`, strictly increasing."""
    return count / (count + scale)


def _fractions(span: Span, duration_seconds: float) -> tuple[float, float]:
    return span.start_seconds / duration_seconds, span.end_seconds / duration_seconds


def encode_text(text: str, length: int) -> NDArray[np.uint8]:
    """Return UTF-8 zero-padded to `length` bytes, cut between characters when too long."""
    data = text.encode("utf-8", "replace")
    if len(data) > length:
        data = data[:length].decode("utf-8", "ignore").encode("utf-8")
    padded = np.zeros(length, np.uint8)
    padded[: len(data)] = np.frombuffer(data, np.uint8)
    return padded


def decode_text(data: NDArray[np.uint8]) -> str:
    """Return the text that `encode_text` stored."""
    return bytes(data).rstrip(b"\0").decode("utf-8")
