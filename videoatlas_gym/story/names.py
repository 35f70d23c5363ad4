"""The words of the story worlds: what a chapter, a scene and an object can be called.

Plans, pictures and questions share these names and nothing else. Orders are fixed: a seeded draw
from a tuple means the same for ever, so new names go to the end.
"""

from __future__ import annotations

SIZE = (480, 270)
"""Width and height of every frame in pixels."""

THEME_TITLES = {
    "snow": "The Frozen North",
    "desert": "The Silent Dunes",
    "forest": "The Whispering Woods",
    "city": "The Grey Metropolis",
    "night": "The Land of Stars",
    "island": "The Southern Isles",
    "mountain": "The High Peaks",
    "meadow": "The Spring Meadows",
    "autumn": "The Falling Leaves",
    "volcano": "The Smoking Mountain",
    "marsh": "The Misty Marsh",
    "canyon": "The Painted Canyon",
}
"""The title on the caption card of a chapter, by theme."""

THEMES = tuple(THEME_TITLES)
"""What a chapter looks like."""

PLACES = (
    "harbour",
    "market",
    "bridge",
    "tower",
    "station",
    "windmill",
    "lighthouse",
    "castle",
    "farm",
    "temple",
    "garden",
    "observatory",
)
"""Where a scene plays; the landmark in the picture tells."""

COLOUR_RGB = {
    "red": (222, 22, 38),
    "orange": (255, 124, 0),
    "yellow": (250, 214, 0),
    "green": (16, 168, 52),
    "blue": (20, 92, 232),
    "purple": (152, 32, 208),
}
"""The colours of objects, far apart in hue and more saturated than any background."""

COLOURS = tuple(COLOUR_RGB)
"""The names of the objects' colours."""

SHAPES = ("triangle", "circle", "square", "star", "diamond", "hexagon", "cross", "heart")
"""The outlines of objects."""
