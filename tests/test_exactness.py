"""The matrix: in files of every kind each moment shows the right frame, to the last bit decoded.

The oracle decodes each file from start to end without leaving anything out. What readers hand over
here is not painted: it is the hash of the very planes that their decoder gave.
"""

from __future__ import annotations

import random
from fractions import Fraction
from math import nextafter

import av
import numpy as np
import pytest
from helpers import VIDEOS, decode_linearly, digest, plane_digest

from videoatlas_gym.video import VideoReader
from videoatlas_gym.video._bitstream import NEEDED
from videoatlas_gym.video._picture import Painter
from videoatlas_gym.video.synthesis import read_number

NOT_PLANNED = {
    *("program stream", "avi mpeg4 with B-frames", "raw stream", "stamps in decoding order")
}
"""Files without time stamps for each picture: all that is left is to walk through them."""
WITHOUT_TWINS = {"mjpeg"}
NOT_SKIPPING = NOT_PLANNED | {
    *("no B-frames", "webm vp9", "webm vp8", "vp8 with hidden pictures", "av1", "mjpeg"),
    *("avi mpeg4", "mpeg4 with B-frames", "interlaced mpeg2", "single frame"),
}
"""Files in which something is made from each picture, or whose packets do not tell."""


class HashingPainter(Painter):
    """Hands over the hash of a picture's planes in place of the picture."""

    def paint(self, frame: av.VideoFrame, size) -> np.ndarray:
        if size is not None:
            return super().paint(frame, size)
        return np.frombuffer(bytes.fromhex(plane_digest(frame)), np.uint8)


@pytest.fixture(scope="module", params=VIDEOS)
def video(request, tmp_path_factory):
    path = VIDEOS[request.param](tmp_path_factory.mktemp("exactness"))
    return request.param, path, decode_linearly(path)


@pytest.fixture(params=[1, 3], ids=["1 worker", "3 workers"])
def num_workers(request):
    return request.param


@pytest.fixture
def unpainted(monkeypatch):
    monkeypatch.setattr("videoatlas_gym.video._groups.Painter", HashingPainter)
    monkeypatch.setattr("videoatlas_gym.video._access.Painter", HashingPainter)


def moments_of(truth, duration, rng, count=30):
    """Random moments; exact beginnings of frames, as fractions and as floats; last moments."""
    at_random = [rng.random() * duration for _ in range(count)]
    some = rng.choices(range(len(truth.stamps)), k=count)
    exact = [(truth.stamps[i] - truth.stamps[0]) * truth.time_base for i in some]
    ends = [float(moment) - 2e-9 for moment in exact if moment]
    moments = [*at_random, *exact, *map(float, exact), *ends, 0, nextafter(duration, 0)]
    rng.shuffle(moments)
    return moments


def check(frames, moments, truth):
    for frame, moment in zip(frames, moments, strict=True):
        index = truth.index_at(Fraction(moment))
        assert frame.pts == truth.stamps[index]
        assert frame.rgb.tobytes().hex() == truth.planes[index]


def test_pictures_asked_for_one_by_one_are_those_of_a_linear_decode(video, num_workers, unpainted):
    name, path, truth = video
    with VideoReader(path, num_workers=num_workers) as reader:
        moments = moments_of(truth, reader.duration_seconds, random.Random(name), 12)
        check(map(reader.frame_at, moments), moments, truth)


def test_pictures_asked_for_at_once_are_those_of_a_linear_decode(video, num_workers, unpainted):
    name, path, truth = video
    rng = random.Random(name)
    with VideoReader(path, num_workers=num_workers) as reader:
        for count in (1, 4, 20):
            moments = moments_of(truth, reader.duration_seconds, rng, count)
            check(reader.frames_at(moments), moments, truth)
            check(reader.frames_at(sorted(moments)), sorted(moments), truth)


def test_pictures_asked_for_in_small_lots_are_those_of_a_linear_decode(video, unpainted):
    name, path, truth = video
    rng = random.Random(name)
    with VideoReader(path, num_workers=2) as reader:
        moments = moments_of(truth, reader.duration_seconds, rng)
        while moments:
            lot, moments = moments[: (size := rng.randint(1, 9))], moments[size:]
            check(reader.frames_at(lot), lot, truth)


def test_painted_pictures_are_those_of_a_linear_decode(video, num_workers):
    name, path, truth = video
    with VideoReader(path, num_workers=num_workers) as reader:
        moments = moments_of(truth, reader.duration_seconds, random.Random(name), 10)
        frames = reader.frames_at(moments)
        indices = [truth.index_at(Fraction(moment)) for moment in moments]
        assert [digest(frame.rgb) for frame in frames] == [truth.digests[i] for i in indices]
        if name not in ("edit list", "vp8 with hidden pictures", "rotated"):
            assert [read_number(frame.rgb) for frame in frames] == indices


def test_pictures_are_planned_by_several_decoders_where_they_can_be(video):
    name, path, truth = video
    with VideoReader(path, num_workers=3) as reader:
        duration = reader.duration_seconds
        reader.frames_at([duration * i / 20 for i in range(20)])
        groups = reader._access._groups
        assert groups.is_hopeless == (name in NOT_PLANNED)
        if name not in NOT_PLANNED:
            assert groups._num_failures == 0
            assert len(groups._twins or ()) == (0 if name in WITHOUT_TWINS else 3)


def num_decoded(path):
    """How many pictures are decoded for twelve moments."""
    with VideoReader(path, num_workers=1) as reader:
        duration = reader.duration_seconds
        before = reader.frames_decoded
        reader.frames_at([duration * (i + 0.5) / 12 for i in range(12)])
        return reader.frames_decoded - before


def test_pictures_that_nothing_is_made_from_are_not_decoded(video, monkeypatch):
    name, path, _ = video
    skipping = num_decoded(path)

    def needed(data):
        return NEEDED

    monkeypatch.setattr("videoatlas_gym.video._feeds.spare_reader", lambda *stream: needed)
    assert (skipping < 0.9 * num_decoded(path)) == (name not in NOT_SKIPPING)


def test_reading_each_frame_in_turn_decodes_it_about_once(video):
    _, path, truth = video
    with VideoReader(path) as reader:
        before = (reader.duration_seconds, reader.frames_decoded)[1]
        for stamp in truth.stamps:
            assert reader.frame_at((stamp - truth.stamps[0]) * truth.time_base).pts == stamp
        # The first group is planned for one moment, then walked through from its key frame.
        assert reader.frames_decoded - before <= 1.25 * len(truth.stamps) + 30
