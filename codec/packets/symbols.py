"""Symbols to words and back: tables of counts that learn, and the range coder that they drive.

The counts are small integers and every sum of them is exact in float64, so that encoder and decoder agree on
any IEEE 754 machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import constriction
import numpy as np
from numpy.typing import NDArray

from ..events.errors import StruckError
from ..events.quantize import IntArray

#: An observed symbol also counts, less, for its neighbours: the fields are smooth quantities, and a few
#: events must already say something about 31 or 63 levels.
SMOOTH: Final = (6, 14, 24, 14, 6)
#: For symbols whose neighbours have nothing to do with them.
SHARP: Final = (0, 0, 24, 0, 0)

_UNIFORM: Final = constriction.stream.model.Uniform()
#: The coder's probabilities have 24 bits; more than this many bits go in two parts.
_PART_BITS: Final = 16


class Tables:
    """Counts of several columns of symbols, side by side in one array so that all learn at once.

    Args:
        priors: what each symbol of each column counts at first.
        kernel: what one observation adds to a symbol's neighbours and itself, five numbers.
    """

    _REACH = 2
    _LIMIT = 16_384

    def __init__(self, priors: Sequence[IntArray], kernel: Sequence[int] = SMOOTH) -> None:
        # Gaps between the columns catch what the kernel spreads beyond their ends.
        lengths = [len(prior) + self._REACH for prior in priors]
        self._kernel = np.array(kernel)
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
        self._count(self._starts + symbols)

    def count_in(self, columns: IntArray, symbols: IntArray) -> None:
        """Take in symbols ``[N]``, each of the column whose number stands in ``columns [N]``."""
        self._count(self._starts[columns] + symbols)

    def _count(self, places: IntArray) -> None:
        seen = np.bincount(places.ravel(), minlength=len(self._counts))
        self._counts += np.convolve(seen, self._kernel)[self._REACH : -self._REACH] * self._is_symbol
        for column in np.flatnonzero(np.add.reduceat(self._counts, self._starts) > self._LIMIT):
            self.columns[column] += 1
            self.columns[column] >>= 1


class SymbolWriter:
    """Packs symbols into words."""

    def __init__(self) -> None:
        self._coder = constriction.stream.queue.RangeEncoder()

    def put(self, symbols: IntArray, counts: IntArray) -> None:
        """Add symbols ``[N]`` of one column."""
        if len(symbols):
            self._coder.encode(symbols.astype(np.int32), _categorical(counts))

    def put_bits(self, values: IntArray, bits: IntArray) -> None:
        """Add values ``[N]``, each of ``bits [N]`` bits (1 to 32) and uniformly distributed."""
        long = bits > _PART_BITS
        for part, sizes in (
            (values[long] >> _PART_BITS, bits[long] - _PART_BITS),
            (values & (1 << _PART_BITS) - 1, np.minimum(bits, _PART_BITS)),
        ):
            if len(part):
                self._coder.encode(part.astype(np.int32), _UNIFORM, (1 << sizes).astype(np.int32))

    def words(self) -> bytes:
        """Everything so far, as uint32, little-endian."""
        return bytes(self._coder.get_compressed().astype("<u4").tobytes())


class SymbolReader:
    """Reads what a :class:`SymbolWriter` has packed, with the same tables in the same order.

    Raises:
        StruckError: ``words`` is cut. Every method: the words are such as no writer makes.
    """

    def __init__(self, words: bytes) -> None:
        if len(words) % 4:
            raise StruckError("an event packet is truncated")
        self._coder = constriction.stream.queue.RangeDecoder(np.frombuffer(words, "<u4").astype(np.uint32))

    def get(self, counts: IntArray, amount: int) -> IntArray:
        """The next ``amount`` symbols of one column."""
        if not amount:
            return np.empty(0, dtype=np.int64)
        try:
            symbols: IntArray = self._coder.decode(_categorical(counts), amount).astype(np.int64)
        except AssertionError as error:  # how constriction reports words that no encoder writes
            raise StruckError("an event packet is damaged") from error
        return symbols

    def get_bits(self, bits: IntArray) -> IntArray:
        """Values ``[N]`` of so many bits each, see :meth:`SymbolWriter.put_bits`."""
        values = np.zeros(len(bits), dtype=np.int64)
        long = bits > _PART_BITS
        values[long] = self._get_parts(bits[long] - _PART_BITS) << _PART_BITS
        return values | self._get_parts(np.minimum(bits, _PART_BITS))

    def _get_parts(self, bits: IntArray) -> IntArray:
        if not len(bits):
            return np.empty(0, dtype=np.int64)
        try:
            values: IntArray = self._coder.decode(_UNIFORM, (1 << bits).astype(np.int32)).astype(np.int64)
        except AssertionError as error:
            raise StruckError("an event packet is damaged") from error
        return values


def bit_lengths(values: IntArray) -> IntArray:
    """Bits of each value >= 0: 0 for 0, 1 for 1, 2 for 2 and 3, 3 for 4 to 7 and so on."""
    return np.array([int(value).bit_length() for value in values.ravel()], dtype=np.int64).reshape(
        values.shape
    )


def put_lower_bits(writer: SymbolWriter, values: IntArray, lengths: IntArray) -> None:
    """Write what a value's bit length leaves open: the bits below its leading one."""
    open_ = lengths > 1
    writer.put_bits(values[open_] - (1 << lengths[open_] - 1), lengths[open_] - 1)


def get_lower_bits(reader: SymbolReader, lengths: IntArray) -> IntArray:
    """Values of these bit lengths, completed by what :func:`put_lower_bits` wrote."""
    values = np.minimum(lengths, 1)
    open_ = lengths > 1
    values[open_] = (1 << lengths[open_] - 1) + reader.get_bits(lengths[open_] - 1)
    return values


def signed_classes(values: IntArray, most_bits: IntArray) -> IntArray:
    """Symbols ``[N]`` in ``0..2 * most_bits [N]`` of signed values ``[N]``: sign and bit length."""
    lengths = bit_lengths(np.abs(values))
    return np.where(values < 0, most_bits - lengths, most_bits + lengths)


def _categorical(counts: IntArray) -> constriction.stream.model.Categorical:
    return constriction.stream.model.Categorical(counts.astype(np.float64), perfect=False)


def information_bits(counts: IntArray) -> NDArray[np.float64]:
    """What each symbol of a column costs in bits."""
    return np.log2(counts.sum() / counts)
