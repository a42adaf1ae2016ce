"""Atom sequences: the buffers through which MIDI goes to an LV2 plug-in.

::

    u32 size | u32 type | u32 unit | u32 pad | { i64 frame | u32 size | u32 type | bytes, padded to 8 } ...
                        '----------------------------- counted by size ------------------------------'
"""

from __future__ import annotations

import struct
from typing import Final

import numpy as np

from .features import SEQUENCE_BYTES, UridMap

_HEADER: Final = struct.Struct("=IIII")
_EVENT: Final = struct.Struct("=qII")


class AtomBuffer:
    """One port's buffer.

    Args:
        urids: of the process.
        is_input: of the plug-in.
    """

    def __init__(self, urids: UridMap, is_input: bool) -> None:
        self._bytes = np.zeros(SEQUENCE_BYTES // 8, np.uint64)  # aligned to 8 bytes, as atoms are
        self._view = memoryview(self._bytes.data).cast("B")
        self._sequence = urids.number("http://lv2plug.in/ns/ext/atom#Sequence")
        self._chunk = urids.number("http://lv2plug.in/ns/ext/atom#Chunk")
        self._midi = urids.number("http://lv2plug.in/ns/ext/midi#MidiEvent")
        self._is_input = is_input
        self._used = 0
        self.clear()

    @property
    def address(self) -> int:
        return int(self._bytes.ctypes.data)

    def clear(self) -> None:
        """Empty it: an output says what room there is, before each block; an input holds nothing."""
        if self._is_input:
            self._used = 8
            _HEADER.pack_into(self._view, 0, self._used, self._sequence, 0, 0)
        else:
            _HEADER.pack_into(self._view, 0, SEQUENCE_BYTES - 8, self._chunk, 0, 0)

    def add(self, frame: int, message: bytes) -> bool:
        """Append a MIDI message at a frame not before the last one's; False if there is no room."""
        padded = -len(message) % 8
        size = _EVENT.size + len(message) + padded
        place = 8 + self._used
        if place + size > SEQUENCE_BYTES:
            return False
        _EVENT.pack_into(self._view, place, frame, len(message), self._midi)
        self._view[place + _EVENT.size : place + size] = message + bytes(padded)
        self._used += size
        _HEADER.pack_into(self._view, 0, self._used, self._sequence, 0, 0)
        return True
