"""Wrong frames are noticed: in pictures with numbers, and in real films, whatever scaled them."""

from __future__ import annotations

import subprocess
import sys

import av
import numpy as np
import pytest
from helpers import data_folder
from PIL import Image

from benchmarks import footage
from benchmarks.films import QUICK_FILMS, make_film
from benchmarks.judge import count_wrong_looks, count_wrong_numbers, stored_thumbs
from benchmarks.machine import ROOT
from benchmarks.methods import METHODS
from benchmarks.scan import scan
from benchmarks.views import TILE_SIZE, fitted_size, views
from videoatlas_gym.span import Cell, GridGeometry


def test_wrong_missing_and_unreadable_numbers_are_counted():
    shown = list(footage.frames(7, 160, 90))[3:]
    assert count_wrong_numbers(shown, [3, 4, 5, 6], 100) == 0
    assert count_wrong_numbers(shown, [103, 4, 205, 6], 100) == 0
    assert count_wrong_numbers(shown, [3, 5, 5, 7], 100) == 2
    assert count_wrong_numbers(shown[:3], [3, 4, 5, 6], 100) == 4
    grey = np.full((90, 160, 3), 128, np.uint8)
    assert count_wrong_numbers([*shown[:3], grey], [3, 4, 5, 6], 100) == 1
    black = np.zeros((90, 160, 3), np.uint8)
    assert count_wrong_numbers([black], [1], 100) == 1


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A film without looking at its numbers: all its frames, and what they are judged by."""
    folder = tmp_path_factory.mktemp("film")
    path = make_film("short", QUICK_FILMS["short"], folder)
    kept = stored_thumbs(path, folder)
    written = kept.stat().st_mtime_ns
    assert stored_thumbs(path, folder) == kept and kept.stat().st_mtime_ns == written
    with av.open(str(path)) as container:
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    return frames, np.load(kept, allow_pickle=False)


@pytest.mark.parametrize("resample", [Image.Resampling.BICUBIC, Image.Resampling.BOX])
@pytest.mark.parametrize("size", [TILE_SIZE, (160, 90)])
def test_looks_tell_every_frame_from_its_neighbours_after_scaling(film, resample, size):
    frames, thumbs = film
    assert len(frames) == len(thumbs)
    ranks = list(range(10, 590, 9))
    shown = [np.asarray(Image.fromarray(frames[r]).resize(size, resample)) for r in ranks]
    assert count_wrong_looks(shown, ranks, thumbs) == 0
    assert count_wrong_looks(shown, [rank + 300 for rank in ranks[:20]], thumbs) == 20
    for off in (-1, 1, 5):
        wrong = count_wrong_looks(shown, [rank + off for rank in ranks], thumbs)
        assert wrong > 0.9 * len(ranks)


def test_what_looks_the_same_is_not_called_wrong(film):
    frames, thumbs = film
    twice = np.concatenate([thumbs, thumbs[50:51]])
    assert count_wrong_looks([frames[50]], [len(thumbs)], twice) == 0


@pytest.mark.data
def test_looks_judge_the_real_film(tmp_path):
    path = data_folder() / "clips" / "chrome_ad_30s.mp4"
    found, thumbs = scan(path), np.load(stored_thumbs(path, tmp_path), allow_pickle=False)
    asked = np.linspace(0.1, 28, 40).tolist()
    ranks = found.ranks_at(asked)
    method = METHODS["pyav"].make(str(path), (240, 135))
    tiles = method.tiles(asked)
    assert count_wrong_looks(tiles, ranks, thumbs) == 0
    assert count_wrong_looks(tiles, [rank + 25 for rank in ranks], thumbs) > 25


def test_views_are_a_path_of_cells_that_differs_by_round_and_ends_with_one_frame():
    geometry = GridGeometry(36_000.0, 8)
    paths = set()
    for turn in range(1, 6):
        root, child, grandchild, zoom = views(36_000.0, turn)
        assert root.seconds == geometry.midpoints(Cell()).tolist()
        first = int(child.seconds[0] // geometry.resolution_seconds(0))
        second = int(grandchild.seconds[0] // geometry.resolution_seconds(1)) - 64 * first
        assert child.seconds == geometry.midpoints(Cell((first,))).tolist()
        assert grandchild.seconds == geometry.midpoints(Cell((first, second))).tolist()
        assert zoom.is_native and zoom.seconds[0] in grandchild.seconds
        paths.add((first, second))
        assert views(36_000.0, turn) == [root, child, grandchild, zoom]
    assert len(paths) == 5


@pytest.mark.parametrize(
    ("native", "fitted"),
    [
        ((640, 360), (336, 189)),
        ((320, 240), (252, 189)),
        ((100, 1000), (19, 189)),
        ((99, 9), (336, 31)),
    ],
)
def test_tiles_have_the_shape_of_the_film(native, fitted):
    assert fitted_size(native) == fitted


def test_the_process_that_measures_begins_without_any_contender():
    libraries = {"av", "videoatlas_gym", "PIL", "torch", "cv2", "decord", "torchcodec"}
    code = f"import benchmarks.measure, sys; print(sorted({libraries!r} & set(sys.modules)))"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert told.stdout.strip() == "[]", told.stderr
