"""Makes further decoders of an opened stream, each of which has to show the same as its own.

What a container says of pictures beside the stream (colours, the place of chroma, turns) reaches
only the stream's own decoder. A twin is told what can be told, then decodes the first picture: that
must be the same to the last bit, and strong colours put in its place must be painted alike, for a
first picture is often black and would hide the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

import av
import numpy as np
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from videoatlas_gym.video._decoder import GroupDecoder
from videoatlas_gym.video._picture import Painter

CODECS = {"h264", "hevc", "vp8", "vp9", "libdav1d", "av1", "mpeg4", "mpeg2video"}
"""Decoders that may have twins: those that keep nothing but pictures from packet to packet."""

_PROPERTIES = (
    *("width", "height", "pix_fmt", "codec_tag", "bits_per_coded_sample"),
    *("color_primaries", "color_trc", "colorspace", "color_range"),
)
_CHROMA_PLACES = ("unspecified", "left", "center", "topleft", "top", "bottomleft", "bottom")
"""PyAV does not tell which one a stream has, so they are tried."""

_CHECK_SIZE = (64, 36)
_PATCHES = (37, 61)
"""Rows and columns of colour; they share no divisor with the size they are painted in."""


def look(frame: VideoFrame, painter: Painter) -> bytes:
    """Hash a decoded picture, and how strong colours are painted in its place.

    The picture is overwritten; whatever the decoder still needs of it is copied before.
    """
    depth = frame.format.components[0].bits
    dtype = np.uint8 if depth <= 8 else np.uint16
    digest = sha256(f"{frame.width} {frame.height} {frame.format.name}".encode())
    frame.make_writable()
    random = np.random.default_rng(0)
    for plane in frame.planes:
        pixels = np.frombuffer(plane, dtype).reshape(plane.height, -1)[:, : plane.width]
        digest.update(pixels.tobytes())
        patches = random.integers(0, 1 << depth, _PATCHES, dtype)
        rows, columns = (
            np.arange(side) * count // side
            for side, count in zip(pixels.shape, _PATCHES, strict=True)
        )
        pixels[:] = patches[rows[:, None], columns]
    digest.update(painter.paint(frame, _CHECK_SIZE).tobytes())
    return digest.digest()


def make_twins(
    codec: VideoCodecContext,
    options: Mapping[str, str],
    first_packets: Sequence[Packet],
    new_painter: Callable[[], Painter],
    first_look: bytes,
    count: int,
) -> list[GroupDecoder]:
    """Make `count` decoders like that of an opened stream; none if they would not show the same.

    Args:
        codec: The stream's own decoder, one of `CODECS`.
        options: Those that it was opened with; it does not keep them.
        first_packets: Those that its first picture came out of.
        new_painter: Makes the painter of one decoder.
        first_look: Look of that picture.
        count: How many.
    """
    for place in _CHROMA_PLACES:
        twins: list[GroupDecoder] = []
        while len(twins) < count:
            painter = new_painter()
            twin = _twin(codec, {**options, "chroma_sample_location": place})
            if twin is None or _first_look(twin, first_packets, painter) != first_look:
                break
            twin.reorder_depth = codec.reorder_depth
            twins.append(GroupDecoder(twin, painter))
        else:
            return twins
    return []


def _twin(codec: VideoCodecContext, options: dict[str, str]) -> VideoCodecContext | None:
    try:
        twin = av.CodecContext.create(codec.name, "r")
        twin.options = options
        if codec.extradata:
            twin.extradata = codec.extradata
        for name in _PROPERTIES:
            if (value := getattr(codec, name)) is not None:
                setattr(twin, name, value)
        twin.thread_count = 1
    except (av.error.FFmpegError, ValueError, TypeError):
        return None
    return twin


def _first_look(
    twin: VideoCodecContext, packets: Sequence[Packet], painter: Painter
) -> bytes | None:
    try:
        frames = [frame for packet in (*packets, None) for frame in twin.decode(packet)]
        twin.flush_buffers()
    except (av.error.FFmpegError, EOFError):
        return None
    return look(frames[0], painter) if frames else None
