"""How long one request may take."""

from __future__ import annotations

import time
from copy import copy


class OutOfTime(Exception):
    """A request took longer than it may."""


class Deadline:
    """When a request must be over; or earlier, once it is called off. Begun anew for each request.

    Args:
        limit_seconds: Of one request; None for no limit.
    """

    def __init__(self, limit_seconds: float | None = None) -> None:
        self.limit_seconds = limit_seconds
        self._is_called_off = False
        self.begin()

    def begin(self) -> None:
        """Give all that follows the time that one request may take."""
        limit = self.limit_seconds
        self._end = None if limit is None else time.monotonic() + limit

    def part(self) -> Deadline:
        """Return the same deadline for a part of the request, to be called off by itself."""
        return copy(self)

    def call_off(self) -> None:
        """Let everyone who checks give up."""
        self._is_called_off = True

    def check(self) -> None:
        """Raise `OutOfTime` if time is over."""
        if self._end is not None and time.monotonic() > self._end:
            raise OutOfTime(f"it takes more than the {self.limit_seconds:g} s a request may take")
        if self._is_called_off:
            raise OutOfTime("it was called off")
