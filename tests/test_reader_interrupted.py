"""Whatever ends reading midway, a reader reads on right, and nothing of it stays at work."""

from __future__ import annotations

import multiprocessing
import random
import signal
import threading
import time

import pytest
from helpers import LinearDecode, decode_linearly, digest, encode

from videoatlas_gym.video import VideoReader
from videoatlas_gym.video._picture import Painter


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """240 frames, a key frame each 24, with B-frames; and what a linear decode shows."""
    path = encode(tmp_path_factory.mktemp("interrupted") / "film.mp4", 240, group_of_pictures=24)
    return path, decode_linearly(path)


def check(reader, truth: LinearDecode, seed=0):
    rng = random.Random(seed)
    moments = [rng.random() * reader.duration_seconds for _ in range(12)]
    for frame, moment in zip(reader.frames_at(moments), moments, strict=True):
        assert digest(frame.rgb) == truth.digests[truth.index_at(moment)]


def num_threads():
    """How many decoders are at work after having had time to end."""
    for _ in range(100):
        names = [thread.name for thread in threading.enumerate()]
        if not (number := sum(name.startswith("videoatlas-decoder") for name in names)):
            break
        time.sleep(0.02)
    return number


def test_no_thread_outlives_a_request(film):
    path, truth = film
    with VideoReader(path, num_workers=3) as reader:
        for seed in range(3):
            check(reader, truth, seed)
            assert num_threads() == 0
        with pytest.raises(ValueError, match="must lie in"):
            reader.frames_at([0, 5, 100])
        assert num_threads() == 0


def interrupted(read, delay_seconds):
    """Call again and again; whether that was interrupted. Destructors swallow interruptions."""

    def interrupt(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, delay_seconds)
        for _ in range(1000):
            read()
    except KeyboardInterrupt:
        return True
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return False


@pytest.mark.parametrize("num_workers", [1, 3])
def test_a_reader_that_was_interrupted_reads_on_right(film, num_workers):
    path, truth = film
    with VideoReader(path, num_workers=num_workers) as reader:
        backwards = [i * 0.1 for i in range(95, -1, -1)]
        check(reader, truth)
        num_interrupted = 0
        for number in range(1, 13):
            num_interrupted += interrupted(lambda: reader.frames_at(backwards), number * 0.004)
            decoded = reader.frames_decoded
            assert num_threads() == 0
            check(reader, truth, number)
            assert reader.frames_decoded > decoded
        assert num_interrupted >= 6


def test_reading_in_turn_goes_on_right_after_interruptions(film):
    path, truth = film
    with VideoReader(path) as reader:
        index = 0

        def read_on():
            nonlocal index
            assert digest(reader.frame_at(index * 0.04).rgb) == truth.digests[index]
            index = (index + 1) % 240

        delays = [0.003 + number * 0.0001 for number in range(40)]
        assert sum(interrupted(read_on, delay) for delay in delays) >= 20


class Failing(Painter):
    """Fails at the third picture, then works again."""

    num_painted = 0

    def paint(self, frame, size):
        Failing.num_painted += 1
        if Failing.num_painted == 3:
            raise ZeroDivisionError
        return super().paint(frame, size)


@pytest.mark.parametrize("num_workers", [1, 3])
def test_whatever_goes_wrong_while_decoding_as_planned_is_walked_around(
    film, num_workers, monkeypatch
):
    path, truth = film
    monkeypatch.setattr("videoatlas_gym.video._groups.Painter", Failing)
    monkeypatch.setattr(Failing, "num_painted", -100)
    with VideoReader(path, num_workers=num_workers) as reader:
        check(reader, truth)
        Failing.num_painted = 0
        check(reader, truth, 1)
        assert Failing.num_painted >= 3
        assert num_threads() == 0
        check(reader, truth, 2)


def test_after_a_fork_both_processes_read_right(film):
    path, truth = film
    with VideoReader(path, num_workers=3) as reader:
        check(reader, truth)
        context = multiprocessing.get_context("fork")
        children = [context.Process(target=check, args=(reader, truth, i)) for i in range(2)]
        for child in children:
            child.start()
        for seed in range(5):
            check(reader, truth, seed)
        for child in children:
            child.join(60)
        assert [child.exitcode for child in children] == [0, 0]
        check(reader, truth)
