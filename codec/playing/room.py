"""Four rooms as impulse responses of our own making: a recipe, seeded, with no recorded material.

``h = early reflections + diffuse tail``. The tail is Gaussian noise split into bands (raised-cosine in
log frequency, powers adding to one), each decaying exponentially with the room's T60 times the band's
factor: long in the bass, short in the treble, as air and walls do. Its onset is faded
in over the early part. The early part is a few single reflections, later ones weaker by 1/time (image
sources at growing distance), signs alternating by seed.

Everything is defined on time in seconds and on bins below ``BANDWIDTH_HZ``, so a room sounds the same at
every device rate. The first :func:`partition_samples` samples are exactly zero: that pre-delay is what a
block convolution needs to return the wet sound without any latency of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import scipy.fft

from ..events.event_spec import BANDWIDTH_HZ, ROOM_COUNT, ROOM_T60_SECONDS
from .noise import RATE_UNIT_HZ, check_rate

#: Energy gain of each room for a source that is flat up to ``BANDWIDTH_HZ``: wet sounds carry the power of
#: dry ones.
ROOM_ENERGY: Final = (1.0, 1.0, 1.0, 1.0)

#: No room answers earlier than this; just above the longest partition (256 samples at 44.1 kHz).
PREDELAY_SECONDS: Final = 0.0059

#: T60 of a band over the room's T60: (centre in Hz, factor).
T60_FACTORS: Final = (
    (125.0, 1.15),
    (500.0, 1.0),
    (1000.0, 1.0),
    (2000.0, 0.85),
    (4000.0, 0.65),
    (8000.0, 0.45),
)

_SEED: Final = 4_093
_LENGTH_T60: Final = 1.2  # a tail is cut 72 dB down in the mid bands, and faded over its last tenth


@dataclass(frozen=True)
class _Recipe:
    seed: int
    first_seconds: float
    spread_seconds: float
    reflections: int
    early_share: float  # of the energy


_RECIPES: Final = (
    _Recipe(1, 0.0060, 0.018, 9, 0.45),
    _Recipe(2, 0.0075, 0.035, 10, 0.35),
    _Recipe(3, 0.0110, 0.060, 10, 0.25),
    _Recipe(4, 0.0180, 0.095, 12, 0.18),
)


def partition_samples(rate: int) -> int:
    """Samples per partition of the block convolution, a power of two >= 64 lasting 4.0 to 5.9 ms."""
    samples = 64
    while 2 * samples <= PREDELAY_SECONDS * check_rate(rate):
        samples *= 2
    return samples


def _band_powers(frequency_hz: np.ndarray) -> np.ndarray:
    """``[bands, bins]`` raised-cosine weights over log frequency that add to one at every frequency."""
    centres = np.log2([centre for centre, _ in T60_FACTORS])
    place = np.clip(np.log2(np.maximum(frequency_hz, 1.0)), centres[0], centres[-1])
    weights = np.zeros((len(centres), len(place)))
    for band in range(len(centres) - 1):
        share = np.clip((place - centres[band]) / (centres[band + 1] - centres[band]), 0.0, 1.0)
        inside = (place >= centres[band]) & (place <= centres[band + 1])
        weights[band, inside] = np.cos(0.5 * np.pi * share[inside]) ** 2
        weights[band + 1, inside] = np.sin(0.5 * np.pi * share[inside]) ** 2
    return weights


def _diffuse_tail(recipe: _Recipe, t60_seconds: float, rate: int) -> np.ndarray:
    units = int(np.ceil(_LENGTH_T60 * t60_seconds * RATE_UNIT_HZ))
    length = units * (rate // RATE_UNIT_HZ)
    bin_hz = RATE_UNIT_HZ / units
    count = int(BANDWIDTH_HZ / bin_hz)
    frequency = bin_hz * np.arange(count)
    rng = np.random.default_rng((_SEED, recipe.seed))
    source = rng.standard_normal(count) + 1j * rng.standard_normal(count)
    source[0] = 0.0
    time = np.arange(length) / rate
    tail = np.zeros(length)
    for power, (_, factor) in zip(_band_powers(frequency), T60_FACTORS, strict=True):
        spectrum = np.zeros(length // 2 + 1, dtype=np.complex128)
        spectrum[:count] = np.sqrt(power) * source * length
        tail += scipy.fft.irfft(spectrum, n=length) * np.exp(-np.log(1000.0) * time / (factor * t60_seconds))
    build_up = np.clip((time - recipe.first_seconds) / recipe.spread_seconds, 0.0, 1.0)
    tail *= np.sin(0.5 * np.pi * build_up) ** 2
    fade = max(1, length // 10)
    tail[-fade:] *= np.cos(0.5 * np.pi * np.arange(1, fade + 1) / fade) ** 2
    return tail


def _early_reflections(recipe: _Recipe, length: int, rate: int) -> np.ndarray:
    rng = np.random.default_rng((_SEED, 100 + recipe.seed))
    steps = np.cumsum(rng.uniform(0.3, 1.7, recipe.reflections))
    times = recipe.first_seconds + recipe.spread_seconds * (steps - steps[0]) / steps[-1]
    signs = rng.choice([-1.0, 1.0], recipe.reflections)
    early = np.zeros(length)
    for time, sign in zip(times, signs, strict=True):
        early[int(np.ceil(time * rate))] += sign * times[0] / time
    return early


@lru_cache(maxsize=4)
def room_impulse_responses(rate: int) -> tuple[np.ndarray, ...]:
    """Impulse responses at ``rate`` Hz: ``ROOM_COUNT`` read-only float32 arrays ``[T_r]``, pre-delay
    included.

    Each has a mean power gain of 1 between 0 and ``BANDWIDTH_HZ`` (its energy is 1 at 22,050 Hz) and begins
    with at least :func:`partition_samples` zeros.
    """
    responses = []
    for recipe, t60 in zip(_RECIPES, ROOM_T60_SECONDS, strict=True):
        tail = _diffuse_tail(recipe, t60, check_rate(rate))
        early = _early_reflections(recipe, len(tail), rate)
        parts = []
        for part, share in ((early, recipe.early_share), (tail, 1.0 - recipe.early_share)):
            parts.append(part * np.sqrt(share / _mean_power_gain(part, rate)))
        response = parts[0] + parts[1]
        response[: partition_samples(rate)] = 0.0  # true already; states the promise
        response = (response / np.sqrt(_mean_power_gain(response, rate))).astype(np.float32)
        response.flags.writeable = False
        responses.append(response)
    assert len(responses) == ROOM_COUNT
    return tuple(responses)


def _mean_power_gain(response: np.ndarray, rate: int) -> float:
    spectrum = scipy.fft.rfft(response)
    frequency = np.arange(len(spectrum)) * rate / len(response)
    return float(np.mean(np.abs(spectrum[frequency <= BANDWIDTH_HZ]) ** 2))
