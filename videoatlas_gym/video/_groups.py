"""Reads the pictures at many moments of an opened track as planned: skipping, checked, in parallel.

What cannot be planned, or does not come out as planned, is left to `Walk`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

import numpy as np
from av.packet import Packet
from numpy.typing import NDArray

from videoatlas_gym.video._deadline import Deadline
from videoatlas_gym.video._decoder import GroupDecoder, Pictures, decoded
from videoatlas_gym.video._facts import Facts
from videoatlas_gym.video._feeds import feed_of
from videoatlas_gym.video._picture import Painter
from videoatlas_gym.video._track import Track
from videoatlas_gym.video._twin import CODECS, look, make_twins
from videoatlas_gym.video.plan import Group, Unplanned, plan

_MANY_FAILURES = 8
"""After so many groups that did not come out as planned, and none that did, planning ends."""

Shown = tuple[int, NDArray[np.uint8]]
"""The time stamp of a picture, and the picture."""


class GroupReader:
    """Reads moments of one opened track by groups of pictures.

    Args:
        track: Opened and prepared; nobody else may use it while `read` runs.
        facts: What is known of it.
        num_workers: Decoders at most. More than one need twins of the track's own decoder that
            show the same; where there are none, there is one.
    """

    def __init__(self, track: Track, facts: Facts, num_workers: int) -> None:
        self.is_hopeless = facts.fallback is not None or facts.is_reordered
        """Whether nothing of this track comes out as planned."""
        self.feed = feed_of(track)
        self._track = track
        self._facts = facts
        self._num_workers = num_workers
        self._max_pixels = track.limits.max_pixels
        painter = Painter(facts.native_size, facts.pixel_aspect, max_pixels=self._max_pixels)
        self._first_look = None
        can_have_twins = track.codec.name in CODECS and track.first_frame is not None
        if num_workers > 1 and can_have_twins and not self.is_hopeless:
            # A frame that the decoder still holds would be moved, away from under its side data.
            track.codec.flush_buffers()
            self._first_look = look(track.first_frame, painter)
        track.first_frame = None
        self._own = GroupDecoder(track.codec, painter)
        self._twins: list[GroupDecoder] | None = None
        self._num_decoded_before = 0
        self._num_failures = 0
        self._has_succeeded = False

    @property
    def num_decoded(self) -> int:
        """Pictures that the decoders have produced."""
        decoders = (self._own, *(self._twins or ()))
        return self._num_decoded_before + sum(decoder.num_decoded for decoder in decoders)

    def read(
        self, ticks: Sequence[int], size: tuple[int, int] | None, deadline: Deadline
    ) -> dict[int, Shown]:
        """Return what is on display at `ticks`, as far as it comes out as planned.

        Raises:
            OutOfTime: If the deadline passes.
        """
        if self.is_hopeless:
            return {}
        decoders = self._decoders() if len(ticks) > 1 else [self._own]
        try:
            with closing(decoded(plan(self.feed, ticks), decoders, size, deadline)) as groups:
                return self._shown(groups)
        except BaseException:
            self._drop_twins()
            raise

    def _shown(
        self, groups: Iterator[tuple[Group | Unplanned, Pictures | None]]
    ) -> dict[int, Shown]:
        shown: dict[int, Shown] = {}
        for group, pictures in groups:
            if pictures is not None:
                self._has_succeeded = True
                shown |= {tick: (pts, pictures[pts]) for tick, pts in group.shown.items()}
            elif isinstance(group, Group):
                self._num_failures += 1
            else:
                self.is_hopeless |= group.is_hopeless
        self.is_hopeless |= self._num_failures >= _MANY_FAILURES and not self._has_succeeded
        return shown

    def _drop_twins(self) -> None:
        """Make new ones next time: who interrupts once more can leave a thread at work."""
        self._num_decoded_before += sum(twin.num_decoded for twin in self._twins or ())
        self._twins = None

    def read_keys(
        self, keys: Iterator[Packet], size: tuple[int, int] | None, deadline: Deadline
    ) -> Pictures:
        """Decode key frames, each alone; return those that turn out to be what they are marked as.

        Raises:
            OutOfTime: If the deadline passes.
        """
        groups = (
            Group(key.pts, (key,), frozenset({key.pts}), {key.pts: key.pts}, 0, key.size)
            for key in keys
        )
        shown: Pictures = {}
        for _, pictures in decoded(groups, self._decoders(), size, deadline):
            shown |= pictures or {}
        return shown

    def _decoders(self) -> Sequence[GroupDecoder]:
        if self._first_look is None:
            return [self._own]
        if self._twins is None:
            facts, track = self._facts, self._track
            self._twins = make_twins(
                track.codec,
                track.codec_options,
                track.first_packets,
                lambda: Painter(
                    facts.native_size, facts.pixel_aspect, facts.orientation, self._max_pixels
                ),
                self._first_look,
                self._num_workers,
            )
        return self._twins or [self._own]
