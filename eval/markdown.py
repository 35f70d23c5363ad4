"""Markdown that shows any text as it is: tables, pictures, code. Knows no records.

Names and errors on record are others' text; what they contain never becomes markup here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

_MARKUP = re.compile(r"[\\`*\[\]|~$!]|(?<!\w)_|_(?!\w)")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escape(text: object) -> str:
    """Return a text on one line, with all that Markdown, tables and HTML would read escaped.

    Underscores inside of words are no markup and stay, so that names can be read in a terminal.
    """
    line = "".join(c if c.isprintable() else " " for c in str(text))
    line = _MARKUP.sub(lambda found: f"\\{found[0]}", " ".join(line.split()))
    return "".join(_HTML.get(character, character) for character in line)


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table. Entries are Markdown: escape what may hold other text."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def picture(path: str, alt: str) -> str:
    """Return an image whose path is relative to the document."""
    return f"![{escape(alt)}]({quote(path)})"


def code(text: str) -> str:
    """Return lines as a block of code that no line of them can end."""
    return "\n".join(f"    {line}" for line in text.splitlines())
