"""The agent's place and memory as one immutable value, and what its current view holds.

Knows no pixels, no question and no reward, nor what an action does (that is `atlas`). A state can
be compared, stored as JSON, forked and merged without a video (VideoAtlas, section 3.1).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoatlas_gym.actions import MAX_CHOICES
from videoatlas_gym.errors import IllegalAction, one_of
from videoatlas_gym.memory import DeadZones, Evidence, Scratchpad
from videoatlas_gym.span import Cell, GridGeometry, Span, children_of, split

VISITED, QUEUED, EVIDENCE, DEAD = 1, 2, 4, 8
"""Bits of `AtlasState.cell_status`."""


@dataclass(frozen=True)
class Rules:
    """What is allowed in an episode; part of the state: masks are a function of the state alone."""

    max_depth: int = 0
    """Deepest view, root = 0: bounds the time resolution of every view, scans included."""
    traversal: str = "dfs"
    """dfs: expand and backtrack. bfs: mark promising cells, open them first in, first out."""
    num_options: int = 0
    """Answer options of the task; 0 for tasks without options."""
    min_expand_seconds: float = 1.0
    """Cells shorter than this are not opened; 0 allows down to one frame."""
    investigate_seconds: float = 30.0
    """Length of the neighbourhood that a scan shows, in seconds; longer where cells of that length
    would be finer than `max_depth` allows."""
    min_confidence: float = 0.7
    """Evidence below this is rejected, with a reason."""
    dead_zones: str = "on_leave"
    """on_leave: a region left without evidence is ruled out. never: nothing is."""
    finish_requires_evidence: bool = False
    """Mask FINISHED and ANSWER until something was kept, unless nothing else is legal."""

    def __post_init__(self) -> None:
        one_of("traversal", self.traversal, ("bfs", "dfs"))
        one_of("dead_zones", self.dead_zones, ("never", "on_leave"))
        if not (self.max_depth >= 0 and self.max_depth == int(self.max_depth)):
            raise ValueError(f"max_depth must be a whole number, 0 or more, got {self.max_depth}.")
        if not 0 <= self.num_options <= MAX_CHOICES:
            raise ValueError(
                f"a task has at most {MAX_CHOICES} options, got {self.num_options}. "
                "Ask it as an open question, or drop options."
            )
        for name in ("min_expand_seconds", "min_confidence"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be 0 or more, got {getattr(self, name)}.")
        if self.min_confidence > 1:
            raise ValueError(f"min_confidence must be at most 1, got {self.min_confidence}.")
        if not self.investigate_seconds > 0:
            raise ValueError(
                f"investigate_seconds must be positive, got {self.investigate_seconds}."
            )


@dataclass(frozen=True)
class Scan:
    """Investigate's view: the seconds right before or after a cell of the current grid."""

    anchor: int
    """The investigated cell's index in the current grid."""
    side: str
    """before or after."""
    span: Span
    """The neighbourhood, clipped to the video."""


@dataclass(frozen=True)
class View:
    """The displayed cells as arrays of shape (n,), all in seconds."""

    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    moments: NDArray[np.float64]
    """The moment whose frame stands for each cell: its midpoint, or in a preview a key frame's."""

    @cached_property
    def spans(self) -> NDArray[np.float64]:
        """Start and end of each cell, shape (n, 2), read-only."""
        return locked(np.stack([self.starts, self.ends], axis=1))


def locked(array: NDArray) -> NDArray:
    """Make an array read-only, since it is shared; return it."""
    array.setflags(write=False)
    return array


@dataclass(frozen=True)
class AtlasState:
    """The agent's place and memory. A finished state is absorbing."""

    geometry: GridGeometry
    rules: Rules = field(default_factory=Rules)
    region: Cell = Cell()
    """Root of the part that may be explored; below the video's root in forks."""
    is_fork: bool = False
    """Forks look ahead: they cannot answer."""
    current: Cell = Cell()
    """The cell whose grid the agent is in."""
    scan: Scan | None = None
    zoomed: int | None = None
    """The zoomed cell's index in the base view (scan if there is one, else grid)."""
    shown_moments: tuple[float, ...] = ()
    """Where the current grid shows key frames, the moment of each cell's frame, in seconds (see
    `previews`); empty for midpoints."""
    scratchpad: Scratchpad = Scratchpad()
    dead_zones: DeadZones = DeadZones()
    queue: tuple[Cell, ...] = ()
    """Cells marked promising, first in first out (bfs)."""
    visited: frozenset[Cell] = frozenset()
    """Cells whose grids were opened."""
    steps: int = 0
    looks: int = 0
    """Views opened beyond the first: grids, zooms and scans."""
    done: bool = False
    answer: int | None = None
    """The chosen option, once there is one."""
    answer_text: str = ""
    """The answer to an open question, once there is one; empty means abstention."""
    notice: str = ""
    """Why the last action had no effect; empty when it had one."""

    def __post_init__(self) -> None:
        for cell in (self.region, self.current):
            self.geometry.check(cell)
        if not self.current.is_within(self.region):
            raise ValueError(f"cell {self.current} lies outside the region {self.region}.")
        if self.shown_moments:
            self.geometry.check_inside(self.current, self.shown_moments)
        if self.current not in self.visited:
            object.__setattr__(self, "visited", self.visited | {self.current})

    def changed(self, **changes: Any) -> AtlasState:
        """Return the state with other values in some fields, as `dataclasses.replace` does.

        What was computed of this state and does not depend on those fields stays with the new one:
        most steps change little, and a masked action nothing that can be seen.
        """
        moved = changes.keys()
        if unknown := moved - _FIELDS:
            raise TypeError(f"a state has no {sorted(unknown)}; its fields: {sorted(_FIELDS)}.")
        other = object.__new__(AtlasState)
        for name, value in self.__dict__.copy().items():  # another thread may be computing
            if name in _FIELDS or moved.isdisjoint(_RESTS_ON.get(name, _FIELDS)):
                other.__dict__[name] = value
        other.__dict__.update(changes)
        if not moved.isdisjoint(("current", "region", "geometry", "shown_moments", "visited")):
            other.__post_init__()
        return other

    @property
    def num_cells(self) -> int:
        """Cells of one view, K * K."""
        return self.geometry.num_cells

    @property
    def view_kind(self) -> str:
        """What is displayed: zoom, scan or grid."""
        return "zoom" if self.zoomed is not None else "scan" if self.scan else "grid"

    @cached_property
    def span(self) -> Span:
        """The span of the base view (the whole grid or scan)."""
        return self.scan.span if self.scan else self.geometry.span(self.current)

    @cached_property
    def view(self) -> View:
        """The cells of the base view."""
        if not self.scan:
            edges, moments = self.geometry.edges(self.current), self.shown_moments
            chosen = locked(np.array(moments)) if moments else self.geometry.midpoints(self.current)
            return View(edges[:-1], edges[1:], chosen)
        edges = locked(split(self.scan.span, self.num_cells))
        return View(edges[:-1], edges[1:], locked((edges[:-1] + edges[1:]) / 2))

    def cell_span(self, index: int) -> Span:
        """The span of one displayed cell."""
        return Span(float(self.view.starts[index]), float(self.view.ends[index]))

    @cached_property
    def held(self) -> NDArray[np.bool_]:
        """Which displayed cells hold the moment of evidence, shape (n,)."""
        return locked(self.scratchpad.lies_in_each(self.view.starts, self.view.ends))

    @cached_property
    def dead(self) -> NDArray[np.bool_]:
        """Which displayed cells are dead: all ruled out; in a scan, those showing a dead moment."""
        view, zones = self.view, self.dead_zones
        ruled_out = zones.hold(view.moments) if self.scan else zones.cover(view.starts, view.ends)
        return locked(ruled_out & ~self.held)

    @cached_property
    def alive(self) -> NDArray[np.bool_]:
        """The displayed cells that are not dead, shape (n,)."""
        return locked(~self.dead)

    @cached_property
    def fits_deeper(self) -> NDArray[np.bool_]:
        """Which displayed cells are long enough to open, whatever the depth budget, shape (n,)."""
        shortest = self.geometry.shortest_opened(self.rules.min_expand_seconds)
        return locked((self.view.ends - self.view.starts >= shortest) & (self.scan is None))

    @cached_property
    def expandable(self) -> NDArray[np.bool_]:
        """Which displayed cells may be opened; knows nothing of the traversal."""
        in_budget = self.current.depth + 1 <= self.rules.max_depth
        return locked(self.fits_deeper & self.alive & in_budget)

    def is_expandable(self, cell: Cell) -> bool:
        """Whether a cell anywhere in the video may be opened."""
        self.geometry.check(cell)
        span = self.geometry.span(cell)
        shortest = self.geometry.shortest_opened(self.rules.min_expand_seconds)
        is_in_budget = cell.depth <= self.rules.max_depth
        return is_in_budget and span.duration_seconds >= shortest and not self._is_dead(span)

    def _is_dead(self, span: Span) -> bool:
        covered = any(zone.covers(span) for zone in self.dead_zones.spans)
        return covered and not self.scratchpad.lies_in(span)

    @cached_property
    def cell_status(self) -> NDArray[np.int8]:
        """Bits per displayed cell: 1 visited, 2 queued, 4 holds evidence, 8 dead; int8 (n,)."""
        status = self.dead * np.int8(DEAD) + self.held * np.int8(EVIDENCE)
        if not self.scan:
            status[self._inside(self.visited)] |= VISITED
            status[self._inside(self.queue)] |= QUEUED
        return locked(status)

    def _inside(self, cells: Collection[Cell]) -> list[int]:
        """Return which displayed cells are among `cells`; costs the smaller of both numbers."""
        here = self.current
        if isinstance(cells, frozenset) and len(cells) > self.num_cells:
            children = children_of(here, self.num_cells)
            return [index for index, child in enumerate(children) if child in cells]
        return [c.path[-1] for c in cells if c.path and c.path[:-1] == here.path]

    def merge(self, *others: AtlasState) -> AtlasState:
        """Join the memories of other states into this one, which keeps its own place.

        Commutative, associative and idempotent in what is remembered: evidence, dead zones and
        visited cells are united. What others have visited leaves this state's queue.
        """
        if any(other.geometry != self.geometry for other in others):
            raise ValueError("states of different videos or grids cannot be merged.")
        pad = self.scratchpad.union(*(other.scratchpad for other in others))
        zones = self.dead_zones.add(*(zone for other in others for zone in other.dead_zones.spans))
        explored = frozenset().union(*(other.visited for other in others))
        queue = tuple(cell for cell in self.queue if cell not in explored)
        visited = self.visited | explored
        merged = self.changed(scratchpad=pad, dead_zones=zones, queue=queue, visited=visited)
        return merged.without_dead_queue()

    def without_dead_queue(self) -> AtlasState:
        """Return the state with the dead cells taken off its queue."""
        alive = tuple(c for c in self.queue if not self._is_dead(self.geometry.span(c)))
        return self if alive == self.queue else self.changed(queue=alive)

    def fork(self, cell: Cell | None = None) -> AtlasState:
        """Return the state of a fork: at the same place, or at the start of a subtree.

        A fork of a cell starts with an empty scratchpad and queue and inherits the dead zones.

        Raises:
            IllegalAction: If the cell may not be opened.
        """
        if cell is None:
            return self.changed(is_fork=True)
        if not cell.is_within(self.region) or not self.is_expandable(cell):
            raise IllegalAction(
                f"cannot fork at cell {cell}: it must lie in the region {self.region}, be at most "
                f"{self.rules.max_depth} deep, long enough to open and not dead."
            )
        return AtlasState(
            self.geometry,
            self.rules,
            region=cell,
            is_fork=True,
            current=cell,
            dead_zones=self.dead_zones,
            steps=self.steps,
            looks=self.looks,
        )

    def __getstate__(self) -> dict:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def to_json(self) -> dict:
        """Return plain JSON data from which `from_json` makes an equal state."""
        return {
            "geometry": asdict(self.geometry),
            "rules": asdict(self.rules),
            "region": list(self.region.path),
            "is_fork": self.is_fork,
            "current": list(self.current.path),
            "scan": self.scan and asdict(self.scan),
            "zoomed": self.zoomed,
            **({"shown_moments": list(self.shown_moments)} if self.shown_moments else {}),
            "scratchpad": [find.to_json() for find in self.scratchpad.finds],
            "dead_zones": [[z.start_seconds, z.end_seconds] for z in self.dead_zones.spans],
            "queue": [list(cell.path) for cell in self.queue],
            "visited": [list(cell.path) for cell in sorted(self.visited)],
            "steps": self.steps,
            "looks": self.looks,
            "done": self.done,
            "answer": self.answer,
            "answer_text": self.answer_text,
            "notice": self.notice,
        }

    @classmethod
    def from_json(cls, data: dict) -> AtlasState:
        """Read what `to_json` wrote."""
        scan = data["scan"]
        plain = ("is_fork", "zoomed", "steps", "looks", "done", "answer", "answer_text", "notice")
        return cls(
            GridGeometry(**data["geometry"]),
            Rules(**data["rules"]),
            region=Cell(tuple(data["region"])),
            current=Cell(tuple(data["current"])),
            scan=Scan(scan["anchor"], scan["side"], Span(**scan["span"])) if scan else None,
            shown_moments=tuple(data.get("shown_moments", ())),
            scratchpad=Scratchpad(tuple(map(Evidence.from_json, data["scratchpad"]))),
            dead_zones=DeadZones(tuple(Span(*zone) for zone in data["dead_zones"])),
            queue=tuple(Cell(tuple(path)) for path in data["queue"]),
            visited=frozenset(Cell(tuple(path)) for path in data["visited"]),
            **{name: data[name] for name in plain},
        )


_FIELDS = frozenset(f.name for f in fields(AtlasState))
_PLACE = ("geometry", "current", "scan")
_MEMORY = ("rules", "scratchpad", "dead_zones")
_RESTS_ON: dict[str, tuple[str, ...]] = {
    "span": _PLACE,
    "view": (*_PLACE, "shown_moments"),
    **dict.fromkeys(("dead", "alive", "expandable"), (*_PLACE, *_MEMORY)),
    "fits_deeper": (*_PLACE, "rules"),
    "held": (*_PLACE, "scratchpad"),
    "cell_status": (*_PLACE, *_MEMORY, "queue", "visited"),
    "_mask": (*_FIELDS - {"steps", "looks", "answer", "answer_text", "notice"},),
}
"""What is computed of a state once, and the fields that it follows from."""
