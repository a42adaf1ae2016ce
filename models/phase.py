"""Sound from a magnitude spectrogram without iterating: phase-gradient heap integration.

For a given window, how the logarithm of the magnitude changes tells how the phase changes: across bins it
tells the instantaneous frequency, across frames the moment of an onset. From the loudest bin on, phases are
integrated to the neighbours, the loudest first, so that what is quiet and unsure never stands between two
that are loud (Pruša, Balazs and Søndergaard 2017, "A noniterative method for reconstruction of phase from
STFT magnitude", IEEE/ACM TASLP 25(5), algorithm 1).

Two things differ from the paper, where the window is taken as a Gaussian:

- The relations are those of a Hann window. At a distance of ``x`` bins from a steady sine the neighbours'
  magnitudes are as ``(x-1)(x-2) : (x+1)(x+2)``, which is solved for ``x``; at a distance of ``y`` from
  an impulse they are as ``cos^2(pi (y + hop) / window) : cos^2(pi (y - hop) / window)``. Near the peak
  that is the Gaussian's, far from it these are limited where the Gaussian's run away.
- The heap is a row of stacks, one for each 128th of an octave: a float's upper 16 bits are its stack. Taking
  out and putting in cost the same however many wait.

Phases are in turns, from -0.5 to 0.5. Axes: F bin, T frame.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from .griffin_lim import check_magnitude
from .mars_spectrum import MARS_FRAMES, Complex64Array, Float32Array, MarsFrames

#: Bins this much under the loudest get random phases.
TOLERANCE = 1e-5

#: Bits of a float's mantissa that do not count for the order.
_LEVEL_SHIFT = 16

_ONE = np.float32(1.0)
_HALF = np.float32(0.5)
_TINY = np.float32(1e-30)


def sound_from_magnitude(
    magnitude: ArrayLike, frames: MarsFrames = MARS_FRAMES, *, seed: int = 0, tolerance: float = TOLERANCE
) -> Float32Array:
    """Samples ``[T * hop]`` whose spectrum's magnitude comes near to ``magnitude [F, T]``.

    Args and Raises as :func:`integrate_phase`.
    """
    return frames.synthesise(_integrate(magnitude, frames, seed, tolerance))


def integrate_phase(
    magnitude: ArrayLike, frames: MarsFrames = MARS_FRAMES, *, seed: int = 0, tolerance: float = TOLERANCE
) -> Complex64Array:
    """Spectrum ``[F, T]`` with the magnitudes given and phases that fit them.

    Args:
        magnitude: >= 0; 1 is a full-scale sine.
        frames: how frames are cut.
        seed: of the phases that nothing tells. The same input and seed give the same output.
        tolerance: bins lower than this times the loudest get random phases, 1e-7..1.

    Raises:
        ValueError: a shape is wrong, the magnitudes are negative or not finite, or the tolerance is out of
            range.
    """
    return _integrate(magnitude, frames, seed, tolerance).T


def _integrate(magnitude: ArrayLike, frames: MarsFrames, seed: int, tolerance: float) -> Complex64Array:
    wanted = check_magnitude(magnitude, frames)
    if not 1e-7 <= tolerance <= 1.0:
        raise ValueError(f"tolerance is {tolerance}; it must be from 1e-7 to 1")
    loudest = wanted.max()
    if loudest == 0.0:
        return np.zeros(wanted.shape, np.complex64)
    step_t, step_f = np.empty_like(wanted), np.empty_like(wanted)
    gradients(wanted, np.float32(np.tan(np.pi * frames.hop_samples / frames.window_samples)), step_t, step_f)
    np.arctan(step_f, out=step_f)
    step_f *= np.float32(1.0 / np.pi)
    hops = frames.hop_samples / frames.window_samples
    step_t *= np.float32(hops)
    carrier = (np.arange(frames.bin_count) * hops % 1.0).astype(np.float32)
    phase = np.random.default_rng(seed).random(wanted.shape, np.float32)

    levels = wanted.view(np.int32) >> _LEVEL_SHIFT
    lowest = int(np.float32(max(loudest * tolerance, 1e-37)).view(np.int32)) >> _LEVEL_SHIFT
    count = int(np.float32(loudest).view(np.int32) >> _LEVEL_SHIFT) - lowest + 1
    levels -= lowest
    spread(levels, count, step_t, step_f, carrier, phase)
    phase *= np.float32(2.0 * np.pi)
    spectrum = np.empty(wanted.shape, np.complex64)
    np.multiply(np.cos(phase), wanted, out=spectrum.real)
    np.multiply(np.sin(phase), wanted, out=spectrum.imag)
    return spectrum


@njit("void(f4[:,::1], f4, f4[:,::1], f4[:,::1])", cache=True, nogil=True, error_model="numpy")
def gradients(magnitude, tangent, step_t, step_f):  # type: ignore[no-untyped-def]
    """Distances that the neighbours' magnitudes tell; all arrays ``[T, F]``.

    ``step_t`` becomes the bins from here to the sine, upward positive; ``step_f`` the tangent of pi times
    the windows from the impulse to here. ``tangent`` is that of pi hops per window.
    """
    count, bins = magnitude.shape
    for t in range(count):
        here = magnitude[t]
        # At the ends one side is missing: the difference to the bin itself, taken twice, stands for both.
        before = magnitude[max(t - 1, 0)]
        after = magnitude[min(t + 1, count - 1)]
        whole = 0 < t < count - 1
        for f in range(bins):
            later, sooner = after[f], before[f]
            if whole:
                later, sooner = np.sqrt(later), np.sqrt(sooner)
            step_f[t, f] = (sooner - later) / ((later + sooner + _TINY) * tangent)
        step_t[t, 0] = np.float32(0.0)
        step_t[t, bins - 1] = np.float32(0.0)
        for f in range(1, bins - 1):
            low, high = here[f - 1], here[f + 1]
            u = (high - low) / (high + low + _TINY)
            step_t[t, f] = (
                np.float32(4.0) * u / (np.float32(3.0) + np.sqrt(np.float32(9.0) - np.float32(8.0) * u * u))
            )


@njit("void(i4[:,::1], i8, f4[:,::1], f4[:,::1], f4[::1], f4[:,::1])", cache=True, nogil=True)
def spread(levels, level_count, step_t, step_f, carrier, phase):  # type: ignore[no-untyped-def]
    """Integrate phases from the loudest bins to the quiet ones.

    Args:
        levels: ``[T, F]`` order of the bins, under ``level_count``; those under 0 keep the phase they have.
        step_t, step_f: ``[T, F]`` turns per frame less the carrier's, turns per bin.
        carrier: ``[F]`` turns per frame of a bin's own frequency.
        phase: ``[T, F]`` turns, random; replaced.
    """
    count, bins = levels.shape
    size = count * bins
    level = levels.reshape(size)
    along_t = step_t.reshape(size)
    along_f = step_f.reshape(size)
    turns = phase.reshape(size)
    waiting = np.full(level_count, -1, np.int32)
    seeds = np.full(level_count, -1, np.int32)
    seed_beneath = np.empty(size, np.int32)
    beneath = np.empty(size, np.int32)
    known = np.zeros(size, np.bool_)
    for i in range(size):
        if level[i] >= 0:
            seed_beneath[i] = seeds[level[i]]
            seeds[level[i]] = i
        else:
            known[i] = True
    for start in range(level_count - 1, -1, -1):
        seed = seeds[start]
        while seed >= 0:
            following = seed_beneath[seed]
            if not known[seed]:
                known[seed] = True
                beneath[seed] = -1
                waiting[start] = seed
                top = start
                while top >= 0:
                    i = waiting[top]
                    if i < 0:
                        top -= 1
                        continue
                    waiting[top] = beneath[i]
                    f = i % bins
                    for side in range(4):
                        if side == 0:
                            j = i - bins
                            if j < 0 or known[j]:
                                continue
                            step = -carrier[f] - _HALF * (along_t[i] + along_t[j])
                        elif side == 1:
                            j = i + bins
                            if j >= size or known[j]:
                                continue
                            step = carrier[f] + _HALF * (along_t[i] + along_t[j])
                        elif side == 2:
                            j = i - 1
                            if f == 0 or known[j]:
                                continue
                            step = -_HALF * (along_f[i] + along_f[j])
                        else:
                            j = i + 1
                            if f == bins - 1 or known[j]:
                                continue
                            step = _HALF * (along_f[i] + along_f[j])
                        there = turns[i] + step
                        turns[j] = there - np.floor(there + _HALF)
                        known[j] = True
                        n = level[j]
                        beneath[j] = waiting[n]
                        waiting[n] = j
                        top = max(top, n)
            seed = following
