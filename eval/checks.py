"""What data from files may hold: checks of JSON, numbers, names and spans, a sentence for each.

Files of records and configurations come from anywhere. What passes here can be averaged, drawn and
written by all that reads them, without a check of its own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from policies.rollout import LOOKED_BINS
from videoatlas_gym.errors import shown

MOST_COUNT = 2**53
"""Largest whole number that every reader of JSON keeps exactly."""
LEAST_SECONDS, MOST_SECONDS = 1e-9, 1e12
"""Shortest time that is not 0, and the longest (30,000 years): squares of both can be computed."""
MOST_NAME = 200
"""Most characters of a name that is written into pictures."""
MOST_NESTED = 32
"""Most levels of lists and objects in each other."""


def parse(text: str | bytes) -> Any:
    """Read JSON without NaN and infinities.

    Raises:
        ValueError: If it is none, is nested too deeply or holds a number that is too long.
    """
    try:
        data = _DECODER.decode(text if isinstance(text, str) else text.decode())
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 (byte {error.start + 1})") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON ({error.msg} at character {error.pos + 1})") from error
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error
    except _NotFinite:
        raise
    except ValueError as error:  # Python reads no more digits than `sys.get_int_max_str_digits`
        raise ValueError("it holds a number of too many digits") from error
    return data


def check_tree(data: Any) -> None:
    """Refuse data nested deeper than `MOST_NESTED`, and numbers such as 1e999, read as infinite."""
    level = [data]
    for _ in range(MOST_NESTED):
        if any(isinstance(part, float) and not math.isfinite(part) for part in level):
            raise ValueError("it holds a number that is too large")
        parents = [part for part in level if isinstance(part, list | dict)]
        if not parents:
            return
        level = [
            child
            for part in parents
            for child in (part.values() if isinstance(part, dict) else part)
        ]
    raise ValueError(_TOO_DEEP)


def kind_of(allowed: Any) -> str:
    """Return the name of a type or a union of types."""
    return getattr(allowed, "__name__", str(allowed))


def is_whole(value: Any) -> bool:
    """Whether it is an int, not a bool."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether it is an int or a float, not a bool, within `MOST_SECONDS` of 0."""
    is_real = is_whole(value) or isinstance(value, float | np.floating)
    return is_real and -MOST_SECONDS <= value <= MOST_SECONDS


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Refuse a number outside of [low, high], and NaN."""
    if not low <= value <= high:
        raise ValueError(f"{name} must lie in [{low}, {high:g}], got {shown(value)}")


def check_seconds(name: str, value: float) -> None:
    """Refuse what is no length of time; 0 is one."""
    if value != 0:
        check_range(name, value, LEAST_SECONDS, MOST_SECONDS)


def check_name(name: str, value: Any, most: int = MOST_NAME) -> None:
    """Refuse what is no text of at most so many characters, all of which can be written."""
    if not isinstance(value, str) or len(value) > most or not _is_utf8(value) or "\0" in value:
        raise ValueError(f"{name} must be a text of at most {most} characters, got {shown(value)}")


def check_entries(field: str, found: Mapping[str, Any], allowed: Mapping[str, type]) -> None:
    """Refuse all but these entries: whole numbers from 0 (int) or lengths of time (float)."""
    if found.keys() != allowed.keys():
        got = shown(", ".join(found)) if found else "-"
        raise ValueError(f"{field} must hold {', '.join(allowed)}, got {got}")
    for name, kind in allowed.items():
        value = found[name]
        fits = is_whole(value) if kind is int else isinstance(value, float)
        most = MOST_COUNT if kind is int else MOST_SECONDS
        if not fits or not 0 <= value <= most:
            raise ValueError(
                f"{field} {shown(name)} must be {'an int' if kind is int else 'a float'} from 0 to "
                f"{most:g}, got {shown(value)}"
            )


def check_span(name: str, value: Any) -> None:
    """Refuse what is no [start, end] in seconds."""
    is_pair = isinstance(value, list | tuple) and len(value) == 2 and all(map(is_number, value))
    if not is_pair or not value[0] <= value[1]:
        raise ValueError(f"{name} must be [start, end] in seconds, got {shown(value)}")


def check_evidence(items: Sequence[Any]) -> None:
    """Refuse what is no list of kept items as the environment gives them at the end."""
    for item in items:
        if not isinstance(item, dict):
            raise ValueError(f"an item of evidence must be an object, got {shown(item)}")
        if not item.keys() >= _NEEDED or not item.keys() <= _ITEM.keys():
            raise ValueError(
                f"an item of evidence must hold {', '.join(sorted(_NEEDED))} and at most "
                f"{', '.join(sorted(_ITEM.keys() - _NEEDED))} besides, got "
                f"{shown(', '.join(item)) if item else '-'}"
            )
        check_span("span of an item of evidence", item["span"])
        for name, value in item.items():
            fits, allowed = _ITEM[name]
            if not fits(value):
                raise ValueError(
                    f"{name} of an item of evidence must be {allowed}, got {shown(value)}"
                )


def check_looked(counts: Sequence[Any]) -> None:
    """Refuse what is neither empty nor a number of views for each part of the video."""
    if not counts:
        return
    if len(counts) != LOOKED_BINS:
        raise ValueError(f"looked must hold 0 or {LOOKED_BINS} counts, got {len(counts)}")
    for count in counts:
        if not is_whole(count) or not 0 <= count <= MOST_COUNT:
            raise ValueError(f"looked must hold whole numbers from 0, got {shown(count)}")


def _is_utf8(text: str) -> bool:
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


class _NotFinite(ValueError):
    """JSON with NaN or an infinity."""


def _refuse(constant: str) -> NoReturn:
    raise _NotFinite(f"it holds {constant}, which is no number of JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)
_TOO_DEEP = "it is nested too deeply"

_NEEDED = {"seconds", "span", "confidence", "step", "note"}
_ITEM: dict[str, tuple[Any, str]] = {
    "seconds": (is_number, "a number"),
    "frame_seconds": (is_number, "a number"),
    "confidence": (is_number, "a number"),
    "step": (lambda value: is_whole(value) and 0 <= value <= MOST_COUNT, "a whole number from 0"),
    "note": (lambda value: isinstance(value, str), "a text"),
    "subtitle": (lambda value: isinstance(value, str), "a text"),
    "span": (lambda value: True, "[start, end]"),
}
