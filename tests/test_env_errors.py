"""Bad input meets a typed error that says what was got and what to do: made by id, then reset."""

import av
import gymnasium as gym
import numpy as np
import pytest
from helpers import encode
from worlds import DrawnSource, choice, small_env

from videoatlas_gym import Action, VideoAtlasEnv
from videoatlas_gym.observation import decode_text
from videoatlas_gym.subtitles import Cue, SubtitleError, Subtitles
from videoatlas_gym.tasks import FixedTasks, make_task
from videoatlas_gym.video import TileCache, VideoError, VideoOpenError
from videoatlas_gym.video.synthesis import numbered_frames, write_video

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
    with pytest.raises(
        ValueError, match="another video, grid, set of rules or kind of environment"
    ):
        env.resume_fork(env.state)


def test_a_reset_that_fails_leaves_no_episode_behind(tmp_path):
    good = write_video(tmp_path / "good.mp4", numbered_frames(20))
    bad = write_video(tmp_path / "bad.mp4", numbered_frames(20))
    tasks = FixedTasks(*(make_task(path, "Which?", ["a", "b"], 0) for path in (good, bad)))
    env = VideoAtlasEnv(tasks=tasks, grid_size=2, cache=TileCache())
    env.reset(options={"task": 0})
    bad.unlink()
    with pytest.raises(VideoError):
        env.reset(options={"task": 1})
    with pytest.raises(gym.error.ResetNeeded):
        env.step(Action("ANSWER", answer=0))


def test_what_was_seen_last_is_given_in_copies_and_costs_nothing():
    env = small_env(budget={"steps": 3})
    first, _ = env.reset()
    again, info = env.observe()
    assert again["view"] is not first["view"] and np.array_equal(again["view"], first["view"])
    assert info["usage"]["views"] == env.observe()[1]["usage"]["views"] == 1
    for action in (Action("ZOOM", 0), Action("BACKTRACK"), Action("ZOOM", 1)):
        seen, *_ = env.step(action)
    stopped, reward, _, truncated, info = env.step(Action("BACKTRACK"))
    assert truncated and reward == 0.0 and info["budget_exceeded"] == "steps"
    assert all(stopped[key] is not seen[key] for key in seen)
    assert all(np.array_equal(stopped[key], seen[key]) for key in seen)


@pytest.mark.parametrize("wrong", [float("nan"), 2.5, True])
def test_a_limit_of_steps_that_is_no_whole_number_is_refused(wrong):
    with pytest.raises(ValueError, match="max_steps must be a whole number"):
        small_env(max_steps=wrong)


def test_a_long_question_leaves_room_for_its_options_and_spoken_cells_share_theirs():
    source = DrawnSource()
    task = choice(source, query="長" * 900)
    env = small_env(task)
    text = decode_text(env.reset()[0]["query"])
    assert all(option in text for option in task.options) and text.startswith("長" * 300)
    cues = tuple(Cue(i * 4.0, i * 4.0 + 4.0, f"{i}" + "字" * 110) for i in range(64))
    env = small_env(choice(source, subtitles=Subtitles(cues)), grid_size=8)
    lines = decode_text(env.reset()[0]["subtitles"]).split("\n")
    assert [int(line.split(":")[0]) for line in lines] == list(range(64))


def test_the_state_of_another_video_cannot_be_resumed():
    env, other = small_env(), small_env(choice(DrawnSource(30.0)))
    env.reset()
    other.reset()
    with pytest.raises(ValueError, match="another video"):
        env.resume_fork(other.state.fork())
