"""StoryEnv: questions about procedural worlds as an environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from videoatlas_gym.env import VideoAtlasEnv
from videoatlas_gym.story.difficulty import Difficulty
from videoatlas_gym.story.questions import QUESTION_FAMILIES
from videoatlas_gym.story.tasks import StoryTasks


class StoryEnv(VideoAtlasEnv):
    """`VideoAtlas/Story-v0`: questions with verified answers about a procedural video.

    The video has chapters (a theme each), scenes (a place each), shots and events: an object of
    some colour and shape that carries two digits for some seconds. Coarse views tell where to look,
    fine views are needed to answer, and the subtitles tell a part of it. Nothing is read from disk:
    frames are drawn when they are looked at, and a ten-hour world is had in a moment.

    ## Arguments
    - `duration_seconds`: length of every video, from 30 s.
    - `worlds`: number of worlds, None (default) for no end of them; `per_world`: tasks of each.
    - `families`: what is asked. Questions: detail, order, count, duration, before_after, where,
      summary, grounding (all by default); or needles, which have a goal picture: needle_visible,
      needle_hidden.
    - `split`: "train", "validation" or "test", which share no world; `task_seed`: others of it.
    - `difficulty`: "easy", "medium", "hard", or a dict of the numbers of `story.Difficulty`.
    - `frames_per_second`, `needle_seconds`: rate of the video, length of a needle.
    - `render_to`: a folder to encode each world to, once, and to play it from.

    Everything else is as in `VideoAtlasEnv`.

    ## Version History
    - v0: first version
    """

    def __init__(
        self,
        duration_seconds: float = 3600.0,
        *,
        worlds: int | None = None,
        per_world: int = 20,
        families: Sequence[str] = QUESTION_FAMILIES,
        split: str = "train",
        task_seed: int = 0,
        difficulty: str | Difficulty | Mapping[str, object] = "medium",
        frames_per_second: int = 10,
        needle_seconds: float = 2.0,
        render_to: str | Path | None = None,
        **options: Any,
    ):
        tasks = StoryTasks(
            duration_seconds,
            worlds,
            per_world,
            families,
            split=split,
            seed=task_seed,
            difficulty=difficulty,
            frames_per_second=frames_per_second,
            needle_seconds=needle_seconds,
            render_to=render_to,
        )
        super().__init__(tasks=tasks, **options)
