"""Evidence, the queue, forks and merging, seen from the state."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from playing import legal, play, start, verbs

from videoatlas_gym.actions import Action
from videoatlas_gym.atlas import action_mask, apply
from videoatlas_gym.errors import IllegalAction
from videoatlas_gym.memory import DeadZones, Evidence, Scratchpad
from videoatlas_gym.span import Cell, GridGeometry, Span
from videoatlas_gym.state import AtlasState, Rules, Scan


def keep(state, cell, confidence=1.0, note=""):
    return apply(state, Action("ADD_TO_SCRATCHPAD", cell, note=note, confidence=confidence))


# Evidence


def test_kept_evidence_is_the_middle_of_the_displayed_cell():
    state = keep(play(start(), "EXPAND 1"), 2, 0.8, "a goal")
    assert state.scratchpad.finds == (Evidence(104.0, Span(96.0, 112.0), 0.8, 2, "a goal"),)
    scan = keep(play(start(), "INVESTIGATE_BEFORE 2"), 0)
    assert scan.scratchpad.finds == (Evidence(101.75, Span(98.0, 105.5), 1.0, 2, ""),)


def test_weak_evidence_is_rejected_with_a_reason():
    state = keep(start(), 1, 0.69)
    assert (state.scratchpad, state.steps) == (Scratchpad(), 1)
    assert "0.69 is below 0.7" in state.notice
    kept = keep(state, 1, 0.7)
    assert len(kept.scratchpad) == 1 and kept.notice == ""
    assert play(state, "ZOOM 0").notice == ""
    assert len(keep(start(min_confidence=0.0), 1, 0.0).scratchpad) == 1


def test_keeping_is_masked_where_it_would_change_nothing():
    state = keep(start(), 1)
    assert legal(state, "ADD_TO_SCRATCHPAD") == [0, 2, 3]
    assert legal(play(state, "ZOOM 1"), "ADD_TO_SCRATCHPAD") == []
    assert legal(keep(start(), 1, 0.9), "ADD_TO_SCRATCHPAD") == [0, 1, 2, 3]


def test_keeping_the_same_with_less_confidence_is_told():
    state = keep(keep(start(), 1, 0.9), 1, 0.8)
    assert state.scratchpad.items[0].confidence == 0.9
    assert "kept already" in state.notice
    better = keep(state, 1, 0.95, "closer")
    assert (better.scratchpad.items[0].note, better.notice) == ("closer", "")


def test_a_short_event_kept_leaf_by_leaf_is_grounded():
    state, event = start(300.0, 8), Span(121.3, 126.3)
    for index in np.flatnonzero((state.view.ends > 121.3) & (state.view.starts < 126.3)):
        state = play(state, f"EXPAND {index}")
        for cell in np.flatnonzero((state.view.ends > 121.3) & (state.view.starts < 126.3)):
            state = keep(state, int(cell))
        state = play(state, "BACKTRACK")
    assert len(state.scratchpad.finds) > 60
    (item,) = state.scratchpad.items
    shared = item.span.intersection(event).duration_seconds
    assert shared / item.span.hull(event).duration_seconds > 0.95


# The queue (bfs)


def test_marked_cells_are_opened_first_in_first_out():
    state = play(start(traversal="bfs"), "MARK_PROMISING 3", "MARK_PROMISING 0")
    assert state.queue == (Cell((3,)), Cell((0,)))
    state = play(state, "FINISHED", "MARK_PROMISING 2")
    assert state.current == Cell((3,))
    state = play(state, "FINISHED")
    assert state.current == Cell((0,))
    state = play(state, "FINISHED")
    assert (state.current, state.queue, state.done) == (Cell((3, 2)), (), False)
    assert play(state, "FINISHED").done


def test_queued_and_visited_cells_are_not_marked_again():
    state = play(start(traversal="bfs", dead_zones="never"), "MARK_PROMISING 3")
    assert legal(state, "MARK_PROMISING") == [0, 1, 2]
    opened = play(state, "FINISHED")
    again = replace(opened, current=Cell())
    assert legal(again, "MARK_PROMISING") == [0, 1, 2]


def test_a_fruitless_root_does_not_kill_its_queue():
    state = play(start(traversal="bfs"), "MARK_PROMISING 1", "MARK_PROMISING 3", "FINISHED")
    assert (state.current, state.queue) == (Cell((1,)), (Cell((3,)),))
    assert state.dead_zones.spans == (Span(0.0, 64.0), Span(128.0, 192.0))
    assert not replace(state, current=Cell((3,))).dead.any()
    state = play(state, "FINISHED")
    assert (state.current, state.dead_zones.spans) == (Cell((3,)), (Span(0.0, 192.0),))


def test_the_region_about_to_be_explored_is_not_ruled_out():
    state = play(start(traversal="bfs"), "MARK_PROMISING 1", "FINISHED")
    assert not state.dead.any()
    assert "MARK_PROMISING" in verbs(state)


def test_dead_cells_leave_the_queue():
    state = play(start(traversal="bfs"), "MARK_PROMISING 1", "MARK_PROMISING 2")
    other = replace(state, dead_zones=DeadZones((Span(60.0, 130.0),)), queue=())
    assert state.merge(other).queue == (Cell((2,)),)
    partly = replace(state, dead_zones=DeadZones((Span(60.0, 127.0),)), queue=())
    assert state.merge(partly).queue == state.queue


def test_bfs_finishes_a_region_while_there_is_a_queue_even_with_options():
    state = start(traversal="bfs", num_options=2)
    assert "FINISHED" not in verbs(state)
    marked = play(state, "MARK_PROMISING 0")
    assert {"FINISHED", "ANSWER"} <= verbs(marked)
    assert "FINISHED" not in verbs(play(marked, "FINISHED"))


# Forks


def test_a_fork_of_a_cell_starts_clean_and_keeps_what_was_ruled_out():
    state = play(start(), "EXPAND 2", "BACKTRACK", "ADD_TO_SCRATCHPAD 0", "ZOOM 0")
    fork = state.fork(Cell((1,)))
    assert (fork.region, fork.current, fork.is_fork) == (Cell((1,)), Cell((1,)), True)
    assert (fork.scratchpad, fork.queue, fork.zoomed) == (Scratchpad(), (), None)
    assert fork.dead_zones == state.dead_zones
    assert "BACKTRACK" not in verbs(fork)
    assert "BACKTRACK" in verbs(play(fork, "EXPAND 0"))


def test_a_fork_of_the_same_place_copies_everything():
    state = play(start(num_options=2), "ADD_TO_SCRATCHPAD 0", "EXPAND 1", "ZOOM 3")
    assert replace(state.fork(), is_fork=False) == state
    assert verbs(state.fork()) == verbs(state) - {"ANSWER"} | {"FINISHED"}


@pytest.mark.parametrize(
    ("cell", "error"),
    [
        (Cell((2,)), IllegalAction),
        (Cell((1, 1, 1, 1, 1)), IllegalAction),
        (Cell((4,)), ValueError),
    ],
)
def test_cells_that_cannot_be_opened_cannot_be_forked(cell, error):
    with pytest.raises(error):
        start(zones=[Span(128.0, 192.0)]).fork(cell)


def test_a_fork_cannot_leave_its_region():
    fork = start().fork(Cell((1,)))
    with pytest.raises(IllegalAction, match="region 1"):
        fork.fork(Cell((2,)))
    with pytest.raises(ValueError, match="lies outside the region 1"):
        replace(fork, current=Cell((2,)))


def test_a_fork_keeps_only_what_lies_in_its_region():
    fork = start(investigate_seconds=32.0).fork(Cell((1,)))
    outside = play(fork, "INVESTIGATE_BEFORE 0")
    assert outside.span == Span(32.0, 64.0)
    assert legal(outside, "ADD_TO_SCRATCHPAD") == [] and legal(outside, "ZOOM") == [0, 1, 2, 3]


def test_a_cell_over_the_edge_of_a_fork_is_kept_once_and_cut_at_the_edge():
    geometry = GridGeometry(81.0, 3)
    rules = Rules(max_depth=3, investigate_seconds=4.05)
    fork = AtlasState(geometry, rules).fork(Cell((1,)))
    scan = play(fork, "INVESTIGATE_BEFORE 4")
    scan = replace(scan, scan=Scan(4, "before", Span(8.85, 12.9)))
    kept = play(scan, "ADD_TO_SCRATCHPAD 0")
    assert kept.scratchpad.finds[0].span.start_seconds == 9.0
    assert legal(kept, "ADD_TO_SCRATCHPAD") == list(range(1, 9))


# Merging, storing


def test_merging_joins_memories_and_keeps_the_place():
    master = play(start(), "EXPAND 3")
    finder = play(start().fork(Cell((1,))), "ADD_TO_SCRATCHPAD 2", "FINISHED")
    other = play(start().fork(Cell((0,))), "EXPAND 1", "FINISHED")
    merged = master.merge(finder, other)
    assert (merged.current, merged.steps, merged.done) == (master.current, master.steps, False)
    assert merged.scratchpad == finder.scratchpad
    assert merged.dead_zones.spans == (Span(0.0, 64.0),)
    assert merged.visited == {Cell(), Cell((3,)), Cell((1,)), Cell((0,)), Cell((0, 1))}
    with pytest.raises(ValueError, match="different videos or grids"):
        master.merge(start(seconds=100.0))


def test_merging_a_state_with_itself_changes_nothing():
    state = play(start(), "ADD_TO_SCRATCHPAD 1", "EXPAND 1", "EXPAND 0", "BACKTRACK")
    assert state.dead_zones.spans == (Span(64.0, 80.0),)
    assert state.merge(state) == state == state.merge()


def test_states_survive_json_and_pickling_at_every_kind_of_view():
    for moves in (["ZOOM 3"], ["INVESTIGATE_AFTER 1", "ZOOM 3"], ["EXPAND 1", "BACKTRACK"]):
        state = keep(play(start(num_options=4), *moves), 3, 0.8, "x")
        for copy in (
            AtlasState.from_json(json.loads(json.dumps(state.to_json()))),
            pickle.loads(pickle.dumps(state)),
        ):
            assert copy == state and hash(copy) == hash(state)
            assert (action_mask(copy) == action_mask(state)).all()


def test_a_state_cannot_be_altered_through_its_arrays():
    for state in (start(), play(start(), "INVESTIGATE_AFTER 1")):
        view = state.view
        for array in (action_mask(state), state.dead, state.cell_status, view.starts, view.moments):
            assert not array.flags.writeable


def test_numpy_indices_in_actions_leave_plain_states():
    state = apply(start(), Action("EXPAND", np.int64(3)))
    state = apply(state, Action("ZOOM", np.int64(2)))
    assert json.loads(json.dumps(state.to_json()))["zoomed"] == 2


@pytest.mark.parametrize(
    "rules",
    [
        {"max_depth": -1},
        {"max_depth": 1.5},
        {"num_options": 9},
        {"num_options": -1},
        {"min_expand_seconds": -1.0},
        {"min_expand_seconds": float("nan")},
        {"min_confidence": -0.1},
        {"min_confidence": 1.1},
        {"min_confidence": float("nan")},
        {"investigate_seconds": 0.0},
        {"investigate_seconds": float("nan")},
        {"traversal": "DFS"},
        {"dead_zones": "always"},
    ],
    ids=str,
)
def test_rules_that_make_no_sense_are_refused(rules):
    with pytest.raises(ValueError):
        Rules(**rules)
