"""A sheet shows the right frames of the right cell, and refuses the rest in a sentence."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import data_folder
from PIL import Image

from videoatlas_gym.cli import main
from videoatlas_gym.sheet import sheet
from videoatlas_gym.subtitles import Subtitles
from videoatlas_gym.video.synthesis import numbered_frames, read_number, write_video

RATE = 8
NUM_FRAMES = 256
TILE = (160, 96)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two numbered videos of 32 s, the second counting from 1000, with subtitles."""
    path = tmp_path_factory.mktemp("videos")
    for name, first in (("a.mp4", 0), ("b.mp4", 1000)):
        frames = numbered_frames(NUM_FRAMES, *TILE, first_index=first)
        write_video(path / name, frames, frames_per_second=RATE)
    (path / "a.srt").write_text("1\n00:00:00,000 --> 00:00:02,000\nHello there\n")
    return path


def cells(picture, side, tile=TILE):
    """Cut a sheet into its tiles, row by row."""
    width, height = tile
    rows = picture.reshape(side, height, side, width, 3).swapaxes(1, 2)
    return rows.reshape(side * side, height, width, 3)


def numbers(picture, side):
    """What the frames on a sheet without labels carry."""
    return [read_number(tile) for tile in cells(picture, side)]


def drawn(folder, *flags, out="out.png"):
    """Run the command on the first video; return exit code and path of the sheet."""
    target = folder / out
    return main(["sheet", str(folder / "a.mp4"), *flags, "-o", str(target)]), target


def test_the_root_shows_the_middle_frame_of_each_part(folder):
    picture = sheet(folder / "a.mp4", grid_size=4, tile_size=TILE, labels=False)
    assert picture.shape == (4 * 96, 4 * 160, 3) and picture.dtype == np.uint8
    assert numbers(picture, 4) == [16 * i + 8 for i in range(16)]


def test_a_cell_shows_its_own_part_more_finely(folder):
    picture = sheet(folder / "a.mp4", (3,), grid_size=4, tile_size=TILE, labels=False)
    assert numbers(picture, 4) == [48 + i for i in range(16)]


def test_a_cell_of_a_cell_is_reached_by_its_path(folder):
    picture = sheet(folder / "a.mp4", (2, 3), grid_size=2, tile_size=TILE, labels=False)
    assert numbers(picture, 2) == [128 + 48 + 4 * i + 2 for i in range(4)]


def test_several_videos_lie_on_one_timeline(folder):
    videos = [folder / "a.mp4", folder / "b.mp4"]
    picture = sheet(videos, grid_size=2, tile_size=TILE, labels=False)
    assert numbers(picture, 2) == [64, 192, 1064, 1192]


def test_labels_and_times_change_the_corner_of_each_cell_only(folder):
    plain = sheet(folder / "a.mp4", grid_size=2, tile_size=TILE, labels=False)
    labelled = sheet(folder / "a.mp4", grid_size=2, tile_size=TILE)
    timed = sheet(folder / "a.mp4", grid_size=2, tile_size=TILE, times=True)
    tiles = zip(*(cells(p, 2) for p in (plain, labelled, timed)), strict=True)
    for tile, with_label, with_time in tiles:
        assert (tile != with_label).any() and (with_label != with_time).any()
        assert np.array_equal(tile[20:], with_time[20:])


def test_subtitles_are_written_into_the_cells_they_belong_to(folder):
    plain = cells(sheet(folder / "a.mp4", grid_size=2, tile_size=TILE), 2)
    spoken = cells(sheet(folder / "a.mp4", grid_size=2, tile_size=TILE, subtitles="auto"), 2)
    assert (plain[0][-20:] != spoken[0][-20:]).any()
    assert np.array_equal(plain[1:], spoken[1:])


def test_automatic_subtitles_of_joined_videos_are_moved_to_their_place(folder):
    videos = [folder / "b.mp4", folder / "a.mp4"]
    plain = cells(sheet(videos, grid_size=2, tile_size=TILE), 2)
    spoken = cells(sheet(videos, grid_size=2, tile_size=TILE, subtitles="auto"), 2)
    changed = [i for i in range(4) if not np.array_equal(plain[i], spoken[i])]
    assert changed == [2]


def test_ready_subtitles_are_taken(folder):
    silent = sheet(folder / "a.mp4", grid_size=2, tile_size=TILE, subtitles=Subtitles())
    assert np.array_equal(silent, sheet(folder / "a.mp4", grid_size=2, tile_size=TILE))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG"])
def test_the_command_writes_the_picture_that_the_function_returns(folder, capsys, suffix):
    flags = ["--grid-size", "2", "--tile-size", "160x96", "--path", "1", "--times"]
    code, out = drawn(folder, *flags, out=f"cell{suffix}")
    assert code == 0
    shown = sheet(folder / "a.mp4", (1,), grid_size=2, tile_size=TILE, times=True)
    with Image.open(out) as image:
        assert image.size == (320, 192)
        assert suffix != ".png" or np.array_equal(np.asarray(image), shown)
    output = capsys.readouterr().out
    assert "cell 1 of a.mp4, 00:08.0 to 00:16.0, 2 x 2 cells of 2 s, 320x192 pixels" in output
    assert "frames decoded in" in output and len(output.splitlines()) == 1


def test_an_older_picture_is_replaced_and_nothing_else_is_left(folder, tmp_path):
    out = tmp_path / "sheet.png"
    out.write_bytes(b"old")
    code = main(["sheet", str(folder / "a.mp4"), "--grid-size", "2", "-o", str(out)])
    assert code == 0 and [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
    assert Image.open(out).size == (640, 360)


def test_cells_shorter_than_a_frame_are_told_of(folder, capsys):
    assert drawn(folder, "--path", "1", "--tile-size", "32x20")[0] == 0
    assert "Cells are shorter than a frame (125 ms)" in capsys.readouterr().out
    assert drawn(folder, "--path", "1", "--grid-size", "4", "--tile-size", "32x20")[0] == 0
    assert "shorter than a frame" not in capsys.readouterr().out


def test_silence_is_told_of_where_subtitles_were_asked_for(folder, capsys):
    flags = ["--grid-size", "2", "--subtitles", "auto"]
    assert drawn(folder, *flags, "--path", "3")[0] == 0
    assert "no subtitles in this span" in capsys.readouterr().out
    assert drawn(folder, *flags, "--path", "0")[0] == 0
    assert "no subtitles in this span" not in capsys.readouterr().out


MISTAKES = {
    "not in the grid": (["--path", "64"], "cell 64 of path 64 is not in a 8 x 8 grid"),
    "no path": (["--path", "1;2"], "a path is cell indices from the root, separated by commas"),
    "negative": (["--path=-1"], "a path is cell indices"),
    "too deep": (["--path", "1,2"], "cell 1/2 is 7.812 ms long, shorter than a frame (125 ms)"),
    "last that opens": (["--path", "1,2,3"], "The last cell on this path that opens is 1."),
    "tile size": (["--tile-size", "big"], "a tile size is WIDTHxHEIGHT"),
    "tiny tile": (["--tile-size", "4x4"], "a tile must be 8 to 4096 pixels wide and high"),
    "huge sheet": (["--tile-size", "4000x4000"], "make 1024 megapixels, at most 67 are drawn"),
    "grid size": (["--grid-size", "1"], "grid_size must be a whole number from 2 to 64, got 1"),
    "no number": (["--grid-size", "x"], "invalid int value: 'x'. See videoatlas sheet --help"),
    "subtitles": (["--subtitles", "none.srt"], "cannot read 'none.srt': No such file"),
    "unknown flag": (["--label"], "unrecognized arguments: --label"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gives_one_sentence_and_writes_nothing(folder, tmp_path, capsys, name):
    flags, sentence = MISTAKES[name]
    out = tmp_path / "sheet.png"
    assert main(["sheet", str(folder / "a.mp4"), *flags, "-o", str(out)]) == 2
    output = capsys.readouterr()
    assert sentence in output.err and len(output.err.splitlines()) == 1
    assert output.err.startswith("videoatlas sheet: ")
    assert not output.out and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "it is a folder. Name a file in it"),
        ("sheet.bmp", "a sheet's name must end in .png, .jpg, .jpeg"),
        ("sheet", "a sheet's name must end in"),
        ("none/sheet.png", "there is no folder"),
    ],
)
def test_what_cannot_be_written_is_refused(folder, tmp_path, capsys, name, sentence):
    assert main(["sheet", str(folder / "a.mp4"), "-o", str(tmp_path / name)]) == 2
    assert sentence in capsys.readouterr().err


def test_the_video_itself_is_never_overwritten(folder, tmp_path, capsys):
    video = tmp_path / "film.png"
    video.write_bytes((folder / "a.mp4").read_bytes())
    assert main(["sheet", str(video), "-o", str(video)]) == 2
    assert "it is a video to read" in capsys.readouterr().err
    assert video.read_bytes() == (folder / "a.mp4").read_bytes()


def test_a_missing_video_is_a_sentence(tmp_path, capsys):
    assert main(["sheet", str(tmp_path / "no.mp4"), "-o", str(tmp_path / "o.png")]) == 2
    assert "no video found at" in capsys.readouterr().err


def test_what_is_no_video_is_a_sentence(tmp_path, capsys):
    (tmp_path / "no.mp4").write_text("text " * 100)
    assert main(["sheet", str(tmp_path / "no.mp4"), "-o", str(tmp_path / "o.png")]) == 2
    assert "Invalid data found" in capsys.readouterr().err


def test_a_single_frame_fills_its_whole_sheet(tmp_path):
    path = write_video(tmp_path / "one.mp4", numbered_frames(1, *TILE, first_index=7))
    assert numbers(sheet(path, grid_size=2, tile_size=TILE, labels=False), 2) == [7] * 4
    with pytest.raises(ValueError, match="The last cell on this path that opens is root"):
        sheet(path, (0,), grid_size=2)


@pytest.mark.data
def test_a_real_film_is_drawn(tmp_path, capsys):
    film = data_folder() / "clips" / "chaplin_9s.mp4"
    assert main(["sheet", str(film), "--grid-size", "3", "-o", str(tmp_path / "o.png")]) == 0
    assert "all of chaplin_9s.mp4, 00:00.0 to 00:09.6" in capsys.readouterr().out
