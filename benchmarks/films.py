"""The videos of the race: what each is, and how it is made, once, in a folder that keeps them.

Knows how to make files, not what is measured on them. Long videos are stream copies of a short one
with exact offsets: encoding ten hours would take a day. A file's name carries a hash of its recipe,
so a changed recipe makes a new file, and files are made whole or not at all.

Ten hours are 61 copies, and no 60: then each of 64 cells shows another place of what is copied.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path

import av
from tqdm import tqdm

from benchmarks.footage import SAMPLE_RATE, SOUND_SAMPLES, VERSION, frames, sound
from videoatlas_gym.files import replacing
from videoatlas_gym.video.synthesis import write_video

FRAMES_PER_SECOND = 25
H264 = {"preset": "medium", "crf": "23"}


@dataclass(frozen=True)
class Film:
    """How a video is made: encoded, or copied `copies` times from another one, with sound."""

    about: str
    """What it is, for the page of results."""
    seconds: int
    """Length of what is encoded."""
    size: tuple[int, int] = (640, 360)
    group: int = 250
    """Frames from one key frame to the next at most."""
    codec: str = "libx264"
    options: Mapping[str, str] = field(default_factory=lambda: H264)
    suffix: str = ".mp4"
    copies: int = 0
    """0 for the encoded video itself; else how often it is laid end to end, with sound."""

    @property
    def num_frames(self) -> int:
        """Frames that are encoded: frame i of the whole video shows the number i modulo these."""
        return self.seconds * FRAMES_PER_SECOND


FILMS: dict[str, Film] = {
    "10h": Film("H.264, key frames at most 250 apart, with sound", 600, copies=61),
    "10h-mkv": Film("the same as Matroska", 600, copies=61, suffix=".mkv"),
    "10h-gop50": Film("H.264, key frames at most 50 apart, with sound", 600, group=50, copies=61),
    "1h": Film("H.264, with sound", 600, copies=6),
    "10min": Film("H.264, the ten minutes that the long ones repeat", 600),
    "720p": Film("H.264, 1280x720", 200, size=(1280, 720)),
    "hevc": Film("HEVC", 200, codec="libx265", options={"preset": "medium", "crf": "26"}),
    "vp9": Film(
        "VP9 in WebM",
        200,
        codec="libvpx-vp9",
        options={"b": "0", "crf": "34", "deadline": "good", "cpu-used": "4", "row-mt": "1"},
        suffix=".webm",
    ),
}
"""By name, in the order of the page."""
QUICK_FILMS: dict[str, Film] = {
    "short": Film("H.264, 320x180", 24, size=(320, 180), group=50),
    "short-copied": Film(
        "the same three times over, with sound", 24, size=(320, 180), group=50, copies=3
    ),
}
"""For a look at whether all works."""


def film_path(name: str, film: Film, folder: str | os.PathLike[str]) -> Path:
    """Return where a video lies or will lie."""
    recipe = json.dumps(asdict(film) | {"about": VERSION}, sort_keys=True).encode()
    return Path(folder) / f"{name}-{hashlib.sha256(recipe).hexdigest()[:8]}{film.suffix}"


def make_film(name: str, film: Film, folder: str | os.PathLike[str]) -> Path:
    """Make a video unless it is there; costs minutes of two cores, and tells how far it is.

    Args:
        name: What its file is called.
        film: How it is made.
        folder: Where; made if missing.

    Returns:
        Its path.
    """
    path = film_path(name, film, folder)
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    if film.copies:
        picture, tones = _encoded(film, folder), _sound(film.seconds, folder)
        return _copy(picture, tones, film, path)
    bar = tqdm(
        frames(film.num_frames, *film.size, frames_per_second=FRAMES_PER_SECOND),
        total=film.num_frames,
        unit="frame",
        desc=name,
    )
    return write_video(
        path,
        bar,
        frames_per_second=FRAMES_PER_SECOND,
        codec=film.codec,
        options=film.options,
        group_of_pictures=film.group,
    )


def _encoded(film: Film, folder: str | os.PathLike[str]) -> Path:
    """The video that is copied: one of the race, where its recipe is the same."""
    chunk = Film("", film.seconds, film.size, film.group, film.codec, film.options)
    for name, other in (FILMS | QUICK_FILMS).items():
        if film_path("", other, "") == film_path("", chunk, ""):
            return make_film(name, other, folder)
    return make_film("chunk", chunk, folder)


def _sound(seconds: int, folder: str | os.PathLike[str]) -> Path:
    """As much AAC as the video that is copied is long, in whole packets."""
    path = Path(folder) / f"sound-{seconds}.mka"
    num_packets = Fraction(seconds * SAMPLE_RATE, SOUND_SAMPLES)
    if num_packets.denominator != 1:
        raise ValueError(f"{seconds} s are no whole number of packets of sound.")
    if path.is_file():
        return path
    with replacing(path) as partial, av.open(str(partial), "w") as container:
        stream = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        for frame in sound(int(num_packets)):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _copy(picture: Path, tones: Path, film: Film, path: Path) -> Path:
    """Lay a video and its sound end to end `film.copies` times, without encoding."""
    steps = tqdm(range(film.copies), unit="copy", desc=path.stem)
    with (
        av.open(str(picture)) as seen,
        av.open(str(tones)) as heard,
        replacing(path) as partial,
        av.open(str(partial), "w") as target,
    ):
        streams = {
            source: target.add_stream_from_template(source)
            for source in (seen.streams.video[0], heard.streams.audio[0])
        }
        for turn in steps:
            start = turn * film.seconds
            for packet in _interleaved(_shown(seen, start), _heard(heard, start, film.seconds)):
                packet.stream = streams[packet.stream]
                target.mux(packet)
    return path


def _shown(container: av.container.InputContainer, start: int) -> Iterator[av.Packet]:
    """All packets of a video, moved by `start` seconds."""
    stream = container.streams.video[0]
    container.seek(0)
    offset = round(start / stream.time_base)
    for packet in container.demux(stream):
        if packet.dts is not None:
            packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
            yield packet


def _heard(container: av.container.InputContainer, start: int, seconds: int) -> Iterator[av.Packet]:
    """As many packets of sound as fill the time, counted from `start` seconds on."""
    stream = container.streams.audio[0]
    container.seek(0)
    num_packets = seconds * SAMPLE_RATE // SOUND_SAMPLES
    # Samples, not the milliseconds of the file they lie in: those would drift apart.
    for number, packet in zip(range(num_packets), container.demux(stream), strict=False):
        samples = start * SAMPLE_RATE + number * SOUND_SAMPLES
        packet.time_base = Fraction(1, SAMPLE_RATE)
        packet.pts = packet.dts = samples
        packet.duration = SOUND_SAMPLES
        yield packet


def _interleaved(seen: Iterable[av.Packet], heard: Iterable[av.Packet]) -> Iterator[av.Packet]:
    """Packets of both in the order of time, as players and muxers like them."""
    rest = iter(heard)
    sound_packet = next(rest, None)
    for packet in seen:
        moment = packet.dts * packet.time_base
        while sound_packet is not None and sound_packet.dts * sound_packet.time_base <= moment:
            yield sound_packet
            sound_packet = next(rest, None)
        yield packet
    while sound_packet is not None:
        yield sound_packet
        sound_packet = next(rest, None)
