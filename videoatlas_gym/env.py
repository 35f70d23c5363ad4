"""VideoAtlasEnv: joins a world (video, grid, state) and a task into a Gymnasium environment.

Glue only: legality and effects are in `atlas`, right and wrong in `tasks`, pixels in `viewer`.
"""

from __future__ import annotations

import copy
import os
import resource
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from videoatlas_gym import atlas, render
from videoatlas_gym.actions import Action, decode, encode, num_actions
from videoatlas_gym.arguments import (
    check_grid_size,
    checked_depth,
    checked_first_view,
    checked_gamma,
    checked_steps,
    checked_tile_size,
)
from videoatlas_gym.errors import IllegalAction, one_of
from videoatlas_gym.observation import MAX_PATH, observation_space
from videoatlas_gym.previews import Previews
from videoatlas_gym.rewards import Transition, given_answer, reward_terms, reward_weights
from videoatlas_gym.span import Cell, GridGeometry
from videoatlas_gym.state import AtlasState, Rules
from videoatlas_gym.subtitles import Subtitles
from videoatlas_gym.tasks import FrameSearchTasks, Task, TaskSet, make_task_set
from videoatlas_gym.usage import Budget, BudgetExceeded, Ledger, Usage
from videoatlas_gym.video import CachedSource, TileCache, VideoError, VideoSource, as_cache
from videoatlas_gym.video.preview import KEYFRAME, REPRESENTATIVES, Representative
from videoatlas_gym.viewer import Kept, Question, Viewer

Observation = dict[str, NDArray]
Info = dict[str, Any]

STEPS_PER_LEVEL = 16
"""Steps that an episode may take for each level of its depth budget, where no limit is given."""


class VideoAtlasEnv(gym.Env[Observation, int]):
    """A video of any length as a hierarchy of K x K grids of frames, and a question about it.

    ## Description
    The first view shows the whole video as a contact sheet: K x K cells, row by row, each with the
    frame at the middle of its span. Any cell can be opened into a finer grid, so any moment of a
    ten-hour video is a few steps away. Frames are decoded when they are looked at; there is no
    preprocessing and no captioning. Frames worth keeping go to a scratchpad; regions left without a
    find become dead zones, which are drawn black and cannot be chosen any more.

    At depth d (root: 0) a cell is ``T / K**(2 * (d + 1))`` seconds long. `max_depth` bounds the
    resolution of every view, and with it the cost: at 0 only the first view is to be had, which is
    uniform sampling of K * K frames.

    ## Action Space
    ``Discrete(6 * n + 2 + 8)`` with n = K * K, in this order. Cells are those of the displayed
    view. `step` also takes an `Action`, which can carry a note and a confidence.

    | Verb | Codes | Legal when | Effect |
    |---|---|---|---|
    | EXPAND | n | dfs; grid displayed; cell long enough, alive, within max_depth | opens it |
    | ZOOM | n | nothing zoomed; cell alive | shows its frame; `info["frame"]` is lossless |
    | INVESTIGATE_BEFORE | n | grid displayed; not finer than max_depth allows | scans before it |
    | INVESTIGATE_AFTER | n | grid displayed; not finer than max_depth allows | scans after it |
    | ADD_TO_SCRATCHPAD | n | cell alive; something changes; over a zoom: that cell | keeps it |
    | MARK_PROMISING | n | bfs; grid displayed; may be opened; not queued, not visited | queues it |
    | BACKTRACK | 1 | zoom or scan displayed, or (dfs) below the root | closes it, or climbs |
    | FINISHED | 1 | fork, or no options, or bfs with a queue, or nothing else | ends the region |
    | ANSWER | 8 | the task has that option; not in a fork | ends the episode with it |

    Legal codes are 1 in the mask, which is never all zero: `observation["action_mask"]`,
    `info["action_mask"]` (int8) and `action_masks()` (bool). A masked action is a counted step
    without effect; `info["last_error"]` says why. Sample with
    ``env.action_space.sample(mask=info["action_mask"])``.

    ## Observation Space
    A Dict. h, w: tile height and width; n: K * K.

    | Key | Shape | Type | Meaning |
    |---|---|---|---|
    | view | (K h, K w, 3) | uint8 | the grid or scan; a zoomed frame, letterboxed |
    | scratchpad | (4 h, 4 w, 3) | uint8 | the 16 best items by time: index, time and subtitle |
    | action_mask | (6 n + 10,) | int8 | 1 where the action is legal |
    | cell_status | (n,) | int8 | bits: 1 visited, 2 queued, 4 holds evidence, 8 dead |
    | path | (16,) | int16 | cell indices from the root to the current grid, padded with -1 |
    | zoomed | (1,) | int16 | the zoomed cell, -1 for none |
    | anchor | (2,) | int16 | the investigated cell and side (0 before, 1 after), -1 for none |
    | position | (16,) | float32 | where the agent is, see below; all in [-1, 1] |
    | query | (2048,) | uint8 | question and options in UTF-8, padded with zeros |
    | subtitles | (8192,) | uint8 | the view's subtitles, "cell: text" per line, in UTF-8 |
    | goal | (2 h, 2 w, 3) | uint8 | the picture that is looked for; picture tasks only |

    `position` holds: base_start, base_end (the displayed grid or scan, as shares of the video),
    cell_start, cell_end (the current grid's cell), region_start, region_end (what may be explored),
    depth (of 16), log_span (0 for the whole video, 1 for a billionth), zoom_time (share, -1 for
    none), queue_length and evidence_count (c / (c + n) and c / (c + 16)), queue_head_start,
    queue_head_end (-1 for none), dead_share, steps_left, frames_left (shares of the budgets).

    Texts too long for their arrays are cut: the question before the options, each cell's subtitles
    to an equal share. `info` has them whole.

    Together these make the view unambiguous. The times of kept items and dead zones out of view are
    shown in pictures only.

    ## Rewards
    The sum of weighted terms; `reward` chooses a preset or maps terms to weights.

    | Term | sparse | shaped | Value |
    |---|---|---|---|
    | score | 1.0 | 1.0 | at termination: the task's score in [0, 1] |
    | grounding | - | - | at termination: F1 in seconds of evidence and truth |
    | potential | - | 0.5 | gamma * phi(after) - phi(before); phi says how near the truth is |
    | step | - | 0.01 | -1 per step |
    | decode | - | - | -(frames shown for the first time) / n |
    | repeat | - | 0.05 | -1 for opening a cell again |
    | illegal_action | - | 0.1 | -1 for a masked action |
    | early_answer | - | 0.2 | -1 for ending before anything was opened or kept |

    ## Starting State
    The root grid, empty memory. Of a set of tasks one is drawn with the seed, or chosen by
    ``reset(options={"task": index})``. `first_view_cells` hides part of the first view.

    ## Episode End
    ### Termination
    ANSWER, or FINISHED where no queued region is left.
    ### Truncation
    After `max_steps` steps (16 * (max_depth + 1) by default), when a budget is used up
    (`info["budget_exceeded"]`), or when decoding fails (`info["infra_error"]`: reward 0 and no
    score, to be dropped by trainers and counted apart by evaluation).

    ## Information
    | Key | When | Meaning |
    |---|---|---|
    | action_mask | always | as in the observation |
    | query | always | the question |
    | options | always | tuple of answer options |
    | view_kind | always | "grid", "scan" or "zoom" |
    | spans | always | float64 (n, 2): start and end of each displayed cell in seconds |
    | subtitles | always | tuple of n strings, at most 3 lines and 120 characters each |
    | last_error | always | why the last action had no effect, or "" |
    | is_legal | always | whether the last action was legal |
    | usage | always | what was spent: steps, frames, views, model calls and tokens |
    | frame | zoom | a `Frame` at native resolution: rgb, seconds, pts; bit-equal to the decoder |
    | representative | keyframe | float64 (n,): time of the frame each cell shows, NaN for none |
    | strip | zoom with strip | tuple of the leaf cell's frames |
    | reward_terms | after a step | the weighted terms of the reward |
    | answer | end | what was answered, or None |
    | score | end | the task's score in [0, 1] |
    | evidence | end | items: span, seconds, frame_seconds, confidence, step, note, subtitle |
    | budget_exceeded | end | the budget that ran out |
    | infra_error | end | what failed |

    Forks (`fork`) look ahead for search: they share source, cache and budgets, cannot answer, and
    their rewards are 0.0 and their info is without score, whatever the truth.

    ## Arguments
    - `video`, `question`, `options`, `answer`, `spans`: see `tasks.make_task`; or `tasks`: a set.
    - `subtitles`: None, "auto" (a file beside the video, or an embedded track), a file, or cues.
    - `grid_size`: K, at least 2. `tile_size`: (width, height) of a cell in pixels.
    - `max_depth`: deepest view, or "auto": the first with cells under a second.
    - `traversal`: "dfs" (expand, backtrack) or "bfs" (mark promising, first in first out).
    - `max_steps`, `budget`: limits; a budget is a dict of steps, frames, model_calls, tokens,
      seconds.
    - `reward`, `gamma`: a preset or weights; the learner's discount for the shaping term.
    - `labels`: burn cell indices into grids. `strip`: zooming a leaf cell shows all its frames.
    - `representative`: the frame that stands for a cell of a grid. "midpoint": the exact frame at
      its middle. "keyframe": a preview, the key frame nearest to the middle inside the cell, and
      the exact frame at the middle where there is none; see docs/preview.md. What is zoomed and
      kept is then the frame that was shown.
    - `first_view_cells`: a number or (low, high) of cells shown at first, the rest grey.
    - `min_expand_seconds`, `investigate_seconds`, `min_confidence`, `dead_zones` ("on_leave",
      "never"), `finish_requires_evidence`: the rules, see `state.Rules`.
    - `cache`: a `TileCache` of one's own, or a directory to keep tiles in from run to run.
    - `render_mode`: "rgb_array" or "ansi".

    ## References
    VideoAtlas: Navigating Long-Form Video in Logarithmic Compute, section 3.1.

    ## Version History
    - v0: first version
    """

    metadata = {"render_modes": ["rgb_array", "ansi"], "render_fps": 2}

    def __init__(
        self,
        video: str | VideoSource | None = None,
        question: str | None = None,
        options: Sequence[str] | None = None,
        answer: int | str | None = None,
        spans: Sequence[tuple[float, float]] | None = None,
        *,
        tasks: TaskSet | Task | Sequence[Task] | None = None,
        subtitles: Any = None,
        grid_size: int = 8,
        tile_size: tuple[int, int] = (160, 90),
        max_depth: int | Literal["auto"] = "auto",
        traversal: Literal["dfs", "bfs"] = "dfs",
        max_steps: int | None = None,
        budget: Budget | Mapping[str, float] | None = None,
        reward: str | Mapping[str, float] = "sparse",
        gamma: float = 0.99,
        labels: bool = False,
        strip: bool = False,
        representative: Representative = "midpoint",
        first_view_cells: int | tuple[int, int] | None = None,
        min_expand_seconds: float = 1.0,
        investigate_seconds: float = 30.0,
        min_confidence: float = 0.7,
        dead_zones: Literal["on_leave", "never"] = "on_leave",
        finish_requires_evidence: bool = False,
        cache: TileCache | str | os.PathLike[str] | None = None,
        render_mode: str | None = None,
    ):
        self._tasks: TaskSet | None = make_task_set(
            video, question, options, answer, spans, tasks=tasks, subtitles=subtitles
        )
        check_grid_size(grid_size)
        self._grid_size, self._tile_size = int(grid_size), checked_tile_size(tile_size)
        self._max_depth = checked_depth(max_depth)
        self._max_steps_asked = checked_steps(max_steps)
        self._rules = Rules(
            traversal=traversal,
            min_expand_seconds=min_expand_seconds,
            investigate_seconds=investigate_seconds,
            min_confidence=min_confidence,
            dead_zones=dead_zones,
            finish_requires_evidence=finish_requires_evidence,
        )
        self._budget = Budget.of(budget)
        self._weights, self._gamma = reward_weights(reward), checked_gamma(gamma)
        self._labels, self._strip = bool(labels), bool(strip)
        self._cache = None if cache is None else as_cache(cache)
        self._representative = one_of("representative", representative, REPRESENTATIVES)
        self._first_view_cells = checked_first_view(first_view_cells, grid_size**2)
        if render_mode is not None:
            one_of("render_mode", render_mode, self.metadata["render_modes"])
        self.render_mode = render_mode
        self.observation_space = observation_space(
            self._grid_size, self._tile_size, self._tasks.has_goal
        )
        self.action_space = spaces.Discrete(num_actions(grid_size**2))
        self.lens: Callable[[VideoSource, Subtitles], tuple[VideoSource, Subtitles]] | None = None
        self._task: Task | None = None
        self._made: tuple[int, Task] | None = None
        self._viewer: Viewer | None = None
        self._kept: tuple[Task | None, Kept] = None, Kept()
        self._start: AtlasState | None = None
        self._state: AtlasState | None = None
        self._max_steps: int | None = None
        self._decoded_before = self._frames_paid = 0
        self._ledger = Ledger(self._budget)
        self._last: tuple[Observation, Info] | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, Info]:
        """Begin an episode; a fork returns to where it began.

        Args:
            seed: Seeds the choice of tasks and of the cells shown first.
            options: ``{"task": index}`` chooses a task of the set; otherwise one is drawn.

        Raises:
            VideoError: If the video cannot be opened or its first view cannot be decoded.
            BudgetExceeded: If the first view alone needs more frames than the budget allows.
            ValueError: If the option or the task's index is unknown.
        """
        super().reset(seed=seed)
        self._state = self._last = None  # a reset that fails leaves no episode behind
        if not self.is_fork:
            self._begin(options or {})
        seen = self._see(self._start)
        if not self.is_fork:
            self._newly_shown()  # the first view is free
        return seen

    def _see(self, state: AtlasState) -> tuple[Observation, Info]:
        """Go to a state, unless what is to be seen there cannot be shown."""
        state = self._viewer.settled(state)
        seen = self._viewer.look(state, self._ledger, self._max_steps)
        self._state, self._last = state, seen
        return _copies(seen)

    def _begin(self, options: dict[str, Any]) -> None:
        self._task = task = self.task_at(self._chosen_index(options))
        self._ledger, self._frames_paid = Ledger(self._budget), 0
        source, subtitles = task.source, task.subtitles
        if self.lens is not None:
            source, subtitles = self.lens(source, subtitles)
        source = CachedSource(source, self._cache)
        self._decoded_before = source.frames_decoded
        self._leave_source(source)
        geometry = GridGeometry(source.duration_seconds, self._grid_size, source.frame_seconds)
        depth = self._max_depth
        if depth is None:
            depth = min(geometry.auto_depth(self._rules.min_expand_seconds), MAX_PATH)
        rules = replace(self._rules, max_depth=depth, num_options=len(task.options))
        self._start = AtlasState(geometry, rules)
        self._max_steps = self._max_steps_asked or STEPS_PER_LEVEL * (depth + 1)
        self._viewer = Viewer(
            source,
            Question(
                task.query, task.options, subtitles, task.goal if self._tasks.has_goal else None
            ),
            self._grid_size,
            self._tile_size,
            self._labels,
            self._strip,
            self._draw_hidden(),
            self._kept_of(task, geometry),
            Previews(source, self._tile_size) if self._representative == KEYFRAME else None,
        )

    def _kept_of(self, task: Task, geometry: GridGeometry) -> Kept:
        """Return what to keep: at first what was read in the last episode, if its task is this."""
        known, kept = self._kept
        is_same = known is task and kept.geometry == geometry and self.lens is None
        self._kept = task, kept.for_next_episode() if is_same else Kept(geometry)
        return self._kept[1]

    def _leave_source(self, ahead: CachedSource) -> None:
        """Close the last video unless it is the next: a set may hold more than can be open."""
        if self._viewer is not None and self._viewer.source.source is not ahead.source:
            self._viewer.source.close()

    def task_at(self, index: int) -> Task:
        """Return a task of the set, the last one asked for without making it again.

        Raises:
            ValueError: If the index is not in the set.
        """
        count = len(self._tasks)
        if isinstance(index, bool) or int(index) != index or not 0 <= index < count:
            raise ValueError(f"task {index!r} is not in the set; indices go from 0 to {count - 1}.")
        if self._made is None or self._made[0] != index:
            self._made = int(index), self._tasks[int(index)]
        return self._made[1]

    def _chosen_index(self, options: dict[str, Any]) -> int:
        if unknown := set(options) - {"task"}:
            raise ValueError(f"unknown reset option {sorted(unknown)}; known: 'task' (an index).")
        index = options.get("task")
        if index is None:
            count = len(self._tasks)
            return int(self.np_random.integers(count)) if count > 1 else 0
        return index

    def _draw_hidden(self) -> NDArray[np.bool_] | None:
        if self._first_view_cells is None:
            return None
        low, high = self._first_view_cells
        shown = int(self.np_random.integers(low, high + 1))
        hidden = np.ones(self._grid_size**2, bool)
        hidden[self.np_random.permutation(len(hidden))[:shown]] = False
        return hidden

    def step(self, action: int | Action) -> tuple[Observation, float, bool, bool, Info]:
        """Take an action: a code of the action space, or an `Action` with note and confidence.

        Raises:
            ValueError: If the action lies outside the action space.
            gymnasium.error.ResetNeeded: If the episode has not begun.
        """
        if self._state is None:
            raise gym.error.ResetNeeded("call reset() before step().")
        action = self._as_action(action)
        return self._take(action, *_advance(self._state, action))

    def refuse(self, reason: str) -> tuple[Observation, float, bool, bool, Info]:
        """Count a step without effect for a request that names no action at all.

        As for a masked action, `info["last_error"]` carries the reason and the reward term
        `illegal_action` is paid. Wrappers that read a model's replies call it.
        """
        nothing = Action("BACKTRACK")
        after = self.state.changed(steps=self.state.steps + 1, notice=reason)
        return self._take(nothing, after, False)

    def _take(
        self, action: Action, after: AtlasState, is_legal: bool
    ) -> tuple[Observation, float, bool, bool, Info]:
        before = self.state
        try:
            self._ledger.spend(Usage(steps=1))
            observation, info = self._see(after)
        except (BudgetExceeded, VideoError) as error:
            return self.stop(error)
        out_of_steps = self._max_steps is not None and after.steps >= self._max_steps
        truncated = out_of_steps and not after.done
        info["is_legal"] = is_legal
        reward = 0.0
        if not self.is_fork:
            transition = Transition(
                before,
                action,
                after,
                self._task,
                is_legal=is_legal,
                terminated=after.done and not before.done,
                new_frames=self._newly_shown(),
                gamma=self._gamma,
            )
            info["reward_terms"] = reward_terms(transition, self._weights)
            reward = float(sum(info["reward_terms"].values()))
            if after.done or truncated:
                info |= self._outcome()
        return observation, reward, after.done, truncated, info

    def _newly_shown(self) -> int:
        """Frames shown for the first time since the last step, by forks too: no way around it."""
        before, self._frames_paid = self._frames_paid, self._ledger.usage.frames
        return self._frames_paid - before

    def _as_action(self, action: int | Action) -> Action:
        if not isinstance(action, Action):
            return decode(action, self._grid_size**2)
        encode(action, self._grid_size**2)
        return action

    def stop(
        self, error: BudgetExceeded | VideoError
    ) -> tuple[Observation, float, bool, bool, Info]:
        """End an episode that cannot go on, with the last good observation and reward 0.

        `step` does so when a budget runs out or decoding fails; a rollout does when that happens
        while a policy looks ahead.
        """
        observation, info = self.observe()
        info["last_error"] = str(error)
        if isinstance(error, VideoError):
            info["infra_error"] = f"{type(error).__name__}: {error}"
        else:
            info["budget_exceeded"] = error.name
            if not self.is_fork:
                info |= self._outcome()
        return observation, 0.0, False, True, info

    def _outcome(self) -> Info:
        state = self._state
        answer = given_answer(state)
        try:
            evidence = self._viewer.evidence(state.scratchpad.items)
        except VideoError:
            evidence = [item.to_json() for item in state.scratchpad.items]
        score = self._task.score(answer, state)
        shown = _Option(answer) if isinstance(answer, int) else answer
        return {"answer": shown, "score": score, "evidence": evidence}

    def action_masks(self) -> NDArray[np.bool_]:
        """Return what is legal now as bools, shape (n_actions,); sb3-contrib calls it."""
        return atlas.action_mask(self.state).astype(bool)

    @property
    def state(self) -> AtlasState:
        """The current state, an immutable value."""
        if self._state is None:
            raise gym.error.ResetNeeded("call reset() first: there is no state yet.")
        return self._state

    @property
    def num_cells(self) -> int:
        """Cells of one view, K * K."""
        return self._grid_size**2

    @property
    def is_fork(self) -> bool:
        """Whether this environment looks ahead for another: no answer, no reward, no truth."""
        return self._start is not None and self._start.is_fork

    @property
    def ledger(self) -> Ledger:
        """The account of this episode, shared with its forks."""
        return self._ledger

    @property
    def source(self) -> CachedSource:
        """The video of this episode, through its cache."""
        if self._viewer is None:
            raise gym.error.ResetNeeded("call reset() first: there is no video yet.")
        return self._viewer.source

    @property
    def representative(self) -> Representative:
        """What stands for the cells of grids: "midpoint" or "keyframe"."""
        return self._representative

    def moments_shown(self, cell: Cell) -> NDArray[np.float64]:
        """Return the moments that stand for the cells of a cell's grid, in seconds, shape (n,).

        In previews these are known once the grid was displayed; until then they are midpoints.
        """
        known = {} if self._viewer.previews is None else self._viewer.previews.moments
        return known.get(cell, self.state.geometry.midpoints(cell))

    @property
    def telemetry(self) -> dict[str, int]:
        """Work behind the scenes: what no budget counts, since it depends on caches.

        frames_decoded (in this episode, forks included), cache_hits, cache_misses, cache_bytes (of
        the cache in use, which other environments may share), peak_memory_bytes (of the process).
        """
        cache = self.source.cache
        return {
            "frames_decoded": self.source.frames_decoded - self._decoded_before,
            "cache_hits": cache.hits,
            "cache_misses": cache.misses,
            "cache_bytes": cache.bytes,
            "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }

    @property
    def task(self) -> Task:
        """The episode's task with its truth, for trainers and privileged policies."""
        if self._task is None:
            raise gym.error.ResetNeeded("there is no task: call reset() first; forks have none.")
        return self._task

    @property
    def tasks(self) -> TaskSet:
        """The set that `reset` draws tasks from."""
        if self._tasks is None:
            raise AttributeError("a fork has no tasks.")
        return self._tasks

    def set_state(self, state: AtlasState) -> tuple[Observation, Info]:
        """Put a state of the same video and rules; return what is seen there.

        Raises:
            ValueError: If the state belongs to another video, grid or set of rules.
        """
        self._check_is_ours(state, is_fork=self.is_fork)
        return self._see(state)

    def _check_is_ours(self, state: AtlasState, *, is_fork: bool) -> None:
        mine = self.state
        if (state.geometry, state.rules, state.is_fork) != (mine.geometry, mine.rules, is_fork):
            raise ValueError(
                "the state belongs to another video, grid, set of rules or kind of environment; "
                "take it from this environment or one made alike."
            )

    def observe(self) -> tuple[Observation, Info]:
        """Return what was seen last again, in copies: no step, and nothing is booked."""
        if self._last is None:
            raise gym.error.ResetNeeded("call reset() first: nothing was seen yet.")
        observation, info = _copies(self._last)
        return observation, info | {"usage": self._ledger.usage.to_json()}

    def fork(self, cell: Cell | None = None) -> VideoAtlasEnv:
        """Return an environment that looks ahead from here, or on a subtree, without the truth.

        It shares source, cache and ledger with this one. ANSWER is masked, rewards are 0.0, `info`
        has no score. Call its `reset` first; it begins (and begins again) at the fork's state.

        Args:
            cell: None for the same place with the same memory; a cell to explore its subtree with
                an empty scratchpad and queue.

        Raises:
            IllegalAction: If the cell may not be opened.
        """
        return self.resume_fork(self.state.fork(cell))

    def resume_fork(self, state: AtlasState) -> VideoAtlasEnv:
        """Return a fork that begins at the state of an earlier one, as a replay needs it.

        Raises:
            ValueError: If it is no fork's state, or one of another video, grid or set of rules.
        """
        self._check_is_ours(state, is_fork=True)
        twin = copy.copy(self)
        twin._start = twin._state = state
        twin._task = twin._tasks = twin._made = twin._max_steps = twin._np_random = None
        twin._kept = None, Kept()
        return twin

    def merge(self, *others: VideoAtlasEnv | AtlasState) -> tuple[Observation, Info]:
        """Take over what forks found and ruled out; the place stays (see `AtlasState.merge`)."""
        states = [other if isinstance(other, AtlasState) else other.state for other in others]
        return self.set_state(self.state.merge(*states))

    def render(self) -> NDArray[np.uint8] | str | None:
        """Return a picture (uint8 (H, W, 3)) or a text of the current view, by `render_mode`."""
        if self.render_mode is None:
            gym.logger.warn(
                "render() needs a render_mode: make the environment with rgb_array or ansi."
            )
            return None
        state, usage = self.state, self._ledger.usage.to_json()
        if self.render_mode == "ansi":
            return self._viewer.summary(state, usage)
        observation, _ = self._viewer.labelled.look(state, Ledger())
        return render.page(observation["view"], observation["scratchpad"], self._headline())

    def _headline(self) -> str:
        state, clock = self.state, render.clock
        where = f"{clock(state.span.start_seconds)} - {clock(state.span.end_seconds)}"
        if state.zoomed is not None:
            where = f"cell {state.zoomed} at {clock(state.view.moments[state.zoomed])}"
        marked = "  |  key frames" * self._viewer.is_preview(state)
        return (
            f"{state.view_kind} {state.current}  {where}{marked}  |  {self._viewer.question.query}"
        )

    def close(self) -> None:
        """Release the video's decoders; forks share them and leave them open."""
        if self._viewer is not None and not self.is_fork:
            self._viewer.source.close()


def _copies(seen: tuple[Observation, Info]) -> tuple[Observation, Info]:
    """Return what a viewer shows as its user's own; the viewer shows the same arrays again."""
    observation, info = seen
    return {key: value.copy() for key, value in observation.items()}, {
        key: value.copy() if isinstance(value, np.ndarray | dict) else value
        for key, value in info.items()
    }


class _Option(int):
    """An option's index in `info`, beside which a vector's other entries may be None or texts.

    Gymnasium stacks plain integers into an integer array, which can hold neither.
    """


class FrameSearchEnv(VideoAtlasEnv):
    """`VideoAtlas/FrameSearch-v0`: find the moment of any video that a picture shows.

    Every frame of every video is a possible task, so any folder of videos becomes an endless,
    exactly labelled set without annotation. The goal picture (`observation["goal"]`) is a frame of
    the video, degraded to a stated `hardness`; right is a single best item whose moment lies in the
    union of all spans over which the picture stays the same (`tasks.frame_search`). `subtitles` is
    None (those of timelines), "auto" or False. Everything else is as in `VideoAtlasEnv`.
    """

    def __init__(
        self,
        videos: str | Sequence[str | VideoSource] | VideoSource,
        *,
        hardness: float = 0.3,
        task_seed: int = 0,
        max_truth_share: float = 0.05,
        subtitles: Literal["auto", False] | None = None,
        **options: Any,
    ):
        tasks = FrameSearchTasks(
            videos,
            hardness=hardness,
            seed=task_seed,
            max_truth_share=max_truth_share,
            subtitles=subtitles,
        )
        super().__init__(tasks=tasks, **options)


def _advance(before: AtlasState, action: Action) -> tuple[AtlasState, bool]:
    """Apply an action; an illegal one is a counted step without effect, with the reason noted."""
    try:
        return atlas.apply(before, action), True
    except IllegalAction as error:
        return before.changed(steps=before.steps + 1, notice=str(error)), False
