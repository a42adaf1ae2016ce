"""The head of a packet: what is in it, told without decoding it.

::

    plain   = varint of  events << 2 | exact << 1 | keyframe
              varint of the first time in samples, unless exact
    life    = varint of  exact << 1 | keyframe                     (no events are told: 0 to 3)
              a varint for each of HEAD_FIELDS; ``carried`` only at a keyframe

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


#: What the head of a life packet tells, in order: name, largest value, meaning.
HEAD_FIELDS: Final = (
    ("carried", MAX_LIVES, "events that began earlier and may sound on; told at a keyframe only"),
    ("events", MAX_PACKET_EVENTS, "events that begin"),
    ("amendments", MAX_PACKET_CHANGES, "amendments; with the ends no more than that"),
    ("ends", MAX_PACKET_CHANGES, "ends"),
    ("first", None, "time of the first of them, in samples"),
    ("event_words", None, "length of the events' section, in units of four bytes"),
    ("amendment_words", None, "length of the amendments' section, in units of four bytes"),
)


@dataclass(frozen=True)
class PacketHead:
    """What a packet holds: the fields of ``HEAD_FIELDS``, and three flags.

    Args:
        exact: values are floats, not levels.
        keyframe: reading may start here.
        plain: as in version 1; ids are not said, and ``first`` is 0 if exact, for every record has its time.
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
        names = _names(self.keyframe)
        return b"".join(map(_varint, [flags, *(getattr(self, name) for name in names)]))


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
        values = {}
        for name in _names(keyframe):
            values[name], position = _read_varint(packet, position)
        head = PacketHead(exact, keyframe, False, **values)
    for name, most, _ in HEAD_FIELDS:
        if most is not None and getattr(head, name) > most:
            raise StruckError(
                f"an event packet claims {getattr(head, name)} {name}; it may hold up to {most}"
            )
    if head.amendments + head.ends > MAX_PACKET_CHANGES:
        raise StruckError(f"an event packet claims more than {MAX_PACKET_CHANGES} amendments and ends")
    if 4 * (head.event_words + head.amendment_words) > len(packet) - position:
        raise StruckError("an event packet is truncated")
    return head, position


def _names(keyframe: bool) -> list[str]:
    return [name for name, _, _ in HEAD_FIELDS if keyframe or name != "carried"]


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
    raise StruckError("an event packet is truncated")
