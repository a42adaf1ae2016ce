"""Partials in a frame's bins: the window's main lobe around each, and back (numba).

Around a peak ``p`` of a bin above bin ``first``, with ``q = 1 - p``, the Hann window's lobe is in four bins::

    bin      first - 1            first       first + 1   first + 2
    lobe     g q / (1+p)(2+p)     g / (1+p)   g / (1+q)   g p / (1+q)(2+q)      g = sin(pi p) / (pi p q)

``g`` is smooth and even about p = 1/2: a polynomial in ``(p - 1/2)^2``, exact to 1e-8. Axes: F bin, M mode.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from ...playing.kernel_options import LINKED

#: Quieter partials show in no bin.
_QUIETEST: Final = np.float32(1e-7)

#: Chebyshev fit of g over (p - 1/2)^2 in 0..1/4.
_G0: Final = np.float32(1.273239543621948)
_G1: Final = np.float32(-1.1902269052560315)
_G2: Final = np.float32(0.40679711536038266)
_G3: Final = np.float32(-0.0728118848664364)
_G4: Final = np.float32(0.007692760475265192)

_HALF: Final = np.float32(0.5)
_ONE: Final = np.float32(1.0)
_TWO: Final = np.float32(2.0)
_THREE: Final = np.float32(3.0)
_FOUR: Final = np.float32(4.0)
_ZERO: Final = np.float32(0.0)


@njit(**LINKED)
def hann_lobes(parts, count, lobes, slopes):
    """Lobes ``[4, M]`` at ``parts [M]`` of a bin, and their slopes over the part."""
    for i in range(count):
        p = parts[i]
        q = _ONE - p
        x = p - _HALF
        z = x * x
        g = _G0 + z * (_G1 + z * (_G2 + z * (_G3 + z * _G4)))
        d_g = _TWO * x * (_G1 + z * (_TWO * _G2 + z * (_THREE * _G3 + z * (_FOUR * _G4))))
        p1, p2 = _ONE / (_ONE + p), _ONE / (_TWO + p)
        q1, q2 = _ONE / (_ONE + q), _ONE / (_TWO + q)
        lobes[1, i] = g * p1
        lobes[2, i] = g * q1
        lobes[0, i] = lobes[1, i] * q * p2
        lobes[3, i] = lobes[2, i] * p * q2
        slopes[1, i] = (d_g - lobes[1, i]) * p1
        slopes[2, i] = (d_g + lobes[2, i]) * q1
        slopes[0, i] = (d_g * q - g) * p1 * p2 - lobes[0, i] * (p1 + p2)
        slopes[3, i] = (d_g * p + g) * q1 * q2 + lobes[3, i] * (q1 + q2)


@njit(**LINKED)
def find_places(frequency_hz, count, bins_per_hz, placed):
    """Find the bins of partials, and their lobes there.

    Args:
        frequency_hz: ``[M]``.
        placed: a :class:`struck.codec.hearing.refit.records.Placed`; its ``bins`` tell where each partial
            begins, -1 where it does not show.
    """
    bins, parts = placed.bins, placed.parts
    last = placed.frame.shape[0] - 3
    for i in range(count):
        place = frequency_hz[i] * bins_per_hz
        first = np.int32(place)
        parts[i] = place - parts.dtype.type(first)
        bins[i] = first - 1 if 1 <= first <= last else -1
    hann_lobes(parts, count, placed.lobes, placed.slopes)


@njit(**LINKED)
def place_partials(amplitude, count, placed):
    """Add partials of ``amplitude [M]``, whose places are found, into an empty frame."""
    bins, lobes, frame = placed.bins, placed.lobes, placed.frame
    for i in range(count):
        at = bins[i]
        a = amplitude[i]
        if at >= 0 and a > _QUIETEST:
            for s in range(4):
                frame[at + s] += a * lobes[s, i]


@njit(**LINKED)
def take_powers(amplitude, count, placed, power, fourth):
    """Add squares and fourth powers of what was placed to the sums ``[F]``, and empty the frame."""
    bins, frame = placed.bins, placed.frame
    for i in range(count):
        at = bins[i]
        if at >= 0 and amplitude[i] > _QUIETEST:
            for f in range(at, at + 4):
                square = frame[f] * frame[f]
                power[f] += square
                fourth[f] += square * square
                frame[f] = _ZERO


@njit(**LINKED)
def place_partials_back(amplitude, count, placed, d_power, d_fourth, d_amplitude, d_place):
    """Gradients of each partial's amplitude and place (in bins) ``[M]``; empties the frame."""
    bins, lobes, slopes, frame = placed.bins, placed.lobes, placed.slopes, placed.frame
    for i in range(count):
        d_amplitude[i] = _ZERO
        d_place[i] = _ZERO
        at = bins[i]
        if at >= 0 and amplitude[i] > _QUIETEST:
            by_lobe = by_slope = _ZERO
            for s in range(4):
                tone = frame[at + s]
                d_tone = _TWO * tone * (d_power[at + s] + _TWO * tone * tone * d_fourth[at + s])
                by_lobe += lobes[s, i] * d_tone
                by_slope += slopes[s, i] * d_tone
            d_amplitude[i] = by_lobe
            d_place[i] = amplitude[i] * by_slope
    for i in range(count):
        at = bins[i]
        if at >= 0:
            for s in range(4):
                frame[at + s] = _ZERO
