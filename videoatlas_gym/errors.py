"""Errors shared by several modules, and the one helper that suggests what a mistyped name meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class IllegalAction(ValueError):
    """An action that the mask does not allow in this state."""


def unknown_name(kind: str, name: object, known: Iterable[str]) -> str:
    """Return the sentence for a name that is not in a table, with the nearest known one."""
    known = sorted(known)
    close = difflib.get_close_matches(str(name), known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"unknown {kind} {name!r}.{hint} Known: {', '.join(known)}."


def one_of(kind: str, name: str, known: Iterable[str]) -> str:
    """Return `name` when it is known.

    Raises:
        ValueError: With a suggestion, when it is not.
    """
    known = list(known)
    if name not in known:
        raise ValueError(unknown_name(kind, name, known))
    return name
