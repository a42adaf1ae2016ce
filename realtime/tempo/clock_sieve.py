"""Leaves out clocks that belong to another master who sends to the same input.

Where one clock is steady, each of the next is expected within some deviations of the line. What comes beside
the line is somebody else's, or the clock itself, late, jumped or in another tempo. So from there on clocks
wait until that has shown::

    expected   |    |    |    |        |    |    |    |        |    |    |    |
    came       |  . |    | .  |        |   .    .    .         |  .  .  .  .  .
                unevenly: others'      two did not come:       evenly: another
                are left out           it has jumped           tempo

Once another master is known, of the clocks near an expected one the nearest is taken.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from .clock_fit import ClockFit

#: A line through so many clocks is steady; after a jump nothing waits for so many.
_STEADY_CLOCKS: Final = 96
_AFTER_JUMP_CLOCKS: Final = 48
#: A clock that is off by at most so many deviations is expected; by at least this share of an interval. Where
#: that share would be larger than the most, clocks come too roughly to be told apart.
_DEVIATIONS: Final = 4.0
_LEAST_SHARE: Final = 0.1
_MOST_SHARE: Final = 0.25
#: After so many intervals without an expected clock it does not come.
_FAILED_INTERVALS: Final = 2.5
#: So many that wait tell whether they come evenly: by how much the times between them deviate.
_WAITING_CLOCKS: Final = 8
_EVEN: Final = 0.15
#: For so many clocks after another master was heard, what is his is left out at once.
_OTHERS_CLOCKS: Final = 192


class ClockSieve:
    """Says which clocks are to be followed; for one thread."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, bool]] = []  # clocks, and whether they were expected
        self._expected_seconds = 0.0  # of the latest that was expected
        self._rests_until = self._others_until = 0  # numbers of clocks
        #: Clocks that were left out.
        self.left_out = 0

    def pass_all(self) -> list[float]:
        """Clocks that waited, in order: the song or the clock begins anew, and nothing is expected."""
        waiting, self._waiting = self._waiting, []
        self._expected_seconds = 0.0
        return [seconds for seconds, _ in waiting]

    def sift(self, fit: ClockFit, seconds: float) -> list[float]:
        """The clocks that are to be taken in now, in order; that of ``seconds`` has just come."""
        line, share = fit.line, _share(fit)
        if line is None or share is None or fit.last_number < self._rests_until:
            return [*self.pass_all(), seconds]
        if fit.last_number < self._others_until:
            return self._choose(fit, seconds, share)
        if not self._expected_seconds:
            self._expected_seconds = line.seconds
        place = (seconds - line.seconds) / line.interval_seconds
        passed = (seconds - self._expected_seconds) / line.interval_seconds
        is_expected = abs(place - round(place)) <= share and round(passed) > 0
        if not is_expected and passed > _FAILED_INTERVALS:
            self._rests_until = fit.last_number + _AFTER_JUMP_CLOCKS
            return [*self.pass_all(), seconds]
        if is_expected:
            late = round(passed) - 1  # expected ones that did not come
            self._expected_seconds = seconds
            if 0 < late == len(self._waiting):
                return [*(at for at, _ in self._take_waiting()), seconds]
        if is_expected and not self._waiting:
            return [seconds]
        self._waiting.append((seconds, is_expected))
        return self._decide(fit) if len(self._waiting) >= _WAITING_CLOCKS else []

    def _decide(self, fit: ClockFit) -> list[float]:
        """Take what has waited for one clock in another tempo, or leave out another master's."""
        intervals = np.diff([seconds for seconds, _ in self._waiting])
        if intervals.std() <= _EVEN * intervals.mean():
            self._rests_until = fit.last_number + _AFTER_JUMP_CLOCKS
            return self.pass_all()
        waiting = self._take_waiting()
        own = [seconds for seconds, is_expected in waiting if is_expected]
        self._leave_out(fit, len(waiting) - len(own))
        return own

    def _choose(self, fit: ClockFit, seconds: float, share: float) -> list[float]:
        """Of two masters' clocks those nearest to the first's line: one waits until no nearer can come."""
        line = fit.line
        assert line is not None

        def beside(at: float) -> tuple[int, float]:
            place = (at - line.seconds) / line.interval_seconds
            return round(place), abs(place - round(place))

        number, off = beside(seconds)
        expected = number > 0 and off <= share
        waiting = self.pass_all()
        if waiting and expected and number == beside(waiting[0])[0]:
            nearest = min(waiting[0], seconds, key=lambda at: beside(at)[1])
            self._waiting = [(nearest, True)]
            self._leave_out(fit)
            return []
        if expected:
            self._waiting = [(seconds, True)]
        else:
            self._leave_out(fit)
            if not waiting and number > _FAILED_INTERVALS:  # the first has gone
                self._others_until, self._rests_until = 0, fit.last_number + _AFTER_JUMP_CLOCKS
        return waiting

    def _leave_out(self, fit: ClockFit, count: int = 1) -> None:
        self.left_out += count
        self._others_until = fit.last_number + _OTHERS_CLOCKS

    def _take_waiting(self) -> list[tuple[float, bool]]:
        waiting, self._waiting = self._waiting, []
        return waiting


def _share(fit: ClockFit) -> float | None:
    """By how much of an interval a clock may be off and is expected; None where that cannot be said."""
    line = fit.line
    if line is None or len(fit) < _STEADY_CLOCKS:
        return None
    share = max(_LEAST_SHARE, _DEVIATIONS * line.spread_seconds / line.interval_seconds)
    return share if share <= _MOST_SHARE else None
