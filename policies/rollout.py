"""The one episode loop: plays a policy in an environment and says what came out.

Training, evaluation and demonstrations all use it; it alone books what policies spend and decides
what they get to see.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np

from policies.base import HIDDEN_INFO, Decision, Info, Observation, Policy, World
from videoatlas_gym.actions import Action, decode
from videoatlas_gym.env import VideoAtlasEnv
from videoatlas_gym.memory import DeadZones
from videoatlas_gym.tasks import Task
from videoatlas_gym.trajectory import Trajectory
from videoatlas_gym.usage import BudgetExceeded, Usage
from videoatlas_gym.video import VideoError

LOOKED_BINS = 100


@dataclass
class Episode:
    """What came out of one episode. `score` is None where infrastructure failed."""

    task_id: str = ""
    kind: str = ""
    group: str = ""
    duration_seconds: float = 0.0
    """Length of the video."""
    score: float | None = None
    answer: int | str | None = None
    evidence: list[dict[str, Any]] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    total_reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    budget_exceeded: str = ""
    """Name of the budget that ended the episode, or "max_steps"."""
    infra_error: str = ""
    """Why the episode does not count: decoding failed, a model was down."""
    actions: dict[str, int] = field(default_factory=dict)
    """How often each verb was taken."""
    num_illegal: int = 0
    deepest: int = 0
    """Depth of the deepest grid opened, root = 0."""
    resolution_seconds: float = 0.0
    """Cell length of that grid."""
    coverage_explored: float = 0.0
    """Share of the video inside opened cells below the root."""
    coverage_dead: float = 0.0
    looked: list[int] = field(default_factory=list)
    """How many cells of the opened grids show a moment of each of `LOOKED_BINS` equal parts of the
    video; [] where nothing was opened."""
    frames_decoded: int = 0
    """Decoder work during the episode: telemetry, depends on what caches held."""
    peak_memory_bytes: int = 0
    """Most memory that the process has held so far."""
    seconds: float = 0.0
    trajectory: Trajectory | None = None


def rollout(env: gym.Env, policy: Policy, *, seed: int | None = None, task: int = 0) -> Episode:
    """Play one episode.

    Args:
        env: An environment made by `gymnasium.make`, wrapped or not.
        policy: The policy to play.
        seed: Seeds the environment and the policy.
        task: Index of the task in the environment's set.

    Returns:
        The outcome. A video that cannot be opened or decoded gives `infra_error`, never a score;
        a budget that the first view exceeds gives `budget_exceeded` and the score 0.0.
    """
    started, base = time.perf_counter(), env.unwrapped
    trajectory = Trajectory(task, seed, representative=base.representative)
    episode = Episode(trajectory=trajectory)
    try:
        asked = base.task_at(task)
        policy.prepare(asked.query, asked.options)  # before any frame is decoded
        observation, info = env.reset(seed=seed, options={"task": task})
    except (BudgetExceeded, VideoError) as error:
        _conclude_unbegun(episode, base, error)
        episode.seconds = time.perf_counter() - started
        return episode
    policy.bind(
        World(env, trajectory),
        seed=0 if seed is None else seed,
        task=base.task if policy.is_privileged or policy.reads_truth else None,
    )
    try:
        policy.reset(observation, info)
        info = _play(episode, env, policy, observation, info)
    except (BudgetExceeded, VideoError) as error:  # met while the policy looked ahead
        *_, episode.truncated, info = base.stop(error)
    _conclude(episode, env, info)
    telemetry = base.telemetry
    episode.frames_decoded = telemetry["frames_decoded"]
    episode.peak_memory_bytes = telemetry["peak_memory_bytes"]
    episode.seconds = time.perf_counter() - started
    return episode


def _play(
    episode: Episode, env: gym.Env, policy: Policy, observation: Observation, info: Info
) -> Info:
    """Let the policy act until the episode ends; return the last info."""
    base = env.unwrapped
    while not (episode.terminated or episode.truncated):
        decision = policy.act(observation, _visible(info))
        base.ledger.record(decision.usage)
        named = _named(decision, base.num_cells)
        observation, reward, episode.terminated, episode.truncated, info = env.step(decision.action)
        if "infra_error" not in info and "budget_exceeded" not in info:
            episode.trajectory.add_action(named, is_legal=info["is_legal"], text=decision.text)
            episode.actions[named.verb] = episode.actions.get(named.verb, 0) + 1
            episode.num_illegal += not info["is_legal"]
        episode.total_reward += reward
    return info


def _visible(info: Info) -> Info:
    return {key: value for key, value in info.items() if key not in HIDDEN_INFO}


def _named(decision: Decision, num_cells: int) -> Action:
    action = decision.action
    return action if isinstance(action, Action) else decode(action, num_cells)


def _conclude_unbegun(
    episode: Episode, base: VideoAtlasEnv, error: BudgetExceeded | VideoError
) -> None:
    """Conclude an episode whose first view could not be shown."""
    episode.truncated = True
    if isinstance(error, VideoError):
        episode.infra_error = f"{type(error).__name__}: {error}"
    else:
        episode.score, episode.budget_exceeded = 0.0, error.name
    with suppress(VideoError):  # of some sets a task needs the video itself
        _name_task(episode, base.task_at(episode.trajectory.task_index))


def _conclude(episode: Episode, env: gym.Env, info: Info) -> None:
    base = env.unwrapped
    _name_task(episode, base.task)
    episode.usage = base.ledger.usage
    episode.infra_error = info.get("infra_error", "")
    episode.budget_exceeded = info.get("budget_exceeded", "")
    if episode.truncated and not episode.infra_error and not episode.budget_exceeded:
        episode.budget_exceeded = "max_steps"
    if not episode.infra_error:
        episode.score = info["score"]
        episode.answer, episode.evidence = info["answer"], info["evidence"]
    _measure(episode, base)


def _name_task(episode: Episode, task: Task) -> None:
    episode.task_id, episode.kind, episode.group = task.task_id, task.kind, task.group


def _measure(episode: Episode, base: VideoAtlasEnv) -> None:
    state, geometry = base.state, base.state.geometry
    opened = [geometry.span(cell) for cell in state.visited if cell.depth > 0]
    duration = geometry.duration_seconds
    episode.deepest = max(cell.depth for cell in state.visited)
    episode.resolution_seconds = geometry.resolution_seconds(episode.deepest)
    episode.coverage_explored = DeadZones().add(*opened).duration_seconds / duration
    episode.duration_seconds = duration
    moments = [base.moments_shown(cell) for cell in state.visited]
    counts, _ = np.histogram(np.concatenate(moments), LOOKED_BINS, (0.0, duration))
    episode.looked = counts.tolist()
    episode.coverage_dead = state.dead_zones.duration_seconds / duration
