"""Every moment of a timeline shows the right frame of the right part, changed as declared."""

import json
import math
import pickle
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videoatlas_gym.subtitles import Cue, Subtitles
from videoatlas_gym.video import Frame, VideoReader, VideoSource
from videoatlas_gym.video.concat import ConcatSource, Part
from videoatlas_gym.video.joining import join_to_duration
from videoatlas_gym.video.part import rotate_hue
from videoatlas_gym.video.source import LETTERBOX_RGB
from videoatlas_gym.video.synthesis import numbered_frames, write_video

PROPERTY = settings(derandomize=True, deadline=None, database=None, max_examples=100)


class Slides(VideoSource):
    """A source in memory, exact to the last bit: random pictures at given times."""

    frames_decoded = 0

    def __init__(self, times, end, *, size=(8, 6), seed=0):
        self.times, self.end, self.size, self.seed = np.array(times, float), end, size, seed
        self.is_open, self.calls, self.peers, self.max_open = False, [], [], 0

    duration_seconds = property(lambda self: self.end)
    native_size = property(lambda self: self.size)
    frame_seconds = property(lambda self: float(np.median(np.diff([*self.times, self.end]))))

    def picture(self, index):
        shape = (self.size[1], self.size[0], 3)
        return np.random.default_rng([self.seed, index]).integers(0, 256, shape, np.uint8)

    def frames_at(self, seconds, size=None):
        assert all(0 <= moment < self.end for moment in seconds)
        self.is_open = True
        self.max_open = max(self.max_open, sum(peer.is_open for peer in self.peers))
        self.calls.append(list(seconds))
        self.frames_decoded += len(set(seconds))
        shown = [int(np.searchsorted(self.times, s, side="right")) - 1 for s in seconds]
        return [Frame(self.tile(i, size), float(self.times[i]), i - 5) for i in shown]

    def tile(self, index, size):
        size = size or self.size
        tile = np.full((size[1], size[0], 3), LETTERBOX_RGB, np.uint8)  # only larger: not scaled
        top, left = (size[1] - self.size[1]) // 2, (size[0] - self.size[0]) // 2
        tile[top : top + self.size[1], left : left + self.size[0]] = self.picture(index)
        tile.flags.writeable = False
        return tile

    def frame_times(self, start_seconds, end_seconds):
        first = int(np.searchsorted(self.times, start_seconds, side="right")) - 1
        return self.times[first : max(first + 1, np.searchsorted(self.times, end_seconds))]

    def fingerprint(self):
        return f"slides-{self.seed}"

    def close(self):
        self.is_open = False


def slides(rate=10, count=20, **kwargs):
    return Slides(np.arange(count) / rate, count / rate, **kwargs)


def hue_by_definition(rgb, degrees):
    """The hueRotate matrix as W3C writes it out, in floating point."""
    luma = [[0.213, 0.715, 0.072]] * 3
    cosine = [[0.787, -0.715, -0.072], [-0.213, 0.285, -0.072], [-0.213, -0.715, 0.928]]
    sine = [[-0.213, -0.715, 0.928], [0.143, 0.140, -0.283], [-0.787, 0.715, 0.072]]
    angle = math.radians(degrees)
    matrix = np.array(luma) + math.cos(angle) * np.array(cosine) + math.sin(angle) * np.array(sine)
    return np.clip(np.einsum("hwc,kc->hwk", rgb.astype(float), matrix), 0, 255)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Three videos of unlike codec, rate and size."""
    folder = tmp_path_factory.mktemp("concat")
    files = [
        (folder / "a.mp4", "libx264", 25, numbered_frames(40, 96, 64)),
        (folder / "b.webm", "libvpx", Fraction(30000, 1001), numbered_frames(36, 64, 96)),
        (folder / "c.avi", "mpeg4", 7, numbered_frames(9, 48, 48)),
    ]
    for path, codec, rate, frames in files:
        write_video(path, frames, codec=codec, frames_per_second=rate)
    return [str(path) for path, *_ in files]


def test_every_frame_of_real_files_is_its_own_changed_frame(files):
    changes = {
        Part(files[0], 0.33, 1.0): lambda rgb: rgb,
        Part(files[1], mirror=True, speed=1.7): lambda rgb: rgb[:, ::-1],
        Part(files[2], 0.2, crop=(0.25, 0, 0.5, 0.75), speed=0.5): lambda rgb: rgb[0:36, 12:36],
        Part(files[0], mirror=True, crop=(0, 0.5, 1, 0.5)): lambda rgb: rgb[32:64, ::-1],
    }
    parts = list(changes)
    with ConcatSource(parts) as timeline:
        times = timeline.frame_times(0.0, timeline.duration_seconds)
        frames = timeline.frames_at(list(times))
        assert [frame.seconds for frame in frames] == list(times)
        assert len({frame.pts for frame in frames}) == len(times)
        expected = []
        for part, span in zip(parts, timeline.spans, strict=True):
            with VideoReader(part.source) as reader:
                end = part.end_seconds or reader.duration_seconds
                local = reader.frame_times(part.start_seconds, end)
                expected += [changes[part](frame.rgb) for frame in reader.frames_at(list(local))]
            on_timeline = times[(times >= span.start_seconds) & (times < span.end_seconds)]
            mapped = span.start_seconds + (local - part.start_seconds) / part.speed
            assert np.allclose(on_timeline[1:], mapped[1:], rtol=0, atol=1e-11)
            assert on_timeline[0] == span.start_seconds
        assert len(frames) == len(expected)
        assert all(np.array_equal(f.rgb, rgb) for f, rgb in zip(frames, expected, strict=True))


def test_part_boundaries_are_half_open_even_where_frames_lie_on_them(files):
    with VideoReader(files[0]) as reader:
        own = reader.frames_at([0.36, 0.4])  # frames 9 and 10
    timeline = ConcatSource([Part(files[0], 0.0, 0.4), Part(files[0], 0.4, 0.8)])
    edge = timeline.spans[0].end_seconds
    before, after = timeline.frames_at([math.nextafter(edge, 0), edge])
    assert np.array_equal(before.rgb, own[0].rgb)
    assert np.array_equal(after.rgb, own[1].rgb)
    assert after.seconds == edge


times_of_parts = st.lists(
    st.tuples(st.integers(0, 150), st.integers(1, 50), st.sampled_from([0.3, 1.0, 1.7, 3.0])),
    min_size=1,
    max_size=5,
)


@PROPERTY
@given(times_of_parts, st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=20))
def test_the_frame_on_display_is_the_last_one_begun_in_its_part(rows, fractions):
    source = Slides(np.sort(np.random.default_rng(3).random(60)) * 2.0 - 0.001, 2.0)
    source.times[0] = 0.0
    parts = [Part(source, a / 100, (a + length) / 100, speed=pace) for a, length, pace in rows]
    timeline = ConcatSource(parts)
    moments = [fraction * timeline.duration_seconds for fraction in fractions]
    moments += [span.start_seconds for span in timeline.spans]
    for moment, frame in zip(moments, timeline.frames_at(moments), strict=True):
        index, local = timeline.part_at(moment)
        part, span = parts[index], timeline.spans[index]
        assert span.start_seconds <= frame.seconds <= moment + 1e-9 < span.end_seconds + 1e-9
        begun = [
            i for i, t in enumerate(source.times) if t <= local + 1e-9 and t < part.end_seconds
        ]
        assert np.array_equal(frame.rgb, source.picture(begun[-1]))
        assert abs(timeline.to_timeline(index, local) - moment) < 1e-9
    times = timeline.frame_times(0, timeline.duration_seconds)
    assert [frame.seconds for frame in timeline.frames_at(times)] == list(times)
    assert np.all(np.diff(times) > 0)
    shown = timeline.frame_times(moments[0], timeline.duration_seconds)
    assert list(shown) == [t for t in times if t >= shown[0]]
    assert shown[0] <= moments[0] + 1e-9


def test_spans_tile_the_timeline_and_speed_divides_the_duration():
    source = slides()
    timeline = ConcatSource([Part(source, 0.1, 0.4), Part(source, speed=4.0), Part(source)] * 200)
    spans = timeline.spans
    assert all(a.end_seconds == b.start_seconds for a, b in zip(spans, spans[1:], strict=False))
    assert timeline.duration_seconds == spans[-1].end_seconds == pytest.approx(200 * 2.8)
    assert timeline.part_at(spans[431].start_seconds) == (431, 0.0)
    assert timeline.frame_seconds == pytest.approx(0.1)
    assert ConcatSource([Part(source, speed=4)]).frame_seconds == pytest.approx(0.025)


def test_hue_is_rotated_as_defined_and_greys_stay():
    rgb = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    grey = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    for degrees in (1.0, 90.0, 123.4, -60.0, 400.0):
        assert np.abs(rotate_hue(rgb, degrees) - hue_by_definition(rgb, degrees)).max() < 0.51
        assert np.array_equal(rotate_hue(grey, degrees), grey)
    assert np.array_equal(rotate_hue(rgb, 360.0), rgb)
    frame = ConcatSource([Part(slides(), hue_degrees=9.0)]).frame_at(0.55)
    assert np.array_equal(frame, rotate_hue(slides().picture(5), 9.0))


def test_tiles_change_the_picture_and_not_the_bars():
    source = slides(size=(9, 6))
    part = Part(source, mirror=True, hue_degrees=40.0)
    tile = ConcatSource([part]).frames_at([0.0], (9, 11))[0].rgb
    assert np.array_equal(tile[2:8], rotate_hue(source.picture(0)[:, ::-1], 40.0))
    assert (np.delete(tile, range(2, 8), axis=0) == LETTERBOX_RGB).all()


def test_tiles_of_unlike_parts_have_one_size_and_plain_ones_are_the_reader_s(files):
    parts = [Part(files[0]), Part(files[1], crop=(0.5, 0.0, 0.5, 0.25)), Part(files[2])]
    timeline = ConcatSource(parts)
    starts = [span.start_seconds for span in timeline.spans]
    tiles = timeline.tiles_at([starts[2], starts[0], starts[1]], 40, 30)
    for tile, path in zip(tiles, (files[2], files[0]), strict=False):
        assert np.array_equal(tile, VideoReader(path).tiles_at([0.0], 40, 30)[0])
    cropped = VideoReader(files[1]).frame_at(0.0).rgb[:24, 32:]  # fits 40 x 30 without bars
    assert abs(tiles[2].astype(float).mean() - cropped.mean()) < 4
    assert timeline.native_size == (96, 64)
    assert ConcatSource(parts, size=(20, 10)).native_size == (20, 10)
    assert timeline.frame_at(starts[1]).rgb.shape == (24, 32, 3)


def test_each_source_gets_one_sorted_request():
    one, other = slides(), slides(seed=1)
    timeline = ConcatSource([Part(one), Part(other), Part(one, mirror=True)])
    frames = timeline.frames_at([5.55, 0.15, 3.0, 0.95, 4.05, 0.15])
    assert [len(source.calls) for source in (one, other)] == [1, 1]
    assert one.calls[0] == sorted(one.calls[0])
    assert frames[1].pts == frames[5].pts
    assert timeline.frames_decoded == one.frames_decoded + other.frames_decoded
    assert np.array_equal(frames[0].rgb, one.picture(15)[:, ::-1])


def test_few_sources_stay_open_and_closing_loses_no_count():
    sources = [slides(seed=seed) for seed in range(6)]
    for source in sources:
        source.peers = sources
    timeline = ConcatSource([Part(source) for source in sources], max_open=2)
    decoded = 0
    for moment in np.random.default_rng(0).uniform(0, 12, 40):
        timeline.frame_at(float(moment))
        assert timeline.frames_decoded > decoded
        decoded = timeline.frames_decoded
    timeline.close()
    assert not any(source.is_open for source in sources)
    assert max(source.max_open for source in sources) == 2
    assert timeline.frames_decoded == decoded


def test_subtitles_are_clipped_scaled_and_shifted_with_their_part():
    words = Subtitles((Cue(0.0, 1.0, "a"), Cue(0.5, 2.0, "b"), Cue(1.75, 2.0, "c")))
    parts = [Part(slides(), 0.0, 0.5, subtitles=words), Part(slides())]
    parts.append(Part(slides(), 0.5, 1.5, speed=0.5, subtitles=words.to_json()))
    cues = ConcatSource(parts).subtitles.cues
    assert cues == (Cue(0.0, 0.5, "a"), Cue(2.5, 3.5, "a"), Cue(2.5, 4.5, "b"))


def test_pickles_and_json_give_the_same_timeline(files):
    words = Subtitles((Cue(0.0, 1.0, "<b>  kept"),))
    changes = {"mirror": True, "crop": (0.1, 0.2, 0.3, 0.4), "hue_degrees": 30.0, "speed": 2.0}
    parts = [Part(files[0], 0.1, 1.0, **changes, subtitles=words, group="x"), Part(files[2])]
    assert [Part.from_json(json.loads(json.dumps(p.to_json()))) for p in parts] == parts
    timeline = ConcatSource(parts, max_open=1)
    again = pickle.loads(pickle.dumps(timeline))
    assert (again.fingerprint(), again.subtitles) == (timeline.fingerprint(), timeline.subtitles)
    assert np.array_equal(again.frame_at(0.2), timeline.frame_at(0.2))
    changed = ConcatSource([Part(files[0], 0.1, 1.0), Part(files[2])])
    assert changed.fingerprint() != timeline.fingerprint()
    with pytest.raises(ValueError, match="Give a path"):
        Part(slides()).to_json()


def test_threads_get_the_frames_that_one_reader_alone_gets(files):
    parts = [Part(path, mirror=bool(i % 2)) for i, path in enumerate(files * 3)]
    with ConcatSource(parts) as alone, ConcatSource(parts, max_open=1) as shared:
        moments = np.random.default_rng(1).uniform(0, alone.duration_seconds, (4, 12))
        expected = [[f.rgb for f in alone.frames_at(list(row))] for row in moments]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda row: [shared.frame_at(m).rgb for m in row], moments))
    assert all(np.array_equal(a, b) for a, b in zip(sum(expected, []), sum(found, []), strict=True))


def test_ten_hours_are_laid_out_of_short_files_without_exact_repeats(files):
    parts = join_to_duration(files, 36_000.0, seed=5)
    assert parts == join_to_duration(files, 36_000.0, seed=5)
    assert parts != join_to_duration(files, 36_000.0, seed=6)
    assert len({(part.source, part.crop) for part in parts}) == len(parts)
    assert {part.group for part in parts} == set(files)
    timeline = ConcatSource(parts)
    assert 36_000 <= timeline.duration_seconds < 36_003
    timeline.tiles_at(np.linspace(0, 35_999, 16), 32, 32)
    assert timeline.frames_decoded < 3 * 40 + 16 * 40


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ConcatSource([]), "at least one part"),
        (lambda: Part(slides(), 1.0, 1.0), "end after its start"),
        (lambda: Part(slides(), -0.5), "start at 0 s or later"),
        (lambda: Part(slides(), speed=0.0), "speed must be positive"),
        (lambda: Part(slides(), crop=(0.5, 0.0, 0.6, 1.0)), "fractions inside the picture"),
        (lambda: ConcatSource([Part(slides(), 0.0, 2.5)]).spans, r"part 0 .*spans \[0, 2.0\)"),
        (lambda: ConcatSource([Part(slides())]).frame_at(2.0), "length of the timeline; got 2.0"),
        (lambda: ConcatSource([Part(slides())]).frame_times(1.0, 1.0), "must not be empty"),
        (lambda: ConcatSource([Part(slides(), 1.0)]).to_timeline(0, 0.5), "not 0.5 s"),
        (lambda: join_to_duration([], 3.0, seed=0), "at least one path"),
    ],
)
def test_mistakes_are_refused_with_a_reason(make, message):
    with pytest.raises(ValueError, match=message):
        make()
