"""How a comparison reads what users type: durations, depths, lists; mistakes get one sentence.

Arguments themselves and sizes of tiles are read as in every command, by `videoatlas_gym.cli`.
"""

from __future__ import annotations

import re

from eval.metrics import Depth


def parse_duration(text: str) -> float:
    """Read a duration such as ``1h``, ``90m``, ``1h30m``, ``45s`` or ``3600`` in seconds.

    Raises:
        ValueError: If it is none, or not positive.
    """
    number = r"(?:(\d+(?:\.\d+)?){})?"
    pattern = "".join(number.format(unit) for unit in ("h", "m", "s?"))
    match = re.fullmatch(pattern, text.strip().lower())
    amounts = [float(amount or 0) for amount in match.groups()] if match else [0.0]
    seconds = sum(a * unit for a, unit in zip(amounts, (3600, 60, 1), strict=False))
    if not seconds > 0:
        raise ValueError(f"{text!r} is no duration. Write 1h, 90m, 1h30m or seconds such as 3600.")
    return seconds


def parse_depth(text: str) -> Depth:
    """Read a depth budget: a whole number or "auto".

    Raises:
        ValueError: If it is neither.
    """
    if not re.fullmatch(r"auto|\d+", text):
        raise ValueError(f"a depth must be 'auto' or a whole number from 0, got {text!r}.")
    return text if text == "auto" else int(text)


def split(text: str) -> list[str]:
    """Return what commas separate, without empty entries."""
    return [part.strip() for part in text.split(",") if part.strip()]
