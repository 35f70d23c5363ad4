"""What every registered environment promises: Gymnasium, SB3, masks, determinism."""

import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from worlds import TILE, DrawnSource, act, choice, digest, flat, same, spoken, walk

from videoatlas_gym import ENVIRONMENTS, ArrayObservation
from videoatlas_gym.actions import Action, codes, num_actions
from videoatlas_gym.video import TileCache
from videoatlas_gym.video.cache import default_cache


def world():
    return DrawnSource(200.0, 4.0, seed=1)


ARGUMENTS = {
    "VideoAtlas-v0": lambda: {"tasks": choice(world(), subtitles=spoken(200.0))},
    "VideoAtlas/FrameSearch-v0": lambda: {"videos": world()},
    "VideoAtlas/Story-v0": lambda: {"duration_seconds": 200},
}
"""What an id needs to be made; nothing unless listed."""

every_id = pytest.mark.parametrize("name", ENVIRONMENTS)


def made(name, **options):
    given = ARGUMENTS.get(name, dict)()
    return gym.make(name, **({"grid_size": 2, "tile_size": TILE} | given | options))


def needed(module):
    """Import a module of an extra: its absence skips the test here, and fails where CI=true."""
    if os.environ.get("CI") == "true":
        return __import__(module, fromlist=["*"])
    return pytest.importorskip(module, reason=f"{module} is missing: install the extra sb3")


@every_id
def test_gymnasium_finds_nothing_to_complain_about(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(made(name).unwrapped)


@every_id
def test_sb3_finds_nothing_to_complain_about(name):
    checker = needed("stable_baselines3.common.env_checker")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checker.check_env(ArrayObservation(made(name)))


class Noted(gym.Wrapper):
    """Keeps the info of every step."""

    def __init__(self, env):
        super().__init__(env)
        self.infos = []

    def step(self, action):
        result = self.env.step(action)
        self.infos.append(result[-1])
        return result


@pytest.mark.slow
def test_maskable_ppo_learns_on_arrays_and_meets_no_masked_action():
    needed("stable_baselines3")
    ppo = needed("sb3_contrib").MaskablePPO
    noted = Noted(made("VideoAtlas-v0"))
    env = ArrayObservation(noted)
    ppo("MultiInputPolicy", env, n_steps=32, batch_size=16, n_epochs=1, seed=0).learn(64)
    assert len(noted.infos) == 64
    assert all(info["is_legal"] for info in noted.infos)


@every_id
def test_two_seeded_rollouts_are_equal_to_the_byte(name):
    default_cache().clear()
    cold = digest(walk(made(name), 60, seed=3))
    assert digest(walk(made(name), 60, seed=3)) == cold
    assert digest(walk(made(name, cache=TileCache(0)), 60, seed=3)) == cold
    assert digest(walk(made(name), 60, seed=4)) != cold


@every_id
def test_another_process_sees_the_same_rollout(name):
    script = (
        "import test_env_contract as t, worlds;"
        f"print(worlds.digest(worlds.walk(t.made({name!r}), 60, seed=3)))"
    )
    here = Path(__file__).resolve().parent
    path = os.pathsep.join([str(here), str(here.parent)])
    seen = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for hash_seed in ("1", "2")
    }
    assert seen == {digest(walk(made(name), 60, seed=3))}


@every_id
def test_the_mask_is_the_same_in_three_places_and_never_empty(name):
    env = made(name)
    for observation, _, terminated, truncated, info in walk(env, 80):
        mask = info["action_mask"]
        assert mask.dtype == np.int8 and mask.any()
        assert np.array_equal(mask, observation["action_mask"])
        if not (terminated or truncated):
            masks = env.get_wrapper_attr("action_masks")()
            assert masks.dtype == bool and np.array_equal(masks, mask)


@every_id
def test_every_unmasked_action_has_an_effect_and_every_masked_one_is_a_counted_refusal(name):
    env = made(name, reward={"illegal_action": 0.5}, max_steps=10_000)
    rng = np.random.default_rng(0)
    observation, info = env.reset(seed=0)
    for _ in range(60):
        masked = int(rng.choice(np.flatnonzero(info["action_mask"] == 0)))
        before, state = observation, env.unwrapped.state
        observation, reward, terminated, truncated, info = env.step(masked)
        assert (reward, terminated, truncated, info["is_legal"]) == (-0.5, False, False, False)
        assert "masked" in info["last_error"] and "Legal now" in info["last_error"]
        assert info["reward_terms"] == {"illegal_action": -0.5}
        assert env.unwrapped.state.steps == state.steps + 1
        assert all(same(before[key], observation[key]) for key in before if key != "position")
        legal = int(rng.choice(np.flatnonzero(info["action_mask"])))
        observation, reward, terminated, truncated, info = env.step(legal)
        assert info["is_legal"] and not info["last_error"] and reward == 0.0
        if terminated:
            observation, info = env.reset()


@every_id
def test_codes_outside_the_space_raise(name):
    env = made(name)
    env.reset()
    beyond = num_actions(4)
    for code in (-1, beyond, 2.5):
        with pytest.raises(ValueError, match=f"codes go from 0 to {beyond - 1}"):
            env.unwrapped.step(code)
    with pytest.raises(ValueError, match="ZOOM 4 is outside the action space"):
        env.unwrapped.step(Action("ZOOM", 4))
    assert env.unwrapped.state.steps == 0


@every_id
def test_observations_stay_in_their_space_and_belong_to_who_gets_them(name):
    env, last = made(name, traversal="bfs", labels=True), {}
    for observation, *_ in walk(env, 60):
        assert env.observation_space.contains(observation)
        assert all(array.flags.writeable for array in observation.values())
        assert not any(np.shares_memory(last[key], observation[key]) for key in last)
        last = observation


@every_id
def test_a_pickled_environment_goes_on_alike(name):
    fresh = made(name).unwrapped
    twin = pickle.loads(pickle.dumps(fresh))
    assert digest(walk(twin, 20, seed=5)) == digest(walk(fresh, 20, seed=5))
    fresh.reset(seed=5)
    act(fresh, codes("EXPAND", 4).start + 1, codes("ZOOM", 4).start + 2)
    twin = pickle.loads(pickle.dumps(fresh))
    assert same(twin.observe(), fresh.observe())
    for action in (Action("BACKTRACK"), Action("ADD_TO_SCRATCHPAD", 0), Action("BACKTRACK")):
        one, other = fresh.step(action), twin.step(action)
        assert flat(one) == flat(other)
    assert same(fresh.reset(), twin.reset())


def test_an_environment_with_its_own_cache_is_pickled_without_the_pictures():
    env = made("VideoAtlas-v0", cache=TileCache(1 << 20))
    env.reset(seed=0)
    text = pickle.dumps(env.unwrapped)
    assert same(pickle.loads(text).observe(), env.unwrapped.observe())
    env.unwrapped.source.cache.clear()
    assert len(pickle.dumps(env.unwrapped)) == pytest.approx(len(text), abs=100)
    assert env.spec.kwargs["tile_size"] == TILE


def test_every_registered_environment_is_exercised_here():
    assert set(ARGUMENTS) <= set(ENVIRONMENTS)
    for name in ENVIRONMENTS:
        assert made(name).unwrapped.spec.id == name


@every_id
def test_render_modes_give_a_picture_or_a_text(name):
    env = made(name, render_mode="rgb_array")
    env.reset(seed=0)
    picture = env.render()
    assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.std() > 0
    env = made(name, render_mode="ansi")
    env.reset(seed=0)
    assert "EXPAND 0-3" in env.render() and env.unwrapped.task.query in env.render()


def test_a_render_without_a_mode_warns_and_gives_nothing():
    env = made("VideoAtlas-v0").unwrapped
    env.reset()
    with pytest.warns(UserWarning, match="render_mode"):
        assert env.render() is None
