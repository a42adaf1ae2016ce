"""What a frame's window sees of an event's force and decay, with the gradient by hand.

The twin of the upper half of :func:`struck.codec.hearing.spectrum.compute_frames`, for one event and any
frames from any first age on. Axes: T frame, J place under the window.
"""

from __future__ import annotations

from math import exp
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit

from ...playing.kernel_options import EXACT
from ..spectrum import make_frame_tables
from .control_tables import ATTACK, HOLD, NOISE_RATE, RELEASE_RATE

#: Columns of an envelope ``[T, 4]``: the force averaged under the window, how much later than the frame's
#: centre the window sees most of it (s), the age there (s), and the noise's power.
LEVEL: Final = 0
CENTRE: Final = 1
AGE: Final = 2
NOISE: Final = 3

_LONGEST_SECONDS: Final = 1e3
_LARGEST_EXPONENT: Final = 60.0
_LARGEST_NOISE_EXPONENT: Final = 30.0


class WindowPlaces(NamedTuple):
    """Places under a frame's window and their weights."""

    seconds: np.ndarray  # [J] from the frame's centre
    amplitude: np.ndarray  # [J] sum 1
    power: np.ndarray  # [J] sum 1


def make_window_places(n_fft: int, dtype: Any = np.float32) -> WindowPlaces:
    """Places of the twin's tables."""
    tables = make_frame_tables(np.arange(2), n_fft)
    return WindowPlaces(*(a.astype(dtype) for a in (tables.places, tables.window, tables.window_squared)))


@njit(**EXACT)
def shape_envelope(scalars, common, first_second, frame_seconds, count, places, envelope):
    """Fill ``envelope [>= count, 4]`` for frames ``frame_seconds`` apart.

    Args:
        common: decay rate (1/s) that all modes are taken to have under the window.
        first_second: age of the event at the first frame's centre; negative before the onset.
    """
    attack, hold = scalars[ATTACK], scalars[HOLD]
    release_rate, noise_rate = scalars[RELEASE_RATE], scalars[NOISE_RATE]
    for k in range(count):
        time = first_second + k * frame_seconds
        reference = min(max(time, 0.0), _LONGEST_SECONDS)
        level = moment = noise = 0.0
        for j in range(places.seconds.shape[0]):
            t = time + places.seconds[j]
            if t <= 0.0:
                continue  # no force yet
            since = min(t, _LONGEST_SECONDS)
            force = min(t / attack, 1.0)
            released = min(t - attack - hold, _LONGEST_SECONDS)
            if released > 0.0:
                force *= exp(-min(release_rate * released, _LARGEST_EXPONENT))
            weight = places.amplitude[j] * force * exp(-common * (since - reference))
            level += weight
            moment += weight * (since - reference)
            faded = force * exp(-min(noise_rate * since, _LARGEST_NOISE_EXPONENT))
            noise += places.power[j] * faded * faded
        centre = moment / (level + 1e-9)
        envelope[k, LEVEL] = level
        envelope[k, CENTRE] = centre
        envelope[k, AGE] = reference + centre
        envelope[k, NOISE] = noise


@njit(**EXACT)
def shape_envelope_back(
    scalars, common, first_second, frame_seconds, count, places, envelope, d_envelope, d_scalars
):
    """Add to ``d_scalars`` what ``d_envelope [T, 4]`` says of them.

    Returns the gradients of ``common`` and of ``first_second``.
    """
    attack, hold = scalars[ATTACK], scalars[HOLD]
    release_rate, noise_rate = scalars[RELEASE_RATE], scalars[NOISE_RATE]
    d_common = d_first = 0.0
    d_attack = d_hold = d_release = d_noise_rate = 0.0
    for k in range(count):
        time = first_second + k * frame_seconds
        reference = min(max(time, 0.0), _LONGEST_SECONDS)
        d_centre = d_envelope[k, CENTRE] + d_envelope[k, AGE]
        d_reference = d_envelope[k, AGE] * 1.0
        d_moment = d_centre / (envelope[k, LEVEL] + 1e-9)
        d_level = d_envelope[k, LEVEL] - envelope[k, CENTRE] * d_moment
        d_noise = d_envelope[k, NOISE]
        d_time = 0.0
        for j in range(places.seconds.shape[0]):
            t = time + places.seconds[j]
            if t <= 0.0:
                continue
            since = min(t, _LONGEST_SECONDS)
            rise = min(t / attack, 1.0)
            released = min(t - attack - hold, _LONGEST_SECONDS)
            fall = exp(-min(release_rate * released, _LARGEST_EXPONENT)) if released > 0.0 else 1.0
            late = since - reference
            decayed = places.amplitude[j] * exp(-common * late)
            fade = exp(-min(noise_rate * since, _LARGEST_NOISE_EXPONENT))
            force = rise * fall
            d_weight = d_level + late * d_moment
            d_late = decayed * force * (d_moment - common * d_weight)
            d_common -= late * decayed * force * d_weight
            noise = places.power[j] * force * force * fade * fade
            d_force = decayed * d_weight + 2.0 * places.power[j] * force * fade * fade * d_noise
            d_t = d_late
            d_reference -= d_late
            if noise_rate * since < _LARGEST_NOISE_EXPONENT:
                d_noise_rate -= 2.0 * since * noise * d_noise
                d_t -= 2.0 * noise_rate * noise * d_noise
            if released > 0.0 and release_rate * released < _LARGEST_EXPONENT:
                d_release -= released * force * d_force
                d_released = -release_rate * force * d_force
                d_t += d_released
                d_attack -= d_released
                d_hold -= d_released
            if rise < 1.0:
                d_rise = fall * d_force
                d_t += d_rise / attack
                d_attack -= d_rise * t / (attack * attack)
            d_time += d_t
        if time > 0.0:
            d_time += d_reference
        d_first += d_time
    d_scalars[ATTACK] += d_attack
    d_scalars[HOLD] += d_hold
    d_scalars[RELEASE_RATE] += d_release
    d_scalars[NOISE_RATE] += d_noise_rate
    return d_common, d_first
