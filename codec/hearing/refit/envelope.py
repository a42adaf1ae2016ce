"""What a frame's window sees of an event's force and decay, with the gradient by hand.

The twin of the upper half of :func:`struck.codec.hearing.spectrum.compute_frames`, for one event and any
frames from any first age on. Axes: T frame, J place under the window.
"""

from __future__ import annotations

from math import exp
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit

from ...playing.kernel_options import LINKED
from ..spectrum import make_frame_tables
from .control_tables import ATTACK, HOLD, NOISE_RATE, RELEASE_RATE

#: Columns of an envelope ``[T, 4]``: the force averaged under the window, how much later than the frame's
#: centre the window sees most of it (s), the age there (s), and the noise's power.
LEVEL: Final = 0
CENTRE: Final = 1
AGE: Final = 2
NOISE: Final = 3

#: Rows of what is the same at a place under every window: decay, the noise's fading, release.
_DECAYED: Final = 0
_FADED: Final = 1
_RELEASED: Final = 2


class WindowPlaces(NamedTuple):
    """Places under a frame's window and their weights."""

    seconds: np.ndarray  # [J] from the frame's centre
    amplitude: np.ndarray  # [J] sum 1
    power: np.ndarray  # [J] sum 1


def make_window_places(n_fft: int, dtype: Any = np.float32) -> WindowPlaces:
    """Places of the twin's tables."""
    tables = make_frame_tables(np.arange(2), n_fft)
    return WindowPlaces(*(a.astype(dtype) for a in (tables.places, tables.window, tables.window_squared)))


@njit(**LINKED)
def _fill_factors(scalars, common, places, factors):
    """Fill ``factors [3, J]``: what decay, fading and release make of each place beside a window's centre.

    An exponential of ``time + place`` is a product: three exponentials a frame do for all its places.
    """
    for j in range(places.seconds.shape[0]):
        factors[_DECAYED, j] = exp(-common * places.seconds[j])
        factors[_FADED, j] = exp(-scalars[NOISE_RATE] * places.seconds[j])
        factors[_RELEASED, j] = exp(-scalars[RELEASE_RATE] * places.seconds[j])


@njit(**LINKED)
def _at_centre(scalars, common, time, last_place):
    """Age of an event at a window's centre, its decay, fading and release there, and the release's time."""
    reference = max(time, 0.0)
    released = time - scalars[ATTACK] - scalars[HOLD]
    fall = exp(-scalars[RELEASE_RATE] * released) if released + last_place > 0.0 else 1.0
    return reference, exp(-common * (time - reference)), exp(-scalars[NOISE_RATE] * time), fall, released


@njit(**LINKED)
def shape_envelope(scalars, common, first_second, frame_seconds, count, places, factors, envelope):
    """Fill ``envelope [>= count, 4]`` for frames ``frame_seconds`` apart.

    Args:
        common: decay rate (1/s) that all modes are taken to have under the window.
        first_second: age of the event at the first frame's centre; negative before the onset.
        factors: scratch, float64 ``[3, J]``.
    """
    attack = scalars[ATTACK]
    _fill_factors(scalars, common, places, factors)
    size = places.seconds.shape[0]
    for k in range(count):
        time = first_second + k * frame_seconds
        reference, decay, fade, fall, released = _at_centre(scalars, common, time, places.seconds[size - 1])
        level = moment = noise = 0.0
        for j in range(size):
            t = time + places.seconds[j]
            if t <= 0.0:
                continue  # no force yet
            force = min(t / attack, 1.0)
            if released + places.seconds[j] > 0.0:
                force *= fall * factors[_RELEASED, j]
            weight = places.amplitude[j] * force * decay * factors[_DECAYED, j]
            level += weight
            moment += weight * (t - reference)
            faded = force * fade * factors[_FADED, j]
            noise += places.power[j] * faded * faded
        centre = moment / (level + 1e-9)
        envelope[k, LEVEL] = level
        envelope[k, CENTRE] = centre
        envelope[k, AGE] = reference + centre
        envelope[k, NOISE] = noise


@njit(**LINKED)
def shape_envelope_back(
    scalars, common, first_second, frame_seconds, count, places, factors, envelope, d_envelope, d_scalars
):
    """Add to ``d_scalars`` what ``d_envelope [T, 4]`` says of them.

    Returns the gradients of ``common`` and of ``first_second``.
    """
    attack, release_rate, noise_rate = scalars[ATTACK], scalars[RELEASE_RATE], scalars[NOISE_RATE]
    _fill_factors(scalars, common, places, factors)
    size = places.seconds.shape[0]
    d_common = d_first = 0.0
    d_attack = d_hold = d_release = d_noise_rate = 0.0
    for k in range(count):
        time = first_second + k * frame_seconds
        reference, decay, fade, fall, released = _at_centre(scalars, common, time, places.seconds[size - 1])
        d_centre = d_envelope[k, CENTRE] + d_envelope[k, AGE]
        d_reference = d_envelope[k, AGE] * 1.0
        d_moment = d_centre / (envelope[k, LEVEL] + 1e-9)
        d_level = d_envelope[k, LEVEL] - envelope[k, CENTRE] * d_moment
        d_noise = d_envelope[k, NOISE]
        d_time = 0.0
        for j in range(size):
            t = time + places.seconds[j]
            if t <= 0.0:
                continue
            rise = min(t / attack, 1.0)
            since_release = released + places.seconds[j]
            fallen = fall * factors[_RELEASED, j] if since_release > 0.0 else 1.0
            late = t - reference
            decayed = places.amplitude[j] * decay * factors[_DECAYED, j]
            faded = fade * factors[_FADED, j]
            force = rise * fallen
            d_weight = d_level + late * d_moment
            d_late = decayed * force * (d_moment - common * d_weight)
            d_common -= late * decayed * force * d_weight
            noise = places.power[j] * force * force * faded * faded
            d_force = decayed * d_weight + 2.0 * places.power[j] * force * faded * faded * d_noise
            d_reference -= d_late
            d_noise_rate -= 2.0 * t * noise * d_noise
            d_t = d_late - 2.0 * noise_rate * noise * d_noise
            if since_release > 0.0:
                d_release -= since_release * force * d_force
                d_released = -release_rate * force * d_force
                d_t += d_released
                d_attack -= d_released
                d_hold -= d_released
            if rise < 1.0:
                d_rise = fallen * d_force
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
