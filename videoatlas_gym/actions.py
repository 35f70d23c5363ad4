"""The actions an agent has: one table, read by masks, encoders, docs and tool schemas alike.

Knows names and integer codes, not legality or effects (those are in `atlas`). Codes are laid out
verb by verb: one with a cell argument owns K * K consecutive codes, ANSWER eight, the others one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from videoatlas_gym.errors import one_of, shown

MAX_CHOICES = 8
"""Answer codes in the action space, whatever the number of options of a task."""


@dataclass(frozen=True)
class ActionKind:
    """One row of the action table."""

    verb: str
    argument: str | None
    """cell, answer or None."""
    group: str
    """The paper's group: navigation, perception or commit."""
    help: str
    """What it does, in one sentence; also the tool description that a model reads."""


ACTIONS: dict[str, ActionKind] = {
    kind.verb: kind
    for kind in (
        ActionKind(
            "EXPAND", "cell", "navigation", "Open one cell of the grid at a finer time scale."
        ),
        ActionKind(
            "ZOOM", "cell", "perception", "Look at the frame of one cell at full resolution."
        ),
        ActionKind(
            "INVESTIGATE_BEFORE",
            "cell",
            "perception",
            "Scan the seconds right before one cell, without moving there.",
        ),
        ActionKind(
            "INVESTIGATE_AFTER",
            "cell",
            "perception",
            "Scan the seconds right after one cell, without moving there.",
        ),
        ActionKind(
            "ADD_TO_SCRATCHPAD", "cell", "commit", "Keep the frame of one cell as evidence."
        ),
        ActionKind(
            "MARK_PROMISING",
            "cell",
            "navigation",
            "Put one cell on the list of cells to open later.",
        ),
        ActionKind(
            "BACKTRACK", None, "navigation", "Close the zoom or scan, or return to the parent grid."
        ),
        ActionKind("FINISHED", None, "commit", "Declare the current region fully explored."),
        ActionKind("ANSWER", "answer", "commit", "Finish the episode with one of the options."),
    )
}

ARTICLES = {"cell": "a cell", "answer": "an answer"}


@dataclass(frozen=True)
class Action:
    """An action by name. `note` and `confidence` travel to the evidence it creates."""

    verb: str
    cell: int | None = None
    """Index in the displayed view, row by row from 0; for verbs that take a cell."""
    answer: int | None = None
    """Index of the chosen option; for ANSWER."""
    note: str = ""
    """Evidence description; for FINISHED on an open question, the answer's text."""
    confidence: float = 1.0
    """How sure the agent is, in [0, 1]."""

    def __post_init__(self) -> None:
        kind = ACTIONS[one_of("action", self.verb, ACTIONS)]
        for argument in ("cell", "answer"):
            value = getattr(self, argument)
            if (value is not None) != (kind.argument == argument):
                wants = f"takes {ARTICLES[kind.argument]}" if kind.argument else "takes no argument"
                raise ValueError(
                    f"{self.verb} {wants}, got cell={shown(self.cell)}, "
                    f"answer={shown(self.answer)}."
                )
            if value is not None:
                object.__setattr__(self, argument, _whole(argument, value))
        if not (isinstance(self.confidence, int | float) and 0 <= self.confidence <= 1):
            raise ValueError(f"confidence must lie in [0, 1], got {shown(self.confidence)}.")
        if not isinstance(self.note, str):
            raise ValueError(f"note must be a string, got {type(self.note).__name__}.")

    @property
    def argument(self) -> int | None:
        """The cell or answer index, whichever the verb takes."""
        return self.cell if self.cell is not None else self.answer

    def __str__(self) -> str:
        return self.verb if self.argument is None else f"{self.verb} {self.argument}"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data, defaults left out."""
        data = {"verb": self.verb, "cell": self.cell, "answer": self.answer}
        data |= {"note": self.note or None}
        data |= {"confidence": self.confidence if self.confidence != 1.0 else None}
        return {key: value for key, value in data.items() if value is not None}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Action:
        """Read what `to_json` wrote."""
        return cls(**data)


def _width(verb: str, num_cells: int) -> int:
    return {"cell": num_cells, "answer": MAX_CHOICES, None: 1}[ACTIONS[verb].argument]


@cache
def num_actions(num_cells: int) -> int:
    """Size of the action space: ``6 * n + 2 + 8`` for n cells per view."""
    return sum(_width(verb, num_cells) for verb in ACTIONS)


@cache
def codes(verb: str, num_cells: int) -> slice:
    """The codes of one verb in the flat action space."""
    start = 0
    for name in ACTIONS:
        width = _width(name, num_cells)
        if name == verb:
            return slice(start, start + width)
        start += width
    raise ValueError(one_of("action", verb, ACTIONS))


def encode(action: Action, num_cells: int) -> int:
    """Return the code of an action; note and confidence have no code.

    Raises:
        ValueError: If the cell or answer index is too large for the space.
    """
    span = codes(action.verb, num_cells)
    index = action.argument or 0
    if index >= span.stop - span.start:
        raise ValueError(
            f"{action.verb} {shown(index)} is outside the action space: indices go from 0 to "
            f"{span.stop - span.start - 1}."
        )
    return span.start + int(index)


def decode(code: int, num_cells: int) -> Action:
    """Return the action of a code.

    Raises:
        ValueError: If the code is not in ``[0, num_actions)`` or no whole number.
    """
    total = num_actions(num_cells)
    if not (0 <= code < total and int(code) == code):
        raise ValueError(
            f"action {shown(code)} is outside the space; codes go from 0 to {total - 1}."
        )
    for verb, kind in ACTIONS.items():
        span = codes(verb, num_cells)
        if span.start <= code < span.stop:
            index = int(code) - span.start
            return Action(verb, **({kind.argument: index} if kind.argument else {}))
    raise AssertionError("the table covers every code")


def describe(mask: Any, num_cells: int) -> str:
    """Say which actions a mask allows, for people and models: ``EXPAND 0-63, FINISHED``."""
    parts = []
    for verb, kind in ACTIONS.items():
        span = codes(verb, num_cells)
        if legal := np.flatnonzero(mask[span]).tolist():
            parts.append(f"{verb} {_ranges(legal)}" if kind.argument else verb)
    return ", ".join(parts)


def _ranges(indices: list[int]) -> str:
    first, last = indices[0], indices[-1]
    if first < last == first + len(indices) - 1:
        return f"{first}-{last}"
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def tool_schema(verb: str, num_cells: int, num_options: int = MAX_CHOICES) -> dict[str, Any]:
    """Return one action as a JSON-schema function, as chat models take tools.

    ADD_TO_SCRATCHPAD takes a note and a confidence too; FINISHED a text (the answer to an open
    question).
    """
    kind = ACTIONS[one_of("action", verb, ACTIONS)]
    properties: dict[str, Any] = {}
    if kind.argument:
        limit = num_cells if kind.argument == "cell" else num_options
        is_cell = kind.argument == "cell"
        meaning = "Cell of the picture, row by row" if is_cell else "Option"
        properties[kind.argument] = {
            "type": "integer",
            "minimum": 0,
            "maximum": limit - 1,
            "description": f"{meaning}, counted from 0.",
        }
    if verb in ("ADD_TO_SCRATCHPAD", "FINISHED"):
        meaning = "What it shows." if kind.argument else "Answer to an open question."
        properties["note"] = {"type": "string", "description": meaning}
    if verb == "ADD_TO_SCRATCHPAD":
        properties["confidence"] = {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "description": "0.5 tangential, 0.7 relevant, 0.8 direct, 1.0 definitive.",
        }
    return {
        "type": "function",
        "function": {
            "name": verb.lower(),
            "description": kind.help,
            "parameters": {
                "type": "object",
                "properties": properties,
                "required": [kind.argument] if kind.argument else [],
                "additionalProperties": False,
            },
        },
    }


def from_tool_call(name: str, arguments: dict[str, Any]) -> Action:
    """Read a model's tool call; every key and value is checked, since a reply is untrusted.

    Raises:
        ValueError: In a sentence that can be shown to the model.
    """
    if not isinstance(name, str):
        raise ValueError(f"name must be a string such as 'expand', got {shown(name)}.")
    verb = one_of("action", name.upper(), ACTIONS)
    allowed = set(tool_schema(verb, 2)["function"]["parameters"]["properties"])
    if not isinstance(arguments, dict) or set(arguments) - allowed:
        takes = ", ".join(sorted(allowed)) or "no arguments"
        raise ValueError(f"{verb} takes {takes}, got {shown(arguments)}.")
    values = dict(arguments)
    for key in {"cell", "answer"} & set(values):
        if values[key] is None:
            raise ValueError(f"{key} must be a whole number from 0, got None.")
    confidence = values.get("confidence", 1.0)
    if isinstance(confidence, bool) or not isinstance(confidence, int | float):
        raise ValueError(f"confidence must be a number in [0, 1], got {shown(confidence)}.")
    return Action(verb, **values)


def _whole(key: str, value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise ValueError(f"{key} must be a whole number from 0, got {shown(value)}.")
    return int(value)
