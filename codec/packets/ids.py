"""The ids of a packet's events as symbols: mostly each follows the one before, and costs next to nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from ..events.amendments import ID_COUNT
from ..events.quantize import IntArray
from .symbols import SHARP, SymbolReader, SymbolWriter, Tables, bit_lengths, get_lower_bits, put_lower_bits

_FOLLOWS: Final = 0
_NONE: Final = 1
#: From here on: bit length (1 to 32) of a step ahead, then of a step back.
_AHEAD: Final = 1
_BACK: Final = 33
_SYMBOLS: Final = 66


def id_after(ids: Sequence[int | None], next_id: int | None) -> int | None:
    """The id that follows the last of ``ids``; ``next_id`` where there is none."""
    told = [id for id in ids if id is not None]
    return (told[-1] + 1) % ID_COUNT if told else next_id


def following_ids(next_id: int | None, count: int) -> list[int | None]:
    """``count`` ids from ``next_id`` on, after the last comes 0 again; None each where that is None."""
    return [None if next_id is None else (next_id + i) % ID_COUNT for i in range(count)]


class IdModels:
    """Counts of the symbols; they change only after a packet."""

    def __init__(self) -> None:
        prior = np.ones(_SYMBOLS, dtype=np.int64)
        prior[[_FOLLOWS, _NONE]] = 48, 12
        self._table = Tables([prior], SHARP)

    def write(self, writer: SymbolWriter, ids: Sequence[int | None], next_id: int) -> None:
        """Add ``ids``; ``next_id`` is expected first."""
        symbols, sizes = [], []
        for id in ids:
            if id is None or id == next_id:
                symbols.append(_NONE if id is None else _FOLLOWS)
            else:
                step = (id - next_id + ID_COUNT // 2) % ID_COUNT - ID_COUNT // 2
                symbols.append((_AHEAD if step > 0 else _BACK) + abs(step).bit_length())
                sizes.append(abs(step))
            next_id = next_id if id is None else (id + 1) % ID_COUNT
        rows = np.array(symbols, dtype=np.int64)
        writer.put(rows, self._table.columns[0])
        steps = np.array(sizes, dtype=np.int64)
        put_lower_bits(writer, steps, bit_lengths(steps))
        self._table.count(rows[:, None])

    def read(self, reader: SymbolReader, count: int, next_id: int) -> list[int | None]:
        """``count`` ids that :meth:`write` added."""
        symbols: IntArray = reader.get(self._table.columns[0], count)
        told = symbols[symbols > _NONE]
        back = told > _BACK
        sizes = iter(get_lower_bits(reader, told - np.where(back, _BACK, _AHEAD)) * np.where(back, -1, 1))
        self._table.count(symbols[:, None])
        ids: list[int | None] = []
        for symbol in symbols:
            if symbol == _NONE:
                ids.append(None)
                continue
            id = next_id if symbol == _FOLLOWS else (next_id + int(next(sizes))) % ID_COUNT
            ids.append(id)
            next_id = (id + 1) % ID_COUNT
        return ids
