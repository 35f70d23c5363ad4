"""Where a picture stays the same: exact to the frame, read once, and for each caller's reader."""

from concurrent.futures import ThreadPoolExecutor

import av
import numpy as np
import pytest
from drawn import FILM_RATE, DrawnSource, write_film
from helpers import open_files

from videoatlas_gym.span import Span, total_seconds
from videoatlas_gym.tasks import PictureIndex, picture_index
from videoatlas_gym.video import ConcatSource, Part, VideoReader


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A file of static shots, and the reader of it."""
    return VideoReader(write_film(tmp_path_factory.mktemp("film") / "shots.mp4"))


def spans_by_linear_decode(path, index):
    """Return the spans in which the frames of a file look like the one with a number."""
    with av.open(str(path)) as container:
        pictures = [f.to_ndarray(format="rgb24").astype(int) for f in container.decode(video=0)]
    alike = [abs(picture - pictures[index]).mean() < 10 for picture in pictures]
    edges = np.flatnonzero(np.diff([False, *alike, False]))
    return tuple(
        Span(a / FILM_RATE, b / FILM_RATE) for a, b in zip(edges[::2], edges[1::2], strict=True)
    )


def assert_same_spans(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.start_seconds == pytest.approx(other.start_seconds, abs=1e-6)
        assert one.end_seconds == pytest.approx(other.end_seconds, abs=1e-6)


@pytest.mark.parametrize("index", [0, 36, 37, 60, 86, 87, 99, 110, 121, 148, 149, 199])
def test_truth_is_every_span_that_shows_the_picture_exact_to_the_frame(film, index):
    expected = spans_by_linear_decode(film.path, index)
    assert_same_spans(picture_index(film).spans_like((index + 0.5) / FILM_RATE), expected)
    assert_same_spans(picture_index(film).spans_like(index / FILM_RATE + 1e-6), expected)


def test_a_static_shot_is_right_anywhere_in_it(film):
    whole = picture_index(film).spans_like(18.0)
    assert_same_spans(whole, (Span(14.9, 20.0),))
    for moment in np.linspace(14.91, 19.99, 9):
        assert picture_index(film).spans_like(float(moment)) == whole


def test_a_picture_that_occurs_twice_has_both_spans_as_truth(film):
    both = (Span(3.7, 8.7), Span(12.1, 14.9))
    assert_same_spans(picture_index(film).spans_like(5.0), both)
    assert_same_spans(picture_index(film).spans_like(13.0), both)


def test_truth_spans_are_exact_to_the_frame_where_rate_and_samples_do_not_fit():
    source = DrawnSource(100.0, seed=3, scene_seconds=3.3)
    for scene in (0, 7, 29):
        (span,) = PictureIndex(source, stride_seconds=0.7).spans_like(scene * 3.3 + 1.0)
        frames = source.frame_times(span.start_seconds + 1e-6, span.end_seconds)
        # A frame belongs to the scene that its middle lies in.
        assert {int((t + 0.02) / 3.3) for t in frames} == {scene}
        before = source.index_at(span.start_seconds) - 1
        after = source.index_at(span.end_seconds)
        assert before < 0 or int((before + 0.5) * 0.04 / 3.3) == scene - 1
        assert int((after + 0.5) * 0.04 / 3.3) == scene + 1


def test_a_clip_laid_twice_on_a_timeline_is_found_in_both_places(film):
    joined = ConcatSource([Part(film, 0.0, 8.7), Part(film, 14.9), Part(film, 8.7, 10.0)] * 2)
    truth = picture_index(joined).spans_like(9.0)
    assert_same_spans(truth, (Span(8.7, 13.8), Span(8.7 + 15.1, 13.8 + 15.1)))


def test_a_picture_on_display_for_too_long_has_no_spans(film):
    assert picture_index(film).spans_like(5.0, max_share=0.3) == ()
    assert picture_index(film).spans_like(9.0, max_share=0.3) != ()


def test_short_videos_may_be_asked_for_any_of_their_pictures():
    index = PictureIndex(DrawnSource(6.0, scene_seconds=0.2))
    for moment in index.moments:
        assert 0 < total_seconds(index.spans_like(float(moment), 0.05)) <= 0.05 * 6.0


def test_each_caller_reads_through_its_own_source(film, monkeypatch):
    one, other = VideoReader(film.path), VideoReader(film.path)
    first, second = picture_index(one), picture_index(other)
    assert first.thumbnails is second.thumbnails, "the pictures are read once"
    assert (first.source, second.source) == (one, other)
    expected = first.spans_like(9.0)
    monkeypatch.setattr(one, "frames_at", None)  # a call of it would raise
    assert second.spans_like(9.0) == expected


def test_no_reader_is_kept_open_for_the_process(tmp_path):
    reader = VideoReader(write_film(tmp_path / "film.mp4"))
    before = open_files(tmp_path)
    picture_index(reader)
    reader.close()
    again = VideoReader(reader.path)
    picture_index(again).spans_like(5.0)
    again.close()
    assert open_files(tmp_path) == before == []


def test_threads_that_ask_for_the_same_video_read_it_once():
    class Counting(DrawnSource):
        asked = []

        def frames_at(self, seconds, size=None):
            self.asked.append(len(seconds))
            return super().frames_at(seconds, size)

    sources = [Counting(60.0, seed=99) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        indices = list(pool.map(picture_index, sources))
    assert sum(Counting.asked) == len(indices[0].moments)
    assert [index.source for index in indices] == sources
