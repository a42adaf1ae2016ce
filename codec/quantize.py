"""Events to integers by the table of fields, and packets of entropy-coded integers.

Quantised, an event is a row of ``2 + VECTOR_SIZE`` integers: the onset in samples at
:data:`ONSET_RATE`, the gain in steps of :data:`GAIN_STEP_DB`, and one *level* per field, in
``-half..half`` with ``half = 2 ** (bits - 1) - 1``, so that 0 is a level.

A packet holds up to :data:`PACKET_SECONDS` of events. Its integers are range coded under categorical
models that are learned from the packets before it: nobody knows the fields' distributions before the
weights are trained, and they differ from player to player. A *keyframe* packet resets the models, so
that reading may start, or start again after damage, at any keyframe::

    packet   = head, varint first onset in samples, range coder words (uint32, little-endian)
    exact    = head, records of float64 onset, float64 gain, 32 x float32 (little-endian)
    head     = varint of  count << 2 | exact << 1 | keyframe

The models are counts, i.e. small integers, and every sum of them is exact in float64: encoder and decoder
agree on any IEEE 754 machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import constriction
import numpy as np
from numpy.typing import NDArray

from .errors import StruckError
from .event_spec import FIELDS, GAIN_BITS, GAIN_DB_HIGH, GAIN_DB_LOW, INDEX, VECTOR_SIZE
from .events import Event, stack_vectors

IntArray = NDArray[np.int64]

#: The analysis rate of the published codec; onsets are whole samples at this rate.
ONSET_RATE: Final = 22_050
#: About the smallest difference of level that is heard; makes whole decibels of the levels.
GAIN_STEP_DB: Final = 1.0
GAIN_LEVELS: Final = round((GAIN_DB_HIGH - GAIN_DB_LOW) / GAIN_STEP_DB) + 1
assert GAIN_LEVELS <= 2**GAIN_BITS

#: A packet spans less than this, so that a killed recording loses no more.
PACKET_SECONDS: Final = 1.0
MAX_PACKET_EVENTS: Final = 256
#: Learned models are given up this often: the price of starting to read in the middle.
KEYFRAME_SECONDS: Final = 30.0

_HALF: Final = np.array([2 ** (field.bits - 1) - 1 for field in FIELDS], dtype=np.int64)
_EXACT_RECORD: Final = np.dtype(
    [("onset_seconds", "<f8"), ("gain_db", "<f8"), ("vector", "<f4", (VECTOR_SIZE,))]
)


def quantise(events: Sequence[Event]) -> IntArray:
    """Rows of integers ``[E, 2 + VECTOR_SIZE]``: onset sample, gain level, field levels."""
    rows = np.empty((len(events), 2 + VECTOR_SIZE), dtype=np.int64)
    rows[:, 0] = [event.onset_sample(ONSET_RATE) for event in events]
    rows[:, 1] = [round((event.gain_db - GAIN_DB_LOW) / GAIN_STEP_DB) for event in events]
    rows[:, 2:] = np.rint(stack_vectors(events).astype(np.float64) * _HALF)
    return rows


def dequantise(rows: IntArray) -> list[Event]:
    """Events of integer rows ``[E, 2 + VECTOR_SIZE]``; ``quantise`` of them gives the same rows."""
    vectors = (rows[:, 2:] / _HALF).astype(np.float32)
    return [
        Event(int(row[0]) / ONSET_RATE, GAIN_DB_LOW + GAIN_STEP_DB * int(row[1]), vector)
        for row, vector in zip(rows, vectors, strict=True)
    ]


# ---- symbols -------------------------------------------------------------------------------------------
# What is coded, column by column: class of the onset delta (its bit length), gain, pitch as semitone and
# offset from it (so that scales and the tuning of a piece are learned separately), the other levels.

_PITCH: Final = INDEX["pitch"]
_OTHERS: Final = np.array([i for i in range(VECTOR_SIZE) if i != _PITCH])
_SEMITONES: Final = round(FIELDS[_PITCH].high - FIELDS[_PITCH].low)
_PITCH_TOP: Final = 2 * int(_HALF[_PITCH])
_FINE_HALF: Final = _PITCH_TOP // (2 * _SEMITONES) + 1
_DELTA_CLASSES: Final = int(PACKET_SECONDS * ONSET_RATE).bit_length() + 1
_SIZES: Final = (
    _DELTA_CLASSES,
    GAIN_LEVELS,
    _SEMITONES + 1,
    2 * _FINE_HALF + 1,
    *(int(2 * _HALF[i] + 1) for i in _OTHERS),
)


def _semitone_level(semitone: IntArray) -> IntArray:
    """Pitch level counted from the lowest, nearest to a whole semitone."""
    return (semitone * _PITCH_TOP + _SEMITONES // 2) // _SEMITONES


def _to_symbols(rows: IntArray) -> tuple[IntArray, IntArray]:
    """Symbols ``[E, columns]`` and the onset deltas ``[E]`` of which column 0 is the bit length."""
    deltas = np.diff(rows[:, 0], prepend=rows[0, 0])
    pitch = rows[:, 2 + _PITCH] + _HALF[_PITCH]
    semitone = (pitch * _SEMITONES + _PITCH_TOP // 2) // _PITCH_TOP
    symbols = np.empty((len(rows), len(_SIZES)), dtype=np.int64)
    symbols[:, 0] = [int(delta).bit_length() for delta in deltas]
    symbols[:, 1] = rows[:, 1]
    symbols[:, 2] = semitone
    symbols[:, 3] = pitch - _semitone_level(semitone) + _FINE_HALF
    symbols[:, 4:] = rows[:, 2 + _OTHERS] + _HALF[_OTHERS]
    return symbols, deltas


def _from_symbols(symbols: IntArray, deltas: IntArray, first_onset: int) -> IntArray:
    rows = np.empty((len(symbols), 2 + VECTOR_SIZE), dtype=np.int64)
    rows[:, 0] = first_onset + np.cumsum(deltas)
    rows[:, 1] = symbols[:, 1]
    pitch = _semitone_level(symbols[:, 2]) + symbols[:, 3] - _FINE_HALF
    rows[:, 2 + _PITCH] = pitch - _HALF[_PITCH]
    rows[:, 2 + _OTHERS] = symbols[:, 4:] - _HALF[_OTHERS]
    return rows


class _Models:
    """Counts of each column's symbols; they adapt after every packet, never inside one."""

    # An observed symbol also counts, less, for its neighbours: the fields are smooth quantities, and a
    # few events must already say something about 31 or 63 levels.
    _KERNEL = np.array([6, 14, 24, 14, 6])
    _PRIOR = 4
    _LIMIT = 16_384

    def __init__(self) -> None:
        self.counts = [np.full(size, self._PRIOR, dtype=np.int64) for size in _SIZES]

    def categorical(self, column: int) -> constriction.stream.model.Categorical:
        return constriction.stream.model.Categorical(self.counts[column].astype(np.float64), perfect=False)

    def learn(self, symbols: IntArray) -> None:
        reach = len(self._KERNEL) // 2
        for column, counts in enumerate(self.counts):
            seen = np.bincount(symbols[:, column], minlength=len(counts))
            counts += np.convolve(seen, self._KERNEL)[reach:-reach]
            if counts.sum() > self._LIMIT:
                counts += 1
                counts >>= 1


def _mantissa_sizes(classes: IntArray) -> NDArray[np.int32]:
    """Number of deltas in each bit-length class that holds more than one."""
    return (1 << (classes[classes > 1] - 1)).astype(np.int32)


# ---- packets -------------------------------------------------------------------------------------------


class PacketEncoder:
    """Turns runs of events into packets; keeps the models between them."""

    def __init__(self, exact: bool = False) -> None:
        self._exact = exact
        self._models = _Models()
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
            return self._encode_exact(events)

        rows = quantise(events)
        first = int(rows[0, 0])
        keyframe = first >= self._keyframe_end
        if keyframe:
            self._keyframe_end = first + int(KEYFRAME_SECONDS * ONSET_RATE)
            self._models = _Models()
        symbols, deltas = _to_symbols(rows)
        coder = constriction.stream.queue.RangeEncoder()
        for column in range(len(_SIZES)):
            coder.encode(symbols[:, column].astype(np.int32), self._models.categorical(column))
        sizes = _mantissa_sizes(symbols[:, 0])
        if len(sizes):
            mantissas = deltas[symbols[:, 0] > 1] - sizes
            coder.encode(mantissas.astype(np.int32), constriction.stream.model.Uniform(), sizes)
        self._models.learn(symbols)
        words = coder.get_compressed().astype("<u4").tobytes()
        return _varint(len(events) << 2 | int(keyframe)) + _varint(first) + words

    def _encode_exact(self, events: Sequence[Event]) -> bytes:
        records = np.empty(len(events), dtype=_EXACT_RECORD)
        records["onset_seconds"] = [event.onset_seconds for event in events]
        records["gain_db"] = [event.gain_db for event in events]
        records["vector"] = stack_vectors(events)
        return _varint(len(events) << 2 | 0b11) + records.tobytes()


class PacketDecoder:
    """Turns packets back into events; feed them in order, from a keyframe on."""

    def __init__(self) -> None:
        self._models: _Models | None = None

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
            self._models = _Models()
        if self._models is None:
            raise StruckError("an event packet came before its keyframe")
        if (len(packet) - position) % 4:
            raise StruckError("an event packet is cut")
        decoder = constriction.stream.queue.RangeDecoder(
            np.frombuffer(packet, "<u4", offset=position).astype(np.uint32)
        )
        symbols = np.empty((count, len(_SIZES)), dtype=np.int64)
        try:
            for column in range(len(_SIZES)):
                symbols[:, column] = decoder.decode(self._models.categorical(column), count)
            deltas = np.minimum(symbols[:, 0], 1)
            sizes = _mantissa_sizes(symbols[:, 0])
            if len(sizes):
                mantissas = decoder.decode(constriction.stream.model.Uniform(), sizes)
                deltas[symbols[:, 0] > 1] = sizes + mantissas.astype(np.int64)
        except AssertionError as error:  # how constriction reports words that no encoder writes
            raise StruckError("an event packet is damaged") from error
        rows = _from_symbols(symbols, deltas, first)
        if np.any(np.abs(rows[:, 2:]) > _HALF):
            raise StruckError("an event packet is damaged")
        self._models.learn(symbols)
        return dequantise(rows)


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
