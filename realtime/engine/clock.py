"""Stream time against the wall clock: when a sample is played, and where the stream is now."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Final, Protocol

import numpy as np

from .callback import BLOCKS, CallbackState, read_stamp
from .cycles import CycleClock
from .state import POSITION

#: Callbacks come late by chance but never early, so the earliest of this long a time tells the truth.
_MEMORY_SECONDS: Final = 0.5


class StreamClock(Protocol):
    """Time in samples of the stream; seconds are those of :func:`time.perf_counter`."""

    rate: int
    block_frames: int
    #: From the engine to the ears.
    output_latency_seconds: float

    def position_samples(self) -> int:
        """Where the stream is now; between blocks, where it would be if it moved evenly."""
        ...

    def sample_at(self, monotonic_seconds: float) -> int:
        """Stream position at a moment."""
        ...

    def monotonic_at(self, at_sample: int) -> float:
        """When a sample is handed to the device."""
        ...


class DeviceClock:
    """Time as the device keeps it, from the moments at which its blocks began.

    Call :meth:`observe` some ten times a second. When the stream stops :meth:`hold`, when it goes on
    :meth:`restart`: meanwhile its time stands still.
    """

    def __init__(
        self,
        state: CallbackState,
        cycles: CycleClock,
        rate: int,
        block_frames: int,
        output_latency_seconds: float,
    ) -> None:
        self.rate, self.block_frames = rate, block_frames
        self.output_latency_seconds = output_latency_seconds
        self._numbers = state.engine.numbers
        self._stamps = state.stamps
        self._cycles = cycles
        self._stamp = np.zeros(2)
        self._lock = Lock()
        self._held = False
        self.restart()

    def hold(self) -> None:
        """Stand still where the stream is: no blocks will come."""
        self._held = True

    def restart(self) -> None:
        """Forget what was observed: the stream stood still meanwhile."""
        with self._lock:
            self._held = False
            self._block_count = int(self._stamps[BLOCKS])
            #: (when, stream's beginning): the moment at which sample 0 would have been played. Of two the
            #: later counts for longer, so the earlier stays only if it is less: the first is the least.
            self._beginnings: deque[tuple[float, float]] = deque()

    def observe(self) -> float:
        """Take a look at the latest block; returns the stream's beginning as estimated now."""
        with self._lock:
            blocks = read_stamp(self._stamps, self._stamp)
            now = time.perf_counter()
            if blocks != self._block_count:
                self._block_count = blocks
                beginning = self._cycles.monotonic_at(int(self._stamp[1])) - self._stamp[0] / self.rate
                while self._beginnings and self._beginnings[-1][1] >= beginning:
                    self._beginnings.pop()
                self._beginnings.append((now, beginning))
            while len(self._beginnings) > 1 and self._beginnings[0][0] < now - _MEMORY_SECONDS:
                self._beginnings.popleft()
            return self._beginnings[0][1] if self._beginnings else now

    def position_samples(self) -> int:
        return self.sample_at(time.perf_counter())

    def sample_at(self, monotonic_seconds: float) -> int:
        return max(0, int((monotonic_seconds - self._beginning()) * self.rate))

    def monotonic_at(self, at_sample: int) -> float:
        return self._beginning() + at_sample / self.rate

    def _beginning(self) -> float:
        """When the stream began; while it stands still, as if it went on just now.

        It is never past the block that comes next: where a device lost blocks the stream lags behind the time
        for good, and what was observed before says nothing any more.
        """
        beginning = self.observe()
        now = time.perf_counter()
        if self._held or not self._beginnings:
            return now - float(self._numbers[POSITION]) / self.rate
        return max(beginning, now - (self._stamp[0] + self.block_frames) / self.rate)


class FileClock:
    """Time of a stream that moves as fast as it is computed: now is where the engine is."""

    output_latency_seconds = 0.0

    def __init__(
        self, state: CallbackState, rate: int, block_frames: int, now: Callable[[], float] = time.perf_counter
    ) -> None:
        self.rate, self.block_frames = rate, block_frames
        self._numbers = state.engine.numbers
        self._now = now
        self._began = now()

    def position_samples(self) -> int:
        return int(self._numbers[POSITION])

    def sample_at(self, monotonic_seconds: float) -> int:
        return max(0, self.position_samples() + int((monotonic_seconds - self._now()) * self.rate))

    def monotonic_at(self, at_sample: int) -> float:
        return self._now() + (at_sample - self.position_samples()) / self.rate
