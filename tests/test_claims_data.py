"""The claims on real clips: nothing is lost, any picture can be searched, ten hours are no more."""

import numpy as np
import pytest
from helpers import data_folder, decode_linearly, digest

from videoatlas_gym.actions import Action
from videoatlas_gym.env import VideoAtlasEnv
from videoatlas_gym.span import total_seconds
from videoatlas_gym.tasks import FrameSearchTasks
from videoatlas_gym.video import ConcatSource, TileCache, VideoReader
from videoatlas_gym.video.joining import join_to_duration

pytestmark = pytest.mark.data

CLIPS = (
    "chaplin_9s.mp4",
    "city_roof_16s_240p60.mp4",
    "intel_asl_book.mkv",
    "toy_frog_8s.mp4",
    "wpt_counting_10s.mp4",
)
"""H.264 with one key frame, 60 fps, Matroska, B-frames, and MPEG-4 ASP."""
SEARCHED = ("bbb_480p_30s.mp4", "chrome_ad_30s.mp4", "highway_traffic_11s.mp4", "sam2_dog_10s.mp4")


def clip(name):
    return data_folder() / "clips" / name


def atlas_of(video, **options):
    options = {"tile_size": (32, 18), "grid_size": 3} | options
    return VideoAtlasEnv(video, cache=TileCache(), **options)


@pytest.mark.parametrize("name", CLIPS)
def test_zooming_into_a_real_clip_loses_nothing(name):
    truth, random = decode_linearly(clip(name)), np.random.default_rng(0)
    env = atlas_of(str(clip(name)))
    for _ in range(6):
        env.reset(seed=0)
        while env.state.expandable.any() and random.random() < 0.7:
            env.step(Action("EXPAND", int(random.choice(np.flatnonzero(env.state.expandable)))))
        cell = int(random.integers(env.num_cells))
        moment = float(env.state.view.moments[cell])
        *_, info = env.step(Action("ZOOM", cell))
        assert digest(info["frame"].rgb) == truth.digests[truth.index_at(moment)]


@pytest.mark.parametrize("name", SEARCHED)
def test_a_picture_of_a_real_clip_can_be_asked_for(name):
    reader = VideoReader(clip(name))
    tasks = FrameSearchTasks(reader, hardness=0.0, max_truth_share=0.6)
    for number in range(3):
        task = tasks[number]
        assert 0 < total_seconds(task.truth) <= 0.6 * reader.duration_seconds
        # The moment that was asked for is one of those that show exactly the goal's pixels.
        times = np.concatenate([_times_in(reader, span) for span in task.truth])
        assert any(np.array_equal(f.rgb, task.goal.rgb) for f in reader.frames_at(times.tolist()))


def _times_in(reader, span):
    """Return the times of the frames on display in a span, which starts and ends with one."""
    return reader.frame_times(span.start_seconds + 1e-6, span.end_seconds - 1e-6)


def test_a_search_in_a_real_clip_is_won_by_the_cells_that_show_the_picture_only():
    tasks = FrameSearchTasks(clip("chrome_ad_30s.mp4"), max_truth_share=0.3)
    env = VideoAtlasEnv(tasks=tasks, tile_size=(32, 18), cache=TileCache())
    env.reset(seed=0, options={"task": 0})
    is_true = [any(m in span for span in env.task.truth) for m in env.state.view.moments]
    assert any(is_true) and not all(is_true)
    for cell in (is_true.index(True), is_true.index(False)):
        env.reset(seed=0, options={"task": 0})
        env.step(Action("ADD_TO_SCRATCHPAD", cell))
        *_, info = env.step(Action("FINISHED"))
        assert info["score"] == float(is_true[cell])


def test_ten_hours_of_real_clips_begin_with_one_view():
    paths = [clip(name) for name in (*CLIPS, *SEARCHED)]
    source = ConcatSource(join_to_duration(paths, 36_000.0, seed=0))
    assert source.duration_seconds >= 36_000.0 and len(source.parts) > 1000
    env = atlas_of(source, grid_size=8)
    observation, info = env.reset(seed=0)
    assert 0 < info["usage"]["frames"] <= 64
    assert observation["view"].shape == (8 * 18, 8 * 32, 3)
    assert env.state.geometry.levels_to_frame() <= 4
    observation, *_, info = env.step(Action("EXPAND", 40))
    assert info["usage"]["frames"] <= 128
    assert len(np.unique(observation["view"].reshape(-1, 3), axis=0)) > 1000
