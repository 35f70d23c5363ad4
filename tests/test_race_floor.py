"""The floor of the race decodes as many packets as the file's bytes say it must, and no more."""

from __future__ import annotations

import json
from bisect import bisect_left
from fractions import Fraction

import numpy as np
import pytest
from helpers import VIDEOS, decode_linearly, digest, encode

from benchmarks.floor import Floor
from benchmarks.footage import frames
from benchmarks.measure import WrongCount, measure
from benchmarks.scan import Scan, scan, stored_scan
from videoatlas_gym.video.synthesis import write_video

FILES = (
    *("constant rate", "no B-frames", "variable rate", "one group", "open groups"),
    *("open groups mkv", "late start mkv", "mkv", "webm vp9", "webm vp8", "hevc", "edit list"),
    "transport stream",
)
UNFIT = {"edit.mp4": "an edit list hides packets", "ts.ts": "seeking leads to no key frame"}


@pytest.fixture(scope="module", params=FILES)
def video(request, tmp_path_factory):
    path = VIDEOS[request.param](tmp_path_factory.mktemp("floor"))
    return path, scan(path), decode_linearly(path)


def moments(duration, count=12, seed=1):
    return np.random.default_rng(seed).uniform(0, duration, count).tolist()


def test_the_scan_knows_what_is_on_display_when(video):
    path, found, truth = video
    assert found.num_frames == len(truth.stamps)
    assert found.start_pts == truth.stamps[0]
    asked = [*moments(found.duration_seconds, 40), 0.0, *truth.times()[1:]]
    assert found.ranks_at(asked) == [truth.index_at(moment) for moment in asked]


def test_the_floor_decodes_what_the_scan_counts_and_its_pictures_are_exact(video):
    path, found, truth = video
    if path.name in UNFIT:
        with pytest.raises(ValueError, match=UNFIT[path.name]):
            Floor(str(path), (0, 0)).prepare([3.0], is_native=False)
        return
    floor = Floor(str(path), (0, 0))
    for seed, count in ((1, 12), (2, 1), (3, 3)):
        asked = moments(found.duration_seconds, count, seed)
        floor.prepare(asked, is_native=False)
        delivered = floor.tiles(asked)
        assert floor.num_packets == found.minimum_packets(asked)
        shown = [digest(picture) for picture in floor.pictures(delivered)]
        assert shown == [truth.digests[truth.index_at(moment)] for moment in asked]


@pytest.mark.parametrize("name", ["constant rate", "hevc", "open groups mkv"])
def test_the_minimum_is_the_least_that_still_gives_the_frame(tmp_path, name):
    path = VIDEOS[name](tmp_path)
    found = scan(path)
    assert 0.1 < 1 - found.is_reference.mean() < 0.9
    moment = 0.9 * found.duration_seconds
    floor = Floor(str(path), (0, 0))
    floor.prepare([moment], is_native=True)
    ((packets, wanted),) = floor._jobs
    assert len(packets) == found.minimum_packets([moment]) > 2
    whole = [digest(p) for p in floor.pictures(floor.tiles([moment]))]
    less = {}
    for left_out in range(1, len(packets) - 1):
        floor._jobs = [(packets[:left_out] + packets[left_out + 1 :], wanted)]
        try:
            less[left_out] = [digest(p) for p in floor.pictures(floor.tiles([moment]))]
        except (KeyError, OSError):
            less[left_out] = None
    assert sum(shown != whole for shown in less.values()) > 0.5 * len(less)


def test_the_minimum_of_a_stream_written_by_hand():
    """Two groups of I P b b: the last two of each are built on by nothing."""
    found = Scan(
        pts=np.array([0, 3, 1, 2, 4, 7, 5, 6]),
        is_key=np.array([1, 0, 0, 0, 1, 0, 0, 0], bool),
        is_reference=np.array([1, 1, 0, 0, 1, 1, 0, 0], bool),
        is_shown=np.ones(8, bool),
        time_base=Fraction(1),
        end_pts=8,
    )
    counts = {0: 1, 1: 3, 2: 3, 3: 2, 4: 1, 5: 3, 7: 2}
    assert {pts: found.minimum_packets([pts]) for pts in counts} == counts
    assert found.minimum_packets([1, 2, 3]) == 4
    assert found.minimum_packets([0.2, 0.9, 4, 6]) == 1 + 3
    assert found.duration_seconds == 8


def test_a_scan_is_kept_until_the_file_changes(tmp_path):
    path = encode(tmp_path / "video.mp4", count=30)
    first = stored_scan(path, tmp_path)
    again = stored_scan(path, tmp_path)
    assert all(np.array_equal(getattr(first, n), getattr(again, n)) for n in vars(first))
    encode(path, count=50)
    assert stored_scan(path, tmp_path).num_frames == 50


def test_a_floor_that_decodes_another_number_stops_the_race(tmp_path):
    path = write_video(tmp_path / "video.mp4", frames(60, 160, 96))
    found, asked = scan(path), [0.5, 1.5]
    view = {"stage": "root", "seconds": asked, "is_native": False, "ranks": found.ranks_at(asked)}
    job = {"method": "floor", "path": str(path), "size": [160, 96], "num_numbers": 60}
    right = found.minimum_packets(asked)
    result = measure(job | {"views": [view | {"minimum_packets": right}]})
    assert result["stages"]["root"]["packets"] == right
    assert result["stages"]["root"]["wrong"] == 0 and not result["error"]
    assert json.loads(json.dumps(result)) == result
    with pytest.raises(WrongCount, match=f"decoded {right} packets, .* says {right - 1}"):
        measure(job | {"views": [view | {"minimum_packets": right - 1}]})


def test_moments_are_looked_up_as_the_linear_decode_has_them(tmp_path):
    truth = decode_linearly(path := VIDEOS["variable rate"](tmp_path))
    stamps, found = truth.stamps, scan(path)
    for rank in (0, 1, 50, 119):
        moment = truth.times()[rank]
        assert found.ranks_at([moment]) == [bisect_left(stamps, stamps[rank])]
        if rank:
            assert found.ranks_at([moment - 2e-9]) == [rank - 1]
