"""Writes takes: beside the file they will replace, flushed every second while live."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import inf
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from mcap.writer import CompressionType, IndexType, Writer

from ..events.amendments import StreamItem, item_seconds
from ..events.errors import StruckError
from ..events.events import Event
from ..files.part_files import PART_SUFFIX, part_path, refuse_unfinished
from ..packets.encoder import PacketEncoder
from ..packets.event_section import PACKET_SECONDS
from ..packets.heads import MAX_PACKET_CHANGES, MAX_PACKET_EVENTS, read_head
from .format import CHANNELS, COUNTED, END_METADATA, HEADER_METADATA, TakeHeader, seal_json
from .packet_streams import first_number, number_after

#: Times in a take are below this (about 31 years): they must fit MCAP's nanoseconds.
_MAX_SECONDS: Final = 1e9
_CHUNK_BYTES: Final = 16_384
_FLUSH_SECONDS: Final = 1.0


class TakeWriter:
    """Writes one take, from one thread.

    A *live* take stands in ``part_path(path)`` until it is closed; all but its last second survives the
    death of the process, and if writing fails the part stays. Otherwise the temporary file is removed
    on failure. Either way ``path`` is replaced at once, by a complete take, in :meth:`close`.

    Args:
        path: of the take.
        header: says, by its ``exact``, whether events are stored as float32 or quantised.
        live: flush every second of stream and of wall time; call :meth:`tick` at least that often.
        fsync: also wait for the disk at each flush, against loss of power.
        clock: seconds that only grow.

    Raises:
        StruckError: the file cannot be written, or an unfinished live take of this name exists.
    """

    def __init__(
        self,
        path: str | Path,
        header: TakeHeader,
        *,
        live: bool = False,
        fsync: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = Path(path)
        self.temporary_path = (
            part_path(path) if live else self.path.with_name(f"{self.path.name}.{os.getpid()}{PART_SUFFIX}")
        )
        self._live, self._fsync, self._clock = live, fsync, clock
        self._encoder = PacketEncoder(header.exact)
        self._pending: list[StreamItem] = []
        self._pending_events = 0
        self._pending_span = (inf, -inf)  # times of the first and the last, in seconds
        self._channel_ids: dict[str, int] = {}
        self._packet_number: int | None = None
        self._counts = dict.fromkeys(COUNTED, 0)
        self._last_seconds = 0.0
        self._flushed_at = clock()
        self._refused = False
        if self.path.is_dir():
            raise StruckError(f"cannot write {self.path}: it is a folder")
        if live:
            refuse_unfinished(self.path)
        with self._disk():
            self._file = self.temporary_path.open("wb")
        # Message indexes would cost more than the messages; chunk indexes are enough to seek.
        self._mcap = Writer(
            self._file,
            chunk_size=_CHUNK_BYTES,
            compression=CompressionType.ZSTD,
            index_types=IndexType.CHUNK | IndexType.METADATA,
        )
        with self._disk():
            self._mcap.start(profile="struck", library=f"struck {header.struck_version}")
            self._mcap.add_metadata(HEADER_METADATA, seal_json(header.to_dict()))
            self._mcap.flush()

    def write(self, item: StreamItem) -> None:
        """Add an event, amendment or end. Those within a second may come in any order; a packet sorts them.

        An amendment or end of an event that is not in the take, has not begun or has ended then, or began
        without an id, is left out and counted in :attr:`ignored_count`.

        Raises:
            ValueError: the time is beyond what a take can hold.
            StruckError: the disk refuses.
        """
        seconds = item_seconds(item)
        check_time(seconds)
        is_event = isinstance(item, Event)
        room = (
            self._pending_events < MAX_PACKET_EVENTS
            if is_event
            else len(self._pending) - self._pending_events < MAX_PACKET_CHANGES
        )
        self._make_room(seconds, room)
        self._pending.append(item)
        self._pending_events += is_event
        self._pending_span = min(seconds, self._pending_span[0]), max(seconds, self._pending_span[1])
        self.tick()

    @property
    def ignored_count(self) -> int:
        """Amendments and ends left out so far, as their packets were written."""
        return self._encoder.ignored_count

    def write_midi(self, seconds: float, data: bytes) -> None:
        """Add one MIDI message at stream time ``seconds``."""
        self.write_message("/midi", seconds, data)

    def write_osc(self, seconds: float, packet: bytes) -> None:
        """Add one OSC packet at stream time ``seconds``."""
        self.write_message("/osc", seconds, packet)

    def write_patch(self, seconds: float, patch: str, **details: Any) -> None:
        """Add a change to the patch named ``patch``; ``details`` are JSON values."""
        self.write_message("/patch", seconds, {**details, "patch": patch})

    def write_mark(self, seconds: float, kind: str, **details: Any) -> None:
        """Add a mark, such as ``dropout``; ``details`` are JSON values."""
        self.write_message("/marks", seconds, {**details, "kind": kind})

    def write_message(self, channel: str, seconds: float, value: bytes | Mapping[str, Any]) -> None:
        """Add a message to ``channel``: bytes to ``/midi`` and ``/osc``, JSON values to the others.

        Raises:
            ValueError: a take has no such channel, or the time is out of range.
            StruckError: the disk refuses.
        """
        if channel not in CHANNELS or channel == "/events":
            raise ValueError(f"a take has no channel {channel!r} for messages")
        if isinstance(value, Mapping):
            value = json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
        check_time(seconds)
        self._make_room(seconds)
        self._add(channel, seconds, bytes(value))
        self.tick()

    def tick(self) -> None:
        """Flush a live take if a second of wall time has gone by since the last flush."""
        if self._live and self._clock() - self._flushed_at >= _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Hand everything written so far to the operating system, and with ``fsync`` to the disk."""
        self._write_packet()
        with self._disk():
            self._mcap.flush()
            if self._fsync:
                os.fsync(self._file.fileno())
        self._flushed_at = self._clock()

    def close(self, duration_seconds: float = 0.0) -> None:
        """Complete the take and give it its name.

        Args:
            duration_seconds: of the stream; at least up to the last thing written is assumed.
        """
        check_time(duration_seconds)
        self.flush()
        counts = {name: count for name, count in self._counts.items() if count or name == "events"}
        end = {"duration_seconds": max(duration_seconds, self._last_seconds), **counts}
        try:
            with self._disk():
                self._mcap.add_metadata(END_METADATA, seal_json(end))
                self._mcap.finish()
                self._file.close()
                self.temporary_path.replace(self.path)
        except StruckError:
            self._drop()
            raise

    def abort(self) -> None:
        """Give up: a live take keeps its part, readable; any other leaves nothing behind."""
        try:
            # Where the disk has refused, the file may end inside a record: nothing readable can follow that.
            if self._live and not self._refused:
                self.flush()
        finally:
            self._drop()

    def _drop(self) -> None:
        try:
            with self._disk():
                self._file.close()
        finally:
            if not self._live:
                self.temporary_path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file.closed:
            return
        if error is None:
            self.close()
        else:
            self.abort()

    def _make_room(self, seconds: float, room: bool = True) -> None:
        """End the packet if something at ``seconds`` does not fit into it: the file stays in order."""
        first, last = self._pending_span
        if not room or max(seconds, last) - min(seconds, first) >= PACKET_SECONDS:
            if self._live:
                self.flush()
            else:
                self._write_packet()

    def _write_packet(self) -> None:
        if not self._pending:
            return
        packet = self._encoder.encode(self._pending)
        first, last = self._pending_span
        self._pending, self._pending_events, self._pending_span = [], 0, (inf, -inf)
        if packet is None:
            return
        head, _ = read_head(packet)
        for name in COUNTED:
            self._counts[name] += getattr(head, name)
        number = first_number(packet) if self._packet_number is None else number_after(self._packet_number)
        self._add("/events", first, packet, sequence=number)
        self._packet_number = number
        self._last_seconds = max(self._last_seconds, last)

    def _add(self, topic: str, seconds: float, data: bytes, sequence: int = 0) -> None:
        nanoseconds = round(seconds * 1e9)
        with self._disk():
            if topic not in self._channel_ids:
                spec = CHANNELS[topic]
                schema = self._mcap.register_schema(
                    spec.schema_name, spec.schema_encoding, spec.schema.encode()
                )
                self._channel_ids[topic] = self._mcap.register_channel(topic, spec.encoding, schema)
            self._mcap.add_message(self._channel_ids[topic], nanoseconds, data, nanoseconds, sequence)
        self._last_seconds = max(self._last_seconds, seconds)

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._refused = True
            raise StruckError(f"cannot write {self.path}: {error.strerror}") from error


def check_time(seconds: float) -> None:
    """Raise ValueError unless a take can hold this time."""
    if not 0.0 <= seconds < _MAX_SECONDS:
        raise ValueError(f"the time {seconds} s is outside a take's range, 0 to {_MAX_SECONDS:g} s")
