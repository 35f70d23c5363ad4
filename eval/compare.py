"""The comparison: policies at several depths and budgets on the same tasks, a record per episode.

Knows no policy by name: they come from a table or from the caller. It can be stopped at any moment
and resumed by the same command, cut into shards and played by many processes: what it records is
the same, timing and work of the decoder excepted.
"""

from __future__ import annotations

import math
import shlex
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from tqdm import tqdm

from eval.arguments import (
    at_least,
    chosen_executor,
    given,
    made_policies,
    missing,
    num_tasks,
    read_budgets,
    refuse_strays,
    task_set_names,
)
from eval.command_line import (
    compare_parser,
    parse_depth,
    parse_list,
    parse_shard,
)
from eval.episodes import Plan, Player, batches, indices
from eval.executors import Executor
from eval.metrics import Depth
from eval.record import Record
from eval.records import RunDirectory, Shard, hash_of_run, is_run
from eval.report import REPORT, Report, write_report
from eval.selection import FRAME_SEARCH, PER_WORLD, STORY, WORLDS, frame_search, story
from policies.base import Policy
from videoatlas_gym.arguments import checked_number
from videoatlas_gym.cli import EXIT_INTERRUPTED, parse_duration, parse_tile_size, run_command
from videoatlas_gym.errors import one_of
from videoatlas_gym.video.preview import MIDPOINT, REPRESENTATIVES, Representative

DEFAULT_DEPTHS = (0, 1, 2, 3)


def compare(
    *,
    policies: Sequence[str | Policy],
    out: str | Path,
    scorer: str = "combined",
    reader: str = "score",
    depths: Sequence[Depth] = DEFAULT_DEPTHS,
    budgets: Sequence[str] = ("none",),
    tasks: Sequence[str] | None = None,
    episodes: int | None = None,
    seed: int = 0,
    videos: Sequence[str | Path] = (),
    groups: Sequence[str] = (),
    join_seconds: float | None = None,
    hardness: float | None = None,
    max_truth_share: float | None = None,
    duration_seconds: float | None = None,
    worlds: int | None = None,
    per_world: int | None = None,
    families: Sequence[str] = (),
    split: str | None = None,
    difficulty: str | None = None,
    render_to: str | Path | None = None,
    grid_size: int = 8,
    tile_size: tuple[int, int] = (160, 90),
    min_expand_seconds: float = 1.0,
    max_steps: int | None = None,
    representative: Representative = "midpoint",
    executor: str = "serial",
    workers: int | None = None,
    shard: Shard | None = None,
    sheets: int = 2,
    command: str = "",
) -> str:
    """Play what is not on record yet in `out`; write the report there and return it.

    Order of play: task set, task, policy, depth, budget, so that an interrupted run has all
    policies on the same tasks.

    Args:
        policies: What is compared: specs as `make_policy` reads them, or policies of one's own.
        out: Directory of the records: a new or empty one, or one of the same comparison.
        scorer: Finds the way for the specs that name none.
        reader: Answers for the policies made from specs.
        depths: Depth budgets, whole numbers or "auto".
        budgets: What bounds each episode: "none", "frames=N" or "steps=N".
        tasks: Task sets, names of `TASK_SETS`; None for frame search where there are videos, else
            stories.
        episodes: Tasks of each set, the same ones for all policies; None for all questions about
            the stories, or 20 where there are none.
        seed: Seeds tasks and rollouts; the seed of a rollout depends on it, the task set and the
            task's index alone.
        videos: Of frame search: files, folders or glob patterns.
        groups: Of frame search, as are the next three; see `selection.frame_search`, whose defaults
            stand for None, as those of `selection.story` do below.
        join_seconds: One timeline of at least this length.
        hardness: How much a goal picture differs from its frame, 0 to 1.
        max_truth_share: Pictures on display for longer are not asked for.
        duration_seconds: Of stories, as are the next six; see `selection.story`.
        worlds: How many stories.
        per_world: Questions about each.
        families: Kinds of question; empty for the default ones.
        split: "train", "validation" or "test".
        difficulty: Name of a difficulty.
        render_to: Folder for the stories as video files.
        grid_size: K, cells per side of a view.
        tile_size: (width, height) of a cell in pixels.
        min_expand_seconds: Cells shorter than this are not opened; 0 allows down to one frame.
        max_steps: Limit of steps per episode; None for that of the environment.
        representative: What stands for the cells of grids: "midpoint", or "keyframe" for previews,
            which are cheap and not exact (see `VideoAtlasEnv`).
        executor: Who plays, a name of `EXECUTORS`.
        workers: How many processes play; None for one per core.
        shard: (i, n) plays part i of n of each task set, and may do so beside other parts.
        sheets: Draws the episodes about so many first tasks of each set.
        command: The command line that asks for all this; the report repeats it.

    Returns:
        The report on all records in `out`, as Markdown.

    Raises:
        ValueError: If an argument cannot be used; then nothing was written.
        RunDirectoryError: If `out` holds something else, or another process writes there.
        VideoError: If a video is missing or cannot be read.
        ExecutorError: If a worker process died or cannot be given the work.
    """
    set_names = task_set_names(tasks, videos)
    of_frame_search = given(
        videos=videos,
        groups=groups,
        join_seconds=join_seconds,
        hardness=hardness,
        max_truth_share=max_truth_share,
    )
    of_story = given(
        duration_seconds=duration_seconds,
        worlds=worlds,
        per_world=per_world,
        families=families,
        split=split,
        difficulty=difficulty,
        render_to=render_to,
    )
    refuse_strays(set_names, of_frame_search, of_story)
    sizes = (of_story.get("worlds", WORLDS), of_story.get("per_world", PER_WORLD))
    count = num_tasks(episodes, math.prod(sizes) if STORY in set_names else None)
    select = {
        FRAME_SEARCH: lambda: frame_search(count=count, seed=seed, **of_frame_search),
        STORY: lambda: story(count=count, seed=seed, **of_story),
    }
    config = {
        "seed": at_least(0, "seed", seed),
        "episodes": count,
        "depths": list(dict.fromkeys(depths)) or missing("depth"),
        "budgets": read_budgets(budgets, grid_size),
        "grid_size": grid_size,
        "tile_size": list(tile_size),
        "min_expand_seconds": checked_number("min_expand_seconds", min_expand_seconds),
        "max_steps": max_steps,
        "scorer": scorer,
        "reader": reader,
        "sheets": at_least(0, "sheets", sheets),
    }
    if one_of("representative", representative, REPRESENTATIVES) != MIDPOINT:
        config["representative"] = representative
    made = made_policies(policies, scorer, reader)
    plays = chosen_executor(executor, workers)
    selections = [select[name]() for name in set_names]
    config["policies"] = [{"name": p.name, "env_options": dict(p.env_options)} for p in made]
    config["task_sets"] = [selection.config for selection in selections]
    notes = {name: note for s in selections for name, note in s.notes.items()}
    notes |= {"command": command} if command else {}
    plan = Plan(hash_of_run(config), config, tuple(s.tasks for s in selections), tuple(made))
    with closing(Player(plan)) as player:
        if not is_run(out):
            _build(plan, shard)  # what cannot be asked about leaves no directory behind
        with RunDirectory(out, config, notes=notes, shard=shard) as run:
            _play(run, plan, player, plays, shard)
        has_records = bool(run.records)
    return write_report([out]) if has_records else ""  # a shard may have no task


def _play(
    run: RunDirectory, plan: Plan, player: Player, executor: Executor, shard: Shard | None
) -> None:
    """Play and record what is not on record, in the order of the plan, with progress on stderr."""
    keys = list(plan.keys(shard))
    recorded = run.records
    left = [key for key in keys if key not in recorded]
    if not left:
        return
    _build(plan, shard)
    done = len(keys) - len(left)
    with (
        tqdm(total=len(keys), initial=done, unit="episode", desc="comparing") as bar,
        closing(executor.map(player, batches(left))) as episodes,
    ):
        for played in episodes:
            run.append(played.record, played.trajectory, played.sheet)
            if played.record.error:
                bar.write(_mistake(played.record), file=sys.stderr)
            bar.update()


def _mistake(record: Record) -> str:
    where = f"{record.task_set} task {record.task_index}"
    return f"{record.policy}, depth {record.depth}, {where} raised {record.error}"


def _build(plan: Plan, shard: Shard | None) -> None:
    for tasks in plan.task_sets:
        tasks.build(indices(tasks, shard))


def _compare(options: Namespace, command: str) -> str:
    """Call `compare` with what the command line says."""
    return compare(
        policies=parse_list(options.policies),
        out=options.out,
        scorer=options.scorer,
        reader=options.reader,
        depths=[parse_depth(text) for text in parse_list(options.depths)],
        budgets=parse_list(options.budgets),
        tasks=None if options.tasks is None else parse_list(options.tasks),
        episodes=options.episodes,
        seed=options.seed,
        videos=options.videos,
        groups=options.group,
        join_seconds=None if options.join is None else parse_duration(options.join),
        hardness=options.hardness,
        max_truth_share=options.max_truth_share,
        duration_seconds=None if options.duration is None else parse_duration(options.duration),
        worlds=options.worlds,
        per_world=options.per_world,
        families=parse_list(options.families),
        split=options.split,
        difficulty=options.difficulty,
        render_to=options.render,
        grid_size=options.grid_size,
        tile_size=parse_tile_size(options.tile_size),
        min_expand_seconds=options.min_expand_seconds,
        max_steps=options.max_steps,
        representative=options.representative,
        executor=options.executor,
        workers=options.workers,
        shard=None if options.shard is None else parse_shard(options.shard),
        sheets=options.sheets,
        command=command,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code: 0, 2 for a mistake, 130 for Ctrl-C."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    return run_command("compare", lambda: _run(arguments))


def _run(arguments: Sequence[str]) -> int:
    options = compare_parser().parse_args(arguments)
    try:
        report = _compare(options, f"videoatlas compare {shlex.join(arguments)}")
    except KeyboardInterrupt:
        print(
            "Interrupted; finished episodes are kept. Run the same command again to go on in "
            f"{options.out}",
            file=sys.stderr,
        )
        return EXIT_INTERRUPTED
    if isinstance(report, Report):
        print(report.short, end="")
        print(f"\nThe whole report is {Path(options.out, REPORT)}; records are beside it.")
    else:
        print("This shard has no episode to play; no report was made.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
