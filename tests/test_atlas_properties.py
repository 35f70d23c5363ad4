"""What holds in every state that can be reached, found by thousands of random masked steps."""

import json
import math
from dataclasses import replace
from itertools import combinations, pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playing import legal, play, random_action, random_fork, random_start, start, verbs

from videoatlas_gym.actions import decode, encode, num_actions
from videoatlas_gym.atlas import action_mask, apply
from videoatlas_gym.errors import IllegalAction
from videoatlas_gym.span import Cell, Span
from videoatlas_gym.state import DEAD, EVIDENCE, AtlasState

PROPERTY = settings(derandomize=True, deadline=None, database=None, max_examples=60)
WORLDS = [(size, traversal) for size in (2, 3, 8) for traversal in ("dfs", "bfs")]
STEPS = 10_000
AT_DEPTH_ZERO = {"ZOOM", "BACKTRACK", "ADD_TO_SCRATCHPAD", "FINISHED", "ANSWER"}

every_world = pytest.mark.parametrize(("grid_size", "traversal"), WORLDS)


def episodes(grid_size, traversal, steps, seed=0, endings=0.02):
    """Yield (before, action, after) of random masked episodes, forks taken now and then."""
    rng = np.random.default_rng([seed, grid_size, traversal == "bfs"])
    state, keeping = random_start(rng, grid_size, traversal), 0.3
    for _ in range(steps):
        action = random_action(state, rng, endings, keeping)
        after = apply(state, action)
        yield state, action, after
        state = after
        if state.done or state.steps >= 80:
            state, keeping = random_start(rng, grid_size, traversal), rng.choice([0.0, 0.05, 1.0])
        elif rng.random() < 0.02:
            state = random_fork(state, rng)


def accepts(state, code):
    try:
        apply(state, code)
    except IllegalAction:
        return False
    return True


def memory(state):
    return state.scratchpad, state.dead_zones, state.visited


@every_world
def test_the_mask_is_never_empty_and_is_what_apply_accepts(grid_size, traversal):
    rng, total = np.random.default_rng(1), num_actions(grid_size**2)
    for number, (state, _, after) in enumerate(episodes(grid_size, traversal, STEPS)):
        mask = action_mask(after)
        assert mask.shape == (total,) and mask.dtype == np.int8
        assert mask.any() and set(np.unique(mask)) <= {0, 1}
        if number % 500 == 0:
            assert [accepts(state, code) for code in range(total)] == list(action_mask(state))
        elif number % 5 == 0:
            code = int(rng.integers(total))
            assert accepts(state, code) == action_mask(state)[code]


@every_world
def test_views_stay_in_the_video_and_within_the_depth_budget(grid_size, traversal):
    for _, _, state in episodes(grid_size, traversal, 2500, seed=2):
        view, geometry = state.view, state.geometry
        finest = geometry.resolution_seconds(state.rules.max_depth)
        assert 0.0 <= view.starts[0] and view.ends[-1] <= geometry.duration_seconds
        assert (view.starts[1:] == view.ends[:-1]).all()
        assert ((view.starts < view.moments) & (view.moments < view.ends)).all()
        widths = view.ends - view.starts
        assert (widths >= finest * (1 - 1e-9) - 1e-10).all()
        assert state.current.depth <= state.rules.max_depth
        assert state.current.is_within(state.region)
        assert geometry.span(state.region).covers(geometry.span(state.current))
        if state.rules.max_depth == 0:
            assert verbs(state) <= AT_DEPTH_ZERO and state.scan is None
            assert ("BACKTRACK" in verbs(state)) == (state.zoomed is not None and not state.done)


@every_world
def test_evidence_lies_in_the_view_it_was_kept_from_and_in_the_region(grid_size, traversal):
    kept = 0
    for before, action, after in episodes(grid_size, traversal, 2500, seed=3):
        new = set(after.scratchpad.finds) - set(before.scratchpad.finds)
        assert not new or action.verb == "ADD_TO_SCRATCHPAD"
        region = before.geometry.span(before.region)
        for find in new:
            kept += 1
            assert find.seconds in before.cell_span(action.cell) and find.seconds in find.span
            assert find.seconds in region and region.covers(find.span)
            assert before.span.covers(find.span)
            assert find.confidence >= before.rules.min_confidence
        if action.verb == "ADD_TO_SCRATCHPAD" and not new:
            assert after.notice and after.scratchpad.items == before.scratchpad.items
    assert kept > 100


@every_world
def test_only_what_was_left_without_evidence_is_ruled_out(grid_size, traversal):
    deaths = 0
    for before, action, after in episodes(grid_size, traversal, 4000, seed=4):
        zones = after.dead_zones.spans
        assert all(a.end_seconds < b.start_seconds for a, b in pairwise(zones))
        left = before.region
        if action.verb == "BACKTRACK" or before.rules.traversal == "bfs":
            left = before.current
        span = before.geometry.span(left)
        for zone in after.dead_zones.subtract(before.dead_zones.spans).spans:
            deaths += 1
            assert action.verb in ("BACKTRACK", "FINISHED") and span.covers(zone)
            assert before.rules.dead_zones == "on_leave" and not before.scratchpad.lies_in(span)
        assert not before.dead_zones.subtract(zones).spans
        assert all(not zone.covers(after.geometry.span(c)) for c in after.queue for zone in zones)
        assert not any(
            zone.covers(after.geometry.span(after.current))
            for zone in after.dead_zones.subtract(before.dead_zones.spans).spans
            if not after.done
        )
    assert deaths > 20


@every_world
def test_a_dead_cell_holds_no_moment_outside_the_dead_zones(grid_size, traversal):
    rng, dead = np.random.default_rng(5), 0
    for _, _, state in episodes(grid_size, traversal, 3000, seed=5):
        if state.scan:
            continue
        indices = np.append(np.flatnonzero(state.dead)[:4], rng.integers(0, state.num_cells, 3))
        for index in map(int, indices):
            span = state.cell_span(index)
            moments = np.linspace(span.start_seconds, span.end_seconds, 7)[:-1]
            moments = np.append(moments, math.nextafter(span.end_seconds, 0))
            ruled_out = [any(m in zone for zone in state.dead_zones.spans) for m in moments]
            assert not state.dead[index] or all(ruled_out)
            assert bool(state.cell_status[index] & DEAD) == bool(state.dead[index])
            dead += bool(state.dead[index])
    assert dead > 20


@every_world
def test_no_displayed_cell_is_both_dead_and_holding_evidence(grid_size, traversal):
    for _, _, state in episodes(grid_size, traversal, 3000, seed=6):
        if not state.scan:
            assert not (state.dead & ((state.cell_status & EVIDENCE) > 0)).any()


@every_world
def test_perception_does_not_move_and_going_back_restores_the_place(grid_size, traversal):
    def place(state):
        return state.current, state.scan, state.zoomed, state.region

    seen = set()
    for before, action, after in episodes(grid_size, traversal, 2500, seed=7):
        if action.verb in ("EXPAND", "ZOOM", "INVESTIGATE_BEFORE", "INVESTIGATE_AFTER"):
            seen.add(action.verb)
            assert place(play(after, "BACKTRACK")) == place(before)
        if action.verb in ("ZOOM", "INVESTIGATE_BEFORE", "INVESTIGATE_AFTER"):
            assert (after.current, after.visited, memory(after)) == (
                before.current,
                before.visited,
                memory(before),
            )
        if action.verb.startswith("INVESTIGATE"):
            cell = before.cell_span(action.cell)
            earlier = after.span.end_seconds == cell.start_seconds
            later = after.span.start_seconds == cell.end_seconds
            assert earlier if action.verb == "INVESTIGATE_BEFORE" else later
            finest = before.geometry.resolution_seconds(before.rules.max_depth)
            longest = max(before.rules.investigate_seconds, finest * before.num_cells)
            assert after.span.duration_seconds <= longest + 1e-9
    assert len(seen) >= 3


@every_world
def test_json_gives_an_equal_state_with_the_same_mask(grid_size, traversal):
    for number, (_, _, state) in enumerate(episodes(grid_size, traversal, 1500, seed=8)):
        if number % 5 == 0:
            copy = AtlasState.from_json(json.loads(json.dumps(state.to_json())))
            assert copy == state and hash(copy) == hash(state)
            assert (action_mask(copy) == action_mask(state)).all()


@every_world
def test_names_and_codes_do_the_same(grid_size, traversal):
    for before, action, after in episodes(grid_size, traversal, 800, seed=9):
        code = encode(action, before.num_cells)
        assert decode(code, before.num_cells).argument == action.argument
        if action.confidence == 1.0 and not action.note:
            assert apply(before, code) == after
        assert after.steps == before.steps + 1


@PROPERTY
@given(st.integers(0, 2**32), st.sampled_from(WORLDS), st.integers(2, 4))
def test_finds_of_parallel_workers_merge_in_any_order_and_grouping(seed, world, workers):
    rng = np.random.default_rng(seed)
    master = random_start(rng, *world)
    for _ in range(rng.integers(0, 8)):
        master = apply(master, random_action(master, rng, endings=0.0))
    states = [random_fork(master, rng) for _ in range(workers)]
    for _ in range(25):
        states = [apply(state, random_action(state, rng)) for state in states]
    together = memory(master.merge(*states))
    for order in permutations(states):
        assert memory(master.merge(*order)) == together
    one_by_one = master
    for state in states:
        one_by_one = one_by_one.merge(state)
    assert memory(one_by_one) == together
    assert memory(master.merge(states[0].merge(*states[1:]))) == together
    for a, b in combinations([master, *states], 2):
        assert memory(a.merge(b)) == memory(b.merge(a))
    merged = master.merge(*states)
    assert memory(merged.merge(merged)) == memory(merged.merge(*states)) == memory(merged)
    assert action_mask(merged).any()


@PROPERTY
@given(st.integers(0, 2**32), st.sampled_from(WORLDS))
def test_merging_a_reachable_state_with_itself_changes_nothing(seed, world):
    rng = np.random.default_rng(seed)
    state = random_start(rng, *world)
    for _ in range(60):
        if state.done:
            break
        state = apply(state, random_action(state, rng))
    assert memory(state.merge(state)) == memory(state)
    assert state.merge() == state


# Reaching every frame


@pytest.mark.parametrize("grid_size", [2, 3, 8])
@pytest.mark.parametrize("fps", [24_000 / 1001, 25.0, 60.0])
def test_any_frame_is_shown_within_the_logarithm_of_the_frame_count(grid_size, fps):
    rng = np.random.default_rng(10)
    for num_frames in (1, 2, 64, 65, 729, 4096, 90_000, *map(int, rng.integers(3, 900_000, 5))):
        root = start(num_frames / fps, grid_size, 1 / fps, min_expand_seconds=0.0)
        levels = root.geometry.levels_to_frame()
        assert levels == max(1, math.ceil(math.log(num_frames, grid_size**2) - 1e-9))
        for frame in {0, num_frames - 1, *map(int, rng.integers(0, num_frames, 5))}:
            on_display, middle = Span(frame / fps, (frame + 1) / fps), (frame + 0.5) / fps
            state = root
            for _ in range(levels - 1):
                cell = root.geometry.cell_at(middle, state.current.depth + 1)
                state = play(state, f"EXPAND {cell.path[-1]}")
            shown = [i for i in legal(state, "ZOOM") if state.view.moments[i] in on_display]
            assert shown


@pytest.mark.parametrize(("grid_size", "min_expand_seconds"), [(8, 1.0), (2, 4.0), (3, 9.0)])
@pytest.mark.parametrize("fps", [24_000 / 1001, 24.0, 25.0, 30_000 / 1001, 30.0, 50.0, 60.0])
def test_a_leaf_holds_no_more_frames_than_a_view_has_cells(grid_size, min_expand_seconds, fps):
    """One second for K = 8; smaller grids need `min_expand_seconds` of n frames at most."""
    rng = np.random.default_rng(11)
    limit = min_expand_seconds if grid_size == 8 else min_expand_seconds / fps
    for seconds in (0.3, 63.9, 64.1, 600.0, *map(float, rng.uniform(1, 36_000, 8))):
        root = start(seconds, grid_size, 1 / fps, min_expand_seconds=limit)
        for moment in rng.uniform(0, seconds, 5):
            state, index = root, root.geometry.cell_at(moment, 1).path[-1]
            while state.expandable[index]:
                state = play(state, f"EXPAND {index}")
                index = root.geometry.cell_at(moment, state.current.depth + 1).path[-1]
            assert not state.fits_deeper[index]
            leaf = state.cell_span(index)
            first, end = math.ceil(leaf.start_seconds * fps), math.ceil(leaf.end_seconds * fps)
            assert end - first <= state.num_cells


def test_the_depth_budget_alone_never_stops_short_of_a_leaf():
    for seconds in np.random.default_rng(12).uniform(0.5, 36_000, 100):
        for grid_size in (2, 3, 8):
            for least in (0.0, 1.0):
                root = start(float(seconds), grid_size, min_expand_seconds=least)
                deepest = Cell((0,) * root.rules.max_depth)
                assert not replace(root, current=deepest).fits_deeper.any()
