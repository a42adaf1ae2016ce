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

import numpy as np
from numba import float32, njit, void

from .changes import IN_CELL, apply_changes, forget_changes
from .convolver import GRID, exchange_room, step_rooms
from .decoder_state import (
    ACTIVE,
    CAME_LATE,
    CELL_STARTS,
    DELAYED,
    DID_SOUND,
    LATE,
    NEVER,
    NEXT_GRID,
    PENDING,
    POSITION,
    START_LIMIT,
    STARTED,
    STATE_TYPE,
    STOLEN,
    WAS_STOLEN,
    comes_before,
    free_count,
    log_outcome,
)  # fmt: skip
from .kernel_options import BORROWING, JOINING
from .partials import add_chunk, render_chunk
from .shared_noise import aim_noise, mix_noise, settle_noise
from .slides import add_sliding_chunk, add_sliding_noise_power, render_sliding_chunk
from .voice_records import BUS_COUNT, CHUNK
from .voice_state import (
    ASKED,
    CHUNK_NUMBER,
    EVENT_ID,
    FIRST_CHANGE,
    NO_CHANGE,
    NOISE_LEVEL,
    NOISE_ON,
    NOISE_SLIDING,
    ONSET,
    SLIDING,
    TONE_LEVEL,
    TONE_ON,
)  # fmt: skip
from .voices import add_noise_power


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
def _pop_pending(pending, count, counts):
    """Take the first off the heap of ``count`` places, which is not empty."""
    first = pending[0]
    last = pending[count - 1]
    i = 0
    while 2 * i + 1 < count - 1:
        child = 2 * i + 1
        if child + 1 < count - 1 and comes_before(counts, pending[child + 1], pending[child]):
            child += 1
        if not comes_before(counts, pending[child], last):
            break
        pending[i] = pending[child]
        i = child
    pending[i] = last
    return first


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
    state.free[free_count(state.free, state.numbers)] = v
    state.numbers[ACTIVE] = count - 1
    state.numbers[STOLEN] += 1
    event_id = state.voices.counts[v, EVENT_ID]
    log_outcome(state.log, state.numbers, WAS_STOLEN, event_id, state.numbers[POSITION])


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
        log_outcome(state.log, state.numbers, outcome, voices.counts[v, EVENT_ID], position)
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
        state.free[free_count(state.free, state.numbers)] = state.active[i]
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


@njit(void(STATE_TYPE, float32[::1]), **BORROWING)
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
