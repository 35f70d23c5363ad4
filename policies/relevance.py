"""How promising each cell of a view looks: the protocol, the table of scorers, their combination.

A scorer plugs into every traversal: a new one is a class and a line in `SCORERS`.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from policies.base import Info, Observation
from policies.scorers import Change, ColourShare, PictureSimilarity, SubtitleMatch


class RelevanceScorer(Protocol):
    """Scores the cells of a view; cells of different views are compared by it.

    It is asked once per newly opened view, the first view of an episode first. One that remembers
    things forgets them there (``observation["path"][0] < 0``).
    """

    def __call__(self, observation: Observation, info: Info) -> NDArray[np.float64]:
        """Return the relevance of each displayed cell, in [0, 1], shape (n,)."""


WEIGHTS = {"subtitles": 0.6, "colour": 0.39, "change": 0.01}
"""Of `Combined` for tasks without a goal picture; they sum to 1. Change only breaks ties."""


class Combined:
    """The picture alone where there is a goal, else a weighted mean (`WEIGHTS`) of the rest.

    Subtitles outweigh colours: a spoken name is more certain than a few pixels. Where neither says
    anything the order is that of change, close to 0.5.
    """

    def __init__(self) -> None:
        self._picture = PictureSimilarity()
        self._parts: dict[str, RelevanceScorer] = {
            "subtitles": SubtitleMatch(),
            "colour": ColourShare(),
            "change": Change(),
        }

    def __call__(self, observation: Observation, info: Info) -> NDArray[np.float64]:
        """Return the relevance of each displayed cell, in [0, 1], shape (n,)."""
        if "goal" in observation:
            return self._picture(observation, info)
        scores = [WEIGHTS[name] * part(observation, info) for name, part in self._parts.items()]
        return np.sum(scores, axis=0)


SCORERS: dict[str, type[RelevanceScorer]] = {
    "picture": PictureSimilarity,
    "subtitles": SubtitleMatch,
    "colour": ColourShare,
    "change": Change,
    "combined": Combined,
}
