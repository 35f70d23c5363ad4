"""`VideoAtlas/Story-v0` and the command `videoatlas story`: worlds for learners and as files."""

import json
import os
import signal
import subprocess
import sys
import time

import gymnasium as gym
import numpy as np
import pytest
from worlds import TILE, digest, same, walk

from videoatlas_gym import Action, StoryEnv
from videoatlas_gym.cli import main
from videoatlas_gym.observation import decode_text
from videoatlas_gym.story import PICTURE_FAMILIES, QUESTION_FAMILIES
from videoatlas_gym.subtitles import load_subtitles
from videoatlas_gym.tasks import make_task
from videoatlas_gym.video import VideoReader

ID = "VideoAtlas/Story-v0"
SMALL = {"grid_size": 2, "tile_size": TILE}


def made(**options):
    return gym.make(ID, **({"duration_seconds": 60, "frames_per_second": 4} | SMALL | options))


def test_an_hour_is_had_with_one_argument():
    env = gym.make(ID, duration_seconds=3600)
    observation, info = env.reset(seed=1)
    assert observation["view"].shape == (720, 1280, 3) and observation["view"].std() > 10
    assert env.unwrapped.state.geometry.duration_seconds == 3600
    assert info["query"].startswith("In the ") and " chapter" in " ".join(info["subtitles"])
    assert decode_text(observation["query"]).startswith(info["query"])


def test_seeds_choose_the_world_and_the_question():
    env, seen = made(), {}
    for seed in range(8):
        _, info = env.reset(seed=seed)
        seen[seed] = (env.unwrapped.task.task_id, info["query"])
        again = made()
        assert same(again.reset(seed=seed), env.reset(seed=seed))
    assert len({task_id for task_id, _ in seen.values()}) == 8
    assert digest(walk(made(), 30, seed=3)) == digest(walk(made(), 30, seed=3))


def test_arguments_reach_the_worlds():
    env = made(
        **{"worlds": 2, "per_world": 3, "families": ("where",), "split": "validation"},
        **{"task_seed": 7, "difficulty": "hard", "needle_seconds": 1.0},
    ).unwrapped
    assert len(env.tasks) == 6
    env.reset(options={"task": 5})
    assert env.task.task_id == "validation-7.1/where-02"
    world = env.task.source.world
    assert (world.difficulty.event_seconds, world.frames_per_second) == ((1.0, 4.0), 4)
    assert world.number % 3 == 1
    assert made().unwrapped.tasks.families == QUESTION_FAMILIES
    with pytest.raises(ValueError, match="unknown family 'were'. Did you mean 'where'"):
        made(families=("were",))
    with pytest.raises(TypeError, match="grid_sice"):
        StoryEnv(60, grid_sice=3)


def test_the_right_answer_scores_and_a_wrong_one_does_not():
    env = made(families=("detail", "count", "where"), per_world=6)
    for index in range(6):
        for wrong in (0, 1):
            env.reset(options={"task": index})
            task = env.unwrapped.task
            *_, info = env.step(Action("ANSWER", answer=(task.answer + wrong) % 4))
            assert info["score"] == 1 - wrong


def test_a_needle_is_looked_for_by_its_picture():
    env = made(families=PICTURE_FAMILIES, worlds=3, per_world=2)
    observation, info = env.reset(options={"task": 1})
    assert observation["goal"].std() > 10 and info["options"] == ()
    task = env.unwrapped.task
    source = env.unwrapped.source
    shown = source.frame_at(task.truth[0].midpoint_seconds).rgb
    assert np.array_equal(shown, task.goal.rgb)


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_vectors_play_different_worlds(mode):
    envs = gym.make_vec(
        ID, 3, vectorization_mode=mode, duration_seconds=60, frames_per_second=2, **SMALL
    )
    try:
        observations, infos = envs.reset(seed=[1, 2, 3])
        assert len({text.tobytes() for text in observations["query"]}) == 3
        for index, seed in enumerate((1, 2, 3)):
            single = gym.make(ID, duration_seconds=60, frames_per_second=2, **SMALL)
            observation, info = single.reset(seed=seed)
            assert np.array_equal(observation["view"][:], observations["view"][index])
            assert info["query"] == infos["query"][index]
    finally:
        envs.close()


def test_a_rendered_world_is_played_from_its_file(tmp_path, capsys):
    env = made(duration_seconds=30, frames_per_second=2, worlds=1, render_to=tmp_path)
    env.reset(seed=0)
    [path] = tmp_path.glob("story-*.mp4")
    assert env.unwrapped.source.source.path == path
    assert "encoding train-0" in capsys.readouterr().err


def test_the_command_writes_video_subtitles_and_facts(tmp_path, capsys):
    out = tmp_path / "world.mp4"
    options = "--duration 45s --number 3 --difficulty hard --frames-per-second 4"
    extra = "--questions 6 --needle hidden --needle-seconds 1"
    assert main(["story", "--out", str(out), *options.split(), *extra.split()]) == 0
    said = capsys.readouterr()
    assert "2 chapters" in said.out and "world.mp4" in said.err and "00:" in said.err
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["world.json", "world.mp4", "world.needle-0.png", "world.srt"]
    facts = json.loads((tmp_path / "world.json").read_text())
    assert facts["schema_version"] == 1 and facts["world"]["number"] == 3
    assert len(facts["questions"]) == 6 and facts["needles"][0]["kind"] == "hidden"
    spoken = load_subtitles(tmp_path / "world.srt")
    assert [cue.text for cue in spoken] == [cue["text"] for cue in facts["subtitles"]]
    with VideoReader(out) as reader:
        assert reader.duration_seconds == 45
        for question in facts["questions"]:
            if question["options"]:
                task = make_task(
                    reader,
                    question["query"],
                    question["options"],
                    question["answer"],
                    question["truth"],
                )
                assert task.answer == question["answer"] and task.truth
    assert {"span", "colour", "shape", "digits", "scene", "told"} <= set(facts["events"][0])
    assert facts["scenes"][facts["events"][0]["scene"]]["place"]


def test_an_interrupted_command_leaves_nothing_half(tmp_path):
    command = ["--out", str(tmp_path / "world.mp4"), "--duration", "20m"]
    run = subprocess.Popen(
        [sys.executable, "-m", "videoatlas_gym.cli", "story", *command],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
        # It is ignored in background jobs, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not any(tmp_path.iterdir()):
        assert run.poll() is None
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 130 and "interrupted" in said
    assert list(tmp_path.iterdir()) == []


def test_the_command_replaces_nothing_unless_told_to(tmp_path, capsys):
    command = ["story", "--out", str(tmp_path / "world.mp4"), "--duration", "30s"]
    (tmp_path / "world.srt").write_text("mine")
    assert main(command) == 2
    assert "world.srt' is there already; name another file, or add --overwrite" in (
        capsys.readouterr().err
    )
    assert [path.name for path in tmp_path.iterdir()] == ["world.srt"]
    assert main([*command, "--overwrite", "--frames-per-second", "2"]) == 0
    assert "-->" in (tmp_path / "world.srt").read_text()
    (tmp_path / "other.json").mkdir()
    assert main(["story", "--out", str(tmp_path / "other.mp4"), "--overwrite"]) == 2
    assert "other.json' is a folder" in capsys.readouterr().err
    assert not (tmp_path / "other.mp4").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--duration 10x", "'10x' is no duration"),
        ("--duration 5s", "a story lasts 30 s"),
        ("--difficulty heard", "unknown difficulty 'heard'. Did you mean 'hard'"),
        ("--needle hiden", "unknown --needle 'hiden'. Did you mean 'hidden'"),
        ("--number -1", "whole number from 0, got -1"),
        ("--questions -1", "--questions must be at least 0"),
        ("--out world.gif", "unknown suffix of --out '.gif'"),
        ("--out nowhere/world.mp4", "there is no folder 'nowhere'"),
    ],
)
def test_a_mistake_in_the_command_is_one_sentence(tmp_path, capsys, monkeypatch, options, sentence):
    monkeypatch.chdir(tmp_path)
    out = [] if "--out" in options else ["--out", "world.mp4"]
    assert main(["story", *out, *options.split()]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
