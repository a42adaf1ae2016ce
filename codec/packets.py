"""Packets of entropy-coded events: what a take holds, a second at a time.

Nobody knows the distributions of the fields before the weights are trained, and they differ from player to
player. So the range coder's models are learned from the packets before::

    packet   = head, varint first onset in samples, range coder words (uint32, little-endian)
    exact    = head, records of float64 onset, float64 gain, 32 x float32 (little-endian)
    head     = varint of  count << 2 | exact << 1 | keyframe

An event is often like one shortly before (the same drum, the same string): it may name one of the last
``HISTORY`` events of earlier packets as its *reference*, and then only the differences from it are coded. A
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

from .errors import StruckError
from .event_spec import FIELDS, INDEX, VECTOR_SIZE
from .events import Event, stack_vectors
from .quantize import GAIN_LEVELS, LEVEL_HALF, ONSET_RATE, IntArray, dequantise, quantise

#: A packet spans less than this, so that a killed recording loses no more.
PACKET_SECONDS: Final = 1.0
MAX_PACKET_EVENTS: Final = 256
#: What was learned is given up this often: the price of starting to read in the middle.
KEYFRAME_SECONDS: Final = 30.0
HISTORY: Final = 63

_EXACT_RECORD: Final = np.dtype(
    [("onset_seconds", "<f8"), ("gain_db", "<f8"), ("vector", "<f4", (VECTOR_SIZE,))]
)

# ---- symbols -------------------------------------------------------------------------------------------
# An event is four leading symbols: class of the onset delta (its bit length), gain, pitch as semitone and
# offset from it (so that scales and the tuning of a piece are learned separately). Then the other levels.

_PITCH: Final = INDEX["pitch"]
_OTHERS: Final = np.array([i for i in range(VECTOR_SIZE) if i != _PITCH])
_OTHER_HALF: Final = LEVEL_HALF[_OTHERS]
_SEMITONES: Final = round(FIELDS[_PITCH].high - FIELDS[_PITCH].low)
_PITCH_TOP: Final = 2 * int(LEVEL_HALF[_PITCH])
_FINE_HALF: Final = _PITCH_TOP // (2 * _SEMITONES) + 1
_DELTA_CLASSES: Final = int(PACKET_SECONDS * ONSET_RATE).bit_length() + 1
_LEADING_SIZES: Final = (_DELTA_CLASSES, GAIN_LEVELS, _SEMITONES + 1, 2 * _FINE_HALF + 1)


def _semitone_level(semitone: IntArray) -> IntArray:
    """Pitch level counted from the lowest, nearest to a whole semitone."""
    return (semitone * _PITCH_TOP + _SEMITONES // 2) // _SEMITONES


def _leading_symbols(rows: IntArray, deltas: IntArray) -> IntArray:
    """Leading symbols ``[E, 4]`` of quantised rows."""
    pitch = rows[:, 2 + _PITCH] + LEVEL_HALF[_PITCH]
    semitone = (pitch * _SEMITONES + _PITCH_TOP // 2) // _PITCH_TOP
    fine = pitch - _semitone_level(semitone) + _FINE_HALF
    return np.stack([[int(d).bit_length() for d in deltas], rows[:, 1], semitone, fine], axis=1)


def _mantissa_sizes(classes: IntArray) -> NDArray[np.int32]:
    """Number of deltas in each bit-length class that holds more than one."""
    return (1 << (classes[classes > 1] - 1)).astype(np.int32)


class _Tables:
    """Counts of several columns of symbols, side by side in one array so that all learn at once."""

    # An observed symbol also counts, less, for its neighbours: the fields are smooth quantities, and a few
    # events must already say something about 31 or 63 levels.
    _KERNEL = np.array([6, 14, 24, 14, 6])
    _REACH = len(_KERNEL) // 2
    _LIMIT = 16_384

    def __init__(self, priors: Sequence[IntArray]) -> None:
        # Gaps between the columns catch what the kernel spreads beyond their ends.
        lengths = [len(prior) + self._REACH for prior in priors]
        self._starts = self._REACH + np.cumsum([0, *lengths[:-1]])
        self._counts = np.zeros(self._REACH + sum(lengths), dtype=np.int64)
        self._is_symbol = np.zeros(len(self._counts), dtype=np.int64)
        self.columns: list[IntArray] = []
        for start, prior in zip(self._starts, priors, strict=True):
            self._counts[start : start + len(prior)] = prior
            self._is_symbol[start : start + len(prior)] = 1
            self.columns.append(self._counts[start : start + len(prior)])

    def count(self, symbols: IntArray) -> None:
        """Take in symbols ``[E, columns]``."""
        seen = np.bincount((self._starts + symbols).ravel(), minlength=len(self._counts))
        self._counts += np.convolve(seen, self._KERNEL)[self._REACH : -self._REACH] * self._is_symbol
        for column in np.flatnonzero(np.add.reduceat(self._counts, self._starts) > self._LIMIT):
            self.columns[column] += 1
            self.columns[column] >>= 1


class _Models:
    """Counts of every symbol, and the levels of recent events; they change only after a packet."""

    _PRIOR = 4

    def __init__(self) -> None:
        sizes = (HISTORY + 1, *_LEADING_SIZES, *(2 * _OTHER_HALF + 1))
        self._always = _Tables([np.full(size, self._PRIOR, dtype=np.int64) for size in sizes])
        self.references, columns = self._always.columns[0], self._always.columns[1:]
        self.leading, self.levels = columns[: len(_LEADING_SIZES)], columns[len(_LEADING_SIZES) :]
        self._differences = _Tables([self._prior_of_differences(int(half)) for half in _OTHER_HALF])
        self.differences = self._differences.columns
        self.history = np.empty((0, len(_OTHERS)), dtype=np.int64)  # newest first

    @staticmethod
    def _prior_of_differences(half: int) -> IntArray:
        # Peaked, for a reference is only chosen where it is near; width about an eighth of the range.
        width = max(1, half // 8)
        distance = np.abs(np.arange(-2 * half, 2 * half + 1))
        return 1 + 96 * width**2 // (width**2 + distance**2)

    def learn(self, references: IntArray, leading: IntArray, levels: IntArray) -> None:
        """Take in one packet: references ``[E]``, leading symbols ``[E, 4]``, other levels ``[E, 31]``."""
        self._always.count(np.hstack([references[:, None], leading, levels + _OTHER_HALF]))
        referring = references > 0
        if np.any(referring):
            differences = levels[referring] - self.history[references[referring] - 1]
            self._differences.count(differences + 2 * _OTHER_HALF)
        self.history = np.concatenate([levels[::-1], self.history])[:HISTORY]

    def choose_references(self, levels: IntArray) -> IntArray:
        """For every event, the reference 1..``HISTORY`` that makes it cheapest, or 0 for none, ``[E]``."""
        none_bits = sum(
            _bits(counts)[levels[:, column] + _OTHER_HALF[column]]
            for column, counts in enumerate(self.levels)
        )
        bits = np.zeros((len(levels), 1 + len(self.history)))
        bits[:, 0] = none_bits
        for column, counts in enumerate(self.differences):
            difference = levels[:, column, None] - self.history[None, :, column]
            bits[:, 1:] += _bits(counts)[difference + 2 * _OTHER_HALF[column]]
        return np.argmin(bits + _bits(self.references)[: bits.shape[1]], axis=1)


def _bits(counts: IntArray) -> NDArray[np.float64]:
    return np.log2(counts.sum() / counts)


def _categorical(counts: IntArray) -> constriction.stream.model.Categorical:
    return constriction.stream.model.Categorical(counts.astype(np.float64), perfect=False)


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
            return _varint(len(events) << 2 | 0b11) + _encode_exact(events)

        rows = quantise(events)
        first = int(rows[0, 0])
        keyframe = first >= self._keyframe_end
        if keyframe:
            self._keyframe_end = first + int(KEYFRAME_SECONDS * ONSET_RATE)
            self._models = _Models()
        head = _varint(len(events) << 2 | int(keyframe)) + _varint(first)
        return head + self._encode_rows(rows).astype("<u4").tobytes()

    def _encode_rows(self, rows: IntArray) -> NDArray[np.uint32]:
        models = self._models
        deltas = np.diff(rows[:, 0], prepend=rows[0, 0])
        leading = _leading_symbols(rows, deltas)
        levels = rows[:, 2 + _OTHERS]
        references = models.choose_references(levels)
        referring = references > 0
        differences = levels[referring] - models.history[references[referring] - 1]

        coder = constriction.stream.queue.RangeEncoder()

        def put(symbols: IntArray, counts: IntArray) -> None:
            if len(symbols):
                coder.encode(symbols.astype(np.int32), _categorical(counts))

        put(references, models.references)
        for column, counts in enumerate(models.leading):
            put(leading[:, column], counts)
        for column, half in enumerate(_OTHER_HALF):
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
        words = np.frombuffer(packet, "<u4", offset=position).astype(np.uint32)
        try:
            rows = self._decode_rows(self._models, words, count)
        except AssertionError as error:  # how constriction reports words that no encoder writes
            raise StruckError("an event packet is damaged") from error
        rows[:, 0] += first
        return dequantise(rows)

    @staticmethod
    def _decode_rows(models: _Models, words: NDArray[np.uint32], count: int) -> IntArray:
        """Quantised rows ``[count, 2 + VECTOR_SIZE]`` with onsets relative to the packet's first."""
        coder = constriction.stream.queue.RangeDecoder(words)

        def get(counts: IntArray, amount: int) -> IntArray:
            if not amount:
                return np.empty(0, dtype=np.int64)
            return coder.decode(_categorical(counts), amount).astype(np.int64)

        references = get(models.references, count)
        if references.max() > len(models.history):
            raise StruckError("an event packet is damaged")
        referring = references > 0
        referring_count = int(referring.sum())
        leading = np.stack([get(counts, count) for counts in models.leading], axis=1)
        levels = np.empty((count, len(_OTHERS)), dtype=np.int64)
        for column, half in enumerate(_OTHER_HALF):
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
        pitch = _semitone_level(leading[:, 2]) + leading[:, 3] - _FINE_HALF
        rows[:, 2 + _PITCH] = pitch - LEVEL_HALF[_PITCH]
        rows[:, 2 + _OTHERS] = levels
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
