"""The rules one by one: when each action is legal, what it does, and how a region ends."""

from dataclasses import replace

import numpy as np
import pytest
from playing import legal, play, start, verbs

from videoatlas_gym.actions import ACTIONS, Action, encode
from videoatlas_gym.atlas import apply
from videoatlas_gym.errors import IllegalAction
from videoatlas_gym.memory import DeadZones
from videoatlas_gym.span import Cell, Span
from videoatlas_gym.state import DEAD, EVIDENCE, QUEUED, VISITED


def place(state):
    return state.region, state.current, state.scan, state.zoomed, state.span


def test_a_fresh_state_offers_the_six_actions_of_the_paper():
    dfs = {"EXPAND", "ZOOM", "INVESTIGATE_BEFORE", "INVESTIGATE_AFTER", "ADD_TO_SCRATCHPAD"}
    assert verbs(start()) == dfs | {"FINISHED"}
    assert verbs(start(traversal="bfs")) == dfs - {"EXPAND"} | {"MARK_PROMISING", "FINISHED"}
    assert verbs(play(start(), "EXPAND 1")) == dfs | {"FINISHED", "BACKTRACK"}


def test_a_masked_action_raises_and_says_what_is_legal():
    state = start(seconds=3.0)
    message = r"EXPAND 3 is masked .*max_depth is 0.*Legal now: ZOOM 0-3, ADD.* 0-3, FINISHED\."
    with pytest.raises(IllegalAction, match=message):
        play(state, "EXPAND 3")
    with pytest.raises(ValueError, match="outside the"):
        play(state, "ZOOM 4")
    with pytest.raises(ValueError, match="outside the"):
        apply(state, 34)


def test_apply_takes_codes_as_well_and_counts_steps():
    state = start()
    for action in (Action("EXPAND", 2), Action("ZOOM", 1), Action("BACKTRACK")):
        by_name, by_code = apply(state, action), apply(state, encode(action, 4))
        assert by_name == by_code
        assert by_name.steps == state.steps + 1
        state = by_name


def test_expand_enters_the_cell_and_backtrack_returns():
    for rules in ({"dead_zones": "never"}, {"dead_zones": "on_leave"}):
        before = play(start(**rules), "EXPAND 1")
        inside = play(before, "EXPAND 2")
        assert inside.current == Cell((1, 2))
        assert inside.span == Span(96.0, 112.0)
        assert place(play(inside, "BACKTRACK")) == place(before)
        assert list(play(inside, "BACKTRACK").view.moments) == list(before.view.moments)


def test_cells_that_are_too_short_too_deep_or_dead_are_not_opened():
    assert legal(start(seconds=3.99), "EXPAND") == []
    assert legal(start(seconds=4.0), "EXPAND") == [0, 1, 2, 3]
    assert legal(start(seconds=3.99, min_expand_seconds=0.0), "EXPAND") == [0, 1, 2, 3]
    short = start(seconds=0.15, frame_seconds=0.04, min_expand_seconds=0.0, max_depth=5)
    assert legal(short, "EXPAND") == []
    assert legal(play(start(max_depth=1), "EXPAND 0"), "EXPAND") == []
    assert legal(start(zones=[Span(64.0, 128.0)]), "EXPAND") == [0, 2, 3]
    assert legal(start(zones=[Span(64.0, 127.9)]), "EXPAND") == [0, 1, 2, 3]


def test_zoom_and_investigate_never_move_the_agent():
    inside = play(start(), "EXPAND 1")
    for look in ("ZOOM 3", "INVESTIGATE_BEFORE 2", "INVESTIGATE_AFTER 0"):
        seen = play(inside, look)
        assert (seen.current, seen.region, seen.visited) == (
            inside.current,
            inside.region,
            inside.visited,
        )
        assert place(play(seen, "BACKTRACK")) == place(inside)
    assert play(inside, "ZOOM 3").view_kind == "zoom"
    assert play(inside, "ZOOM 3").span == inside.span


def test_a_zoom_offers_only_its_own_cell_and_the_way_out():
    zoom = play(start(num_options=3), "ZOOM 2")
    assert verbs(zoom) == {"BACKTRACK", "ADD_TO_SCRATCHPAD", "ANSWER"}
    assert legal(zoom, "ADD_TO_SCRATCHPAD") == [2]


def test_a_zoom_over_a_scan_closes_to_the_scan_and_opens_no_cell():
    scan = play(start(), "INVESTIGATE_AFTER 1")
    assert verbs(scan) == {"BACKTRACK", "ZOOM", "ADD_TO_SCRATCHPAD", "FINISHED"}
    zoom = play(scan, "ZOOM 0")
    assert legal(zoom, "EXPAND") == [] and legal(zoom, "INVESTIGATE_AFTER") == []
    assert place(play(zoom, "BACKTRACK")) == place(scan)
    assert play(zoom, "BACKTRACK", "BACKTRACK").view_kind == "grid"


@pytest.mark.parametrize("seconds", [5.0, 30.0, 256.0, 3600.0])
@pytest.mark.parametrize("grid_size", [2, 3, 8])
def test_a_scan_shows_only_its_side_and_stays_in_the_video(seconds, grid_size):
    state = start(seconds, grid_size, max_depth=9)
    for index in legal(state, "INVESTIGATE_BEFORE"):
        scan = play(state, f"INVESTIGATE_BEFORE {index}")
        cell = state.cell_span(index)
        assert scan.span == Span(max(0.0, cell.start_seconds - 30.0), cell.start_seconds)
    for index in legal(state, "INVESTIGATE_AFTER"):
        scan = play(state, f"INVESTIGATE_AFTER {index}")
        cell = state.cell_span(index)
        assert scan.span == Span(cell.end_seconds, min(seconds, cell.end_seconds + 30.0))
    assert legal(state, "INVESTIGATE_BEFORE") == list(range(1, grid_size**2))
    assert legal(state, "INVESTIGATE_AFTER") == list(range(grid_size**2 - 1))


def test_scans_shorter_than_a_frame_or_wholly_dead_are_masked():
    tiny = start(seconds=4.0, frame_seconds=1.5, max_depth=9)
    assert legal(tiny, "INVESTIGATE_BEFORE") == [2, 3]
    assert legal(tiny, "INVESTIGATE_AFTER") == [0, 1]
    dead = start(zones=[Span(34.0, 64.0)])
    assert legal(dead, "INVESTIGATE_BEFORE") == [2, 3]
    assert legal(start(zones=[Span(34.1, 64.0)]), "INVESTIGATE_BEFORE") == [1, 2, 3]


def test_the_depth_budget_widens_scans_until_their_cells_are_coarse_enough():
    for depth, length in ((1, 64.0), (2, 16.0), (3, 16.0)):
        state = start(seconds=256.0, max_depth=depth, investigate_seconds=16.0)
        assert legal(state, "INVESTIGATE_AFTER") == [0, 1, 2]
        assert play(state, "INVESTIGATE_AFTER 0").span == Span(64.0, 64.0 + length)


def test_a_scan_is_masked_where_the_video_ends_too_soon_for_its_depth_budget():
    state = start(seconds=256.0, max_depth=1, investigate_seconds=16.0)
    deeper = play(state, "EXPAND 3")
    assert legal(deeper, "INVESTIGATE_AFTER") == []
    assert legal(deeper, "INVESTIGATE_BEFORE") == [0, 1, 2, 3]


@pytest.mark.parametrize("grid_size", [2, 3, 8])
@pytest.mark.parametrize("traversal", ["dfs", "bfs"])
@pytest.mark.parametrize("seconds", [0.5, 40.0, 36_000.0])
def test_at_depth_zero_the_agent_can_only_look_keep_and_end(grid_size, traversal, seconds):
    for options in (0, 4):
        state = start(
            seconds,
            grid_size,
            traversal=traversal,
            max_depth=0,
            num_options=options,
            min_expand_seconds=0.0,
            investigate_seconds=1e9,
        )
        end = "ANSWER" if options else "FINISHED"
        assert verbs(state) == {"ZOOM", "ADD_TO_SCRATCHPAD", end}
        assert verbs(play(state, "ZOOM 1")) == {"BACKTRACK", "ADD_TO_SCRATCHPAD", end}


def test_dead_cells_cannot_be_looked_at_kept_or_marked():
    for traversal in ("dfs", "bfs"):
        state = start(zones=[Span(64.0, 128.0)], traversal=traversal)
        for verb in (verb for verb, kind in ACTIONS.items() if kind.argument == "cell"):
            assert 1 not in legal(state, verb)
        assert list(state.cell_status & DEAD) == [0, DEAD, 0, 0]


def test_a_scan_cell_is_dead_when_the_frame_it_shows_is():
    state = play(start(zones=[Span(130.0, 140.0)], investigate_seconds=32.0), "INVESTIGATE_AFTER 1")
    assert list(state.view.moments) == [132.0, 140.0, 148.0, 156.0]
    assert legal(state, "ZOOM") == legal(state, "ADD_TO_SCRATCHPAD") == [1, 2, 3]


def test_leaving_a_fruitless_region_rules_it_out():
    state = play(start(), "EXPAND 1", "BACKTRACK")
    assert state.dead_zones.spans == (Span(64.0, 128.0),)
    assert play(start(dead_zones="never"), "EXPAND 1", "BACKTRACK").dead_zones == DeadZones()


def test_leaving_a_region_with_evidence_rules_nothing_out_whenever_it_was_kept():
    inside = play(start(), "EXPAND 1", "ADD_TO_SCRATCHPAD 2", "BACKTRACK")
    assert inside.dead_zones == DeadZones()
    earlier = play(start(), "ADD_TO_SCRATCHPAD 1", "EXPAND 1", "BACKTRACK")
    assert earlier.dead_zones == DeadZones()


def test_cells_holding_evidence_are_never_dead():
    state = play(start(zones=[Span(90.0, 100.0)]), "ADD_TO_SCRATCHPAD 1")
    (find,) = state.scratchpad.finds
    for depth in range(4):
        view = replace(state, current=state.geometry.cell_at(find.seconds, depth))
        kept = (view.cell_status & EVIDENCE) > 0
        assert kept.sum() == 1 and not view.dead[kept].any()


def test_when_all_is_dead_only_the_ways_out_remain():
    everything = [Span(0.0, 256.0)]
    assert verbs(start(zones=everything)) == {"FINISHED"}
    assert verbs(start(zones=everything, num_options=2)) == {"ANSWER"}
    assert verbs(start(zones=everything, finish_requires_evidence=True)) == {"FINISHED"}
    dead = start(zones=everything, num_options=2, finish_requires_evidence=True)
    assert verbs(dead) == {"ANSWER"}
    inside = play(start(finish_requires_evidence=True), "EXPAND 0")
    ruled_out = inside.merge(start(zones=everything))
    assert verbs(ruled_out) == {"BACKTRACK"}


def test_finishing_can_be_made_to_wait_for_evidence():
    for options, end in ((0, "FINISHED"), (3, "ANSWER")):
        state = start(finish_requires_evidence=True, num_options=options)
        assert end not in verbs(state)
        assert end in verbs(play(state, "ADD_TO_SCRATCHPAD 0"))
        assert "FINISHED" in verbs(state.fork()) and "ANSWER" not in verbs(state.fork())
    marked = play(start(traversal="bfs", finish_requires_evidence=True), "MARK_PROMISING 2")
    assert play(marked, "FINISHED").current == Cell((2,))


def test_options_are_answered_and_open_questions_finished():
    options = start(num_options=3)
    assert legal(options, "ANSWER") == [0, 1, 2] and legal(options, "FINISHED") == []
    done = play(options, "ANSWER 2")
    assert (done.done, done.answer) == (True, 2)
    asked = start()
    assert legal(asked, "ANSWER") == [] and legal(asked, "FINISHED") == [0]
    said = apply(asked, Action("FINISHED", note="  three \n"))
    assert (said.done, said.answer, said.answer_text) == (True, None, "three")
    assert play(asked, "FINISHED").answer_text == ""


@pytest.mark.parametrize("traversal", ["dfs", "bfs"])
def test_a_fork_finishes_without_an_answer(traversal):
    fork = start(num_options=3, traversal=traversal).fork(Cell((1,)))
    assert legal(fork, "ANSWER") == [] and legal(fork, "FINISHED") == [0]
    done = apply(fork, Action("FINISHED", note="psst"))
    assert (done.done, done.answer, done.answer_text) == (True, None, "")
    assert done.dead_zones.spans == (Span(64.0, 128.0),)


@pytest.mark.parametrize("traversal", ["dfs", "bfs"])
def test_a_finished_state_is_absorbing(traversal):
    for options, last in ((0, "FINISHED"), (2, "ANSWER 1")):
        done = play(start(num_options=options, traversal=traversal), "ZOOM 1", last)
        assert done.done and verbs(done) == {"FINISHED"}
        assert play(done, "FINISHED") == done
        assert apply(done, Action("FINISHED", note="other words")) == done
        with pytest.raises(IllegalAction):
            play(done, "ZOOM 1")


def test_finishing_a_fruitless_region_rules_it_out():
    assert play(start(), "EXPAND 1", "FINISHED").dead_zones.spans == (Span(0.0, 256.0),)
    kept = play(start(), "EXPAND 1", "ADD_TO_SCRATCHPAD 1", "FINISHED")
    assert kept.dead_zones == DeadZones()


def test_cell_status_shows_what_happened_where():
    state = play(start(dead_zones="never"), "EXPAND 0", "BACKTRACK", "ADD_TO_SCRATCHPAD 3")
    assert list(state.cell_status) == [VISITED, 0, 0, EVIDENCE]
    assert state.cell_status.dtype == np.int8
    marked = play(start(traversal="bfs"), "MARK_PROMISING 1", "ADD_TO_SCRATCHPAD 1")
    assert list(marked.cell_status) == [0, QUEUED | EVIDENCE, 0, 0]
    scan = play(state, "INVESTIGATE_BEFORE 3")
    assert not (scan.cell_status & (VISITED | QUEUED)).any()
