"""MP3 frames, counted: what libmpg123 guesses for a stream of varying rates that does not tell its length.

The guess takes the first frame's rate for all, and what is longer than the guess is never read. A *Xing*
frame before the others tells the number, as encoders write it that know the end. Frames: ISO/IEC 11172-3 and
13818-3; the Xing frame is a custom that all decoders follow.
"""

from __future__ import annotations

import struct
from typing import BinaryIO, Final

#: Layer III, kbit/s by index, for MPEG-1 and for MPEG-2 and 2.5.
_KILOBITS_1: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KILOBITS_2: Final = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
#: Hz by index, for MPEG-1; half of it for 2, a quarter for 2.5.
_RATES_HZ: Final = (44_100, 48_000, 32_000)


def unknown_length_prefix(file: BinaryIO, size: int) -> tuple[bytes, int] | None:
    """A Xing frame for an MP3 file that has none, and where its first frame stands.

    None for what is no MP3, and for one that tells its length.
    """
    start = _skip_id3(file)
    file.seek(start)
    first = file.read(256)
    byte_count = _frame_bytes(first)
    if not byte_count or b"Xing" in first[:64] or b"Info" in first[:64] or b"VBRI" in first[:64]:
        return None
    position, frame_count, steady = start + byte_count, 1, True
    while position + 4 <= size:
        file.seek(position)
        header = file.read(4)
        byte_count = _frame_bytes(header)
        if not byte_count:
            break
        steady = steady and header[2] & 0xF0 == first[2] & 0xF0
        frame_count += 1
        position += byte_count
    # One frame that looks like one may be chance; where the rate never changes the guess is right.
    if frame_count < 2 or steady:
        return None
    return _xing_frame(first, frame_count), start


def _skip_id3(file: BinaryIO) -> int:
    file.seek(0)
    head = file.read(10)
    if len(head) < 10 or head[:3] != b"ID3":
        return 0
    size = 0
    for byte in head[6:]:
        size = size << 7 | byte & 0x7F
    return 10 + size + (10 if head[5] & 0x10 else 0)


def _frame_bytes(header: bytes) -> int:
    """Length of the frame of layer III that begins so; 0 if none does."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return 0
    version, bits, rate = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or bits in (0, 15) or rate == 3:
        return 0
    kilobits = (_KILOBITS_1 if version == 3 else _KILOBITS_2)[bits]
    rate_hz = _RATES_HZ[rate] >> {3: 0, 2: 1, 0: 2}[version]
    return (144 if version == 3 else 72) * kilobits * 1000 // rate_hz + (header[2] >> 1 & 1)


def _xing_frame(first: bytes, frame_count: int) -> bytes:
    """A silent frame like ``first``, at 64 kbit/s or more so that it has room, with the number of frames."""
    header = bytes([first[0], first[1] | 1, first[2] & 0x0F | 0x80, first[3]])
    mono, version_1 = header[3] >> 6 == 3, header[1] >> 3 & 3 == 3
    side_bytes = (17 if mono else 32) if version_1 else (9 if mono else 17)
    body = header + bytes(side_bytes) + b"Xing" + struct.pack(">II", 1, frame_count)
    return body + bytes(_frame_bytes(header) - len(body))
