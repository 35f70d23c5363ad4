"""Procedural worlds: long videos with chapters, scenes and events, and questions about them.

What happens is planned in frames (`plan`, `needles`), drawn when it is looked at (`source`), told
(`narration`) and asked (`questions`, `tasks`). See docs/story.md.
"""

from videoatlas_gym.story.difficulty import DIFFICULTIES, Difficulty, make_difficulty
from videoatlas_gym.story.narration import narration
from videoatlas_gym.story.needles import Needle, Stretch
from videoatlas_gym.story.plan import Chapter, Event, Scene, StoryWorld
from videoatlas_gym.story.questions import FAMILIES, PICTURE_FAMILIES, QUESTION_FAMILIES
from videoatlas_gym.story.source import StorySource, write_story
from videoatlas_gym.story.tasks import SPLITS, StoryTasks

__all__ = [
    "DIFFICULTIES",
    "FAMILIES",
    "PICTURE_FAMILIES",
    "QUESTION_FAMILIES",
    "SPLITS",
    "Chapter",
    "Difficulty",
    "Event",
    "Needle",
    "Scene",
    "StorySource",
    "StoryTasks",
    "StoryWorld",
    "Stretch",
    "make_difficulty",
    "narration",
    "write_story",
]
