"""The command explains each mistake in one sentence and reads numbers as they are written."""

import pytest

from eval.command_line import parse_duration
from eval.compare import main
from videoatlas_gym.video.synthesis import numbered_frames, write_video

SMALL_FLAGS = ["--grid-size", "2", "--tile-size", "32x20"]


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
    "frames": (["--frames", "0"], "the limit of frames must leave room for the first view"),
    "tasks": (["--tasks", "fame-search"], "Did you mean 'frame-search'?"),
    "unknown flag": (["--polices", "bfs"], "unrecognized arguments: --polices bfs"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gives_one_sentence_and_writes_nothing(video, tmp_path, capsys, name):
    flags, sentence = MISTAKES[name]
    out = tmp_path / "run"
    arguments = ["--videos", str(video), "--policies", "uniform", "--out", str(out), *SMALL_FLAGS]
    try:
        code = main([*arguments, *flags])
    except SystemExit as stopped:
        code = stopped.code
    output = capsys.readouterr()
    assert code == 2
    assert sentence in output.err.splitlines()[-1]
    assert "videoatlas compare: " in output.err and "Traceback" not in output.err
    assert not output.out and not out.exists()


def test_the_help_shows_an_example(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    assert "videoatlas compare --videos recordings/" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1h", 3600), ("90m", 5400), ("3600", 3600), ("10h", 36000), ("1h30m", 5400), ("1.5s", 1.5)],
)
def test_durations_are_read(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0h", "-1h", "h", "1d", "1m1h", "nan", "1e3"])
def test_other_durations_are_refused(text):
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(text)
