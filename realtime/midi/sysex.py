"""Whole event vectors as MIDI system exclusive messages; the layout stands in docs/midi.md."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np

from ...codec.events.event_spec import VECTOR_SIZE
from ...codec.events.events import Event, FloatArray

#: System exclusive, the number for non-commercial use, "st" to know ours by, version of the layout.
HEADER: Final = bytes((0xF0, 0x7D, ord("s"), ord("t"), 1))
END: Final = b"\xf7"

_PAYLOAD: Final = struct.Struct(f"<If{VECTOR_SIZE}f")  # id, gain in dB, vector
SIZE_BYTES: Final = len(HEADER) + 2 + _PAYLOAD.size + -(-_PAYLOAD.size // 7) + len(END)


@dataclass(frozen=True)
class VectorMessage:
    """What one message says."""

    channel: int  # 0 to 15, of the note that follows
    note: int  # 0 to 127
    id: int  # of the event, modulo 2 ** 32
    gain_db: float
    vector: FloatArray


def pack_7bit(data: bytes) -> bytes:
    """Bytes as bytes below 128: each seven, the last maybe fewer, after one that holds their top bits.

    >>> pack_7bit(bytes((0x81, 0x02, 0x83))).hex()
    '05010203'
    """
    packed = bytearray()
    for start in range(0, len(data), 7):
        group = data[start : start + 7]
        packed.append(sum((byte >> 7) << i for i, byte in enumerate(group)))
        packed += bytes(byte & 0x7F for byte in group)
    return bytes(packed)


def unpack_7bit(data: bytes) -> bytes:
    """The inverse of :func:`pack_7bit`."""
    return bytes(
        byte | (data[start] >> i & 1) << 7
        for start in range(0, len(data), 8)
        for i, byte in enumerate(data[start + 1 : start + 8])
    )


def encode_vector(event: Event, number: int, channel: int, note: int) -> bytes:
    """The message for ``event``, whose id is ``number``; it stands right before its note-on."""
    payload = _PAYLOAD.pack(number & 0xFFFFFFFF, event.gain_db, *event.vector)
    return HEADER + bytes((channel, note)) + pack_7bit(payload) + END


def decode_vector(data: bytes) -> VectorMessage:
    """What a message of :func:`encode_vector` says.

    Raises:
        ValueError: it is none, is damaged, or holds what no event can be.
    """
    if not data.startswith(HEADER) or not data.endswith(END) or len(data) != SIZE_BYTES:
        raise ValueError(f"not a struck vector message of {SIZE_BYTES} bytes")
    body = data[len(HEADER) : -len(END)]
    if max(body) > 127 or body[0] > 15:
        raise ValueError("a struck vector message is damaged")
    number, gain_db, *numbers = _PAYLOAD.unpack(unpack_7bit(body[2:]))
    event = Event(0.0, gain_db, np.asarray(numbers, dtype=np.float32))  # checks the ranges
    return VectorMessage(body[0], body[1], number, event.gain_db, event.vector)
