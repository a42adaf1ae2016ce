"""Streaming resampling from the stage's rate to the encoder's, with a delay of one to two milliseconds.

A library resampler of good quality holds 38 ms of sound back (soxr HQ, 48 to 22.05 kHz; its LQ holds 20 ms),
half of what the ``tight`` profile may have in all. Here the filter is a Kaiser-windowed sinc of
``2 * ZERO_CROSSINGS`` zero crossings, evaluated at the exact phases of the ratio (Crochiere and Rabiner 1983,
"Multirate Digital Signal Processing", ch. 4): linear phase, so nothing is out of time; 0.6 dB down at
9.9 kHz, and 80 dB down where it would fold below that.
"""

from __future__ import annotations

from math import gcd
from typing import Final

import numpy as np
from numba import float32, int64, njit, void
from numpy.typing import NDArray

from ..events.event_spec import ANALYSIS_RATE
from ..playing.kernel_options import VECTORISED

FloatArray = NDArray[np.float32]

ZERO_CROSSINGS: Final = 24
_KAISER_BETA: Final = 7.857  # 80 dB
#: Half amplitude here, as a share of the lower rate's Nyquist frequency.
_CUTOFF: Final = 0.95


@njit(void(float32[::1], float32[:, ::1], int64, int64, float32[::1]), **VECTORISED)
def _filter(samples, phases, first, step, out):
    """``out[k]`` is the sum of the taps of phase ``p`` over ``samples`` from ``n``, where ``first + k step``
    is ``n`` times the number of phases plus ``p``."""
    count, taps = phases.shape
    place = first
    for k in range(out.shape[0]):
        start = place // count
        phase = phases[place % count]
        total = np.float32(0.0)
        for i in range(taps):
            total += phase[i] * samples[start + i]
        out[k] = total
        place += step


class StreamingResampler:
    """Mono sound at ``rate`` Hz to the analysis rate. The first sample out is the first in.

    Args:
        rate: in Hz, an integer of at least the analysis rate.

    Raises:
        ValueError: the rate is below the analysis rate.
    """

    def __init__(self, rate: int) -> None:
        if rate < ANALYSIS_RATE:
            raise ValueError(f"rate is {rate}; the lowest is {ANALYSIS_RATE} Hz")
        self.rate = rate
        common = gcd(rate, ANALYSIS_RATE)
        self._count = ANALYSIS_RATE // common
        self._step = rate // common
        scale = ANALYSIS_RATE / rate * _CUTOFF if rate > ANALYSIS_RATE else 1.0
        half = int(np.ceil(ZERO_CROSSINGS / scale)) if rate > ANALYSIS_RATE else 1
        #: Input samples after an output sample's time that it needs: the delay.
        self.latency_samples = half
        offset = np.arange(1 - half, half + 1)[None, :] - np.arange(self._count)[:, None] / self._count
        window = np.i0(_KAISER_BETA * np.sqrt(np.maximum(0.0, 1.0 - (offset / half) ** 2)))
        phases = scale * np.sinc(scale * offset) * window / np.i0(_KAISER_BETA)
        phases /= phases.sum(1, keepdims=True)  # so that a constant stays one, whatever the phase
        self._phases = np.ascontiguousarray(phases, dtype=np.float32)
        self._half = half
        self.reset()

    def reset(self) -> None:
        """Forget everything; the next sample is sample 0."""
        self._samples = np.zeros(self._half - 1, np.float32)
        self._place = 0  # of the next output sample, in input samples times the number of phases

    def process(self, samples: FloatArray) -> FloatArray:
        """All output samples that ``samples [N]`` complete; the same however the stream is sliced."""
        self._samples = np.concatenate([self._samples, np.asarray(samples, dtype=np.float32)])
        last = len(self._samples) - self._phases.shape[1]  # where the last whole window begins
        top = (last + 1) * self._count
        out = np.zeros(max(0, -(-(top - self._place) // self._step)), np.float32)
        _filter(self._samples, self._phases, self._place, self._step, out)
        self._place += len(out) * self._step
        passed = min(self._place // self._count, len(self._samples))
        self._samples = self._samples[passed:].copy()
        self._place -= passed * self._count
        return out

    def flush(self) -> FloatArray:
        """The last samples, as if silence followed."""
        return self.process(np.zeros(self._half, np.float32))
