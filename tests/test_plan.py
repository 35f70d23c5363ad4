"""Plans of decoding, against streams of which every reference between pictures is known."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packets import ListFeed, Stream, random_stream, regular

from videoatlas_gym.video.plan import (
    MAX_GROUP_BYTES,
    REORDER_DEPTH,
    Group,
    Unplanned,
    plan,
)

streams = st.builds(
    lambda seed, **shape: random_stream(random.Random(seed), **shape),
    st.integers(0, 2**32),
    num_groups=st.integers(1, 8),
    has_layers=st.booleans(),
    has_hidden=st.booleans(),
)


def moments(stream, seed, count):
    """Moments before, in and after the stream, on the stamps of pictures and between them."""
    rng, stamps = random.Random(seed), [mark.pts for mark in stream.marks]
    return [rng.choice(stamps) + rng.choice([-1, 0, 0, 1, 7]) for _ in range(count)] + rng.choice(
        [[], [min(stamps) - 5, max(stamps) + 1000]]
    )


def check_group(stream, group):
    """The pictures shown are right, and what is kept is all they need and no more."""
    first = stream.marks[group.packets[0]]
    kept = [stream.marks[place] for place in group.packets]
    assert first.is_key and first.pts == group.sync_pts
    assert list(group.packets) == sorted(set(group.packets))
    assert {tick: stream.on_display(tick) for tick in group.shown} == group.shown
    for pts in {*group.shown.values(), *group.expected}:
        assert stream.all_refs(stream.place_of(pts)) <= set(group.packets)
    stamps = set(group.shown.values())
    assert {group.sync_pts} | stamps <= group.expected
    assert group.expected == {m.pts for m in kept if m.is_shown and m.pts >= group.sync_pts}
    assert kept[-1].pts in stamps
    gone = set(range(group.packets[0], group.packets[-1])) - set(group.packets)
    assert len(gone) == group.num_left_out
    assert all(stream.marks[place].is_spare for place in gone)
    top = max(mark.layer for mark in stream.marks[group.packets[0] : group.packets[-1] + 1])
    assert all(m.pts in stamps for m in kept if m.is_spare and m.layer == top)
    assert group.num_bytes == sum(mark.size for mark in kept)


def planned(feed, ticks):
    """Check a plan; return its groups and the moments left out of them."""
    parts = list(plan(feed, ticks))
    groups = [part for part in parts if isinstance(part, Group)]
    rest = [tick for part in parts if isinstance(part, Unplanned) for tick in part.ticks]
    assert sorted([*rest, *(tick for group in groups for tick in group.shown)]) == sorted(
        set(ticks)
    )
    for group in groups:
        check_group(feed.stream, group)
    assert len(feed.landings) <= len(parts)
    return groups, sorted(rest)


@settings(max_examples=150, deadline=None)
@given(streams, st.integers(0, 2**32), st.integers(1, 30))
def test_every_moment_of_a_sound_stream_is_planned_right(stream, seed, count):
    ticks = moments(stream, seed, count)
    groups, rest = planned(feed := ListFeed(stream), ticks)
    assert rest == sorted({tick for tick in ticks if tick < stream.keys()[0].pts})
    # Each group is gone to once, is read once, and only as far as it takes to settle its moments.
    assert len({group.sync_pts for group in groups}) == len(groups)
    assert len(set(feed.landings)) == len(feed.landings) <= len(groups)
    for (start, end), after in zip(feed.readings(), [*feed.landings, math.inf][1:], strict=True):
        served = [g.shown for g in groups if start <= g.packets[0] < after]
        assert end <= max(stream.settled_at(tick) for shown in served for tick in shown)


@settings(max_examples=150, deadline=None)
@given(streams, st.integers(0, 2**32), st.integers(1, 30), st.integers(0, 300))
def test_sparse_cues_and_no_index_cost_time_but_not_exactness(stream, seed, count, reach):
    keys = stream.keys()
    cues = [keys[0], *random.Random(seed).sample(keys, len(keys) // 3)]
    ticks = moments(stream, seed, count)
    for feed in (ListFeed(stream, cues), ListFeed(stream, cues, reach), ListFeed(stream, [], 9)):
        _, rest = planned(feed, ticks)
        first = keys[0].pts if feed.cues else max(ticks) + 1
        assert rest == sorted({tick for tick in ticks if tick < first})


@settings(max_examples=150, deadline=None)
@given(streams, st.integers(0, 2**32), st.integers(1, 30), st.floats(0, 0.5))
def test_pictures_that_are_not_shown_are_planned_right_or_not_at_all(stream, seed, count, share):
    rng = random.Random(seed)
    stream.marks = [
        mark._replace(is_shown=mark.is_shown and rng.random() >= share) for mark in stream.marks
    ]
    _, rest = planned(ListFeed(stream), moments(stream, seed, count))
    for tick in rest:
        key = max((k.pts for k in stream.keys() if k.pts <= tick), default=None)
        hidden = [k.pts for k in stream.keys() if not k.is_shown]
        assert key is None or hidden


@settings(max_examples=100, deadline=None)
@given(streams, st.integers(0, 2**32), st.integers(1, 30))
def test_stamps_that_two_pictures_share_are_never_planned(stream, seed, count):
    rng = random.Random(seed)
    place = rng.randrange(len(stream.marks))
    twice = stream.marks[place].pts
    stream.marks.insert(place + 1, stream.marks[place]._replace(is_key=False))
    stream = replace(stream, marks=[m._replace(packet=i) for i, m in enumerate(stream.marks)])
    if not stream.marks[place].is_shown:
        return
    for part in plan(ListFeed(stream), moments(stream, seed, count)):
        assert isinstance(part, Unplanned) or twice not in part.expected


@settings(max_examples=100, deadline=None)
@given(streams, st.integers(0, 2**32), st.integers(1, 30))
def test_a_packet_without_a_stamp_ends_planning(stream, seed, count):
    ticks = moments(stream, seed, count)
    place = random.Random(seed).randrange(len(stream.marks))
    stream.marks[place] = stream.marks[place]._replace(pts=None, is_key=False)
    parts = list(plan(feed := ListFeed(stream), ticks))
    told = [getattr(part, "ticks", None) or part.shown for part in parts]
    assert sorted(tick for some in told for tick in some) == sorted(set(ticks))
    was_met = any(start <= place <= end for start, end in feed.readings())
    assert was_met == any(isinstance(part, Unplanned) and part.is_hopeless for part in parts)
    assert all(place not in part.packets for part in parts if isinstance(part, Group))


def test_spare_pictures_are_left_out_unless_they_are_shown_themselves():
    stream = regular(101, 101)
    groups, _ = planned(ListFeed(stream), [310, 605])
    (group,) = groups
    assert group.shown == {310: 310, 605: 600}
    assert group.num_left_out == 28
    assert len(group.packets) == 1 + 30 + 1


def test_moments_of_neighbouring_groups_are_read_in_one_go():
    feed = ListFeed(regular(200, 20))
    groups, _ = planned(feed, range(15, 1990, 100))
    assert len(groups) == 10
    assert feed.readings() == [(0, len(feed.stream.marks) - 1)]


def test_far_groups_are_sought_and_what_is_between_is_not_read():
    stream = regular(2000, 20)
    feed = ListFeed(stream)
    planned(feed, [5, 10_005, 19_005])
    assert len(feed.landings) == 3
    assert sum(end - start for start, end in feed.readings()) < 3 * (20 + REORDER_DEPTH)


def test_plans_are_made_as_they_are_asked_for():
    feed = ListFeed(regular(2000, 20))
    parts = plan(feed, range(5, 19_000, 1000))
    assert feed.landings == []
    next(parts)
    assert len(feed.landings) == 1


@pytest.mark.parametrize("num_groups", [1, 3])
def test_a_group_too_large_to_be_kept_ends_planning(num_groups):
    stream = regular(60 * num_groups, 60, size=MAX_GROUP_BYTES // 50)
    parts = list(plan(feed := ListFeed(stream), [300, 595, *range(600, num_groups * 600, 50)]))
    assert [part.is_hopeless for part in parts] == [True]
    assert len(parts[0].ticks) == 2 + 12 * (num_groups - 1)
    assert feed.ends[0] < 55


def test_no_moments_need_nothing():
    assert list(plan(ListFeed(Stream()), [])) == []
