"""The unit of work of a comparison: one episode, from its key to all that is kept of it.

Knows neither files nor executors. What an episode gives depends on the plan and its key alone,
timing and work of the decoder excepted, so it may be played anywhere and in any order.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

import videoatlas_gym  # noqa: F401  (registers the environments)
from eval.record import Key, Record
from eval.records import SHEETS, TRAJECTORIES, Shard
from eval.selection import FirstTasks
from eval.sheets import draw_sheet
from policies.base import Policy
from policies.rollout import Episode, rollout
from videoatlas_gym.trajectory import Trajectory
from videoatlas_gym.video import TileCache, VideoError
from videoatlas_gym.video.preview import KEYFRAME, MIDPOINT

CACHE_BYTES = 512 << 20
"""Most bytes of pictures that a process keeps, for all its environments together."""
MAX_BATCH = 16
"""Most episodes that a worker is handed at once: what a kill may cost."""


def indices(tasks: FirstTasks, shard: Shard | None) -> list[int]:
    """Return the tasks of a set that a shard plays, a block of neighbours; None for all."""
    count = len(tasks)
    part, parts = shard or (1, 1)
    return [index for index in range(count) if index * parts // count == part - 1]


@dataclass(frozen=True)
class Plan:
    """All that a comparison plays. Pickles with the tasks that are made."""

    config_hash: str
    config: Mapping[str, Any]
    """The arguments as in config.json."""
    task_sets: tuple[FirstTasks, ...]
    policies: tuple[Policy, ...]

    def keys(self, shard: Shard | None = None) -> Iterator[Key]:
        """Yield every episode in the order of play: all that is about one task, then the next."""
        names = [policy.name for policy in self.policies]
        budgets = [budget["name"] for budget in self.config["budgets"]]
        for tasks in self.task_sets:
            for index in indices(tasks, shard):
                ways = itertools.product(names, self.config["depths"], budgets)
                yield from ((tasks.name, *way, index) for way in ways)


def batches(keys: Sequence[Key]) -> Iterator[list[Key]]:
    """Group neighbouring keys about one task, at most `MAX_BATCH` at once."""
    for _, about_one in itertools.groupby(keys, key=lambda key: (key[0], key[-1])):
        group = list(about_one)
        yield from (group[i : i + MAX_BATCH] for i in range(0, len(group), MAX_BATCH))


@dataclass(frozen=True)
class Played:
    """An episode and all that is kept of it."""

    record: Record
    trajectory: Trajectory | None
    """None where the policy raised."""
    sheet: bytes | None
    """The picture of the episode as a JPEG file, where one was drawn."""


class Player:
    """Plays episodes of a plan; its environments share one cache. Pickles by the plan.

    Making one opens no video and checks all options of the environments.

    Raises:
        ValueError: If an environment cannot be made so.
    """

    def __init__(self, plan: Plan):
        self._plan = plan
        self._task_sets = {tasks.name: tasks for tasks in plan.task_sets}
        self._policies = {policy.name: policy for policy in plan.policies}
        self._environments = _environments(plan)

    def __reduce__(self):
        return Player, (self._plan,)

    def __call__(self, key: Key) -> Played:
        """Play an episode."""
        task_set, name, depth, budget, index = key
        policy, config = self._policies[name], self._plan.config
        env = self._environments[task_set, _options_key(policy), depth, budget]
        seed = rollout_seed(config["seed"], task_set, index)
        episode, error = _outcome(env, policy, seed, index)
        sheet = None
        if index < config["sheets"] and episode.score is not None:
            previewed = ", key frames" * (env.unwrapped.representative == KEYFRAME)
            sheet = draw_sheet(env.unwrapped, episode, _title(key) + previewed)
        stem = file_stem(key)
        record = Record.of(
            episode,
            key,
            config_hash=self._plan.config_hash,
            seed=seed,
            task=self._task_sets[task_set][index],
            policy=policy,
            error=error,
            trajectory="" if episode.trajectory is None else f"{TRAJECTORIES}/{stem}.jsonl",
            sheet="" if sheet is None else f"{SHEETS}/{stem}.jpg",
        )
        return Played(record, episode.trajectory, sheet)

    def close(self) -> None:
        """Close the videos."""
        for env in self._environments.values():
            env.close()


def rollout_seed(seed: int, task_set: str, task_index: int) -> int:
    """Return the seed of a rollout, in 0 .. 2**32 - 1: the same for all that play the task."""
    entropy = [seed, task_index, *task_set.encode()]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


def file_stem(key: Key) -> str:
    """Return the name of an episode's files, without the suffix."""
    task_set, policy, depth, budget, index = key
    return f"{task_set}_{safe_name(policy)}_depth-{depth}_{budget}_task-{index:05d}"


def safe_name(policy: str) -> str:
    """Return a policy's name as it stands in names of files, where ``:`` and ``@`` may not."""
    return re.sub(r"[:@]", "-", policy)


def _title(key: Key) -> str:
    task_set, policy, depth, budget, index = key
    limit = "" if budget == "none" else f", {budget}"
    return f"{policy} at depth {depth}{limit}: {task_set} task {index}"


def _options_key(policy: Policy) -> str:
    return json.dumps(policy.env_options, sort_keys=True, default=repr)


def _environments(plan: Plan) -> dict[tuple[str, str, int | str, str], gym.Env]:
    """Make an environment per task set, options of policies, depth and budget."""
    config, cache = plan.config, TileCache(CACHE_BYTES)
    environments: dict[tuple[str, str, int | str, str], gym.Env] = {}
    ways = itertools.product(plan.task_sets, plan.policies, config["depths"], config["budgets"])
    for tasks, policy, depth, budget in ways:
        key = tasks.name, _options_key(policy), depth, budget["name"]
        if key in environments:
            continue
        arguments = {
            "grid_size": config["grid_size"],
            "tile_size": tuple(config["tile_size"]),
            "min_expand_seconds": config["min_expand_seconds"],
            "max_steps": config["max_steps"],
            "representative": config.get("representative", MIDPOINT),
            "max_depth": depth,
            "budget": {"frames": budget["frames"], "steps": budget["steps"]},
            "cache": cache,
            **policy.env_options,
            "tasks": tasks,
        }
        environments[key] = gym.make("VideoAtlas-v0", disable_env_checker=True, **arguments)
    return environments


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
