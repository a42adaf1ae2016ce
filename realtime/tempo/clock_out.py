"""The clock that goes out: 24 to a beat of the own tempo."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

from ..stage.closing_thread import ClosingThread
from .clock_fit import CLOCKS_PER_BEAT
from .follower import CLOCK, START, STOP

#: A clock this late is left out: a receiver would take many at once for a faster tempo.
_LATE_SECONDS: Final = 0.1
#: How long the thread waits for beats.
_IDLE_SECONDS: Final = 0.1
#: A start goes out so long before its clock, so that nobody takes the two as one.
_WARNING_SECONDS: Final = 0.002


class Grid(Protocol):
    """Of :class:`~struck.realtime.phrases.beats.Beats` what is needed here."""

    @property
    def loop_beats(self) -> int: ...
    @property
    def loop_samples(self) -> int: ...
    @property
    def origin_sample(self) -> int: ...
    def next_bar(self, at_sample: int) -> int: ...


class Output(Protocol):
    """Of :class:`struck.realtime.midi.connections.MidiOutput` what sending needs."""

    @property
    def connections(self) -> int: ...
    def send(self, data: bytes) -> bool: ...


class SendClock(Protocol):
    """Of :class:`~struck.realtime.engine.clock.StreamClock` what sending needs."""

    def position_samples(self) -> int: ...
    def monotonic_at(self, at_sample: int) -> float: ...


class ClockSender:
    """Sends start on a bar, then clocks, from a thread of its own; stop where the beats end.

    Where other beats come, a start says on which of their bars they are counted from. Clocks leave when the
    engine hands their beat to the device.

    Args:
        output: where to; a port that comes back is told with a start.
        clock: of the stream.
        beats: the grid of now; None sends nothing.
        now: seconds that only grow, as ``clock.monotonic_at`` has them.
    """

    def __init__(
        self,
        output: Output,
        clock: SendClock,
        beats: Callable[[], Grid | None],
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        #: Called with ``now()`` and each message, just before it is sent.
        self.on_sent: Callable[[float, bytes], None] = lambda now, message: None
        self._output, self._clock, self._beats, self._now = output, clock, beats, now
        self._grid: Grid | None = None
        self._connections = 0
        self._number = 0  # of the next clock, counted from the grid's beat 0
        self._started = False  # or the next clock wants a start before it
        self._thread = ClosingThread("clock output", self._run)

    def start(self) -> None:
        """Send from now on."""
        self._thread.start()

    def close(self) -> None:
        """Send a stop, and no more."""
        self._thread.close()
        self._end()

    def send_due(self) -> float:
        """Send what is due now; how many seconds until more is. The thread's work; tests call it too."""
        grid = self._beats()
        if grid is None:
            self._end()
            self._grid = None
            return _IDLE_SECONDS
        if grid != self._grid or self._output.connections != self._connections:
            self._grid, self._connections = grid, self._output.connections
            bar = grid.next_bar(self._clock.position_samples() + 1)
            clocks_per_loop = CLOCKS_PER_BEAT * grid.loop_beats
            self._number = round((bar - grid.origin_sample) * clocks_per_loop / grid.loop_samples)
            self._started = False
        while True:
            left = self._clock.monotonic_at(self._sample_of(grid, self._number)) - self._now()
            if not self._started and left <= _WARNING_SECONDS:
                self._send(START)
                self._started = True
            if left > 0.0:
                return min(left if self._started else left - _WARNING_SECONDS, _IDLE_SECONDS)
            if left > -_LATE_SECONDS:
                self._send(CLOCK)
            self._number += 1

    @staticmethod
    def _sample_of(grid: Grid, number: int) -> int:
        return grid.origin_sample + number * grid.loop_samples // (CLOCKS_PER_BEAT * grid.loop_beats)

    def _end(self) -> None:
        if self._started:
            self._send(STOP)
            self._started = False

    def _send(self, status: int) -> None:
        message = bytes((status,))
        self.on_sent(self._now(), message)
        self._output.send(message)

    def _run(self) -> None:
        while not self._thread.closing.wait(max(0.0, self.send_due())):
            pass
