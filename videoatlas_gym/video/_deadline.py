"""How long one request may take."""

from __future__ import annotations

import time
from copy import copy


class OutOfTime(Exception):
    """A request took longer than it may."""


class Deadline:
    """When a request must be over; or earlier, once it is called off.

    Args:
        limit_seconds: Time from now on; None for no limit.
    """

    def __init__(self, limit_seconds: float | None = None) -> None:
        self.limit_seconds = limit_seconds
        self._end = None if limit_seconds is None else time.monotonic() + limit_seconds
        self._is_called_off = False

    def part(self) -> Deadline:
        """Return the same deadline for a part of the request, to be called off by itself."""
        return copy(self)

    def call_off(self) -> None:
        """Let everyone who checks give up."""
        self._is_called_off = True

    def check(self) -> None:
        """Raise `OutOfTime` if time is over."""
        if self._end is not None and time.monotonic() > self._end:
            raise OutOfTime(
                f"it takes more than the {self.limit_seconds:g} s that one request may take "
                "(time_limit_seconds)"
            )
        if self._is_called_off:
            raise OutOfTime("it was called off")
