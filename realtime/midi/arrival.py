"""When a MIDI message arrived, although Python read it late."""

from __future__ import annotations

from math import inf
from typing import Final

#: A message this much later than the device says, or earlier, means that the two clocks have lost each other.
_LOST_SECONDS: Final = 0.1
_WINDOW_SECONDS: Final = 5.0


class ArrivalClock:
    """Puts the device's clock and Python's together.

    The device counts the time from message to message exactly; Python reads each message some unknown time
    after it arrived, never before. So ``read - device`` is the distance of the two clocks plus a delay, and
    the least of them over the last 5 to 10 s is the distance with the least delay. A message then
    arrived at ``device + distance``, however late it was read::

        device   |----|--|-------|          the sum of the deltas
        read      |----  ||-------|         late by .1  .9  .2 ... of a block
        arrival  |----|--|-------|          device + least (read - device)

    The window follows clocks that drift apart (50 ppm are half a millisecond in 10 s). Where a driver leaves
    out a delta, or the machine slept, the distance is wrong by more than 0.1 s and starts anew; less, and
    it is right again when the window has passed.
    """

    def __init__(self) -> None:
        self._device_seconds = 0.0
        self._arrival_seconds = -inf
        self._window_start = 0.0
        self._least = self._least_before = inf

    def arrival(self, delta_seconds: float, now_seconds: float, offset_seconds: float = 0.0) -> float:
        """Time of arrival, at most ``now_seconds`` and the offset, and not before that of the message before.

        Args:
            delta_seconds: from the message before, as the device says.
            now_seconds: ``time.perf_counter()`` after reading the message.
            offset_seconds: by which it is meant later than the device's time: JACK hands a period's messages
                over at its beginning.
        """
        if not 0.0 <= delta_seconds < inf:  # a driver's fault; false for NaN too
            delta_seconds = 0.0
        self._device_seconds += delta_seconds
        if self._device_seconds - self._window_start >= _WINDOW_SECONDS:
            self._least_before, self._least = self._least, inf
            self._window_start = self._device_seconds
        distance = now_seconds - self._device_seconds
        if distance - min(self._least_before, self._least) > _LOST_SECONDS:
            self._start_window()
        self._least = min(self._least, distance)
        arrival = self._device_seconds + min(self._least_before, self._least) + offset_seconds
        # a shorter delay than any so far moves the distance, but a note-off stays behind its note-on
        self._arrival_seconds = max(self._arrival_seconds, arrival)
        return self._arrival_seconds

    def _start_window(self) -> None:
        self._window_start = self._device_seconds
        self._least = self._least_before = inf
