"""Decodes planned groups of pictures, each checked, by several decoders at once.

A group is believed only if exactly the pictures that its packets promise come out of it, undamaged,
in order, beginning with a key frame. Of any other the caller hears that it cannot be believed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from queue import SimpleQueue

import av
import numpy as np
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from videoatlas_gym.video._deadline import Deadline
from videoatlas_gym.video._picture import Painter
from videoatlas_gym.video.plan import MAX_GROUP_BYTES, Group, Unplanned

Pictures = dict[int, NDArray[np.uint8]]
"""Time stamp to the painted picture."""


class Unbelievable(Exception):
    """Other pictures came out of a group than its packets promise."""


class GroupDecoder:
    """A decoder with a painter of its own; for one thread at a time."""

    def __init__(self, codec: VideoCodecContext, painter: Painter) -> None:
        self.num_decoded = 0
        self._codec = codec
        self._painter = painter
        self._reorder_depth = codec.reorder_depth

    def pictures(self, group: Group, size: tuple[int, int] | None, deadline: Deadline) -> Pictures:
        """Decode a group and paint what is shown of it.

        Raises:
            Unbelievable: If the group is not as planned.
            OutOfTime: If the deadline passes.
        """
        wanted, seen, painted = set(group.shown.values()), [], {}
        codec = self._codec
        codec.flush_buffers()
        codec.reorder_depth = self._reorder_depth
        try:
            for packet in (*group.packets, None):
                deadline.check()
                for frame in self._decoded(packet, group):
                    self.num_decoded += 1
                    if _is_believed(frame, group, seen) and frame.pts in wanted:
                        painted[frame.pts] = self._painter.paint(frame, size)
        finally:
            codec.flush_buffers()
            self._reorder_depth = max(self._reorder_depth, codec.reorder_depth)
        if len(seen) != len(group.expected):
            raise Unbelievable
        return painted

    def _decoded(self, packet: Packet | None, group: Group) -> list[VideoFrame]:
        """Decode a packet; those presented before the group may lack what they are made from."""
        try:
            if packet is not None and packet.is_corrupt:
                raise Unbelievable
            return self._codec.decode(packet)
        except (av.error.FFmpegError, EOFError) as error:
            if packet is not None and packet.pts < group.sync_pts:
                return []
            raise Unbelievable from error


def _is_believed(frame: VideoFrame, group: Group, seen: list[int]) -> bool:
    """Note a picture that was expected; False for one shown before the group."""
    pts = frame.pts
    if pts is None:
        raise Unbelievable
    if pts < group.sync_pts:
        return False
    if frame.is_corrupt or pts not in group.expected:
        raise Unbelievable
    if seen:
        if pts <= seen[-1]:
            raise Unbelievable
    elif not (pts == group.sync_pts and frame.key_frame):
        raise Unbelievable
    seen.append(pts)
    return True


def decoded(
    groups: Iterator[Group | Unplanned],
    decoders: Sequence[GroupDecoder],
    size: tuple[int, int] | None,
    deadline: Deadline,
) -> Iterator[tuple[Group | Unplanned, Pictures | None]]:
    """Yield each group, in the order given, with its pictures, or None if it is not believed.

    Groups are read ahead of the decoders: two for each, and no more than 64 MiB of packets.
    """
    first = list(islice(groups, 2))
    if len(decoders) == 1 or len(first) < 2:
        for group in chain(first, groups):
            yield group, _attempt(decoders[0], group, size, deadline)
        return
    deadline = deadline.part()
    idle: SimpleQueue[GroupDecoder] = SimpleQueue()
    for decoder in decoders:
        idle.put(decoder)

    def work(group: Group | Unplanned) -> Pictures | None:
        decoder = idle.get()
        try:
            return _attempt(decoder, group, size, deadline)
        finally:
            idle.put(decoder)

    under_way: deque[tuple[Group | Unplanned, Future]] = deque()
    pool = ThreadPoolExecutor(len(decoders), "videoatlas-decoder")
    try:
        num_bytes = 0
        for group in chain(first, groups):
            own = group.num_bytes if isinstance(group, Group) else 0
            while under_way and (
                len(under_way) >= 2 * len(decoders) or num_bytes + own > MAX_GROUP_BYTES
            ):
                done, future = under_way.popleft()
                num_bytes -= done.num_bytes if isinstance(done, Group) else 0
                yield done, future.result()
            under_way.append((group, pool.submit(work, group)))
            num_bytes += own
        while under_way:
            done, future = under_way.popleft()
            yield done, future.result()
    except BaseException:
        deadline.call_off()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _attempt(
    decoder: GroupDecoder,
    group: Group | Unplanned,
    size: tuple[int, int] | None,
    deadline: Deadline,
) -> Pictures | None:
    if isinstance(group, Unplanned):
        return None
    try:
        return decoder.pictures(group, size, deadline)
    except Unbelievable:
        return None
