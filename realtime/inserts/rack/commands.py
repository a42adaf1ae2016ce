"""What the host writes to a rack's command ring."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import monotonic, sleep
from typing import Final

import numpy as np

from ...engine.rings import RecordRing, push_row
from ...engine.shared_memory import FIRST
from ..instruments.note_rows import Send

#: A process that makes no room within this hangs.
_PATIENT_SECONDS: Final = 10.0


class CommandSender:
    """Appends rows; from any thread.

    Args:
        ring: of the shared memory.
        waits: whether it waits for room: from file to file the process makes some; on a stage a row that
            finds none is lost.
    """

    def __init__(self, ring: RecordRing, waits: Callable[[], bool]) -> None:
        self._ring, self._waits = ring, waits
        self._row = np.zeros(ring.rows.shape[1])
        self._lock = Lock()

    def push(self, kind: float, number: int, *values: float, at_sample: int = 0, event_id: int = 0) -> bool:
        """Append a row for insert ``number``, see :mod:`struck.realtime.engine.shared_memory`; False where it
        is lost, which the ring counts."""
        with self._lock:
            row = self._row
            row[:] = 0.0
            row[:FIRST] = kind, at_sample, number, event_id
            row[FIRST : FIRST + len(values)] = values
            end = monotonic() + _PATIENT_SECONDS
            while not push_row(self._ring, row):
                if not self._waits() or monotonic() > end:
                    return False
                sleep(0.001)
        return True

    def note_sender(self, number: int) -> Send:
        """What sends rows about notes to an insert."""

        def send(kind: float, at_sample: int, event_id: int, *values: float) -> bool:
            return self.push(kind, number, *values, at_sample=at_sample, event_id=event_id)

        return send
