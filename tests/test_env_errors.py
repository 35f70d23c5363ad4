"""Bad input meets a typed error that says what was got and what to do: made by id, then reset."""

import av
import gymnasium as gym
import numpy as np
import pytest
from helpers import encode
from worlds import DrawnSource, small_env

from videoatlas_gym.subtitles import SubtitleError
from videoatlas_gym.video import VideoOpenError

QUESTION = {"question": "Which?", "options": ["a", "b", "c"], "answer": 0}


def start(**arguments):
    env = gym.make("VideoAtlas-v0", **({"grid_size": 2} | arguments))
    env.reset()
    return env


def missing(folder):
    return folder / "none.mp4"


def directory(folder):
    return folder


def text(folder):
    path = folder / "text.mp4"
    path.write_text("not a film\n" * 100)
    return path


def empty(folder):
    path = folder / "empty.mp4"
    path.write_bytes(b"")
    return path


def sound(folder):
    path = folder / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44_100)
        samples = np.zeros((1, 44_100), np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate = 44_100
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return path


def truncated(folder):
    whole = encode(folder / "whole.mp4", count=100).read_bytes()
    path = folder / "truncated.mp4"
    path.write_bytes(whole[: len(whole) // 2])  # The index comes last, so it is gone.
    return path


@pytest.mark.parametrize(
    "made, complaint",
    [
        (missing, "no such file. Give the path of a video file"),
        (directory, "a directory. Give the path of a video file"),
        (text, "cannot read .*text.mp4"),
        (empty, "cannot read .*empty.mp4"),
        (sound, r"no video stream \(found: audio/aac\)"),
        (truncated, "cannot read .*truncated.mp4"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_file_that_is_no_video_is_refused(made, complaint, tmp_path):
    with pytest.raises(VideoOpenError, match=complaint):
        start(video=str(made(tmp_path)), **QUESTION)


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        ({"question": "Which?"}, "something to score it by: options and answer"),
        ({"options": ["a", "b"], "answer": 0}, "belong to a question: give question="),
        ({"question": "Which?", "options": ["a", "b"]}, "options need an answer"),
        (QUESTION | {"answer": 3}, "index of an option, 0 to 2, got 3"),
        (QUESTION | {"answer": -1}, "index of an option, 0 to 2, got -1"),
        (QUESTION | {"answer": "d"}, "answer 'd' is none of the options"),
        (QUESTION | {"options": ["a"]}, "2 to 8 options or none, got 1"),
        (QUESTION | {"options": list("abcdefghi")}, "2 to 8 options or none, got 9"),
        ({"question": " ", "answer": "a"}, "needs a query"),
        ({"question": "What?", "answer": " "}, "must not be empty"),
        ({"question": "When?", "spans": [(5.0, 5.0)]}, "must lie in the video"),
        ({"question": "When?", "spans": [(5.0, 9999.0)]}, "must lie in the video"),
        (QUESTION | {"grid_size": 1}, "whole number from 2 to 64, got 1"),
        (QUESTION | {"grid_size": 2.5}, "whole number from 2 to 64, got 2.5"),
        (QUESTION | {"tile_size": (160, 4)}, "each 8 to 4096 pixels"),
        (QUESTION | {"max_depth": -1}, "'auto' or 0 to 16, got -1"),
        (QUESTION | {"max_depth": "deep"}, "'auto' or a whole number, got 'deep'"),
        (QUESTION | {"max_depth": 99}, "'auto' or 0 to 16, got 99"),
        (QUESTION | {"max_steps": 0}, "max_steps must be at least 1"),
        (QUESTION | {"traversal": "dsf"}, "unknown traversal 'dsf'. Did you mean 'dfs'"),
        (QUESTION | {"dead_zones": "nevr"}, "unknown dead_zones 'nevr'. Did you mean 'never'"),
        (QUESTION | {"reward": "sparce"}, "unknown reward preset 'sparce'. Did you mean 'sparse'"),
        (QUESTION | {"reward": {"scor": 1.0}}, "unknown reward term 'scor'. Did you mean 'score'"),
        (QUESTION | {"reward": {"score": float("nan")}}, "weight of score must be finite"),
        (QUESTION | {"gamma": 1.5}, r"gamma must lie in \[0, 1\], got 1.5"),
        (QUESTION | {"first_view_cells": 5}, "within 0 to 4, got 5"),
        (QUESTION | {"first_view_cells": (3, 2)}, r"within 0 to 4, got \(3, 2\)"),
        (QUESTION | {"min_confidence": 1.5}, "min_confidence must be at most 1"),
        (QUESTION | {"investigate_seconds": 0}, "investigate_seconds must be positive"),
        (QUESTION | {"min_expand_seconds": -1.0}, "min_expand_seconds must be 0 or more"),
        (QUESTION | {"tasks": 1}, "not both"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, complaint):
    with pytest.raises(ValueError, match=complaint):
        start(video=DrawnSource(), **arguments)


def test_no_video_at_all_is_refused():
    with pytest.raises(ValueError, match="give a video"):
        start()


@pytest.mark.parametrize("content", ["this is no subtitle file", "", "{broken"])
def test_unreadable_subtitles_are_refused(content, tmp_path):
    path = tmp_path / "a.srt"
    path.write_text(content)
    with pytest.raises(SubtitleError, match="a.srt"):
        start(video=DrawnSource(), subtitles=str(path), **QUESTION)


def test_missing_subtitles_are_refused(tmp_path):
    with pytest.raises(SubtitleError, match="none.srt"):
        start(video=DrawnSource(), subtitles=str(tmp_path / "none.srt"), **QUESTION)


def test_a_folder_without_videos_is_refused(tmp_path):
    with pytest.raises(VideoOpenError, match="Give a file, a folder with"):
        gym.make("VideoAtlas/FrameSearch-v0", videos=str(tmp_path))


def test_a_step_before_the_episode_is_refused():
    env = small_env(render_mode="ansi")
    for too_early in (lambda: env.step(0), lambda: env.state, env.fork, env.observe, env.render):
        with pytest.raises(gym.error.ResetNeeded, match="reset"):
            too_early()


def test_a_fork_of_a_cell_that_cannot_be_opened_is_refused():
    env = small_env(max_depth=0)
    env.reset()
    with pytest.raises(ValueError, match="cannot fork at cell 0: it must lie in the region root"):
        env.fork(env.state.current.child(0))
    with pytest.raises(ValueError, match="use set_state"):
        env.resume_fork(env.state)
