"""How a comparison reads what users type: its flags, durations, lists, budgets, shards.

Mistakes get one sentence. Arguments themselves and sizes of tiles are read as in every command, by
`videoatlas_gym.cli`.
"""

from __future__ import annotations

import re
from typing import Any

from eval.executors import EXECUTORS
from eval.metrics import Depth
from eval.records import Shard
from eval.selection import PER_WORLD, TASK_SETS, WORLDS
from policies.table import POLICIES
from videoatlas_gym.cli import Parser

EXAMPLE = """\
  videoatlas compare --policies random,uniform,bfs,dfs,best-first,oracle --duration 1h \\
      --grid-size 4 --depths 0,1,2 --max-steps 1000 --executor processes --out runs/stories
  videoatlas compare --videos recordings/ --policies best-first,oracle --budgets none,frames=256 \\
      --out runs/first
Stop it with Ctrl-C; the same command goes on where it stopped. On several machines that share the
directory, add --shard 1/4, --shard 2/4 ... to it."""

BUDGET_AMOUNTS = ("frames", "steps")


def parse_depth(text: str) -> Depth:
    """Read a depth budget: a whole number or "auto".

    Raises:
        ValueError: If it is neither.
    """
    if not re.fullmatch(r"auto|\d+", text):
        raise ValueError(f"a depth must be 'auto' or a whole number from 0, got {text!r}.")
    return text if text == "auto" else int(text)


def parse_budget(text: str) -> dict[str, Any]:
    """Read what bounds each episode: "none", "frames=256" or "steps=100".

    Returns:
        Its name, and the limits of `BUDGET_AMOUNTS`, None for no limit.

    Raises:
        ValueError: If it is something else, or nothing could be done within it.
    """
    match = re.fullmatch(rf"({'|'.join(BUDGET_AMOUNTS)})=(\d{{1,12}})", text)
    limits: dict[str, int | None] = dict.fromkeys(BUDGET_AMOUNTS)
    if match and int(match[2]) > 0:
        limits[match[1]] = int(match[2])
        return {"name": f"{match[1]}={int(match[2])}", **limits}
    if text != "none":
        raise ValueError(
            f"a budget is none, frames=N or steps=N with a whole number from 1, got {text!r}."
        )
    return {"name": text, **limits}


def parse_shard(text: str) -> Shard:
    """Read which part of the tasks to play, such as ``2/4``.

    Raises:
        ValueError: If it is something else.
    """
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise ValueError(f"a shard is i/n with i from 1 to n, such as 2/4, got {text!r}.")
    return int(match[1]), int(match[2])


def parse_list(text: str) -> list[str]:
    """Return what commas separate, each once, without empty entries."""
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def compare_parser() -> Parser:
    """Return what reads the arguments of `videoatlas compare`."""
    description = "Compare policies at several depths and budgets on the same tasks."
    parser = Parser("compare", description, EXAMPLE)
    add = parser.add_argument
    add("--out", required=True, metavar="DIR", help="records and report; resumed if it is this run")
    add("--policies", default=",".join(POLICIES), help="NAME[:WIDTH][@SCORER],... (%(default)s)")
    add("--scorer", default="combined", help="finds the way where a policy names none (combined)")
    add("--reader", default="score", help="score, or truth: the perfect reader (score)")
    add("--depths", default="0,1,2,3", help="depth budgets or auto (default: %(default)s)")
    add("--budgets", default="none", help="of each episode: none,frames=256,steps=100 (none)")
    add("--tasks", help=f"{','.join(TASK_SETS)} (frame-search if --videos are given, else story)")
    add("--episodes", type=int, metavar="N", help="tasks of each set (all of the stories, else 20)")
    add("--seed", type=int, default=0, help="seeds tasks and rollouts (default: 0)")
    _add_frame_search(parser)
    _add_story(parser)
    _add_environment(parser)
    _add_execution(parser)
    return parser


def _add_frame_search(parser: Parser) -> None:
    add = parser.add_argument_group("frame search").add_argument
    add("--videos", nargs="+", default=[], metavar="PATH", help="files, folders or patterns")
    add(
        "--group",
        action="append",
        default=[],
        metavar="PATTERN",
        help="files whose names match count as one cluster; repeatable",
    )
    add("--join", metavar="DURATION", help="one timeline of at least 1h, 90m, 3600 (seconds)")
    add("--hardness", type=float, metavar="H", help="of the goal picture, 0 to 1 (default: 0.3)")
    add(
        "--max-truth-share",
        type=float,
        metavar="SHARE",
        help="do not ask for pictures on display for more of the video than this (default: 0.05)",
    )


def _add_story(parser: Parser) -> None:
    add = parser.add_argument_group("story").add_argument
    add("--duration", metavar="TIME", help="length of each story (default: 1h)")
    add("--worlds", type=int, metavar="N", help=f"how many stories (default: {WORLDS})")
    add("--per-world", type=int, metavar="N", help=f"questions about each (default: {PER_WORLD})")
    add("--families", default="", help="kinds of question, by comma (default: the set's own)")
    add("--split", help="train, validation or test (default: test)")
    add("--difficulty", help="name of a difficulty (default: medium)")
    add("--render", metavar="DIR", help="write the stories as video files there and play those")


def _add_environment(parser: Parser) -> None:
    add = parser.add_argument_group("environment").add_argument
    add("--grid-size", type=int, default=8, metavar="K", help="cells per side (default: 8)")
    add("--tile-size", default="160x90", metavar="WxH", help="pixels of a cell (default: 160x90)")
    add(
        "--min-expand-seconds",
        type=float,
        default=1.0,
        metavar="S",
        help="do not open cells shorter than this; 0 allows down to one frame (default: 1)",
    )
    add("--max-steps", type=int, metavar="N", help="steps per episode (default: by depth)")
    add(
        "--representative",
        default="midpoint",
        metavar="KIND",
        help="frame of a cell: midpoint, or keyframe for cheap previews (default: midpoint)",
    )


def _add_execution(parser: Parser) -> None:
    add = parser.add_argument_group("execution").add_argument
    add("--executor", default="serial", help=f"{', '.join(EXECUTORS)} (default: serial)")
    add("--workers", type=int, metavar="N", help="of --executor processes (default: the cores)")
    add("--shard", metavar="I/N", help="play part I of N of the tasks, into a file of its own")
    add(
        "--sheets",
        type=int,
        default=2,
        metavar="N",
        help="draw the episodes about the first N tasks of each set (default: 2)",
    )
