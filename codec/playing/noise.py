"""Shared loops of band noise, one per noise band: voices set gains, nobody filters noise per voice.

A loop is a sum of sinusoids, so it repeats without a seam. Their phases are chosen so that its short-time
spectra fluctuate less than those of Gaussian noise, as in low-noise noise (Pumplin, "Low-noise noise", JASA
78, 1985), but at several window lengths instead of in the envelope: what sounds is nearer to the level an
event asks for. :mod:`struck.models.noise_phases` makes them. Loop ``b`` lasts ``_LOOP_UNITS[b] / 150``
seconds, a whole number of samples at every rate that is a multiple of 150 Hz (22,050, 44,100, 48,000, 88,200,
96,000 ...): the noise is then the *same* waveform at every device rate. All
units lie in [200, 400), so no loop length is a multiple of another, and the sum repeats only after days.

Bands overlap by a quarter of their mel width on either side of each edge, with sine/cosine slopes, so the
powers of neighbours add to one; within a band power is flat over mel. Equal gains therefore sum to a
spectrum without ripple (power per mel constant), and each loop has an RMS of exactly 1.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import scipy.fft

from ..events.controls import mel, noise_band_edges_hz
from ..events.event_spec import BANDWIDTH_HZ, NOISE_BAND_COUNT

#: Device rates must be multiples of this, so that noise loops and rooms agree between rates.
RATE_UNIT_HZ: Final = 150

#: Loop lengths in 1/150 s: products of small primes (fast transforms), none a multiple of another.
_LOOP_UNITS: Final = (
    256, 270, 243, 300, 225, 320, 216, 343, 250, 375, 210, 288,
    360, 240, 392, 224, 315, 280, 378, 252, 336, 294, 350, 324,
)  # fmt: skip
_PHASE_FILE: Final = Path(__file__).with_name("noise_phases.npz")
#: Phases are stored in so many steps of a turn.
PHASE_STEPS: Final = 256
_LOWEST_HZ: Final = 20.0
_OVERLAP_SHARE: Final = 0.25
_LAST_SLOPE_SHARE: Final = 0.1  # short: the last band holds its power of 1 without its upper half slope


def check_rate(rate: int) -> int:
    """``rate`` if the decoder can render at it.

    Raises:
        ValueError: the rate is below 22,050 Hz, above 192,000 Hz or no multiple of 150 Hz.
    """
    if not (2 * BANDWIDTH_HZ <= rate <= 192_000 and rate % RATE_UNIT_HZ == 0):
        raise ValueError(f"rate is {rate} Hz; it must be a multiple of 150 from 22050 to 192000")
    return int(rate)


def loop_lengths_samples(rate: int) -> np.ndarray:
    """Length of each loop at ``rate`` Hz, int64 ``[NOISE_BAND_COUNT]``."""
    return np.asarray(_LOOP_UNITS, dtype=np.int64) * (check_rate(rate) // RATE_UNIT_HZ)


def _band_window(frequency_hz: np.ndarray, band: int) -> np.ndarray:
    """Power of ``band`` at each frequency, before the mel-to-hertz density."""
    edges = np.asarray(mel(noise_band_edges_hz()))
    place = np.asarray(mel(frequency_hz))
    half = _OVERLAP_SHARE * (edges[1] - edges[0])

    def rise(edge: float) -> np.ndarray:
        return np.sin(0.5 * np.pi * np.clip((place - edge + half) / (2.0 * half), 0.0, 1.0)) ** 2

    power = np.ones_like(frequency_hz) if band == 0 else rise(edges[band])
    if band == NOISE_BAND_COUNT - 1:  # nothing above the bandwidth: the last slope ends there
        left = np.clip((edges[-1] - place) / (_LAST_SLOPE_SHARE * (edges[1] - edges[0])), 0.0, 1.0)
        return power * np.sin(0.5 * np.pi * left) ** 2
    return power * (1.0 - rise(edges[band + 1]))


def noise_band_density(frequency_hz: np.ndarray, band: int) -> np.ndarray:
    """Power per hertz of ``band`` at ``frequency_hz [F]``, but for a constant."""
    density = 1.0 / (frequency_hz + 700.0)  # d mel / d f but for a constant
    return _band_window(frequency_hz, band) * density * (frequency_hz >= _LOWEST_HZ)


def loop_amplitudes(band: int) -> np.ndarray:
    """Amplitudes ``[bins from 0 Hz to the bandwidth]`` of loop ``band``'s sinusoids, but for a constant."""
    bin_hz = RATE_UNIT_HZ / _LOOP_UNITS[band]
    return np.sqrt(noise_band_density(bin_hz * np.arange(int(BANDWIDTH_HZ / bin_hz) + 1), band))


def make_loop(amplitudes: np.ndarray, phases: np.ndarray, first: int, length: int) -> np.ndarray:
    """A loop of RMS 1, float32 ``[length]``.

    Args:
        amplitudes: from :func:`loop_amplitudes`.
        phases: in radians, of the bins from ``first`` on; the others are silent.
    """
    spectrum = np.zeros(length // 2 + 1, dtype=np.complex64)
    inside = slice(first, first + len(phases))
    spectrum[inside] = amplitudes[inside] * np.exp(1j * phases)
    spectrum[-1] = 0.0  # at 22,050 Hz the bandwidth is Nyquist, whose phase is not free
    power = 2.0 * np.sum(np.abs(spectrum.astype(np.complex128)) ** 2)
    loop: Any = scipy.fft.irfft(spectrum * np.float32(length / np.sqrt(power)), n=length)
    return np.asarray(loop, np.float32)


@lru_cache(maxsize=4)
def noise_loops(rate: int) -> tuple[np.ndarray, ...]:
    """The loops at ``rate`` Hz: ``NOISE_BAND_COUNT`` read-only float32 arrays, RMS 1 each, made once per
    rate.

    Band noise of band ``b`` at stream sample ``t`` is ``loops[b][t % len(loops[b])]``.
    """
    with np.load(_PHASE_FILE) as file:
        first, count = file["first"], file["count"]
        phases = file["step"].astype(np.float64) * (2.0 * np.pi / PHASE_STEPS)
    loops = []
    for band, length in enumerate(loop_lengths_samples(rate)):
        start = int(count[:band].sum())
        own = phases[start : start + count[band]]
        loop = make_loop(loop_amplitudes(band), own, int(first[band]), int(length))
        loop.flags.writeable = False
        loops.append(loop)
    return tuple(loops)
