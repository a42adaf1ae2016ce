"""The engine behind a C pointer: PortAudio's stream callback, in which no Python object exists.

The callback's user data is the table of a :class:`CallbackState` (:mod:`.address_tables`).

Around the engine the callback keeps time: when each block began (for :mod:`struck.realtime.engine.clock`),
how much of its time a block took, how long after the last one it came, and what the device said was lost.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numba import carray, float32, float64, int64, njit, typeof, void

from ...codec.playing.kernel_options import INNER
from .address_tables import state_reader
from .c_pointers import CONTINUE, STREAM_CALLBACK, as_address, c_callback
from .cycles import read_cycles
from .engine import process_engine
from .rings import KERNEL, RecordRing, load_acquire, make_record_ring, push_row, store_release
from .state import POSITION, SLICE_FRAMES, EngineState, make_engine_state

# places in CallbackState.stamps: a sequence number (odd while the next two change), the first frame of the
# current block and the cycles when it began; then counters, one per bit of PortAudio's status flags
SEQUENCE, STAMP_POSITION, STAMP_CYCLES, BLOCKS, LAST_CYCLES = range(5)
INPUT_UNDERFLOWS, INPUT_OVERFLOWS, OUTPUT_UNDERFLOWS, OUTPUT_OVERFLOWS, PRIMINGS = range(8, 13)
#: Flags that mean lost sound; priming is none.
_LOSSES: Final = 0x1 | 0x2 | 0x4 | 0x8

# rows of CallbackState.histogram: the share of its own time that a block took, and how long after the last it
# came; in steps of HISTOGRAM_STEP of a block, the last one for all above
BUSY, INTERVAL = range(2)
HISTOGRAM_STEP: Final = 0.005
_HISTOGRAM_SIZE: Final = 2_000
#: A block that took, or came after, this many blocks is worth a report. A host that calls for several at once
#: sets the second higher.
_BUSY_ALARM: Final = 1.0
_INTERVAL_ALARM: Final = 2.0

# columns of a report
REPORT_POSITION, REPORT_BUSY, REPORT_INTERVAL, REPORT_FLAGS = range(4)


class CallbackState(NamedTuple):
    """The engine and how it is called."""

    engine: EngineState
    stamps: np.ndarray  # int64 [16]
    histogram: np.ndarray  # int64 [2, 2000]
    worst: np.ndarray  # float64 [2] largest share seen of each
    cycles_per_frame: np.ndarray  # float64 [1]
    interval_alarm: np.ndarray  # float64 [1] blocks between two calls that are worth a report
    reports: RecordRing  # rows of 4 for a thread that explains what was lost
    report: np.ndarray  # float64 [4]
    silence: np.ndarray  # float32 [S, C_in] input of a stream that has none
    sink: np.ndarray  # float32 [S, C_out] output of a stream that has none


def make_callback_state(engine: EngineState, rate: int, cycles_per_second: float) -> CallbackState:
    """State of a callback that has not been called."""
    return CallbackState(
        engine=engine,
        stamps=np.zeros(16, dtype=np.int64),
        histogram=np.zeros((2, _HISTOGRAM_SIZE), dtype=np.int64),
        worst=np.zeros(2),
        cycles_per_frame=np.array([cycles_per_second / rate]),
        interval_alarm=np.array([_INTERVAL_ALARM]),
        reports=make_record_ring(256, 4),
        report=np.zeros(4),
        silence=np.zeros_like(engine.source),
        sink=np.zeros((SLICE_FRAMES, engine.recording.frames.shape[1]), dtype=np.float32),
    )


CALLBACK: Final = typeof(
    make_callback_state(make_engine_state(22_050, ring_seconds=0.0, phrase_seconds=0.0), 22_050, 1.0)
)


@njit(**INNER)
def _note_share(state, row, share):
    state.worst[row] = max(state.worst[row], share)
    place = _HISTOGRAM_SIZE - 1
    if share < place * HISTOGRAM_STEP:  # counters of two cores may differ a little: below zero is zero
        place = max(0, int(share / HISTOGRAM_STEP))
    state.histogram[row, place] += 1


@njit(void(CALLBACK, float32[:, ::1], float32[:, ::1], int64), **KERNEL)
def run_block(state, source, out, flags):
    """One block of the engine, timed; ``flags`` are the driver's, in PortAudio's bits."""
    began = read_cycles()
    stamps = state.stamps
    sequence = stamps[SEQUENCE]
    store_release(stamps, SEQUENCE, sequence + 1)
    store_release(stamps, STAMP_POSITION, state.engine.numbers[POSITION])
    store_release(stamps, STAMP_CYCLES, began)
    store_release(stamps, SEQUENCE, sequence + 2)
    process_engine(state.engine, source, out)
    block_cycles = state.cycles_per_frame[0] * out.shape[0]
    interval = 1.0
    if stamps[BLOCKS] > 0:
        interval = (began - stamps[LAST_CYCLES]) / block_cycles
        _note_share(state, INTERVAL, interval)
    for bit in range(5):
        if flags & (1 << bit):
            stamps[INPUT_UNDERFLOWS + bit] += 1
    busy = (read_cycles() - began) / block_cycles
    _note_share(state, BUSY, busy)
    if flags & _LOSSES != 0 or busy >= _BUSY_ALARM or interval >= state.interval_alarm[0]:
        state.report[REPORT_POSITION] = stamps[STAMP_POSITION]
        state.report[REPORT_BUSY] = busy
        state.report[REPORT_INTERVAL] = interval
        state.report[REPORT_FLAGS] = flags
        push_row(state.reports, state.report)
    stamps[LAST_CYCLES] = began
    store_release(stamps, BLOCKS, stamps[BLOCKS] + 1)


@njit(int64(typeof(np.zeros(1, np.int64)), float64[::1]), **KERNEL)
def read_stamp(stamps, out):
    """Position and cycles of the latest block's beginning to ``out [2]``; how many blocks have run. Any
    thread."""
    while True:
        sequence = load_acquire(stamps, SEQUENCE)
        position = load_acquire(stamps, STAMP_POSITION)
        cycles = load_acquire(stamps, STAMP_CYCLES)
        if sequence % 2 == 0 and load_acquire(stamps, SEQUENCE) == sequence:
            out[0] = position
            out[1] = cycles
            return load_acquire(stamps, BLOCKS)


_state_at = state_reader(CALLBACK)


@c_callback(STREAM_CALLBACK)
def portaudio_callback(source, out, frames, time_info, flags, userdata):
    """What a driver calls, with a :class:`CallbackState`'s address table as its user data. Either buffer may
    be NULL."""
    state = _state_at(userdata)
    count = np.int64(frames)
    inputs = state.silence.shape[1]
    outputs = state.sink.shape[1]
    hears = as_address(source) != 0
    plays = as_address(out) != 0
    if hears and plays:
        sound = carray(source, (count, inputs), np.float32)
        run_block(state, sound, carray(out, (count, outputs), np.float32), np.int64(flags))
    elif hears or plays:
        # what stands in for the missing buffer is one slice long
        done = np.int64(0)
        told = np.int64(flags)
        while done < count:
            end = min(count, done + SLICE_FRAMES)
            if plays:
                played = carray(out, (count, outputs), np.float32)
                run_block(state, state.silence[: end - done], played[done:end], told)
            else:
                sound = carray(source, (count, inputs), np.float32)
                run_block(state, sound[done:end], state.sink[: end - done], told)
            told = np.int64(0)  # what was lost was lost once
            done = end
    return CONTINUE
