"""Spans, cell addresses and the grid: exact tiling, inverse maps, resolution and reach."""

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from videoatlas_gym.span import Cell, GridGeometry, Span, split, total_seconds

GRID_SIZES = (2, 3, 5, 8)
SEEDED = np.random.default_rng(20).uniform(0.3, 40_000.0, 40)
DURATIONS = (1 / 3, 0.5, 0.1 + 0.2, 12.0, 59.94, 1502.7, 3600.0, 36_000.1, *map(float, SEEDED))


def random_cells(geometry, rng, count, max_depth=5):
    """Random addresses of depth 0 to `max_depth`, first and last corners included."""
    n = geometry.num_cells
    yield Cell((0,) * max_depth)
    yield Cell((n - 1,) * max_depth)
    for _ in range(count):
        yield Cell(tuple(map(int, rng.integers(0, n, rng.integers(0, max_depth + 1)))))


@pytest.fixture(params=GRID_SIZES, ids="K={}".format)
def geometries(request):
    return [GridGeometry(duration, request.param) for duration in DURATIONS]


def test_children_tile_their_parent_to_the_last_bit(geometries):
    rng = np.random.default_rng(0)
    for geometry in geometries:
        for cell in random_cells(geometry, rng, 5, max_depth=4):
            spans = [geometry.span(cell.child(i)) for i in range(geometry.num_cells)]
            whole = geometry.span(cell)
            assert spans[0].start_seconds == whole.start_seconds
            assert spans[-1].end_seconds == whole.end_seconds
            assert all(a.end_seconds == b.start_seconds for a, b in pairwise(spans))
            assert all(span.duration_seconds > 0 for span in spans)
            edges = geometry.edges(cell)
            assert [span.start_seconds for span in spans] == list(edges[:-1])
            assert [span.end_seconds for span in spans] == list(edges[1:])


def test_the_root_covers_the_whole_video(geometries):
    for geometry in geometries:
        assert geometry.span(Cell()) == Span(0.0, geometry.duration_seconds)


def test_bounds_are_the_exact_fraction_rounded_once(geometries):
    rng = np.random.default_rng(1)
    for geometry in geometries:
        for cell in random_cells(geometry, rng, 5):
            index = 0
            for step in cell.path:
                index = index * geometry.num_cells + step
            width = Fraction(geometry.duration_seconds) / geometry.num_cells**cell.depth
            assert geometry.span(cell) == Span(float(width * index), float(width * (index + 1)))


def test_cell_to_span_to_cell_is_the_identity(geometries):
    rng = np.random.default_rng(2)
    for geometry in geometries:
        for cell in random_cells(geometry, rng, 12):
            span = geometry.span(cell)
            last = math.nextafter(span.end_seconds, 0.0)
            for seconds in (span.start_seconds, geometry.midpoint(cell), last):
                assert geometry.cell_at(seconds, cell.depth) == cell


def test_every_moment_lies_in_the_cell_found_for_it(geometries):
    rng = np.random.default_rng(3)
    for geometry in geometries:
        for seconds in rng.uniform(0, geometry.duration_seconds, 8):
            for depth in range(6):
                assert seconds in geometry.span(geometry.cell_at(float(seconds), depth))


def test_midpoints_agree_and_lie_inside_their_cells(geometries):
    rng = np.random.default_rng(4)
    for geometry in geometries:
        for cell in random_cells(geometry, rng, 5, max_depth=4):
            middles = geometry.midpoints(cell)
            edges = geometry.edges(cell)
            children = [cell.child(i) for i in range(geometry.num_cells)]
            assert list(middles) == [geometry.midpoint(child) for child in children]
            assert ((edges[:-1] < middles) & (middles < edges[1:])).all()
            spans = map(geometry.span, children)
            assert middles == pytest.approx([span.midpoint_seconds for span in spans], rel=1e-14)
            if geometry.grid_size % 2:
                assert middles[geometry.num_cells // 2] == geometry.midpoint(cell)


def test_resolution_divides_the_duration_by_k_squared_at_each_depth(geometries):
    for geometry in geometries:
        for depth in range(5):
            expected = geometry.duration_seconds / geometry.grid_size ** (2 * (depth + 1))
            assert geometry.resolution_seconds(depth) == pytest.approx(expected, rel=1e-15)
            child = geometry.span(Cell((0,) * (depth + 1)))
            assert child.duration_seconds == geometry.resolution_seconds(depth)


def test_resolution_matches_the_published_table_for_ten_hours():
    geometry = GridGeometry(36_000.0, 8)
    table = [geometry.resolution_seconds(depth) for depth in range(4)]
    assert table == pytest.approx([562.5, 8.789, 0.1373, 0.002146], rel=1e-3)


@pytest.mark.parametrize(
    ("seconds", "depth"), [(30, 0), (60, 0), (63.9, 0), (64, 1), (600, 1), (3600, 1), (36_000, 2)]
)
def test_auto_depth_is_the_first_below_one_second(seconds, depth):
    geometry = GridGeometry(float(seconds), 8)
    assert geometry.auto_depth() == depth
    assert geometry.resolution_seconds(depth) < 1.0
    assert depth == 0 or geometry.resolution_seconds(depth - 1) >= 1.0


def test_auto_depth_goes_down_to_one_frame_when_no_second_is_asked_for():
    geometry = GridGeometry(3600.0, 8, frame_seconds=0.04)
    assert geometry.auto_depth(0.0) == 2
    assert GridGeometry(3600.0, 8, frame_seconds=2.0).auto_depth(0.0) == 1
    assert GridGeometry(3600.0, 8, frame_seconds=2.0).auto_depth(1.0) == 1
    assert GridGeometry(3600.0, 8, frame_seconds=60.0).auto_depth(1.0) == 0


@pytest.mark.parametrize("grid_size", GRID_SIZES)
def test_auto_depth_never_decreases_with_the_duration(grid_size):
    depths = [GridGeometry(seconds, grid_size).auto_depth() for seconds in sorted(DURATIONS)]
    assert depths == sorted(depths)


@pytest.mark.parametrize(
    ("seconds", "levels"), [(3600.0, 3), (36_000.0, 4), (64 / 25, 1), (65 / 25, 2), (0.02, 1)]
)
def test_levels_to_a_frame_follow_the_logarithm_of_the_frame_count(seconds, levels):
    assert GridGeometry(seconds, 8, frame_seconds=1 / 25).levels_to_frame() == levels


@pytest.mark.parametrize("grid_size", [2, 3, 8])
@pytest.mark.parametrize("fps", [24_000 / 1001, 25.0, 60.0])
def test_levels_to_a_frame_are_right_where_the_count_is_an_exact_power(grid_size, fps):
    n = grid_size**2
    for power in (1, 2, 3):
        exact = GridGeometry(n**power / fps, grid_size, frame_seconds=1 / fps)
        more = GridGeometry((n**power + 1) / fps, grid_size, frame_seconds=1 / fps)
        assert (exact.levels_to_frame(), more.levels_to_frame()) == (power, power + 1)


@pytest.mark.parametrize("seconds", [-0.1, 10.0, 11.0, math.nan, math.inf])
def test_moments_outside_the_video_have_no_cell(seconds):
    with pytest.raises(ValueError, match="no cell at"):
        GridGeometry(10.0).cell_at(seconds, 1)


@pytest.mark.parametrize("duration", [0.0, -1.0, math.nan, math.inf])
def test_a_video_without_a_finite_length_has_no_grid(duration):
    with pytest.raises(ValueError, match="duration_seconds must be positive and finite"):
        GridGeometry(duration)


@pytest.mark.parametrize("grid_size", [1, 0, -8, 2.5, math.nan, math.inf])
def test_a_grid_needs_a_whole_size_of_two_or_more(grid_size):
    with pytest.raises(ValueError, match="grid_size must be"):
        GridGeometry(10.0, grid_size)


@pytest.mark.parametrize("frame_seconds", [0.0, -0.04, math.nan])
def test_a_frame_must_last(frame_seconds):
    with pytest.raises(ValueError, match="frame_seconds must be positive"):
        GridGeometry(10.0, 8, frame_seconds)


@pytest.mark.parametrize("path", [(64,), (3, -1), (0, 0, 100)])
def test_addresses_outside_the_grid_are_named(path):
    with pytest.raises(ValueError, match="indices go from 0 to 63"):
        GridGeometry(10.0, 8).check(Cell(path))


def test_numpy_indices_address_the_same_span_as_plain_ones():
    geometry = GridGeometry(36_000.1, 8)
    path = (63, 62, 61, 60, 59)
    assert geometry.span(Cell(tuple(map(np.int64, path)))) == geometry.span(Cell(path))


def test_shared_edges_cannot_be_altered():
    geometry = GridGeometry(10.0)
    for array in (geometry.edges(Cell()), geometry.midpoints(Cell())):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0


def test_cells_know_their_place_in_the_hierarchy():
    cell = Cell((3, 5))
    assert (cell.depth, cell.parent, cell.child(7)) == (2, Cell((3,)), Cell((3, 5, 7)))
    assert cell.is_within(Cell()) and cell.is_within(cell) and cell.is_within(Cell((3,)))
    assert not cell.is_within(Cell((5,))) and not Cell((3,)).is_within(cell)
    assert (str(cell), str(Cell())) == ("3/5", "root")
    with pytest.raises(ValueError, match="the root cell has no parent"):
        _ = Cell().parent


def test_spans_are_half_open():
    span = Span(1.0, 2.0)
    assert 1.0 in span and math.nextafter(2.0, 0) in span
    assert 2.0 not in span and math.nextafter(1.0, 0) not in span
    assert not span.overlaps(Span(2.0, 3.0)) and not span.overlaps(Span(0.0, 1.0))
    assert span.intersection(Span(2.0, 3.0)) is None
    assert span.intersection(Span(1.5, 9.0)) == Span(1.5, 2.0)
    assert span.hull(Span(5.0, 6.0)) == Span(1.0, 6.0)
    assert span.covers(span) and not span.covers(Span(1.0, 2.5)) and not span.covers(Span(0, 2))
    assert (span.duration_seconds, span.midpoint_seconds) == (1.0, 1.5)


def test_an_empty_span_shares_no_moment_with_anything():
    assert not Span(5.0, 5.0).overlaps(Span(0.0, 10.0))
    assert not Span(0.0, 10.0).overlaps(Span(5.0, 5.0))


@pytest.mark.parametrize("bounds", [(2.0, 1.0), (math.nan, 1.0), (0.0, math.nan)])
def test_a_span_must_not_end_before_it_starts(bounds):
    with pytest.raises(ValueError, match="must not end before it starts"):
        Span(*bounds)


def test_splitting_keeps_the_ends_and_ascends():
    rng = np.random.default_rng(5)
    for start, length in zip(rng.uniform(0, 36_000, 200), rng.uniform(0.02, 60, 200), strict=True):
        span = Span(float(start), float(start + length))
        for count in (4, 9, 64):
            edges = split(span, count)
            assert (edges[0], edges[-1]) == (span.start_seconds, span.end_seconds)
            assert edges.shape == (count + 1,)
            assert np.diff(edges) == pytest.approx(span.duration_seconds / count, abs=1e-9)


def test_total_seconds_adds_without_losing_small_spans():
    spans = [Span(0.0, 1e9), *(Span(2e9 + i, 2e9 + i + 0.5) for i in range(1000))]
    assert total_seconds(spans) == 1e9 + 500.0
