"""The comparison: every policy at every depth on the same tasks, a record per episode, one table.

Knows no policy by name: they come from a table or from the caller. It can be stopped at any moment
and resumed by the same command; the table is that of an uninterrupted run, byte for byte.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

import gymnasium as gym
import numpy as np
from tqdm import tqdm

import videoatlas_gym  # noqa: F401  (registers the environments)
from eval.command_line import parse_depth, parse_duration, split
from eval.metrics import Depth, table
from eval.records import TRAJECTORIES, Record, RunDirectory, RunDirectoryError, is_run
from eval.selection import TASKS, FirstTasks, find_named_files
from policies.base import Policy
from policies.rollout import Episode, rollout
from policies.table import POLICIES, make_policy
from videoatlas_gym.cli import Parser, parse_tile_size
from videoatlas_gym.video import VideoError

DEFAULT_DEPTHS = (0, 1, 2, 3)
EXAMPLE = """\
  videoatlas compare --videos recordings/ --policies random,uniform,bfs,dfs,oracle \\
      --depths 0,1,2,3 --episodes 20 --out runs/first
Stop it with Ctrl-C; the same command goes on where it stopped."""


def compare(
    *,
    policies: Sequence[Policy],
    videos: Sequence[str | Path],
    out: str | Path,
    depths: Sequence[Depth] = DEFAULT_DEPTHS,
    tasks: str = "frame-search",
    episodes: int = 20,
    seed: int = 0,
    hardness: float = 0.3,
    max_truth_share: float = 0.05,
    join_seconds: float | None = None,
    groups: Sequence[str] = (),
    grid_size: int = 8,
    tile_size: tuple[int, int] = (160, 90),
    min_expand_seconds: float = 1.0,
    max_steps: int | None = None,
    max_frames: int | None = None,
) -> str:
    """Play what is not on record yet in `out`; write the table there and return it.

    Args:
        policies: What is compared; each plays all its episodes one after another.
        videos: Files, folders or glob patterns.
        out: Directory of the records: a new or empty one, or one of the same comparison.
        depths: Depth budgets, whole numbers or "auto".
        tasks: Kind of tasks, a name of `TASKS`.
        episodes: Tasks per policy and depth, the same ones for all.
        seed: Seeds tasks and rollouts; the seed of a rollout depends on it and the task alone.
        hardness: How much a goal picture differs from its frame, 0 to 1.
        max_truth_share: Pictures on display for more of the video than this are not asked for.
        join_seconds: Joins the videos to one timeline of at least this length (see
            `join_to_duration`); None keeps them apart.
        groups: Patterns of file names; files that match the same one count as one cluster.
        grid_size: K, cells per side of a view.
        tile_size: (width, height) of a cell in pixels.
        min_expand_seconds: Cells shorter than this are not opened; 0 allows down to one frame.
        max_steps: Limit of steps per episode; None for that of the environment.
        max_frames: Limit of distinct frames shown per episode; None for none.

    Returns:
        The table as Markdown, as in ``table.md``.

    Raises:
        ValueError: If an argument cannot be used; then nothing was written.
        RunDirectoryError: If `out` holds something else, or another process writes there.
        VideoError: If a video is missing or cannot be read.
    """
    files = find_named_files(videos, groups)
    config = {
        "tasks": tasks,
        "videos": [file.to_json() for file in files],
        "join_seconds": None if join_seconds is None else float(join_seconds),
        "hardness": float(hardness),
        "max_truth_share": float(max_truth_share),
        "seed": _at_least(0, "seed", seed),
        "episodes": _at_least(1, "episodes", episodes),
        "policies": _described(policies),
        "depths": list(dict.fromkeys(depths)) or _missing("depth"),
        "grid_size": grid_size,
        "tile_size": list(tile_size),
        "min_expand_seconds": float(min_expand_seconds),
        "max_steps": max_steps,
        "max_frames": None if max_frames is None else _frame_limit(max_frames, grid_size),
    }
    with ExitStack() as stack:
        chosen = FirstTasks(
            tasks,
            files,
            count=episodes,
            seed=seed,
            hardness=hardness,
            max_truth_share=max_truth_share,
            join_seconds=join_seconds,
        )
        environments = _environments(config, chosen, stack)
        if not is_run(out):
            chosen.build()  # what cannot be asked about leaves no directory behind
        notes = {"files": [str(file.path.resolve()) for file in files]}
        run = stack.enter_context(RunDirectory(out, config, notes=notes))
        _play(run, config, policies, chosen, environments)
        text = _table(run, config)
        run.write_table(text)
    return text


def _environments(
    config: Mapping[str, Any], tasks: FirstTasks, stack: ExitStack
) -> dict[tuple[str, Depth], gym.Env]:
    """Make an environment per policy and depth. Opens no video; checks all options."""
    options = {
        "grid_size": config["grid_size"],
        "tile_size": tuple(config["tile_size"]),
        "min_expand_seconds": config["min_expand_seconds"],
        "max_steps": config["max_steps"],
        "budget": {"frames": config["max_frames"]},
    }
    environments = {}
    for policy in config["policies"]:
        for depth in config["depths"]:
            own = {"max_depth": depth, **policy["env_options"]}
            arguments = {**options, **own, "tasks": tasks}
            env = gym.make("VideoAtlas-v0", disable_env_checker=True, **arguments)
            environments[policy["name"], depth] = env
            stack.callback(env.close)
    return environments


def _play(
    run: RunDirectory,
    config: Mapping[str, Any],
    policies: Sequence[Policy],
    tasks: FirstTasks,
    environments: Mapping[tuple[str, Depth], gym.Env],
) -> None:
    """Play and record what is not on record, in a fixed order, with progress on stderr."""
    keys = [(*entry, index) for entry in environments for index in range(len(tasks))]
    recorded = run.records
    left = [key for key in keys if key not in recorded]
    if not left:
        return
    tasks.build()
    by_name = {policy.name: policy for policy in policies}
    done = len(keys) - len(left)
    with tqdm(total=len(keys), initial=done, unit="episode", desc="comparing") as bar:
        for name, depth, index in left:
            bar.set_postfix_str(f"{name}, depth {depth}")
            seed = rollout_seed(config["seed"], index)
            episode, error = _outcome(environments[name, depth], by_name[name], seed, index)
            if error:
                bar.write(f"{name}, depth {depth}, task {index} raised {error}", file=sys.stderr)
            file = f"{TRAJECTORIES}/{name}_depth-{depth}_task-{index:05d}.jsonl"
            record = Record.of(
                episode,
                (name, depth, index),
                config_hash=run.config_hash,
                seed=seed,
                task=tasks[index],
                is_privileged=by_name[name].is_privileged,
                error=error,
                trajectory="" if episode.trajectory is None else file,
            )
            run.append(record, episode.trajectory)
            bar.update()


def rollout_seed(seed: int, task_index: int) -> int:
    """Return the seed of a rollout, in 0 .. 2**32 - 1: the same for all policies and depths."""
    return int(np.random.SeedSequence([seed, task_index]).generate_state(1)[0])


def _outcome(env: gym.Env, policy: Policy, seed: int, index: int) -> tuple[Episode, str]:
    """Play an episode; a policy that raises loses it, and the second value says how."""
    try:
        return rollout(env, policy, seed=seed, task=index), ""
    except VideoError as error:  # met while looking ahead: no fault of the policy
        infra_error, raised = f"{type(error).__name__}: {error}", ""
    except Exception as error:  # a bad policy is data here; it must not cost the others their run
        infra_error, raised = "", f"{type(error).__name__}: {error}"
    usage = env.unwrapped.ledger.usage
    return Episode(usage=usage, truncated=True, infra_error=infra_error), raised


def _table(run: RunDirectory, config: Mapping[str, Any]) -> str:
    width, height = config["tile_size"]
    joined = config["join_seconds"]
    count = len(config["videos"])
    where = f"{count} video{'s' * (count > 1)}"
    where += "" if joined is None else f" joined to at least {joined:g} s"
    return table(
        run.records.values(),
        policies=[policy["name"] for policy in config["policies"]],
        depths=config["depths"],
        episodes=config["episodes"],
        title=f"{config['tasks']} on {where}: hardness {config['hardness']:g}, "
        f"grid {config['grid_size']} x {config['grid_size']}, tiles {width} x {height}, "
        f"seed {config['seed']}",
    )


def _described(policies: Sequence[Policy]) -> list[dict[str, Any]]:
    names = [policy.name for policy in policies]
    for name in names:
        if names.count(name) > 1 or not re.fullmatch(r"[\w.-]+", name):
            raise ValueError(
                f"policy names must differ and be made of letters, digits, '.', '_' and '-', "
                f"got {', '.join(map(repr, names))}."
            )
    return [{"name": p.name, "env_options": dict(p.env_options)} for p in policies] or _missing(
        "policy"
    )


def _missing(what: str) -> NoReturn:
    raise ValueError(f"no {what} was given; name at least one.")


def _frame_limit(max_frames: int, grid_size: int) -> int:
    if max_frames < grid_size**2:
        raise ValueError(
            f"the limit of frames must leave room for the first view of {grid_size**2}, got "
            f"{max_frames}. Raise it, or make the grid smaller."
        )
    return max_frames


def _at_least(low: int, name: str, value: int) -> int:
    if value < low:
        raise ValueError(f"{name} must be at least {low}, got {value}.")
    return value


def _parser() -> Parser:
    description = "Compare policies at several depths on tasks made from videos."
    parser = Parser("compare", description, EXAMPLE)
    add = parser.add_argument
    add("--videos", nargs="+", required=True, metavar="PATH", help="files, folders or patterns")
    add("--out", required=True, metavar="DIR", help="records and table; resumed if it is this run")
    add("--policies", default=",".join(POLICIES), help="names, by comma (default: %(default)s)")
    add("--depths", default="0,1,2,3", help="depth budgets or auto (default: %(default)s)")
    add("--tasks", default="frame-search", help=f"kind of tasks: {', '.join(TASKS)}")
    add("--episodes", type=int, default=20, help="tasks per policy and depth (default: 20)")
    add("--seed", type=int, default=0, help="seeds tasks and rollouts (default: 0)")
    add("--hardness", type=float, default=0.3, help="of the goal picture, 0 to 1 (default: 0.3)")
    add(
        "--max-truth-share",
        type=float,
        default=0.05,
        help="do not ask for pictures on display for more of the video than this (default: 0.05)",
    )
    add("--join", metavar="DURATION", help="one timeline of at least 1h, 90m, 3600 (seconds)")
    add(
        "--group",
        action="append",
        default=[],
        metavar="PATTERN",
        help="files whose names match count as one cluster; repeatable",
    )
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
    add("--frames", type=int, metavar="N", help="distinct frames shown per episode (no limit)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code: 0, 2 for a mistake, 130 for Ctrl-C."""
    options = _parser().parse_args(argv)
    try:
        text = compare(
            policies=[make_policy(name) for name in dict.fromkeys(split(options.policies))],
            videos=options.videos,
            out=options.out,
            depths=[parse_depth(text) for text in split(options.depths)],
            tasks=options.tasks,
            episodes=options.episodes,
            seed=options.seed,
            hardness=options.hardness,
            max_truth_share=options.max_truth_share,
            join_seconds=None if options.join is None else parse_duration(options.join),
            groups=options.group,
            grid_size=options.grid_size,
            tile_size=parse_tile_size(options.tile_size),
            min_expand_seconds=options.min_expand_seconds,
            max_steps=options.max_steps,
            max_frames=options.frames,
        )
    except KeyboardInterrupt:
        print(
            "Interrupted; finished episodes are kept. Run the same command again to go on in "
            f"{options.out}",
            file=sys.stderr,
        )
        return 130
    except (ValueError, ImportError, VideoError, RunDirectoryError, OSError) as error:
        print(f"videoatlas compare: {error}", file=sys.stderr)
        return 2
    print(text, end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
