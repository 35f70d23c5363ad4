"""Warming decodes just what environments ask for, once, and can be stopped at any time."""

from __future__ import annotations

import pytest
from helpers import encode

from videoatlas_gym import Action, VideoAtlasEnv
from videoatlas_gym.cli import main, parse_num_bytes
from videoatlas_gym.video import TileCache, VideoReader
from videoatlas_gym.warm import warm


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A video of 40 s: with K = 2 its cells are 10, 2.5 and 0.6 s long."""
    path = tmp_path_factory.mktemp("warm") / "film.mp4"
    return encode(path, 400, frames_per_second=10, group_of_pictures=20)


def run(video, tiles, *flags):
    """Run the command with a small grid."""
    small = ["--grid-size", "2", "--tile-size", "32x20"]
    return main(["warm", str(video), "--cache", str(tiles), *small, *flags])


def walk(video, tiles, depth):
    """Open every cell down to a depth; return how many frames were decoded for that."""
    env = VideoAtlasEnv(
        str(video), grid_size=2, tile_size=(32, 20), cache=str(tiles), max_steps=1000
    )
    env.reset()

    def descend(levels):
        for cell in range(4) if levels else ():
            _, _, _, _, info = env.step(Action("EXPAND", cell))
            assert info["is_legal"]
            descend(levels - 1)
            env.step(Action("BACKTRACK"))

    descend(depth)
    decoded = env.telemetry["frames_decoded"]
    env.close()
    return decoded


def test_an_environment_on_a_warm_video_decodes_nothing(video, tmp_path, capsys):
    assert run(video, tmp_path) == 0
    assert f"{video}: 20 cells to depth 1, 20 of them new, in " in capsys.readouterr().out
    assert walk(video, tmp_path, 1) == 0
    assert walk(video, tmp_path, 2) > 0


def test_levels_that_no_environment_opens_are_left_out(video, tmp_path, capsys):
    assert run(video, tmp_path, "--depth", "9") == 0
    output = capsys.readouterr().out
    assert "84 cells to depth 2, 84 of them new" in output and "no deeper levels" in output
    assert walk(video, tmp_path, 2) == 0
    assert run(video, tmp_path, "--depth", "9", "--min-expand-seconds", "0.5") == 0
    assert "340 cells to depth 3, " in capsys.readouterr().out


def test_what_is_there_is_not_decoded_again(video, tmp_path, capsys):
    assert run(video, tmp_path, "--depth", "0") == 0
    assert run(video, tmp_path) == 0
    assert "20 cells to depth 1, 16 of them new" in capsys.readouterr().out
    done = warm(video, TileCache(0, tmp_path), grid_size=2, tile_size=(32, 20))
    assert (done.depth, done.num_moments, done.num_decoded) == (1, 20, 0)


def test_a_stopped_command_goes_on_where_it_was(video, tmp_path, capsys, monkeypatch):
    calls, read = [], VideoReader.frames_at

    def interrupted(self, seconds, size=None):
        calls.append(len(seconds))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return read(self, seconds, size)

    monkeypatch.setattr(VideoReader, "frames_at", interrupted)
    assert run(video, tmp_path) == 130
    assert capsys.readouterr().err.endswith("videoatlas warm: interrupted.\n")
    assert run(video, tmp_path) == 0
    assert "20 cells to depth 1, 8 of them new" in capsys.readouterr().out
    assert sum(calls) == 20 + 4


def test_several_videos_are_warmed_apart(video, tmp_path, capsys):
    other = encode(tmp_path / "other.mp4", 200, frames_per_second=10)
    small = ["--grid-size", "2", "--tile-size", "32x20", "--depth", "0"]
    assert main(["warm", str(video), str(other), "--cache", str(tmp_path / "tiles"), *small]) == 0
    output = capsys.readouterr().out
    assert output.count("4 cells to depth 0, 4 of them new") == 2
    assert walk(video, tmp_path / "tiles", 0) == walk(other, tmp_path / "tiles", 0) == 0


MISTAKES = {
    "depth": (["--depth", "-1"], "depth must be a whole number from 0, got -1"),
    "grid size": (["--grid-size", "1"], "grid_size must be a whole number from 2 to 64, got 1"),
    "tile size": (["--tile-size", "4x4"], "tile_size is (width, height), each 8 to 4096"),
    "room": (["--max-size", "10K"], "the tiles take up to 3.92e-05 GB, --max-size allows 1e-05"),
    "bytes": (["--max-size", "much"], "'much' is no number of bytes. Write 20G, 500M or 4096."),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gives_one_sentence_and_writes_nothing(video, tmp_path, capsys, name):
    flags, sentence = MISTAKES[name]
    assert run(video, tmp_path / "tiles", *flags) == 2
    error = capsys.readouterr().err
    assert sentence in error and len(error.splitlines()) == 1
    assert not (tmp_path / "tiles").exists()


def test_a_directory_of_something_else_is_refused(video, capsys):
    assert run(video, video.parent) == 2
    assert "is no tile store: it holds other files" in capsys.readouterr().err


def test_what_cannot_be_written_ends_the_command(video, tmp_path, capsys):
    (tmp_path / "tiles").mkdir()
    assert run(video, tmp_path / "tiles", "--depth", "0") == 0
    lock = tmp_path / "tiles" / "lock"
    lock.unlink()
    lock.mkdir()
    assert run(video, tmp_path / "tiles") == 2
    assert "tiles are not kept in" in capsys.readouterr().err


def test_a_cache_without_a_directory_cannot_be_warmed(video):
    with pytest.raises(ValueError, match="only a cache with a directory can be warmed"):
        warm(video, TileCache())


def test_a_sheet_is_drawn_from_the_cache(video, tmp_path, capsys):
    out, tiles = tmp_path / "a.png", str(tmp_path / "tiles")
    pictures = []
    for flags in ([], ["--cache", tiles], ["--cache", tiles]):
        small = ["--grid-size", "2", "--tile-size", "32x20"]
        assert main(["sheet", str(video), *small, *flags, "-o", str(out)]) == 0
        pictures.append((out.read_bytes(), "; 0 frames decoded" in capsys.readouterr().out))
    assert pictures[1] == pictures[0] and pictures[2] == (pictures[0][0], True)
    assert not pictures[0][1]


@pytest.mark.parametrize(
    ("text", "value"), [("20G", 20 * 10**9), ("1.5k", 1500), ("4096", 4096), ("2T", 2 * 10**12)]
)
def test_numbers_of_bytes_are_read(text, value):
    assert parse_num_bytes(text) == value
