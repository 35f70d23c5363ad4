"""The demonstration draws a film that can be searched, and compares on it."""

import pytest

from eval.demo import draw_film, main
from videoatlas_gym.video import VideoReader


def test_a_film_has_its_length_scenes_that_differ_and_frames_that_move():
    frames = list(draw_film(minutes=0.5, seed=3))
    assert len(frames) == 300 and frames[0].shape == (180, 320, 3)
    changes = [abs(a.astype(int) - b).mean() for a, b in zip(frames, frames[1:], strict=False)]
    cuts = [change for change in changes if change > 15]
    assert 2 <= len(cuts) <= 8
    assert 0 < min(changes)


def test_only_the_film_is_written_when_that_is_asked_for(tmp_path, capsys):
    assert main(["--write", str(tmp_path / "film.mp4"), "--minutes", "0.2"]) == 0
    assert abs(VideoReader(tmp_path / "film.mp4").duration_seconds - 12.0) < 0.2
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


def test_the_demonstration_ends_with_a_table_and_says_where_it_lies(tmp_path, capsys):
    flags = ["--minutes", "1", "--episodes", "1", "--out", str(tmp_path / "demo")]
    assert main(flags) == 0
    printed = capsys.readouterr().out
    assert "| oracle" in printed and str(tmp_path / "demo") in printed
    assert (tmp_path / "demo" / "comparison" / "table.md").exists()


@pytest.mark.parametrize("minutes", ["0", "-1"])
def test_a_film_without_length_is_refused(minutes):
    with pytest.raises(SystemExit) as stopped:
        main(["--minutes", minutes])
    assert stopped.value.code == 2
