"""What is remembered: finds that merge into items, spans that are ruled out, in any order."""

import itertools
import json
import math
import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from videoatlas_gym.memory import DeadZones, Evidence, Scratchpad
from videoatlas_gym.span import Cell, GridGeometry, Span

PROPERTY = settings(derandomize=True, deadline=None, database=None, max_examples=150)


def keep(seconds, *, width=0.2, **kwargs):
    """A find at a moment, standing for `width` seconds around it."""
    return Evidence(seconds, Span(seconds - width / 2, seconds + width / 2), **kwargs)


def pad_of(*finds):
    pad = Scratchpad()
    for find in finds:
        pad = pad.add(find)
    return pad


finds = st.builds(
    keep,
    st.integers(0, 40).map(lambda tenths: tenths / 10),
    width=st.sampled_from([0.2, 1.0, 5.0]),
    confidence=st.sampled_from([0.7, 0.8, 1.0]),
    step=st.integers(0, 3),
    note=st.sampled_from(["", "a", "b"]),
)
pads = st.lists(finds, max_size=6).map(lambda found: pad_of(*found))
bounds = st.integers(0, 30)
spans = st.tuples(bounds, bounds).map(lambda pair: Span(float(min(pair)), float(max(pair))))
zones = st.lists(spans, max_size=6).map(lambda parts: DeadZones().add(*parts))


# Evidence


def test_finds_less_than_a_second_apart_are_one_item():
    assert len(pad_of(keep(10.0), keep(10.99))) == 1
    assert len(pad_of(keep(10.0), keep(11.0))) == 2
    assert len(pad_of(keep(10.0), keep(10.8), keep(11.6))) == 1


def test_an_item_spans_the_hull_of_its_finds():
    (item,) = pad_of(keep(10.0), keep(10.9)).items
    assert item.span == Span(10.0 - 0.1, 10.9 + 0.1)
    (wide,) = pad_of(keep(10.0, width=8.0), keep(10.5)).items
    assert wide.span == Span(6.0, 14.0)


def test_the_more_confident_picture_stays():
    for found in itertools.permutations(
        [keep(1.0, confidence=0.8, step=9), keep(1.5, confidence=0.9, note="x"), keep(2.0, step=3)]
    ):
        (item,) = pad_of(*found).items
        assert (item.seconds, item.confidence) == (2.0, 1.0)
    (item,) = pad_of(keep(1.0, confidence=0.9, step=1, note="x"), keep(1.5, confidence=0.8)).items
    assert (item.seconds, item.note) == (1.0, "x")


def test_the_newest_of_equally_confident_pictures_stays():
    for found in itertools.permutations([keep(1.0, step=1), keep(1.5, step=7), keep(1.9, step=3)]):
        (item,) = pad_of(*found).items
        assert (item.seconds, item.step) == (1.5, 7)


def test_the_same_place_kept_twice_is_stored_once():
    pad = pad_of(keep(1.0, confidence=0.8, step=1), keep(1.0, confidence=0.9, step=2))
    assert pad.finds == (keep(1.0, confidence=0.9, step=2),)
    assert pad.add(keep(1.0, confidence=0.7, step=3)).finds == pad.finds


def test_the_best_items_come_first_and_newest_on_ties():
    pad = pad_of(keep(0.0, confidence=0.8, step=9), keep(5.0, step=1), keep(9.0, step=2))
    assert [item.seconds for item in pad.best(2)] == [9.0, 5.0]
    assert [item.seconds for item in pad.best(9)] == [9.0, 5.0, 0.0]
    assert pad.best(0) == ()


def test_a_weak_late_find_does_not_make_an_old_picture_newest():
    pad = pad_of(keep(0.0, step=1), keep(5.0, step=2), keep(0.5, confidence=0.7, step=9))
    assert pad.best(1)[0].seconds == 5.0


def test_evidence_lies_in_a_span_when_its_moment_does():
    pad = pad_of(keep(5.0, width=4.0))
    assert pad.lies_in(Span(5.0, 6.0)) and pad.lies_in(Span(0.0, 5.1))
    assert not pad.lies_in(Span(0.0, 5.0)) and not pad.lies_in(Span(5.5, 7.0))
    assert not Scratchpad().lies_in(Span(0.0, 9.0))


def test_a_short_event_kept_leaf_by_leaf_is_grounded():
    geometry = GridGeometry(300.0, 8)
    start, end = 121.3, 126.3
    depth, pad = geometry.auto_depth() + 1, Scratchpad()
    cell = geometry.cell_at(start, depth)
    step = 0
    while geometry.span(cell).start_seconds < end:
        span = geometry.span(cell)
        pad = pad.add(Evidence(geometry.midpoint(cell), span, step=step))
        cell, step = geometry.cell_at(span.end_seconds, depth), step + 1
    assert step > 60
    shared = sum(s.intersection(Span(start, end)).duration_seconds for s in pad.spans)
    union = sum(s.duration_seconds for s in pad.spans) + (end - start) - shared
    assert shared / union > 0.95
    assert len(pad) == 1


@PROPERTY
@given(st.lists(finds, max_size=7), st.integers(0, 2**32))
def test_items_do_not_depend_on_the_order_of_finds(found, seed):
    shuffled = random.Random(seed).sample(found, len(found))
    assert pad_of(*shuffled) == pad_of(*found)
    assert pad_of(*shuffled).items == pad_of(*found).items
    assert pad_of(*shuffled).best(3) == pad_of(*found).best(3)


@PROPERTY
@given(pads, pads, pads)
def test_scratchpads_unite_like_sets(a, b, c):
    assert a.union(b) == b.union(a)
    assert a.union(b).union(c) == a.union(b.union(c)) == a.union(b, c)
    assert a.union(a) == a == a.union() == a.union(Scratchpad())
    assert a.union(b).union(b) == a.union(b)


@PROPERTY
@given(pads)
def test_items_are_apart_and_hold_every_find(pad):
    moments = [item.seconds for item in pad.items]
    assert moments == sorted(moments)
    for a, b in itertools.combinations(pad.items, 2):
        assert abs(a.seconds - b.seconds) >= 1.0
    for find in pad.finds:
        assert any(item.span.covers(find.span) for item in pad.items)
        assert any(zone.covers(find.span) for zone in pad.spans)
    for item in pad.items:
        assert item.seconds in item.span
        assert any((f.seconds, f.confidence) == (item.seconds, item.confidence) for f in pad.finds)


@PROPERTY
@given(pads, finds)
def test_would_change_tells_whether_keeping_alters_more_than_the_date(pad, find):
    sure = Evidence(find.seconds, find.span, 1.0, step=9)
    cell = (np.array([x]) for x in (find.span.start_seconds, find.span.end_seconds, find.seconds))

    def seen(scratchpad):
        return [(item.seconds, item.span, item.confidence) for item in scratchpad.items]

    assert pad.would_change(*cell)[0] == (seen(pad.add(sure)) != seen(pad))


def test_evidence_survives_json():
    find = Evidence(1 / 3, Span(0.1, 0.7), 0.8, 12, 'says "goal" \u00e9')
    assert Evidence.from_json(json.loads(json.dumps(find.to_json()))) == find


# Dead zones


@PROPERTY
@given(st.lists(spans, max_size=8), st.randoms(use_true_random=False))
def test_zones_are_sorted_disjoint_and_never_touch(parts, shuffle):
    zones = DeadZones().add(*parts).spans
    assert all(a.end_seconds < b.start_seconds for a, b in itertools.pairwise(zones))
    assert all(zone.duration_seconds > 0 for zone in zones)
    shuffle.shuffle(parts)
    one_by_one = DeadZones()
    for part in parts:
        one_by_one = one_by_one.add(part)
    assert one_by_one.spans == zones


@PROPERTY
@given(st.lists(spans, max_size=6), st.lists(spans, max_size=6))
def test_zones_hold_exactly_what_was_added_and_not_taken_away(added, taken):
    moments = np.arange(0, 60) / 2 + 0.25
    left = DeadZones().add(*added).subtract(taken)
    expected = [any(m in s for s in added) and not any(m in s for s in taken) for m in moments]
    assert list(left.hold(moments)) == expected
    assert all(a.end_seconds < b.start_seconds for a, b in itertools.pairwise(left.spans))
    assert left.duration_seconds == sum(expected) / 2


@PROPERTY
@given(zones, spans)
def test_a_span_is_covered_when_every_moment_of_it_is_ruled_out(dead, span):
    if span.duration_seconds == 0:
        return
    inside = np.arange(span.start_seconds, span.end_seconds, 0.5) + 0.25
    covered = dead.cover(np.array([span.start_seconds]), np.array([span.end_seconds]))[0]
    assert covered == dead.hold(inside).all()


@PROPERTY
@given(zones, zones, zones)
def test_zones_unite_like_sets(a, b, c):
    assert a.add(*b.spans) == b.add(*a.spans)
    assert a.add(*b.spans).add(*c.spans) == a.add(*b.add(*c.spans).spans)
    assert a.add(*a.spans) == a == a.add()


def test_zones_are_half_open():
    dead = DeadZones().add(Span(1.0, 2.0))
    moments = [1.0, math.nextafter(2.0, 0), math.nextafter(1.0, 0), 2.0]
    assert list(dead.hold(np.array(moments))) == [True, True, False, False]


def test_touching_zones_become_one():
    assert DeadZones().add(Span(0.0, 1.0), Span(1.0, 2.0)).spans == (Span(0.0, 2.0),)
    apart = DeadZones().add(Span(0.0, 1.0), Span(math.nextafter(1.0, 2), 2.0))
    assert len(apart.spans) == 2


def test_two_partial_zones_cover_a_cell_together():
    geometry = GridGeometry(1502.7, 8)
    cell = geometry.span(Cell((17,)))
    cut = cell.start_seconds + 0.3 * cell.duration_seconds
    first, second = Span(cell.start_seconds, cut), Span(cut, cell.end_seconds)
    starts, ends = geometry.edges(Cell())[:-1], geometry.edges(Cell())[1:]
    assert not DeadZones().add(first).cover(starts, ends).any()
    assert not DeadZones().add(second).cover(starts, ends).any()
    both = DeadZones().add(second, first).cover(starts, ends)
    assert list(np.flatnonzero(both)) == [17]


def test_an_empty_memory_rules_nothing_out():
    assert not DeadZones().hold(np.array([0.0, 5.0])).any()
    assert DeadZones().duration_seconds == 0.0
    assert DeadZones().add(Span(3.0, 3.0)) == DeadZones()


def test_nothing_wide_is_cut_by_nothing():
    dead = DeadZones((Span(0.0, 10.0),))
    assert dead.subtract([Span(5.0, 5.0)]) == dead
