"""The amendments and ends of a packet as symbols, and what the range coder learns of them.

Either is a time and the place of its event in the list of lives. An amendment is also a set of fields,
mostly the same as last time, and how far each goes from where it is: few bits where a sound is followed
step by step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..events.errors import StruckError
from ..events.event_spec import VECTOR_SIZE
from ..events.quantize import GAIN_LEVELS, LEVEL_HALF, IntArray
from .event_section import DELTA_CLASSES
from .heads import MAX_LIVES, MAX_PACKET_EVENTS
from .lives import Life, Lives
from .symbols import (
    SHARP,
    SymbolReader,
    SymbolWriter,
    Tables,
    bit_lengths,
    get_lower_bits,
    put_lower_bits,
    signed_classes,
)

#: Gain and fields, in this order.
COLUMN_COUNT: Final = 1 + VECTOR_SIZE
_LOWEST: Final = np.concatenate([[0], -LEVEL_HALF])
_HIGHEST: Final = np.concatenate([[GAIN_LEVELS - 1], LEVEL_HALF])
#: Bits of the largest difference in each column.
_MOST_BITS: Final = bit_lengths(_HIGHEST - _LOWEST)

#: Places from here on are told in two parts.
_FAR_PLACE: Final = 63
_FAR_BITS: Final = (2 * MAX_LIVES + MAX_PACKET_EVENTS).bit_length()

BoolArray = NDArray[np.bool_]


class _Places:
    """Times and places in the list of lives, common to amendments and ends."""

    def __init__(self) -> None:
        # An event that was just spoken of, or the one that waits longest: no more is known at first.
        self._tables = Tables([np.full(DELTA_CLASSES, 2), 1 + 24 // (1 + np.arange(_FAR_PLACE + 1))], SHARP)

    def write(self, writer: SymbolWriter, deltas: IntArray, places: IntArray) -> None:
        classes, near = bit_lengths(deltas), np.minimum(places, _FAR_PLACE)
        writer.put(classes, self._tables.columns[0])
        writer.put(near, self._tables.columns[1])
        put_lower_bits(writer, deltas, classes)
        far = places[near == _FAR_PLACE] - _FAR_PLACE
        writer.put_bits(far, np.full(len(far), _FAR_BITS))
        self._tables.count(np.stack([classes, near], axis=1))

    def read(self, reader: SymbolReader, count: int) -> tuple[IntArray, IntArray]:
        classes = reader.get(self._tables.columns[0], count)
        near = reader.get(self._tables.columns[1], count)
        deltas, places = get_lower_bits(reader, classes), near.copy()
        far = near == _FAR_PLACE
        places[far] += reader.get_bits(np.full(int(far.sum()), _FAR_BITS))
        self._tables.count(np.stack([classes, near], axis=1))
        return deltas, places


class ChangeModels:
    """Counts of every symbol; they change only after a packet."""

    def __init__(self) -> None:
        self._amended, self._ended = _Places(), _Places()
        self._sets = Tables([np.array([4, 4]), *(np.array([12, 4]) for _ in range(COLUMN_COUNT))], SHARP)
        # Small steps are likelier than large ones.
        sizes = [np.abs(np.arange(-bits, bits + 1)) for bits in _MOST_BITS]
        self._steps = Tables([1 + 24 // (1 + size) for size in sizes], SHARP)
        self._last_set = np.zeros(COLUMN_COUNT, dtype=bool)

    def write_amendments(
        self,
        writer: SymbolWriter,
        lives: Lives,
        amended: Sequence[Life],
        deltas: IntArray,
        values: IntArray,
        sets: BoolArray,
    ) -> None:
        """Add amendments in their order, and apply them.

        Args:
            amended: the event of each, out of ``lives``.
            deltas: samples from the one before, ``[N]``.
            values, sets: levels of gain and fields and which of them are amended, ``[N, 33]``.
        """
        places, likely_sets, before = [], [], []
        for life, row, amends in zip(amended, values, sets, strict=True):
            places.append(lives.place(life))
            lives.touch(life)
            likely_sets.append(self._likely_set(life))
            before.append(life.values)
            life.values = np.where(amends, row, life.values)
            life.last_set = self._last_set = amends
        self._amended.write(writer, deltas, np.array(places))
        same = np.all(np.array(likely_sets) == sets, axis=1)
        writer.put(same.astype(np.int64), self._sets.columns[0])
        for column in range(COLUMN_COUNT):
            writer.put(sets[~same, column].astype(np.int64), self._sets.columns[1 + column])
        differences = values - np.array(before)
        columns = np.nonzero(sets.T)[0]  # all of the gain, all of the first field, and so on
        steps = differences.T[sets.T]
        symbols = signed_classes(steps, _MOST_BITS[columns])
        for column, counts in enumerate(self._steps.columns):
            writer.put(symbols[columns == column], counts)
        put_lower_bits(writer, np.abs(steps), np.abs(symbols - _MOST_BITS[columns]))
        self._learn(same, sets, columns, symbols)

    def read_amendments(
        self, reader: SymbolReader, lives: Lives, count: int
    ) -> tuple[list[Life], IntArray, IntArray, BoolArray]:
        """What :meth:`write_amendments` was given, applied: events, deltas, values and sets.

        Raises:
            StruckError: they are not what it makes.
        """
        deltas, places = self._amended.read(reader, count)
        same = reader.get(self._sets.columns[0], count) == 1
        sets = np.zeros((count, COLUMN_COUNT), dtype=bool)
        for column in range(COLUMN_COUNT):
            sets[~same, column] = reader.get(self._sets.columns[1 + column], int((~same).sum())) == 1
        amended = []
        for row, place in enumerate(places):
            life = _at(lives, int(place))
            amended.append(life)
            lives.touch(life)
            if same[row]:
                sets[row] = self._likely_set(life)
            life.last_set = self._last_set = sets[row]
        columns = np.nonzero(sets.T)[0]
        amounts = sets.sum(axis=0).tolist()
        tables = zip(self._steps.columns, amounts, strict=True)
        symbols = np.concatenate([reader.get(counts, amount) for counts, amount in tables])
        classes = symbols - _MOST_BITS[columns]
        differences = np.zeros((count, COLUMN_COUNT), dtype=np.int64)
        differences.T[sets.T] = np.sign(classes) * get_lower_bits(reader, np.abs(classes))
        values = np.empty((count, COLUMN_COUNT), dtype=np.int64)
        for row, life in enumerate(amended):
            life.values = life.values + differences[row]
            values[row] = life.values
        if np.any(values < _LOWEST) or np.any(values > _HIGHEST):
            raise StruckError("an event packet is damaged")
        self._learn(same, sets, columns, symbols)
        return amended, deltas, values, sets

    def write_ends(self, writer: SymbolWriter, lives: Lives, ended: Sequence[Life], deltas: IntArray) -> None:
        """Add ends of ``lives`` in their order, ``deltas [N]`` samples after the one before."""
        self._ended.write(writer, deltas, np.array([lives.place(life) for life in ended]))

    def read_ends(self, reader: SymbolReader, lives: Lives, count: int) -> tuple[list[Life], IntArray]:
        """What :meth:`write_ends` was given.

        Raises:
            StruckError: they are not what it makes.
        """
        deltas, places = self._ended.read(reader, count)
        return [_at(lives, int(place)) for place in places], deltas

    def _likely_set(self, life: Life) -> BoolArray:
        return self._last_set if life.last_set is None else life.last_set

    def _learn(self, same: BoolArray, sets: BoolArray, columns: IntArray, symbols: IntArray) -> None:
        new = sets[~same].astype(np.int64)
        self._sets.count_in(np.zeros(len(same), dtype=np.int64), same.astype(np.int64))
        self._sets.count_in(np.tile(np.arange(1, 1 + COLUMN_COUNT), len(new)), new.ravel())
        self._steps.count_in(columns, symbols)


def _at(lives: Lives, place: int) -> Life:
    if place >= len(lives):
        raise StruckError("an event packet is damaged")
    return lives[place]
