"""The events of a packet as symbols, and what the range coder learns of them from packet to packet.

An event is four leading symbols: class of the onset delta (its bit length), gain, pitch as semitone and
offset from it (so that scales and the tuning of a piece are learned separately). Then the other levels.
An event is often like one shortly before (the same drum, the same string): it may name one of the last
63 events of earlier packets as its *reference*, and then only the differences from it are coded.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ..events.errors import StruckError
from ..events.event_spec import ANALYSIS_RATE, FIELDS, INDEX, VECTOR_SIZE
from ..events.quantize import GAIN_LEVELS, LEVEL_HALF, IntArray
from .symbols import (
    SymbolReader,
    SymbolWriter,
    Tables,
    bit_lengths,
    get_lower_bits,
    information_bits,
    put_lower_bits,
)

#: A packet spans less than this, so that a killed recording loses no more.
PACKET_SECONDS: Final = 1.0
#: How many recent events an event may refer to.
HISTORY: Final = 63
#: Bit lengths of the samples between two things in one packet.
DELTA_CLASSES: Final = int(PACKET_SECONDS * ANALYSIS_RATE).bit_length() + 1

_PITCH: Final = INDEX["pitch"]
_OTHERS: Final = np.array([i for i in range(VECTOR_SIZE) if i != _PITCH])
_OTHER_HALF: Final = LEVEL_HALF[_OTHERS]
_SEMITONES: Final = round(FIELDS[_PITCH].high - FIELDS[_PITCH].low)
_PITCH_TOP: Final = 2 * int(LEVEL_HALF[_PITCH])
_FINE_HALF: Final = _PITCH_TOP // (2 * _SEMITONES) + 1
_LEADING_SIZES: Final = (DELTA_CLASSES, GAIN_LEVELS, _SEMITONES + 1, 2 * _FINE_HALF + 1)
_PRIOR: Final = 4


class EventModels:
    """Counts of every symbol, and the levels of recent events; they change only after a packet."""

    def __init__(self) -> None:
        sizes = (HISTORY + 1, *_LEADING_SIZES, *(2 * _OTHER_HALF + 1))
        self._always = Tables([np.full(size, _PRIOR, dtype=np.int64) for size in sizes])
        self._references, columns = self._always.columns[0], self._always.columns[1:]
        self._leading, self._levels = columns[: len(_LEADING_SIZES)], columns[len(_LEADING_SIZES) :]
        self._differences = Tables([_prior_of_differences(int(half)) for half in _OTHER_HALF])
        self._history = np.empty((0, len(_OTHERS)), dtype=np.int64)  # newest first

    def write(self, writer: SymbolWriter, rows: IntArray, deltas: IntArray) -> None:
        """Add levels of gain and fields, ``rows [E, 1 + VECTOR_SIZE]``, and samples ``deltas [E]``."""
        leading = _leading_symbols(rows, deltas)
        levels = rows[:, 1 + _OTHERS]
        references = self._choose_references(levels)
        referring = references > 0
        differences = levels[referring] - self._history[references[referring] - 1]
        writer.put(references, self._references)
        for column, counts in enumerate(self._leading):
            writer.put(leading[:, column], counts)
        for column, half in enumerate(_OTHER_HALF):
            writer.put(levels[~referring, column] + half, self._levels[column])
            writer.put(differences[:, column] + 2 * half, self._differences.columns[column])
        put_lower_bits(writer, deltas, leading[:, 0])
        self._learn(references, leading, levels)

    def read(self, reader: SymbolReader, count: int) -> tuple[IntArray, IntArray]:
        """``rows [count, 1 + VECTOR_SIZE]`` and ``deltas [count]`` as they were written.

        Raises:
            StruckError: they are not what :meth:`write` makes.
        """
        references = reader.get(self._references, count)
        if np.any(references > len(self._history)):
            raise StruckError("an event packet is damaged")
        referring = references > 0
        referring_count = int(referring.sum())
        leading = np.stack([reader.get(counts, count) for counts in self._leading], axis=1)
        levels = np.empty((count, len(_OTHERS)), dtype=np.int64)
        for column, half in enumerate(_OTHER_HALF):
            levels[~referring, column] = reader.get(self._levels[column], count - referring_count) - half
            differences = reader.get(self._differences.columns[column], referring_count) - 2 * half
            levels[referring, column] = self._history[references[referring] - 1, column] + differences
        deltas = get_lower_bits(reader, leading[:, 0])

        rows = np.empty((count, 1 + VECTOR_SIZE), dtype=np.int64)
        rows[:, 0] = leading[:, 1]
        rows[:, 1 + _PITCH] = _pitch_levels(leading)
        rows[:, 1 + _OTHERS] = levels
        if np.any(np.abs(rows[:, 1:]) > LEVEL_HALF):
            raise StruckError("an event packet is damaged")
        self._learn(references, leading, levels)
        return rows, deltas

    def _learn(self, references: IntArray, leading: IntArray, levels: IntArray) -> None:
        """Take in one packet: references ``[E]``, leading symbols ``[E, 4]``, other levels ``[E, 31]``."""
        self._always.count(np.hstack([references[:, None], leading, levels + _OTHER_HALF]))
        referring = references > 0
        if np.any(referring):
            differences = levels[referring] - self._history[references[referring] - 1]
            self._differences.count(differences + 2 * _OTHER_HALF)
        self._history = np.concatenate([levels[::-1], self._history])[:HISTORY]

    def _choose_references(self, levels: IntArray) -> IntArray:
        """For every event, the reference 1..``HISTORY`` that makes it cheapest, or 0 for none, ``[E]``."""
        bits = np.zeros((len(levels), 1 + len(self._history)))
        for column, counts in enumerate(self._levels):
            bits[:, 0] += information_bits(counts)[levels[:, column] + _OTHER_HALF[column]]
        for column, counts in enumerate(self._differences.columns):
            difference = levels[:, column, None] - self._history[None, :, column]
            bits[:, 1:] += information_bits(counts)[difference + 2 * _OTHER_HALF[column]]
        return np.argmin(bits + information_bits(self._references)[: bits.shape[1]], axis=1)


def _prior_of_differences(half: int) -> IntArray:
    # Peaked, for a reference is only chosen where it is near; width about an eighth of the range.
    width = max(1, half // 8)
    distance = np.abs(np.arange(-2 * half, 2 * half + 1))
    return 1 + 96 * width**2 // (width**2 + distance**2)


def _semitone_level(semitone: IntArray) -> IntArray:
    """Pitch level counted from the lowest, nearest to a whole semitone."""
    return (semitone * _PITCH_TOP + _SEMITONES // 2) // _SEMITONES


def _leading_symbols(rows: IntArray, deltas: IntArray) -> IntArray:
    """Leading symbols ``[E, 4]`` of ``rows [E, 1 + VECTOR_SIZE]``."""
    pitch = rows[:, 1 + _PITCH] + LEVEL_HALF[_PITCH]
    semitone = (pitch * _SEMITONES + _PITCH_TOP // 2) // _PITCH_TOP
    fine = pitch - _semitone_level(semitone) + _FINE_HALF
    return np.stack([bit_lengths(deltas), rows[:, 0], semitone, fine], axis=1)


def _pitch_levels(leading: IntArray) -> IntArray:
    """Levels ``[E]`` of the pitch that leading symbols ``[E, 4]`` say."""
    return _semitone_level(leading[:, 2]) + leading[:, 3] - _FINE_HALF - LEVEL_HALF[_PITCH]
