"""Where a file was cut off: which of its very last pictures can still be decoded."""

from __future__ import annotations

import math
from collections import deque
from contextlib import suppress

from av.packet import Packet

from videoatlas_gym.video._run import LostPicture, Run
from videoatlas_gym.video._track import Track, shown_packets
from videoatlas_gym.video.plan import MAX_GROUP_BYTES, REORDER_DEPTH

_PARSED_CONTAINERS = {"mpegts", "mpeg", "h264", "hevc", "mpegvideo", "m4v"}
"""Containers without lengths of packets: where one was cut off, nothing marks the last as short."""

_MAX_CUT_OFF = 3
"""A cut costs the packet it is in: one picture or its two fields, and what a mark is off by."""


class Ending:
    """The packets of the last two groups of pictures, to see whether the very last ones decode."""

    def __init__(self) -> None:
        self._groups: deque[list[Packet]] = deque(maxlen=2)
        self._num_bytes = 0
        self.shown: list[Packet] = []
        """Those that pictures were counted of, in display order."""

    def add(self, packet: Packet) -> None:
        """Take the next packet. Groups that are too large to be kept are left out."""
        if packet.is_keyframe:
            self._groups.append([])
            self._num_bytes = sum(known.size for group in self._groups for known in group)
        self._num_bytes += packet.size
        if self._num_bytes > MAX_GROUP_BYTES:
            self._groups.clear()
        if self._groups:
            self._groups[-1].append(packet)

    def num_cut_off(self, track: Track) -> int | None:
        """Count the pictures at the end that cannot be decoded, where it looks like a cut.

        More than what a cut can cost is damage: it is part of the video, and reading it fails.
        None if nothing was added that can be decoded, so that an earlier packet has to be first.
        """
        groups = list(self._groups)
        if not groups or not _may_be_cut(track, groups[-1]):
            return 0
        attempts = [groups[-1], [packet for group in groups for packet in group]]
        # Pictures are numbered as they come out, so what damage keeps back counts as well.
        for packets in attempts[1:] if track.ordinal_rate else attempts:
            self.shown = [p for p in packets if not p.is_discard]
            if not track.ordinal_rate:
                self.shown = sorted(shown_packets(track, packets), key=lambda p: p.pts)
            num_whole = _num_whole(track, packets, self.shown)
            if num_whole:
                num_cut_off = len(self.shown) - num_whole
                return num_cut_off if num_cut_off <= _MAX_CUT_OFF else 0
        return None if len(groups) == 1 else 0


def _may_be_cut(track: Track, packets: list[Packet]) -> bool:
    is_marked = any(packet.is_corrupt for packet in packets[-REORDER_DEPTH:])
    return is_marked or track.container.format.name in _PARSED_CONTAINERS


def _num_whole(track: Track, packets: list[Packet], shown: list[Packet]) -> int:
    """Count the pictures up to the last one, in display order, that decodes."""
    track.codec.flush_buffers()
    run = Run(track, iter(packets), None if track.ordinal_rate else packets[0].pts)
    if track.is_reordered:
        with suppress(LostPicture):
            return sum(1 for _ in run.pictures())
    last = run.last_intact(math.inf)
    if last is None or track.ordinal_rate:
        return 0 if last is None else last.pts + 1
    return sum(packet.pts <= last.pts for packet in shown)
