"""Pictures in display order, decoded from one packet on; and how a picture can be lost.

Knows ticks only, neither seconds nor pixels, nor where to start. Exactness rests on four rules. A
run begins at a packet that the decoder itself confirms to be a key frame, or at the first packet of
the file. Nothing shown before that key frame is trusted. A picture that should have come out and
did not is lost, never replaced by its neighbour. After damage nothing is trusted up to the next key
frame.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from heapq import heappop, heappush
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import av
from av.packet import Packet
from av.video.frame import VideoFrame

from videoatlas_gym.video._damage import DamageLog
from videoatlas_gym.video.plan import REORDER_DEPTH

if TYPE_CHECKING:
    from videoatlas_gym.video._track import Track

_MAX_DAMAGED_PACKETS = 2_000
_MAX_QUEUED_BYTES = 64 << 20
"""Looking further ahead than this would only save decoding; memory is worth more."""


class Picture(NamedTuple):
    """A decoded picture with its time stamp in ticks and its place in the order of decoding."""

    pts: int
    frame: VideoFrame
    order: int


class LostPicture(Exception):
    """A picture did not come out of the decoder. `sync_pts` is where decoding had begun."""

    def __init__(self, cause: str, sync_pts: int | None) -> None:
        super().__init__(cause)
        self.sync_pts = sync_pts


class DamagedPicture(LostPicture):
    """The data of a picture, or of one that it is made from, is damaged or missing."""


class FalseKeyFrame(LostPicture):
    """The container calls a packet a key frame, the decoder does not."""


class BrokenOrder(LostPicture):
    """Time stamps run backwards in display order, in an undamaged stream."""


class Run:
    """Pictures in display order from one starting packet on; asked for ever later moments."""

    def __init__(self, track: Track, packets: Iterator[Packet], sync_pts: int | None) -> None:
        self.queue: deque[Packet] = deque()
        self.sync_pts = sync_pts
        self.current: Picture | None = None
        self.trusted_pts = sync_pts
        self.is_ended = False
        self._track = track
        self._packets = packets
        self._coming: deque[Picture] = deque()
        self._log = DamageLog(track.codec.name, sync_pts)
        self._is_confirmed = sync_pts is None
        self._last_pts: int | None = None
        self._num_shown = 0
        self._stamps: list[int] = []
        self._untimed: deque[tuple[VideoFrame, int]] = deque()

    def next_key(self, tick: int) -> Packet | None:
        """Look ahead, without decoding, for a key frame presented at or before `tick`."""
        num_later = 0
        for packet in self._look_ahead():
            if packet.pts is None or packet.is_discard:
                continue
            if packet.is_keyframe and packet.pts not in self._track.false_keys:
                if packet.pts > tick:
                    return None
                if self.sync_pts is None or packet.pts > self.sync_pts:
                    return packet
            num_later += packet.pts > tick
            if num_later >= REORDER_DEPTH:
                return None
        return None

    def _look_ahead(self) -> Iterator[Packet]:
        yield from self.queue
        num_bytes = sum(packet.size for packet in self.queue)
        while num_bytes < _MAX_QUEUED_BYTES and (packet := next(self._packets, None)) is not None:
            num_bytes += packet.size
            self.queue.append(packet)
            yield packet

    def skip_to_last_key(self, tick: int) -> None:
        """Before anything is decoded: begin at the last key frame presented at or before `tick`."""
        while (key := self.next_key(tick)) is not None:
            while self.queue[0] is not key:
                self.queue.popleft()
            self.sync_pts = self.trusted_pts = key.pts
            self._log = DamageLog(self._track.codec.name, key.pts)

    def peek(self, count: int) -> list[Packet]:
        """Return the next `count` packets, or what there is of them, without decoding."""
        return list(islice(self._look_ahead(), count))

    def first_picture(self, packets: list[Packet]) -> Picture | None:
        """Decode up to the first picture that is shown; note in `packets` what that takes."""
        for _ in range(_MAX_DAMAGED_PACKETS):
            if self._coming or self.is_ended:
                break
            packets += self.peek(1)
            self._decode_one()
        return self._coming[0] if self._coming else None

    def pictures(self) -> Iterator[Picture]:
        """Decode to the end, picture by picture."""
        while self._coming or not self.is_ended:
            if self._coming:
                yield self._coming.popleft()
            else:
                self._decode_one()

    def packets_ahead(self) -> Iterator[Packet]:
        """The packets to come, without decoding; the run is of no use afterwards."""
        while self.queue:
            yield self.queue.popleft()
        yield from self._packets

    def is_before(self, tick: int) -> bool:
        """Whether decoding on can reach `tick`."""
        return self.current is not None and self.current.pts <= tick

    def picture_at(self, tick: int) -> Picture:
        """Decode on, up to the picture on display at `tick`; ticks must not decrease.

        Raises:
            LostPicture: If that picture did not come out, or came out damaged.
        """
        self._pass(tick)
        while not self.is_ended and not self._coming:
            self._decode_one()
            self._pass(tick)
        if self.current is None:
            raise LostPicture("nothing at or before that moment can be decoded", self.sync_pts)
        if self._track.is_reordered:
            self._refuse_uncertainty(self._log.has_damage and self.sync_pts is not None)
            return self.current
        # What the picture is made from may be shown after it: see first that it came out well.
        while not self.is_ended and self._log.awaits_before(self.current.order):
            self._decode_one()
        if (cause := self._log.loss(self.current.pts, tick)) is not None:
            raise DamagedPicture(cause, self.sync_pts)
        self._refuse_uncertainty(not self._log.is_intact(self.current.pts, self.current.order))
        return self.current

    def last_intact(self, tick: float) -> Picture | None:
        """Decode up to `tick`; return the last picture on the way that came out well, if any."""
        last = None
        with suppress(FalseKeyFrame, BrokenOrder):
            while True:
                while not self._coming and not self.is_ended:
                    self._decode_one()
                if not self._coming or self._coming[0].pts > tick:
                    break
                with suppress(DamagedPicture):
                    last = self.picture_at(self._coming[0].pts)
        return last

    def _pass(self, tick: int) -> None:
        """Let go of the pictures shown up to `tick` but the last: a group of them can be large."""
        while self._coming and self._coming[0].pts <= tick:
            self.current = self._coming.popleft()

    def _refuse_uncertainty(self, is_damaged: bool) -> None:
        if is_damaged:
            raise DamagedPicture("it builds on a damaged or missing picture", self.sync_pts)

    def _decode_one(self) -> None:
        self._track.deadline.check()
        packet = self.queue.popleft() if self.queue else next(self._packets, None)
        frames = self._drained() if packet is None else self._decoded(packet)
        for frame in frames:
            self._track.count_picture()
            self._accept(frame)
        if self.is_ended:
            self._log.pass_by()
        while self.is_ended and self._stamps:
            self._release_one()

    def _drained(self) -> list[VideoFrame]:
        self.is_ended = True
        try:
            return self._track.codec.decode(None)
        except av.error.FFmpegError:
            return []

    def _decoded(self, packet: Packet) -> list[VideoFrame]:
        self._log.enter(packet)
        if packet.is_corrupt and not self._is_before_join():
            self._log.mark(packet)
        stamp = packet.pts
        if self._track.ordinal_rate:
            packet.pts = self._log.num_decoded  # Comes back with the picture, in display order.
        try:
            return self._track.codec.decode(packet)
        except av.error.FFmpegError as error:
            is_needed = not self._track.is_spare(packet)
            self._log.fail(packet, f"{type(error).__name__}: {error.strerror}", is_needed)
            return []
        finally:
            packet.pts = stamp

    def _is_before_join(self) -> bool:
        """Whether a key frame follows: transport streams were joined here, and nothing is lost.

        The mark may be on the last packet but one: parsing for where packets end comes after it.
        """
        return any(packet.is_keyframe for packet in self.peek(2))

    def _accept(self, frame: VideoFrame) -> None:
        pts = self._num_shown if self._track.ordinal_rate else frame.pts
        self._num_shown += 1
        if pts is None:
            return
        if self.sync_pts is not None and pts < self.sync_pts:
            return
        order = self._log.leave(pts, frame, frame.pts if self._track.ordinal_rate else None)
        self._confirm_sync(pts, frame)
        if self._track.is_reordered:
            self._retime(pts, frame, order)
        elif self._last_pts is None or pts >= self._last_pts:
            self._last_pts = pts
            self._log.pass_by(pts)
            self._coming.append(Picture(pts, frame, order))
        elif self._log.has_damage:
            self._log.spoil(pts, order, "damage around it put the pictures out of order")
        else:
            raise BrokenOrder("time stamps run backwards", self.sync_pts)

    def _confirm_sync(self, pts: int, frame: VideoFrame) -> None:
        """Check that decoding began with its first packet, and that the decoder calls it a key."""
        if self._is_confirmed:
            return
        self._is_confirmed = pts == self.sync_pts and bool(frame.key_frame)
        if self._is_confirmed:
            self._track.true_keys.add(pts)
        if not self._is_confirmed and not (self._track.is_reordered and pts != self.sync_pts):
            raise FalseKeyFrame("it is no key frame, though marked as one", self.sync_pts)

    def _retime(self, pts: int, frame: VideoFrame, order: int) -> None:
        """Keep the decoder's order and give its i-th picture the i-th smallest time stamp."""
        heappush(self._stamps, pts)
        self._untimed.append((frame, order))
        if len(self._stamps) >= REORDER_DEPTH:
            self._release_one()

    def _release_one(self) -> None:
        if not self._is_confirmed:
            raise FalseKeyFrame("it is no key frame, though marked as one", self.sync_pts)
        picture = Picture(heappop(self._stamps), *self._untimed.popleft())
        if self.trusted_pts is None or picture.pts >= self.trusted_pts:
            self._coming.append(picture)
