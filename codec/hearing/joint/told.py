"""Events that were told and may still sound: each is ended where its sound stops.

When an event is told, no more than the lookahead is known of how it goes on: rain that is heard for three
seconds may be told to go on for six. Where it has stopped by the next hop, that is told too.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...events.events import Event
from ..refit.window_events import WindowEvents
from .canvas import Canvas

#: By how much an end must lessen the loss of a window: it takes about a fifth of the bits of an event.
END_PRICE: Final = 0.00006


@dataclass(frozen=True)
class Told:
    """E events that were told.

    Args:
        events: the same beside the rows of a window; none has an end row.
        told: each with its id, ``[E]``.
    """

    events: WindowEvents = field(default_factory=WindowEvents.none)
    told: tuple[Event, ...] = ()

    def __len__(self) -> int:
        return len(self.told)

    def moved(self, rows: int) -> Told:
        """The same events beside a window that begins ``rows`` rows later."""
        return Told(self.events.moved(rows), self.told)

    def join(self, other: Told) -> Told:
        """These events and then the other's."""
        return Told(self.events.join(other.events), self.told + other.told)

    def take(self, places: list[int]) -> Told:
        """The events at ``places``."""
        return Told(self.events.take(np.array(places, np.int64)), tuple(self.told[i] for i in places))


def cut_at(event: WindowEvents, row: int) -> WindowEvents:
    """One event, left out from ``row`` on."""
    return replace(event, end_rows=np.array([row]))


def find_ends(canvas: Canvas, told: Told, first_row: int) -> tuple[Told, NDArray[np.int64]]:
    """Those of ``told`` that still sound from ``first_row`` on, and where each is better left out.

    Args:
        canvas: holds all of them; they are cut on it where they end.

    Returns:
        The events, and for each the row from which on it is left out; -1 where it goes on.
    """
    ends = np.full(len(told), -1, np.int64)
    sounding: list[int] = []
    # The loudest first: what they leave is what the others are judged by.
    for i in np.argsort(-told.events.gain_db, kind="stable"):
        one = told.events.one(i)
        worths = canvas.row_worths(one)[first_row:]
        if not worths.any():
            continue
        sounding.append(int(i))
        left = np.cumsum(worths[::-1])[::-1]  # what all rows from each one on are worth
        place = int(np.argmin(left))
        if left[place] < -END_PRICE:
            ends[i] = first_row + place
            canvas.remove(one)
            canvas.add(cut_at(one, int(ends[i])))
    sounding.sort()
    return told.take(sounding), ends[sounding]
