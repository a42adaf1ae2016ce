"""How much hearing does at a hop, so that it keeps its time."""

from __future__ import annotations

from typing import Final

from ...codec.hearing.following.follower import MOST_REFITTED, Follower

#: Of the time it is given, a piece may take so much before fewer events are refitted.
_FULL_SHARE: Final = 0.6
#: By so much the events that may be refitted grow after each piece in time: from none to all in seconds.
_GROWTH: Final = 0.02
#: What remains of the longest time that a piece took, from piece to piece.
_REMEMBERED: Final = 0.97
#: Who is so much later than allowed searches for nothing new: it would be heard too late to be of use.
_USELESS_SECONDS: Final = 0.25


class Effort:
    """Lets hearing go without refits before an event is late for them, and without new events before it loses
    time.

    A refit improves what sounds and can wait; an event that is late is heard as late. So where pieces take
    long, fewer events are refitted: half as many at once, more again little by little. Where a piece comes
    late already, as the machine had other things to do, it is not refitted at all.

    Args:
        hearing: does as much as this says.
        compute_seconds: what it may take for a piece.
    """

    def __init__(self, hearing: Follower, compute_seconds: float) -> None:
        self._hearing, self._compute_seconds = hearing, compute_seconds
        self._limit = float(MOST_REFITTED)
        self._longest_seconds = 0.0

    def choose(self, behind_seconds: float) -> None:
        """Before a piece: its first sample came so long ago."""
        late = behind_seconds + self._longest_seconds > self._compute_seconds
        self._hearing.refit_limit = 0 if late else int(self._limit)
        self._hearing.searches = behind_seconds <= self._compute_seconds + _USELESS_SECONDS

    def learn(self, took_seconds: float) -> None:
        """After it: it took so much processor time."""
        self._longest_seconds = max(_REMEMBERED * self._longest_seconds, took_seconds)
        if took_seconds > _FULL_SHARE * self._compute_seconds:
            self._limit /= 2.0
        else:
            self._limit = min(float(MOST_REFITTED), self._limit + _GROWTH)
