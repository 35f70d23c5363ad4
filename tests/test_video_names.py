"""The names of `videoatlas_gym.video` are imported when they are used, and are those it lists."""

from __future__ import annotations

import subprocess
import sys

import pytest

from videoatlas_gym import video


def test_every_listed_name_is_there_and_no_other():
    assert sorted(video._HOMES) == sorted(video.__all__)
    for name in video.__all__:
        assert getattr(video, name) is not None
    assert set(video.__all__) <= set(dir(video))
    with pytest.raises(AttributeError, match="has no attribute 'VideoReeder'"):
        video.VideoReeder  # noqa: B018


def test_a_reader_is_had_without_what_it_does_not_need():
    code = "import sys; from videoatlas_gym.video import VideoReader; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(told.stdout.split())
    assert "videoatlas_gym.video.reader" in loaded
    assert not loaded & {"pysubs2", "videoatlas_gym.video.concat", "videoatlas_gym.video.store"}
