"""How cost grows with the length of the video: the same search for a needle from minutes to days.

Story worlds are drawn on demand, so any length is to be had. A visible needle is hinted at in every
view on the way to it, a hidden one is not; the two are always told apart. Needles differ in length
by a factor of K * K, in equal steps of its logarithm: so costs that come in whole views, each K * K
times finer than the one before, average to a curve instead of a staircase.
"""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Literal

import gymnasium as gym
import numpy as np
from tqdm import tqdm

import videoatlas_gym  # noqa: F401  (registers the environments)
from eval.arguments import chosen_executor, missing
from eval.command_line import parse_list
from eval.executors import EXECUTORS
from eval.record import Record
from eval.records import RunDirectory
from eval.scaling_curves import LARGEST_GRID
from eval.scaling_report import write_scaling_report
from eval.scaling_searches import (
    Search,
    checked_counts,
    checked_durations,
    checked_grid_sizes,
    checked_seconds,
    make_searches,
)
from policies.rollout import rollout
from policies.table import make_policy
from videoatlas_gym.arguments import checked_whole
from videoatlas_gym.cli import Parser, parse_duration, run_command
from videoatlas_gym.errors import one_of
from videoatlas_gym.story.needles import NEEDLES
from videoatlas_gym.story.questions import Story, needle
from videoatlas_gym.story.source import StorySource
from videoatlas_gym.tasks import Task
from videoatlas_gym.video import TileCache

DEFAULT_POLICIES = ("best-first@picture", "beam:3@picture", "dfs@picture", "bfs", "exhaustive")
TILE_SIZE = (64, 36)
CACHE_BYTES = 1 << 30
MAX_STEPS = 1 << 30
"""No limit: what is measured is what it takes."""
EXAMPLE = """\
  videoatlas scaling --out runs/scaling
  videoatlas scaling --durations 1m..100h:20 --grid-sizes 8 --needles visible --out runs/long
Stop it with Ctrl-C; the same command goes on where it stopped."""


def scaling(
    *,
    out: str | Path,
    durations: Sequence[float],
    policies: Sequence[str] = DEFAULT_POLICIES,
    grid_sizes: Sequence[int] = (2, 8),
    needles: Sequence[str] = NEEDLES,
    num_visible: int = 16,
    num_hidden: int = 16,
    visible_seconds: float = 0.5,
    hidden_seconds: float | None = None,
    seed: int = 0,
    executor: Literal["serial", "processes"] = "serial",
    workers: int | None = None,
) -> str:
    """Play what is not on record yet in `out`; write ``scaling.md`` there and return it.

    Args:
        out: Directory of the records: a new or empty one, or one of the same measurement.
        durations: Lengths of video in seconds, three or more that differ. Of more than eight,
            hidden needles are looked for in every second one, the longest included.
        policies: Specs of policies, see `make_policy`. Those that go nowhere by what they see
            (`Policy.is_guided`) look for hidden needles only: visible ones would cost them as much.
        grid_sizes: Values of K; for visible needles those of `HINTED_GRIDS`.
        needles: Kinds of needles, "visible" and "hidden".
        num_visible: Visible needles per duration and K.
        num_hidden: Hidden needles per duration and K, one in each equal part of the video; each
            costs views in proportion to the length.
        visible_seconds: Length of the shortest visible needle; the longest is nearly K * K times as
            long. Videos of less than K * K times its length show every needle in their first view.
        hidden_seconds: The same of hidden needles; None for 16 / K.
        seed: Other seeds give other worlds.
        executor: "serial" or "processes".
        workers: Number of processes; None for one per core.

    Raises:
        ValueError: If an argument cannot be used; then nothing was written.
        RunDirectoryError: If `out` holds something else, or another process writes there.
    """
    policies = list(dict.fromkeys(policies)) or missing("policy")
    for policy in policies:
        make_policy(policy)
    counts = {"visible": num_visible, "hidden": num_hidden}
    asked = {one_of("kind of needle", kind, NEEDLES): counts[kind] for kind in needles}
    seconds = {"visible": visible_seconds, "hidden": hidden_seconds}
    seconds = {kind: checked_seconds(kind, length) for kind, length in seconds.items()}
    searches = make_searches(
        checked_durations(durations),
        checked_grid_sizes(grid_sizes, asked),
        checked_counts(asked),
        seconds,
        checked_whole("seed", seed, 0),
    )
    players = {kind: [p for p in policies if _plays(p, kind)] for kind in asked}
    if not all(players.values()):
        raise ValueError(
            f"none of the policies ({', '.join(policies)}) goes by what it sees: visible needles "
            "cost them what hidden ones do. Add one such as best-first, or use --needles hidden."
        )
    config = {
        "kind": "scaling",
        "policies": policies,
        "searches": [asdict(search) for search in searches],
        "tile_size": list(TILE_SIZE),
    }
    runner = chosen_executor(executor, workers)
    with RunDirectory(out, config) as run:
        recorded = run.records
        items = [
            (search, lacking)
            for search in searches
            if (lacking := [p for p in players[search.needle] if _key(search, p) not in recorded])
        ]
        total = sum(len(players[search.needle]) for search in searches)
        left = sum(len(lacking) for _, lacking in items)
        with tqdm(total=total, initial=total - left, unit="search", desc="scaling") as bar:
            work = partial(_play, config_hash=run.config_hash)
            with closing(runner.map(work, ([item] for item in items))) as results:
                for records in results:
                    for record in records:
                        run.append(record)
                    bar.update(len(records))
        return write_scaling_report(run.path)


def _plays(policy: str, kind: str) -> bool:
    return kind == "hidden" or make_policy(policy).is_guided


def _key(search: Search, policy: str) -> tuple[str, str, str, str, int]:
    return search.task_set, policy, "auto", "none", search.index


def _play(item: tuple[Search, list[str]], *, config_hash: str) -> list[Record]:
    """Let each policy look for the needle, one after another, with tiles in common.

    A cache for each would draw most frames once per policy: a measurement would last about twice
    as long. What it takes to draw is therefore reported of all policies together.
    """
    search, policies = item
    task = _task(search)
    cache, records = TileCache(CACHE_BYTES), []
    for spec in policies:
        policy = make_policy(spec)
        env = gym.make(
            "VideoAtlas-v0",
            disable_env_checker=True,
            tasks=[task],
            grid_size=search.grid_size,
            tile_size=TILE_SIZE,
            # Cells of the needle's length or less cannot miss it: finer ones need not be opened.
            min_expand_seconds=search.needle_seconds,
            max_steps=MAX_STEPS,
            cache=cache,
            **policy.env_options,
        )
        seed = search.number
        episode = rollout(env, policy, seed=seed, task=0)
        key = _key(search, spec)
        records.append(
            Record.of(episode, key, config_hash=config_hash, seed=seed, task=task, policy=policy)
        )
        env.close()
    return records


def _task(search: Search) -> Task:
    world = search.world
    task = needle(Story(world, StorySource(world)), np.random.default_rng(search.number))
    name = f"world-{search.number}"
    family = f"needle_{search.needle}"
    return replace(task, task_id=f"{name}/{family}", family=family, group=name)


def parse_durations(text: str) -> list[float]:
    """Read durations: a list such as ``1m,1h,10h``, or ``1m..10h:16`` for 16 in equal ratios.

    Raises:
        ValueError: If it is neither.
    """
    ranges = re.fullmatch(r"(.+)\.\.(.+):(\d{1,4})", text.strip())
    if not ranges:
        return [parse_duration(part) for part in parse_list(text)]
    low, high = parse_duration(ranges[1]), parse_duration(ranges[2])
    count = int(ranges[3])
    if not low < high or count < 2:
        raise ValueError(
            f"a range of durations ascends and has two or more, such as 1m..10h:16, got {text!r}."
        )
    return [round(float(d), 1) for d in np.geomspace(low, high, count)]


def _parser() -> Parser:
    parser = Parser("scaling", "Measure how search cost grows with the length of video.", EXAMPLE)
    add = parser.add_argument
    add(
        "--out",
        required=True,
        metavar="DIR",
        help="records, table and plot; resumed if it is there",
    )
    add(
        "--durations",
        default="1m..10h:16",
        help="a list, or LOW..HIGH:COUNT (default: %(default)s)",
    )
    add("--policies", default=",".join(DEFAULT_POLICIES), help="specs (default: %(default)s)")
    add("--grid-sizes", default="2,8", help="values of K (default: %(default)s)")
    add("--needles", default=",".join(NEEDLES), help="kinds (default: %(default)s)")
    add("--visible", type=int, default=16, metavar="N", help="visible ones per duration (16)")
    add("--hidden", type=int, default=16, metavar="N", help="hidden ones per duration (16)")
    shortest = "length of the shortest %s needle"
    for kind, seconds, default in (("visible", 0.5, "0.5"), ("hidden", None, "16 / K")):
        text = f"{shortest % kind} ({default})"
        add(f"--{kind}-seconds", type=float, default=seconds, metavar="S", help=text)
    add("--seed", type=int, default=0, help="other seeds give other worlds (0)")
    add("--executor", default="serial", help=f"{' or '.join(EXECUTORS)} (serial)")
    add("--workers", type=int, metavar="N", help="number of processes (one per core)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code: 0, 2 for a mistake, 130 for Ctrl-C."""
    return run_command("scaling", lambda: _run(_parser().parse_args(argv)))


def _run(options: Namespace) -> int:
    text = scaling(
        out=options.out,
        durations=parse_durations(options.durations),
        policies=parse_list(options.policies),
        grid_sizes=parse_grid_sizes(options.grid_sizes),
        needles=parse_list(options.needles),
        num_visible=options.visible,
        num_hidden=options.hidden,
        visible_seconds=options.visible_seconds,
        hidden_seconds=options.hidden_seconds,
        seed=options.seed,
        executor=options.executor,
        workers=options.workers,
    )
    print(f"{text}\nTable, plot and records are in {options.out}.")
    return 0


def parse_grid_sizes(text: str) -> list[int]:
    """Read values of K, whole numbers from 2 to 64.

    Raises:
        ValueError: If one of them is none, or there is none.
    """
    values = parse_list(text)
    if not values or not all(
        re.fullmatch("[0-9]{1,2}", value) and 2 <= int(value) <= LARGEST_GRID for value in values
    ):
        raise ValueError(
            f"grid sizes are whole numbers from 2 to {LARGEST_GRID}, such as 2,8; got {text!r}."
        )
    return [int(value) for value in values]


if __name__ == "__main__":
    raise SystemExit(main())
