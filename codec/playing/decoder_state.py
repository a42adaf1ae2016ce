"""The decoder's state: all that its kernels read and write, and what several of them do with it."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numba import njit, typeof

from .changes import ChangeState, clear_changes, make_change_state
from .convolver import GRID, RoomState, make_room_state, silence_rooms
from .kernel_options import JOINING
from .shared_noise import NoiseState, make_noise_state
from .voice_records import BUS_COUNT
from .voice_state import ARRIVAL, ONSET, VoiceState, make_voice_state

# places in DecoderState.numbers
POSITION, NEXT_GRID, ACTIVE, PENDING, ORDER, ALLOW_LATE = range(6)
STARTED, STOLEN, LATE, REJECTED, DROPPED, DELAYED = range(6, 12)
START_LIMIT, CELL_STARTS, LOGGED, SILENT_AT = range(12, 16)
_NUMBER_COUNT = 16
NEVER = np.iinfo(np.int64).max
#: Amendments and ends that may wait for their time: 8 MB.
CHANGE_COUNT: Final = 1024

# columns of DecoderState.log, and the outcomes in it
OUTCOME, LOGGED_ID, LOGGED_SAMPLE = range(3)
DID_SOUND, CAME_LATE, WAS_DROPPED, WAS_STOLEN = range(4)


class DecoderState(NamedTuple):
    """Everything the decoder's kernels read and write; V voices, P pending events.

    A pending event waits in a voice's place of its own: what it takes to load one is paid when it arrives,
    and a burst of onsets costs little more than the sound of it.
    """

    voices: VoiceState  # V + P places
    noise: NoiseState
    rooms: RoomState
    changes: ChangeState
    buses: np.ndarray  # float32 [BUS_COUNT, GRID] the segment being mixed
    ahead: np.ndarray  # float32 [BUS_COUNT, 4 GRID] tones rendered ahead, from the start of the grid cell
    active: np.ndarray  # int64 [V] places of the sounding voices, in the order they started
    pending: np.ndarray  # int64 [P] places of the waiting events, a heap: the next to start is the first
    free: np.ndarray  # int64 [V + P] the other places, a stack
    numbers: np.ndarray  # int64 [16] positions, counters, limits
    log: np.ndarray  # int64 [L, 3] what became of events that have an id: outcome, id, stream sample


def make_decoder_state(
    rate: int,
    voice_count: int,
    pending_count: int,
    allow_late: bool,
    starts_per_cell: int | None = None,
    log_size: int = 0,
) -> DecoderState:
    """All arrays of a decoder, allocated and silent.

    Args:
        rate, voice_count, pending_count, allow_late: as for :class:`~struck.codec.playing.decoder.Decoder`.
        starts_per_cell: events that may start in a grid cell, where there is a deadline; None: any number.
        log_size: rows of the log, to be emptied by whoever calls :func:`process_block`; what finds it full
            is not logged.
    """
    numbers = np.zeros(_NUMBER_COUNT, dtype=np.int64)
    numbers[ALLOW_LATE] = allow_late
    numbers[START_LIMIT] = NEVER if starts_per_cell is None else starts_per_cell
    state = DecoderState(
        voices=make_voice_state(voice_count + pending_count),
        noise=make_noise_state(rate),
        rooms=make_room_state(rate),
        changes=make_change_state(CHANGE_COUNT),
        buses=np.zeros((BUS_COUNT, GRID), dtype=np.float32),
        ahead=np.zeros((BUS_COUNT, 4 * GRID), dtype=np.float32),
        active=np.zeros(voice_count, dtype=np.int64),
        pending=np.zeros(pending_count, dtype=np.int64),
        free=np.arange(voice_count + pending_count, dtype=np.int64)[::-1].copy(),
        numbers=numbers,
        log=np.zeros((log_size, 3), dtype=np.int64),
    )
    # np.zeros maps its pages on first use: let that be now, not in the audio thread
    for array in state.voices:
        array.fill(0)
    return state


def clear_state(state: DecoderState) -> None:
    """Back to sample 0: silent, nothing pending, all counters zero."""
    kept = state.numbers[[ALLOW_LATE, START_LIMIT]]
    state.numbers[:] = 0
    state.numbers[[ALLOW_LATE, START_LIMIT]] = kept
    state.free[:] = np.arange(len(state.free))[::-1]
    state.ahead[:] = 0.0
    noise = state.noise
    for array in (noise.power, noise.gain, noise.slope, noise.ramp):
        array[:] = 0
    silence_rooms(state.rooms)
    clear_changes(state.changes)


STATE_TYPE: Final = typeof(make_decoder_state(22_050, 1, 1, True))


@njit(**JOINING)
def comes_before(counts, v, other):
    """Whether the event in place ``v`` starts before that in ``other``: by onset, then by arrival."""
    if counts[v, ONSET] != counts[other, ONSET]:
        return counts[v, ONSET] < counts[other, ONSET]
    return counts[v, ARRIVAL] < counts[other, ARRIVAL]


@njit(**JOINING)
def free_count(free, numbers):
    """Places that no event has."""
    # Small kernels get the arrays they need: of a state, all are handed over one by one, at each call.
    return len(free) - numbers[ACTIVE] - numbers[PENDING]


@njit(**JOINING)
def log_outcome(log, numbers, outcome, event_id, at_sample):
    """Note what became of an event, if it has an id."""
    row = numbers[LOGGED]
    if event_id != 0 and row < len(log):
        log[row, OUTCOME] = outcome
        log[row, LOGGED_ID] = event_id
        log[row, LOGGED_SAMPLE] = at_sample
        numbers[LOGGED] = row + 1
