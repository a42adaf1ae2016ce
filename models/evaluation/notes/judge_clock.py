"""How long a small network trains: minutes of processor time, whatever else the machine does, or steps."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

_TELL_SECONDS = 20.0
_WARM_STEPS = 50.0


class Clock:
    """Iterates once a step over how far training is, 0..1.

    Args:
        minutes: of this process's processor time.
        limit: steps; counts instead of the minutes where it is given.

    Attributes:
        steps: begun so far.

    >>> list(Clock(1.0, 4))
    [0.0, 0.25, 0.5, 0.75]
    """

    def __init__(self, minutes: float, limit: int | None = None) -> None:
        self._seconds, self._limit = 60.0 * minutes, limit
        self._begin = self._told = time.process_time()
        self.steps = 0

    def __iter__(self) -> Iterator[float]:
        while (progress := self._progress()) < 1.0:
            self.steps += 1
            yield progress

    def is_time_to_tell(self) -> bool:
        """Whether some time has passed since this was last true."""
        if time.process_time() - self._told < _TELL_SECONDS:
            return False
        self._told = time.process_time()
        return True

    def _progress(self) -> float:
        if self._limit is not None:
            return self.steps / self._limit
        return (time.process_time() - self._begin) / self._seconds


def learning_share(steps: int, progress: float) -> float:
    """Share of the peak learning rate: a short rise, then a cosine to 0."""
    return min(1.0, steps / _WARM_STEPS) * 0.5 * (1.0 + math.cos(math.pi * progress))
