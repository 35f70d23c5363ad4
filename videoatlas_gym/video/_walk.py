"""Decodes towards moments picture by picture, and comes to terms with what a file gets wrong.

The definition of what is right: every picture on the way is decoded and watched. Slower than
planned decoding, which is checked and comes here wherever a check fails.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from videoatlas_gym.video._facts import Facts
from videoatlas_gym.video._run import (
    BrokenOrder,
    FalseKeyFrame,
    LostPicture,
    Picture,
    Run,
)
from videoatlas_gym.video._track import Track, shown_packets
from videoatlas_gym.video.plan import REORDER_DEPTH

_EARLIER_STARTS = 3
"""How often a lost picture is tried again from an earlier key frame."""
_MAX_FALSE_KEYS = 16


class Walk:
    """Looks moments of an opened track up; best asked for ever later ones.

    `facts` are those given, amended by what decoding shows to be otherwise.
    """

    def __init__(self, track: Track, facts: Facts) -> None:
        self.facts = facts
        self._track = track
        self._run: Run | None = None

    def stop(self) -> None:
        """Forget how far decoding has come, as must be before anyone else uses the track."""
        self._run = None

    def picture_at(self, tick: int) -> Picture:
        """Decode the picture on display at `tick`.

        Raises:
            LostPicture: If it cannot be had.
        """
        if not self.is_on_the_way(tick):
            self._run = self._start(tick)
        retries = 0
        while True:
            try:
                return self._run.picture_at(tick)
            except FalseKeyFrame as error:
                self._distrust(error.sync_pts)
                self._run = self._start(tick)
            except BrokenOrder:
                self._track.is_reordered = True
                self.facts = replace(self.facts, is_reordered=True)
                self._run = self._start(tick)
            except LostPicture as error:
                retries += 1
                if error.sync_pts is None or retries > _EARLIER_STARTS:
                    raise
                self._run = self._start(tick, error.sync_pts)

    def intact_before(self, tick: int) -> Picture:
        """Decode the last picture before the damage that `picture_at` met at `tick`.

        Raises:
            LostPicture: If there is none.
        """
        self.stop()
        before_pts = None
        while True:
            run = self._start(tick, before_pts)
            if (picture := run.last_intact(tick)) is not None:
                return picture
            if run.sync_pts is None:
                raise LostPicture("neither it nor any before it can be decoded", before_pts)
            before_pts = run.sync_pts

    def is_on_the_way(self, tick: int) -> bool:
        """Whether `tick` is best reached by decoding on, with no key frame in between to go to."""
        if self._run is None or not self._run.is_before(tick):
            return False
        return self.facts.fallback is not None or self._run.next_key(tick) is None

    def _distrust(self, pts: int) -> None:
        """Note a false key frame; where all are false, give up looking for them."""
        false_keys = self._track.false_keys
        false_keys.add(pts)
        if len(false_keys) > _MAX_FALSE_KEYS and not self._track.true_keys:
            cause = "it marks key frames that are none"
            self.facts = replace(self.facts, fallback=cause)

    def _start(self, tick: int, before_pts: int | None = None) -> Run:
        if self.facts.fallback is not None:
            return self._track.rewind()
        return self._track.enter(tick, before_pts)

    def stamps(self, first_tick: int, end_tick: int) -> Sequence[int] | NDArray[np.int64]:
        """Return the time stamps of the frames on display in ``[first_tick, end_tick)``."""
        self.stop()
        if self._track.samples and self._has_plain_time:
            return self._track.samples.shown(self.facts.start_pts, first_tick, end_tick)
        stamps = None
        while stamps is None:
            run = self._start(first_tick)
            try:
                if self._has_plain_time:
                    stamps = self._read_stamps(run, end_tick)
                else:
                    stamps = self._decode_stamps(run, end_tick)
            except FalseKeyFrame as error:
                self._distrust(error.sync_pts)
        stamps = sorted(pts for pts in set(stamps) if self.facts.start_pts <= pts < end_tick)
        return stamps[max(0, bisect_right(stamps, first_tick) - 1) :]

    @property
    def _has_plain_time(self) -> bool:
        """Whether packets tell when pictures are shown."""
        return self.facts.fallback is None and not self._track.is_reordered

    def _read_stamps(self, run: Run, end_tick: int) -> list[int]:
        stamps: list[int] = []
        num_later = 0
        for packet in shown_packets(self._track, run.packets_ahead()):
            if run.sync_pts is None or packet.pts >= run.sync_pts:
                stamps.append(packet.pts)
            num_later += packet.pts >= end_tick
            if num_later >= REORDER_DEPTH:
                break
        return stamps

    def _decode_stamps(self, run: Run, end_tick: int) -> list[int]:
        stamps: list[int] = []
        for picture in run.pictures():
            stamps.append(picture.pts)
            if picture.pts >= end_tick:
                break
        return stamps
