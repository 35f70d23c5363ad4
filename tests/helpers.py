"""What several test files share: named synthetic videos, and the oracle they are judged by.

The oracle is a plain decode from start to end with PyAV; it shares no code with the package.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from hashlib import md5
from pathlib import Path

import av
import numpy as np
import pytest

from videoatlas_gym.video.synthesis import numbered_frames, write_video

SIZE = (160, 96)


def encode(path: Path, count: int = 120, **keywords) -> Path:
    """Write `count` small numbered frames."""
    return write_video(path, numbered_frames(count, *SIZE), **keywords)


def irregular_times(count: int, seed: int = 7) -> list[float]:
    """Ascending times from 0 on, in milliseconds, with gaps of 10 ms to 400 ms and one of 3 s."""
    gaps = np.random.default_rng(seed).integers(10, 400, count - 1)
    gaps[count // 2] = 3000
    return [0.0, *(np.cumsum(gaps) / 1000).tolist()]


def remux(
    source: Path,
    target: Path,
    change: Callable[[av.Packet], bool] | None = None,
    *,
    faststart: bool = False,
) -> Path:
    """Copy packets without encoding; `change` may alter each, or drop it by returning False."""
    options = {"movflags": "faststart"} if faststart else {}
    with av.open(str(source)) as old, av.open(str(target), "w", options=options) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(old.streams.video[0]):
            if packet.dts is None or (change is not None and change(packet) is False):
                continue
            packet.stream = stream
            new.mux(packet)
    return target


def started_late(source: Path, target: Path, seconds: int = 5) -> Path:
    """Copy with all time stamps moved by `seconds`."""

    def move(packet: av.Packet) -> bool:
        ticks = round(seconds / packet.time_base)
        packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
        return True

    return remux(source, target, move)


def edited(source: Path, target: Path, seconds: float = 0.5) -> Path:
    """Copy to MP4 with an edit list that hides the first `seconds`: stamps begin below zero."""
    return started_late(source, target, -seconds)


def joined(target: Path, *sources: Path) -> Path:
    """Copy the video tracks of several files into one file, one after another as they come."""
    with ExitStack() as stack:
        new = stack.enter_context(av.open(str(target), "w"))
        old = [stack.enter_context(av.open(str(source))) for source in sources]
        tracks = [new.add_stream_from_template(container.streams.video[0]) for container in old]
        for container, track in zip(old, tracks, strict=True):
            for packet in container.demux(video=0):
                if packet.dts is not None:
                    packet.stream = track
                    new.mux(packet)
    return target


def restamp_in_order(packet: av.Packet) -> bool:
    """Give a packet the time stamp that its place among the packets calls for."""
    packet.pts = packet.dts = packet.dts + packet.duration
    return True


def hide_some(packet: av.Packet) -> bool:
    """Have a VP8 packet only update what later pictures are made from: each fifth or so."""
    data = bytes(packet)
    if packet.pts // 40 % 5 == 1 and not packet.is_keyframe:
        packet.update(bytes([data[0] & ~0x10]) + data[1:])
    return True


def silence(start: int) -> av.AudioFrame:
    """1024 samples of nothing from sample `start` on, 44100 of them a second."""
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
    frame.sample_rate, frame.pts, frame.time_base = 44_100, start, Fraction(1, 44_100)
    return frame


def with_late_sound(source: Path, target: Path, seconds: int = 9) -> Path:
    """Copy to FLV with a bit of sound after `seconds`, which the header does not announce."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        video = new.add_stream_from_template(old.streams.video[0])
        sound = new.add_stream("adpcm_swf", rate=44_100)
        for packet in old.demux(old.streams.video[0]):
            if packet.dts is not None:
                packet.stream = video
                new.mux(packet)
        new.mux(sound.encode(silence(44_100 * seconds)) + sound.encode(None))
    data = bytearray(target.read_bytes())
    data[4] &= ~4
    target.write_bytes(data)
    return target


def x265(parameters: str) -> dict[str, str]:
    """Options of the encoder, which is to be quiet."""
    return {"x265-params": f"log-level=none:{parameters}"}


OPEN_GROUPS = {"x264-params": "open-gop=1:keyint=24:min-keyint=24:bframes=3:scenecut=0"}

VIDEOS: dict[str, Callable[[Path], Path]] = {
    "constant rate": lambda d: encode(d / "cfr.mp4", group_of_pictures=24),
    "NTSC rate": lambda d: encode(d / "ntsc.mp4", frames_per_second=Fraction(30000, 1001)),
    "no B-frames": lambda d: encode(d / "nob.mp4", b_frames=0, group_of_pictures=20),
    "variable rate": lambda d: encode(
        d / "vfr.mp4", times_seconds=irregular_times(120), group_of_pictures=30
    ),
    "variable rate mkv": lambda d: encode(d / "vfr.mkv", times_seconds=irregular_times(120)),
    "one group": lambda d: encode(d / "long.mp4", count=300, group_of_pictures=1000),
    "open groups": lambda d: encode(d / "open.mp4", options=OPEN_GROUPS),
    "open groups mkv": lambda d: encode(d / "open.mkv", options=OPEN_GROUPS),
    "late start": lambda d: started_late(encode(d / "a.mp4"), d / "late.mp4"),
    "late start mkv": lambda d: started_late(encode(d / "b.mp4"), d / "late.mkv"),
    "edit list": lambda d: edited(encode(d / "c.mp4", group_of_pictures=24), d / "edit.mp4"),
    "transport stream": lambda d: encode(d / "ts.ts", group_of_pictures=24),
    "program stream": lambda d: encode(d / "ps.mpg", codec="mpeg2video", group_of_pictures=12),
    "mkv": lambda d: encode(d / "plain.mkv", group_of_pictures=24),
    "webm vp9": lambda d: encode(
        d / "vp9.webm", codec="libvpx-vp9", group_of_pictures=40, options={"deadline": "realtime"}
    ),
    "webm vp8": lambda d: encode(
        d / "vp8.webm", codec="libvpx", group_of_pictures=40, options={"deadline": "realtime"}
    ),
    "hevc": lambda d: encode(d / "hevc.mp4", codec="libx265", group_of_pictures=24),
    "hevc open groups": lambda d: encode(
        d / "cra.mkv", codec="libx265", options=x265("open-gop=1:keyint=24:min-keyint=24:bframes=4")
    ),
    "hevc layers": lambda d: encode(
        d / "layers.mp4", codec="libx265", options=x265("temporal-layers=3:bframes=7:keyint=30")
    ),
    "hevc 10 bit": lambda d: encode(
        d / "deep.mp4", codec="libx265", pixel_format="yuv420p10le", group_of_pictures=24
    ),
    "av1": lambda d: encode(
        d / "av1.mp4", codec="libsvtav1", group_of_pictures=24, options={"preset": "12"}
    ),
    "pyramid in slices": lambda d: encode(
        d / "slices.mp4",
        options={"x264-params": "bframes=7:b-pyramid=normal:b-adapt=0:slices=4:aud=1:keyint=30"},
    ),
    "interlaced": lambda d: encode(
        d / "fields.mkv", options={"x264-params": "tff=1:bframes=2:keyint=24"}
    ),
    "interlaced mpeg2": lambda d: encode(
        d / "fields.ts",
        codec="mpeg2video",
        group_of_pictures=12,
        b_frames=2,
        options={"flags": "+ildct+ilme"},
    ),
    "rotated": lambda d: encode(d / "turned.mp4", group_of_pictures=24, rotation_degrees=90),
    "two tracks": lambda d: joined(
        d / "two.mkv",
        encode(d / "first.mp4", group_of_pictures=24),
        write_video(d / "second.mp4", numbered_frames(120, 80, 48, first_index=500)),
    ),
    "vp8 with hidden pictures": lambda d: remux(VIDEOS["webm vp8"](d), d / "some.webm", hide_some),
    "mpeg4 with B-frames": lambda d: encode(
        d / "asp.mp4", codec="mpeg4", b_frames=2, group_of_pictures=12
    ),
    "stamps in decoding order": lambda d: remux(
        encode(d / "sound.mp4", codec="mpeg4", b_frames=2, group_of_pictures=12),
        d / "unsound.mp4",
        restamp_in_order,
    ),
    "avi mpeg4 with B-frames": lambda d: encode(
        d / "aspb.avi", codec="mpeg4", b_frames=2, group_of_pictures=12
    ),
    "raw stream": lambda d: encode(d / "raw.h264", group_of_pictures=24),
    "avi mpeg4": lambda d: encode(d / "asp.avi", codec="mpeg4", b_frames=0),
    "flv": lambda d: encode(d / "plain.flv", group_of_pictures=24),
    "mjpeg": lambda d: encode(d / "jpeg.mov", codec="mjpeg"),
    "fragmented": lambda d: encode(
        d / "frag.mp4",
        group_of_pictures=24,
        container_options={"movflags": "frag_keyframe+empty_moov"},
    ),
    "single frame": lambda d: encode(d / "one.mp4", count=1),
}
"""Recipes by name: each writes its video into a folder and returns the path."""


@dataclass(frozen=True)
class LinearDecode:
    """All pictures of a file in the order of display, as a player that starts at 0 shows them."""

    stamps: list[int]
    digests: list[str]
    """Of the upright RGB pixels."""
    planes: list[str]
    """Of what the decoder gave."""
    time_base: Fraction

    def times(self) -> list[float]:
        """Seconds from the first picture."""
        return [float((stamp - self.stamps[0]) * self.time_base) for stamp in self.stamps]

    def index_at(self, seconds: float) -> int:
        """Number of the picture on display: the last with time <= seconds (to the nanosecond)."""
        elapsed = (Fraction(seconds) + Fraction(1, 10**9)) / self.time_base
        return bisect_right(self.stamps, self.stamps[0] + elapsed) - 1


def decode_linearly(path: Path, stream_index: int = 0) -> LinearDecode:
    """Decode a whole file, skipping what cannot be decoded."""
    with av.open(str(path), metadata_errors="replace") as container:
        stream = container.streams.video[stream_index]
        stream.codec_context.thread_count = 1
        pictures = []
        for packet in container.demux(stream):
            try:
                pictures += [(f.pts, digest(f), plane_digest(f)) for f in packet.decode()]
            except av.error.FFmpegError:
                continue
        time_base = stream.time_base
        if all(pts is None for pts, *_ in pictures):
            pictures = [(ordinal, *hashed) for ordinal, (_, *hashed) in enumerate(pictures)]
            time_base = 1 / Fraction(stream.average_rate)
    # Where stamps run backwards the order of the decoder holds and stamps are sorted.
    stamps, digests, planes = (list(column) for column in zip(*pictures, strict=True))
    return LinearDecode(sorted(stamps), digests, planes, time_base)


def digest(frame: av.VideoFrame | np.ndarray) -> str:
    """Hash the RGB pixels of a decoded frame, turned upright, or of an array."""
    if isinstance(frame, av.VideoFrame):
        frame = np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)
    return md5(np.ascontiguousarray(frame).tobytes()).hexdigest()


def plane_digest(frame: av.VideoFrame) -> str:
    """Hash the planes of a decoded frame without their margins."""
    depth = 1 + (frame.format.components[0].bits > 8)
    hashed = md5()
    for plane in frame.planes:
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)
        hashed.update(rows[:, : plane.width * depth].tobytes())
    return hashed.hexdigest()


def open_files(folder):
    """Return the files below a folder that this process holds open."""
    links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    targets = [os.readlink(link) for link in links if os.path.islink(link)]
    return [target for target in targets if target.startswith(str(folder))]


def data_folder() -> Path:
    """The folder of real clips, or skip the test."""
    named = os.environ.get("VIDEOATLAS_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not (folder / "clips").is_dir():
        pytest.skip("no real clips: set VIDEOATLAS_DATA to a folder with clips/ and nasty/")
    return folder
