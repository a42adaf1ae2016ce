"""What a decoder is handed between blocks: events, amendments, ends, and the command to be silent.

They belong to the thread that renders, and like its block function they allocate nothing and raise nothing.
"""

from __future__ import annotations

import numpy as np
from numba import boolean, float64, int64, njit, void

from .changes import UNKNOWN, add_change, forget_changes, was_lately_over
from .convolver import silence_rooms
from .decoder_state import (
    ACTIVE,
    ALLOW_LATE,
    DROPPED,
    LATE,
    ORDER,
    PENDING,
    POSITION,
    REJECTED,
    SILENT_AT,
    STATE_TYPE,
    WAS_DROPPED,
    comes_before,
    free_count,
    log_outcome,
)  # fmt: skip
from .kernel_options import BORROWING, JOINING, NOUGHT, ONE
from .voice_state import ARRIVAL, ASKED, EVENT_ID, NO_ID
from .voices import load_voice


@njit(**JOINING)
def _push_pending(pending, count, counts, v):
    """Put ``v`` on the heap of ``count`` places."""
    i = count
    while i > 0:
        parent = (i - 1) // 2
        if not comes_before(counts, v, pending[parent]):
            break
        pending[i] = pending[parent]
        i = parent
    pending[i] = v


@njit(**JOINING)
def _is_finite(record):
    finite = True
    for i in range(len(record)):
        finite = finite and np.isfinite(record[i])
    return finite


@njit(boolean(STATE_TYPE, float64[::1], int64, int64), **BORROWING)
def insert_event(state, record, onset, event_id):
    """Copy a voice record to a place of its own, to start at stream sample ``onset``; False if refused.

    ``event_id`` names the event in the log, and for :func:`amend_voice` and :func:`end_voice` until another
    takes it over; 0 is no name.

    A record with a number that is not finite is refused and counted as rejected, one that finds all
    places taken as dropped. A past onset is counted as late; then the event starts with the next sample,
    or is refused.
    """
    numbers = state.numbers
    asked = onset
    if not _is_finite(record):
        numbers[REJECTED] += 1
        log_outcome(state.log, state.numbers, WAS_DROPPED, event_id, asked)
        return False
    if onset < numbers[POSITION]:
        numbers[LATE] += 1
        if numbers[ALLOW_LATE] == 0:
            log_outcome(state.log, state.numbers, WAS_DROPPED, event_id, asked)
            return False
        onset = numbers[POSITION]
    if numbers[PENDING] == len(state.pending):
        numbers[DROPPED] += 1
        log_outcome(state.log, state.numbers, WAS_DROPPED, event_id, asked)
        return False
    v = state.free[free_count(state.free, state.numbers) - 1]
    load_voice(state.voices, v, record, onset, numbers[ORDER])
    state.voices.counts[v, ASKED] = asked
    state.voices.counts[v, EVENT_ID] = event_id
    _push_pending(state.pending, numbers[PENDING], state.voices.counts, v)
    numbers[ORDER] += 1
    numbers[PENDING] += 1
    return True


@njit(**JOINING)
def _find_voice(counts, numbers, active, pending, event_id):
    """Place of the voice of this event, sounding or pending, the one that came last; -1 if there is none."""
    found = -1
    if event_id == NO_ID:
        return found
    for i in range(numbers[ACTIVE] + numbers[PENDING]):
        waiting = i - numbers[ACTIVE]
        v = active[i] if waiting < 0 else pending[waiting]
        if counts[v, EVENT_ID] == event_id and (found < 0 or counts[v, ARRIVAL] > counts[found, ARRIVAL]):
            found = v
    return found


@njit(boolean(STATE_TYPE, float64[::1], int64, int64), **BORROWING)
def amend_voice(state, record, event_id, at_sample):
    """From stream sample ``at_sample`` on, let an event sound as if born with ``record``; False if refused.

    It acts at the event's first chunk boundary from there on that is not rendered yet, after what was said
    before of the same event. A record with a number that is not finite is refused
    and counted as rejected, an event that does not sound as unknown, what finds no place to wait as dropped.
    """
    if not _is_finite(record):
        state.numbers[REJECTED] += 1
        return False
    v = _find_voice(state.voices.counts, state.numbers, state.active, state.pending, event_id)
    if v < 0:
        state.changes.numbers[UNKNOWN] += 1
        return False
    return add_change(state.changes, state.voices.counts, v, record, at_sample, NOUGHT)


@njit(boolean(STATE_TYPE, int64, int64), **BORROWING)
def end_voice(state, event_id, at_sample):
    """Let an event go into its release at stream sample ``at_sample``; False if refused, see
    :func:`amend_voice`. Of several ends the first counts; one of an event that has just faded by itself is
    refused, but not counted as unknown."""
    v = _find_voice(state.voices.counts, state.numbers, state.active, state.pending, event_id)
    if v < 0:
        if not was_lately_over(state.changes, event_id):
            state.changes.numbers[UNKNOWN] += 1
        return False
    return add_change(state.changes, state.voices.counts, v, state.changes.records[0], at_sample, ONE)


@njit(void(STATE_TYPE), **BORROWING)
def drop_voices(state):
    """Drop all voices, sounding or pending, and the sound of the rooms: silence from the next sample on."""
    numbers = state.numbers
    counts = state.voices.counts
    for i in range(numbers[ACTIVE]):
        forget_changes(state.changes, counts, state.active[i])
        state.free[free_count(state.free, state.numbers) + i] = state.active[i]
    numbers[ACTIVE] = 0
    while numbers[PENDING] > 0:
        v = state.pending[numbers[PENDING] - 1]
        log_outcome(state.log, state.numbers, WAS_DROPPED, counts[v, EVENT_ID], numbers[POSITION])
        forget_changes(state.changes, counts, v)
        state.free[free_count(state.free, state.numbers)] = v
        numbers[PENDING] -= 1
    if numbers[SILENT_AT] == numbers[POSITION]:  # nothing has sounded since the last time
        return
    numbers[SILENT_AT] = numbers[POSITION]
    state.ahead[:] = np.float32(0.0)
    noise = state.noise
    noise.power[:] = np.float32(0.0)
    noise.gain[:] = np.float32(0.0)
    noise.slope[:] = np.float32(0.0)
    silence_rooms(state.rooms)
