"""Markdown that shows any text as it is: tables, pictures, code. Knows no records.

Names and errors on record are others' text; what they contain never becomes markup here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

_MARKUP = re.compile(r"[\\`*\[\]|~$!]|(?<!\w)_|_(?!\w)")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_BLOCK = re.compile(r"[#=]|[+-](?![\d.])")
"""What begins a heading, a list or a line across the page; numbers with a sign do not."""
_NUMBERED = re.compile(r"(\d+)([.)])(?!\S)")
_LINKED = re.compile(r"(?<=\w)(?=://)|(?<=www)(?=\.)|(?<=\S)(?=@[^\s@]*\.)", re.IGNORECASE)
"""Where addresses that GitHub makes links of (sites, mail) are cut."""
_CUT = "\0"
"""Stands for a cut while a text is escaped, in which no such character is left."""
_NOTHING = "<!-- -->"
"""Shows nothing, and no link goes across it; escaped letters would be put together first."""


def escape(text: object) -> str:
    """Return a text on one line, with all that Markdown, tables and HTML would read escaped.

    It may stand at the beginning of a line. Underscores inside of words are no markup and stay, so
    that names can be read in a terminal.
    """
    line = _escaped(_LINKED.sub(_CUT, _one_line(text))).replace(_CUT, _NOTHING)
    line = _NUMBERED.sub(r"\1\\\2", line, count=1) if _NUMBERED.match(line) else line
    return f"\\{line}" if _BLOCK.match(line) else line


def _one_line(text: object) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())


def _escaped(line: str) -> str:
    line = _MARKUP.sub(lambda found: f"\\{found[0]}", line)
    return "".join(_HTML.get(character, character) for character in line)


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table. Entries are Markdown: escape what may hold other text."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def picture(path: str, alt: str) -> str:
    """Return an image whose path is relative to the document."""
    # Inside of an image nothing is linked and no line begins.
    return f"![{_escaped(_one_line(alt))}]({quote(path, errors='surrogateescape')})"


def code(text: str) -> str:
    """Return lines as a block of code that no line of them can end; others' bytes as escapes."""
    written = text.encode(errors="backslashreplace").decode()
    return "\n".join(f"    {line}" for line in written.splitlines())
