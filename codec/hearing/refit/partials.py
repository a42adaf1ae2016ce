"""An event's partials and noise in frames, by way of the rooms too, with the gradient by hand.

The twin of the lower half of :func:`struck.codec.hearing.spectrum.compute_frames`. A room is an exponential
tail, so what reaches a frame by way of it is a one-pole filter along time of the powers that entered before::

    entered   ...  P[k-2]  P[k-1]  P[k]       heard[k] = now P[k] + later S[k]
    state                  S[k-1]  S[k]       S[k] = keep S[k-1] + P[k-1]

Axes: T frame, M mode that is heard, R room.
"""

from __future__ import annotations

from math import exp, sqrt
from typing import Final, NamedTuple

import numpy as np
from numba import njit

from ...events.controls import LN_1000
from ...events.event_spec import ROOM_COUNT, ROOM_T60_SECONDS
from ...playing.kernel_options import INNER
from .control_tables import DECAY, DIRECT, GAIN, ROOM, TAIL, TAIL_SHARE
from .envelope import AGE, CENTRE, LEVEL, NOISE

#: Rows of a mode's track: amplitude before the rooms, both stages of decay, amplitude after the rooms.
DRY: Final = 0
FIRST_STAGE: Final = 1
SECOND_STAGE: Final = 2
AMPLITUDE: Final = 3

_LEAST_EXPONENT: Final = np.float32(-20.0)
_LARGEST_EXPONENT: Final = np.float32(60.0)
_ZERO: Final = np.float32(0.0)
_ONE: Final = np.float32(1.0)
_TWO: Final = np.float32(2.0)
_HALF: Final = np.float32(0.5)
_TINY: Final = np.float32(1e-20)


class RoomFilters(NamedTuple):
    """Coefficients of the rooms' filters for frames a given time apart."""

    now: np.ndarray  # [R]
    later: np.ndarray  # [R]
    keep: np.ndarray  # [R]


def make_room_filters(frame_seconds: float, dtype: type = np.float32) -> RoomFilters:
    """Filters that do what the twin's tables say: powers enter half a frame before a frame's centre."""
    half = np.exp(-LN_1000 * frame_seconds / np.array(ROOM_T60_SECONDS))
    return RoomFilters(*(a.astype(dtype) for a in (1.0 - half, half * (1.0 - half**2), half**2)))


@njit(**INNER)
def sound_partials(scalars, modes, heard, heard_count, common, envelope, count, rooms, tracks, noise, state):
    """Fill ``tracks [T, 4, M]`` and the noise's power ``noise [T]`` of one event.

    Args:
        heard: modes that are heard, the first ``heard_count`` of it.
        common: as in ``envelope``.
        state: scratch, ``[R, M + 1]``.
    """
    share = scalars[TAIL_SHARE]
    direct = scalars[DIRECT]
    state.fill(_ZERO)
    for k in range(count):
        level, age, noise_level = envelope[k, LEVEL], envelope[k, AGE], envelope[k, NOISE]
        base = common * envelope[k, CENTRE]
        track = tracks[k]
        for i in range(heard_count):
            m = heard[i]
            first = exp(-min(max(modes[DECAY, m] * age - base, _LEAST_EXPONENT), _LARGEST_EXPONENT))
            second = exp(-min(max(modes[TAIL, m] * age - base, _LEAST_EXPONENT), _LARGEST_EXPONENT))
            dry = modes[GAIN, m] * level * (first + share * (second - first))
            track[FIRST_STAGE, i] = first
            track[SECOND_STAGE, i] = second
            track[DRY, i] = dry
            track[AMPLITUDE, i] = direct * dry * dry + _TINY
        noise[k] = direct * noise_level
        for r in range(ROOM_COUNT):
            weight = scalars[ROOM + r]
            if weight > 0.0:
                now, later, keep = rooms.now[r], rooms.later[r], rooms.keep[r]
                for i in range(heard_count):
                    entered = track[DRY, i] * track[DRY, i]
                    track[AMPLITUDE, i] += weight * (now * entered + later * state[r, i])
                    state[r, i] = keep * state[r, i] + entered
                noise[k] += weight * (now * noise_level + later * state[r, heard_count])
                state[r, heard_count] = keep * state[r, heard_count] + noise_level
        for i in range(heard_count):
            track[AMPLITUDE, i] = sqrt(track[AMPLITUDE, i])


@njit(**INNER)
def sound_partials_back(
    scalars,
    modes,
    heard,
    heard_count,
    common,
    envelope,
    count,
    rooms,
    tracks,
    d_amplitude,
    d_noise,
    state,
    d_scalars,
    d_modes,
    d_envelope,
):
    """Add to the gradients of scalars, modes and envelope what those of the tracks and of the noise say.

    Args:
        d_amplitude: ``[T, M]``; ``d_noise [T]``.
        d_envelope: ``[T, 4]``, to which is added.

    Returns the gradient of ``common``.
    """
    share = scalars[TAIL_SHARE]
    direct = scalars[DIRECT]
    d_common = 0.0
    state.fill(_ZERO)  # what later frames say of a power that enters now
    for k in range(count - 1, -1, -1):
        level, age, noise_level = envelope[k, LEVEL], envelope[k, AGE], envelope[k, NOISE]
        centre = envelope[k, CENTRE]
        base = common * centre
        track = tracks[k]
        d_heard = d_amplitude[k]
        d_direct = d_noise[k] * noise_level
        d_entered = direct * d_noise[k]
        for i in range(heard_count):
            d_heard[i] *= _HALF / track[AMPLITUDE, i]  # from here on of the power after the rooms
            d_direct += d_heard[i] * track[DRY, i] * track[DRY, i]
            track[AMPLITUDE, i] = direct * d_heard[i]  # from here on what is said of the power before them
        d_scalars[DIRECT] += d_direct
        for r in range(ROOM_COUNT):
            weight = scalars[ROOM + r]
            if weight > 0.0:
                now, later, keep = rooms.now[r], rooms.later[r], rooms.keep[r]
                d_weight = 0.0
                for i in range(heard_count):
                    said = now * d_heard[i] + state[r, i]
                    d_weight += said * track[DRY, i] * track[DRY, i]
                    track[AMPLITUDE, i] += weight * said
                    state[r, i] = keep * state[r, i] + later * d_heard[i]
                said = now * d_noise[k] + state[r, heard_count]
                d_weight += said * noise_level
                d_entered += weight * said
                state[r, heard_count] = keep * state[r, heard_count] + later * d_noise[k]
                d_scalars[ROOM + r] += d_weight
        d_envelope[k, NOISE] += d_entered
        d_level = d_age = d_base = d_share = 0.0
        for i in range(heard_count):
            m = heard[i]
            dry = track[DRY, i]
            d_dry = _TWO * dry * track[AMPLITUDE, i]
            first, second = track[FIRST_STAGE, i], track[SECOND_STAGE, i]
            shape = first + share * (second - first)
            d_modes[GAIN, m] += level * shape * d_dry
            d_level += modes[GAIN, m] * shape * d_dry
            d_shape = modes[GAIN, m] * level * d_dry
            d_share += (second - first) * d_shape
            d_first = -first * (_ONE - share) * d_shape  # of the exponents
            d_second = -second * share * d_shape
            if modes[DECAY, m] * age - base > _LARGEST_EXPONENT:
                d_first = _ZERO
            if modes[TAIL, m] * age - base > _LARGEST_EXPONENT:
                d_second = _ZERO
            d_modes[DECAY, m] += age * d_first
            d_modes[TAIL, m] += age * d_second
            d_age += modes[DECAY, m] * d_first + modes[TAIL, m] * d_second
            d_base -= d_first + d_second
        d_scalars[TAIL_SHARE] += d_share
        d_envelope[k, LEVEL] += d_level
        d_envelope[k, AGE] += d_age
        d_envelope[k, CENTRE] += common * d_base
        d_common += centre * d_base
    return d_common
