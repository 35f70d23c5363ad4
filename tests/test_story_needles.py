"""Needles: each coarser view on the way shows the hint of its level, and none shows the needle."""

from itertools import pairwise

import numpy as np
import pytest

from videoatlas_gym.span import GridGeometry
from videoatlas_gym.story.needles import (
    CLEAREST,
    FAINTEST,
    HINTED_GRIDS,
    Needle,
    Stretch,
    first_level,
    place_needle,
)
from videoatlas_gym.story.plan import StoryWorld
from videoatlas_gym.story.source import StorySource

DURATIONS = (
    *(60, 75, 100, 180, 300, 450, 600, 900.3, 1234.5),
    *(1800, 3600, 5400, 7200, 10_000, 20_000, 36_000, 3_600_000),
)
LOOK = (1, "red", "circle", "11")


def placed(kind, duration, *, numbers=range(12), rate=10, seconds=0.5):
    """Worlds with one needle each."""
    for number in numbers:
        yield StoryWorld(number, duration, frames_per_second=rate, needle_kinds=(kind,),
                         needle_seconds=seconds)  # fmt: skip


def coarse_views(world, grid_size):
    """For each depth: the frames of the view on the way to the needle, and that of its cell."""
    source, stretch = StorySource(world), world.needles[0].stretch
    geometry = GridGeometry(source.duration_seconds, grid_size, source.frame_seconds)
    moment = (stretch.first + len(stretch) / 2) / world.frames_per_second
    for depth in range(16):
        cell = geometry.cell_at(moment, depth)
        frames = [source._index_at(float(m)) for m in geometry.midpoints(cell)]
        own = source._index_at(geometry.midpoint(geometry.cell_at(moment, depth + 1)))
        yield frames, own


def first_by_search(world, grid_size):
    """The depth of the first view any cell of which shows the needle, by trying them all."""
    stretch = world.needles[0].stretch
    return next(
        depth
        for depth, (frames, _) in enumerate(coarse_views(world, grid_size))
        if any(frame in stretch for frame in frames)
    )


@pytest.mark.parametrize("duration", DURATIONS)
@pytest.mark.parametrize("grid_size", HINTED_GRIDS)
def test_each_view_on_the_way_shows_the_hint_of_its_level_and_ever_clearer(grid_size, duration):
    numbers = range(12 if duration < 1e6 else 4)
    for world in placed("visible", duration, numbers=numbers):
        [needle] = world.needles
        level = first_level(needle.stretch, world.num_frames, grid_size)
        assert level == first_by_search(world, grid_size)
        shares = []
        for depth, (frames, own) in enumerate(coarse_views(world, grid_size)):
            if depth == level:
                break
            assert not any(frame in needle.stretch for frame in frames)
            shares.append(needle.share_at(own))
            assert FAINTEST <= shares[-1] <= CLEAREST
            # Of all cells of the view, that on the way is the clearest.
            assert max(map(needle.share_at, frames)) == shares[-1]
        assert all(a < b for a, b in pairwise(shares))


@pytest.mark.parametrize("rate", [1, 7, 30])
def test_hints_lead_at_any_rate(rate):
    for world in placed("visible", 3600, numbers=range(6), rate=rate, seconds=2.0):
        for grid_size in HINTED_GRIDS:
            level = first_level(world.needles[0].stretch, world.num_frames, grid_size)
            assert level == first_by_search(world, grid_size)
            views = list(coarse_views(world, grid_size))[:level]
            shares = [world.needles[0].share_at(own) for _, own in views]
            assert min(shares, default=1) >= FAINTEST and shares == sorted(set(shares))


@pytest.mark.parametrize(("rate", "seconds"), [(10, 0.1), (1, 0.5), (5, 0.2)])
def test_hints_lead_to_a_needle_of_one_frame(rate, seconds):
    for world in placed("visible", 3600, numbers=range(60), rate=rate, seconds=seconds):
        needle = world.needles[0]
        assert len(needle.stretch) == 1
        for depth, (frames, own) in enumerate(coarse_views(world, 2)):
            if any(frame in needle.stretch for frame in frames):
                break
            assert 0 < needle.share_at(own) < 1, (world.number, depth)
        assert own in needle.stretch


def test_frames_that_are_not_on_the_way_to_any_visible_needle_show_nothing_of_it():
    [world] = placed("visible", 3600, numbers=[4])
    [needle] = world.needles
    shown = sum(needle.share_at(frame) > 0 for frame in range(world.num_frames))
    assert shown == sum(map(len, needle.stretches)) < 0.01 * world.num_frames
    assert all(
        not a.overlaps(b) for a, b in pairwise(sorted(needle.stretches, key=lambda s: s.first))
    )


@pytest.mark.parametrize("duration", DURATIONS[::4])
def test_hidden_needles_have_no_hint_anywhere(duration):
    for world in placed("hidden", duration):
        [needle] = world.needles
        assert needle.hints == () and needle.stretches == (needle.stretch,)
        edge = (needle.stretch.first - 1, needle.stretch.stop)
        assert [needle.share_at(frame) for frame in edge] == [0.0, 0.0]
        assert needle.share_at(needle.stretch.first) == 1.0


@pytest.mark.parametrize("kind", ["visible", "hidden"])
def test_needles_lie_everywhere_about_as_often(kind):
    firsts = [world.needles[0].stretch.first for world in placed(kind, 600, numbers=range(600))]
    tenths, _ = np.histogram(firsts, bins=10, range=(0, 6000))
    assert tenths.min() > 30 and tenths.max() < 95  # 60 each expected


def test_needles_of_one_world_never_overlap_and_look_different():
    for number in range(30):
        world = StoryWorld(number, 600, needle_kinds=("visible", "hidden", "hidden"))
        stretches = [stretch for needle in world.needles for stretch in needle.stretches]
        assert all(not a.overlaps(b) for i, a in enumerate(stretches) for b in stretches[i + 1 :])
        assert len({needle.look for needle in world.needles}) == 3
        assert [needle.kind for needle in world.needles] == list(world.needle_kinds)


def test_there_must_be_room_for_a_needle():
    random = np.random.default_rng(0)
    for length, taken in [(100, []), (200, []), (10, [Stretch(0, 100)])]:
        with pytest.raises(ValueError, match=f"no room for a hidden needle of {length} frames"):
            place_needle("hidden", 100, length, taken, random, look=LOOK)


def test_a_stretch_is_half_open():
    stretch = Stretch(3, 5)
    assert [frame in stretch for frame in (2, 3, 4, 5)] == [False, True, True, False]
    assert len(stretch) == 2
    assert stretch.overlaps(Stretch(4, 9)) and not stretch.overlaps(Stretch(5, 9))
    assert Needle("hidden", stretch, LOOK).share_at(4) == 1.0
