"""The commands that a rack's process gets through shared memory, carried out block by block."""

from __future__ import annotations

import numpy as np

from ...engine.rings import RecordRing, pop_row
from ...engine.shared_memory import (
    AT_SAMPLE,
    FIRST,
    INSERT,
    KIND,
    LATE_NOTES,
    NOTE,
    NOTE_ID,
    PANIC,
    SECOND,
    SET_BYPASS,
    SET_PARAMETER,
    SET_WET,
    THIRD,
)
from .chain import Chain, Insert

_NOTE_ON, _NOTE_OFF = 0x90, 0x80
#: All sound off, all controllers as at first, all notes off: on each of the 16 channels.
_SILENCE = tuple(bytes((0xB0 | channel, number, 0)) for channel in range(16) for number in (120, 121, 123))


class Requests:
    """Carries out what the ring says.

    Args:
        ring: of the shared memory.
        indices: of the shared memory; notes that came too late are counted there.
        inserts: all of the rack, by number.
        chains: lane of each insert, by the insert's number.
    """

    def __init__(
        self, ring: RecordRing, indices: np.ndarray, inserts: list[Insert], chains: list[Chain]
    ) -> None:
        self._ring, self._indices = ring, indices
        self._inserts = inserts
        self._before = [chain.latency_before(number) for number, chain in enumerate(chains)]
        self._row = np.zeros(ring.rows.shape[1])
        # at which frame, for which insert, what, about which note; in order
        self._notes: list[tuple[int, int, bytes, int]] = []
        self._sounding: dict[tuple[int, int, int], int] = {}  # notes by insert, channel and key

    def carry_out(self, start: int, frames: int) -> None:
        """What is due before or within the block of ``frames`` that begins at stream sample ``start``."""
        while pop_row(self._ring, self._row):
            self._take(self._row)
        if self._notes:
            self._play_notes(start, frames)

    def _take(self, row: np.ndarray) -> None:
        kind = row[KIND]
        if kind == PANIC:
            self._notes.clear()
            self._sounding.clear()
            for insert in self._inserts:
                if insert.plugin is not None and insert.plugin.info.takes_notes:
                    for message in _SILENCE:
                        insert.plugin.note(0, message)
            return
        number = int(row[INSERT])
        insert = self._inserts[number]
        if kind == NOTE:
            message = bytes((int(row[FIRST]), int(row[SECOND]), int(row[THIRD])))
            at_sample = int(row[AT_SAMPLE]) + self._before[number]
            self._notes.append((at_sample, number, message, int(row[NOTE_ID])))
            self._notes.sort(key=lambda note: note[0])  # stable: what came first stays first
        elif kind == SET_WET:
            insert.wet = float(row[FIRST])
        elif kind == SET_BYPASS:
            insert.bypass = row[FIRST] != 0.0
        elif kind == SET_PARAMETER and insert.plugin is not None:
            insert.plugin.set(int(row[FIRST]), float(row[SECOND]))

    def _play_notes(self, start: int, frames: int) -> None:
        due = 0
        for at_sample, number, message, note_id in self._notes:
            if at_sample >= start + frames:
                break
            due += 1
            if at_sample < start:
                self._indices[LATE_NOTES] += 1
            if self._is_meant(number, message, note_id):
                plugin = self._inserts[number].plugin
                if plugin is not None:
                    plugin.note(max(0, at_sample - start), message)
        del self._notes[:due]

    def _is_meant(self, number: int, message: bytes, note_id: int) -> bool:
        """Whether a message is to be sent: not a note-off whose key another note has taken."""
        kind, key = message[0] & 0xF0, (number, message[0] & 0x0F, message[1])
        if kind == _NOTE_ON:
            self._sounding[key] = note_id
        elif kind == _NOTE_OFF and note_id:
            return self._sounding.get(key) == note_id
        return True
