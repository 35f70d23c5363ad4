"""What tests of comparisons share: small videos, a policy that watches, and short ways to play."""

import os
import sys
from unittest.mock import patch

from eval.compare import compare
from eval.records import read_records
from policies.base import Decision, Policy
from policies.baselines import Random, Uniform
from videoatlas_gym.actions import Action
from videoatlas_gym.video.synthesis import numbered_frames, write_video

SMALL = {"grid_size": 2, "tile_size": (32, 20)}
SMALL_FLAGS = ["--grid-size", "2", "--tile-size", "32x20"]
STORY = {"duration_seconds": 60.0, "worlds": 1, "per_world": 4}
no_plots = patch.dict(sys.modules, {"matplotlib": None})
"""Makes reports as where matplotlib is not installed: without pictures, in a tenth of the time."""


def write_videos(folder, count=3):
    """Write videos of eight seconds; return their folder."""
    for index in range(count):
        frames = numbered_frames(40, 96, 64, first_index=1000 * index)
        write_video(folder / f"match {index}.mp4", frames, frames_per_second=5)
    return folder


class Watcher(Policy):
    """Ends at once; remembers what it was given in `seen`: states, seeds, queries, tasks."""

    name = "watcher"

    def __init__(self, name="watcher", env_options=None, fails_with=None):
        self.name, self.env_options = name, env_options or {}
        self.fails_with, self.seen, self.sheets = fails_with or {}, [], []

    def act(self, observation, info):
        """End the episode, or fail in those that were named."""
        self.seen.append((self.world.state, self.seed, info["query"], self.task))
        self.sheets.append(observation["view"].shape)
        if error := self.fails_with.get(len(self.seen)):
            raise error
        has_options = self.world.state.rules.num_options > 0
        return Decision(Action("ANSWER", answer=0) if has_options else Action("FINISHED"))


class Killer(Random):
    """Takes its process down when it meets the task of a seed."""

    name = "killer"

    def __init__(self, seed):
        super().__init__()
        self.deadly = seed

    def act(self, observation, info):
        """Act at random, unless the seed is the deadly one."""
        if self.seed == self.deadly:
            os._exit(9)
        return super().act(observation, info)


def play(out, *policies, **options):
    """Compare policies on small grids, without drawing; return the report and the records."""
    defaults = {"episodes": 4, "depths": [0, 1], "sheets": 0} | SMALL
    with no_plots:
        text = compare(policies=policies or (Random(), Uniform()), out=out, **defaults | options)
    return text, read_records(out)


def lasting(records):
    """Return what is to be equal in equal runs, in the order of the records."""
    return [record.lasting() for record in records]


def files_of(out):
    """Return the bytes of all trajectories and pictures of a run, by name."""
    folders = (out / "trajectories", out / "sheets")
    return {path.name: path.read_bytes() for folder in folders for path in folder.iterdir()}
