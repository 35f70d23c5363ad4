"""The videos of the decoding race carry numbers that survive, join exactly, and are made whole."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import islice

import av
import numpy as np
import pytest
from PIL import Image

import benchmarks.films
from benchmarks.films import FILMS, QUICK_FILMS, Film, film_path, make_film
from benchmarks.footage import MEAN_SHOT_SECONDS, frames, read_corner
from benchmarks.views import TILE_SIZE

SMALL = {"seconds": 8, "size": (320, 192)}
"""The shortest that sound fits in whole packets."""


def numbers(path, size):
    """Return (time, number) of all frames, read from pictures scaled to a size."""
    with av.open(str(path)) as container:
        return [
            (frame.pts * frame.time_base, read_corner(np.asarray(frame.to_image().resize(size))))
            for frame in container.decode(container.streams.video[0])
        ]


def packets_of_sound(path):
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return [p.pts * p.time_base for p in container.demux(stream) if p.pts is not None]


@pytest.mark.parametrize("size", [TILE_SIZE, (160, 90), (640, 360)])
def test_numbers_can_be_read_from_an_encoded_film_after_scaling(tmp_path_factory, size):
    folder = tmp_path_factory.getbasetemp() / "films"
    film = QUICK_FILMS["short"]
    found = numbers(make_film("short", film, folder), size)
    assert found == [(Fraction(index, 25), index) for index in range(film.num_frames)]


@pytest.mark.parametrize("name", FILMS)
def test_every_kind_of_film_can_be_made_and_numbered(tmp_path, name):
    film = replace(FILMS[name], **SMALL, copies=min(FILMS[name].copies, 2))
    path = make_film(name, film, tmp_path)
    with av.open(str(path)) as container:
        (stream,) = container.streams.video
        assert stream.codec_context.name in film.codec.replace("libx265", "hevc") or (
            stream.codec_context.name == {"libx264": "h264"}.get(film.codec)
        )
        assert (stream.width, stream.height) == film.size
        assert len(container.streams.audio) == bool(film.copies)
    total = film.num_frames * max(film.copies, 1)
    found = numbers(path, (160, 96))
    assert [number for _, number in found] == [i % film.num_frames for i in range(total)]
    step = Fraction(1, 25)
    assert all(abs(moment - i * step) <= Fraction(1, 2000) for i, (moment, _) in enumerate(found))


def test_copies_follow_each_other_exactly_with_all_of_their_sound(tmp_path):
    path = make_film("three", Film("", **SMALL, group=50, copies=3), tmp_path)
    moments = [moment for moment, _ in numbers(path, (160, 96))]
    assert moments == [Fraction(index, 25) for index in range(600)]
    assert packets_of_sound(path) == [
        Fraction(1024 * index, 48_000) for index in range(24 * 48_000 // 1024)
    ]


def test_a_film_is_made_once_and_made_anew_under_another_recipe(tmp_path, monkeypatch):
    film = Film("", seconds=1, size=(96, 64))
    path = make_film("one", film, tmp_path)
    written = path.stat()
    assert make_film("one", film, tmp_path).stat().st_mtime_ns == written.st_mtime_ns
    for other in (replace(film, group=10), replace(film, options={"crf": "30"})):
        assert film_path("one", other, tmp_path) != path
    assert film_path("one", replace(film, about="words"), tmp_path) == path
    monkeypatch.setattr(benchmarks.films, "VERSION", 0)
    assert film_path("one", film, tmp_path) != path


def test_a_film_that_is_interrupted_leaves_nothing_behind(tmp_path, monkeypatch):
    def stopped(*arguments, **keywords):
        yield from islice(frames(*arguments, **keywords), 10)
        raise KeyboardInterrupt

    monkeypatch.setattr(benchmarks.films, "frames", stopped)
    with pytest.raises(KeyboardInterrupt):
        make_film("cut", Film("", seconds=2, size=(96, 64)), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_shot_lasts_twelve_seconds_on_average_and_no_two_frames_are_equal():
    rate, count = 5, 2400
    small = [
        np.asarray(Image.fromarray(frame[24:]).convert("L").resize((8, 6)), float)
        for frame in frames(count, 96, 96, frames_per_second=rate)
    ]
    steps = np.abs(np.diff(small, axis=0)).mean(axis=(1, 2))
    num_cuts = int((steps > 3 * np.median(steps)).sum())
    assert num_cuts == pytest.approx(count / rate / MEAN_SHOT_SECONDS, rel=0.35)
    drawn = list(islice(frames(60, 96, 96), 60))
    assert all((one != two).mean() > 0.3 for one, two in zip(drawn, drawn[1:], strict=False))
