"""A straight line through the arrivals of MIDI clocks: their tempo, and when each was meant to be.

Each arrival is some milliseconds off, the line is not: by least squares over N clocks with errors of standard
deviation s, its end is off by ``2 s / sqrt(N)`` and its slope by ``s sqrt(12 / N^3)`` per clock. ::

    late by    .  .    . .  .  .    .    .  .
    ----------------------------------------------- the line
    late by  .   .  .      .  .    .  .  .     .  . |. . . .       the newest lie beside it: the tempo changed

The more clocks the better, while the tempo stays. So the line goes through up to 192 clocks, two bars, and as
soon as the newest lie beside it through those alone. For 48 clocks with s = 1 ms at 174 bpm the tempo
would be off by 0.2 % one time in a hundred; for 192 it is off by 0.02 %.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Final, NamedTuple

import numpy as np

CLOCKS_PER_BEAT: Final = 24
#: Clocks that the line goes through at most: two bars of four beats.
WINDOW_CLOCKS: Final = 192
#: Slowest and fastest tempo of a clock.
CLOCK_RANGE_BPM: Final = (20.0, 400.0)

#: A change shows in the median of so many clocks: the smaller half may be late for other reasons.
_NEWEST: Final = 9
#: Fewer before those say nothing of what the newest should be.
_LEAST_BEFORE: Final = 8
#: The newest lie beside the line if they are off by so many standard deviations of what is expected.
_DEVIATIONS: Final = 6.0
#: The median of the newest deviates by so much more than their mean would.
_MEDIAN: Final = 1.25
#: The least that arrivals are taken to deviate by; and what is taken until so many have shown by how much. A
#: few say little: those that a sound card hands over once in each of its blocks are off in turn.
_LEAST_SPREAD_SECONDS: Final = 0.0002
_USUAL_SPREAD_SECONDS: Final = 0.001
_CLOCKS_FOR_SPREAD: Final = 48
#: The change is looked for in the newest so many, and the new piece has at least so many.
_LOOK_BACK: Final = 16
_LEAST_PIECE: Final = 5
#: A clock that is off by so many deviations is late by itself and no part of the line.
_OUTLIER: Final = 4.0
#: Arrivals that come in steps are off in turn, by a slow sawtooth: the newest all to one side. Before so many
#: clocks have shown it, by a whole step; later this share of one is more than chance has it.
_ALIASED: Final = 0.25
#: Tempos this close are the same: what jumped is the count, by clocks that were lost or came twice. As close
#: as so many standard deviations of the newer one, and a little; at most so close.
_NEAR: Final = 0.005
_SLOPES: Final = 3.0
_SAME_TEMPO: Final = 0.1
#: What is moved by so near to a whole number of clocks is counted wrong: some were lost, or came twice.
_WHOLE: Final = 0.15
#: So many clocks after a change to another tempo the old one may be there again: this close, and moved.
_RETURNS_AFTER: Final = 12
_RETURNED: Final = 0.005
#: Clocks that are kept for their tempo when their phase begins anew.
_KEPT_ON_RESTART: Final = 48


class ClockLine(NamedTuple):
    """Clock ``number`` was meant to be at ``seconds``, those after it each ``interval_seconds`` later."""

    number: int
    seconds: float
    interval_seconds: float
    spread_seconds: float  # standard deviation of the arrivals

    def seconds_at(self, number: float) -> float:
        return self.seconds + (number - self.number) * self.interval_seconds


class Recount(NamedTuple):
    """Clocks before ``number`` have numbers smaller by ``lost``: so many were lost; negative: came twice."""

    number: int
    lost: int


class ClockFit:
    """The line through the clocks that came; for one thread.

    A clock is counted on from the one before. That one was lost shows in the clocks after it, and then those
    before it are counted anew.

    """

    def __init__(self) -> None:
        #: Arrivals are known to this only: the period of a JACK server, say; 0: exactly.
        self.step_seconds = 0.0
        self._numbers: deque[int] = deque(maxlen=WINDOW_CLOCKS)
        self._seconds: deque[float] = deque(maxlen=WINDOW_CLOCKS)
        self._spread_seconds = _USUAL_SPREAD_SECONDS
        self._left: ClockLine | None = None  # that a change has ended, just now
        #: None until two clocks are there, and where their tempo cannot be.
        self.line: ClockLine | None = None
        #: What the latest clock has shown of those before it.
        self.recount: Recount | None = None

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def last_number(self) -> int:
        """Of the latest clock; -1 before the first."""
        return self._numbers[-1] if self._numbers else -1

    @property
    def last_seconds(self) -> float:
        """Arrival of the latest clock."""
        return self._seconds[-1]

    def add(self, seconds: float, missing: int = 0) -> int:
        """Take in a clock that arrived at ``seconds``, ``missing`` ones after the latest; its number."""
        number = self.last_number + 1 + missing
        self._numbers.append(number)
        self._seconds.append(seconds)
        self.recount = self._look_for_change()
        self._fit()
        return number

    def restart(self, seconds: float) -> None:
        """The clock after the latest is to be at ``seconds``: the phase begins anew, the tempo stays."""
        if self.line is None:
            return
        moved = seconds - self.line.seconds_at(self.last_number + 1)
        first = max(0, len(self) - _KEPT_ON_RESTART)
        numbers = list(islice(self._numbers, first, None))
        self._keep(numbers, [at + moved for at in islice(self._seconds, first, None)])
        self._fit()

    def _fit(self) -> None:
        self.line = None
        if len(self) >= 2:
            numbers, seconds = np.array(self._numbers), np.array(self._seconds)
            line = _fit_line(numbers, seconds)
            inside = np.abs(_beside(line, numbers, seconds)) <= _OUTLIER * line.spread_seconds
            if not inside.all() and inside.sum() >= _LEAST_PIECE:
                line = _fit_line(numbers[inside], seconds[inside])
            low, high = (60.0 / (CLOCKS_PER_BEAT * tempo) for tempo in reversed(CLOCK_RANGE_BPM))
            if low <= line.interval_seconds <= high:
                at = line.seconds_at(self.last_number)
                self.line = line._replace(number=self.last_number, seconds=at)

    def _look_for_change(self) -> Recount | None:
        """Go on from where the newest clocks leave the line, or count them anew."""
        count = len(self)
        back = self._look_for_return()
        if back is not None or count < _LEAST_BEFORE + _NEWEST:
            return back
        numbers, seconds = np.array(self._numbers), np.array(self._seconds)
        before = count - _NEWEST
        line = _fit_line(numbers[:before], seconds[:before])
        off = _beside(line, numbers, seconds)
        distance = numbers[before:].mean() - numbers[:before].mean()
        if before >= _CLOCKS_FOR_SPREAD:
            self._spread_seconds = line.spread_seconds
        spread = max(line.spread_seconds, self._spread_seconds, self.step_seconds / np.sqrt(12.0))
        expected = spread * np.sqrt(1.0 / _NEWEST + 1.0 / before + 12.0 * distance**2 / float(before) ** 3)
        beside = abs(float(np.median(off[before:])))
        aliased = self.step_seconds * (1.0 if before < _CLOCKS_FOR_SPREAD else _ALIASED)
        if beside <= _DEVIATIONS * _MEDIAN * expected + aliased:
            return None
        first = _first_of_change(numbers, seconds, off)
        piece = _fit_line(numbers[first:], seconds[first:])
        number = int(numbers[first])
        moved = (piece.seconds_at(number) - line.seconds_at(number)) / line.interval_seconds
        lost = round(moved)
        # few clocks know their tempo only roughly
        roughly = _SLOPES * spread * np.sqrt(12.0 / float(count - first) ** 3) / line.interval_seconds
        same = abs(piece.interval_seconds / line.interval_seconds - 1.0) < min(_SAME_TEMPO, _NEAR + roughly)
        if same and lost and abs(moved - lost) <= _WHOLE:
            self._keep([int(n) - lost * (n < number) for n in numbers], list(seconds))
            return Recount(number, lost)
        self._keep([int(n) for n in numbers[first:]], list(seconds[first:]))
        self._left = line
        return None

    def _look_for_return(self) -> Recount | None:
        """Whether what looked like another tempo was some clocks too many, and the old one goes on."""
        left, line = self._left, self.line
        if left is None or line is None or len(self) < _RETURNS_AFTER:
            return None
        if len(self) > 2 * _RETURNS_AFTER:
            self._left = None
            return None
        if abs(line.interval_seconds / left.interval_seconds - 1.0) > _RETURNED:
            return None
        moved = (line.seconds - left.seconds_at(line.number)) / left.interval_seconds
        self._left = None
        if round(moved) == 0 or abs(moved - round(moved)) > _WHOLE:
            return None
        return Recount(int(self._numbers[0]), round(moved))

    def _keep(self, numbers: list[int], seconds: list[float]) -> None:
        self._numbers = deque(numbers, WINDOW_CLOCKS)
        self._seconds = deque(seconds, WINDOW_CLOCKS)


def _fit_line(numbers: np.ndarray, seconds: np.ndarray) -> ClockLine:
    """Least squares; the spread is from the median deviation, which a few late clocks do not move."""
    middle, at = numbers.mean(), seconds.mean()
    x = numbers - middle
    slope = float(x @ (seconds - at) / (x @ x))
    off = seconds - at - slope * x
    spread = max(_LEAST_SPREAD_SECONDS, 1.4826 * float(np.median(np.abs(off))))
    last = int(numbers[-1])
    return ClockLine(last, float(at + slope * (last - middle)), slope, spread)


def _beside(line: ClockLine, numbers: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """How much later than the line each clock came, in seconds."""
    return seconds - (line.seconds + (numbers - line.number) * line.interval_seconds)


def _first_of_change(numbers: np.ndarray, seconds: np.ndarray, off: np.ndarray) -> int:
    """Index from which on a line of its own fits best; ``off``: how far each is off the old line."""
    count = len(numbers)
    errors = {}
    for first in range(max(0, count - _LOOK_BACK), count - _LEAST_PIECE + 1):
        piece = _fit_line(numbers[first:], seconds[first:])
        beside = _beside(piece, numbers[first:], seconds[first:])
        errors[first] = float(off[:first] @ off[:first] + beside @ beside)
    return min(errors, key=errors.__getitem__)
