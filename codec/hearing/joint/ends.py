"""Events that were told and may still sound: each is ended where its sound stops.

When an event is told, no more than the lookahead is known of how it goes on: rain that is heard for three
seconds may be told to go on for six. Where it has stopped by the next hop, that is told too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..refit.window_events import WindowEvents
from .canvas import Canvas

#: By how much an end must lessen the loss of a window: it takes about a fifth of the bits of an event.
END_PRICE: Final = 0.00006


def cut_at(event: WindowEvents, row: int) -> WindowEvents:
    """One event, left out from ``row`` on."""
    return replace(event, end_rows=np.array([row]))


def find_ends(
    canvas: Canvas, told: WindowEvents, first_row: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which of ``told`` still sound from ``first_row`` on, and where each is better left out.

    Args:
        canvas: holds all of them; they are cut on it where they end.

    Returns:
        Places of the events, and for each the row from which on it is left out; -1 where it goes on.
    """
    ends = np.full(len(told), -1, np.int64)
    sounding: list[int] = []
    # The loudest first: what they leave is what the others are judged by.
    for i in np.argsort(-told.gain_db, kind="stable"):
        one = told.one(i)
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
    places = np.array(sorted(sounding), np.int64)
    return places, ends[places]
