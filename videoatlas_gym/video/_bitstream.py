"""What the first bytes of a packet tell: whether it shows a picture, and whether others need it.

Reads headers only, and only as far as they are certain; a packet that is not understood is needed.
Sources: ITU-T H.264 (7.3.1, 7.4.1), ITU-T H.265 (7.3.1.2, 7.4.2.2), RFC 6386 (9.1) and the VP9
bitstream specification (6.2).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from av.packet import Packet

HIDING_CODECS = {"vp8", "vp9"}
"""Codecs with packets that show nothing."""

NEEDED = (False, 0)

_H264_SLICE = 1
_H264_HARMLESS = {6, 9, 12}
"""Supplemental information, delimiters and filling: nothing that later pictures need."""
_HEVC_HARMLESS = {35, 38, 39, 40}
_START_CODE = b"\0\0\1"
_READ_LENGTH = {
    size: struct.Struct(kind).unpack_from for size, kind in ((1, ">B"), (2, ">H"), (4, ">I"))
}
_READ_LENGTH[3] = lambda data, place: (int.from_bytes(data[place : place + 3], "big"),)


def is_hidden(codec_name: str, packet: Packet) -> bool:
    """Whether a VP8 or VP9 packet only updates references and shows nothing."""
    if codec_name not in HIDING_CODECS or not packet.size:
        return False
    data = memoryview(packet)
    first = data[0]
    if codec_name == "vp8":
        return not first & 0x10
    if _is_superframe(data):
        return False  # Its last part is shown.
    # Bits from the top: marker 2, profile 2 (and one more in profile 3), show_existing, type, show.
    shift = 1 if first & 0x30 == 0x30 else 0
    return not first >> (3 - shift) & 1 and not first >> (1 - shift) & 1


def _is_superframe(data: memoryview) -> bool:
    """Whether a VP9 packet ends with an index of its parts (bitstream specification, annex B)."""
    marker = data[-1]
    length = 2 + ((marker >> 3 & 3) + 1) * ((marker & 7) + 1)
    return marker & 0xE0 == 0xC0 and len(data) >= length and data[-length] == marker


SpareReader = Callable[[memoryview], tuple[bool, int]]
"""Returns whether no picture of its layer or a lower one is made from a packet; and its layer."""


def spare_reader(codec_name: str, extradata: bytes | None) -> SpareReader | None:
    """Return how to read that of a stream's packets; None if its codec does not tell."""
    data = extradata or b""
    if codec_name == "h264":
        length_size = (data[4] & 3) + 1 if len(data) > 6 and data[0] == 1 else 0
        return lambda data: _h264(data, length_size)
    if codec_name == "hevc":
        length_size = (data[21] & 3) + 1 if len(data) > 22 and data[0] == 1 else 0
        return lambda data: _hevc(data, length_size)
    return None


def _h264(data: memoryview, length_size: int) -> tuple[bool, int]:
    has_slice = False
    for place in _units(data, length_size):
        header = data[place]
        kind = header & 31
        if kind == _H264_SLICE and not header & 0xE0:
            has_slice = True
        elif kind not in _H264_HARMLESS:
            return NEEDED
    return has_slice, 0


def _hevc(data: memoryview, length_size: int) -> tuple[bool, int]:
    has_slice, is_spare, layer = False, True, 0
    for place in _units(data, length_size):
        if place + 1 >= len(data):
            return NEEDED
        kind = data[place] >> 1 & 63
        if kind < 32:
            has_slice = True
            layer = max(layer, (data[place + 1] & 7) - 1)
            # Even numbers below 16 are pictures that their own layer does not refer to.
            is_spare &= kind < 16 and not kind & 1
            is_spare &= not data[place] & 0x81 and not data[place + 1] >> 3
        elif kind not in _HEVC_HARMLESS:
            is_spare = False
    return has_slice and is_spare, layer


def _units(data: memoryview, length_size: int) -> Sequence[int]:
    """Return where the network abstraction layer units of a packet begin; none if it is damaged."""
    if not length_size:
        return _units_by_start_code(bytes(data))
    read_length = _READ_LENGTH[length_size]
    units, place, end = [], 0, len(data)
    try:
        while place < end:
            (length,) = read_length(data, place)
            place += length_size
            units.append(place)
            place += length
            if not length or place > end:
                return ()
    except struct.error:
        return ()
    return units


def _units_by_start_code(text: bytes) -> Sequence[int]:
    units, place = [], text.find(_START_CODE)
    if text[: max(place, 0)].strip(b"\0"):
        return ()
    while 0 <= place < len(text) - len(_START_CODE):
        units.append(place + len(_START_CODE))
        place = text.find(_START_CODE, place + len(_START_CODE))
    return units
