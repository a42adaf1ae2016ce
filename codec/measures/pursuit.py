"""Gabor matching pursuit: the baseline that spends the same count of scalars on atoms without meaning.

Mallat & Zhang, "Matching pursuits with time-frequency dictionaries" (1993), over real Gabor atoms

    x(n) = amplitude * exp(-(n - centre)^2 / (2 sigma^2)) * cos(2 pi frequency (n - centre) / rate + phase)

with ``sigma = scale / SIGMA_SHARE`` and the scale a power of two. The dictionary is searched the way of
Krstulovic & Gribonval, "MPTK: Matching pursuit made tractable" (2006): for each scale a grid of windowed
frames keeps only its best energy, and a subtracted atom makes only the frames it overlaps stale. Between grid
points, frequency and time are refined: the log-energy of a Gaussian atom is a parabola in both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numba
import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

from ..files.samples import as_mono
from ..playing.kernel_options import CAN_CACHE

#: Window lengths in samples. Seven, a factor two apart: 12 ms to 0.74 s at 22,050 Hz, cut at 4 sigma.
SCALES_SAMPLES: Final = tuple(2**power for power in range(8, 15))

#: The window of a scale reaches 4 sigma to either side of its centre, -69 dB.
SIGMA_SHARE: Final = 8

#: Frames of a scale are a sigma apart: an atom between two loses at most 6 % of its amplitude.
_HOPS_PER_FRAME: Final = 8

#: Time, frequency, scale, amplitude, phase.
SCALARS_PER_ATOM: Final = 5

#: The pursuit ends early once the best atom carries less than this share of the signal's energy: rounding.
_ENERGY_SHARE_MIN: Final = 1e-12

#: Under this share of energy the sine atom is taken as absent: near 0 Hz and the Nyquist frequency.
_SINE_ENERGY_MIN: Final = 1e-6

#: Frames per FFT batch times frame length: bounds the memory whatever the signal's length.
_BATCH_SAMPLES: Final = 1 << 20


@dataclass(frozen=True)
class GaborAtom:
    """One atom: ``SCALARS_PER_ATOM`` numbers. The centre may lie just beyond the signal's end."""

    centre_sample: int
    scale_samples: int
    frequency_cycles: float  # per sample, 0..0.5
    amplitude: float  # at the centre, > 0
    phase_radians: float  # at the centre


@dataclass(frozen=True)
class Pursuit:
    """What a pursuit found: ``decoded`` is the sum of ``atoms``.

    ``residual_energy [A + 1]`` is the energy (sum of squares) left before the first and after each atom. It
    counts the parts of atoms that stick out of the signal too, so it never rises.
    """

    atoms: list[GaborAtom]
    decoded: NDArray[np.float32]
    residual_energy: NDArray[np.float64]


def count_equal_atoms(event_count: int, scalars_per_event: int) -> int:
    """Atoms that cost as many scalars as ``event_count`` events, rounded."""
    return round(event_count * scalars_per_event / SCALARS_PER_ATOM)


def pursue(signal: ArrayLike, atom_count: int, progress: Callable[[int, int], None] | None = None) -> Pursuit:
    """Take up to ``atom_count`` atoms from ``signal [N]``, always the one that removes most energy.

    Args:
        signal: mono samples; the rate plays no part.
        atom_count: >= 0. Fewer are returned where nothing is left.
        progress: called with (atoms found, ``atom_count``) after each atom.

    Raises:
        ValueError: the signal is not one-dimensional or not finite, or the count is negative.
    """
    samples = as_mono(signal)
    if not np.isfinite(samples).all():
        raise ValueError("a signal holds finite numbers only")
    if atom_count < 0:
        raise ValueError(f"atom_count is {atom_count}; it must be >= 0")

    # Atoms may stick out of the signal by half a window, and the frames of an atom's neighbours by another.
    margin = SCALES_SAMPLES[-1]
    residual = np.pad(samples.astype(np.float64), margin)
    levels = [_Scale(scale, residual, margin, samples.size) for scale in SCALES_SAMPLES]

    atoms: list[GaborAtom] = []
    energy = [float(np.dot(residual, residual))]
    least = energy[0] * _ENERGY_SHARE_MIN
    while len(atoms) < atom_count:
        level = max(levels, key=lambda each: each.best_energy)
        if level.best_energy <= least:
            break
        centre, frequency = level.locate_best()
        cosine, sine, _ = _project(residual, centre, frequency, level.half_window)
        change = _add_atom(residual, centre, frequency, level.half_window, -cosine, -sine)
        for each in levels:
            each.refresh(centre - level.size // 2, centre + level.size // 2)
        atoms.append(
            GaborAtom(
                centre_sample=centre - margin,
                scale_samples=level.size,
                frequency_cycles=frequency,
                amplitude=float(np.hypot(cosine, sine)),
                phase_radians=float(np.arctan2(-sine, cosine)),
            )
        )
        energy.append(max(0.0, energy[-1] + change))
        if progress is not None:
            progress(len(atoms), atom_count)
    return Pursuit(atoms, render_atoms(atoms, samples.size), np.asarray(energy))


def render_atoms(atoms: Sequence[GaborAtom], length: int) -> NDArray[np.float32]:
    """Sum ``[length]`` of ``atoms``; what sticks out at either end is cut."""
    margin = SCALES_SAMPLES[-1]
    padded = np.zeros(length + 2 * margin)
    for atom in atoms:
        _add_atom(
            padded,
            atom.centre_sample + margin,
            atom.frequency_cycles,
            _half_window(atom.scale_samples),
            atom.amplitude * np.cos(atom.phase_radians),
            -atom.amplitude * np.sin(atom.phase_radians),
        )
    return padded[margin : margin + length].astype(np.float32)


def _half_window(size: int) -> NDArray[np.float64]:
    """Right half ``[size / 2]`` of the Gaussian from its centre on; the left half mirrors it."""
    return np.exp(-0.5 * (np.arange(size // 2) * (SIGMA_SHARE / size)) ** 2)


class _Scale:
    """The frames of one window length over the residual, each with the energy of its best atom."""

    def __init__(self, size: int, residual: NDArray[np.float64], margin: int, length: int) -> None:
        self.size = size
        self.half_window = _half_window(size)
        self._hop = size // _HOPS_PER_FRAME
        # The sample opposite to the centre is left out: the window is symmetric about size / 2.
        window = np.concatenate([[0.0], self.half_window[:0:-1], self.half_window])
        self._window = window.astype(np.float32)
        self._residual = residual
        # About the centre the cosine atom is even and the sine atom odd, so the two are orthogonal and a
        # bin's best energy is Re^2 / |cosine atom|^2 + Im^2 / |sine atom|^2. (An FFT counts phase from the
        # frame's start: half a frame turns bin k by k pi, which the squares do not see.)
        squared = window**2
        bins = np.arange(size // 2 + 1)
        twice = np.fft.fft(squared)[2 * bins % size].real
        sine_energy = 0.5 * (squared.sum() - twice)
        usable = sine_energy > _SINE_ENERGY_MIN * squared.sum()
        self._cosine_weight = (2.0 / (squared.sum() + twice)).astype(np.float32)
        self._sine_weight = np.where(usable, 1.0 / np.where(usable, sine_energy, 1.0), 0.0).astype(np.float32)
        # Frame f of the residual's view is centred on sample f * hop + size / 2; those over the signal count.
        self._frames = np.lib.stride_tricks.sliding_window_view(residual, size)[:: self._hop]
        self._first = (margin - size // 2) // self._hop
        self._energy = np.zeros(1 + -(-length // self._hop), dtype=np.float32)
        self.refresh(0, residual.size)

    @property
    def best_energy(self) -> float:
        """Energy of the best atom of this scale."""
        return float(self._energy.max())

    def refresh(self, start: int, stop: int) -> None:
        """Look again at every frame that overlaps samples ``start`` to ``stop`` of the residual."""
        first = max(0, (start - self.size) // self._hop + 1 - self._first)
        last = min(self._energy.size, (stop - 1) // self._hop + 1 - self._first)
        batch = max(1, _BATCH_SAMPLES // self.size)
        for begin in range(first, last, batch):
            end = min(begin + batch, last)
            _best_energies(
                self._spectrum(self._frames[self._first + begin : self._first + end]),
                self._cosine_weight,
                self._sine_weight,
                self._energy[begin:end],
            )

    def locate_best(self) -> tuple[int, float]:
        """Centre (sample of the residual) and frequency (cycles per sample) of the best atom, refined."""
        frame = self._first + int(np.argmax(self._energy))
        spectrum = self._spectrum(self._frames[frame - 1 : frame + 2])
        power = spectrum.real**2 * self._cosine_weight + spectrum.imag**2 * self._sine_weight
        best = int(np.argmax(power[1]))
        centre, bin_offset = frame * self._hop + self.size // 2, 0.0
        if 0 < best < self.size // 2:
            bin_offset = _peak_offset(power[1, best - 1 : best + 2])
        refined = (
            centre + round(_peak_offset(power[:, best]) * self._hop),
            (best + bin_offset) / self.size,
        )
        coarse = (centre, best / self.size)
        # Where several atoms overlap, the surface is no parabola and the refined place may be the worse one.
        window = self.half_window
        return max(coarse, refined, key=lambda at: _project(self._residual, at[0], at[1], window)[2])

    def _spectrum(self, frames: NDArray[np.float64]) -> Any:
        return scipy.fft.rfft(np.multiply(frames, self._window, dtype=np.float32), axis=1)


def _peak_offset(power: NDArray[np.float32]) -> float:
    """Place of the maximum of a parabola through the logarithms of three powers, -0.5..0.5 steps off."""
    left, middle, right = np.log(np.maximum(power.astype(np.float64), 1e-30))
    curvature = left - 2.0 * middle + right
    if curvature >= 0.0:
        return 0.0
    return float(np.clip(0.5 * (left - right) / curvature, -0.5, 0.5))


@numba.njit(
    "void(complex64[:, ::1], float32[::1], float32[::1], float32[::1])", cache=CAN_CACHE, fastmath=True
)
def _best_energies(spectrum, cosine_weight, sine_weight, out):  # type: ignore[no-untyped-def]
    """Largest bin energy of each frame ``spectrum [T, F]`` into ``out [T]``."""
    for frame in range(spectrum.shape[0]):
        best = np.float32(0.0)
        for k in range(spectrum.shape[1]):
            value = spectrum[frame, k]
            energy = value.real * value.real * cosine_weight[k] + value.imag * value.imag * sine_weight[k]
            best = max(best, energy)
        out[frame] = best


@numba.njit("UniTuple(float64, 3)(float64[::1], int64, float64, float64[::1])", cache=CAN_CACHE)
def _project(residual, centre, frequency_cycles, half_window):  # type: ignore[no-untyped-def]
    """Best amplitudes of the cosine and the sine atom at a place, and the energy the two remove."""
    step = np.exp(2j * np.pi * frequency_cycles)
    turn = step
    total = half_window[0] ** 2
    cosine, sine, cosine_energy, sine_energy = residual[centre] * half_window[0], 0.0, total, 0.0
    for m in range(1, half_window.size):
        weight = half_window[m]
        cosine += weight * turn.real * (residual[centre + m] + residual[centre - m])
        sine += weight * turn.imag * (residual[centre + m] - residual[centre - m])
        cosine_energy += 2.0 * (weight * turn.real) ** 2
        sine_energy += 2.0 * (weight * turn.imag) ** 2
        turn *= step
    # At 0 Hz and at the Nyquist frequency there is no sine atom.
    if sine_energy < _SINE_ENERGY_MIN * (cosine_energy + sine_energy):
        return cosine / cosine_energy, 0.0, cosine**2 / cosine_energy
    energy = cosine**2 / cosine_energy + sine**2 / sine_energy
    return cosine / cosine_energy, sine / sine_energy, energy


@numba.njit("float64(float64[::1], int64, float64, float64[::1], float64, float64)", cache=CAN_CACHE)
def _add_atom(buffer, centre, frequency_cycles, half_window, cosine, sine):  # type: ignore[no-untyped-def]
    """Add an atom to ``buffer`` in place; returns by how much the buffer's energy changed."""
    step = np.exp(2j * np.pi * frequency_cycles)
    turn = step
    before = buffer[centre]
    buffer[centre] = before + half_window[0] * cosine
    change = buffer[centre] ** 2 - before**2
    for m in range(1, half_window.size):
        even, odd = half_window[m] * cosine * turn.real, half_window[m] * sine * turn.imag
        right, left = buffer[centre + m], buffer[centre - m]
        buffer[centre + m] = right + even + odd
        buffer[centre - m] = left + even - odd
        change += buffer[centre + m] ** 2 - right**2 + buffer[centre - m] ** 2 - left**2
        turn *= step
    return change
