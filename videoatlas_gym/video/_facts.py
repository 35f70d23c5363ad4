"""What must be known of an opened video to look a moment up; found without a full scan.

Headers are believed in nothing but the time base: the start is the first picture that decodes, the
end is read from the packets at the end of the file, the length of a frame from the first packets.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from statistics import median

import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from videoatlas_gym.video._ending import Ending
from videoatlas_gym.video._picture import (
    MAX_SIDE_PX,
    Orientation,
    sane_pixel_aspect,
    square_size,
)
from videoatlas_gym.video._run import BrokenOrder, Picture, Run
from videoatlas_gym.video._track import Track, is_shown, shown_packets
from videoatlas_gym.video.plan import REORDER_DEPTH
from videoatlas_gym.video.source import VideoOpenError

_PROBED_PACKETS = 250
_TOLERANCE_SECONDS = Fraction(1, 10**9)
_KEPT_PACKETS = 64
_DEFAULT_RATE = Fraction(25)
_MAX_EXACT = 1 << 53
"""Smaller integers are exact as 64-bit floats, so that their quotients are rounded once."""
_SANE_RATES = (Fraction(1, 3600), Fraction(1000))


@dataclass(frozen=True)
class Facts:
    """Time in ticks of `time_base`, sizes in pixels."""

    time_base: Fraction
    start_pts: int
    end_pts: int
    frame_ticks: Fraction
    native_size: tuple[int, int]
    coded_size: tuple[int, int]
    pixel_aspect: Fraction
    orientation: Orientation
    fallback: str | None
    """Why the file can only be decoded from its start, or None."""
    ordinal_rate: Fraction | None
    """Frames per second where the file stores no time stamps and ticks count frames; else None."""
    is_reordered: bool
    """Whether time stamps are in decoding order instead of display order."""

    @property
    def duration_seconds(self) -> float:
        """From the start of the first frame to the end of the last."""
        return float((self.end_pts - self.start_pts) * self.time_base)

    @property
    def frame_seconds(self) -> float:
        """Median length of a frame."""
        return float(self.frame_ticks * self.time_base)

    def tick(self, seconds: float) -> int:
        """Return the last tick that is not after a moment before the end."""
        exact = (_exact(seconds) + _TOLERANCE_SECONDS) / self.time_base
        return min(math.floor(exact) + self.start_pts, self.end_pts - 1)

    def end_tick(self, seconds: float) -> int:
        """Return the first tick that is not before a moment, nor after the end."""
        exact = (_exact(seconds) - _TOLERANCE_SECONDS) / self.time_base
        return min(math.ceil(exact) + self.start_pts, self.end_pts)

    def seconds(self, pts: int) -> float:
        """Return a time stamp in seconds from the first frame."""
        return float((pts - self.start_pts) * self.time_base)

    def all_seconds(self, stamps: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float64]:
        """Return what `seconds` returns for each of many time stamps."""
        ticks = np.array(stamps, np.int64) - self.start_pts
        numerator, denominator = self.time_base.numerator, self.time_base.denominator
        if len(ticks) and int(np.abs(ticks).max()) * numerator >= _MAX_EXACT:
            return np.array([self.seconds(int(pts)) for pts in stamps], np.float64)
        return ticks * numerator / denominator

    def prepare(self, track: Track) -> None:
        """Make a track that was opened again behave like the one the facts were found with.

        Its decoder sees the first packet before anything else: x264 puts its version there, and
        decodes some streams (4:4:4) to garbage without it.
        """
        track.ordinal_rate = self.ordinal_rate
        track.is_reordered = self.is_reordered
        _note_first(track, track.rewind())


def _exact(seconds: float) -> Fraction:
    return Fraction(seconds if isinstance(seconds, int | Fraction) else float(seconds))


def find_facts(track: Track) -> Facts:
    """Look at both ends of the file: decodes one picture, reads some hundred packets.

    Raises:
        VideoOpenError: If no picture can be decoded or the picture is absurdly large.
    """
    _refuse_size(track, track.codec.width, track.codec.height)
    codec = track.codec
    track.look_at_index()
    run = track.rewind()
    packets = run.peek(_PROBED_PACKETS)
    if not packets:
        raise VideoOpenError("its video stream is empty")
    if any(packet.pts is None for packet in packets):
        track.ordinal_rate = _rate(track)
    first = _note_first(track, run)
    if first is None:
        raise VideoOpenError("no picture of its video stream can be decoded")
    track.is_reordered = _is_reordered(track, packets, run)
    frame_ticks = _frame_ticks(track, packets, first)
    fallback = _fallback(track, packets)
    end_pts = _end(track, first.pts, frame_ticks, is_seekable=fallback is None)
    facts = _facts(track, first, end_pts, frame_ticks, fallback)
    if track.codec is not codec:
        facts.prepare(track)
    return facts


def _facts(track, first: Picture, end_pts: int, frame_ticks: Fraction, fallback) -> Facts:
    pixel_aspect = sane_pixel_aspect(track.stream.sample_aspect_ratio)
    orientation = Orientation.of(first.frame)
    coded_size = (first.frame.width, first.frame.height)
    native_size = orientation.turned(square_size(coded_size, pixel_aspect))
    _refuse_size(track, *native_size)
    return Facts(
        time_base=track.time_base,
        start_pts=first.pts,
        end_pts=end_pts,
        frame_ticks=frame_ticks,
        native_size=native_size,
        coded_size=coded_size,
        pixel_aspect=pixel_aspect,
        orientation=orientation,
        fallback=fallback,
        ordinal_rate=track.ordinal_rate,
        is_reordered=track.is_reordered,
    )


def _note_first(track: Track, run: Run) -> Picture | None:
    """Decode the first picture; keep what other decoders of the same stream are compared with."""
    packets: list[Packet] = []
    first = run.first_picture(packets)
    if first is not None and len(packets) <= _KEPT_PACKETS:
        track.first_packets, track.first_frame = packets, first.frame
    return first


def _refuse_size(track: Track, width: int, height: int) -> None:
    limit = track.limits.max_pixels
    if width * height > limit or max(width, height) > MAX_SIDE_PX:
        raise VideoOpenError(
            f"it claims pictures of {width}x{height} pixels (read are at most {limit} pixels, see "
            f"max_pixels, and {MAX_SIDE_PX} a side)"
        )


def _rate(track: Track) -> Fraction:
    """Frames per second as the header has it, or a guess."""
    stream = track.stream
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and _SANE_RATES[0] <= rate <= _SANE_RATES[1]:
            return Fraction(rate)
    return _DEFAULT_RATE


def _is_reordered(track: Track, packets: list[Packet], run: Run) -> bool:
    """Whether time stamps are in decoding order though pictures are not: AVI stores no others.

    Elsewhere the first pictures tell, which are decoded only if no B-frames are seen in the stamps.
    """
    if not track.codec.has_b_frames or track.ordinal_rate:
        return False
    if track.container.format.name == "avi":
        return True
    stamps = [packet.pts for packet in shown_packets(track, packets)]
    if stamps != sorted(stamps):
        return False
    try:
        deque(islice(run.pictures(), REORDER_DEPTH), maxlen=0)
    except BrokenOrder:
        return True
    return False


def _frame_ticks(track: Track, packets: list[Packet], first: Picture) -> Fraction:
    if track.ordinal_rate:
        return Fraction(1)
    shown = list(shown_packets(track, packets))
    stamps = sorted({packet.pts for packet in shown if packet.pts >= first.pts})
    gaps = [later - earlier for earlier, later in zip(stamps, stamps[1:], strict=False)]
    if gaps:
        return Fraction(median(gaps))
    durations = [packet.duration for packet in shown if packet.duration]
    return Fraction(durations[0]) if durations else 1 / (_rate(track) * track.time_base)


def _fallback(track: Track, packets: list[Packet]) -> str | None:
    """Why time stamps found after a seek would not be those of the file as a whole, or None."""
    if track.ordinal_rate:
        return "it stores no time stamps"
    places = [packet.pos for packet in packets if packet.pos is not None]
    is_interpolated = track.container.format.name == "mpegts" and len(set(places)) < len(places)
    if is_interpolated or track.container.format.name == "mpeg":
        return "it stores one time stamp for several frames"
    if not track.is_indexed_rightly():
        return "its index does not match its packets"
    return None if track.seek(packets[0].pts) else "its container cannot be searched"


def _end(track: Track, start_pts: int, frame_ticks: Fraction, *, is_seekable: bool) -> int:
    """End of the last shown frame: from the packets behind the last key frame, where they are."""
    if track.ordinal_rate:
        return _num_pictures(track)
    ask, step = _promised_end(track, start_pts), max(1, round(1 / track.time_base))
    while is_seekable and ask > start_pts and track.seek(ask):
        end = _last_end(track, track.packets(), frame_ticks, is_tail=True)
        if end is not None:
            return max(end, start_pts + 1)
        ask, step = ask - step, step * 2
    end = _last_end(track, track.packets_from_start(), frame_ticks)
    return max(end or 0, start_pts + 1)


def _promised_end(track: Track, start_pts: int) -> int:
    """Where the header puts the end, in ticks; the start where it says nothing."""
    if track.samples is not None:
        return max(start_pts, track.samples.last_pts)
    if track.stream.duration:
        return start_pts + track.stream.duration
    if track.container.duration:
        microseconds = Fraction(track.container.duration, 1_000_000)
        return start_pts + int(microseconds / track.time_base)
    return start_pts


def _last_end(
    track: Track, packets: Iterable[Packet], frame_ticks: Fraction, *, is_tail: bool = False
) -> int | None:
    """End of the picture shown last; where the file may have been cut off, of one that decodes.

    None if there is no packet, or if a tail is too short to hold the last one for certain.
    """
    first = last = None
    num_packets = 0
    ending = Ending()
    for packet in packets:
        ending.add(packet)
        if not is_shown(track, packet):
            continue
        num_packets += 1
        first = first or packet
        if last is None or packet.pts >= last.pts:
            last = packet
    if last is None or (is_tail and not first.is_keyframe and num_packets < REORDER_DEPTH):
        return None
    num_cut_off = ending.num_cut_off(track)
    if is_tail and num_cut_off is None:
        return None
    last = ending.shown[-1 - num_cut_off] if num_cut_off else last
    return last.pts + _length(track, last, frame_ticks)


def _num_pictures(track: Track) -> int:
    """Count the pictures of a stream without time stamps, but for those that are cut off."""
    ending, num_packets = Ending(), 0
    for packet in track.packets_from_start():
        ending.add(packet)
        num_packets += not packet.is_discard
    return num_packets - (ending.num_cut_off(track) or 0)


def _length(track: Track, packet: Packet, frame_ticks: Fraction) -> int:
    """Length of a packet in ticks. Only MP4 stores it; elsewhere it may be a guess, far off."""
    if packet.duration and (
        "mp4" in track.container.format.name or 2 * packet.duration >= frame_ticks
    ):
        return packet.duration
    return max(1, round(frame_ticks))


def describe(track: Track, facts: Facts) -> dict[str, object]:
    """What a person wants to know of a file, and where its header lies; values are plain."""
    with track.whole() as (container, stream):
        audio_tracks, subtitle_tracks = (_tracks(container, kind) for kind in ("audio", "subtitle"))
        average_rate = float(stream.average_rate) if stream.average_rate else None
        header_seconds = _header_seconds(container, stream)
    return {
        "container": track.container.format.name,
        "codec": track.codec.name,
        "pixel_format": track.codec.pix_fmt,
        "coded_size": facts.coded_size,
        "native_size": facts.native_size,
        "rotation_degrees": facts.orientation.degrees_clockwise,
        "is_mirrored": facts.orientation.is_reflected,
        "sample_aspect_ratio": str(facts.pixel_aspect),
        "average_rate": average_rate,
        "duration_seconds": facts.duration_seconds,
        "header_duration_seconds": header_seconds,
        "frame_seconds": facts.frame_seconds,
        "start_seconds": float(facts.start_pts * facts.time_base),
        "audio_tracks": audio_tracks,
        "subtitle_tracks": subtitle_tracks,
        "is_seekable": facts.fallback is None,
        "fallback": facts.fallback,
        "is_reordered": facts.is_reordered,
    }


def _header_seconds(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration:
        return float(stream.duration * stream.time_base)
    return container.duration / 1e6 if container.duration else None


def _tracks(container: InputContainer, kind: str) -> list[dict[str, object]]:
    return [
        {"index": stream.index, "codec": stream.codec_context.name, "language": stream.language}
        for stream in container.streams
        if stream.type == kind and stream.codec_context
    ]
