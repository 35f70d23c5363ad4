"""The command explains each mistake in one sentence and reads numbers as they are written."""

import pytest
from comparing import SMALL_FLAGS, no_plots

from eval.command_line import parse_budget, parse_shard
from eval.compare import main
from eval.records import read_config
from eval.report import write_report
from videoatlas_gym.video.synthesis import numbered_frames, write_video


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A video of eight seconds."""
    path = tmp_path_factory.mktemp("videos") / "match.mp4"
    return write_video(path, numbered_frames(40, 96, 64), frames_per_second=5)


MISTAKES = {
    "missing file": (["--videos", "no such.mp4"], "no video found at 'no such.mp4'"),
    "unknown policy": (["--policies", "bsf"], "unknown policy 'bsf'. Did you mean 'bfs'?"),
    "no policy": (["--policies", ","], "no policy was given"),
    "no depth": (["--depths", ""], "no depth was given"),
    "bad depth": (["--depths", "1,deep"], "a depth must be 'auto' or a whole number"),
    "negative depth": (["--depths", "-1"], "from 0, got '-1'"),
    "too deep": (["--depths", "17"], "max_depth must be 'auto' or 0 to 16, got 17"),
    "grid size": (["--grid-size", "1"], "grid_size must be a whole number from 2 to 64, got 1"),
    "tile size": (["--tile-size", "32"], "a tile size is WIDTHxHEIGHT"),
    "episodes": (["--episodes", "0"], "episodes must be at least 1, got 0"),
    "no number": (["--episodes", "many"], "invalid int value: 'many'. See videoatlas compare"),
    "seed": (["--seed", "-1"], "seed must be at least 0, got -1"),
    "duration": (["--join", "1 fortnight"], "'1 fortnight' is no duration"),
    "hardness": (["--hardness", "2"], "hardness must lie in [0, 1], got 2.0"),
    "share": (["--max-truth-share", "0"], "max_truth_share must lie in (0, 1], got 0.0"),
    "nothing distinct": (["--max-truth-share", "0.001"], "larger max_truth_share"),
    "group": (["--group", "x*"], "group pattern 'x*' matches none of the files"),
    "steps": (["--max-steps", "0"], "max_steps must be at least 1, got 0"),
    "few frames": (["--budgets", "frames=3"], "must leave room for the first view of 4, got 3"),
    "no frames": (["--budgets", "frames=0"], "a budget is none, frames=N or steps=N"),
    "budget": (["--budgets", "none,tokens=9"], "whole number from 1, got 'tokens=9'"),
    "no budget": (["--budgets", ","], "no budget was given"),
    "tasks": (["--tasks", "fame-search"], "Did you mean 'frame-search'?"),
    "no tasks": (["--tasks", ","], "no task set was given"),
    "scorer": (["--scorer", "colours"], "Did you mean 'colour'?"),
    "scorer of a policy": (["--policies", "bfs@colours"], "Did you mean 'colour'?"),
    "reader": (["--reader", "turth"], "Did you mean 'truth'?"),
    "width": (["--policies", "beam:x"], "a width must be a whole number"),
    "executor": (["--executor", "process"], "Did you mean 'processes'?"),
    "workers": (["--executor", "processes", "--workers", "0"], "workers must be at least 1, got 0"),
    "idle workers": (["--workers", "2"], "the serial executor has no workers"),
    "shard": (["--shard", "5/4"], "a shard is i/n with i from 1 to n, such as 2/4, got '5/4'"),
    "shard from zero": (["--shard", "0/4"], "got '0/4'"),
    "pictures": (["--sheets", "-1"], "sheets must be at least 0, got -1"),
    "stories of videos": (["--families", "detail"], "families belongs to story, which is not"),
    "videos of stories": (["--tasks", "story"], "videos belongs to frame-search, which is not"),
    "too many": (["--tasks", "frame-search,story", "--episodes", "201"], "there are 200 questions"),
    "worlds of videos": (["--worlds", "3"], "worlds belongs to story, which is not"),
    "split of videos": (["--split", "test"], "split belongs to story, which is not"),
    "hardness of stories": (["--tasks", "story", "--hardness", "0"], "belongs to frame-search"),
    "not a number": (["--min-expand-seconds", "nan"], "min_expand_seconds"),
    "family": (["--tasks", "story,frame-search", "--families", "detale"], "mean 'detail'?"),
    "split": (["--tasks", "story,frame-search", "--split", "tset"], "Did you mean 'test'?"),
    "difficulty": (["--tasks", "story,frame-search", "--difficulty", "hart"], "mean 'hard'?"),
    "story length": (["--tasks", "story,frame-search", "--duration", "x"], "'x' is no duration"),
    "unknown flag": (["--polices", "bfs"], "unrecognized arguments: --polices bfs"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gives_one_sentence_and_writes_nothing(video, tmp_path, capsys, name):
    flags, sentence = MISTAKES[name]
    out = tmp_path / "run"
    arguments = ["--videos", str(video), "--policies", "uniform", "--out", str(out), *SMALL_FLAGS]
    assert main([*arguments, *flags]) == 2
    output = capsys.readouterr()
    assert sentence in output.err.splitlines()[-1]
    assert "videoatlas compare: " in output.err and "Traceback" not in output.err
    assert not output.out and not out.exists()


def test_frame_search_asks_for_videos(tmp_path, capsys):
    assert main(["--tasks", "frame-search", "--out", str(tmp_path / "run")]) == 2
    assert "frame-search needs videos" in capsys.readouterr().err


def test_every_flag_reaches_the_configuration(video, tmp_path, capsys):
    out = tmp_path / "run"
    flags = "--tasks story,frame-search --episodes 1 --policies uniform@picture,random "
    flags += "--depths auto,0 --budgets steps=5,none --scorer change --reader truth --seed 4 "
    flags += "--group m* --join 20s --hardness 0.5 --max-truth-share 0.5 --duration 1m --worlds 3 "
    flags += "--per-world 2 --families detail,count --split validation --difficulty easy "
    flags += "--min-expand-seconds 2 --max-steps 7 --sheets 1 --executor serial --shard 1/1"
    arguments = ["--videos", str(video), "--out", str(out), *SMALL_FLAGS, *flags.split()]
    with no_plots:
        assert main(arguments) == 0
    printed = capsys.readouterr()
    with no_plots:
        assert write_report([out]).short in printed.out
    assert f"The whole report is {out / 'report.md'}" in printed.out
    assert f"videoatlas compare --videos {video}" in (out / "report.md").read_text()
    assert (out / "records-1-of-1.jsonl").read_bytes().count(b"\n") == 2 * 2 * 2 * 2
    config = read_config(out)["config"]
    story, search = config.pop("task_sets")
    assert [p["name"] for p in config.pop("policies")] == ["uniform@picture", "random"]
    assert config == {
        "depths": ["auto", 0],
        "budgets": [
            {"name": "steps=5", "frames": None, "steps": 5},
            {"name": "none", "frames": None, "steps": None},
        ],
        "episodes": 1,
        "seed": 4,
        "grid_size": 2,
        "tile_size": [32, 20],
        "min_expand_seconds": 2.0,
        "max_steps": 7,
        "reader": "truth",
        "scorer": "change",
        "sheets": 1,
    }
    videos = search.pop("videos")
    assert [video["group"] for video in videos] == ["m*"]
    assert search == {
        "name": "frame-search",
        "join_seconds": 20.0,
        "hardness": 0.5,
        "max_truth_share": 0.5,
    }
    assert story == {
        "name": "story",
        "duration_seconds": 60.0,
        "worlds": 3,
        "per_world": 2,
        "families": ["detail", "count"],
        "split": "validation",
        "difficulty": "easy",
        "is_rendered": False,
    }


@pytest.mark.parametrize(
    ("text", "frames", "steps"),
    [("none", None, None), ("frames=0256", 256, None), ("steps=1", None, 1)],
)
def test_budgets_are_read(text, frames, steps):
    budget = parse_budget(text)
    assert (budget["frames"], budget["steps"]) == (frames, steps)
    assert budget["name"] == text.replace("=0", "=")


@pytest.mark.parametrize("text", ["", "frames", "frames=-1", "frames=1.5", "256", "None"])
def test_other_budgets_are_refused(text):
    with pytest.raises(ValueError, match="a budget is none, frames=N or steps=N"):
        parse_budget(text)


def test_shards_are_read():
    assert parse_shard("2/4") == (2, 4)


def test_the_help_shows_an_example(capsys):
    assert main(["--help"]) == 0
    assert "videoatlas compare --videos recordings/" in capsys.readouterr().out
