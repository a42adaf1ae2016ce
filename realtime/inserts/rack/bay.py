"""The bay: two places for racks in an engine, so that one can take over from the other while both sound."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from time import monotonic, sleep
from typing import Final

from ...engine.exchange import SILENT, SLOT_COUNT, SOUNDING, RacksState, make_rack_state, make_racks_state
from ...engine.shared_memory import make_memory_file, map_memory
from .plan import RackPlan
from .process import COMMAND, RackProcess
from .rack import Rack
from .spares import Spares

#: A rack that must leave is silent after this many seconds, if its callback is called at all.
_LEAVE_SECONDS: Final = 0.5
#: One that has been in time for so long takes over; one that never is, after so long all the same, and that
#: is then told; and without a callback in this time there is nothing to wait for.
_WARM_SECONDS: Final = 0.1
_MOST_WARM_SECONDS: Final = 3.0
_NOBODY_CALLS_SECONDS: Final = 0.1


class RackBay:
    """Holds the memories, the processes and the racks of one engine.

    Args:
        rate: of the engine in Hz.
        slice_frames: the engine's longest slice.
        tell: takes one line for the performer.
        log: file to which plug-ins' chatter is appended; None throws it away.
        patient: from file to file, see :class:`~struck.realtime.inserts.rack.rack.RackPlan`.
        command: starts a process.
    """

    def __init__(
        self,
        rate: int,
        slice_frames: int,
        tell: Callable[[str], None],
        log: Path | None = None,
        patient: bool = False,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self._tell = tell
        self._descriptors = [make_memory_file() for _ in range(SLOT_COUNT)]
        first, second = (make_rack_state(map_memory(descriptor), rate) for descriptor in self._descriptors)
        #: What the engine is made with.
        self.state: RacksState = make_racks_state((first, second), slice_frames)
        self._spares = Spares(lambda: RackProcess(self._descriptors, log, command), keeps=not patient)
        self._racks: list[Rack | None] = [None] * SLOT_COUNT
        self._current: int | None = None
        self._lock = Lock()

    @property
    def rack(self) -> Rack | None:
        """The one that comes in or has come in; None where the sound passes directly."""
        return None if self._current is None else self._racks[self._current]

    def change(self, plan: RackPlan | None, at_once: bool = False) -> None:
        """Load a plan's inserts, let them take over, and let those before ring on; None: no inserts.

        Until they are loaded, and have kept up with the callback for a while, nothing changes, nor if they
        cannot be had. ``at_once``: nobody hears them yet, so there is nothing to keep up with.

        Raises:
            StruckError: the rack cannot be had.
        """
        with self._lock:
            if plan is None or not plan.inserts:
                if self.rack is not None:
                    self.rack.leave()
                self._current = None
                return
            slot = 0 if self._current is None else 1 - self._current
            self._free(slot)
            rack = Rack(plan, self.state.slots[slot], self._descriptors[slot], self._spares, self._tell)
            try:
                rack.start()
            except BaseException:
                rack.close()
                raise
            self._racks[slot] = rack
            if not (at_once or plan.patient):
                _warm_up(rack)
            before = None if self._current is None else self._racks[self._current]
            if before is not None:
                before.leave()
            # should a callback come between, for a block a little passes directly; the other way round both
            # would get more than there is
            rack.slot.come_in()
            self._current = slot

    def _free(self, slot: int) -> None:
        """End what still rings on in a slot, without a click."""
        rack = self._racks[slot]
        if rack is None:
            return
        if not rack.slot.is_silent:
            rack.leave(hurried=True)
            end = monotonic() + _LEAVE_SECONDS
            while not rack.slot.is_silent and monotonic() < end:
                sleep(0.002)
            if not rack.slot.is_silent:  # no callback is called: nobody reads what is set here
                self.state.slots[slot].numbers[SOUNDING] = SILENT
        rack.close()
        self._racks[slot] = None

    def tidy(self) -> None:
        """End the processes of racks that have rung out; to be called now and then."""
        with self._lock:
            for slot, rack in enumerate(self._racks):
                if rack is not None and slot != self._current and rack.slot.is_silent:
                    rack.close()
                    self._racks[slot] = None

    def close(self) -> None:
        """End all processes and let the memory go; the callback must no longer be called."""
        with self._lock:
            for rack in self._racks:
                if rack is not None:
                    rack.close()
            self._racks = [None] * SLOT_COUNT
            self._current = None
        self._spares.close()
        for descriptor in self._descriptors:
            with suppress(OSError):
                os.close(descriptor)
        self._descriptors = []


def _warm_up(rack: Rack) -> None:
    """Wait until a rack keeps up with the callback."""
    rack.slot.warm_up()
    began = monotonic()
    while rack.slot.in_time_seconds < _WARM_SECONDS:
        waited = monotonic() - began
        if waited > (_NOBODY_CALLS_SECONDS if rack.slot.is_silent else _MOST_WARM_SECONDS):
            return
        sleep(0.005)
