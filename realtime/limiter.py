"""The limiter before the output: no lookahead, so it costs no latency.

The envelope follows the larger of all channels: up at once, kept for 10 ms so that it does not follow the
waveform of anything above 50 Hz, then down by 20 dB in 150 ms. While it stays below the ceiling, samples
pass unchanged, bit for bit.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import float32, float64, njit, void

from .rings import KERNEL

_HOLD_SECONDS: Final = 0.010
_RELEASE_SECONDS: Final = 0.150

# places in the limiter's state
ENVELOPE, HELD, HOLD_FRAMES, RELEASE_FACTOR, LEAST_GAIN, LIMITED_FRAMES = range(6)


def make_limiter(rate: int) -> np.ndarray:
    """State of a limiter at rest, float64 ``[6]``."""
    state = np.zeros(6)
    state[HOLD_FRAMES] = round(_HOLD_SECONDS * rate)
    state[RELEASE_FACTOR] = 10.0 ** (-1.0 / (_RELEASE_SECONDS * rate))
    state[LEAST_GAIN] = 1.0
    return state


@njit(void(float64[::1], float64, float32[:, ::1]), **KERNEL)
def limit(state, ceiling, block):
    """Keep the magnitudes of ``block [F, C]``, which are finite, at or below ``ceiling``, in place."""
    envelope = state[ENVELOPE]
    held = state[HELD]
    hold_frames = state[HOLD_FRAMES]
    factor = state[RELEASE_FACTOR]
    least = 1.0
    limited = 0
    # the largest float32 whose magnitude is allowed: rounding must not lift a sample over the ceiling
    top = np.float32(ceiling)
    if top > ceiling:
        top = np.nextafter(top, np.float32(0.0))
    for n in range(block.shape[0]):
        peak = 0.0
        for c in range(block.shape[1]):
            peak = max(peak, abs(block[n, c]))
        if peak >= envelope:
            envelope = peak
            held = hold_frames
        elif held > 0.0:
            held -= 1.0
        else:
            envelope = max(peak, envelope * factor)
        if envelope > ceiling:
            gain = ceiling / envelope
            least = min(least, gain)
            limited += 1
            for c in range(block.shape[1]):
                block[n, c] = min(top, max(-top, np.float32(gain * block[n, c])))
    state[ENVELOPE] = envelope
    state[HELD] = held
    state[LEAST_GAIN] = least
    state[LIMITED_FRAMES] += limited
