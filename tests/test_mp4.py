"""Tables of samples: what they say of a few is what they say of all, however they are written."""

from __future__ import annotations

import io
import os
import struct
import tempfile
import time
from itertools import accumulate

import av
import numpy as np
import pytest
from helpers import encode
from hypothesis import given, settings
from hypothesis import strategies as st

from videoatlas_gym.video import _mp4, _samples
from videoatlas_gym.video._samples import SampleReader


def box(kind, *parts):
    return struct.pack(">I4s", 8 + sum(map(len, parts)), kind) + b"".join(parts)


def rows(kind, *columns, word="I"):
    flat = [value for row in zip(*columns, strict=True) for value in row]
    return box(kind, struct.pack(f">II{len(flat)}{word}", 0, len(columns[0]), *flat))


def runs(values):
    """Return how often each value comes, and the values."""
    found = []
    for value in values:
        if found and found[-1][1] == value:
            found[-1][0] += 1
        else:
            found.append([1, value])
    return zip(*found, strict=True)


def film(contents, lengths, delays, chunk_sizes, keys, *, word="I", edit=b"", more=()):
    """Write an MP4 file by hand; samples come in chunks, with other bytes between them.

    `more` are further boxes, by the kind of the box that they are put into first.
    """
    more, gap = dict(more), b"junk"
    kind = box(b"ftyp", b"isom")
    data, offsets, place = bytearray(), [], 0
    for count in chunk_sizes:
        data += gap
        offsets.append(len(kind) + 8 + len(data))
        data += b"".join(contents[place : place + count])
        place += count
    firsts = [i for i, c in enumerate(chunk_sizes) if i == 0 or chunk_sizes[i - 1] != c]
    tables = [
        box(b"stsd", struct.pack(">IIII", 0, 1, 16, 0)[:12], b"avc1"),
        rows(b"stts", *runs(lengths)),
        rows(b"ctts", *runs(delays)),
        rows(b"stsc", [i + 1 for i in firsts], [chunk_sizes[i] for i in firsts], [1] * len(firsts)),
        box(
            b"stsz", struct.pack(f">III{len(contents)}I", 0, 0, len(contents), *map(len, contents))
        ),
        rows(b"stco" if word == "I" else b"co64", offsets, word=word),
        rows(b"stss", [key + 1 for key in keys]),
    ]
    header = struct.pack(">IIIIII", 0, 0, 0, 1000, 0, 0)
    media = box(
        b"mdia",
        more.get("mdia", b""),
        box(b"mdhd", header),
        box(b"hdlr", b"\0" * 8, b"vide"),
        box(
            b"minf",
            more.get("minf", b""),
            box(b"stbl", *tables, more.get("stbl", b"")),
        ),
    )
    track = box(b"trak", more.get("trak", b""), edit, media)
    movie = box(b"moov", box(b"mvhd", header), more.get("moov", b""), track)
    return kind + box(b"mdat", data) + more.get("file", b"") + movie


def other_track(handler, name, *, num_runs=1, inside=b""):
    tables = [
        box(b"stsd", struct.pack(">III", 0, 1, 16), name),
        rows(b"stts", [1] * num_runs, [40] * num_runs),
    ]
    media = [box(b"hdlr", b"\0" * 8, handler), box(b"minf", box(b"stbl", *tables))]
    return box(b"trak", inside, box(b"mdia", *media))


def read(data):
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return _mp4.read_plain(file.fileno())


@st.composite
def streams(draw):
    count = draw(st.integers(1, 40))
    contents = [draw(st.binary(min_size=1, max_size=6)) for _ in range(count)]
    lengths = draw(st.lists(st.sampled_from([1, 1, 40, 41, 900]), min_size=count, max_size=count))
    has_delays = draw(st.booleans())
    delays = [draw(st.sampled_from([0, 80, 200])) if has_delays else 0 for _ in range(count)]
    chunk_sizes = []
    while sum(chunk_sizes) < count:
        chunk_sizes.append(draw(st.integers(1, count - sum(chunk_sizes))))
    dts = [0, *accumulate(lengths)][:count]
    keys, last = [], -1
    for place in range(count):
        if draw(st.booleans()) and dts[place] + delays[place] > last:
            keys.append(place)
            last = dts[place] + delays[place]
    word = draw(st.sampled_from("IQ"))
    return contents, lengths, delays, chunk_sizes, keys or [0], word


@settings(max_examples=200, deadline=None)
@given(streams(), st.data())
def test_any_range_is_what_the_tables_say(stream, data):
    contents, lengths, delays, chunk_sizes, keys, word = stream
    written = film(*stream[:5], word=word)
    samples = read(written).samples
    dts = [0, *accumulate(lengths)]
    count = len(contents)
    first = data.draw(st.integers(0, count - 1))
    end = data.draw(st.integers(first + 1, count))
    places = np.arange(first, end)
    starts = samples.offsets(first, end).tolist()
    assert [
        written[start : start + size]
        for start, size in zip(starts, samples.sizes[first:end].tolist(), strict=True)
    ] == contents[first:end]
    assert samples.dts(places).tolist() == dts[first:end]
    assert samples.dts(np.arange(count + 1)).tolist() == dts
    assert samples.pts(places).tolist() == [dts[i] + delays[i] for i in range(first, end)]
    assert samples.keys.tolist() == keys and len(samples) == count
    tick = data.draw(st.integers(-3, dts[-1] + 3))
    assert samples.place_at(tick) == sum(moment < tick for moment in dts[:-1])


@settings(max_examples=100, deadline=None)
@given(streams(), st.data())
def test_files_are_never_read_from_outside_of_them(stream, data):
    """Any byte of the tables may be wrong: the samples lie in the file, or it is not plain."""
    written = bytearray(film(*stream[:5], word=stream[5]))
    start = written.index(b"moov")
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(start, len(written) - 1))
        written[place] = data.draw(st.sampled_from([0, 1, 2, 127, 128, 255]))
    if (plain := read(bytes(written))) is None:
        return
    samples, places = plain.samples, np.arange(len(plain.samples))
    starts = samples.offsets(0, len(places))
    assert starts.min() >= 0 and (starts + samples.sizes).max() <= len(written)
    assert (np.diff(samples.dts(places)) > 0).all() and samples.delays.min() >= 0
    assert (np.diff(samples.pts(samples.keys)) > 0).all()


def edits(*entries, version=0):
    row = struct.Struct(">QqI" if version else ">IiI")
    body = struct.pack(">BxxxI", version, len(entries))
    return box(b"edts", box(b"elst", body, *(row.pack(*entry) for entry in entries)))


@pytest.mark.parametrize(
    ("edit", "is_plain"),
    [
        (edits((441, 0, 1 << 16)), True),
        (edits((440, 0, 1 << 16)), False),
        (edits((400, 80, 1 << 16)), True),
        (edits((400, 80, 1 << 16), version=1), True),
        (edits((250, -1, 1 << 16), (400, 80, 1 << 16)), True),
        (edits((400, 81, 1 << 16)), False),
        (edits((300, 80, 1 << 16)), False),
        (edits((400, 80, 1 << 15)), False),
        (edits((200, 80, 1 << 16), (200, 280, 1 << 16)), False),
        (edits((400, -1, 1 << 16)), False),
        (edits(), False),
        (edits((400, 0, 1 << 16), version=2), False),
    ],
)
def test_edits_may_hide_no_picture(edit, is_plain):
    lengths, delays = [40] * 10, [80, 200, 80, 0, 40, 80, 120, 80, 40, 80]
    contents = [b"x"] * 10
    assert (read(film(contents, lengths, delays, [10], [0], edit=edit)) is not None) == is_plain


EDIT = edits((400, 0, 1 << 16))
ELST = EDIT[8:]


@pytest.mark.parametrize(
    ("place", "boxes", "is_plain"),
    [
        ("file", box(b"free", b"whatever"), True),
        ("file", box(b"uuid", bytes(16), b"more"), True),
        ("file", box(b"moof"), False),
        ("file", box(b"trak"), False),
        ("file", box(b"hoov", bytes(4), b"mvhd"), False),
        ("file", box(b"free", bytes(4), b"mvhd"), False),
        ("moov", box(b"udta", box(b"name", b"title")), True),
        ("moov", box(b"meta", bytes(4), box(b"hdlr", bytes(8), b"mdir")), True),
        ("moov", box(b"mvex"), False),
        ("moov", box(b"udta", ELST), False),
        ("moov", box(b"abcd"), False),
        ("trak", box(b"tref", box(b"chap", bytes(4))), True),
        ("trak", ELST, False),
        ("trak", box(b"udta", ELST), False),
        ("mdia", EDIT, False),
        ("minf", ELST, False),
        ("stbl", box(b"sdtp", bytes(14)), True),
        ("stbl", box(b"sbgp", bytes(4), b"roll", bytes(4)), True),
        ("stbl", box(b"sbgp", bytes(4), b"rap ", bytes(4)), False),
        ("stbl", box(b"stps", bytes(8)), False),
        ("moov", other_track(b"soun", b"mp4a"), True),
        ("moov", other_track(b"text", b"tx3g"), True),
        ("moov", other_track(b"text", b"avc1"), False),
        ("moov", other_track(b"auxv", b"avc1"), False),
        ("moov", other_track(b"pict", b"avc1"), False),
        ("moov", other_track(b"vide", b"avc1"), False),
        ("moov", other_track(b"soun", b"mp4a", inside=box(b"tref", bytes(12))), False),
        ("moov", other_track(b"soun", b"mp4a", inside=box(b"udta", box(b"trak"))), False),
        ("moov", box(b"skip") * 1000, True),
        ("moov", box(b"skip") * 11_000, False),
    ],
)
def test_boxes_that_could_mean_something_are_for_ffmpeg(place, boxes, is_plain):
    written = film([b"x"] * 10, [40] * 10, [0] * 10, [10], [0], more={place: boxes})
    assert (read(written) is not None) == is_plain


@pytest.mark.parametrize(
    ("delays", "keys", "num_runs", "is_plain"),
    [
        ([0] * 100, [0, 50], 1, True),
        ([0] * 100, [0, 50], 0, False),
        ([0] * 100, [1, 50], 1, False),
        ([4000, *[80] * 98, 0], [0], 1, True),
        ([*[4040] * 98, 4040, 0], [0], 1, False),
    ],
    ids=["plain", "empty track", "late key", "early picture", "earlier picture"],
)
def test_edits_are_read_only_if_the_first_samples_tell_their_effect(
    delays, keys, num_runs, is_plain
):
    edit, other = edits((99_000, 0, 1 << 16)), other_track(b"text", b"tx3g", num_runs=num_runs)
    parts = ([b"x"] * 100, [40] * 100, delays, [100], keys)
    assert (read(film(*parts, edit=edit, more={"moov": other})) is not None) == is_plain
    assert read(film(*parts, more={"moov": other})) is not None


def test_key_frames_after_the_end_of_an_edit_are_for_ffmpeg():
    lengths, delays = [*[40] * 8, 4000, 4000], [*[0] * 8, 50, 0]
    for keys, is_plain in (([0, 8], True), ([0, 8, 9], False)):
        written = film([b"x"] * 10, lengths, delays, [10], keys, edit=edits((4321, 0, 1 << 16)))
        assert (read(written) is not None) == is_plain


def test_long_chunks_are_taken_for_several():
    contents = [bytes([1 + number % 7]) * (1 + number % 3) for number in range(9000)]
    written = film(contents, [40] * 9000, [0] * 9000, [3, 8990, 7], [0])
    samples = read(written).samples
    starts = samples.offsets(0, 9000).tolist()
    assert [written[s : s + len(c)] for s, c in zip(starts, contents, strict=True)] == contents
    assert np.diff(samples.chunk_places).max() == 4096
    assert samples.offsets(8200, 8210).tolist() == starts[8200:8210]


def test_long_tables_are_read_in_no_time():
    """Chunks that may lie outside of the file are looked at all at once."""
    count = 200_000
    written = film([b"x"] * count, [40] * count, [0] * count, [1] * count, [0])
    began = time.perf_counter()
    assert len(read(written).samples) == count
    assert time.perf_counter() - began < 0.5


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=60), st.integers(2, 70))
def test_pictures_are_reordered_as_deep_as_counting_tells(delays, block):
    count = len(delays)
    written = film([b"x"] * count, [1] * count, delays, [count], [0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_samples, "_REORDER_BLOCK", block)
        reader = SampleReader(os.open(os.devnull, os.O_RDONLY), read(written))
        depth = reader.reorder_depth
    stamps = [place + delay for place, delay in enumerate(delays)]
    counted = [sum(other > pts for other in stamps[:i]) for i, pts in enumerate(stamps)]
    assert depth == max(counted)


def test_a_miniature_says_of_the_track_what_the_file_says(tmp_path):
    path = encode(tmp_path / "film.mp4", 300, rotation_degrees=90, group_of_pictures=24)
    plain = read(path.read_bytes())
    with av.open(str(path)) as whole, av.open(io.BytesIO(plain.miniature)) as mini:
        old, new = whole.streams.video[0], mini.streams.video[0]
        assert bytes(old.codec_context.extradata) == bytes(new.codec_context.extradata)
        for name in ("time_base", "sample_aspect_ratio", "metadata", "start_time"):
            assert getattr(old, name) == getattr(new, name)
        for name in ("name", "width", "height", "pix_fmt", "codec_tag", "color_range"):
            assert getattr(old.codec_context, name) == getattr(new.codec_context, name)
        assert plain.num_mini == sum(packet.size > 0 for packet in mini.demux(new)) == 64
    assert len(plain.miniature) < 1 << 20


@pytest.mark.parametrize(
    ("num_bytes", "num_mini"), [(1000, 64), (40_000, 26), (300_000, 17), (600_000, None)]
)
def test_a_miniature_of_large_pictures_holds_few_of_them(num_bytes, num_mini):
    plain = read(film([bytes(num_bytes)] * 70, [40] * 70, [0] * 70, [70], [0]))
    assert (plain and plain.num_mini) == num_mini
