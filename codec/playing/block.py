"""The decoder's block function: everything that runs on the audio thread, over arrays allocated beforehand.

It cuts a block where something begins::

    stream   |0 . . . . . . . |64 . . . . . . . |128 . .      grid of 64: noise gains, rooms
    events         ^onset           ^onset                    voices start exactly there
    segments |-----|----------|-----|-----------|---

Cuts depend on the stream position only, never on the block. At each grid point every voice renders the one
chunk of its own that begins in the cell, added to ``ahead``; the order of all additions is then fixed, and
slicing cannot show.

So the work comes in portions of GRID samples. A host with blocks of 32 frames has all of it in every second
block, which must take no longer than 32 samples last: half as many voices fit. Blocks whose length is a
multiple of 64 carry even loads.

A start costs several times what a sounding voice does, and more where it steals. So only so many start in a
grid cell; the others start with the next cell, in their order, and are counted as late and as delayed. This
too depends on the stream position only.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numba import boolean, float32, float64, int64, njit, typeof, void

from .changes import (
    IN_CELL,
    UNKNOWN,
    ChangeState,
    add_change,
    apply_changes,
    clear_changes,
    forget_changes,
    make_change_state,
    was_lately_over,
)
from .convolver import GRID, RoomState, exchange_room, make_room_state, silence_rooms, step_rooms
from .kernel_options import BORROWING, JOINING, NOUGHT, ONE
from .partials import add_chunk, render_chunk
from .shared_noise import NoiseState, aim_noise, make_noise_state, mix_noise, settle_noise
from .slides import add_sliding_chunk, add_sliding_noise_power, render_sliding_chunk
from .voice_records import BUS_COUNT, CHUNK
from .voice_state import (
    ARRIVAL,
    ASKED,
    CHUNK_NUMBER,
    EVENT_ID,
    FIRST_CHANGE,
    NO_CHANGE,
    NO_ID,
    NOISE_LEVEL,
    NOISE_ON,
    NOISE_SLIDING,
    ONSET,
    SLIDING,
    TONE_LEVEL,
    TONE_ON,
    VoiceState,
    make_voice_state,
)
from .voices import add_noise_power, load_voice

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
    """Everything :func:`process_block` reads and writes; V voices, P pending events.

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


_STATE_TYPE: Final = typeof(make_decoder_state(22_050, 1, 1, True))


@njit(**JOINING)
def _render_voices(voices, chosen, ahead, power, cell, last_gain):
    """Render what the ``chosen`` voices begin in the grid cell at stream sample ``cell``: each its next chunk
    into ``ahead``, and what its noise has at the cell's end into ``power``.

    Levels go from 1 to ``last_gain``, a float: of two truths Numba would compile a kernel each. Returns how
    many voices live on; they keep their order and come first.
    """
    slow, fast, scalars = voices.slow, voices.fast, voices.scalars
    levels, counts, chunk = voices.levels, voices.counts, voices.chunk
    kept = 0
    for i in range(len(chosen)):
        v = chosen[i]
        place = counts[v, ONSET] + counts[v, CHUNK_NUMBER] * CHUNK - cell
        sliding = counts[v, SLIDING] != 0
        heard = sliding
        if sliding:
            render_sliding_chunk(slow, fast, scalars, levels, counts, voices.scratch, chunk, v)
        elif counts[v, TONE_ON] == 0:
            counts[v, CHUNK_NUMBER] += 1  # an amendment may bring its tone back
        else:
            heard = render_chunk(slow, fast, scalars, levels, counts, voices.scratch, chunk, v)
        if heard and last_gain != 1.0:
            for n in range(CHUNK):
                chunk[n] *= np.float32(1.0 - (1.0 - last_gain) * (n / CHUNK))
        if sliding:
            add_sliding_chunk(chunk, voices.bus, voices.bus_from, scalars, counts, v, ahead, place)
        elif heard:
            add_chunk(chunk, voices.bus, v, ahead, place)
        if counts[v, NOISE_SLIDING] != 0:
            add_sliding_noise_power(
                scalars, levels, counts, voices.bus, voices.noise, voices.noise_from, v, power, cell + GRID
            )
        elif counts[v, NOISE_ON] != 0:
            add_noise_power(scalars, levels, counts, voices.bus, voices.noise, v, power, cell + GRID)
        if counts[v, TONE_ON] != 0 or counts[v, NOISE_ON] != 0:
            chosen[i] = chosen[kept]
            chosen[kept] = v
            kept += 1
    return kept


@njit(**JOINING)
def _comes_before(counts, v, other):
    """Whether the event in place ``v`` starts before that in ``other``: by onset, then by arrival."""
    if counts[v, ONSET] != counts[other, ONSET]:
        return counts[v, ONSET] < counts[other, ONSET]
    return counts[v, ARRIVAL] < counts[other, ARRIVAL]


@njit(**JOINING)
def _push_pending(pending, count, counts, v):
    """Put ``v`` on the heap of ``count`` places."""
    i = count
    while i > 0:
        parent = (i - 1) // 2
        if not _comes_before(counts, v, pending[parent]):
            break
        pending[i] = pending[parent]
        i = parent
    pending[i] = v


@njit(**JOINING)
def _pop_pending(pending, count, counts):
    """Take the first off the heap of ``count`` places, which is not empty."""
    first = pending[0]
    last = pending[count - 1]
    i = 0
    while 2 * i + 1 < count - 1:
        child = 2 * i + 1
        if child + 1 < count - 1 and _comes_before(counts, pending[child + 1], pending[child]):
            child += 1
        if not _comes_before(counts, pending[child], last):
            break
        pending[i] = pending[child]
        i = child
    pending[i] = last
    return first


@njit(**JOINING)
def _free_count(free, numbers):
    # Small kernels get the arrays they need: of a state, all are handed over one by one, at each call.
    return len(free) - numbers[ACTIVE] - numbers[PENDING]


@njit(**JOINING)
def _log(log, numbers, outcome, event_id, at_sample):
    """Note what became of an event, if it has an id."""
    row = numbers[LOGGED]
    if event_id != 0 and row < len(log):
        log[row, OUTCOME] = outcome
        log[row, LOGGED_ID] = event_id
        log[row, LOGGED_SAMPLE] = at_sample
        numbers[LOGGED] = row + 1


@njit(**JOINING)
def _steal_quietest(state):
    """Free the quietest voice.

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
    state.voices.counts[v, NOISE_ON] = 0
    state.voices.counts[v, NOISE_SLIDING] = 0
    cell = state.numbers[NEXT_GRID] - GRID
    _render_voices(state.voices, active[quietest : quietest + 1], state.ahead, state.noise.power, cell, 0.0)
    forget_changes(state.changes, state.voices.counts, v)
    for i in range(quietest, count - 1):
        active[i] = active[i + 1]
    state.free[_free_count(state.free, state.numbers)] = v
    state.numbers[ACTIVE] = count - 1
    state.numbers[STOLEN] += 1
    _log(state.log, state.numbers, WAS_STOLEN, state.voices.counts[v, EVENT_ID], state.numbers[POSITION])


@njit(**JOINING)
def _start_due(state, position):
    """Start all pending events that are due, in order of onset, then of arrival; return the next onset."""
    numbers = state.numbers
    voices = state.voices
    cell_end = numbers[NEXT_GRID]
    next_onset = NEVER
    noisy = False
    while numbers[PENDING] > 0:
        onset = voices.counts[state.pending[0], ONSET]
        if onset > position:
            next_onset = onset
            break
        if numbers[CELL_STARTS] >= numbers[START_LIMIT]:
            break  # the rest in the next cell
        if numbers[ACTIVE] == len(state.active):
            _steal_quietest(state)
        v = _pop_pending(state.pending, numbers[PENDING], voices.counts)
        numbers[PENDING] -= 1
        if onset < position:
            voices.counts[v, ONSET] = position
            numbers[DELAYED] += 1
            if onset == voices.counts[v, ASKED]:  # else it was counted when it came
                numbers[LATE] += 1
        state.active[numbers[ACTIVE]] = v
        numbers[ACTIVE] += 1
        numbers[STARTED] += 1
        numbers[CELL_STARTS] += 1
        outcome = CAME_LATE if position > voices.counts[v, ASKED] else DID_SOUND
        _log(state.log, state.numbers, outcome, voices.counts[v, EVENT_ID], position)
        apply_changes(state.changes, voices, v)
        noisy |= voices.counts[v, NOISE_ON] != 0
        started = state.active[numbers[ACTIVE] - 1 : numbers[ACTIVE]]
        _render_voices(voices, started, state.ahead, state.noise.power, cell_end - GRID, 1.0)
    if noisy:
        aim_noise(state.noise, position, cell_end)
    return next_onset


@njit(**JOINING)
def _step_grid(state, position):
    """At each multiple of GRID: render the chunks that begin before the next one, and aim the noise there."""
    voices = state.voices
    numbers = state.numbers
    numbers[NEXT_GRID] = position + GRID
    numbers[CELL_STARTS] = 0
    for bus in range(BUS_COUNT):
        for n in range(3 * GRID):
            state.ahead[bus, n] = state.ahead[bus, n + GRID]
        for n in range(3 * GRID, 4 * GRID):
            state.ahead[bus, n] = np.float32(0.0)
    settle_noise(state.noise, position)
    count = numbers[ACTIVE]
    state.changes.numbers[IN_CELL] = 0
    for i in range(count):
        if voices.counts[state.active[i], FIRST_CHANGE] != NO_CHANGE:
            apply_changes(state.changes, voices, state.active[i])
    kept = _render_voices(voices, state.active[:count], state.ahead, state.noise.power, position, 1.0)
    for i in range(kept, count):
        forget_changes(state.changes, voices.counts, state.active[i])
        state.free[_free_count(state.free, state.numbers)] = state.active[i]
        numbers[ACTIVE] -= 1
    aim_noise(state.noise, position, position + GRID)


@njit(**JOINING)
def _mix_segment(state, position, out):
    """One segment ``out [frames]`` inside a grid cell."""
    frames = len(out)
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


@njit(void(_STATE_TYPE, float32[::1]), **BORROWING)
def process_block(state, out):
    """Render the next ``len(out)`` samples into ``out``: float32, contiguous, any length.

    Allocates nothing, raises nothing, takes no lock; its work is bounded by the voices and the pending
    events.
    """
    numbers = state.numbers
    done = 0
    while done < len(out):
        position = numbers[POSITION]
        if position == numbers[NEXT_GRID]:
            _step_grid(state, position)
        next_onset = _start_due(state, position)
        end = min(position + len(out) - done, numbers[NEXT_GRID], next_onset)
        frames = end - position
        _mix_segment(state, position, out[done : done + frames])
        done += frames
        numbers[POSITION] = end
        if end == numbers[NEXT_GRID]:
            step_rooms(state.rooms, end)


@njit(**JOINING)
def _is_finite(record):
    finite = True
    for i in range(len(record)):
        finite = finite and np.isfinite(record[i])
    return finite


@njit(boolean(_STATE_TYPE, float64[::1], int64, int64), **BORROWING)
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
        _log(state.log, state.numbers, WAS_DROPPED, event_id, asked)
        return False
    if onset < numbers[POSITION]:
        numbers[LATE] += 1
        if numbers[ALLOW_LATE] == 0:
            _log(state.log, state.numbers, WAS_DROPPED, event_id, asked)
            return False
        onset = numbers[POSITION]
    if numbers[PENDING] == len(state.pending):
        numbers[DROPPED] += 1
        _log(state.log, state.numbers, WAS_DROPPED, event_id, asked)
        return False
    v = state.free[_free_count(state.free, state.numbers) - 1]
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


@njit(boolean(_STATE_TYPE, float64[::1], int64, int64), **BORROWING)
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


@njit(boolean(_STATE_TYPE, int64, int64), **BORROWING)
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


@njit(void(_STATE_TYPE), **BORROWING)
def drop_voices(state):
    """Drop all voices, sounding or pending, and the sound of the rooms: silence from the next sample on."""
    numbers = state.numbers
    counts = state.voices.counts
    for i in range(numbers[ACTIVE]):
        forget_changes(state.changes, counts, state.active[i])
        state.free[_free_count(state.free, state.numbers) + i] = state.active[i]
    numbers[ACTIVE] = 0
    while numbers[PENDING] > 0:
        v = state.pending[numbers[PENDING] - 1]
        _log(state.log, state.numbers, WAS_DROPPED, counts[v, EVENT_ID], numbers[POSITION])
        forget_changes(state.changes, counts, v)
        state.free[_free_count(state.free, state.numbers)] = v
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
