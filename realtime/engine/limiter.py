"""The limiter before the output: no lookahead, so it costs no latency.

The envelope follows the larger of all channels: up at once, kept for 10 ms so that it does not follow the
waveform of anything above 50 Hz, then down by 20 dB in 150 ms. While it stays below the ceiling, samples
pass unchanged, bit for bit. A new ceiling is approached sample by sample.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import float32, float64, njit, void

from ...codec.playing.kernel_options import INNER
from .rings import KERNEL

_HOLD_SECONDS: Final = 0.010
_RELEASE_SECONDS: Final = 0.150
#: The ceiling reaches a new value within a hair in about four times this.
_SMOOTHING_SECONDS: Final = 0.005
#: Below this an envelope is silence: it must not decay into denormal numbers, which are slow.
_SILENCE: Final = 1e-20

# places in the limiter's state
ENVELOPE, HELD, HOLD_FRAMES, RELEASE_FACTOR, LEAST_GAIN, LIMITED_FRAMES, CEILING, SMOOTHING = range(8)


def make_limiter(rate: int) -> np.ndarray:
    """State of a limiter at rest, float64 ``[8]``; it begins with the first ceiling that it is given."""
    state = np.zeros(8)
    state[HOLD_FRAMES] = round(_HOLD_SECONDS * rate)
    state[RELEASE_FACTOR] = 10.0 ** (-1.0 / (_RELEASE_SECONDS * rate))
    state[LEAST_GAIN] = 1.0
    state[SMOOTHING] = 1.0 - np.exp(-1.0 / (_SMOOTHING_SECONDS * rate))
    return state


@njit(**INNER)
def _highest_below(ceiling):
    """The largest float32 that is allowed: rounding must not lift a sample over the ceiling."""
    top = np.float32(ceiling)
    return np.nextafter(top, np.float32(0.0)) if top > ceiling else top


@njit(void(float64[::1], float64, float32[:, ::1]), **KERNEL)
def limit(state, target, block):
    """Keep the magnitudes of ``block [F, C]``, which are finite, at or below the ceiling, in place.

    The ceiling moves to ``target``, which is above 0.
    """
    ceiling = state[CEILING] if state[CEILING] > 0.0 else target
    envelope = state[ENVELOPE]
    held = state[HELD]
    hold_frames = state[HOLD_FRAMES]
    factor = state[RELEASE_FACTOR]
    least = 1.0
    limited = 0
    top = _highest_below(ceiling)
    for n in range(block.shape[0]):
        if ceiling != target:
            ceiling += state[SMOOTHING] * (target - ceiling)
            if abs(ceiling - target) < 1e-5:
                ceiling = target
            top = _highest_below(ceiling)
        peak = 0.0
        for c in range(block.shape[1]):
            peak = max(peak, abs(block[n, c]))
        if peak >= envelope:
            envelope = peak
            held = hold_frames
        elif held > 0.0:
            held -= 1.0
        else:
            envelope = max(peak, envelope * factor if envelope > _SILENCE else 0.0)
        if envelope > ceiling:
            gain = ceiling / envelope
            least = min(least, gain)
            limited += 1
            for c in range(block.shape[1]):
                block[n, c] = min(top, max(-top, np.float32(gain * block[n, c])))
    state[ENVELOPE] = envelope
    state[HELD] = held
    state[CEILING] = ceiling
    state[LEAST_GAIN] = least
    state[LIMITED_FRAMES] += limited
