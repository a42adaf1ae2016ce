"""The streams of event packets in a take: one as a rule, several where a program has merged takes.

Packets of one stream are numbered on, modulo 2**32, from a number that its first packet itself says
(:func:`first_number`), in version 1 from 0. So two streams in one channel can be told apart, and what is
missing is seen::

    number    |9000 9001 |417 |9002 |418 419 |9004
    stream    | a    a   | b  | a   | b   b  | a, after a loss

Which packets can be read follows: those of a stream from a keyframe on, as long as none is missing.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from ..events.amendments import Amendment, End, StreamItem
from ..events.events import Event
from ..packets.decoder import PacketDecoder

_NUMBERS: Final = 1 << 32
#: More packets than this, of a second each, are not lost but another stream's.
_LONGEST_LOSS: Final = 1 << 20
#: So far apart are the ids of events of different streams, which each count from 0.
_IDS_APART: Final = 1 << 27


def first_number(packet: bytes) -> int:
    """Number of a stream's first packet. Never 0: that is version 1's."""
    return zlib.crc32(packet) or 1


def number_after(number: int) -> int:
    """Number of the packet that follows in a stream."""
    return (number + 1) % _NUMBERS


@dataclass
class PacketStream:
    """One stream while it is read.

    Args:
        place: among the streams of the take, from 0.
        expected: number of its next packet.
        lost: packets are missing, and no keyframe has come since.
    """

    place: int
    expected: int
    lost: bool = False
    _decoder: PacketDecoder = field(default_factory=PacketDecoder)

    def decode(self, packet: bytes) -> Iterator[StreamItem]:
        """What a packet of this stream tells, with ids that no other stream of the take has.

        Raises:
            StruckError: the packet is damaged.
        """
        for item in self._decoder.decode(packet):
            yield self._with_own_id(item)

    def _with_own_id(self, item: StreamItem) -> StreamItem:
        if not self.place or item.id is None:
            return item
        own = (item.id + self.place * _IDS_APART) % _NUMBERS
        if isinstance(item, Event):
            return replace(item, id=own)
        return replace(item, id=own) if isinstance(item, Amendment) else End(own, item.at_seconds)


class PacketStreams:
    """Finds for each packet of a take the stream that it belongs to."""

    def __init__(self) -> None:
        self._streams: list[PacketStream] = []

    def place(self, number: int, packet: bytes, keyframe: bool) -> tuple[PacketStream, bool]:
        """The stream of the next packet of the file, and whether packets are missing before it."""
        stream = next((s for s in self._streams if s.expected == number), None)
        missing = False
        if stream is None and number in (0, first_number(packet)):
            stream = self._begin(number)
        elif stream is None:
            stream = self._nearest(number) or self._begin(number)
            missing = stream.lost = True
        stream.lost = stream.lost and not keyframe
        stream.expected = number_after(number)
        return stream, missing

    def lose(self) -> None:
        """A packet could not be read at all, and nobody knows which stream's it was."""
        for stream in self._streams:
            stream.lost = True

    def _begin(self, number: int) -> PacketStream:
        self._streams.append(PacketStream(len(self._streams), number))
        return self._streams[-1]

    def _nearest(self, number: int) -> PacketStream | None:
        """The stream that was at the nearest number before; None if that is a stream of which the start is
        missing."""

        def distance(stream: PacketStream) -> int:
            return (number - stream.expected) % _NUMBERS

        nearest = min(self._streams, key=distance, default=None)
        return nearest if nearest is not None and distance(nearest) < _LONGEST_LOSS else None
