"""Bytes from a MIDI port to whole, valid messages, whatever the bytes are."""

from __future__ import annotations

from typing import Final

#: Longer system exclusive messages are refused: nothing here needs them, and a take would have to hold them.
SYSEX_MAX_BYTES: Final = 65_536

#: Data bytes after a status from 0x80 to 0xEF, by its upper four bits.
_CHANNEL_DATA: Final = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}
#: Data bytes after a system status; what is missing here is undefined, or (F0, F7) treated apart.
_SYSTEM_DATA: Final = {0xF1: 1, 0xF2: 2, 0xF3: 1, 0xF6: 0}
_REALTIME: Final = frozenset((0xF8, 0xFA, 0xFB, 0xFC, 0xFE, 0xFF))
_SYSEX, _SYSEX_END = 0xF0, 0xF7


def parse(data: bytes) -> tuple[list[bytes], int]:
    """Whole messages in ``data``, each with its own status, and the number of faults passed over.

    Running status holds within ``data``; real-time messages may stand inside others. A fault is a message cut
    short, a run of data bytes without a status, an undefined status, or a system exclusive that does not end
    or is longer than ``SYSEX_MAX_BYTES``. What stands around a fault is still understood.

    >>> parse(bytes((0x90, 60, 100, 62, 90)))
    ([b'\\x90<d', b'\\x90>Z'], 0)
    >>> parse(bytes((0x90, 60, 0x80, 60, 0)))
    ([b'\\x80<\\x00'], 1)
    """
    size = len(data)
    if size == 3 and data[1] < 0x80 and data[2] < 0x80 and _CHANNEL_DATA.get(data[0] & 0xF0) == 2:
        return [bytes(data)], 0  # nearly every message that a port delivers
    messages: list[bytes] = []
    faults = 0
    body = bytearray()  # the message that is being read, status first; empty between messages
    needed = 0  # data bytes of it; -1 in a system exclusive
    running = 0  # status that data bytes without one continue
    lost = False  # in a run of bytes that belong to nothing
    for byte in data:
        if byte in _REALTIME:
            messages.append(bytes((byte,)))
            continue
        if byte >= 0x80:
            lost = False
            if needed == -1 and byte == _SYSEX_END:
                if len(body) < SYSEX_MAX_BYTES:
                    messages.append(bytes(body) + b"\xf7")
                else:
                    faults += 1
                body.clear()
                needed = 0
                continue
            faults += bool(body)
            body.clear()
            running = byte if byte < 0xF0 else 0
            if byte == _SYSEX:
                body.append(byte)
                needed = -1
                continue
            needed = _CHANNEL_DATA[byte & 0xF0] if running else _SYSTEM_DATA.get(byte, -2)
            if needed == -2:
                faults += 1
                needed = 0
                lost = True  # its data bytes, whatever they were, are part of the same fault
                continue
            body.append(byte)
        else:
            if not body:
                if not running:
                    faults += not lost
                    lost = True
                    continue
                body.append(running)
                needed = _CHANNEL_DATA[running & 0xF0]
            if needed == -1 and len(body) >= SYSEX_MAX_BYTES:
                continue  # counted when it ends
            body.append(byte)
        if needed >= 0 and len(body) == needed + 1:
            messages.append(bytes(body))
            body.clear()
    return messages, faults + bool(body)
