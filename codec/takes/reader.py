"""Reads takes, whole or cut or damaged, lazily and with flat memory."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Final

from mcap.opcode import Opcode
from mcap.records import Channel, Message, Metadata

from ..events.amendments import StreamItem, item_seconds, nearly_in_stream_order
from ..events.errors import StruckError
from ..events.events import Event
from ..packets.heads import read_head
from ..weights.codec_weights import CodecWeights
from .format import CHANNELS, COUNTED, END_METADATA, HEADER_METADATA, TakeHeader, unseal_json
from .mcap_records import DamagedRecordError, RecordWalk, parse_record
from .packet_streams import PacketStream, PacketStreams

_LOOK: Final = frozenset({Opcode.METADATA, Opcode.CHANNEL})
_READ: Final = frozenset({Opcode.CHUNK, Opcode.MESSAGE})


@dataclass(frozen=True)
class TakeMessage:
    """Something recorded beside the events.

    ``value`` is bytes on the channels ``/midi`` and ``/osc``, a dict of JSON values on ``/patch`` and
    ``/marks``.
    """

    seconds: float
    channel: str
    value: Any


@dataclass(frozen=True)
class TakeStatistics:
    """Counts over a whole take. ``gaps`` is the number of places where damage hides something.

    The bits of events, amendments and ends are those of their own sections; the heads of their packets and
    what keyframes carry on count as the events'.
    """

    events: int
    amendments: int
    ends: int
    event_bits: int
    amendment_bits: int
    end_bits: int
    file_bits: int
    messages: dict[str, int]
    gaps: int

    @property
    def payload_bits(self) -> int:
        """Of all packets."""
        return self.event_bits + self.amendment_bits + self.end_bits


class _Gap:
    """Stands in the stream of messages where something could not be read."""


class TakeReader:
    """One take, or the part that a recording left. Each iterator reads the file afresh, from its start.

    Raises:
        StruckError: the file cannot be read, is not a take, or is of a newer version.
    """

    header: TakeHeader

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._channels: dict[int, Channel] = {}
        headers: list[dict[str, Any]] = []
        ends: list[dict[str, Any]] = []
        with self._open() as file:
            walk = RecordWalk(file, _LOOK)
            for opcode, body in walk:
                try:
                    (record,) = parse_record(opcode, body)
                    if isinstance(record, Channel):
                        self._channels[record.id] = record
                    elif isinstance(record, Metadata) and record.name == HEADER_METADATA:
                        headers.append(unseal_json(record.metadata))
                    elif isinstance(record, Metadata) and record.name == END_METADATA:
                        ends.append(unseal_json(record.metadata))
                except (DamagedRecordError, ValueError):
                    # Without a header there is no take, said below; without an end it counts as cut.
                    continue
        if not headers:
            raise StruckError(
                f"{path} is an MCAP file without a take's header: not a take, or one whose metadata some "
                "program has left out; let it keep them (`mcap filter --include-metadata`)"
            )
        self.header = TakeHeader.from_dict(headers[0], str(path))
        for other in headers[1:]:  # takes that were merged
            if TakeHeader.from_dict(other, str(path)).weights_hash != self.header.weights_hash:
                raise StruckError(
                    f"{path} was merged from takes of different weights, which cannot be played"
                )
        #: The file has no proper end: it was cut, or is still being written.
        self.truncated = len(ends) < len(headers) or not walk.has_clean_end
        #: What the ends say: of takes that were merged the longest length, and all that was counted.
        self._told_seconds = [x for end in ends if isinstance(x := end.get("duration_seconds"), int | float)]
        self._told: Counter[str] = Counter()
        for end in ends:
            self._told.update({name: end[name] for name in COUNTED if isinstance(end.get(name), int)})

    @cached_property
    def duration_seconds(self) -> float:
        """Length of the stream; of a take without an end, the time of the last thing that is whole."""
        if self._told_seconds:
            return float(max(self._told_seconds))
        times = (x.seconds if isinstance(x, TakeMessage) else item_seconds(x) for x in self.stream())
        return max(times, default=0.0)

    def stream(self) -> Iterator[StreamItem | TakeMessage]:
        """Everything, in the order of the file. What stands in one packet (under a second) is sorted."""
        for item in self._readable():
            if isinstance(item, _Gap):
                continue
            topic, message, packets = item
            if packets is not None:
                try:
                    yield from list(packets.decode(message.data))
                except StruckError as error:
                    raise StruckError(f"{self.path}: {error}") from error
            else:
                yield TakeMessage(message.log_time / 1e9, topic, self._value(topic, message.data))

    def items(self) -> Iterator[StreamItem]:
        """Events, amendments and ends in the order of the stream.

        After a gap, what sounds is put right where reading goes on: an event that began in the gap begins
        there, one that was amended is amended, one that ended ends.
        """
        return nearly_in_stream_order(item for item in self.stream() if not isinstance(item, TakeMessage))

    def events(self) -> Iterator[Event]:
        """Events as they began, in the order of the file; amendments and ends are left out.

        What an event did later is missing: for how it sounded, take :meth:`items`.
        """
        return (item for item in self.stream() if isinstance(item, Event))

    def midi(self) -> Iterator[TakeMessage]:
        return self._on("/midi")

    def osc(self) -> Iterator[TakeMessage]:
        return self._on("/osc")

    def patches(self) -> Iterator[TakeMessage]:
        return self._on("/patch")

    def marks(self) -> Iterator[TakeMessage]:
        return self._on("/marks")

    def statistics(self) -> TakeStatistics:
        """Counts, without decoding the events."""
        counts: Counter[str] = Counter()
        messages: Counter[str] = Counter()
        gaps = 0
        for item in self._readable():
            if isinstance(item, _Gap):
                gaps += 1
                continue
            topic, message, _ = item
            messages[topic] += 1
            if topic == "/events":
                head, position = read_head(message.data)
                _, amendments, ends = head.sections(message.data, position)
                counts.update(events=head.events, amendments=head.amendments, ends=head.ends)
                counts.update(bytes=len(message.data), amendment_bytes=len(amendments), end_bytes=len(ends))
        if not gaps and any(counts[name] != count for name, count in self._told.items()):
            gaps = 1  # what is missing stood at the very end
        return TakeStatistics(
            events=counts["events"],
            amendments=counts["amendments"],
            ends=counts["ends"],
            event_bits=8 * (counts["bytes"] - counts["amendment_bytes"] - counts["end_bytes"]),
            amendment_bits=8 * counts["amendment_bytes"],
            end_bits=8 * counts["end_bytes"],
            file_bits=8 * self.path.stat().st_size,
            messages=dict(sorted(messages.items())),
            gaps=gaps,
        )

    def describe_losses(self) -> list[str]:
        """What of the take is missing, in lines for the user; none where it is whole. Reads the file once."""
        losses = []
        if self.truncated:
            losses.append(f"{self.path} is cut off: what is whole was read")
        counts = self.statistics()
        missing = self._told["events"] - counts.events
        if counts.gaps and missing > 0 and not self.truncated:
            losses.append(
                f"{self.path}: {missing:,} of {self._told['events']:,} events are missing: it is damaged, or "
                "a program has cut it"
            )
        elif counts.gaps:
            losses.append(f"{self.path}: something is missing in {counts.gaps} places: it is damaged")
        return losses

    def check_weights(self, weights: CodecWeights) -> None:
        """Refuse weights other than those the take was made with.

        Raises:
            StruckError: the hashes differ.
        """
        self.header.check_weights(weights, str(self.path))

    def _on(self, channel: str) -> Iterator[TakeMessage]:
        for item in self._readable():
            if not isinstance(item, _Gap) and item[0] == channel:
                message = item[1]
                yield TakeMessage(message.log_time / 1e9, channel, self._value(channel, message.data))

    def _value(self, topic: str, data: bytes) -> Any:
        if CHANNELS[topic].encoding != "json":
            return data
        try:
            value = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise StruckError(f"{self.path}: a message on {topic} is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise StruckError(f"{self.path}: a message on {topic} is not a JSON object")
        return value

    def _readable(self) -> Iterator[tuple[str, Message, PacketStream | None] | _Gap]:
        """Messages, event packets with their streams, without those that cannot be decoded because earlier
        ones are lost."""
        streams = PacketStreams()
        told = False
        for item in self._messages():
            if isinstance(item, _Gap):
                told = True
                yield item
                continue
            topic, message = item
            if topic != "/events":
                yield topic, message, None
                continue
            try:
                keyframe = read_head(message.data)[0].keyframe
            except StruckError:
                streams.lose()
                told = True
                yield _Gap()
                continue
            stream, missing = streams.place(message.sequence, message.data, keyframe)
            if missing and not told:
                yield _Gap()
            told = False
            if not stream.lost:
                yield topic, message, stream

    def _messages(self) -> Iterator[tuple[str, Message] | _Gap]:
        channels = dict(self._channels)
        with self._open() as file:
            for opcode, body in RecordWalk(file, _READ):
                try:
                    records = parse_record(opcode, body)
                except DamagedRecordError:
                    yield _Gap()
                    continue
                for record in records:
                    if isinstance(record, Channel):
                        channels[record.id] = record
                    elif isinstance(record, Message) and record.channel_id in channels:
                        channel = channels[record.channel_id]
                        spec = CHANNELS.get(channel.topic)
                        if spec is not None and spec.encoding == channel.message_encoding:
                            yield channel.topic, record

    @contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        try:
            with self.path.open("rb") as file:
                yield file
        except OSError as error:
            raise StruckError(f"cannot read {self.path}: {error.strerror}") from error
        except DamagedRecordError as error:
            raise StruckError(f"{self.path} is not a take: {error}") from error


def summarise_take(path: str | Path) -> dict[str, Any]:
    """What ``struck info`` tells of a take, as JSON values.

    Raises:
        StruckError: the file cannot be read or is not a take.
    """
    reader = TakeReader(path)
    header, counts, duration = reader.header, reader.statistics(), reader.duration_seconds
    seconds = duration or 1.0
    return {
        "duration": duration,
        "events": counts.events,
        "events_per_second": counts.events / seconds,
        "amendments": counts.amendments,
        "ends": counts.ends,
        "event_bits": counts.event_bits,
        "amendment_bits": counts.amendment_bits,
        "end_bits": counts.end_bits,
        "payload_bits_per_second": counts.payload_bits / seconds,
        "file_bits_per_second": counts.file_bits / seconds,
        "profile": header.profile,
        "model": header.weights_name,
        "model_hash": header.weights_hash,
        "source": header.source,
        "analysis_rate": header.analysis_rate,
        "exact": header.exact,
        "version": header.format_version,
        "struck_version": header.struck_version,
        "truncated": reader.truncated,
        "gaps": counts.gaps,
        "midi_messages": counts.messages.get("/midi", 0),
        "osc_messages": counts.messages.get("/osc", 0),
        "patches": [{"seconds": m.seconds, **m.value} for m in reader.patches()],
        "marks": [{"seconds": m.seconds, **m.value} for m in reader.marks()],
    }
