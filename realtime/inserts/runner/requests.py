"""The commands that a rack's process gets through shared memory, carried out block by block."""

from __future__ import annotations

import numpy as np

from ...engine.rings import RecordRing, pop_row
from ...engine.shared_memory import (
    FIRST,
    INSERT,
    KIND,
    LATE_NOTES,
    PANIC,
    RELEASE,
    SECOND,
    SET_BYPASS,
    SET_PARAMETER,
    SET_WET,
    THIRD,
)
from .insert import Insert


class Requests:
    """Carries out what the ring says.

    Args:
        ring: of the shared memory.
        indices: of the shared memory; notes that came too late are counted there.
        inserts: all of the rack, by number.
    """

    def __init__(self, ring: RecordRing, indices: np.ndarray, inserts: list[Insert]) -> None:
        self._ring, self._indices, self._inserts = ring, indices, inserts
        self._instruments = [insert for insert in inserts if insert.instrument is not None]
        self._row = np.zeros(ring.rows.shape[1])

    def read(self) -> None:
        """Take what the ring has, for the blocks to come."""
        while pop_row(self._ring, self._row):
            self._take(self._row)

    def carry_out(self, start: int, frames: int) -> None:
        """What is due before or within the block of ``frames`` that begins at stream sample ``start``."""
        self.read()
        if not self._instruments:
            return
        for insert in self._instruments:
            insert.play_notes(start, frames)
        self._indices[LATE_NOTES] = sum(insert.late_note_count for insert in self._instruments)

    def _take(self, row: np.ndarray) -> None:
        kind = row[KIND]
        if kind == PANIC:
            for insert in self._instruments:
                insert.panic()
        elif kind == RELEASE:
            for insert in self._instruments:
                insert.release_notes()
        else:
            insert = self._inserts[int(row[INSERT])]
            if kind == SET_WET:
                insert.wet = float(row[FIRST])
            elif kind == SET_BYPASS:
                insert.bypass = row[FIRST] != 0.0
            elif kind == SET_PARAMETER:
                insert.set_parameter(int(row[FIRST]), float(row[SECOND]), ramped=row[THIRD] != 0.0)
            else:
                insert.take_note(row)
