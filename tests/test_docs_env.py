"""The tables in the environment's docstring say what the code does."""

import inspect
import math
import re

import numpy as np
from worlds import TILE, DrawnSource, KeyedSource, act, choice, small_env, spoken, walk

from videoatlas_gym import ACTIONS, FrameSearchEnv, VideoAtlasEnv
from videoatlas_gym.actions import MAX_CHOICES, Action, codes
from videoatlas_gym.observation import POSITION_FIELDS
from videoatlas_gym.rewards import REWARD_PRESETS, REWARD_TERMS
from videoatlas_gym.span import Span

TEXT = VideoAtlasEnv.__doc__


def section(heading):
    """The lines under a heading, up to the next of its kind."""
    return re.split(r"\n    ## ", TEXT.split(f"## {heading}\n")[1])[0]


def table(heading):
    """The rows of a section's table by first cell, the other cells in order; checks its shape."""
    lines = [line.strip() for line in section(heading).splitlines() if "|" in line[:6]]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert len({len(row) for row in rows}) == 1 and set(rows[1]) == {"---"}
    return {row[0]: row[1:] for row in rows[2:]}


def evaluated(shape, **names):
    """A shape as written, such as ``(K h, 6 n + 10, 3)``, with numbers for its letters."""
    return tuple(
        sum(
            math.prod(int(names.get(factor, factor)) for factor in product.split())
            for product in entry.split("+")
        )
        for entry in shape.strip("()").split(",")
        if entry.strip()
    )


def test_the_action_table_has_the_order_and_widths_of_the_codes():
    rows = table("Action Space")
    assert list(rows) == list(ACTIONS)
    for verb, (width, *_) in rows.items():
        span = codes(verb, 9)
        assert span.stop - span.start == {"n": 9}.get(width) or int(width)
    assert f"``Discrete(6 * n + 2 + {MAX_CHOICES})``" in TEXT
    assert small_env(grid_size=3).action_space.n == 6 * 9 + 2 + MAX_CHOICES


def test_the_observation_table_has_the_keys_shapes_and_types_of_the_space():
    rows = table("Observation Space")
    env = FrameSearchEnv(DrawnSource(), grid_size=3, tile_size=TILE)
    assert set(rows) == set(env.observation_space.spaces)
    assert set(rows) - {"goal"} == set(small_env().observation_space.spaces)
    width, height = TILE
    for key, (shape, dtype, _) in rows.items():
        space = env.observation_space[key]
        assert evaluated(shape, K=3, n=9, h=height, w=width) == space.shape, key
        assert dtype == space.dtype.name, key
    assert rows["goal"][-1].endswith("picture tasks only")


def test_the_position_fields_are_explained_in_their_order():
    text = section("Observation Space").split("`position` holds:")[1]
    described = sorted(POSITION_FIELDS, key=lambda name: re.search(rf"\b{name}\b", text).start())
    # The text names queue_length together with evidence_count.
    assert [f for f in described if f != "evidence_count"] == [
        field for field in POSITION_FIELDS if field != "evidence_count"
    ]


def test_the_reward_table_has_the_terms_and_the_presets_weights():
    rows = table("Rewards")
    assert list(rows) == list(REWARD_TERMS)
    for column, preset in enumerate(("sparse", "shaped")):
        weights = {name: float(row[column]) for name, row in rows.items() if row[column] != "-"}
        assert weights == REWARD_PRESETS[preset]
    assert set(REWARD_PRESETS) == {"sparse", "shaped"}


def infos():
    """Infos of every kind: (info, what it should be documented for)."""
    cues = spoken(256.0)
    env = small_env(choice(DrawnSource(), subtitles=cues), budget={"frames": 30})
    yield env.reset()[1], {"always"}
    kinds = {"zoom": {"zoom"}, "grid": set(), "scan": set()}
    for _, _, terminated, truncated, info in walk(env, 150, seed=1):
        after_step = {"after a step"} if "reward_terms" in info else set()
        end = {"end"} if terminated or truncated else set()
        yield info, {"always"} | kinds[info["view_kind"]] | after_step | end
    env = small_env(choice(DrawnSource(2.0)), strip=True)
    env.reset()
    yield act(env, Action("ZOOM", 0))[1], {"always", "after a step", "zoom", "zoom with strip"}
    env = small_env(choice(KeyedSource()), representative="keyframe")
    yield env.reset()[1], {"always", "keyframe"}
    source = DrawnSource()
    env = small_env(choice(source))
    env.reset()
    source.broken = Span(0.0, 256.0)
    yield env.step(Action("EXPAND", 0))[-1], {"always", "end"}


def test_the_information_table_has_the_keys_that_occur():
    rows = table("Information")
    always = {key for key, (when, _) in rows.items() if when == "always"}
    seen = set()
    for info, times in infos():
        assert always <= set(info)
        assert set(info) <= {key for key, (when, _) in rows.items() if when in times}
        seen |= set(info)
    assert seen == set(rows)


def test_what_is_said_of_information_holds():
    env = small_env(choice(DrawnSource(), subtitles=spoken(256.0)), grid_size=3)
    _, info = env.reset()
    assert info["spans"].shape == (9, 2) and info["spans"].dtype == np.float64
    assert isinstance(info["subtitles"], tuple) and len(info["subtitles"]) == 9
    assert all(len(text) <= 120 and text.count(" | ") <= 2 for text in info["subtitles"])
    _, info = act(env, Action("ADD_TO_SCRATCHPAD", 0), Action("ANSWER", answer=1))
    names = re.search(r"\| evidence \| end \| items: (.*) \|", TEXT)[1].split(", ")
    assert set(names) <= set(info["evidence"][0])


def test_every_argument_is_explained():
    text = section("Arguments")
    for name in inspect.signature(VideoAtlasEnv).parameters:
        assert f"`{name}`" in text, name


def test_the_headings_are_those_of_gymnasium():
    headings = re.findall(r"\n    ## (.*)", TEXT)
    assert headings == [
        *("Description", "Action Space", "Observation Space", "Rewards", "Starting State"),
        *("Episode End", "Information", "Arguments", "References", "Version History"),
    ]
