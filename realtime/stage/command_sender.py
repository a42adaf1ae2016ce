"""The command ring's single producer: what must not be lost is sent again until there is room."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep
from typing import Final

import numpy as np

from ..engine.commands import COMMAND_SIZE, CONTROL, PANIC, PLAY, RECORD, Head
from ..engine.rings import RecordRing, push_row

#: Of these only the latest per gain counts.
_STATES: Final = (CONTROL,)


class CommandSender:
    """Sends commands to the engine; for one thread at a time, whose lock the stage holds.

    A full ring refuses what begins something: it would come late. All else is *owed*: it is sent before
    anything that follows, as soon as there is room. So a note whose note-off found the ring full does end.

    Args:
        ring: the engine's.
        count: adds to a counter: ``commands_refused``, ``commands_delayed``, and while the stream stands
            still ``events_unplayed``.
    """

    def __init__(self, ring: RecordRing, count: Callable[[str], None]) -> None:
        self._ring, self._count = ring, count
        self._row = np.zeros(COMMAND_SIZE)
        self._owed: dict[tuple[int, ...], Head] = {}
        self._last_kind = -1
        #: The stream stands still: nobody takes commands, and what is played would come all at once later.
        self.paused = False

    def send(self, head: Head, record: np.ndarray | None = None) -> bool:
        """Send what begins something; False, and counted, where it was refused."""
        if self.paused:
            if head.kind == PLAY:
                self._count("events_unplayed")
            return head.kind != PLAY
        if self.settle() and self._push(head, record):
            return True
        self._count("commands_refused")
        return False

    def owe(self, head: Head) -> None:
        """Send what must not be lost: now, or as soon as there is room."""
        if self.paused:
            return
        if head.kind == PANIC:
            if self._last_kind == PANIC and not self._owed:  # nothing has come after the last one
                return
            kept = {key: owed for key, owed in self._owed.items() if owed.kind in _STATES}
            self._owed = {(PANIC,): head, **kept}  # what it silences need not end
        else:
            key = (
                (head.kind, head.key)
                if head.kind in _STATES
                else (head.kind, head.key, head.event_id, head.at_sample)
            )
            self._owed[key] = head
        if not self.settle():
            self._count("commands_delayed")

    def settle(self) -> bool:
        """Send what is owed; whether all is."""
        while self._owed:
            key = next(iter(self._owed))
            if not self._push(self._owed[key]):
                return False
            del self._owed[key]
        return True

    def settle_within(self, seconds: float) -> bool:
        """The same, waiting up to so long for room."""
        end = monotonic() + seconds
        while not self.settle():
            if monotonic() > end:
                return False
            sleep(0.001)
        return True

    def _push(self, head: Head, record: np.ndarray | None = None) -> bool:
        row = self._row
        row[: len(head)] = head
        if record is not None:
            row[RECORD:] = record
        if not push_row(self._ring, row if record is not None else row[:RECORD]):
            return False
        self._last_kind = head.kind
        return True
