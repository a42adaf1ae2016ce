"""The decoder's block function: everything that runs on the audio thread, over arrays allocated beforehand.

It cuts a block where something begins::

    stream   |0 . . . . . . . |64 . . . . . . . |128 . .      grid of 64: noise gains, rooms
    events         ^onset           ^onset                    voices start exactly there
    segments |-----|----------|-----|-----------|---

Cuts depend on the stream position only, never on the block. At each grid point every voice renders the one
chunk of its own that begins in the cell, added to ``ahead``; the order of all additions is then fixed, and
slicing cannot show.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numba import boolean, float32, float64, int64, njit, typeof, void

from .convolver import GRID, RoomState, clear_rooms, exchange_room, make_room_state, step_rooms
from .shared_noise import EXACT, NoiseState, aim_noise, make_noise_state, mix_noise, settle_noise
from .voice_records import BUS_COUNT, CHUNK, RECORD_SIZE
from .voices import (
    CHUNK_NUMBER,
    NOISE_LEVEL,
    NOISE_ON,
    ONSET,
    TONE_LEVEL,
    TONE_ON,
    VoiceState,
    add_chunk,
    add_noise_power,
    make_voice_state,
    render_chunk,
    start_voice,
)

# places in DecoderState.numbers
POSITION, NEXT_GRID, ACTIVE, PENDING, ORDER, ALLOW_LATE = range(6)
STARTED, STOLEN, LATE, REJECTED, DROPPED = range(6, 11)
_NUMBER_COUNT = 11
NEVER = np.iinfo(np.int64).max


class DecoderState(NamedTuple):
    """Everything :func:`process_block` reads and writes; V voices, P pending events."""

    voices: VoiceState
    noise: NoiseState
    rooms: RoomState
    buses: np.ndarray  # float32 [BUS_COUNT, GRID] the segment being mixed
    ahead: np.ndarray  # float32 [BUS_COUNT, 4 GRID] tones rendered ahead, from the start of the grid cell
    active: np.ndarray  # int64 [V] sounding voices in the order they started, then the free ones
    pending_onset: np.ndarray  # int64 [P] stream sample, or the largest int64 for a free place
    pending_order: np.ndarray  # int64 [P] order of arrival
    pending_record: np.ndarray  # float64 [P, RECORD_SIZE]
    numbers: np.ndarray  # int64 [11] positions and counters


def make_decoder_state(rate: int, voice_count: int, pending_count: int, allow_late: bool) -> DecoderState:
    """All arrays of a decoder, allocated and silent."""
    numbers = np.zeros(_NUMBER_COUNT, dtype=np.int64)
    numbers[ALLOW_LATE] = allow_late
    state = DecoderState(
        voices=make_voice_state(voice_count),
        noise=make_noise_state(rate),
        rooms=make_room_state(rate),
        buses=np.zeros((BUS_COUNT, GRID), dtype=np.float32),
        ahead=np.zeros((BUS_COUNT, 4 * GRID), dtype=np.float32),
        active=np.arange(voice_count, dtype=np.int64),
        pending_onset=np.full(pending_count, NEVER, dtype=np.int64),
        pending_order=np.zeros(pending_count, dtype=np.int64),
        pending_record=np.zeros((pending_count, RECORD_SIZE)),
        numbers=numbers,
    )
    # np.zeros maps its pages on first use: let that be now, not in the audio thread
    for array in (*state.voices, state.pending_record):
        array.fill(0)
    return state


def clear_state(state: DecoderState) -> None:
    """Back to sample 0: silent, nothing pending, all counters zero."""
    allow_late = state.numbers[ALLOW_LATE]
    state.numbers[:] = 0
    state.numbers[ALLOW_LATE] = allow_late
    state.pending_onset[:] = NEVER
    state.active[:] = np.arange(len(state.active))
    state.ahead[:] = 0.0
    noise = state.noise
    for array in (noise.power, noise.gain, noise.slope, noise.ramp):
        array[:] = 0
    clear_rooms(state.rooms)


_STATE_TYPE: Final = typeof(make_decoder_state(22_050, 1, 1, True))


@njit(**EXACT)
def _render_ahead(voices, v, ahead, cell, fade_out):
    """Render the next chunk of voice ``v`` into ``ahead``, which begins at stream sample ``cell``."""
    place = voices.counts[v, ONSET] + voices.counts[v, CHUNK_NUMBER] * CHUNK - cell
    if render_chunk(
        voices.slow,
        voices.fast,
        voices.scalars,
        voices.levels,
        voices.counts,
        voices.scratch,
        voices.chunk,
        v,
    ):
        if fade_out:
            for n in range(CHUNK):
                voices.chunk[n] *= np.float32(1.0 - n / CHUNK)
        add_chunk(voices.chunk, voices.bus, v, ahead, place)


@njit(**EXACT)
def _steal_quietest(state):
    """Free the quietest voice, moving it behind the active ones.

    Its tone plays to the end of what is rendered and fades out over one more chunk; its noise fades in the
    next grid cell, to which it adds no power.
    """
    levels = state.voices.levels
    active = state.active
    count = state.numbers[ACTIVE]
    quietest = 0
    lowest = np.inf
    for i in range(count):
        level = levels[active[i], TONE_LEVEL] + levels[active[i], NOISE_LEVEL]
        if level < lowest:
            lowest = level
            quietest = i
    v = active[quietest]
    if state.voices.counts[v, TONE_ON] != 0:
        _render_ahead(state.voices, v, state.ahead, state.numbers[NEXT_GRID] - GRID, True)
    for i in range(quietest, count - 1):
        active[i] = active[i + 1]
    active[count - 1] = v
    state.numbers[ACTIVE] = count - 1
    state.numbers[STOLEN] += 1


@njit(**EXACT)
def _start_due(state, position):
    """Start all pending events that are due, in order of onset, then of arrival; return the next onset."""
    numbers = state.numbers
    voices = state.voices
    cell_end = numbers[NEXT_GRID]
    while True:
        first = -1
        onset = NEVER
        order = NEVER
        if numbers[PENDING] > 0:
            for i in range(state.pending_onset.shape[0]):
                at = state.pending_onset[i]
                if at < onset or (at == onset and at != NEVER and state.pending_order[i] < order):
                    first = i
                    onset = at
                    order = state.pending_order[i]
        if onset > position:
            return onset
        if numbers[ACTIVE] == state.active.shape[0]:
            _steal_quietest(state)
        v = state.active[numbers[ACTIVE]]
        numbers[ACTIVE] += 1
        start_voice(voices, v, state.pending_record[first], position)
        state.pending_onset[first] = NEVER
        numbers[PENDING] -= 1
        numbers[STARTED] += 1
        _render_ahead(voices, v, state.ahead, cell_end - GRID, False)
        if voices.counts[v, NOISE_ON] != 0:
            power = state.noise.power
            add_noise_power(
                voices.scalars, voices.levels, voices.counts, voices.bus, voices.noise, v, power, cell_end
            )
            aim_noise(state.noise, position, cell_end)


@njit(**EXACT)
def _render_cell(
    slow, fast, scalars, levels, counts, own_noise, bus, chunk, scratch, active, ahead, power, cell, count
):
    """Render what begins in the grid cell at stream sample ``cell``: the first ``count`` of the ``active``
    voices.

    The arrays are those of the states. Returns how many voices live on; they keep their order.
    """
    kept = 0
    for i in range(count):
        v = active[i]
        if counts[v, TONE_ON] != 0:
            place = counts[v, ONSET] + counts[v, CHUNK_NUMBER] * CHUNK - cell
            if render_chunk(slow, fast, scalars, levels, counts, scratch, chunk, v):
                add_chunk(chunk, bus, v, ahead, place)
        if counts[v, NOISE_ON] != 0:
            add_noise_power(scalars, levels, counts, bus, own_noise, v, power, cell + GRID)
        if counts[v, TONE_ON] != 0 or counts[v, NOISE_ON] != 0:
            active[i] = active[kept]
            active[kept] = v
            kept += 1
    return kept


@njit(**EXACT)
def _step_grid(state, position):
    """At each multiple of GRID: render the chunks that begin before the next one, and aim the noise there."""
    voices = state.voices
    numbers = state.numbers
    numbers[NEXT_GRID] = position + GRID
    for bus in range(BUS_COUNT):
        for n in range(3 * GRID):
            state.ahead[bus, n] = state.ahead[bus, n + GRID]
        for n in range(3 * GRID, 4 * GRID):
            state.ahead[bus, n] = np.float32(0.0)
    settle_noise(state.noise, position)
    numbers[ACTIVE] = _render_cell(
        voices.slow, voices.fast, voices.scalars, voices.levels, voices.counts, voices.noise, voices.bus,
        voices.chunk, voices.scratch, state.active, state.ahead, state.noise.power, position, numbers[ACTIVE],
    )  # fmt: skip
    aim_noise(state.noise, position, position + GRID)


@njit(**EXACT)
def _mix_segment(state, position, out):
    """One segment ``out [frames]`` inside a grid cell."""
    frames = out.shape[0]
    buses = state.buses
    start = position - (state.numbers[NEXT_GRID] - GRID)
    for bus in range(BUS_COUNT):
        for n in range(frames):
            buses[bus, n] = state.ahead[bus, start + n]
    mix_noise(state.noise, position, buses, frames)
    for n in range(frames):
        out[n] = buses[0, n]
    for r in range(BUS_COUNT - 1):
        exchange_room(state.rooms, r, position, buses[1 + r], out, frames)


@njit(void(_STATE_TYPE, float32[::1]), **EXACT)
def process_block(state, out):
    """Render the next ``len(out)`` samples into ``out``: float32, contiguous, any length.

    Allocates nothing, raises nothing, takes no lock; its work is bounded by the voices and the pending
    events.
    """
    numbers = state.numbers
    done = 0
    while done < out.shape[0]:
        position = numbers[POSITION]
        if position == numbers[NEXT_GRID]:
            _step_grid(state, position)
        next_onset = _start_due(state, position)
        end = min(position + out.shape[0] - done, numbers[NEXT_GRID], next_onset)
        frames = end - position
        _mix_segment(state, position, out[done : done + frames])
        done += frames
        numbers[POSITION] = end
        if end == numbers[NEXT_GRID]:
            step_rooms(state.rooms, end)


@njit(boolean(_STATE_TYPE, float64[::1], int64), **EXACT)
def insert_event(state, record, onset):
    """Copy a voice record to the pending table, to start at stream sample ``onset``; False if it was refused.

    A record with a number that is not finite is refused and counted as rejected, one that finds the table
    full as dropped. A past onset is counted as late; then the event starts with the next sample, or is
    refused.
    """
    numbers = state.numbers
    for i in range(record.shape[0]):
        if not np.isfinite(record[i]):
            numbers[REJECTED] += 1
            return False
    if onset < numbers[POSITION]:
        numbers[LATE] += 1
        if numbers[ALLOW_LATE] == 0:
            return False
        onset = numbers[POSITION]
    for i in range(state.pending_onset.shape[0]):
        if state.pending_onset[i] == NEVER:
            state.pending_record[i, :] = record
            state.pending_order[i] = numbers[ORDER]
            state.pending_onset[i] = onset
            numbers[ORDER] += 1
            numbers[PENDING] += 1
            return True
    numbers[DROPPED] += 1
    return False
