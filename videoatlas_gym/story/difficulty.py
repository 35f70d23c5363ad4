"""How hard a story is, as numbers that mean something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from videoatlas_gym.arguments import checked_number
from videoatlas_gym.errors import one_of, shown


@dataclass(frozen=True)
class Difficulty:
    """The numbers that make questions about a story hard. The defaults are "medium"."""

    event_seconds: tuple[float, float] = (3.0, 12.0)
    """Shortest and longest event; lengths are drawn log-uniformly. Short ones need deep views."""
    events_per_minute: float = 1.0
    """How many events there are; all but the one asked about distract."""
    repeats: float = 0.5
    """Share of events that take the object of one of the 60 events before, with digits of their
    own; the others draw among all 48 objects, and may so draw one that was seen."""
    told: float = 0.5
    """Share of events that the narrator mentions while they last."""
    told_digits: float = 0.3
    """Share of those whose digits are said aloud: the subtitles alone answer them."""
    height: tuple[float, float] = (0.32, 0.45)
    """Smallest and largest height of an object, as a share of the picture's."""

    def __post_init__(self) -> None:
        """Turn what was given into plain floats, so that equal numbers are equal difficulties."""
        for name in ("event_seconds", "height"):
            pair = vars(self)[name]
            if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
                raise ValueError(f"{name} is a pair (smallest, largest), got {shown(pair)}.")
            vars(self)[name] = tuple(checked_number(f"each {name}", value) for value in pair)
        for name in ("events_per_minute", "repeats", "told", "told_digits"):
            vars(self)[name] = checked_number(name, vars(self)[name])

    def check(self, frames_per_second: int) -> None:
        """Raise ValueError, saying what is wrong, if no such story can be told."""
        low, high = self.event_seconds
        if not 1 / frames_per_second <= low <= high <= 20:
            raise ValueError(
                f"event_seconds must ascend from one frame ({1 / frames_per_second:g} s) or more "
                f"to 20 s or less, got {self.event_seconds}."
            )
        if self.events_per_minute <= 0:
            raise ValueError(f"events_per_minute must be positive, got {self.events_per_minute}.")
        if (busy := self.events_per_minute * high / 60) > 0.5:
            raise ValueError(
                f"{self.events_per_minute:g} events per minute of up to {high:g} s would fill "
                f"{busy:.0%} of the story, at most half is possible. Lower one of the two."
            )
        if not 0.25 <= self.height[0] <= self.height[1] <= 0.6:
            raise ValueError(
                f"height must ascend within 0.25 (digits stay readable) and 0.6, got {self.height}."
            )
        for name in ("repeats", "told", "told_digits"):
            share = vars(self)[name]
            if not 0 <= share <= 1:
                raise ValueError(f"{name} is a share in [0, 1], got {share}.")


DIFFICULTIES: dict[str, Difficulty] = {
    "easy": Difficulty((8.0, 20.0), 1.0, 0.2, 0.8, 0.5, (0.4, 0.5)),
    "medium": Difficulty(),
    "hard": Difficulty((1.0, 4.0), 2.0, 0.8, 0.2, 0.0, (0.28, 0.36)),
}


def make_difficulty(value: str | Difficulty | Mapping[str, object]) -> Difficulty:
    """Return a difficulty by its name, as it is, or from numbers that replace those of "medium".

    Raises:
        ValueError: If the name or a number's name is unknown.
        TypeError: If it is something else.
    """
    if isinstance(value, Difficulty):
        return value
    if isinstance(value, str):
        return DIFFICULTIES[one_of("difficulty", value, DIFFICULTIES)]
    if not isinstance(value, Mapping):
        raise TypeError(
            f"difficulty must be one of {', '.join(DIFFICULTIES)}, a Difficulty or a dict of its "
            f"numbers, got {value!r}."
        )
    known = [field.name for field in fields(Difficulty)]
    pairs = {one_of("number of a difficulty", name, known): v for name, v in value.items()}
    return Difficulty(**pairs)
