"""Long videos as Gymnasium environments: grids of frames over the whole video, opened cell by cell.

Importing this package registers `ENVIRONMENTS` with Gymnasium. It never imports torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import gymnasium

if TYPE_CHECKING:
    from videoatlas_gym.actions import ACTIONS, Action
    from videoatlas_gym.env import FrameSearchEnv, VideoAtlasEnv
    from videoatlas_gym.errors import IllegalAction
    from videoatlas_gym.span import Cell, GridGeometry, Span
    from videoatlas_gym.state import AtlasState
    from videoatlas_gym.story.env import StoryEnv
    from videoatlas_gym.usage import Budget, BudgetExceeded, Usage
    from videoatlas_gym.wrappers import (
        ArrayObservation,
        BlindObservation,
        ShuffledObservation,
        ToolCalls,
    )

__version__ = "0.1.0"

_HOMES = {
    "ACTIONS": "actions",
    "Action": "actions",
    "ArrayObservation": "wrappers",
    "AtlasState": "state",
    "BlindObservation": "wrappers",
    "Budget": "usage",
    "BudgetExceeded": "usage",
    "Cell": "span",
    "FrameSearchEnv": "env",
    "GridGeometry": "span",
    "IllegalAction": "errors",
    "ShuffledObservation": "wrappers",
    "Span": "span",
    "StoryEnv": "story.env",
    "ToolCalls": "wrappers",
    "Usage": "usage",
    "VideoAtlasEnv": "env",
}
"""Names and the modules that they are imported from when first used, so that importing is quick."""

__all__ = [
    "ACTIONS",
    "ENVIRONMENTS",
    "Action",
    "ArrayObservation",
    "AtlasState",
    "BlindObservation",
    "Budget",
    "BudgetExceeded",
    "Cell",
    "FrameSearchEnv",
    "GridGeometry",
    "IllegalAction",
    "ShuffledObservation",
    "Span",
    "StoryEnv",
    "ToolCalls",
    "Usage",
    "VideoAtlasEnv",
]

ENVIRONMENTS: dict[str, str] = {
    "VideoAtlas-v0": "videoatlas_gym.env:VideoAtlasEnv",
    "VideoAtlas/FrameSearch-v0": "videoatlas_gym.env:FrameSearchEnv",
    "VideoAtlas/Story-v0": "videoatlas_gym.story.env:StoryEnv",
}
"""Environment ids and the classes they make."""

for _id, _entry_point in ENVIRONMENTS.items():
    gymnasium.register(_id, entry_point=_entry_point)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
