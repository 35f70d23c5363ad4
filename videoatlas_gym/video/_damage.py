"""What became of each packet given to a decoder: shown, lost, or damaged, and what builds on that.

Knows packets by time stamp and by their order of decoding. A picture is intact if nothing decoded
since the key frame it rests on was damaged; that includes pictures shown after it, which B-frames
are made from.
"""

from __future__ import annotations

import math
from collections import deque

from av.packet import Packet
from av.video.frame import VideoFrame

from videoatlas_gym.video._bitstream import is_hidden

_STRICT_CODECS = {"h264", "hevc", "vp8", "vp9", "av1", "libdav1d", "mjpeg"}
"""Codecs in which every packet that is not hidden gives one picture, so that a loss can be told."""

_REMEMBERED_KEYS = 64

_SWALLOWING_CODECS = {"h264"}
"""Decoders that, where they fail, keep back the whole picture that was due to come out."""


class DamageLog:
    """Follows the packets of one run through the decoder.

    Packets shown before the key frame that the run begins at are left out: they rest on pictures
    that were not decoded, and no later picture rests on them.
    """

    def __init__(self, codec_name: str, sync_pts: int | None) -> None:
        self._first_pts = -math.inf if sync_pts is None else sync_pts
        self._codec_name = codec_name
        self._is_strict = codec_name in _STRICT_CODECS
        self.num_decoded = 0
        self._num_swallowed = 0
        self._harmless: set[int] = set()
        self._pending: dict[int, tuple[int, bool]] = {}
        self._lost: dict[int, str] = {}
        self._damaged_orders: list[int] = []
        self._keys: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED_KEYS)

    @property
    def has_damage(self) -> bool:
        """Whether anything went wrong so far."""
        return bool(self._damaged_orders)

    def enter(self, packet: Packet) -> None:
        """Note a packet that is about to be decoded."""
        self.num_decoded += 1
        if packet.is_discard and packet.is_keyframe and packet.pts is not None:
            self._keys.append((self.num_decoded, packet.pts))  # Hidden by an edit list.
        if packet.pts is not None and not packet.is_discard and packet.pts >= self._first_pts:
            must_show = self._is_strict and not is_hidden(self._codec_name, packet)
            self._pending[packet.pts] = (self.num_decoded, must_show)

    def mark(self, packet: Packet) -> None:
        """Note that the container says of the packet just entered that it is damaged."""
        if packet.pts is not None and packet.pts >= self._first_pts:
            self.spoil(packet.pts, self.num_decoded, "the container marks it as damaged")

    def fail(self, packet: Packet, cause: str, is_needed: bool) -> None:
        """Note that the decoder refused the packet just entered; and if others are made from it."""
        if packet.pts is not None and packet.pts < self._first_pts:
            return
        if is_needed:
            self._damaged_orders.append(self.num_decoded)
        else:
            self._harmless.add(packet.pts)
        self._num_swallowed += self._codec_name in _SWALLOWING_CODECS
        if self._pending.pop(packet.pts, None) is not None:
            self._lost[packet.pts] = cause

    def leave(self, pts: int, frame: VideoFrame, order: int | None = None) -> int:
        """Note a picture that came out; return its order of decoding, counted from 1."""
        order, _ = self._pending.pop(pts, (order or self.num_decoded, False))
        if frame.interlaced_frame:
            self._is_strict = False  # The second field of a frame may be a packet of its own.
        if frame.is_corrupt:
            self._note_marked(pts, order)
        elif frame.key_frame:
            self._keys.append((order, pts))
        return order

    def _note_marked(self, pts: int, order: int) -> None:
        cause = "the decoder marks it as damaged"
        if pts in self._harmless:
            self._lost[pts] = cause
        else:
            self.spoil(pts, order, cause)

    def spoil(self, pts: int, order: int, cause: str) -> None:
        """Note that the picture is not to be shown."""
        self._damaged_orders.append(order)
        self._lost[pts] = cause

    def pass_by(self, pts: float = math.inf) -> None:
        """Note that display has come to `pts`: what was due before and did not come is lost."""
        for stamp in [stamp for stamp in self._pending if stamp < pts]:
            order, must_show = self._pending.pop(stamp)
            if not (must_show and self._is_strict):
                continue
            if self._num_swallowed:
                self._num_swallowed -= 1
                self._lost[stamp] = "damage after it keeps it from coming out of the decoder"
            else:
                self.spoil(stamp, order, "its data is there, but no picture comes out of it")

    def awaits_before(self, order: int) -> bool:
        """Whether something decoded before the picture of that order has still to come out."""
        return any(pending < order for pending, _ in self._pending.values())

    def loss(self, shown_pts: int, tick: int) -> str | None:
        """Why the picture shown is not that of `tick`, or None if it is; forgets what is past."""
        self._lost = {stamp: why for stamp, why in self._lost.items() if stamp >= shown_pts}
        late = [stamp for stamp in self._lost if stamp <= tick]
        return self._lost[max(late)] if late else None

    def is_intact(self, pts: int, order: int) -> bool:
        """Whether the picture rests on nothing damaged, nor on nothing at all.

        Pictures shown before a key frame do not rest on that one, but on an earlier one.
        """
        keys = [key for key, key_pts in self._keys if key <= order and key_pts <= pts]
        if not keys:
            return False
        base = max(keys)
        return not any(base <= damaged <= order for damaged in self._damaged_orders)
