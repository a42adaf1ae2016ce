"""Hearing's time: how much is left of a hop's, and what each of its parts takes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

#: What a piece of work took last counts so much of what it is expected to take next, where it took longer
#: than expected and where it did not.
_LONGER_SHARE: Final = 0.2
_SHORTER_SHARE: Final = 0.4
#: So many times as long as expected it took at most: now and then something else has the processor.
_LONGEST: Final = 3.0
#: What is not begun is not measured: by so much less is expected of it, until it is.
_FORGOTTEN_SHARE: Final = 0.05


class Pace:
    """Lets hearing do as much as it can before what it finds is due, and no more.

    Where nothing is due, as from file to file, all is done, and what is heard hangs on no clock.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        #: By the clock; set by whoever has to be in time.
        self.due_seconds = math.inf
        self._took: dict[str, float] = {}

    @contextmanager
    def measure(self, work: str, count: int = 1) -> Iterator[None]:
        """Learn what one of ``count`` pieces of ``work`` takes."""
        began = self.clock()
        yield
        took = (self.clock() - began) / count
        before = self._took.get(work, took)
        took = min(took, _LONGEST * before)
        self._took[work] = before + (_LONGER_SHARE if took > before else _SHORTER_SHARE) * (took - before)

    def seconds(self, work: str) -> float:
        """What a piece of ``work`` takes; 0 where that is not known."""
        return self._took.get(work, 0.0)

    def count(self, work: str, most: int, *then: str) -> int:
        """Of ``most`` pieces of ``work`` as many as can be done in time, with ``then`` to follow."""
        if math.isinf(self.due_seconds):
            return most
        left = self.due_seconds - self.clock() - sum(map(self.seconds, then))
        if left <= 0.0:
            return 0
        took = self.seconds(work)
        if took <= 0.0:
            return most
        if most and left < took:
            self._doubt(work)
        return min(most, int(left / took))

    def may_begin(self, work: str, *then: str, later_seconds: float = 0.0) -> bool:
        """Whether a piece of ``work`` can be done in time, with ``then`` to follow, if all is due so much
        later."""
        left = self.due_seconds + later_seconds - self.clock() - sum(map(self.seconds, then))
        may = left > self.seconds(work)
        if left > 0.0 and not may:
            self._doubt(work)
        return may

    def _doubt(self, work: str) -> None:
        self._took[work] *= 1.0 - _FORGOTTEN_SHARE
