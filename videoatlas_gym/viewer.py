"""Turns a state into what an agent sees: observation and info. Knows no truth, score or reward.

The only place where an episode decodes. What is shown is booked in the ledger first; dead and
hidden cells are neither decoded nor booked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoatlas_gym import render
from videoatlas_gym.actions import describe
from videoatlas_gym.atlas import action_mask
from videoatlas_gym.memory import Evidence
from videoatlas_gym.observation import (
    QUERY_BYTES,
    SCRATCHPAD_COLUMNS,
    SCRATCHPAD_ROWS,
    SUBTITLE_BYTES,
    decode_text,
    encode_text,
    place,
    position,
)
from videoatlas_gym.span import STRIP_FRAMES, Cell
from videoatlas_gym.state import DEAD, AtlasState, Scan
from videoatlas_gym.subtitles import Subtitles
from videoatlas_gym.usage import Ledger
from videoatlas_gym.video import Frame, VideoSource

EVIDENCE_SUBTITLE_SECONDS = 2.0
"""Subtitles this close to a kept moment belong to the evidence."""


@dataclass(frozen=True, eq=False)
class Question:
    """The part of a task that an agent may see."""

    query: str
    options: tuple[str, ...] = ()
    subtitles: Subtitles = Subtitles()
    goal: Frame | None = None

    @property
    def text(self) -> str:
        """The query with its options, one per line."""
        return self.query + self._listed

    @property
    def _listed(self) -> str:
        return "".join(f"\n{i}. {text}" for i, text in enumerate(self.options))

    @cached_property
    def encoded(self) -> NDArray[np.uint8]:
        """The text as in `observation["query"]`; where it is too long the query is cut first."""
        listed = len(self._listed.encode("utf-8", "replace"))
        room = QUERY_BYTES - min(listed, QUERY_BYTES // 2)
        query = decode_text(encode_text(self.query, room))
        return encode_text(query + self._listed, QUERY_BYTES)


@dataclass(frozen=True, eq=False)
class Viewer:
    """Renders the states of one episode."""

    source: VideoSource
    question: Question
    grid_size: int
    tile_size: tuple[int, int]
    labels: bool = False
    """Burn cell indices into grids."""
    strip: bool = False
    """Zoom into a leaf cell shows all its frames."""
    hidden: NDArray[np.bool_] | None = None
    """Cells left grey until the first look, shape (n,)."""
    _drawn: dict[tuple[Evidence, ...], tuple[NDArray[np.uint8], list[Frame]]] = field(
        default_factory=dict, init=False
    )
    """The scratchpad as drawn last, with its frames: most steps do not change it."""
    _said: dict[tuple[Cell, Scan | None], tuple[str, ...]] = field(default_factory=dict, init=False)
    """The subtitles of the base view as read last."""

    def look(
        self, state: AtlasState, ledger: Ledger, max_steps: int | None = None
    ) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return observation and info of a state.

        Cost: up to K * K frames for a grid or scan, 1 to `STRIP_FRAMES` for a zoom, 16 for the
        scratchpad; fewer where the cache has them.

        Raises:
            BudgetExceeded: If the frames to show do not fit the budget; nothing is booked then.
            FrameDecodeError: If one of them cannot be decoded.
        """
        view, shown, frames = self._view(state)
        scratchpad, kept = self._scratchpad(state)
        ledger.show(frame.pts for frame in (*frames, *kept))
        steps_left, frames_left = ledger.fractions_left()
        if max_steps is not None:
            steps_left = min(steps_left, max(0.0, 1 - state.steps / max_steps))
        texts = self._subtitles(state)
        observation = {
            "view": view,
            "scratchpad": scratchpad,
            **place(state),
            "position": position(state, steps_left, frames_left),
            "query": self.question.encoded.copy(),
            "subtitles": _encoded(texts),
        }
        if self.question.goal is not None:
            observation["goal"] = self._goal.copy()
        info = {
            "action_mask": observation["action_mask"].copy(),
            "query": self.question.query,
            "options": self.question.options,
            "view_kind": state.view_kind,
            "spans": np.stack([state.view.starts, state.view.ends], axis=1),
            "subtitles": texts,
            "last_error": state.notice,
            "is_legal": True,
            "usage": ledger.usage.to_json(),
            **shown,
        }
        return observation, info

    def evidence(self, items: tuple[Evidence, ...]) -> list[dict[str, Any]]:
        """Return kept items as data: span, moment, the frame's own time, text. May decode."""
        frames = self.source.frames_at([item.seconds for item in items], self.tile_size)
        return [
            item.to_json() | {"frame_seconds": frame.seconds, "subtitle": self._near(item.seconds)}
            for item, frame in zip(items, frames, strict=True)
        ]

    def _view(self, state: AtlasState) -> tuple[NDArray[np.uint8], dict, list[Frame]]:
        """Return the picture, what it adds to `info`, and the frames it shows."""
        if state.zoomed is not None:
            return self._zoom(state)
        hidden = self._hidden(state)
        shown = (state.cell_status & DEAD == 0) & (True if hidden is None else ~hidden)
        tiles, frames = self._tiles(state.view.moments, shown)
        labels = [str(i) for i in range(state.num_cells)] if self.labels else None
        sheet = render.contact_sheet(
            tiles, columns=self.grid_size, status=state.cell_status, hidden=hidden, labels=labels
        )
        return sheet, {}, frames

    def _hidden(self, state: AtlasState) -> NDArray[np.bool_] | None:
        return self.hidden if state.looks == 0 and not state.current.path else None

    def _tiles(
        self, moments: NDArray[np.float64], shown: NDArray[np.bool_]
    ) -> tuple[NDArray[np.uint8], list[Frame]]:
        width, height = self.tile_size
        tiles = np.zeros((len(moments), height, width, 3), np.uint8)
        frames = self.source.frames_at(moments[shown].tolist(), self.tile_size)
        for index, frame in zip(np.flatnonzero(shown), frames, strict=True):
            tiles[index] = frame.rgb
        return tiles, frames

    def _zoom(self, state: AtlasState) -> tuple[NDArray[np.uint8], dict, list[Frame]]:
        width, height = self.grid_size * self.tile_size[0], self.grid_size * self.tile_size[1]
        moment = float(state.view.moments[state.zoomed])
        frames = [self.source.frame_at(moment)]
        info: dict[str, Any] = {"frame": frames[0]}
        if self.strip and not state.scan and not state.fits_deeper[state.zoomed]:
            frames = self._strip_frames(state)
            info["strip"] = tuple(frames)
        if len(frames) == 1:
            return render.letterbox(frames[0].rgb, width, height), info, [info["frame"], *frames]
        columns = math.ceil(math.sqrt(len(frames)))
        cell = (width // columns, height // columns)
        tiles = np.stack([render.letterbox(frame.rgb, *cell) for frame in frames])
        sheet = render.letterbox(render.contact_sheet(tiles, columns=columns), width, height)
        return sheet, info, [info["frame"], *frames]

    def _strip_frames(self, state: AtlasState) -> list[Frame]:
        """All frames on display within the zoomed cell, evenly thinned past `STRIP_FRAMES`."""
        span = state.cell_span(state.zoomed)
        times = self.source.frame_times(span.start_seconds, span.end_seconds)
        if len(times) > STRIP_FRAMES:
            times = times[np.linspace(0, len(times) - 1, STRIP_FRAMES).round().astype(int)]
        return self.source.frames_at(times.tolist())

    def _scratchpad(self, state: AtlasState) -> tuple[NDArray[np.uint8], list[Frame]]:
        items = tuple(sorted(state.scratchpad.best(SCRATCHPAD_COLUMNS * SCRATCHPAD_ROWS)))
        drawn = self._drawn.get(items)
        if drawn is None:
            drawn = self._draw_scratchpad(items)
            self._drawn.clear()
            self._drawn[items] = drawn
        sheet, frames = drawn
        return sheet.copy(), frames

    def _draw_scratchpad(
        self, items: tuple[Evidence, ...]
    ) -> tuple[NDArray[np.uint8], list[Frame]]:
        frames = self.source.frames_at([item.seconds for item in items], self.tile_size)
        captions = tuple(
            (f"{i} {render.clock(item.seconds)}", self._near(item.seconds))
            for i, item in enumerate(items)
        )
        width, height = self.tile_size
        tiles = np.empty((len(items), height, width, 3), np.uint8)
        for tile, frame in zip(tiles, frames, strict=True):
            tile[:] = frame.rgb
        sheet = render.scratchpad_sheet(
            tiles,
            captions,
            columns=SCRATCHPAD_COLUMNS,
            rows=SCRATCHPAD_ROWS,
            tile_size=self.tile_size,
        )
        return sheet, frames

    def _near(self, seconds: float) -> str:
        reach = EVIDENCE_SUBTITLE_SECONDS
        return self.question.subtitles.text(seconds - reach, seconds + reach)

    def _subtitles(self, state: AtlasState) -> tuple[str, ...]:
        if not len(self.question.subtitles):
            return ("",) * state.num_cells
        place = (state.current, state.scan)
        said = self._said.get(place)
        if said is None:
            text, view = self.question.subtitles.text, state.view
            said = tuple(map(text, view.starts, view.ends))
            self._said.clear()
            self._said[place] = said
        return tuple("" if dead else text for dead, text in zip(state.dead, said, strict=True))

    @cached_property
    def _goal(self) -> NDArray[np.uint8]:
        width, height = self.tile_size
        return render.letterbox(self.question.goal.rgb, 2 * width, 2 * height)

    def summary(self, state: AtlasState, usage: dict[str, int]) -> str:
        """Say in words where the agent is: the `ansi` render mode."""
        clock, span = render.clock, state.span
        kept = [f"{clock(i.seconds)} ({i.confidence:.2f})" for i in state.scratchpad.items]
        dead = state.dead_zones.duration_seconds / state.geometry.duration_seconds
        return "\n".join(
            [
                f"query    {self.question.text}",
                f"view     {state.view_kind} of cell {state.current} at depth "
                f"{state.current.depth} of {state.rules.max_depth}: "
                f"{clock(span.start_seconds)} to {clock(span.end_seconds)}",
                f"evidence {', '.join(kept) or 'none'}",
                f"dead     {dead:.0%} of the video",
                f"spent    {usage['steps']} steps, {usage['frames']} frames",
                f"legal    {describe(action_mask(state), state.num_cells)}",
            ]
        )


def _encoded(texts: tuple[str, ...]) -> NDArray[np.uint8]:
    """Number the texts of a view; where they do not fit, each gets an equal share of the bytes."""
    lines = [f"{index}: {text}" for index, text in enumerate(texts) if text]
    if sum(len(line.encode("utf-8", "replace")) + 1 for line in lines) > SUBTITLE_BYTES:
        share = SUBTITLE_BYTES // len(lines) - 1
        lines = [decode_text(encode_text(line, share)) for line in lines]
    return encode_text("\n".join(lines), SUBTITLE_BYTES)
