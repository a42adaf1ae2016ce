"""Sound from a magnitude spectrogram without iterating: phase-gradient heap integration.

For a given window, how the logarithm of the magnitude changes tells how the phase changes: across bins it
tells the instantaneous frequency, across frames the moment of an onset. From the loudest bin on, phases are
integrated to the neighbours, the loudest first, so that what is quiet and unsure never stands between two
that are loud (Pruša, Balazs and Søndergaard 2017, "A noniterative method for reconstruction of phase from
STFT magnitude", IEEE/ACM TASLP 25(5), algorithm 1).

Three things differ from the paper:

- The window is a Hann window, not a Gaussian. At a distance of ``x`` bins from a steady sine the neighbours'
  magnitudes are as ``(x-1)(x-2) : (x+1)(x+2)``, which is solved for ``x``; at a distance of ``y`` from an
  impulse they are as ``cos^2(pi (y + hop) / window) : cos^2(pi (y - hop) / window)``. Near the peak that
  is the Gaussian's, far from it these are limited where the Gaussian's run away: 1 dB better on exact
  magnitudes.
- A bin takes its phase when its turn comes, from all neighbours that are done by then, weighted by their
  power, not from the first of them alone: 0.5 dB better, on exact magnitudes and on blurred ones.
- The heap is a row of stacks, one for each 16th of an octave: the upper bits of a float are its stack. Taking
  out and putting in cost the same however many wait, and that no finer order is kept costs nothing that could
  be measured.

A round of Griffin and Lim's afterwards is worth 3 dB where magnitudes are exact and 1 dB where they are not,
for a thirtieth of that method's time. Blurred magnitudes (a network's) are where it is needed most.

Phases are integers of 2^-16 turns, which wrap by themselves. Axes: F bin, T frame.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from struck.codec.playing.kernel_options import CAN_CACHE

from .griffin_lim import check_magnitude, repeat_rounds
from .spectrum import MARS_FRAMES, Complex64Array, Float32Array, MarsFrames

#: Bins this much under the loudest get random phases. From 1e-3 to 1e-6 the error is the same within 0.1 dB;
#: what rings on 80 dB under an attack may still be heard.
TOLERANCE = 1e-3

#: Bits of a float that do not count for the order: 4 of its mantissa do.
_LEVEL_SHIFT = 19

#: Columns of a cell: half the turns to the next frame and to the next bin, turns, level (under 0: left out).
ALONG_T, ALONG_F, TURNS, LEVEL = range(4)

#: Added to a bin's level, of which there are fewer than 512: a region reached it; its phase is told.
_WAITING, _DONE = 512, 1024

_ZERO = np.float32(0.0)
_HALF = np.float32(0.5)
_TINY = np.float32(1e-30)
_HALF_TURNS = np.float32(32768.0)


def _fit_arctan() -> tuple[np.float32, ...]:
    """``c`` so that ``arctan(x) / pi`` is ``x (c[0] + c[1] x^2 + ...)`` for x in 0..1, to a 2^-18th."""
    x = np.cos(np.pi * (np.arange(64) + 0.5) / 128.0)
    powers = x[:, None] ** np.arange(1, 10, 2)
    return tuple(np.linalg.lstsq(powers, np.arctan(x) / np.pi)[0].astype(np.float32))


_ARCTAN = _fit_arctan()


def sound_from_magnitude(
    magnitude: ArrayLike,
    frames: MarsFrames = MARS_FRAMES,
    *,
    seed: int = 0,
    tolerance: float = TOLERANCE,
    rounds: int = 1,
) -> Float32Array:
    """Samples ``[T * hop]`` whose spectrum's magnitude comes near to ``magnitude [F, T]``.

    Args:
        magnitude, frames, seed, tolerance: as for :func:`integrate_phase`.
        rounds: of Griffin and Lim's, to end with; >= 0.

    Raises:
        ValueError: as for :func:`integrate_phase`, or ``rounds`` is negative.
    """
    if rounds < 0:
        raise ValueError(f"rounds is {rounds}; it must be at least 0")
    wanted = check_magnitude(magnitude, frames)
    return frames.synthesise(
        repeat_rounds(_integrate(wanted, frames, seed, tolerance), wanted, frames, rounds)
    )


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
    return _integrate(check_magnitude(magnitude, frames), frames, seed, tolerance).T


def _integrate(wanted: Float32Array, frames: MarsFrames, seed: int, tolerance: float) -> Complex64Array:
    """:func:`integrate_phase` frame by frame, ``[T, F]``."""
    if not 1e-7 <= tolerance <= 1.0:
        raise ValueError(f"tolerance is {tolerance}; it must be from 1e-7 to 1")
    count, bins = wanted.shape
    # Under 1e-17 a squared magnitude would leave float32; the spectrum's own scale is 1.
    loudest = np.float32(wanted.max())
    lowest = max(loudest * np.float32(tolerance), np.float32(1e-17))
    if loudest < lowest:
        return wanted.astype(np.complex64)
    base = int(lowest.view(np.int32)) >> _LEVEL_SHIFT
    level_count = (int(loudest.view(np.int32)) >> _LEVEL_SHIFT) - base + 1
    steps = (np.arange(level_count, dtype=np.int32) + np.int32(base)) << _LEVEL_SHIFT
    weights = np.square(steps.view(np.float32) / loudest)

    # A frame before and after, a bin below and above that are left out: the kernel needs no edges.
    cells = np.full((count + 2, bins + 2, 4), -1, np.int16)
    inner = cells[1:-1, 1:-1]
    fill_steps(wanted, frames.hop_samples / frames.window_samples, frames.is_loop, cells)
    inner[..., TURNS] = np.random.default_rng(seed).integers(-32768, 32768, wanted.shape, np.int16)
    inner[..., LEVEL] = np.maximum((wanted.view(np.int32) >> _LEVEL_SHIFT) - base, -1)
    spread(cells, weights, frames.is_loop)
    phase = inner[..., TURNS] * np.float32(np.pi / 32768.0)
    spectrum = np.empty(wanted.shape, np.complex64)
    np.multiply(np.cos(phase), wanted, out=spectrum.real)
    np.multiply(np.sin(phase), wanted, out=spectrum.imag)
    return spectrum


@njit("void(f4[:,::1], f8, b1, i2[:,:,::1])", cache=CAN_CACHE, nogil=True, error_model="numpy", fastmath=True)
def fill_steps(magnitude, hop_windows, is_loop, cells):  # type: ignore[no-untyped-def]
    """Write ``ALONG_T`` and ``ALONG_F`` of ``cells [T + 2, F + 2, 4]`` from ``magnitude [T, F]``.

    ``hop_windows``, at most 1/4, is the hop in windows; after a loop's last frame comes its first.
    """
    count, bins = magnitude.shape
    hop = np.float32(hop_windows)
    tangent = np.float32(np.tan(np.pi * hop_windows))
    root = np.sqrt(magnitude)
    # Rows of their own, so that the loops over bins are the processor's vectors.
    carrier = np.empty(bins, np.float32)
    for f in range(bins):
        carrier[f] = (f * hop_windows + 0.5) % 1.0 - 0.5
    along_f, along_t = np.empty(bins, np.int16), np.empty(bins, np.int16)
    for t in range(count):
        # At the ends one side is missing: the ratio to the frame itself, squared, stands for both.
        levels = root if is_loop or 0 < t < count - 1 else magnitude
        if is_loop:
            before, after = levels[(t - 1) % count], levels[(t + 1) % count]
        else:
            before, after = levels[max(t - 1, 0)], levels[min(t + 1, count - 1)]
        for f in range(bins):
            rise = before[f] - after[f]
            run = (before[f] + after[f] + _TINY) * tangent
            size = abs(rise)
            ratio = min(size, run) / max(size, run)
            square = ratio * ratio
            turns = _ARCTAN[4]
            turns = turns * square + _ARCTAN[3]
            turns = turns * square + _ARCTAN[2]
            turns = turns * square + _ARCTAN[1]
            turns = (turns * square + _ARCTAN[0]) * ratio
            turns = _HALF - turns if size > run else turns
            turns = -turns if rise < _ZERO else turns
            along_f[f] = np.int16(np.floor(_HALF_TURNS * turns + _HALF))
        here = magnitude[t]
        along_t[0] = np.int16(np.floor(_HALF_TURNS * carrier[0] + _HALF))
        along_t[bins - 1] = np.int16(np.floor(_HALF_TURNS * carrier[bins - 1] + _HALF))
        for f in range(1, bins - 1):
            low, high = here[f - 1], here[f + 1]
            u = (high - low) / (high + low + _TINY)
            wide = np.float32(3.0) + np.sqrt(np.float32(9.0) - np.float32(8.0) * u * u)
            above = np.float32(4.0) * u / wide  # bins from here to the sine
            along_t[f] = np.int16(np.floor(_HALF_TURNS * (carrier[f] + hop * above) + _HALF))
        for f in range(bins):
            cells[t + 1, f + 1, ALONG_F] = along_f[f]
            cells[t + 1, f + 1, ALONG_T] = along_t[f]


@njit("void(i2[:,:,::1], f4[::1], b1)", cache=CAN_CACHE, nogil=True, error_model="numpy")
def spread(cells, weights, is_loop):  # type: ignore[no-untyped-def]
    """Integrate ``TURNS`` of ``cells [T + 2, F + 2, 4]`` from the loudest bins to the quiet ones.

    Bins that nothing reaches but lower ones keep the turns they have, random ones; so do those left out.
    ``weights`` belong to the levels, from the lowest on. ``LEVEL`` is used up: it tells in the end what is
    known of a bin, too, so that all that is asked of it lies together in memory. In a loop the last frame and
    the first are neighbours.
    """
    width = cells.shape[1]
    size = cells.shape[0] * width
    around = size - 2 * width
    cell = cells.reshape(size, 4)
    # first[n]: how many bins are lower than level n, where its stack and its share of ``starts`` begin.
    first = np.zeros(len(weights) + 1, np.int32)
    for i in range(size):
        if cell[i, LEVEL] >= 0:
            first[cell[i, LEVEL] + 1] += 1
    for level in range(len(weights)):
        first[level + 1] += first[level]
    # By level: bins in whose turn a new region may start, and a stack of bins that a region has reached.
    starts = np.empty(first[-1], np.int32)
    reached = np.empty(first[-1], np.int32)
    end = first[:-1].copy()
    for i in range(size):
        level = cell[i, LEVEL]
        if level >= 0:
            starts[end[level]] = i
            end[level] += 1
    end[:] = first[:-1]
    for place in range(len(starts) - 1, -1, -1):
        start = starts[place]
        top = int(cell[start, LEVEL])
        if top >= _WAITING:
            continue
        cell[start, LEVEL] = top + _WAITING
        reached[end[top]] = start
        end[top] += 1
        while top >= 0:
            if end[top] == first[top]:
                top -= 1
                continue
            end[top] -= 1
            i = reached[end[top]]
            near = cell[i, TURNS]
            weight_sum, difference_sum = _ZERO, _ZERO
            for side in range(4):
                if side == 0:
                    j = i - width
                    if is_loop and j < width:
                        j += around
                elif side == 1:
                    j = i + width
                    if is_loop and j >= size - width:
                        j -= around
                elif side == 2:
                    j = i - 1
                else:
                    j = i + 1
                level = int(cell[j, LEVEL])
                if level < 0:
                    continue
                if level < _WAITING:
                    cell[j, LEVEL] = level + _WAITING
                    reached[end[level]] = j
                    end[level] += 1
                    top = max(top, level)
                elif level >= _DONE:
                    along = ALONG_T if side < 2 else ALONG_F
                    step = cell[i, along] + cell[j, along]
                    turns = np.int16(cell[j, TURNS] + (step if side % 2 == 0 else -step))
                    if weight_sum == _ZERO:
                        near = turns
                    weight = weights[level - _DONE]
                    weight_sum += weight
                    difference_sum += weight * np.float32(np.int16(turns - near))
            if weight_sum > _ZERO:
                cell[i, TURNS] = np.int16(near + np.int32(difference_sum / weight_sum))
            cell[i, LEVEL] += _DONE - _WAITING
