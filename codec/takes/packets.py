"""Packets of entropy-coded events: what a take holds, a second at a time.

Nobody knows the distributions of the fields before the weights are trained, and they differ from player to
player. So the range coder's models are learned from the packets before::

    packet   = head, varint first onset in samples, range coder words (uint32, little-endian)
    exact    = head, records of float64 onset, float64 gain, 32 x float32 (little-endian)
    head     = varint of  count << 2 | exact << 1 | keyframe

An event is often like one shortly before (the same drum, the same string): it may name one of the last
63 events of earlier packets as its *reference*, and then only the differences from it are coded. A
*keyframe* packet forgets models and history, so that reading may start, or start again after damage, there.

The models are counts, i.e. small integers, and every sum of them is exact in float64: encoder and decoder
agree on any IEEE 754 machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import constriction
import numpy as np
from numpy.typing import NDArray

from ..events.errors import StruckError
from ..events.event_spec import ANALYSIS_RATE, VECTOR_SIZE
from ..events.events import Event, stack_vectors
from ..events.quantize import LEVEL_HALF, IntArray, quantize_events, restore_events
from .packet_models import (
    OTHER_HALF,
    OTHERS,
    PACKET_SECONDS,
    PITCH,
    Models,
    categorical,
    leading_symbols,
    pitch_levels,
)

MAX_PACKET_EVENTS: Final = 256
#: What was learned is given up this often: the price of starting to read in the middle.
KEYFRAME_SECONDS: Final = 30.0

_EXACT_RECORD: Final = np.dtype(
    [("onset_seconds", "<f8"), ("gain_db", "<f8"), ("vector", "<f4", (VECTOR_SIZE,))]
)


class PacketEncoder:
    """Turns runs of events into packets; keeps the models between them."""

    def __init__(self, exact: bool = False) -> None:
        self._exact = exact
        self._models = Models()
        self._keyframe_end = 0

    def encode(self, events: Iterable[Event]) -> bytes:
        """One packet of 1 to ``MAX_PACKET_EVENTS`` events, which it sorts by onset.

        Raises:
            ValueError: no events, too many, or they span ``PACKET_SECONDS`` or more.
        """
        events = sorted(events, key=lambda event: event.onset_seconds)
        if not 1 <= len(events) <= MAX_PACKET_EVENTS:
            raise ValueError(f"a packet holds 1 to {MAX_PACKET_EVENTS} events, not {len(events)}")
        span = events[-1].onset_seconds - events[0].onset_seconds
        if span >= PACKET_SECONDS:
            raise ValueError(f"a packet spans less than {PACKET_SECONDS} s, not {span}")
        if self._exact:
            return _varint(len(events) << 2 | 0b11) + _encode_exact(events)

        rows = quantize_events(events)
        first = int(rows[0, 0])
        keyframe = first >= self._keyframe_end
        if keyframe:
            self._keyframe_end = first + int(KEYFRAME_SECONDS * ANALYSIS_RATE)
            self._models = Models()
        head = _varint(len(events) << 2 | int(keyframe)) + _varint(first)
        return head + self._encode_rows(rows).astype("<u4").tobytes()

    def _encode_rows(self, rows: IntArray) -> NDArray[np.uint32]:
        models = self._models
        deltas = np.diff(rows[:, 0], prepend=rows[0, 0])
        leading = leading_symbols(rows, deltas)
        levels = rows[:, 2 + OTHERS]
        references = models.choose_references(levels)
        referring = references > 0
        differences = levels[referring] - models.history[references[referring] - 1]

        coder = constriction.stream.queue.RangeEncoder()

        def put(symbols: IntArray, counts: IntArray) -> None:
            if len(symbols):
                coder.encode(symbols.astype(np.int32), categorical(counts))

        put(references, models.references)
        for column, counts in enumerate(models.leading):
            put(leading[:, column], counts)
        for column, half in enumerate(OTHER_HALF):
            put(levels[~referring, column] + half, models.levels[column])
            put(differences[:, column] + 2 * half, models.differences[column])
        sizes = _mantissa_sizes(leading[:, 0])
        if len(sizes):
            mantissas = deltas[leading[:, 0] > 1] - sizes
            coder.encode(mantissas.astype(np.int32), constriction.stream.model.Uniform(), sizes)
        models.learn(references, leading, levels)
        return coder.get_compressed()


class PacketDecoder:
    """Turns packets back into events; feed them in order, from a keyframe on."""

    def __init__(self) -> None:
        self._models: Models | None = None

    def decode(self, packet: bytes) -> list[Event]:
        """Events of one packet, sorted by onset.

        Raises:
            StruckError: the packet is damaged, or its keyframe was not decoded.
        """
        count, exact, keyframe, position = _read_head(packet)
        if exact:
            return _decode_exact(packet[position:], count)
        first, position = _read_varint(packet, position)
        if keyframe:
            self._models = Models()
        if self._models is None:
            raise StruckError("an event packet came before its keyframe")
        if (len(packet) - position) % 4:
            raise StruckError("an event packet is cut")
        words = np.frombuffer(packet, "<u4", offset=position).astype(np.uint32)
        try:
            rows = self._decode_rows(self._models, words, count)
        except AssertionError as error:  # how constriction reports words that no encoder writes
            raise StruckError("an event packet is damaged") from error
        rows[:, 0] += first
        return restore_events(rows)

    @staticmethod
    def _decode_rows(models: Models, words: NDArray[np.uint32], count: int) -> IntArray:
        """Quantised rows ``[count, 2 + VECTOR_SIZE]`` with onsets relative to the packet's first."""
        coder = constriction.stream.queue.RangeDecoder(words)

        def get(counts: IntArray, amount: int) -> IntArray:
            if not amount:
                return np.empty(0, dtype=np.int64)
            return coder.decode(categorical(counts), amount).astype(np.int64)

        references = get(models.references, count)
        if references.max() > len(models.history):
            raise StruckError("an event packet is damaged")
        referring = references > 0
        referring_count = int(referring.sum())
        leading = np.stack([get(counts, count) for counts in models.leading], axis=1)
        levels = np.empty((count, len(OTHERS)), dtype=np.int64)
        for column, half in enumerate(OTHER_HALF):
            levels[~referring, column] = get(models.levels[column], count - referring_count) - half
            differences = get(models.differences[column], referring_count) - 2 * half
            levels[referring, column] = models.history[references[referring] - 1, column] + differences
        deltas = np.minimum(leading[:, 0], 1)
        sizes = _mantissa_sizes(leading[:, 0])
        if len(sizes):
            mantissas = coder.decode(constriction.stream.model.Uniform(), sizes)
            deltas[leading[:, 0] > 1] = sizes + mantissas.astype(np.int64)

        rows = np.empty((count, 2 + VECTOR_SIZE), dtype=np.int64)
        rows[:, 0] = np.cumsum(deltas)
        rows[:, 1] = leading[:, 1]
        rows[:, 2 + PITCH] = pitch_levels(leading)
        rows[:, 2 + OTHERS] = levels
        if np.any(np.abs(rows[:, 2:]) > LEVEL_HALF):
            raise StruckError("an event packet is damaged")
        models.learn(references, leading, levels)
        return rows


def packet_info(packet: bytes) -> tuple[int, bool]:
    """Number of events of a packet and whether it is a keyframe, without decoding it.

    Raises:
        StruckError: the packet's head is damaged.
    """
    count, _, keyframe, _ = _read_head(packet)
    return count, keyframe


def _read_head(packet: bytes) -> tuple[int, bool, bool, int]:
    head, position = _read_varint(packet, 0)
    count = head >> 2
    if not 1 <= count <= MAX_PACKET_EVENTS:
        raise StruckError(f"an event packet claims {count} events; it may hold 1 to {MAX_PACKET_EVENTS}")
    return count, bool(head & 2), bool(head & 1), position


def _encode_exact(events: Sequence[Event]) -> bytes:
    records = np.empty(len(events), dtype=_EXACT_RECORD)
    records["onset_seconds"] = [event.onset_seconds for event in events]
    records["gain_db"] = [event.gain_db for event in events]
    records["vector"] = stack_vectors(events)
    return records.tobytes()


def _decode_exact(data: bytes, count: int) -> list[Event]:
    if len(data) != count * _EXACT_RECORD.itemsize:
        raise StruckError("an event packet is cut")
    try:
        return [
            Event(float(r["onset_seconds"]), float(r["gain_db"]), r["vector"])
            for r in np.frombuffer(data, _EXACT_RECORD)
        ]
    except ValueError as error:
        raise StruckError(f"an event packet is damaged: {error}") from error


def _mantissa_sizes(classes: IntArray) -> NDArray[np.int32]:
    """Number of deltas in each bit-length class that holds more than one."""
    return (1 << (classes[classes > 1] - 1)).astype(np.int32)


def _varint(value: int) -> bytes:
    """Unsigned LEB128: seven bits a byte, low ones first."""
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
