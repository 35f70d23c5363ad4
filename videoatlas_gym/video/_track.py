"""One opened container and its best video stream: where to start decoding for a given moment.

Knows ticks only, neither seconds nor pixels. A container's word on key frames and positions is
taken as a hint: a start is right if its time stamp is early enough and the decoder agrees to it.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain

import av
from av.packet import Packet
from av.stream import Discard, Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from videoatlas_gym.video._avi import is_index_whole, last_key
from videoatlas_gym.video._bitstream import is_hidden, spare_reader
from videoatlas_gym.video._deadline import Deadline
from videoatlas_gym.video._run import Run
from videoatlas_gym.video._samples import SampleReader
from videoatlas_gym.video.source import VideoOpenError

_MAX_BACK_STEPS = 40
_CHECKED_EVERY = 8
"""After so many packets it is seen whether there is time left: reading one takes microseconds."""
_PADDED_PIXELS = 64 * 12_000
"""Decoders count the padding of rows to pictures, too."""


@dataclass(frozen=True)
class Limits:
    """What a file may ask for at most."""

    max_pixels: int
    """Of one picture."""
    allow_protocols: tuple[str, ...] = ()
    """Protocols of FFmpeg besides local files."""


class Track:
    """The best video stream of a file, opened."""

    def __init__(
        self, path: str, limits: Limits, deadline: Deadline, count_picture: Callable[[], None]
    ) -> None:
        self.count_picture = count_picture
        self.limits = limits
        self.deadline = deadline
        # Decoders patch damage up without a word unless they are told to fail.
        self.codec_options = {
            "max_pixels": str(limits.max_pixels + _PADDED_PIXELS),
            "err_detect": "explode",
        }
        self.is_reordered = False
        self.ordinal_rate: Fraction | None = None
        self.first_packets: list[Packet] = []
        """Those that the first picture came out of, unless they are very many."""
        self.first_frame: VideoFrame | None = None
        """The first picture, until it was looked at."""
        self.false_keys: set[int] = set()
        self.true_keys: set[int] = set()
        self.samples: SampleReader | None = None
        """Reads the file where FFmpeg is not needed for that."""
        self._path = path
        self._is_index_whole: bool | None = None
        self._last_key: tuple[int, int] | None = None
        self._open()

    def _open(self) -> None:
        self.container = self._container()
        self.codec = self.stream.codec_context
        self.codec.thread_count = 1
        self.codec.options = self.codec_options
        self._is_at_start = True
        if self.samples is not None:
            self.samples.rewind()
            self.codec.reorder_depth = max(self.codec.reorder_depth, self.samples.reorder_depth)

    def _container(self) -> av.container.InputContainer:
        """Open what FFmpeg is to read: the miniature of a plain file, any other file itself."""
        if self.samples is not None:
            return self._best_opened(io.BytesIO(self.samples.miniature))
        samples = SampleReader.of(self._path) if os.path.isabs(self._path) else None
        container = samples and self._miniature_of(samples)
        if container:
            self.samples = samples
            return container
        if samples:
            samples.close()
            self.deadline.check()
        return self._best_opened(self._path)

    def _miniature_of(self, samples: SampleReader) -> av.container.InputContainer | None:
        """Open the miniature; None if FFmpeg reads it in another way than it is meant."""
        container = None
        try:
            container = self._best_opened(io.BytesIO(samples.miniature))
            if samples.is_read_alike(container, self.stream):
                return container
        except (av.error.FFmpegError, VideoOpenError, ValueError, MemoryError):
            pass  # Whatever is wrong is better told of the file as it is.
        except BaseException:
            samples.close()
            raise
        if container is not None:
            container.close()
        return None

    def _best_opened(self, source: str | io.BytesIO) -> av.container.InputContainer:
        """Open a container and look at nothing of it but its best video stream."""
        container = self._opened(source)
        try:
            self.stream = _best_video_stream(container)
        except BaseException:
            container.close()
            raise
        for stream in container.streams:
            if stream.index != self.stream.index:
                stream.discard = Discard.all
        return container

    def _opened(self, source: str | io.BytesIO) -> av.container.InputContainer:
        allowed = ("file", *self.limits.allow_protocols)
        return av.open(
            source,
            container_options={"protocol_whitelist": ",".join(allowed)},
            metadata_errors="replace",
            timeout=self.deadline.limit_seconds,
        )

    @contextmanager
    def whole(self) -> Iterator[tuple[av.container.InputContainer, VideoStream]]:
        """The file with all of its streams, as FFmpeg sees it; and the stream of this track."""
        if self.samples is None:
            yield self.container, self.stream
            return
        with self._opened(self._path) as container:
            yield container, _best_video_stream(container)

    @property
    def time_base(self) -> Fraction:
        """Length of a tick in seconds."""
        return 1 / self.ordinal_rate if self.ordinal_rate else self.stream.time_base

    def is_spare(self, packet: Packet) -> bool:
        """Whether it is certain that no picture is made from that of a packet."""
        if self.codec.name != "h264":
            return False  # Elsewhere that depends on layers, which one packet does not tell.
        return spare_reader(self.codec.name, self.codec.extradata)(memoryview(packet))[0]

    def close(self) -> None:
        """Release the container, the decoder and the file."""
        self._close_container()
        if self.samples is not None:
            self.samples.close()

    def _close_container(self) -> None:
        self.stream = self.codec = None  # They point into the container's memory.
        self.container.close()

    def packets(self) -> Iterator[Packet]:
        """Read packets of the stream from here on; damage that stops reading is the end."""
        check = self.deadline.check
        packets = self.samples.packets() if self.samples else self.container.demux(self.stream)
        try:
            for number, packet in enumerate(packets):
                if not number % _CHECKED_EVERY:
                    check()
                if packet.size or packet.pts is not None:
                    yield packet
        except (av.error.InvalidDataError, av.error.EOFError):
            return
        except av.error.ExitError:
            check()
            raise
        except IndexError:
            # All packets were read, but a track began that the header had not announced: PyAV then
            # looks for it among those it knows, to end it. It guards that only while reading.
            return

    def rewind(self) -> Run:
        """Start at the very first packet, with a decoder that has seen nothing."""
        if not self._is_at_start:
            self._close_container()
            self._open()
        self._is_at_start = False
        return Run(self, self.packets(), None)

    def packets_from_start(self) -> Iterator[Packet]:
        """Read the packets of the stream from the first one on."""
        self.rewind()
        return self.packets()

    def seek(self, tick: int) -> bool:
        """Go to a place whose packets are presented at or before `tick`, if the container can."""
        try:
            if self.samples is None:
                self.container.seek(tick, stream=self.stream)
            else:
                self.samples.seek(tick)
                self.codec.flush_buffers()
        except av.error.FFmpegError:
            return False
        self._is_at_start = False
        return True

    def look_at_index(self) -> None:
        """Look at what `is_indexed_rightly` goes by; before anything is read.

        Demuxers mend an index while they read, so what counts is that of the opened file.
        """
        if self.container.format.name == "avi":
            path = self._path if os.path.isabs(self._path) else None
            check = self.deadline.check
            self._is_index_whole = is_index_whole(path, self.container, self.stream, check)
            self._last_key = last_key(self.stream)

    def is_indexed_rightly(self) -> bool:
        """Whether packets lie where the index has them; only AVI counts time by its index.

        A file that lost or gained packets has one numbering after a seek, and another from the
        start.
        """
        if self._is_index_whole is None:
            return True
        if not self._is_index_whole or self._last_key is None:
            return self._is_index_whole
        tick, position = self._last_key
        packet = next(self.packets(), None) if self.seek(tick) else None
        return packet is not None and (packet.dts, packet.pos) == (tick, position)

    def enter(self, tick: int, before_pts: int | None = None) -> Run:
        """Start at the last usable key frame at or before `tick` (and before `before_pts`).

        Where none is found, that is the start of the file.
        """
        if before_pts is not None:
            tick = before_pts - 1
        run = self._enter(tick)
        if self.is_reordered and run.sync_pts is not None:
            trusted_pts = run.sync_pts
            run = self._enter(trusted_pts - 1)
            run.trusted_pts = trusted_pts
        return run

    def _enter(self, tick: int) -> Run:
        packets = self.land(tick)
        if packets is None:
            return self.rewind()
        first = next(packets)
        run = Run(self, packets, first.pts)
        run.queue.append(first)
        run.skip_to_last_key(tick)
        return run

    def land(self, tick: int) -> Iterator[Packet] | None:
        """Read packets from a usable key frame on that is presented at or before `tick`.

        A seek may land late: on a key frame of which only the decoding time is early enough, or
        anywhere near in a transport stream. Then it is repeated from further back; None if that
        comes to nothing.
        """
        ask, step = tick, max(1, round(1 / self.time_base))
        for _ in range(_MAX_BACK_STEPS):
            if not self.seek(ask):
                break
            packets = self.packets()
            first = next((p for p in packets if p.is_keyframe and p.pts is not None), None)
            if first is not None and first.pts <= tick and first.pts not in self.false_keys:
                return chain((first,), packets)
            known = [ask] if first is None else [ask, first.pts, first.dts]
            ask = min(place for place in known if place is not None) - step
            step *= 2
        return None


def shown_packets(track: Track, packets: Iterable[Packet]) -> Iterator[Packet]:
    """Leave out the packets that give no picture to look at."""
    return (packet for packet in packets if is_shown(track, packet))


def is_shown(track: Track, packet: Packet) -> bool:
    """Whether a packet gives a picture to look at, as far as can be told without decoding."""
    if packet.pts is None or packet.is_discard:
        return False
    return not is_hidden(track.codec.name, packet)


def _best_video_stream(container: av.container.InputContainer) -> VideoStream:
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        found = ", ".join(
            f"{s.type}/{s.codec_context.name}" for s in container.streams if s.codec_context
        )
        raise VideoOpenError(f"it has no video stream (found: {found or 'nothing'})")
    streams = [s for s in streams if s.codec_context]
    if not streams:
        raise VideoOpenError("its video track has an unknown codec")
    flagged = [s for s in streams if s.disposition & Disposition.default]
    return max(flagged or streams, key=lambda s: s.codec_context.width * s.codec_context.height)
