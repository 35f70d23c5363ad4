"""Pictures stand upright, keep their shape, and fill tiles without being stretched."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from videoatlas_gym.video import LETTERBOX_RGB, VideoReader
from videoatlas_gym.video._picture import Orientation, fitted_size, sane_pixel_aspect
from videoatlas_gym.video.synthesis import numbered_frame, write_video

FINE = {"crf": "1"}


def square(side_px=48, width=160, height=96, width_px=None):
    """A white square (or box) in the middle of a dark picture."""
    rgb = np.full((height, width, 3), 16, np.uint8)
    width_px = width_px or side_px
    top, left = (height - side_px) // 2, (width - width_px) // 2
    rgb[top : top + side_px, left : left + width_px] = 240
    return rgb


def bright_box(rgb):
    """(width, height) of the bright part, to a fraction of a pixel."""
    light = np.clip((rgb.mean(axis=2) - 40) / 190, 0, 1)
    return light.sum(axis=1).max(), light.sum(axis=0).max()


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "square.mp4"
    return write_video(path, [square()] * 3, options=FINE)


@pytest.mark.parametrize(
    "size", [(64, 64), (200, 50), (50, 200), (320, 320), (161, 97), (336, 189), (40, 24)]
)
def test_a_square_stays_a_square_in_every_tile(film, size):
    with VideoReader(film) as reader:
        tile = reader.tiles_at([0.05], *size)[0]
    scale = min(size[0] / 160, size[1] / 96)
    assert tile.shape == (size[1], size[0], 3)
    assert bright_box(tile) == pytest.approx((48 * scale, 48 * scale), abs=1.2)


@pytest.mark.parametrize("size", [(64, 64), (200, 50), (50, 200)])
def test_bars_have_the_letterbox_colour_and_the_picture_is_centred(film, size):
    with VideoReader(film) as reader:
        tile = reader.frames_at([0], size)[0].rgb
    width, height = fitted_size((160, 96), size)
    top, left = (size[1] - height) // 2, (size[0] - width) // 2
    bars = np.ones(tile.shape[:2], bool)
    bars[top : top + height, left : left + width] = False
    assert np.unique(tile[bars], axis=0).tolist() == [list(LETTERBOX_RGB)]
    assert np.unique(tile[~bars], axis=0).tolist() != [list(LETTERBOX_RGB)]


def test_a_tile_of_one_pixel_is_the_mean_of_the_picture(film):
    with VideoReader(film) as reader:
        pixel, native = reader.tiles_at([0], 1, 1)[0], reader.frame_at(0).rgb
    assert pixel.reshape(3) == pytest.approx(native.mean(axis=(0, 1)), abs=24)


def test_a_tile_has_the_colours_of_the_native_frame(tmp_path):
    rgb = np.empty((96, 160, 3), np.uint8)
    rgb[:, :80], rgb[:, 80:] = (200, 40, 60), (30, 90, 180)
    path = write_video(tmp_path / "colours.mp4", [rgb] * 2, options=FINE)
    with VideoReader(path) as reader:
        native, tile = reader.frame_at(0).rgb, reader.tiles_at([0], 40, 24)[0]
    assert np.abs(tile[:, 5:15].mean((0, 1)) - native[:, 20:60].mean((0, 1))).max() < 2
    assert np.abs(tile[:, 25:35].mean((0, 1)) - native[:, 100:140].mean((0, 1))).max() < 2


@pytest.mark.parametrize("size", [(0, 10), (10, -1)])
def test_a_tile_without_pixels_is_refused(film, size):
    with VideoReader(film) as reader, pytest.raises(ValueError, match="at least 1x1 pixels, got"):
        reader.frames_at([0], size)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_rotated_video_is_turned_upright(tmp_path, degrees):
    coded = numbered_frame(1234, 160, 96)
    path = write_video(tmp_path / "turned.mp4", [coded] * 2, rotation_degrees=degrees, options=FINE)
    upright = np.rot90(coded, degrees // 90).astype(int)
    with VideoReader(path) as reader:
        assert reader.native_size == upright.shape[1::-1]
        assert np.abs(reader.frame_at(0).rgb - upright).mean() < 12
        tile = reader.tiles_at([0], *upright.shape[1::-1])[0]
        assert np.abs(tile - upright).mean() < 12
        assert reader.describe()["rotation_degrees"] == 360 - degrees


@pytest.mark.parametrize(
    ("aspect", "native_size"),
    [(Fraction(4, 3), (213, 96)), (Fraction(1, 2), (160, 192)), (Fraction(2), (320, 96))],
)
def test_pixels_that_are_not_square_are_made_so_without_loss(tmp_path, aspect, native_size):
    coded = square(side_px=48, width_px=round(48 / aspect))  # square once it is shown
    path = write_video(tmp_path / "sar.mp4", [coded] * 2, sample_aspect_ratio=aspect, options=FINE)
    with VideoReader(path) as reader:
        assert reader.native_size == native_size
        for rgb in (reader.frame_at(0).rgb, reader.tiles_at([0], 240, 240)[0]):
            width, height = bright_box(rgb)
            assert width == pytest.approx(height, abs=2.5)
        assert reader.frame_at(0).rgb.shape == (*native_size[::-1], 3)


@pytest.mark.parametrize("ratio", [None, Fraction(0), Fraction(1, 1000), Fraction(5000)])
def test_an_absurd_pixel_aspect_counts_as_square(ratio):
    assert sane_pixel_aspect(ratio) == 1


@pytest.mark.parametrize(("x_sign", "y_sign", "is_turned"), list(product((1, -1), (1, -1), (0, 1))))
def test_every_display_matrix_of_quarter_turns_moves_each_pixel_as_defined(
    x_sign, y_sign, is_turned
):
    coded = np.arange(6 * 3, dtype=np.uint8).reshape(2, 3, 3)
    a, b, c, d = (0, x_sign, y_sign, 0) if is_turned else (x_sign, 0, 0, y_sign)
    matrix = np.array([a, b, 0, c, d, 0, 0, 0, 16384], np.int32) * 65536
    moved = {
        (a * x + c * y, b * x + d * y): coded[y, x].tolist() for y in range(2) for x in range(3)
    }
    left, top = (min(place[axis] for place in moved) for axis in (0, 1))
    upright = Orientation.from_matrix(matrix).upright(coded)
    for (x, y), pixel in moved.items():
        assert upright[y - top, x - left].tolist() == pixel


@pytest.mark.parametrize("numbers", [[0] * 9, [1, 1, 0, 1, 1, 0, 0, 0, 1], [-(2**31)] * 9, []])
def test_a_display_matrix_that_makes_no_sense_is_ignored(numbers):
    assert Orientation.from_matrix(np.array(numbers, np.int32)) == Orientation()
