"""What the arguments of a comparison mean, and which ones cannot be used.

Whatever is refused here is refused with a `ValueError` of one sentence, before anything is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from eval.command_line import parse_budget
from eval.episodes import safe_name
from eval.executors import EXECUTORS, Executor
from eval.selection import FRAME_SEARCH, STORY, TASK_SETS
from policies.base import Policy
from policies.table import make_policy
from videoatlas_gym.arguments import num_cores
from videoatlas_gym.errors import one_of

DEFAULT_EPISODES = 20


def chosen_executor(name: str, workers: int | None) -> Executor:
    """Return an executor by its name; without a number of workers, with one per core."""
    make = EXECUTORS[one_of("executor", name, EXECUTORS)]
    if workers is None:
        return make(num_cores())
    if name == "serial":
        raise ValueError("the serial executor has no workers; choose another one, or give none.")
    return make(at_least(1, "workers", workers))


def task_set_names(tasks: Sequence[str] | None, videos: Sequence[str | Path]) -> list[str]:
    """Return the names of the task sets, each once; None for what the videos suggest."""
    if tasks is None:
        return [FRAME_SEARCH] if videos else [STORY]
    return list(dict.fromkeys(one_of("task set", name, TASK_SETS) for name in tasks)) or missing(
        "task set"
    )


def given(**arguments: Any) -> dict[str, Any]:
    """Return the arguments that are neither None nor an empty list."""
    return {name: value for name, value in arguments.items() if value not in (None, (), [])}


def refuse_strays(
    set_names: Sequence[str], of_frame_search: Mapping[str, Any], of_story: Mapping[str, Any]
) -> None:
    """Refuse arguments of task sets that are not compared on."""
    for owner, arguments in ((FRAME_SEARCH, of_frame_search), (STORY, of_story)):
        if arguments and owner not in set_names:
            name = next(iter(arguments))
            raise ValueError(
                f"{name} belongs to {owner}, which is not among the task sets "
                f"({', '.join(set_names)}). Add it to the tasks, or leave {name} away."
            )
    if FRAME_SEARCH in set_names and "videos" not in of_frame_search:
        raise ValueError("frame-search needs videos; name a file, a folder or a pattern.")


def num_tasks(episodes: int | None, num_stories: int | None) -> int:
    """Return how many tasks of each set are played."""
    if episodes is None:
        return DEFAULT_EPISODES if num_stories is None else num_stories
    if num_stories is not None and episodes > num_stories:
        raise ValueError(
            f"there are {num_stories} questions about the stories, {episodes} episodes were asked "
            "for. Raise worlds or per_world."
        )
    return at_least(1, "episodes", episodes)


def made_policies(policies: Sequence[str | Policy], scorer: str, reader: str) -> list[Policy]:
    """Return policies made from specs, and those of callers, whose names and files differ."""
    made = [
        make_policy(policy, scorer=scorer, reader=reader) if isinstance(policy, str) else policy
        for policy in policies
    ]
    names = [policy.name for policy in made]
    files = [safe_name(name) for name in names]
    for name, file in zip(names, files, strict=True):
        if files.count(file) > 1 or not re.fullmatch(r"[\w.:@-]+", name):
            raise ValueError(
                "policy names must differ and be made of letters, digits and any of '._-:@' (the "
                f"last three count as the same), got {', '.join(map(repr, names))}."
            )
    return made or missing("policy")


def read_budgets(texts: Sequence[str], grid_size: int) -> list[dict[str, Any]]:
    """Return the limits of each budget, each once; all leave room for the first view."""
    budgets = {budget["name"]: budget for budget in map(parse_budget, texts)}
    for budget in budgets.values():
        if budget["frames"] is not None and budget["frames"] < grid_size**2:
            raise ValueError(
                f"the limit of frames must leave room for the first view of {grid_size**2}, got "
                f"{budget['frames']}. Raise it, or make the grid smaller."
            )
    return list(budgets.values()) or missing("budget")


def missing(what: str) -> NoReturn:
    """Refuse an empty list."""
    raise ValueError(f"no {what} was given; name at least one.")


def at_least(low: int, name: str, value: int) -> int:
    """Return a number that is large enough."""
    if value < low:
        raise ValueError(f"{name} must be at least {low}, got {value}.")
    return value
