"""How commands read what users type: durations, depths, sizes, lists; mistakes get one sentence."""

from __future__ import annotations

import argparse
import re
from typing import NoReturn

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


def parse_tile_size(text: str) -> tuple[int, int]:
    """Read a width and a height in pixels, such as ``160x90``.

    Raises:
        ValueError: If it is something else.
    """
    if not (match := re.fullmatch(r"(\d+)x(\d+)", text)):
        raise ValueError(f"a tile size is WIDTHxHEIGHT in pixels, such as 160x90, got {text!r}.")
    return int(match[1]), int(match[2])


def split(text: str) -> list[str]:
    """Return what commas separate, without empty entries."""
    return [part.strip() for part in text.split(",") if part.strip()]


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, without the usage."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        self.exit(2, f"{self.prog}: {message}. See {self.prog} --help.\n")
