"""The five properties that the paper claims for a video atlas, each shown on what it is about."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from drawn import DrawnSource, make_env
from helpers import decode_linearly, digest

from videoatlas_gym.actions import Action
from videoatlas_gym.env import VideoAtlasEnv
from videoatlas_gym.span import GridGeometry
from videoatlas_gym.tasks import FrameSearchTasks, OpenQuestion, make_task
from videoatlas_gym.video import ConcatSource, Part, TileCache, VideoReader
from videoatlas_gym.video.synthesis import numbered_frames, read_number, write_video

ROOT = Path(__file__).parent.parent
RATE, COUNT = 25, 300


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A file of 12 s whose frames carry their numbers."""
    path = tmp_path_factory.mktemp("claims") / "numbers.mp4"
    frames = numbered_frames(COUNT, 160, 96)
    return write_video(path, frames, frames_per_second=RATE, group_of_pictures=50)


def atlas_of(video, **options):
    """Return an environment on a video, with a cache of its own."""
    options = {"grid_size": 2, "tile_size": (32, 18), "max_steps": 1000} | options
    return VideoAtlasEnv(str(video), cache=TileCache(), **options)


def go(env, *path):
    """Reset, open the cells of a path, and return the last observation and info."""
    seen = env.reset(seed=0)
    for cell in path:
        observation, _, _, _, info = env.step(Action("EXPAND", int(cell)))
        assert info["is_legal"], info["last_error"]
        seen = observation, info
    return seen


def zoom(env, cell):
    *_, info = env.step(Action("ZOOM", int(cell)))
    assert info["is_legal"], info["last_error"]
    return info


@pytest.mark.parametrize("grid_size", [2, 3, 8])
def test_lossless_zoom_and_evidence_are_bit_equal_to_an_independent_decode(film, grid_size):
    truth, random = decode_linearly(film), np.random.default_rng(grid_size)
    env = atlas_of(film, grid_size=grid_size)
    for _ in range(6):
        go(env)
        while env.state.expandable.any() and random.random() < 0.8:
            env.step(Action("EXPAND", int(random.choice(np.flatnonzero(env.state.expandable)))))
        cell = int(random.integers(env.num_cells))
        moment = float(env.state.view.moments[cell])
        frame = zoom(env, cell)["frame"]
        assert digest(frame.rgb) == truth.digests[truth.index_at(moment)]
        assert frame.seconds == pytest.approx(truth.times()[truth.index_at(moment)], abs=1e-6)
        env.step(Action("ADD_TO_SCRATCHPAD", cell))
        *_, info = env.step(Action("FINISHED"))
        (item,) = info["evidence"]
        kept = env.source.frame_at(item["seconds"])
        assert digest(kept.rgb) == digest(frame.rgb)
        assert item["frame_seconds"] == frame.seconds


def leaves(env, path=()):
    """Yield the path and index of every cell that cannot be opened further."""
    go(env, *path)
    expandable = env.state.expandable
    for index in range(env.num_cells):
        if expandable[index]:
            yield from leaves(env, (*path, index))
        else:
            yield path, index


def levels_by_formula(grid_size):
    return math.ceil(math.log(COUNT) / math.log(grid_size**2))


@pytest.mark.parametrize("grid_size", [2, 3, 8])
def test_navigable_every_frame_is_reached_by_expanding_and_one_strip(film, grid_size):
    env, shown = atlas_of(film, grid_size=grid_size, strip=True), set()
    for path, cell in leaves(env):
        go(env, *path)
        shown |= {read_number(frame.rgb) for frame in zoom(env, cell)["strip"]}
        num_grids, num_strips = len(path) + 1, 1
        assert num_grids + num_strips <= levels_by_formula(grid_size)
    assert shown == set(range(COUNT))


@pytest.mark.parametrize("grid_size", [2, 3, 8])
def test_navigable_every_frame_is_a_cell_of_its_own_when_expanding_goes_on(film, grid_size):
    env = atlas_of(film, grid_size=grid_size, min_expand_seconds=0)
    levels = levels_by_formula(grid_size)
    count, cells = grid_size**2, (grid_size**2) ** levels
    for number in np.random.default_rng(0).choice(COUNT, 25, replace=False).tolist():
        # Of the cells of the last grids, one whose middle (i + 1/2) / cells lies in the frame.
        index = math.ceil(number * cells / COUNT - 0.5)
        assert index + 0.5 < (number + 1) * cells / COUNT
        path = [index // count**power % count for power in reversed(range(levels))]
        go(env, *path[:-1])
        assert env.state.cell_span(path[-1]).duration_seconds <= 1 / RATE
        assert read_number(zoom(env, path[-1])["frame"].rgb) == number


@pytest.mark.parametrize("grid_size", [2, 8])
def test_scalable_levels_grow_with_the_logarithm_of_the_length(grid_size):
    seconds = np.geomspace(10, 36_000, 24)
    levels = [GridGeometry(float(s), grid_size, 1 / RATE).levels_to_frame() for s in seconds]
    exact = np.log(seconds * RATE) / np.log(grid_size**2)
    assert levels == np.ceil(exact).astype(int).tolist()
    depths = [GridGeometry(float(s), grid_size, 1 / RATE).auto_depth() for s in seconds]
    assert all(depth <= level for depth, level in zip(depths, levels, strict=True))


def world_of(seconds):
    task = OpenQuestion(DrawnSource(seconds), "What?", answer="x")
    return make_env(task, grid_size=8, cache=TileCache())


def test_scalable_an_observation_has_one_size_and_a_reset_one_cost():
    short, long = world_of(10.0), world_of(36_000.0)
    assert short.observation_space == long.observation_space
    assert short.action_space == long.action_space
    (one, _), (other, info) = short.reset(seed=0), long.reset(seed=0)
    assert {k: v.shape for k, v in one.items()} == {k: v.shape for k, v in other.items()}
    assert info["usage"]["frames"] == 64
    assert long.task.source.frames_decoded <= 64
    for _ in range(long.state.rules.max_depth):
        before = long.task.source.frames_decoded
        long.step(Action("EXPAND", 13))
        assert long.task.source.frames_decoded - before <= 64


CHILD = """
import json, os, sys
written = []
def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        mode, flags = arguments[1] or "", arguments[2] or 0
        if set("wax+") & set(mode) or flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            written.append(str(arguments[0]))
    if event in ("os.mkdir", "os.rename"):
        written.append(str(arguments[0]))
sys.dont_write_bytecode = True
sys.addaudithook(watch)
import gymnasium, videoatlas_gym
env = gymnasium.make("VideoAtlas-v0", video=sys.argv[1], question="?", options=["a", "b"],
                     answer=0, grid_size=4, tile_size=(32, 18))
observation, info = env.reset(seed=0)
for _ in range(20):
    action = env.action_space.sample(info["action_mask"])
    observation, _, terminated, truncated, info = env.step(action)
    if terminated or truncated:
        observation, info = env.reset()
files = {n: getattr(m, "__file__", None) or "" for n, m in sys.modules.items()}
third = sorted({n.split(".")[0] for n, f in files.items() if "site-packages" in f})
print(json.dumps({"third": third, "modules": sorted(sys.modules), "written": written}))
"""


@pytest.fixture(scope="module")
def child(film, tmp_path_factory):
    """What a process loaded and wrote that played a little, in an empty home of its own."""
    home = tmp_path_factory.mktemp("home")
    places = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME"), str(home))
    run = subprocess.run(
        [sys.executable, "-c", CHILD, str(film)],
        capture_output=True,
        text=True,
        cwd=home,
        timeout=120,
        env={**os.environ, **places, "PYTHONPATH": str(ROOT)},
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout), home


def test_caption_free_no_model_or_learning_framework_is_loaded_by_playing(child):
    loaded, _ = child
    frameworks = {"torch", "transformers", "tensorflow", "jax", "onnxruntime", "openai", "sklearn"}
    assert not frameworks & set(loaded["modules"])
    own = {"numpy", "PIL", "av", "gymnasium", "pysubs2", "tqdm"}
    brought_by_others = {"cloudpickle", "farama_notifications", "typing_extensions"}
    brought_by_others |= {"_distutils_hack", "setuptools", "pkg_resources"}  # the installation
    assert {"numpy", "av", "gymnasium"} <= set(loaded["third"])
    third = {name for name in loaded["third"] if not name.startswith("__editable__")}
    assert third <= own | brought_by_others


def test_preprocessing_free_playing_writes_no_file(child, film):
    loaded, home = child
    assert [path for path in loaded["written"] if path != os.devnull] == []
    assert list(home.iterdir()) == []
    assert [path.name for path in film.parent.iterdir()] == [film.name]


def test_preprocessing_free_nothing_is_decoded_before_reset(film):
    reader = VideoReader(film)
    joined = ConcatSource([Part(reader), Part(reader)])
    for tasks in (make_task(reader), make_task(joined), FrameSearchTasks([reader, joined])):
        env = make_env(tasks, cache=TileCache())
        assert reader.frames_decoded == 0
    env = make_env(make_task(reader), cache=TileCache())
    env.reset(seed=0)
    assert reader.frames_decoded > 0


def test_preprocessing_free_the_first_view_costs_the_same_for_ten_times_the_length(tmp_path):
    group, cells, decoded = 20, 16, {}
    for seconds in (20, 200):
        path = tmp_path / f"{seconds}.mp4"
        frames = numbered_frames(10 * seconds, 64, 48)
        write_video(path, frames, frames_per_second=10, group_of_pictures=group)
        env = atlas_of(path, grid_size=4)
        env.reset(seed=0)
        decoded[seconds] = env.source.frames_decoded
    # At worst each cell costs a group of pictures, and what the decoder holds back at its end.
    assert max(decoded.values()) <= cells * (group + 8)
    assert decoded[200] < 0.2 * 2000
    assert decoded[20] <= 200 + cells * 8
