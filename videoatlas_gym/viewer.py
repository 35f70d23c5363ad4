"""Turns a state into what an agent sees: observation and info. Knows no truth, score or reward.

The only place where an episode decodes. What is shown is booked in the ledger first; dead and
hidden cells are neither decoded nor booked.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from videoatlas_gym import render
from videoatlas_gym.actions import describe
from videoatlas_gym.atlas import action_mask
from videoatlas_gym.memory import Evidence, Scratchpad
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
from videoatlas_gym.previews import Previews
from videoatlas_gym.recent import Recent
from videoatlas_gym.span import STRIP_FRAMES, GridGeometry
from videoatlas_gym.state import AtlasState, locked
from videoatlas_gym.subtitles import Subtitles
from videoatlas_gym.usage import Ledger
from videoatlas_gym.video import CachedSource, Frame

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
        return locked(encode_text(query + self._listed, QUERY_BYTES))


class Picture(NamedTuple):
    """One of the two pictures of an observation, and what it shows."""

    rgb: NDArray[np.uint8]
    """Read-only."""
    shown: tuple[int, ...]
    """The frames' time stamps (`Frame.pts`)."""
    info: dict[str, Any]
    """What it adds to `info`."""

    @classmethod
    def of(cls, rgb: NDArray[np.uint8], frames: Sequence[Frame], **info: Any) -> Picture:
        """Make one of the frames that are shown."""
        return cls(locked(rgb), tuple([frame.pts for frame in frames]), info)


class Kept:
    """What was drawn and read last of one video with one question; most steps change little.

    Args:
        geometry: Of the video: places of another one are others.
    """

    def __init__(self, geometry: GridGeometry | None = None) -> None:
        self.geometry = geometry
        self.pictures: Recent[Picture] = Recent(3)
        """Views: a grid and a zoom in it, or two forks' grids, and one to spare."""
        self.frames: Recent[list[Frame]] = Recent(3)
        """Of grids, whose marks change more often than their frames."""
        self.scratchpads: Recent[tuple[Scratchpad, Picture]] = Recent(3)
        self.said: Recent[tuple[str, ...]] = Recent(64)
        """Subtitles of grids and scans, dead cells included."""
        self.subtitles: Recent[tuple[tuple[str, ...], NDArray[np.uint8]]] = Recent(64)
        """Those of the cells alive, as in `info` and as in the observation."""

    def for_next_episode(self) -> Kept:
        """Return one with the texts alone; to keep pictures between episodes is the cache's."""
        other = Kept(self.geometry)
        other.said, other.subtitles = self.said, self.subtitles
        return other


@dataclass(frozen=True, eq=False)
class Viewer:
    """Renders the states of one episode."""

    source: CachedSource
    question: Question
    grid_size: int
    tile_size: tuple[int, int]
    labels: bool = False
    """Burn cell indices into grids."""
    strip: bool = False
    """Zoom into a leaf cell shows all its frames."""
    hidden: NDArray[np.bool_] | None = None
    """Cells left grey until the first look, shape (n,)."""
    kept: Kept = field(default_factory=Kept)
    previews: Previews | None = None
    """Chooses the frames of grids, where these are not those at the midpoints."""

    def settled(self, state: AtlasState) -> AtlasState:
        """Return the state with the moments that its grid shows here, as `look` needs it."""
        if self.previews is not None:
            return self.previews.settled(state, self._shown(state))
        return state.changed(shown_moments=()) if state.shown_moments else state

    def look(
        self, state: AtlasState, ledger: Ledger, max_steps: int | None = None
    ) -> tuple[dict[str, NDArray], dict[str, Any]]:
        """Return observation and info of a state, with read-only arrays that later looks share.

        Cost: up to K * K frames for a grid or scan, 1 to `STRIP_FRAMES` for a zoom, 16 for the
        scratchpad; fewer where the cache has them.

        Raises:
            BudgetExceeded: If the frames to show do not fit the budget; nothing is booked then.
            FrameDecodeError: If one of them cannot be decoded.
        """
        view, scratchpad = self._view(state), self._scratchpad(state)
        ledger.show(chain(view.shown, scratchpad.shown))
        steps_left, frames_left = ledger.fractions_left()
        if max_steps is not None:
            steps_left = min(steps_left, max(0.0, 1 - state.steps / max_steps))
        texts, encoded = self._subtitles(state)
        observation = {
            "view": view.rgb,
            "scratchpad": scratchpad.rgb,
            **place(state),
            "position": position(state, steps_left, frames_left),
            "query": self.question.encoded,
            "subtitles": encoded,
        }
        if self.question.goal is not None:
            observation["goal"] = self._goal
        info = {
            "action_mask": observation["action_mask"],
            "query": self.question.query,
            "options": self.question.options,
            "view_kind": state.view_kind,
            "spans": state.view.spans,
            "subtitles": texts,
            "last_error": state.notice,
            "is_legal": True,
            "usage": ledger.usage.to_json(),
            **view.info,
        }
        return observation, info

    def evidence(self, items: tuple[Evidence, ...]) -> list[dict[str, Any]]:
        """Return kept items as data: span, moment, the frame's own time, text. May decode."""
        frames = self.source.frames_at([item.seconds for item in items], self.tile_size)
        return [
            item.to_json() | {"frame_seconds": frame.seconds, "subtitle": self._near(item.seconds)}
            for item, frame in zip(items, frames, strict=True)
        ]

    def _view(self, state: AtlasState) -> Picture:
        place = (state.current, state.scan)
        if state.zoomed is not None:
            moment = float(state.view.moments[state.zoomed])
            key = (*place, state.zoomed, moment)
            return self.kept.pictures.get(key, lambda: self._zoom(state))
        hidden = self._hidden(state)
        place += (None if hidden is None else hidden.tobytes(),)
        key = (*place, state.cell_status.tobytes())
        return self.kept.pictures.get(key, lambda: self._grid(state, hidden, place))

    def _said_of(self, frames: Sequence[Frame], shown: NDArray[np.bool_]) -> dict[str, Any]:
        """In previews, tell the time of the frame that each cell shows."""
        if self.previews is None:
            return {}
        seconds = np.full(len(shown), np.nan)
        seconds[shown] = [frame.seconds for frame in frames]
        return {"representative": locked(seconds)}

    def _shown(self, state: AtlasState) -> NDArray[np.bool_]:
        """Which cells of the base view show a frame, shape (n,)."""
        hidden = self._hidden(state)
        return state.alive if hidden is None else state.alive & ~hidden

    def _hidden(self, state: AtlasState) -> NDArray[np.bool_] | None:
        return self.hidden if state.looks == 0 and not state.current.path else None

    def _grid(
        self, state: AtlasState, hidden: NDArray[np.bool_] | None, place: tuple[Hashable, ...]
    ) -> Picture:
        shown = self._shown(state)
        frames = self.kept.frames.get((*place, shown.tobytes()), lambda: self._frames(state, shown))
        tiles = [frame.rgb for frame in frames]
        if len(tiles) < state.num_cells:
            drawn = iter(tiles)
            tiles = [next(drawn) if is_shown else self._blank for is_shown in shown.tolist()]
        sheet = render.contact_sheet(
            tiles,
            columns=self.grid_size,
            status=state.cell_status,
            hidden=hidden,
            labels=[str(i) for i in range(state.num_cells)] if self.labels else None,
        )
        return Picture.of(sheet, frames, **self._said_of(frames, shown))

    def _frames(self, state: AtlasState, shown: NDArray[np.bool_]) -> list[Frame]:
        """Frames of the shown cells of a grid or scan, as tiles."""
        if self.previews is not None and not state.scan:
            return [chosen.frame for chosen in self.previews.chosen(state, shown)]
        return self.source.frames_at(state.view.moments[shown].tolist(), self.tile_size)

    @cached_property
    def _blank(self) -> NDArray[np.uint8]:
        """A tile for cells that are not looked at."""
        return np.zeros((self.tile_size[1], self.tile_size[0], 3), np.uint8)

    def _zoom(self, state: AtlasState) -> Picture:
        width, height = self.grid_size * self.tile_size[0], self.grid_size * self.tile_size[1]
        frame = self.source.frame_at(float(state.view.moments[state.zoomed]))
        said = self._said_of([frame], np.arange(state.num_cells) == state.zoomed)
        if not self.strip or state.scan or state.fits_deeper[state.zoomed]:
            return Picture.of(self._fitted(frame, width, height), [frame], frame=frame, **said)
        frames = self._strip_frames(state)
        sheet = frames[0].rgb
        if len(frames) > 1:
            columns = math.ceil(math.sqrt(len(frames)))
            cell = (width // columns, height // columns)
            tiles = [render.letterbox(frame.rgb, *cell) for frame in frames]
            sheet = render.contact_sheet(tiles, columns=columns)
        sheet = render.letterbox(sheet, width, height)
        return Picture.of(sheet, [frame, *frames], frame=frame, strip=tuple(frames), **said)

    def _fitted(self, frame: Frame, width: int, height: int) -> NDArray[np.uint8]:
        """The frame as a view. Scaling costs more than many steps: the cache keeps the result."""
        if frame.rgb.shape[:2] == (height, width):
            return frame.rgb
        cache, name = self.source.cache, f"{self.source.fingerprint()} fitted"
        fitted = cache.get(name, frame.pts, width, height)
        if fitted is None:
            fitted = locked(render.letterbox(frame.rgb, width, height))
            cache.put(name, frame.pts, width, height, fitted)
        return fitted

    def _strip_frames(self, state: AtlasState) -> list[Frame]:
        """All frames on display within the zoomed cell, evenly thinned past `STRIP_FRAMES`."""
        span = state.cell_span(state.zoomed)
        times = self.source.frame_times(span.start_seconds, span.end_seconds)
        if len(times) > STRIP_FRAMES:
            times = times[np.linspace(0, len(times) - 1, STRIP_FRAMES).round().astype(int)]
        return self.source.frames_at(times.tolist())

    def _scratchpad(self, state: AtlasState) -> Picture:
        pad = state.scratchpad
        # By identity, which costs no hashing of all finds: what is kept here keeps its id.
        return self.kept.scratchpads.get(id(pad), lambda: (pad, self._draw_scratchpad(pad)))[1]

    def _draw_scratchpad(self, pad: Scratchpad) -> Picture:
        items = sorted(pad.best(SCRATCHPAD_COLUMNS * SCRATCHPAD_ROWS))
        frames = self.source.frames_at([item.seconds for item in items], self.tile_size)
        sheet = render.scratchpad_sheet(
            [frame.rgb for frame in frames],
            [
                (f"{i} {render.clock(item.seconds)}", self._near(item.seconds))
                for i, item in enumerate(items)
            ],
            columns=SCRATCHPAD_COLUMNS,
            rows=SCRATCHPAD_ROWS,
            tile_size=self.tile_size,
        )
        return Picture.of(sheet, frames)

    def _near(self, seconds: float) -> str:
        reach = EVIDENCE_SUBTITLE_SECONDS
        return self.question.subtitles.text(seconds - reach, seconds + reach)

    def _subtitles(self, state: AtlasState) -> tuple[tuple[str, ...], NDArray[np.uint8]]:
        """Return what is said in each cell, and the same in bytes."""
        if not len(self.question.subtitles):
            return self._silence
        place = (state.current, state.scan)

        def read() -> tuple[str, ...]:
            starts, ends = state.view.starts.tolist(), state.view.ends.tolist()
            return tuple(map(self.question.subtitles.text, starts, ends))

        def encode() -> tuple[tuple[str, ...], NDArray[np.uint8]]:
            said = self.kept.said.get(place, read)
            texts = tuple("" if dead else text for dead, text in zip(state.dead, said, strict=True))
            return texts, locked(_encoded(texts))

        return self.kept.subtitles.get((*place, state.dead.tobytes()), encode)

    @cached_property
    def _silence(self) -> tuple[tuple[str, ...], NDArray[np.uint8]]:
        texts = ("",) * self.grid_size**2
        return texts, locked(_encoded(texts))

    @cached_property
    def _goal(self) -> NDArray[np.uint8]:
        width, height = self.tile_size
        return locked(render.letterbox(self.question.goal.rgb, 2 * width, 2 * height))

    @cached_property
    def labelled(self) -> Viewer:
        """The same with cell indices burnt in, for people; it draws on its own."""
        return replace(self, labels=True, kept=Kept())

    def is_preview(self, state: AtlasState) -> bool:
        """Whether key frames stand for the cells that are displayed."""
        return self.previews is not None and state.view_kind == "grid"

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
                f"{clock(span.start_seconds)} to {clock(span.end_seconds)}"
                + ", key frames"
                * self.is_preview(state),
                f"evidence {', '.join(kept) or 'none'}",
                f"dead     {dead:.0%} of the video",
                f"spent    {usage['steps']} steps, {usage['frames']} frames",
                f"legal    {describe(action_mask(state), state.num_cells)}",
            ]
        )


def _encoded(texts: tuple[str, ...]) -> NDArray[np.uint8]:
    """Number the texts of a view; where they do not fit, each gets an equal share of the bytes."""
    lines = [f"{index}: {text}" for index, text in enumerate(texts) if text]
    if len("\n".join(lines).encode("utf-8", "replace")) >= SUBTITLE_BYTES:
        share = SUBTITLE_BYTES // len(lines) - 1
        lines = [decode_text(encode_text(line, share)) for line in lines]
    return encode_text("\n".join(lines), SUBTITLE_BYTES)
