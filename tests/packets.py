"""Streams of packets of which every reference between pictures is known, and what reads them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from videoatlas_gym.video.plan import REORDER_DEPTH, Mark


@dataclass
class Stream:
    """Marks in decoding order; `packet` of a mark is its place. What each is made from: `refs`."""

    marks: list[Mark] = field(default_factory=list)
    refs: list[set[int]] = field(default_factory=list)

    def add(self, pts, refs=(), **facts):
        self.marks.append(Mark(len(self.marks), pts, **{"is_key": False, "size": 10} | facts))
        self.refs.append(set(refs))
        return len(self.marks) - 1

    def all_refs(self, place):
        """Everything that a picture is made from, itself included."""
        found, new = set(), {place}
        while new:
            found |= new
            new = set().union(*(self.refs[i] for i in new)) - found
        return found

    def place_of(self, pts):
        return next(m.packet for m in self.marks if m.pts == pts and m.is_shown)

    def keys(self):
        return [mark for mark in self.marks if mark.is_key]

    def on_display(self, tick):
        return max((m.pts for m in self.marks if m.is_shown and m.pts <= tick), default=None)

    def settled_at(self, tick):
        """Place by which so many later pictures were read that no earlier one can come."""
        start = max((k.packet for k in self.keys() if k.pts <= tick), default=0)
        later = [m.packet for m in self.marks[start:] if m.is_shown and m.pts > tick]
        return later[REORDER_DEPTH - 1] if len(later) >= REORDER_DEPTH else len(self.marks)


def random_stream(rng, *, num_groups, has_layers, has_hidden):
    """Write groups of P pictures and pyramids of B pictures, open ones too, some of one picture."""
    stream, pts = Stream(), rng.randrange(-50, 50)
    anchor = None
    for number in range(num_groups):
        stamps = [pts := pts + rng.randint(1, 30) for _ in range(rng.choice([1, 2, 3, 12, 40]))]
        num_leading = min(len(stamps) - 1, rng.choice([0, 0, 2, 5])) if number else 0
        key = stream.add(stamps[num_leading], is_key=True)
        if num_leading:
            _add_pyramid(stream, rng, stamps[:num_leading], (anchor, key), 1, has_layers)
        anchor, rest = key, stamps[num_leading + 1 :]
        while rest:
            length = rng.choice([1, 2, 4, 8])
            between, rest = rest[:length], rest[length:]
            if has_hidden and not rng.randrange(3):
                hidden = stream.add(between[-1], {anchor}, is_shown=False)
            else:
                hidden = anchor
            before, anchor = anchor, stream.add(between[-1], {anchor, hidden})
            _add_pyramid(stream, rng, between[:-1], (before, anchor), 1, has_layers)
    return stream


def _add_pyramid(stream, rng, stamps, ends, depth, has_layers):
    if not stamps:
        return
    middle = len(stamps) // 2
    is_leaf = len(stamps) == 1
    place = stream.add(
        stamps[middle],
        ends,
        is_spare=(is_leaf or has_layers) and rng.random() < 0.9,
        layer=depth if has_layers else 0,
    )
    _add_pyramid(stream, rng, stamps[:middle], (ends[0], place), depth + 1, has_layers)
    _add_pyramid(stream, rng, stamps[middle + 1 :], (place, ends[1]), depth + 1, has_layers)


class ListFeed:
    """Reads a stream; finds key frames by the cues, which may be some of them only."""

    def __init__(self, stream, cues=None, reach=None):
        self.stream, self.reach = stream, reach
        self.cues = sorted(stream.keys() if cues is None else cues, key=lambda mark: mark.pts)
        self.landings, self.ends = [], []

    def land(self, tick):
        found = [cue for cue in self.cues if cue.pts <= tick]
        if not found:
            return None
        self.landings.append(found[-1].packet)
        self.ends.append(found[-1].packet)
        return self._read(len(self.ends) - 1, found[-1].packet)

    def _read(self, landing, place):
        for mark in self.stream.marks[place:]:
            self.ends[landing] = mark.packet
            yield mark

    def readings(self):
        """First and last place of each reading."""
        return list(zip(self.landings, self.ends, strict=True))

    def looked_into(self, marks):
        return marks

    def packets(self, marks):
        return [mark.packet for mark in marks]

    def is_same_group(self, tick, later):
        if self.reach is not None:
            return later - tick <= self.reach
        stamps = [cue.pts for cue in self.cues]
        return bisect_right(stamps, tick) == bisect_right(stamps, later)


def regular(num_frames, group, size=10):
    """A key frame each `group` pictures, between them P pictures and a spare B before each."""
    stream = Stream()
    for start in range(0, num_frames, group):
        last = stream.add(start * 10, is_key=True, size=size)
        for index in range(start + 2, start + group, 2):
            before, last = last, stream.add(index * 10, {last}, size=size)
            stream.add(index * 10 - 10, {before, last}, size=size, is_spare=True)
    return stream
