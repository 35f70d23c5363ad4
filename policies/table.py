"""The table of policies: a new one is a class and a line here."""

from __future__ import annotations

from policies.base import Policy
from policies.baselines import Hoarder, Oracle, Random, Uniform
from policies.traversal import BestFirst, BreadthFirst, DepthFirst
from videoatlas_gym.errors import one_of

POLICIES: dict[str, type[Policy]] = {
    policy.name: policy
    for policy in (Random, Uniform, Hoarder, BreadthFirst, DepthFirst, BestFirst, Oracle)
}


def make_policy(name: str) -> Policy:
    """Return a policy by its name.

    Raises:
        ValueError: If there is none of that name, with a suggestion.
    """
    return POLICIES[one_of("policy", name, POLICIES)]()
