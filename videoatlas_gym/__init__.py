"""Long videos as Gymnasium environments: grids of frames over the whole video, opened cell by cell.

Importing this package registers `ENVIRONMENTS` with Gymnasium. It never imports torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import gymnasium

from videoatlas_gym._lazy import lazy

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

__getattr__, __dir__ = lazy(__name__, _HOMES)
