"""The head of a packet: what is in it, told without decoding it.

::

    plain   = varint of  events << 2 | exact << 1 | keyframe
              varint of the first time in samples, unless exact
    life    = varint of  exact << 1 | keyframe                     (no events are told: 0 to 3)
              varint carried, if it is a keyframe
              varints: events, amendments, ends, the first time in samples,
                       words of the events' section, words of the amendments' section

A plain packet has events without ids or with those that follow; it is all that version 1 has.
Varints are unsigned LEB128: seven bits a byte, low ones first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..events.errors import StruckError

MAX_PACKET_EVENTS: Final = 256
#: Amendments and ends together.
MAX_PACKET_CHANGES: Final = 1_024
#: Events with an id that a packet may carry on or speak of: the latest ones.
MAX_LIVES: Final = 1_024


@dataclass(frozen=True)
class PacketHead:
    """Numbers of what a packet holds.

    Args:
        exact: values are floats, not levels.
        keyframe: reading may start here.
        plain: as in version 1; ids are not said.
        first: time of the first thing in samples; 0 where plain and exact, as every record has its own.
        events, amendments, ends: that begin, happen in it.
        carried: events that began earlier and may sound on, with what they are now.
        event_words, amendment_words: lengths of the first two sections, in units of four bytes.
    """

    exact: bool
    keyframe: bool
    plain: bool
    first: int
    events: int
    amendments: int = 0
    ends: int = 0
    carried: int = 0
    event_words: int = 0
    amendment_words: int = 0

    def sections(self, packet: bytes, position: int) -> tuple[bytes, bytes, bytes]:
        """The sections of events, amendments and ends; they begin at ``position``."""
        if self.plain:
            return packet[position:], b"", b""
        middle = position + 4 * self.event_words
        end = middle + 4 * self.amendment_words
        return packet[position:middle], packet[middle:end], packet[end:]

    def pack(self) -> bytes:
        flags = self.exact << 1 | self.keyframe
        if self.plain:
            head = _varint(self.events << 2 | flags)
            return head if self.exact else head + _varint(self.first)
        values = [flags, *([self.carried] if self.keyframe else []), self.events, self.amendments, self.ends]
        values += [self.first, self.event_words, self.amendment_words]
        return b"".join(map(_varint, values))


def read_head(packet: bytes) -> tuple[PacketHead, int]:
    """Head of a packet, and where its sections begin.

    Raises:
        StruckError: the head is cut, or claims what no packet holds.
    """
    flags, position = _read_varint(packet, 0)
    exact, keyframe = bool(flags & 2), bool(flags & 1)
    if flags > 3:
        first = 0
        if not exact:
            first, position = _read_varint(packet, position)
        head = PacketHead(exact, keyframe, True, first, flags >> 2)
    else:
        values = []
        for _ in range(6 + keyframe):
            value, position = _read_varint(packet, position)
            values.append(value)
        carried = values.pop(0) if keyframe else 0
        events, amendments, ends, first, event_words, amendment_words = values
        head = PacketHead(
            exact, keyframe, False, first, events, amendments, ends, carried, event_words, amendment_words
        )
    if head.events > MAX_PACKET_EVENTS:
        raise StruckError(
            f"an event packet claims {head.events} events; it may hold up to {MAX_PACKET_EVENTS}"
        )
    if head.amendments + head.ends > MAX_PACKET_CHANGES or head.carried > MAX_LIVES:
        raise StruckError(f"an event packet claims more than {MAX_PACKET_CHANGES} amendments and ends")
    if 4 * (head.event_words + head.amendment_words) > len(packet) - position:
        raise StruckError("an event packet is cut")
    return head, position


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 49, 7):
        if position >= len(data):
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise StruckError("an event packet is cut")
