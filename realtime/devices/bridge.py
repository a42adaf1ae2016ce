"""Sound from one device's clock to another's: a ring, and a resampler steered by how full it is.

Two devices never run at quite the same rate. The reader estimates how many frames the writer has had at
this very moment, not at its last block: the count alone moves in steps of a block, and with clocks 100 ppm
apart those steps beat with the reader's over half a minute, far too slowly to be smoothed away::

    frames            .-´ |        .-´ the estimate: a line through the steps
                  .-´ ____|    .-´ .-´
              .-´ |        .-´ .-´     the read position: the target below it
          ____|   written  .-´

What is left of the error passes two low passes and a PI controller (a delay-locked loop, as in F. Adriaensen,
"Using a DLL to filter time", 2005, but on the fill) whose bandwidth falls from 1 Hz, to settle, to 0.015 Hz:
the jitter of the blocks' arrival, about a millisecond, must move the read position by less than a microsecond
within a second for 60 dB at 1 kHz. So that is reached after half a minute; 30 dB at once.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numba import float32, float64, int64, njit, typeof, void

from ..engine.rings import (
    KERNEL,
    LOST,
    OFFERED,
    READ,
    SampleRing,
    count_readable,
    load_acquire,
    make_sample_ring,
    read_frames,
    store_release,
    write_frames,
)

TAPS: Final = 32
_PHASES: Final = 256
_PIECE: Final = 256  # output frames computed at once
_STAMPS: Final = 16
_FASTEST_HZ: Final = 1.0
_SLOWEST_HZ: Final = 0.015
_SETTLE_SECONDS: Final = 1.0  # the bandwidth is 1 / (1 + age / this) of the fastest
_LOW_PASS_RATIO: Final = 5.0
_DAMPING: Final = 0.8
_LARGEST_CORRECTION: Final = 0.005
_RAMP_FRAMES: Final = 128
# A writer that has been silent for longer is not extrapolated.
_LONGEST_EXTRAPOLATION_SECONDS: Final = 0.1

# places in BridgeState.numbers
(
    RATE_IN, RATIO, TARGET, MARGIN, FRACTION, CORRECTION, INTEGRAL, LOW_A, LOW_B, AGE, GAIN, ERROR,
) = range(12)  # fmt: skip
# places in BridgeState.counts
PLAYING, PLAYED, UNDERRUN_FRAMES, UNDERRUNS, RESYNCS = range(5)
# place in BridgeState.stamp_index, which only the writer writes
STAMPED = 0


class BridgeState(NamedTuple):
    """Everything the bridge's kernels read and write; C channels."""

    ring: SampleRing
    stamps: np.ndarray  # float64 [16, 2] frames offered up to then, seconds
    stamp_index: np.ndarray  # int64 [16]
    table: np.ndarray  # float32 [257, TAPS] the windowed sinc at each fraction
    history: np.ndarray  # float32 [N, C] the frames under the taps, then those of this piece
    last: np.ndarray  # float32 [C] what was played last, to fade from
    numbers: np.ndarray  # float64 [12] the reader's
    counts: np.ndarray  # int64 [5] the reader's


def make_bridge(
    channels: int,
    input_rate: float,
    output_rate: float,
    input_block_frames: int,
    output_block_frames: int,
    jitter_seconds: float = 0.003,
) -> BridgeState:
    """An empty bridge.

    Args:
        channels: 1 or 2.
        input_rate, output_rate: nominal, in Hz, at most a factor 4 apart; the clocks may be 300 ppm off.
        input_block_frames, output_block_frames: the devices' blocks.
        jitter_seconds: how much later than on time a block may come without a gap in the sound.
    """
    ratio = input_rate / output_rate
    if not 0.25 <= ratio <= 4.0:
        raise ValueError(f"the rates {input_rate:g} and {output_rate:g} Hz are more than a factor 4 apart")
    numbers = np.zeros(12)
    numbers[RATE_IN] = input_rate
    numbers[RATIO] = ratio
    capacity = 1 << int(np.ceil(np.log2(input_rate)))
    state = BridgeState(
        ring=make_sample_ring(capacity, channels),
        stamps=np.zeros((_STAMPS, 2)),
        stamp_index=np.zeros(16, dtype=np.int64),
        table=_make_table(min(1.0, 1.0 / ratio)),
        history=np.zeros((TAPS + 5 * _PIECE, channels), dtype=np.float32),
        last=np.zeros(channels, dtype=np.float32),
        numbers=numbers,
        counts=np.zeros(5, dtype=np.int64),
    )
    for array in (state.history, state.table, state.stamps):
        array += 0  # maps the pages now, not in the audio thread
    aim_bridge(state, input_block_frames, output_block_frames, jitter_seconds)
    return state


def aim_bridge(
    state: BridgeState, input_block_frames: int, output_block_frames: int, jitter_seconds: float = 0.003
) -> None:
    """Set the latency, before the streams run: see :func:`make_bridge`."""
    numbers = state.numbers
    numbers[MARGIN] = TAPS + jitter_seconds * numbers[RATE_IN]
    target = input_block_frames + output_block_frames * numbers[RATIO] + numbers[MARGIN]
    longest = len(state.ring.frames) / 4
    if target > longest:
        raise ValueError(f"blocks of {target:g} frames do not fit a bridge of {longest:g}")
    numbers[TARGET] = target


def _make_table(cutoff: float) -> np.ndarray:
    """A Kaiser-windowed sinc at each fraction of a frame, cut off at 0.9 ``cutoff`` of half the rate."""
    offsets = np.arange(TAPS)[None, :] - (TAPS // 2 - 1) - np.arange(_PHASES + 1)[:, None] / _PHASES
    width = 0.9 * cutoff
    window = np.i0(8.0 * np.sqrt(np.clip(1 - (offsets / (TAPS / 2)) ** 2, 0, None))) / np.i0(8.0)
    table = width * np.sinc(width * offsets) * window
    return (table / table.sum(axis=1, keepdims=True)).astype(np.float32)


def latency_seconds(state: BridgeState) -> float:
    """From the end of an input block's arrival to its leaving the reader, as it is aimed at."""
    return float((state.numbers[TARGET] + TAPS // 2) / state.numbers[RATE_IN])


def bridge_stats(state: BridgeState) -> dict[str, int | float]:
    """Counters, flat, with their units."""
    return {
        "bridge_underruns": int(state.counts[UNDERRUNS]),
        "bridge_underrun_frames": int(state.counts[UNDERRUN_FRAMES]),
        "bridge_resyncs": int(state.counts[RESYNCS]),
        "bridge_lost_frames": int(state.ring.index[LOST]),
        "bridge_drift_ppm": round(float(state.numbers[INTEGRAL]) * 1e6, 2),
        "bridge_error_ms": float(state.numbers[ERROR] / state.numbers[RATE_IN] * 1e3),
    }


BRIDGE: Final = typeof(make_bridge(1, 48_000, 48_000, 64, 64))
_RESAMPLER: Final[dict[str, Any]] = {**KERNEL, "fastmath": {"reassoc", "contract"}}


@njit(void(BRIDGE, float32[:, ::1], float64), **KERNEL)
def bridge_write(state, block, now_seconds):
    """``block [F, C]`` has arrived now; what finds no room is lost, counted. The input device's thread."""
    write_frames(state.ring, block)
    number = state.stamp_index[STAMPED]
    place = (number + 1) % _STAMPS
    state.stamps[place, 0] = state.ring.index[OFFERED]
    state.stamps[place, 1] = now_seconds
    store_release(state.stamp_index, STAMPED, number + 1)


@njit(float64(BRIDGE, float64), **KERNEL)
def _estimate_fill(state, now_seconds):
    """Frames between the read position and what the writer should have had by now; -1 before its first."""
    number = load_acquire(state.stamp_index, STAMPED)
    if number == 0:
        return -1.0
    place = number % _STAMPS
    waited = min(now_seconds - state.stamps[place, 1], _LONGEST_EXTRAPOLATION_SECONDS)
    written = state.stamps[place, 0] + waited * state.numbers[RATE_IN]
    return written - state.ring.index[READ] - state.numbers[FRACTION]


@njit(void(BRIDGE, int64), **KERNEL)
def _skip(state, frames):
    """Read and forget; the last TAPS frames become the history."""
    history = state.history
    while frames > 0:
        piece = min(frames, history.shape[0] - TAPS)
        got = read_frames(state.ring, history[TAPS : TAPS + piece])
        for n in range(TAPS):
            for c in range(history.shape[1]):
                history[n, c] = history[n + got, c]
        frames -= piece
        if got < piece:
            return


@njit(void(BRIDGE, float64, float64), **KERNEL)
def _steer(state, error, seconds):
    """One step of the loop: ``error`` frames too many in the ring, ``seconds`` after the last."""
    numbers = state.numbers
    numbers[AGE] += seconds
    bandwidth = max(_SLOWEST_HZ, _FASTEST_HZ / (1.0 + numbers[AGE] / _SETTLE_SECONDS))
    omega = 2.0 * np.pi * bandwidth
    share = 1.0 - np.exp(-omega * _LOW_PASS_RATIO * seconds)
    numbers[LOW_A] += share * (error - numbers[LOW_A])
    numbers[LOW_B] += share * (numbers[LOW_A] - numbers[LOW_B])
    smooth = numbers[LOW_B]
    rate = numbers[RATE_IN]
    numbers[INTEGRAL] += omega * omega * smooth * seconds / rate
    numbers[INTEGRAL] = min(max(numbers[INTEGRAL], -_LARGEST_CORRECTION), _LARGEST_CORRECTION)
    correction = numbers[INTEGRAL] + 2.0 * _DAMPING * omega * smooth / rate
    numbers[CORRECTION] = min(max(correction, -_LARGEST_CORRECTION), _LARGEST_CORRECTION)
    numbers[ERROR] = smooth


@njit(int64(BRIDGE, float32[:, ::1]), **_RESAMPLER)
def _resample(state, out):
    """As much of ``out`` as the ring has frames for; how much."""
    numbers = state.numbers
    history = state.history
    table = state.table
    step = numbers[RATIO] * (1.0 + numbers[CORRECTION])
    fraction = numbers[FRACTION]
    count = out.shape[0]
    needed = int(fraction + count * step)
    have = count_readable(state.ring)
    if needed > have:
        count = max(0, int((have - fraction) / step))
        needed = int(fraction + count * step)
    read_frames(state.ring, history[TAPS : TAPS + needed])
    channels = history.shape[1]
    for n in range(count):
        position = fraction + n * step
        whole = int(position)
        phase = (position - whole) * _PHASES
        row = int(phase)
        part = np.float32(phase - row)
        for c in range(channels):
            low = np.float32(0.0)
            high = np.float32(0.0)
            for tap in range(TAPS):
                sample = history[whole + tap, c]
                low += table[row, tap] * sample
                high += table[row + 1, tap] * sample
            out[n, c] = low + part * (high - low)
    for n in range(TAPS):
        for c in range(channels):
            history[n, c] = history[n + needed, c]
    numbers[FRACTION] = fraction + count * step - needed
    return count


@njit(void(BRIDGE, float32[:, ::1], int64), **KERNEL)
def _ramp(state, out, done):
    """Fade in the first ``done`` frames after silence; let the rest decay from the last sample."""
    numbers = state.numbers
    channels = out.shape[1]
    gain = numbers[GAIN]
    step = 1.0 / _RAMP_FRAMES
    for n in range(done):
        if gain < 1.0:
            gain = min(1.0, gain + step)
            for c in range(channels):
                out[n, c] *= np.float32(gain)
    if done > 0:
        for c in range(channels):
            state.last[c] = out[done - 1, c]
    for n in range(done, out.shape[0]):
        gain = 0.0
        for c in range(channels):
            state.last[c] *= np.float32(0.95)
            out[n, c] = state.last[c]
    if state.counts[PLAYED] != 0:
        state.counts[UNDERRUN_FRAMES] += out.shape[0] - done
    numbers[GAIN] = gain


@njit(void(BRIDGE, float32[:, ::1], float64), **KERNEL)
def bridge_read(state, out, now_seconds):
    """Fill ``out [F, C]`` for the output device's clock. The output device's thread.

    Zeros before the first sound and in a gap, whose edges are ramped. A gap, or a read position far from its
    target, begins anew at the target.
    """
    numbers = state.numbers
    counts = state.counts
    frames = out.shape[0]
    fill = _estimate_fill(state, now_seconds)
    if counts[PLAYING] == 0:
        have = count_readable(state.ring)
        # The estimate may run ahead of the ring by a block that is not here yet.
        if fill >= numbers[TARGET] and have >= frames * numbers[RATIO] + 1:
            surplus = int(fill - numbers[TARGET])
            _skip(state, min(surplus, have))
            fill -= min(surplus, have)
            numbers[AGE] = 0.0
            numbers[LOW_A] = 0.0
            numbers[LOW_B] = 0.0
            counts[PLAYING] = 1
            counts[PLAYED] = 1
    done = 0
    if counts[PLAYING] != 0:
        error = fill - numbers[TARGET]
        _steer(state, error, frames * numbers[RATIO] / numbers[RATE_IN])
        while done < frames:
            piece = min(_PIECE, frames - done)
            got = _resample(state, out[done : done + piece])
            done += got
            if got < piece:
                break
        if done < frames:
            counts[PLAYING] = 0
            counts[UNDERRUNS] += 1
        elif abs(numbers[LOW_B]) > numbers[MARGIN] + numbers[TARGET] or fill > state.ring.frames.shape[0] / 2:
            counts[PLAYING] = 0
            counts[RESYNCS] += 1
    _ramp(state, out, done)
