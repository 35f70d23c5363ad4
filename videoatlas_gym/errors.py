"""Errors shared by several modules, and the one helper that suggests what a mistyped name meant."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable

_SHORT = reprlib.Repr()
_SHORT.maxlevel = 2
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80


def shown(value: object) -> str:
    """Return a value's text, cut to a bounded length: what a model replies may be of any size."""
    text = _SHORT.repr(value)
    return text if len(text) <= 200 else f"{text[:197]}..."


class IllegalAction(ValueError):
    """An action that the mask does not allow in this state."""


def unknown_name(kind: str, name: object, known: Iterable[str]) -> str:
    """Return the sentence for a name that is not in a table, with the nearest known one."""
    known = sorted(known)
    close = difflib.get_close_matches(str(name)[:80], known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"unknown {kind} {shown(name)}.{hint} Known: {', '.join(known)}."


def one_of(kind: str, name: str, known: Iterable[str]) -> str:
    """Return `name` when it is known.

    Raises:
        ValueError: With a suggestion, when it is not.
    """
    known = list(known)
    if name not in known:
        raise ValueError(unknown_name(kind, name, known))
    return name
