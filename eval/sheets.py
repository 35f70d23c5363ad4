"""The picture of an episode: a film strip of what was seen on the way, then what was kept.

Made by replaying the trajectory where it was played, so the pictures come from the cache.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from policies.rollout import Episode
from videoatlas_gym.actions import Action
from videoatlas_gym.env import VideoAtlasEnv
from videoatlas_gym.observation import SCRATCHPAD_COLUMNS, SCRATCHPAD_ROWS
from videoatlas_gym.render import EMPTY_RGB, clock, letterbox, page
from videoatlas_gym.span import Cell
from videoatlas_gym.state import AtlasState, Scan
from videoatlas_gym.tasks import Task
from videoatlas_gym.trajectory import replay
from videoatlas_gym.usage import BudgetExceeded
from videoatlas_gym.video import VideoError

MAX_VIEWS = 12
COLUMNS = 4
VIEW_PX = (296, 240, 200)
"""Widths of a view in the strip, in order of preference: a file that gets too big gets smaller."""
GAP_PX = 4
MAX_BYTES = 60_000
QUALITY = 80

Picture = NDArray[np.uint8]
Place = tuple[Cell, Scan | None, int | None]
Captioned = tuple[str, Picture]


def draw_sheet(env: VideoAtlasEnv, episode: Episode, title: str) -> bytes | None:
    """Return the picture of an episode as a JPEG file, 812 to 1196 pixels wide.

    Up to `MAX_VIEWS` views, evenly chosen from those of different places in the order in which the
    agent first came there, each under its step, action and time span; below them the scratchpad,
    and the goal picture where there is one. Looks ahead on forks are not shown.

    Args:
        env: The environment that it was played in; it is left at the end of the episode.
        episode: What came out, with its trajectory.
        title: What the first line begins with.

    Returns:
        None where the video cannot be shown again, or nothing was ever shown.
    """
    if episode.trajectory is None:
        return None
    try:
        views, last = _replayed(env, episode)
    except (VideoError, BudgetExceeded):
        return None
    chosen = np.linspace(0, len(views) - 1, min(len(views), MAX_VIEWS)).round().astype(int)
    shown = f"{len(chosen)} of {len(views)} places seen are shown"
    lines = [f"{title} | {_outcome(episode)} | {shown}", *_asked(env.task)]
    strip, kept = [views[index] for index in chosen], _kept(env, last)
    for view_px in VIEW_PX:
        content = _jpeg(_laid_out(lines, strip, kept, view_px))
        if len(content) <= MAX_BYTES:
            break
    return content


def _replayed(
    env: VideoAtlasEnv, episode: Episode
) -> tuple[list[Captioned], dict[str, NDArray[Any]]]:
    """Return the captioned views of all places in order, and the last observation."""
    views: dict[Place, Captioned] = {}
    moments = replay(env, episode.trajectory)
    for moment, action in zip(moments, _actions(episode), strict=True):
        state, observation = env.state, moment[0]
        place = state.current, state.scan, state.zoomed
        if place not in views:
            caption = f"{state.steps} {_said(action)} | {_where(state)}"
            views[place] = caption, _at_width(observation["view"], VIEW_PX[0])
    return list(views.values()), observation


def _actions(episode: Episode) -> Iterator[Action | None]:
    """Yield what led to each moment of the replay: None for the reset and for merges."""
    yield None
    for event in episode.trajectory.events:
        if "fork" not in event:
            is_action = event["type"] == "action"
            yield Action.from_json(event["action"]) if is_action else None


def _asked(task: Task) -> list[str]:
    """Return the question, and the options with a mark at the right one."""
    options = (
        f"{i} {text}{' (right)' * (i == task.answer)}" for i, text in enumerate(task.options)
    )
    return [task.query, " | ".join(options)] if task.options else [task.query]


def _said(action: Action | None) -> str:
    if action is None:
        return "first view"
    argument = action.answer if action.cell is None else action.cell
    return action.verb if argument is None else f"{action.verb} {argument}"


def _where(state: AtlasState) -> str:
    view = state.view
    if state.zoomed is not None:
        return f"at {clock(float(view.moments[state.zoomed]))}"
    return f"{clock(float(view.starts[0]))} - {clock(float(view.ends[-1]))}"


def _outcome(episode: Episode) -> str:
    usage = episode.usage
    answer = "" if episode.answer is None else f", answer {episode.answer}"
    ended = f", out of {episode.budget_exceeded}" if episode.budget_exceeded else ""
    return f"score {episode.score:.2f}{answer}, {usage.steps} steps, {usage.frames} frames{ended}"


def _kept(env: VideoAtlasEnv, observation: dict[str, NDArray[Any]]) -> list[Captioned]:
    """Return the rows of the scratchpad that are in use, and the goal."""
    count, pad = len(env.state.scratchpad), observation["scratchpad"]
    num_rows = min(SCRATCHPAD_ROWS, max(1, -(-count // SCRATCHPAD_COLUMNS)))
    kept = [(f"{count} kept", pad[: num_rows * pad.shape[0] // SCRATCHPAD_ROWS])]
    return [*kept, ("goal", observation["goal"])] if "goal" in observation else kept


def _laid_out(
    lines: list[str], views: list[Captioned], kept: list[Captioned], view_px: int
) -> Picture:
    """Put headlines, the strip and what was kept under each other."""
    width = COLUMNS * (view_px + GAP_PX) - GAP_PX
    rows = [_headline(line, width) for line in lines]
    for first in range(0, len(views), COLUMNS):
        rows.append(_row([(*view, view_px) for view in views[first : first + COLUMNS]], width))
    widths = (2 * view_px + GAP_PX, view_px)
    rows.append(_row([(*part, px) for part, px in zip(kept, widths, strict=False)], width))
    return np.concatenate(rows)


def _headline(line: str, width: int) -> Picture:
    nothing = np.empty((0, width, 3), np.uint8)
    return page(nothing, nothing[:, :0], line)


def _row(parts: list[tuple[str, Picture, int]], width: int) -> Picture:
    """Lay captioned pictures side by side, each at its width, with a gap below."""
    drawn = [_captioned(caption, _at_width(picture, px)) for caption, picture, px in parts]
    height = max(picture.shape[0] for picture in drawn) + GAP_PX
    canvas = np.full((height, width, 3), EMPTY_RGB, np.uint8)
    left = 0
    for picture in drawn:
        canvas[: picture.shape[0], left : left + picture.shape[1]] = picture
        left += picture.shape[1] + GAP_PX
    return canvas


def _captioned(caption: str, picture: Picture) -> Picture:
    return page(picture, np.empty((picture.shape[0], 0, 3), np.uint8), caption)


def _at_width(picture: Picture, width: int) -> Picture:
    return letterbox(picture, width, round(picture.shape[0] * width / picture.shape[1]))


def _jpeg(picture: Picture) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return buffer.getvalue()
