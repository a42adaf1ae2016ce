"""OSC time tags, which count by the wall clock, to and from the monotonic clock that the host lives by."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

#: The tag that means "at once".
IMMEDIATELY: Final = 1

#: From the epoch of NTP (1900) to that of the wall clock (1970).
_NTP_EPOCH_SECONDS: Final = 2_208_988_800
_UNITS_PER_SECOND: Final = 2**32
_ERA: Final = 2**64

#: The two clocks are read within this of each other, or read again.
_CLOSE_SECONDS: Final = 20e-6
_READINGS: Final = 4


class TimeTags:
    """Converts time tags; one instance per thread.

    The distance between the clocks is measured at every use, so a wall clock that is stepped or slewed (as
    by NTP) is followed at once, and only tags made before a step and used after it are off by it. As long as
    a new measurement agrees with the last one within its own uncertainty, the last one stays: being
    preempted between two readings does not make events jitter.

    Args:
        monotonic: ``time.perf_counter``, or a fake.
        wall: ``time.time``, or a fake.
    """

    def __init__(
        self, monotonic: Callable[[], float] = time.perf_counter, wall: Callable[[], float] = time.time
    ) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._offset_seconds, _ = self._measure()

    def from_monotonic(self, monotonic_seconds: float) -> int:
        """Time tag (64 bits) of a reading of the monotonic clock."""
        tag = self._to_units(monotonic_seconds + self._follow()) % _ERA
        return tag if tag > IMMEDIATELY else IMMEDIATELY + 1

    def to_monotonic(self, tag: int) -> float:
        """Reading of the monotonic clock at which ``tag`` falls; now for :data:`IMMEDIATELY`.

        Tags have no era: the one within 68 years of now is meant.
        """
        now_seconds = self._monotonic()
        if tag == IMMEDIATELY:
            return now_seconds
        distance = (tag - self._to_units(now_seconds + self._follow())) % _ERA
        if distance >= _ERA // 2:
            distance -= _ERA
        return now_seconds + distance / _UNITS_PER_SECOND

    @staticmethod
    def _to_units(wall_seconds: float) -> int:
        return round((wall_seconds + _NTP_EPOCH_SECONDS) * _UNITS_PER_SECOND)

    def _follow(self) -> float:
        offset_seconds, uncertainty_seconds = self._measure()
        if abs(offset_seconds - self._offset_seconds) > uncertainty_seconds:
            self._offset_seconds = offset_seconds
        return self._offset_seconds

    def _measure(self) -> tuple[float, float]:
        """Wall clock minus monotonic clock, and how far off that may be; the closest of a few readings."""
        best = (0.0, float("inf"))
        for _ in range(_READINGS):
            before = self._monotonic()
            wall = self._wall()
            after = self._monotonic()
            # A float of today's wall clock is good to a quarter of a microsecond, which is the floor.
            spread = max(after - before, 1e-6)
            if spread < best[1]:
                best = (wall - 0.5 * (before + after), spread)
            if spread <= _CLOSE_SECONDS:
                break
        return best
