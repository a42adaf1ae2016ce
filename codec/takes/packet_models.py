"""What the range coder expects of the next packet's symbols, learned from the packets before.

An event is four leading symbols: class of the onset delta (its bit length), gain, pitch as semitone and
offset from it (so that scales and the tuning of a piece are learned separately). Then the other levels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import constriction
import numpy as np
from numpy.typing import NDArray

from ..events.event_spec import ANALYSIS_RATE, FIELDS, INDEX, VECTOR_SIZE
from ..events.quantize import GAIN_LEVELS, LEVEL_HALF, IntArray

#: A packet spans less than this, so that a killed recording loses no more.
PACKET_SECONDS: Final = 1.0
#: How many recent events an event may refer to.
HISTORY: Final = 63

PITCH: Final = INDEX["pitch"]
OTHERS: Final = np.array([i for i in range(VECTOR_SIZE) if i != PITCH])
OTHER_HALF: Final = LEVEL_HALF[OTHERS]
_SEMITONES: Final = round(FIELDS[PITCH].high - FIELDS[PITCH].low)
_PITCH_TOP: Final = 2 * int(LEVEL_HALF[PITCH])
_FINE_HALF: Final = _PITCH_TOP // (2 * _SEMITONES) + 1
_DELTA_CLASSES: Final = int(PACKET_SECONDS * ANALYSIS_RATE).bit_length() + 1
_LEADING_SIZES: Final = (_DELTA_CLASSES, GAIN_LEVELS, _SEMITONES + 1, 2 * _FINE_HALF + 1)


def _semitone_level(semitone: IntArray) -> IntArray:
    """Pitch level counted from the lowest, nearest to a whole semitone."""
    return (semitone * _PITCH_TOP + _SEMITONES // 2) // _SEMITONES


def leading_symbols(rows: IntArray, deltas: IntArray) -> IntArray:
    """Leading symbols ``[E, 4]`` of quantised rows."""
    pitch = rows[:, 2 + PITCH] + LEVEL_HALF[PITCH]
    semitone = (pitch * _SEMITONES + _PITCH_TOP // 2) // _PITCH_TOP
    fine = pitch - _semitone_level(semitone) + _FINE_HALF
    return np.stack([[int(d).bit_length() for d in deltas], rows[:, 1], semitone, fine], axis=1)


def pitch_levels(leading: IntArray) -> IntArray:
    """Levels ``[E]`` of the pitch that leading symbols ``[E, 4]`` say."""
    return _semitone_level(leading[:, 2]) + leading[:, 3] - _FINE_HALF - LEVEL_HALF[PITCH]


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


class Models:
    """Counts of every symbol, and the levels of recent events; they change only after a packet."""

    _PRIOR = 4

    def __init__(self) -> None:
        sizes = (HISTORY + 1, *_LEADING_SIZES, *(2 * OTHER_HALF + 1))
        self._always = _Tables([np.full(size, self._PRIOR, dtype=np.int64) for size in sizes])
        self.references, columns = self._always.columns[0], self._always.columns[1:]
        self.leading, self.levels = columns[: len(_LEADING_SIZES)], columns[len(_LEADING_SIZES) :]
        self._differences = _Tables([self._prior_of_differences(int(half)) for half in OTHER_HALF])
        self.differences = self._differences.columns
        self.history = np.empty((0, len(OTHERS)), dtype=np.int64)  # newest first

    @staticmethod
    def _prior_of_differences(half: int) -> IntArray:
        # Peaked, for a reference is only chosen where it is near; width about an eighth of the range.
        width = max(1, half // 8)
        distance = np.abs(np.arange(-2 * half, 2 * half + 1))
        return 1 + 96 * width**2 // (width**2 + distance**2)

    def learn(self, references: IntArray, leading: IntArray, levels: IntArray) -> None:
        """Take in one packet: references ``[E]``, leading symbols ``[E, 4]``, other levels ``[E, 31]``."""
        self._always.count(np.hstack([references[:, None], leading, levels + OTHER_HALF]))
        referring = references > 0
        if np.any(referring):
            differences = levels[referring] - self.history[references[referring] - 1]
            self._differences.count(differences + 2 * OTHER_HALF)
        self.history = np.concatenate([levels[::-1], self.history])[:HISTORY]

    def choose_references(self, levels: IntArray) -> IntArray:
        """For every event, the reference 1..``HISTORY`` that makes it cheapest, or 0 for none, ``[E]``."""
        none_bits = sum(
            _bits(counts)[levels[:, column] + OTHER_HALF[column]] for column, counts in enumerate(self.levels)
        )
        bits = np.zeros((len(levels), 1 + len(self.history)))
        bits[:, 0] = none_bits
        for column, counts in enumerate(self.differences):
            difference = levels[:, column, None] - self.history[None, :, column]
            bits[:, 1:] += _bits(counts)[difference + 2 * OTHER_HALF[column]]
        return np.argmin(bits + _bits(self.references)[: bits.shape[1]], axis=1)


def _bits(counts: IntArray) -> NDArray[np.float64]:
    return np.log2(counts.sum() / counts)


def categorical(counts: IntArray) -> constriction.stream.model.Categorical:
    return constriction.stream.model.Categorical(counts.astype(np.float64), perfect=False)
