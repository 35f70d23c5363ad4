"""Key frames near moments: the right ones, bit-equal, and none where there is a doubt."""

import av
import numpy as np
import pytest
from helpers import SIZE, VIDEOS, encode, remux

from videoatlas_gym.span import Cell, GridGeometry, Span
from videoatlas_gym.video import (
    CachedSource,
    ConcatSource,
    Part,
    TileCache,
    VideoReader,
)
from videoatlas_gym.video.preview import shown_for

TILE = (64, 40)
ROOT = Cell()
NOT_SEARCHED = {
    *("program stream", "raw stream"),
    *("stamps in decoding order", "avi mpeg4 with B-frames"),
}
"""Files in which no key frames are looked for."""


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """4.8 s at 25 frames per second, a key frame each 0.96 s."""
    path = tmp_path_factory.mktemp("keys") / "plain.mp4"
    return encode(path, group_of_pictures=24, options={"sc_threshold": "0"})


def cells_of(source, grid_size, cell=ROOT):
    """Midpoints and spans of the cells of a grid."""
    geometry = GridGeometry(source.duration_seconds, grid_size, source.frame_seconds)
    edges = geometry.edges(cell).tolist()
    spans = [Span(*pair) for pair in zip(edges, edges[1:], strict=False)]
    return geometry.midpoints(cell).tolist(), spans


def scanned(path):
    """Times of all key frames, by a scan of all packets that shares no code with the package."""
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(container.streams.video[0]) if p.pts is not None]
        start = min(p.pts for p in packets if not p.is_discard)
        keys = [p for p in packets if p.is_keyframe and not p.is_discard]
        return sorted(float((p.pts - start) * p.time_base) for p in keys)


def nearest(keys, moment, span):
    return min(
        (key for key in keys if key in span), key=lambda k: (abs(k - moment), k), default=None
    )


def seconds_of(frames):
    return [None if frame is None else frame.seconds for frame in frames]


@pytest.mark.parametrize("name", VIDEOS)
def test_the_key_frame_is_the_nearest_of_all_packets_inside_the_cell(tmp_path, name):
    path = VIDEOS[name](tmp_path)
    keys = [] if name in NOT_SEARCHED else scanned(path)
    with VideoReader(path) as reader:
        facts = reader.describe()
        assert bool(facts["fallback"] or facts["is_reordered"]) == (name in NOT_SEARCHED)
        for grid_size, cell in ((2, ROOT), (4, ROOT), (8, ROOT), (3, Cell((4,)))):
            moments, spans = cells_of(reader, grid_size, cell)
            found = reader.key_frames_at(moments, spans, TILE)
            wanted = [nearest(keys, *place) for place in zip(moments, spans, strict=True)]
            assert seconds_of(found) == wanted


@pytest.mark.parametrize("name", VIDEOS)
def test_a_key_frame_is_bit_equal_to_the_exact_frame_at_its_time(tmp_path, name):
    path = VIDEOS[name](tmp_path)
    with VideoReader(path) as reader, VideoReader(path) as other:
        moments, spans = cells_of(reader, 4)
        for size in (None, TILE):
            found = [f for f in reader.key_frames_at(moments, spans, size) if f is not None]
            exact = other.frames_at([frame.seconds for frame in found], size)
            for one, same in zip(found, exact, strict=True):
                assert (one.seconds, one.pts) == (same.seconds, same.pts)
                assert np.array_equal(one.rgb, same.rgb) and not one.rgb.flags.writeable


def test_only_the_key_frames_are_decoded(plain):
    with VideoReader(plain, num_workers=1) as reader:
        moments, spans = cells_of(reader, 3)
        before = reader.frames_decoded
        found = [frame for frame in reader.key_frames_at(moments, spans, TILE) if frame is not None]
        assert len(found) == 5 and reader.frames_decoded - before == 5


def test_what_is_chosen_depends_on_nothing_that_was_read_before(tmp_path):
    for name in ("mkv", "transport stream", "flv", "fragmented"):
        path = VIDEOS[name](tmp_path)
        with VideoReader(path) as fresh, VideoReader(path) as used:
            moments, spans = cells_of(fresh, 4)
            used.frames_at(moments[::-1], TILE)
            shuffled = [7, 3, *range(16)]
            asked = [moments[i] for i in shuffled], [spans[i] for i in shuffled]
            expected = seconds_of(fresh.key_frames_at(moments, spans))
            assert seconds_of(used.key_frames_at(*asked)) == [expected[i] for i in shuffled]


def test_a_packet_that_is_only_marked_as_a_key_frame_is_not_taken(tmp_path):
    def mark(packet):
        packet.is_keyframe = True

    honest = encode(tmp_path / "honest.flv", codec="flv", group_of_pictures=24)
    path, truth = remux(honest, tmp_path / "marked.flv", mark), scanned(honest)
    with VideoReader(path) as reader:
        middles = [(a + b) / 2 for a, b in zip(truth, truth[1:], strict=False)]
        asked = sorted([*truth, *middles])
        found = reader.key_frames_at(asked, [Span(0.0, reader.duration_seconds)] * len(asked))
    assert len(scanned(path)) == 120 and len(truth) == 5
    assert seconds_of(found) == [moment if moment in truth else None for moment in asked]


def test_a_damaged_key_frame_is_not_taken(plain, tmp_path):
    with av.open(str(plain)) as container:
        keys = [p for p in container.demux(container.streams.video[0]) if p.is_keyframe and p.size]
        start, size = keys[2].pos, keys[2].size
    data = bytearray(plain.read_bytes())
    data[start + size // 3 : start + size] = bytes(size - size // 3)
    (path := tmp_path / "damaged.mp4").write_bytes(data)
    with VideoReader(path) as reader:
        moments, spans = cells_of(reader, 2)
        assert seconds_of(reader.key_frames_at(moments, spans)) == [0.96, None, 2.88, 3.84]
        chosen = shown_for(reader, moments[1:2], spans[1:2], representative="keyframe")[0]
        exact = reader.frames_at(moments[1:2])[0]
        assert not chosen.is_key and chosen.frame.pts == exact.pts
        assert np.array_equal(chosen.frame.rgb, exact.rgb)


def test_a_moment_outside_the_video_is_refused(plain):
    with VideoReader(plain) as reader, pytest.raises(ValueError, match="must lie in"):
        reader.key_frames_at([9.0], [Span(8.0, 10.0)])


def test_without_a_key_frame_the_exact_frame_at_the_middle_stands_for_a_span(plain):
    with VideoReader(plain) as reader:
        moments, spans = cells_of(reader, 8)
        shown = shown_for(reader, moments, spans, TILE, representative="keyframe")
        exact = reader.frames_at(moments, TILE)
        assert sum(chosen.is_key for chosen in shown) == 5
        for chosen, frame, moment in zip(shown, exact, moments, strict=True):
            if chosen.is_key:
                assert chosen.moment == chosen.frame.seconds
            else:
                assert (chosen.moment, chosen.frame.pts) == (moment, frame.pts)
                assert np.array_equal(chosen.frame.rgb, frame.rgb)


def test_on_a_timeline_the_part_on_display_gives_the_key_frame(plain):
    parts = [
        Part(plain),
        Part(plain, 1.0, 4.5, mirror=True, crop=(0.1, 0.1, 0.5, 0.8)),
        Part(plain, 0.5, speed=2.0, hue_degrees=90.0),
    ]
    keys = scanned(plain)
    with ConcatSource(parts) as source:
        moments, spans = cells_of(source, 4)
        found = source.key_frames_at(moments, spans, TILE)
        for moment, span, frame in zip(moments, spans, found, strict=True):
            index, _ = source.part_at(moment)
            part, whole = parts[index], source.spans[index]
            shown = [
                whole.start_seconds + (key - part.start_seconds) / part.speed
                for key in keys
                if part.start_seconds <= key
            ]
            window = span.intersection(whole)
            wanted = nearest(shown, moment, window)
            assert (frame and frame.seconds) == (wanted and pytest.approx(wanted, abs=1e-6))
            if frame is not None:
                exact = source.frames_at([frame.seconds], TILE)[0]
                assert exact.pts == frame.pts and np.array_equal(exact.rgb, frame.rgb)
        assert sum(frame is not None for frame in found) > 5


def test_a_cached_key_frame_never_passes_for_the_frame_of_its_moment(plain):
    reader, cache = VideoReader(plain), TileCache()
    with CachedSource(reader, cache) as source:
        moments, spans = cells_of(source, 2)
        keys = source.key_frames_at(moments, spans, TILE)
        exact = source.frames_at(moments, TILE)
        fresh = VideoReader(plain).frames_at(moments, TILE)
        assert [frame.pts for frame in exact] == [frame.pts for frame in fresh]
        assert [frame.pts for frame in exact] != [frame.pts for frame in keys]
        decoded = source.frames_decoded
        again = source.key_frames_at(moments, spans, TILE)
        assert source.frames_decoded == decoded
        for one, other in zip(keys, again, strict=True):
            assert (one.seconds, one.pts) == (other.seconds, other.pts)
            assert np.array_equal(one.rgb, other.rgb)
        narrow = [Span(moment - 0.01, moment + 0.01) for moment in moments]
        assert source.key_frames_at(moments, narrow, TILE) == [None] * 4
        assert source.key_frames_at(moments, spans)[0].rgb.shape == (SIZE[1], SIZE[0], 3)


class Asked(VideoReader):
    """A reader that notes how many key frames it was asked for."""

    num_asked = 0

    def key_frames_at(self, seconds, spans, size=None):
        self.num_asked += len(seconds)
        return super().key_frames_at(seconds, spans, size)


def test_a_span_without_a_key_frame_is_looked_into_once(plain):
    reader = Asked(plain)
    with CachedSource(reader, TileCache()) as source:
        moments, spans = cells_of(source, 8)
        first = seconds_of(source.key_frames_at(moments, spans, TILE))
        assert first.count(None) == 59
        assert seconds_of(source.key_frames_at(moments, spans, TILE)) == first
    assert reader.num_asked == 64


def test_a_preview_never_gets_to_the_disk(plain, tmp_path):
    with CachedSource(VideoReader(plain), tmp_path / "tiles") as source:
        moments, spans = cells_of(source, 2)
        found = source.key_frames_at(moments, spans, TILE)
        assert all(frame is not None for frame in found)
        assert not [path for path in (tmp_path / "tiles").rglob("*") if path.stat().st_size > 4096]
        exact = source.tiles_at(moments, *TILE)
    assert np.array_equal(exact, VideoReader(plain).tiles_at(moments, *TILE))
    with CachedSource(VideoReader(plain), TileCache(directory=tmp_path / "tiles")) as again:
        assert np.array_equal(again.tiles_at(moments, *TILE), exact)
        assert again.frames_decoded == 0
        assert seconds_of(again.key_frames_at(moments, spans, TILE)) == seconds_of(found)
        assert again.frames_decoded > 0
