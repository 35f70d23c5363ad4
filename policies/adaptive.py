"""The traversal that a question asks for, chosen by its words before anything is decoded.

Breadth finds evidence that is spread over the video, in order or to be counted; depth finds one
specific detail (VideoAtlas, section 3.3). The rules are a table of English expressions: no model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from policies.base import Decision, Info, Observation
from policies.frontiers import Frontier, Queue, Stack
from policies.reading import AnswerReader
from policies.relevance import RelevanceScorer
from policies.traversal import Traversal


@dataclass(frozen=True)
class Choice:
    """How a video is searched for the answer to a question, and why."""

    traversal: str
    """bfs or dfs."""
    reason: str
    """In words, with the expression that decided."""


RULES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "bfs",
        "asks for a duration",
        (
            *("how long", "how much (time|longer)", "how many (seconds|minutes|hours)"),
            *("durations?", "lasts? longer", "(longest|shortest) (time|part|scene|shot)"),
            "(is|are|lasts?) (the )?(longest|shortest)",
        ),
    ),
    (
        "bfs",
        "asks for a count",
        (
            *("how many", "how often", "number of", "counts?", "counted", "total amount"),
            "(most|least) (often|frequent(ly)?)",
        ),
    ),
    (
        "bfs",
        "asks for an order",
        (
            *("(what|which|correct|right) (order|sequence)", "(order|sequence) of", "in sequence"),
            *(r"chronolog\w+", "step by step", "(arrange|rank|sort)", "(first|last) (or|of)"),
            r"(come|happen|appear|occur|show|see)\w* (first|last|earlier|earliest|later|latest)",
        ),
    ),
    (
        "bfs",
        "asks for what lies before or after something",
        (
            *("before", "after(wards)?", "until", "since", "previous(ly)?", "prior to"),
            *("(?<!the )following", "next(?! to)", "between .+ and"),
        ),
    ),
    (
        "bfs",
        "asks for a summary or a list",
        (
            *(r"summar\w+", "overview", "overall", "main(ly)? (idea|topic|theme|point|about)"),
            *("(video|film|movie) (is )?(mainly |mostly )?about", "plot", "storyline", "enumerate"),
            *("list (all|the|of|every|each)", "describe the (video|film|movie|plot|story)"),
        ),
    ),
    (
        "bfs",
        "asks about all of the video",
        (
            *("all", "every", "each", "throughout", "entire(ly)?", "whole", "always", "never"),
            *("ever", "over the course", "changes? over", "develops?", "repeated(ly)?", "both"),
            *("neither", "not (shown|seen|mentioned)", r"compar\w+", r"differ\w*"),
        ),
    ),
    (
        "dfs",
        "asks to read something",
        ("reads?", "written", "digits?", "letters?", "signs?", "says?", "captions?"),
    ),
    (
        "dfs",
        "asks for one detail",
        (
            *("what", "which", "who", "whose", "whom", "where", "when", "at what time"),
            *("colou?r", "find", "locate", "show"),
        ),
    ),
)
"""(traversal, what the question does, expressions: whole words as regular expressions). The first
rule that matches decides, so evidence that may be spread out comes before a single detail."""

DEFAULT = Choice("dfs", "asks for nothing that the rules know")
_COMPILED = tuple(
    (traversal, what, re.compile(rf"\b(?:{'|'.join(expressions)})\b", re.IGNORECASE))
    for traversal, what, expressions in RULES
)
_STEP = re.compile(r"->|=>|\u2192|;|,|\bthen\b|\bbefore\b|\bafter\b", re.IGNORECASE)
"""What stands between the steps of an option that is a sequence."""


def choose_traversal(query: str, options: Sequence[str] = ()) -> Choice:
    """Choose breadth or depth by the words of a question (`RULES`).

    Questions that no rule of breadth fits but whose options all are sequences of the same parts in
    several orders ("a, b, c" and "b, a, c") ask for an order. What nothing fits goes down: dfs.

    Args:
        query: The question.
        options: Its answer options, if there are any.
    """
    choice = DEFAULT
    for traversal, what, pattern in _COMPILED:
        if found := pattern.search(query):
            choice = Choice(traversal, f"{what} ({found.group().lower()!r})")
            break
    if choice.traversal == "dfs" and _are_orders(options):
        return Choice("bfs", "its options are the same parts in different orders")
    return choice


def _are_orders(options: Sequence[str]) -> bool:
    """Whether at least two options consist of the same parts, two or more, in several orders."""
    parts = [[p.strip().casefold() for p in _STEP.split(option)] for option in options]
    orders = {tuple(part for part in row if part) for row in parts}
    return len(orders) > 1 and len({tuple(sorted(o)) for o in orders}) == 1


class Adaptive(Traversal):
    """Breadth first or depth first, as the question asks for (`choose_traversal`).

    The choice is made in `prepare`, before any frame is decoded, from question and options alone;
    the text of the first decision says what was chosen and why. Opens what `bfs` or `dfs` opens.
    """

    name = "adaptive"

    def __init__(self, scorer: RelevanceScorer | None = None, reader: AnswerReader | None = None):
        super().__init__(scorer, reader)
        self.choice: Choice | None = None

    def prepare(self, query: str, options: Sequence[str]) -> None:
        """Choose the traversal of the next episode."""
        self.choice = choose_traversal(query, options)

    def new_frontier(self) -> Frontier:
        """Return an empty queue or stack.

        Raises:
            ValueError: If the question was not heard before.
        """
        if self.choice is None:
            raise ValueError(
                "adaptive has not heard the question: call prepare(query, options) before reset."
            )
        return Queue() if self.choice.traversal == "bfs" else Stack()

    def reset(self, observation: Observation, info: Info) -> None:
        """Begin with the frontier that was chosen."""
        super().reset(observation, info)
        self._is_first = True

    def act(self, observation: Observation, info: Info) -> Decision:
        """Act as the chosen traversal does; say first which one that is."""
        decision = super().act(observation, info)
        if not self._is_first:
            return decision
        self._is_first = False
        return replace(decision, text=f"{self.choice.traversal}: {self.choice.reason}")
