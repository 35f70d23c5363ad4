"""The table of policies, and the specs that name one with what it plugs in.

A new policy is a class and a line here. A spec is ``NAME[:WIDTH][@SCORER]``: ``best-first``,
``beam:4``, ``best-first@subtitles``, ``beam:4@colour``.
"""

from __future__ import annotations

import re
from typing import Any

from policies.adaptive import Adaptive
from policies.base import Policy
from policies.baselines import Hoarder, Oracle, Random, Uniform
from policies.reading import READERS
from policies.relevance import SCORERS
from policies.traversal import Beam, BestFirst, BreadthFirst, DepthFirst, Exhaustive
from videoatlas_gym.errors import one_of

POLICIES: dict[str, type[Policy]] = {
    policy.name: policy
    for policy in (
        Random,
        Uniform,
        Hoarder,
        BreadthFirst,
        DepthFirst,
        BestFirst,
        Beam,
        Adaptive,
        Exhaustive,
        Oracle,
    )
}


def make_policy(spec: str, *, scorer: str = "combined", reader: str = "score") -> Policy:
    """Return the policy that a spec describes; its name is the spec.

    Args:
        spec: ``NAME[:WIDTH][@SCORER]``, of `POLICIES` and `SCORERS`. The width is a beam's.
        scorer: Scorer of policies whose spec names none; not looked at by those that take none.
        reader: Reader of what is displayed, a name of `READERS`.

    Raises:
        ValueError: If a name is unknown, with a suggestion, a width is no whole number of 1 or
            more, or the policy takes no width or no scorer.
    """
    rest, at, own_scorer = spec.partition("@")
    name, colon, width = rest.partition(":")
    policy = POLICIES[one_of("policy", name, POLICIES)]
    one_of("scorer", scorer, SCORERS)
    options: dict[str, Any] = {"reader": READERS[one_of("reader", reader, READERS)]()}
    options["scorer"] = SCORERS[one_of("scorer", own_scorer, SCORERS) if at else scorer]()
    for mark, kind, example in ((colon, "width", ":4"), (at, "scorer", "@subtitles")):
        if mark and kind not in policy.takes:
            takers = ", ".join(n for n, other in POLICIES.items() if kind in other.takes)
            raise ValueError(
                f"{name} takes no {kind}, got {spec!r}. Write {name!r}, or "
                f"add {example!r} to one that does: {takers}."
            )
    if colon:
        options["width"] = _width(width, spec)
    made = policy(**{kind: options[kind] for kind in policy.takes if kind in options})
    made.name = spec
    return made


def _width(text: str, spec: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise ValueError(
            f"a width must be a whole number, 1 or more, got {text!r} in {spec!r}. "
            "Write for example 'beam:3'."
        )
    return int(text)
