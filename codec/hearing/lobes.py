"""Kernels of the encoder's inner loop: lobes into frames, salience of pitches, energy of proposals (numba).

Axes: M mode, T frame, F bin, P pitch, N harmonic.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ..playing.kernel_options import CAN_CACHE
from .spectrum import RAYLEIGH_SHARE, hann_lobe

#: Steps per bin of the tabulated main lobe.
LOBE_STEPS = 256


def make_lobe_table() -> np.ndarray:
    """Hann main lobe at 0, 1/256, ... 2 bins from the peak, float32."""
    return hann_lobe(np.arange(2 * LOBE_STEPS + 2) / LOBE_STEPS).astype(np.float32)


@njit("void(f4[:,::1], f4[:,::1], f4[:,::1], f4, f4[::1])", cache=CAN_CACHE, nogil=True)
def place_lobes(frames, amplitude, frequency_hz, bins_per_hz, table):  # type: ignore[no-untyped-def]
    """Add partials ``amplitude [M, T]`` at ``frequency_hz [M, T]`` into ``frames [T, F]``."""
    modes, count = amplitude.shape
    last = frames.shape[1] - 3
    for m in range(modes):
        for t in range(count):
            a = amplitude[m, t]
            if a < 1e-7:
                continue
            place = frequency_hz[m, t] * bins_per_hz
            first = int(place)
            if first < 1 or first > last:
                continue
            part = place - np.float32(first)
            near = int(part * LOBE_STEPS + np.float32(0.5))
            frames[t, first - 1] += a * table[near + LOBE_STEPS]
            frames[t, first] += a * table[near]
            frames[t, first + 1] += a * table[LOBE_STEPS - near]
            frames[t, first + 2] += a * table[2 * LOBE_STEPS - near]


@njit("UniTuple(f8, 2)(f4[:,::1], f4[:,::1])", cache=CAN_CACHE, nogil=True, fastmath=True)
def correlate(residual, frames):  # type: ignore[no-untyped-def]
    """``<residual, frames>`` and ``<frames, frames>`` over arrays of equal shape ``[T, F]``."""
    cross = np.float64(0.0)
    own = np.float64(0.0)
    for t in range(frames.shape[0]):
        row_cross = np.float32(0.0)
        row_own = np.float32(0.0)
        for f in range(frames.shape[1]):
            p = frames[t, f]
            row_cross += residual[t, f] * p
            row_own += p * p
        cross += row_cross
        own += row_own
    return cross, own


@njit(
    "f8(f4[:,::1], f4[:,::1], f4[:,::1], f4[:,::1], f4[:,::1], f4, f4[::1])",
    cache=CAN_CACHE,
    nogil=True,
    fastmath=True,
)
def removed_energy(observed, power, fourth, tone, noise, factor, worth):  # type: ignore[no-untyped-def]
    """Expected energy that an event takes out, given what is modelled already; all arrays ``[T, F]``.

    See :func:`struck.codec.hearing.spectrum.mean_magnitude` for ``power`` and ``fourth``; the event has
    amplitude ``factor tone`` and noise power ``factor^2 noise``. ``worth [F]``: of energy in each bin.
    """
    share = np.float32(RAYLEIGH_SHARE)
    half = np.float32(0.5)
    square = factor * factor
    removed = np.float64(0.0)
    for t in range(tone.shape[0]):
        row = np.float32(0.0)
        for f in range(tone.shape[1]):
            q = power[t, f]
            r = fourth[t, f]
            own = tone[t, f] * tone[t, f] * square
            added = own + noise[t, f] * square
            before = max(half * (q + np.sqrt(r)), share * q)
            after = max(half * (q + added + np.sqrt(r + own * own)), share * (q + added))
            gained = np.float32(2.0) * observed[t, f] * (np.sqrt(after) - np.sqrt(before)) - added
            row += worth[f] * gained
        removed += row
    return removed


@njit("void(f4[:,::1], f4[:,::1], f4[::1], f4[::1], f4[:,::1])", cache=CAN_CACHE, nogil=True)
def sum_harmonics(level, noise_floor, f0_bins, harmonic_weights, out):  # type: ignore[no-untyped-def]
    """Salience of each pitch in each frame: weighted sum of ``level [T, F]`` over its harmonics.

    ``out [T, P]``; ``noise_floor [T, F]`` is what lies between partials and counts against them.
    """
    frames, bins = level.shape
    for p in range(f0_bins.shape[0]):
        for t in range(frames):
            out[t, p] = 0.0
        for n in range(harmonic_weights.shape[0]):
            place = f0_bins[p] * (n + 1)
            first = int(place)
            if first >= bins - 2:
                break
            part = place - np.float32(first)
            w = harmonic_weights[n]
            for t in range(frames):
                at = level[t, first] * (np.float32(1.0) - part) + level[t, first + 1] * part
                out[t, p] += w * (at - noise_floor[t, first])
