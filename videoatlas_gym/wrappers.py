"""Wrappers: other shapes of the same environment for learners, models and controls.

Each keeps the masks and the forks of what it wraps (`fork` wraps the fork alike).

- `ArrayObservation`: text becomes fixed features, for Stable-Baselines3.
- `ToolCalls`: actions as tool calls with arguments, for language models.
- `BlindObservation`: pictures and subtitles hidden; what is left must not be enough.
- `ShuffledObservation`: the timeline in another order; tells whether order matters.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from videoatlas_gym.actions import (
    ACTIONS,
    Action,
    codes,
    decode,
    encode,
    from_tool_call,
    tool_schema,
)
from videoatlas_gym.errors import shown
from videoatlas_gym.render import HIDDEN_RGB
from videoatlas_gym.span import Cell, Span, split
from videoatlas_gym.subtitles import Subtitles
from videoatlas_gym.video import ConcatSource, Part, VideoSource

FEATURES = 256
"""Length of a text's feature vector."""


class _AtlasWrapper(gym.Wrapper, RecordConstructorArgs):
    """Keeps `action_masks` and `fork` working through any stack of wrappers."""

    def __init__(self, env: gym.Env, **arguments: Any):
        RecordConstructorArgs.__init__(self, **arguments)
        gym.Wrapper.__init__(self, env)
        self._arguments = arguments

    def _seen(self, observation: dict, info: dict) -> tuple[dict, dict]:
        """Change what is seen; the default changes nothing."""
        return observation, info

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        """Begin an episode; see `VideoAtlasEnv.reset`."""
        return self._seen(*self.env.reset(seed=seed, options=options))

    def step(self, action: Any):
        """Take an action; see `VideoAtlasEnv.step`."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        observation, info = self._seen(observation, info)
        return observation, reward, terminated, truncated, info

    def refuse(self, reason: str):
        """Count a step for a request that names no action; see `VideoAtlasEnv.refuse`."""
        observation, *outcome, info = self.env.get_wrapper_attr("refuse")(reason)
        observation, info = self._seen(observation, info)
        return observation, *outcome, info

    def observe(self) -> tuple[dict, dict]:
        """Return what is seen now, without a step."""
        return self._seen(*self.env.get_wrapper_attr("observe")())

    def action_masks(self) -> NDArray[np.bool_]:
        """Return what is legal now as bools, shape (n_actions,)."""
        return self.env.get_wrapper_attr("action_masks")()

    def fork(self, cell: Cell | None = None) -> gym.Env:
        """Return a fork of the wrapped environment, wrapped alike; see `VideoAtlasEnv.fork`."""
        return type(self)(self.env.get_wrapper_attr("fork")(cell), **self._arguments)


class ArrayObservation(_AtlasWrapper):
    """Replaces text by features, so that the observation is a flat Dict of arrays.

    `query` and `subtitles` become `query_features`, `option_features` and `subtitle_features`,
    float32 (256,) each: words hashed to signed places (`text_features`), scaled to unit length.
    """

    def __init__(self, env: gym.Env):
        super().__init__(env)
        parts = dict(env.observation_space.spaces)
        del parts["query"], parts["subtitles"]
        for name in ("query_features", "option_features", "subtitle_features"):
            parts[name] = spaces.Box(-1, 1, (FEATURES,), np.float32)
        self.observation_space = spaces.Dict(parts)

    def _seen(self, observation: dict, info: dict) -> tuple[dict, dict]:
        arrays = {k: v for k, v in observation.items() if k not in ("query", "subtitles")}
        arrays["query_features"] = text_features(info["query"])
        numbered = (f"{i}_{word}" for i, text in enumerate(info["options"]) for word in words(text))
        arrays["option_features"] = text_features(" ".join(numbered), split=str.split)
        arrays["subtitle_features"] = text_features(" ".join(info["subtitles"]))
        return arrays, info


_CJK = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"


def words(text: str) -> list[str]:
    """Split a text into lower-case words; Chinese, Japanese and Korean into characters."""
    text = unicodedata.normalize("NFKC", text).casefold()
    # To `re` no combining mark is a letter, but vowels of Thai and Devanagari are such marks.
    marks = "".join(sorted({sign for sign in text if unicodedata.category(sign)[0] == "M"}))
    letter = rf"(?![{_CJK}])[^\W_]"
    return re.findall(rf"[{_CJK}]|{letter}(?:{letter}|[\u0300-\u036f{marks}])*", text)


def text_features(text: str, split: Any = words) -> NDArray[np.float32]:
    """Return a text as float32 (256,) of unit length, or zeros if it has no words.

    The hashing trick (Weinberger et al. 2009): BLAKE2b of each word and of each pair of
    neighbouring words gives a place (mod 256) and a sign (the next bit); the counts are scaled to
    unit length. The same on every machine.
    """
    features = np.zeros(FEATURES, np.float32)
    found = split(text)
    for token in (*found, *(f"{a} {b}" for a, b in zip(found, found[1:], strict=False))):
        number = int.from_bytes(hashlib.blake2b(token.encode(), digest_size=4).digest(), "little")
        features[number % FEATURES] += 1.0 if (number >> 8) & 1 else -1.0
    norm = np.linalg.norm(features)
    return features / norm if norm > 0 else features


class ToolCalls(_AtlasWrapper):
    """Takes tool calls instead of codes: ``{"name": "expand", "arguments": {"cell": 12}}``.

    A list of calls is taken one step each, until one is illegal, displays other cells or ends the
    episode; the reward is the sum, and so is each entry of `info["reward_terms"]`. What is wrong
    with a call is said in `info["last_error"]` and costs a step; nothing that a model writes
    raises. `tools()` returns the JSON schemas of what is legal now. Plain codes and `Action` are
    taken as well.
    """

    MOVES = (
        "EXPAND",
        "INVESTIGATE_BEFORE",
        "INVESTIGATE_AFTER",
        "BACKTRACK",
        "FINISHED",
        "ANSWER",
    )
    """Verbs after which the cells that later calls refer to are no longer displayed."""

    def tools(self) -> list[dict[str, Any]]:
        """Return the legal actions as JSON-schema functions, in the order of the action table."""
        mask = self.action_masks()
        count = self.unwrapped.state.num_cells
        options = self.unwrapped.state.rules.num_options
        return [
            tool_schema(verb, count, options) for verb in ACTIONS if mask[codes(verb, count)].any()
        ]

    def step(self, action: Any):
        """Take one or several tool calls; `info["calls_taken"]` says how many were."""
        calls = action if isinstance(action, list | tuple) and action else [action]
        total, taken, terms = 0.0, 0, Counter()
        for call in calls:
            observation, reward, terminated, truncated, info, moved = self._one(call)
            total, taken = total + reward, taken + 1
            terms.update(info.get("reward_terms", {}))
            if terminated or truncated or moved or info["last_error"]:
                break
        info["calls_taken"] = taken
        if terms:
            info["reward_terms"] = dict(terms)
        return observation, total, terminated, truncated, info

    def _one(self, call: Any):
        num_cells = self.unwrapped.num_cells
        try:
            action = _read_call(call, num_cells)
            encode(action, num_cells)
        except ValueError as error:
            return (*self.env.get_wrapper_attr("refuse")(str(error)), False)
        return (*self.env.step(action), action.verb in self.MOVES)


def _read_call(call: Any, num_cells: int) -> Action:
    if isinstance(call, Action):
        return call
    if isinstance(call, int | np.integer) and not isinstance(call, bool):
        return decode(int(call), num_cells)
    if not isinstance(call, dict) or not {"name"} <= set(call) <= {"name", "arguments", "id"}:
        raise ValueError(
            "a tool call is {'name': ..., 'arguments': {...}}, for example "
            "{'name': 'expand', 'arguments': {'cell': 12}}; "
            f"got {shown(call)}."
        )
    return from_tool_call(call["name"], call.get("arguments") or {})


class BlindObservation(_AtlasWrapper):
    """Hides what is seen and said: grey pictures, no subtitles, no frames.

    Question, options, masks and position stay. What a policy scores like this, it does not get from
    the video (VBenchComp's control for language priors). The goal picture of a task stays too.
    """

    def _seen(self, observation: dict, info: dict) -> tuple[dict, dict]:
        grey = {k: np.full_like(observation[k], HIDDEN_RGB[0]) for k in ("view", "scratchpad")}
        texts = {"subtitles", "subtitle_features"} & set(observation)
        blank = {k: np.zeros_like(observation[k]) for k in texts}
        hidden = {k: v for k, v in info.items() if k not in ("frame", "strip", "representative")}
        hidden["subtitles"] = ("",) * len(info["subtitles"])
        if "evidence" in hidden:
            hidden["evidence"] = [item | {"subtitle": ""} for item in hidden["evidence"]]
        return observation | grey | blank, hidden


class ShuffledObservation(_AtlasWrapper):
    """Shows the video with its root cells in another order, while all times stay as they are.

    The timeline is cut into the K * K spans of the root grid and laid out again in an order drawn
    from `seed`; grids, scans, zooms, scratchpad and subtitles all show that timeline. Where a
    policy loses nothing by it, order did not matter for its answers (VBenchComp's control). Meant
    for questions with an answer: truth spans keep the times of the original.
    """

    def __init__(self, env: gym.Env, seed: int = 0):
        super().__init__(env, seed=seed)
        base = env.unwrapped
        order = np.random.default_rng(seed).permutation(base.num_cells)
        base.lens = partial(_shuffled, order=tuple(int(i) for i in order))


def _shuffled(
    source: VideoSource, subtitles: Subtitles, *, order: tuple[int, ...]
) -> tuple[VideoSource, Subtitles]:
    edges = split(Span(0.0, source.duration_seconds), len(order)).tolist()
    parts = []
    for start, end in ((edges[i], edges[i + 1]) for i in order):
        # A microsecond less, so that rounding moves no cue into the neighbouring cell.
        said = subtitles.clipped(start + 1e-6, end - 1e-6)
        parts.append(Part(source, start, end, subtitles=said))
    shuffled = ConcatSource(parts)
    return shuffled, shuffled.subtitles
