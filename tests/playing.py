"""Playing without a video: fresh states, written moves, and random masked episodes."""

import numpy as np

from videoatlas_gym.actions import ACTIONS, Action, codes, decode
from videoatlas_gym.atlas import action_mask, apply
from videoatlas_gym.memory import DeadZones
from videoatlas_gym.span import GridGeometry
from videoatlas_gym.state import AtlasState, Rules


def start(seconds=256.0, grid_size=2, frame_seconds=0.04, zones=(), **rules):
    """Return a fresh state; the depth budget is automatic unless given."""
    geometry = GridGeometry(seconds, grid_size, frame_seconds)
    depth = geometry.auto_depth(rules.get("min_expand_seconds", 1.0))
    rules = Rules(**{"max_depth": depth} | rules)
    return AtlasState(geometry, rules, dead_zones=DeadZones().add(*zones))


def play(state, *steps):
    """Apply actions written as ``EXPAND 3``."""
    for step in steps:
        verb, _, index = step.partition(" ")
        kind = ACTIONS[verb].argument
        state = apply(state, Action(verb, **({kind: int(index)} if kind else {})))
    return state


def legal(state, verb):
    """Return the indices of a verb that the mask allows."""
    return list(np.flatnonzero(action_mask(state)[codes(verb, state.num_cells)]))


def verbs(state):
    """Return the verbs that the mask allows."""
    return {verb for verb in ACTIONS if legal(state, verb)}


def random_action(state, rng, endings=0.05, keeping=0.3):
    """Draw a verb among the legal ones, then an index.

    An episode ends with chance `endings`; evidence is kept `keeping` times as often as others act.
    """
    goes_on = state.rules.traversal == "bfs" and state.queue
    weights = {verb: 1.0 for verb in sorted(verbs(state))}
    for verb in ("FINISHED", "ANSWER"):
        if verb in weights and not (verb == "FINISHED" and goes_on):
            weights[verb] = endings * len(weights)
    if "ADD_TO_SCRATCHPAD" in weights:
        weights["ADD_TO_SCRATCHPAD"] = keeping
    chances = np.array([*weights.values()])
    verb = str(rng.choice([*weights], p=chances / chances.sum()))
    index = int(rng.choice(legal(state, verb)))
    code = codes(verb, state.num_cells).start + index
    if verb != "ADD_TO_SCRATCHPAD":
        return decode(code, state.num_cells)
    return Action(verb, index, note="seen", confidence=float(rng.choice([0.5, 0.7, 0.9, 1.0])))


def random_start(rng, grid_size, traversal):
    """Return a fresh state under random options, of 0.5 s to 10 h."""
    seconds = float(np.exp(rng.uniform(np.log(0.5), np.log(36_000.0))))
    min_expand = float(rng.choice([0.0, 1.0]))
    frame_seconds = float(rng.choice([1 / 60, 0.04, 0.5]))
    auto = GridGeometry(seconds, grid_size, frame_seconds).auto_depth(min_expand)
    return start(
        seconds,
        grid_size,
        frame_seconds,
        traversal=traversal,
        max_depth=int(rng.choice([auto, max(0, auto - 1), 0], p=[0.7, 0.2, 0.1])),
        num_options=int(rng.choice([0, 4, 8])),
        min_expand_seconds=min_expand,
        investigate_seconds=float(rng.choice([5.0, 30.0, 300.0])),
        dead_zones=str(rng.choice(["on_leave", "on_leave", "never"])),
        finish_requires_evidence=bool(rng.integers(2)),
    )


def random_fork(state, rng):
    """Return a fork of the same place, or of a random cell of the grid that can be opened."""
    cells = [state.current.child(int(i)) for i in np.flatnonzero(state.expandable)]
    if state.scan or not cells or rng.integers(2):
        return state.fork()
    return state.fork(cells[rng.integers(len(cells))])
