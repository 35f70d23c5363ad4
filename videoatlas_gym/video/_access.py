"""An opened video: pictures at ticks, planned where that can be checked, by walking where not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import av
import numpy as np
from av.packet import Packet
from numpy.typing import NDArray

from videoatlas_gym.video._deadline import Deadline, OutOfTime
from videoatlas_gym.video._facts import Facts, find_facts
from videoatlas_gym.video._groups import GroupReader
from videoatlas_gym.video._keys import KeyFinder, Place
from videoatlas_gym.video._picture import Painter
from videoatlas_gym.video._run import LostPicture
from videoatlas_gym.video._track import Limits, Track
from videoatlas_gym.video._walk import Walk

UNREADABLE = (
    *(av.error.FFmpegError, LostPicture, OutOfTime, OSError, EOFError, MemoryError),
    *(ValueError, ArithmeticError, IndexError, RuntimeError),
)
"""What PyAV, NumPy and computing with absurd numbers raise where a file's content is to blame."""


class Unreadable(Exception):
    """The picture at a tick cannot be had; the cause says why."""

    def __init__(self, tick: int) -> None:
        super().__init__(tick)
        self.tick = tick


class Shown(NamedTuple):
    """A painted picture."""

    pts: int
    rgb: NDArray[np.uint8]
    is_held: bool = False


class Access:
    """A file opened by this process; for one thread at a time.

    Args:
        location: Path or address.
        limits: What the file may ask for at most.
        deadline: When what is under way must be over.
        facts: What was found out when the file was open before; None at the first time.
        num_workers: Decoders at most.
        does_hold: Whether the last undamaged picture stands in for a damaged one.
        count: Told of pictures that were decoded.

    Raises:
        VideoOpenError: If there is nothing to show.
        UNREADABLE: If it cannot be read.
    """

    def __init__(
        self,
        location: str,
        limits: Limits,
        deadline: Deadline,
        facts: Facts | None,
        *,
        num_workers: int,
        does_hold: bool,
        count: Callable[[int], None],
    ) -> None:
        self.process = os.getpid()
        self._count, self._does_hold = count, does_hold
        self._last_tick: int | None = None
        self.track = Track(location, limits, deadline, lambda: count(1))
        try:
            if facts is None:
                facts = find_facts(self.track)
            else:
                facts.prepare(self.track)
            self._walk = Walk(self.track, facts)
            self._painter = Painter(
                facts.native_size, facts.pixel_aspect, max_pixels=limits.max_pixels
            )
            self._groups = GroupReader(self.track, facts, num_workers)
        except BaseException:
            self.track.close()
            raise

    @property
    def facts(self) -> Facts:
        """What is known of the file, as far as it has been read."""
        return self._walk.facts

    def close(self) -> None:
        """Release the decoders and the file."""
        self._walk.stop()
        self.track.close()

    def pictures(self, ticks: Sequence[int], size: tuple[int, int] | None) -> dict[int, Shown]:
        """Return what is on display at `ticks`, which ascend.

        Raises:
            Unreadable: If one of them cannot be had.
        """
        try:
            return self._pictures(ticks, size)
        except BaseException:
            self._walk.stop()  # Wherever it was interrupted, it may have lost a picture.
            raise

    def _pictures(self, ticks: Sequence[int], size: tuple[int, int] | None) -> dict[int, Shown]:
        shown: dict[int, Shown] = {}
        walked: dict[int, Shown] = {}
        for tick in ticks:
            if not self._is_sequel(tick):
                break
            shown[tick] = self._walked(tick, size, walked)
        left = [tick for tick in ticks if tick not in shown]
        if left:
            shown |= self._planned(left, size)
        for tick in left:
            if tick not in shown:
                shown[tick] = self._walked(tick, size, walked)
        self._last_tick = ticks[-1] if ticks else self._last_tick
        return shown

    def _is_sequel(self, tick: int) -> bool:
        """Whether `tick` comes next where pictures are read one after another."""
        last = self._last_tick
        if last is None or tick < last:
            return False
        try:
            return self._walk.is_on_the_way(tick) or self._groups.feed.is_same_group(last, tick)
        except UNREADABLE as error:
            raise Unreadable(tick) from error

    def _planned(self, ticks: list[int], size: tuple[int, int] | None) -> dict[int, Shown]:
        """Read what comes out as planned."""
        if self.facts.is_reordered or self.facts.fallback is not None:
            return {}
        before = self._groups.num_decoded
        self._walk.stop()
        try:
            found = self._groups.read(ticks, size, self.track.deadline)
        except OutOfTime as error:
            raise Unreadable(ticks[0]) from error
        except UNREADABLE:
            return {}  # Walking will find out what is wrong, and where.
        finally:
            self._count(self._groups.num_decoded - before)
        return {tick: Shown(pts, rgb) for tick, (pts, rgb) in found.items()}

    def key_pictures(
        self, places: Sequence[Place], size: tuple[int, int] | None
    ) -> dict[Place, Shown]:
        """Return the key frames nearest to moments, where there are any in their spans.

        Args:
            places: In the order of their moments.
            size: Of a tile; None for native pixels.

        Raises:
            Unreadable: If the time is over.
        """
        if self.facts.fallback is not None or self.facts.is_reordered:
            return {}
        before = self._groups.num_decoded
        self._walk.stop()
        finder, chosen = KeyFinder(self.track, self.facts), {}

        def keys() -> Iterator[Packet]:
            for place in places:
                key = finder.nearest(place)
                if key is not None:
                    is_new = key.pts not in chosen.values()
                    chosen[place] = key.pts
                    if is_new:
                        yield key

        try:
            found = self._groups.read_keys(keys(), size, self.track.deadline)
        except OutOfTime as error:
            raise Unreadable(places[0].tick) from error
        except UNREADABLE:
            return {}
        finally:
            self._count(self._groups.num_decoded - before)
        return {place: Shown(pts, found[pts]) for place, pts in chosen.items() if pts in found}

    def _walked(self, tick: int, size: tuple[int, int] | None, known: dict[int, Shown]) -> Shown:
        """Walk to a tick; `known` holds what was painted on the way before."""
        is_held = False
        try:
            try:
                picture = self._walk.picture_at(tick)
            except LostPicture:
                if not self._does_hold:
                    raise
                picture, is_held = self._walk.intact_before(tick), True
                self._walk.stop()
            if picture.pts not in known:
                rgb = self._painter.paint(picture.frame, size)
                known[picture.pts] = Shown(picture.pts, rgb)
            return known[picture.pts]._replace(is_held=is_held)
        except UNREADABLE as error:
            raise Unreadable(tick) from error

    def stamps(self, first_tick: int, end_tick: int) -> Sequence[int] | NDArray[np.int64]:
        """Return the time stamps of the frames on display in ``[first_tick, end_tick)``.

        Raises:
            Unreadable: If they cannot be had.
        """
        try:
            return self._walk.stamps(first_tick, end_tick)
        except UNREADABLE as error:
            raise Unreadable(first_tick) from error
