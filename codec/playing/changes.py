"""Compiled waiting list of amendments and ends: a bounded pool, a row per voice, first come first served.

::

    voice 3:  FIRST_CHANGE ─► place 7 (amend at 4800) ─► place 2 (amend at 9600) ─► place 9 (end at 9600)

A change waits for its own time and for those that came before it: one with an earlier time than the one
before it acts together with that one. So each amendment's record may contain all that was said before.

An end that comes when its event has faded by itself asks for nothing and is no fault: whoever sends it cannot
know to the sample, and an amendment may have made its release shorter than it has lasted by now.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numba import njit

from .amending import slide_voice
from .kernel_options import JOINING
from .voice_records import CHUNK, RECORD_SIZE
from .voice_state import CHUNK_NUMBER, EVENT_ID, FIRST_CHANGE, LAST_CHANGE, NO_CHANGE, NO_ID, ONSET
from .voices import release_voice

#: Voices that may be amended in one grid cell; what comes beyond waits for the next.
AMENDED_PER_CELL: Final = 32

#: Of the events that were over last so many are known, a power of two.
_OVER_COUNT: Final = 256

# columns of ChangeState.rows
AT, NEXT, ENDS = range(3)
# places in ChangeState.numbers: the first free place, amendments of this cell, then counters; the last counts
# events that are over
FREE, IN_CELL, AMENDED, ENDED, UNKNOWN, SPILLED, DROPPED, OVER = range(8)


class ChangeState(NamedTuple):
    """Amendments and ends that wait; C places."""

    records: np.ndarray  # float64 [C, RECORD_SIZE] what amendments make of their events
    rows: np.ndarray  # int64 [C, 3] stream sample, next place of the same voice, 1 for an end
    numbers: np.ndarray  # int64 [8] free list and counters
    over: np.ndarray  # int64 [_OVER_COUNT] names of the events that were over last


def make_change_state(count: int) -> ChangeState:
    """An empty list of ``count`` places."""
    state = ChangeState(
        records=np.zeros((count, RECORD_SIZE)),
        rows=np.zeros((count, 3), dtype=np.int64),
        numbers=np.zeros(8, dtype=np.int64),
        over=np.zeros(_OVER_COUNT, dtype=np.int64),
    )
    state.records.fill(0)  # its pages are mapped now, not in the audio thread
    clear_changes(state)
    return state


def clear_changes(state: ChangeState) -> None:
    """Empty the list and set all counters to zero."""
    state.rows[:, NEXT] = np.arange(1, len(state.rows) + 1)
    state.rows[-1, NEXT] = NO_CHANGE
    state.numbers[:] = 0
    state.over[:] = NO_ID


@njit(**JOINING)
def add_change(changes, counts, v, record, at_sample, ends):
    """Let an amendment by ``record``, or an end, wait for voice ``v``; False if there is no place."""
    place = changes.numbers[FREE]
    if place == NO_CHANGE:
        changes.numbers[DROPPED] += 1
        return False
    changes.numbers[FREE] = changes.rows[place, NEXT]
    changes.rows[place, AT] = at_sample
    changes.rows[place, NEXT] = NO_CHANGE
    changes.rows[place, ENDS] = ends
    if ends == 0:
        for i in range(RECORD_SIZE):
            changes.records[place, i] = record[i]
    if counts[v, FIRST_CHANGE] == NO_CHANGE:
        counts[v, FIRST_CHANGE] = place
    else:
        changes.rows[counts[v, LAST_CHANGE], NEXT] = place
    counts[v, LAST_CHANGE] = place
    return True


@njit(**JOINING)
def _take_first(changes, counts, v):
    """Give the first place of voice ``v`` back and return it; it keeps what it holds until one is added."""
    place = counts[v, FIRST_CHANGE]
    counts[v, FIRST_CHANGE] = changes.rows[place, NEXT]
    changes.rows[place, NEXT] = changes.numbers[FREE]
    changes.numbers[FREE] = place
    return place


@njit(**JOINING)
def forget_changes(changes, counts, v):
    """Voice ``v`` is over: amendments that still wait for it are for an event that no longer sounds."""
    while counts[v, FIRST_CHANGE] != NO_CHANGE:
        if changes.rows[_take_first(changes, counts, v), ENDS] == 0:
            changes.numbers[UNKNOWN] += 1
    changes.over[changes.numbers[OVER] & (_OVER_COUNT - 1)] = counts[v, EVENT_ID]
    changes.numbers[OVER] += 1


@njit(**JOINING)
def was_lately_over(changes, event_id):
    """Whether the event was one of the last that were over."""
    found = False
    for i in range(_OVER_COUNT):
        found |= changes.over[i] == event_id
    return found and event_id != NO_ID


@njit(**JOINING)
def apply_changes(changes, voices, v):
    """Amend and end voice ``v`` as is due at its next chunk boundary.

    However many amendments are due, only the last is heard; so each voice costs one at most.
    """
    counts = voices.counts
    numbers = changes.numbers
    number = counts[v, CHUNK_NUMBER]
    boundary = counts[v, ONSET] + number * CHUNK
    amended = NO_CHANGE
    while counts[v, FIRST_CHANGE] != NO_CHANGE:
        place = counts[v, FIRST_CHANGE]
        if changes.rows[place, AT] > boundary:
            break
        if changes.rows[place, ENDS] == 0:
            if amended == NO_CHANGE:
                if numbers[IN_CELL] == AMENDED_PER_CELL:
                    numbers[SPILLED] += 1
                    break
                numbers[IN_CELL] += 1
            amended = place
            numbers[AMENDED] += 1
        else:
            release_voice(voices.scalars, voices.levels, counts, v, number)
            numbers[ENDED] += 1
        _take_first(changes, counts, v)
    if amended != NO_CHANGE:
        slide_voice(voices, v, changes.records[amended])
