"""What a preview costs: the root of a long H.264 file with a key frame each 250 frames."""

import time

import av
import numpy as np
import pytest
from PIL import Image
from test_key_frames import cells_of

from videoatlas_gym.video import VideoReader
from videoatlas_gym.video.preview import shown_for
from videoatlas_gym.video.synthesis import write_video

GRID_SIZE, TILE, SIZE = 8, (160, 90), (640, 360)
RATE, GROUP, NUM_GROUPS, COPIES = 30, 250, 4, 18
LEAST_RATIO = 10


def film(count):
    """Two soft textures that pass over each other at different speeds, with grain.

    A key frame has some fifteen times the bytes of another one, as in films.
    """
    width, height = SIZE
    rng = np.random.default_rng(0)
    near, far = (
        np.asarray(
            Image.fromarray(
                rng.integers(0, 256, (height // scale, 2 * width // scale, 3), np.uint8)
            ).resize((2 * width, height), Image.Resampling.BICUBIC)
        ).astype(np.int16)
        for scale in (12, 40)
    )
    grain = rng.integers(-2, 3, (2 * height, 2 * width, 1)).astype(np.int16)
    for index in range(count):
        left, right = (int(width * (0.5 + 0.5 * np.sin(index / pace))) for pace in (90, 210))
        top, side = rng.integers(0, height), rng.integers(0, width)
        mixed = near[:, left : left + width] // 3 + far[:, right : right + width] * 2 // 3
        mixed = mixed + grain[top : top + height, side : side + width]
        yield np.clip(mixed, 0, 255).astype(np.uint8)


def repeated(source, target, copies):
    """Lay a file's packets one after another, several times."""
    with av.open(str(target), "w") as new:
        stream = None
        for copy in range(copies):
            with av.open(str(source)) as old:
                track = old.streams.video[0]
                stream = stream or new.add_stream_from_template(track)
                for packet in old.demux(track):
                    if packet.dts is not None:
                        moved = round(copy * NUM_GROUPS * GROUP / RATE / packet.time_base)
                        packet.pts, packet.dts = packet.pts + moved, packet.dts + moved
                        packet.stream = stream
                        new.mux(packet)
    return target


def cpu_seconds(path, representative):
    """CPU seconds of the root grid by a new reader, opening left out; and what it shows."""
    with VideoReader(path) as reader:
        moments, spans = cells_of(reader, GRID_SIZE)
        began = time.process_time()
        shown = shown_for(reader, moments, spans, TILE, representative=representative)
        return time.process_time() - began, shown


@pytest.mark.slow
def test_a_preview_of_ten_minutes_costs_a_tenth_of_the_exact_root(tmp_path):
    once = write_video(
        tmp_path / "once.mp4",
        film(GROUP * NUM_GROUPS),
        frames_per_second=RATE,
        group_of_pictures=GROUP,
        options={"preset": "veryfast", "sc_threshold": "0"},
    )
    path = repeated(once, tmp_path / "long.mp4", COPIES)
    spent = {}
    for kind in ("midpoint", "keyframe"):
        spent[kind], shown = min((cpu_seconds(path, kind) for _ in range(3)), key=lambda m: m[0])
    assert all(chosen.is_key for chosen in shown)
    print({kind: round(seconds, 3) for kind, seconds in spent.items()})
    assert spent["midpoint"] >= LEAST_RATIO * spent["keyframe"]
