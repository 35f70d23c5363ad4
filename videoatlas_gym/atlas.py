"""The rules of the world: which actions are legal in a state, and what each of them does.

`action_mask(state)` says what is legal, `apply(state, action)` returns the next state. Both rest on
one mask, so what `apply` accepts is what the mask shows. Knows no pixels and no question.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from videoatlas_gym.actions import ACTIONS, Action, codes, decode, describe, encode
from videoatlas_gym.actions import num_actions as count_actions
from videoatlas_gym.errors import IllegalAction
from videoatlas_gym.memory import DeadZones, Evidence
from videoatlas_gym.span import Cell, Span
from videoatlas_gym.state import QUEUED, VISITED, AtlasState, Scan, locked

ROUNDING = 1e-9
"""Relative slack where lengths computed in two ways are compared."""


def action_mask(state: AtlasState) -> NDArray[np.int8]:
    """Return what is legal in a state, int8 over the action space; computed once per state."""
    if "_mask" not in state.__dict__:
        state.__dict__["_mask"] = locked(_mask(state))
    return state.__dict__["_mask"]


def apply(state: AtlasState, action: Action | int) -> AtlasState:
    """Return the state after an action. Costs no decoding.

    Raises:
        IllegalAction: If the mask does not allow it; the message names what is legal.
        ValueError: If the action lies outside the action space.
    """
    action = action if isinstance(action, Action) else decode(action, state.num_cells)
    if not action_mask(state)[encode(action, state.num_cells)]:
        raise IllegalAction(
            f"{action} is masked in this {state.view_kind} view at depth {state.current.depth} "
            f"(max_depth is {state.rules.max_depth}). "
            f"Legal now: {describe(action_mask(state), state.num_cells)}."
        )
    if state.done:
        return state
    return _EFFECTS[action.verb](state.changed(steps=state.steps + 1, notice=""), action)


# Legality: one function per verb, each a bool or a bool array over the displayed cells.


def _may_expand(state: AtlasState) -> NDArray[np.bool_]:
    return state.expandable & (state.rules.traversal == "dfs" and state.view_kind == "grid")


def _may_zoom(state: AtlasState) -> NDArray[np.bool_]:
    return state.alive & (state.zoomed is None)


def _may_investigate(state: AtlasState, side: str) -> NDArray[np.bool_]:
    if state.view_kind != "grid":
        return np.zeros(state.num_cells, bool)
    starts, ends = _neighbourhoods(state, side)
    finest = state.geometry.resolution_seconds(state.rules.max_depth)
    shortest = finest * state.num_cells * (1 - ROUNDING)
    legal = state.alive & (ends - starts >= max(shortest, state.geometry.frame_seconds))
    if state.dead_zones.spans:
        legal &= ~state.dead_zones.cover(starts, ends)
    return legal


def _may_add(state: AtlasState) -> NDArray[np.bool_]:
    view, starts, ends = state.view, state.view.starts, state.view.ends
    legal = state.alive
    if state.region.path:
        region = state.geometry.span(state.region)
        starts = np.maximum(starts, region.start_seconds)
        ends = np.minimum(ends, region.end_seconds)
        inside = (view.moments >= region.start_seconds) & (view.moments < region.end_seconds)
        legal = legal & inside
    legal = legal & state.scratchpad.would_change(starts, ends, view.moments)
    if state.zoomed is not None:
        legal &= np.arange(state.num_cells) == state.zoomed
    return legal


def _may_mark(state: AtlasState) -> NDArray[np.bool_]:
    if state.rules.traversal != "bfs" or state.view_kind != "grid":
        return np.zeros(state.num_cells, bool)
    return state.expandable & ((state.cell_status & (VISITED | QUEUED)) == 0)


def _may_backtrack(state: AtlasState) -> bool:
    is_below = state.rules.traversal == "dfs" and state.current.depth > state.region.depth
    return state.view_kind != "grid" or is_below


_MAY: dict[str, Callable[[AtlasState], NDArray[np.bool_] | bool]] = {
    "EXPAND": _may_expand,
    "ZOOM": _may_zoom,
    "INVESTIGATE_BEFORE": lambda state: _may_investigate(state, "before"),
    "INVESTIGATE_AFTER": lambda state: _may_investigate(state, "after"),
    "ADD_TO_SCRATCHPAD": _may_add,
    "MARK_PROMISING": _may_mark,
    "BACKTRACK": _may_backtrack,
}
assert {"FINISHED", "ANSWER", *_MAY} == set(ACTIONS)


def _mask(state: AtlasState) -> NDArray[np.int8]:
    mask = np.zeros(count_actions(state.num_cells), np.int8)
    finished, answers = codes("FINISHED", state.num_cells), codes("ANSWER", state.num_cells)
    if state.done:
        mask[finished] = 1
        return mask
    for verb, may in _MAY.items():
        mask[codes(verb, state.num_cells)] = may(state)
    stuck = not mask.any()
    goes_on = state.rules.traversal == "bfs" and bool(state.queue)
    has_options = state.rules.num_options > 0
    needs_evidence = state.rules.finish_requires_evidence and not state.is_fork
    may_end = stuck or bool(state.scratchpad.finds) or not needs_evidence
    mask[finished] = goes_on or (may_end and (state.is_fork or not has_options))
    if has_options and not state.is_fork:
        mask[answers.start : answers.start + state.rules.num_options] = may_end
    return mask


# Effects: one function per verb, given the state with its step counted.


def _expand(state: AtlasState, action: Action) -> AtlasState:
    return _enter(state, state.current.child(action.cell))


def _enter(state: AtlasState, cell: Cell) -> AtlasState:
    place = {"current": cell, "shown_moments": (), "scan": None, "zoomed": None}
    return state.changed(**place, looks=state.looks + 1)


def _zoom(state: AtlasState, action: Action) -> AtlasState:
    return state.changed(zoomed=action.cell, looks=state.looks + 1)


def _investigate(state: AtlasState, action: Action) -> AtlasState:
    side = "before" if action.verb == "INVESTIGATE_BEFORE" else "after"
    starts, ends = _neighbourhoods(state, side)
    span = Span(float(starts[action.cell]), float(ends[action.cell]))
    return state.changed(scan=Scan(action.cell, side, span), looks=state.looks + 1)


def _neighbourhoods(
    state: AtlasState, side: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Starts and ends of what a scan beside each cell would show; clipped, never the wrong side.

    As long as `investigate_seconds`, or longer where the depth budget allows no finer cells.
    """
    finest = state.geometry.resolution_seconds(state.rules.max_depth)
    reach = max(state.rules.investigate_seconds, finest * state.num_cells)
    view = state.view
    if side == "before":
        return np.maximum(view.starts - reach, 0.0), view.starts
    return view.ends, np.minimum(view.ends + reach, state.geometry.duration_seconds)


def _add(state: AtlasState, action: Action) -> AtlasState:
    if action.confidence < state.rules.min_confidence:
        notice = (
            f"{action} was not kept: its confidence {action.confidence:g} is below "
            f"{state.rules.min_confidence:g}."
        )
        return state.changed(notice=notice)
    find = Evidence(
        seconds=float(state.view.moments[action.cell]),
        span=state.cell_span(action.cell).intersection(state.geometry.span(state.region)),
        confidence=float(action.confidence),
        step=state.steps,
        note=action.note,
    )
    pad = state.scratchpad.add(find)
    notice = "" if pad.items != state.scratchpad.items else f"{action} is kept already."
    return state.changed(scratchpad=pad, notice=notice)


def _mark(state: AtlasState, action: Action) -> AtlasState:
    return state.changed(queue=(*state.queue, state.current.child(action.cell)))


def _backtrack(state: AtlasState, action: Action) -> AtlasState:
    if state.zoomed is not None:
        return state.changed(zoomed=None)
    if state.scan is not None:
        return state.changed(scan=None)
    left = _rule_out(state, state.current)
    return left.changed(current=state.current.parent, shown_moments=())


def _finish(state: AtlasState, action: Action) -> AtlasState:
    if state.rules.traversal == "bfs":
        left = _rule_out(state, state.current)
        if left.queue:
            return _enter(left.changed(queue=left.queue[1:]), left.queue[0])
    else:
        left = _rule_out(state, state.region)
    return left.changed(done=True, answer_text="" if state.is_fork else action.note.strip())


def _answer(state: AtlasState, action: Action) -> AtlasState:
    return state.changed(done=True, answer=action.answer)


_EFFECTS: dict[str, Callable[[AtlasState, Action], AtlasState]] = {
    "EXPAND": _expand,
    "ZOOM": _zoom,
    "INVESTIGATE_BEFORE": _investigate,
    "INVESTIGATE_AFTER": _investigate,
    "ADD_TO_SCRATCHPAD": _add,
    "MARK_PROMISING": _mark,
    "BACKTRACK": _backtrack,
    "FINISHED": _finish,
    "ANSWER": _answer,
}


def _rule_out(state: AtlasState, cell: Cell) -> AtlasState:
    """Make a cell's span dead if nothing in it was kept, less the cells waiting in the queue."""
    span = state.geometry.span(cell)
    if state.rules.dead_zones == "never" or state.scratchpad.lies_in(span):
        return state
    waiting = [state.geometry.span(queued) for queued in state.queue if queued.is_within(cell)]
    ruled_out = DeadZones((span,)).subtract(waiting)
    zones = state.dead_zones.add(*ruled_out.spans)
    return state.changed(dead_zones=zones).without_dead_queue()
