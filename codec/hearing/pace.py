"""Hearing's time: how much is left of a hop's, and what each of its parts takes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

#: What a piece of work took last counts so much of what it is expected to take next.
_LATEST_SHARE: Final = 0.2
#: Rare work is begun where there is time for so much of it.
_BEGUN_SHARE: Final = 1.0 / 3.0


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
        self._took[work] = before + _LATEST_SHARE * (took - before)

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
        return most if took <= 0.0 else min(most, int(left / took))

    def may_begin(self, work: str, *then: str) -> bool:
        """Whether a third of a piece of ``work`` can be done in time, with ``then`` to follow.

        For what is done seldom, takes longer than a hop has and would else never be done: the next hop makes
        up for it.
        """
        took = self.seconds(work)
        left = self.due_seconds - self.clock() - sum(map(self.seconds, then))
        return left > _BEGUN_SHARE * took
