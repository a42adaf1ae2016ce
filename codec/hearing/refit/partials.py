"""An event's partials and noise in frames, by way of the rooms too, with the gradient by hand.

The twin of the lower half of :func:`struck.codec.hearing.spectrum.compute_frames`. A room is an exponential
tail, so what reaches a frame by way of it is a one-pole filter along time of the powers that entered before::

    entered   ...  P[k-2]  P[k-1]  P[k]       heard[k] = now P[k] + later S[k]
    state                  S[k-1]  S[k]       S[k] = keep S[k-1] + P[k-1]

Axes: T frame, M mode that is heard, R room.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numba import njit

from ...events.controls import LN_1000
from ...events.event_spec import ROOM_COUNT, ROOM_T60_SECONDS
from ...playing.kernel_options import LINKED
from ..fast_math import fast_exp
from .control_tables import DECAY, DIRECT, FREQUENCY, GAIN, ROOM, TAIL, TAIL_SHARE
from .envelope import AGE, CENTRE, LEVEL, NOISE
from .loss import INNER_SUMS

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


@njit(**LINKED)
def gather_modes(modes, heard, heard_count, gathered):
    """Fill ``gathered [4, M]`` with the modes that are heard, side by side, for loops that are vectorised."""
    for row in (FREQUENCY, GAIN, DECAY, TAIL):
        for i in range(heard_count):
            gathered[row, i] = modes[row, heard[i]]


@njit(**LINKED)
def scatter_modes(gathered, heard, heard_count, modes):
    """Fill ``modes [4, M]`` with what is ``gathered`` of the modes heard; of others nothing."""
    modes.fill(_ZERO)
    for row in (FREQUENCY, GAIN, DECAY, TAIL):
        for i in range(heard_count):
            modes[row, heard[i]] = gathered[row, i]


@njit(**LINKED)
def sound_partials(scalars, modes, heard_count, common, envelope, count, rooms, tracks, noise, state):
    """Fill ``tracks [T, 4, M]`` and the noise's power ``noise [T]`` of one event.

    Args:
        modes: those that are heard, ``[4, M]``, see :func:`gather_modes`.
        common: as in ``envelope``.
        state: scratch, ``[R, M + 1]``.
    """
    share = scalars[TAIL_SHARE]
    direct = scalars[DIRECT]
    gain, decay, tail = modes[GAIN], modes[DECAY], modes[TAIL]
    state.fill(_ZERO)
    for k in range(count):
        level, age, noise_level = envelope[k, LEVEL], envelope[k, AGE], envelope[k, NOISE]
        base = common * envelope[k, CENTRE]
        track = tracks[k]
        dry, amplitude = track[DRY], track[AMPLITUDE]
        first_stage, second_stage = track[FIRST_STAGE], track[SECOND_STAGE]
        for i in range(heard_count):
            first = fast_exp(-min(max(decay[i] * age - base, _LEAST_EXPONENT), _LARGEST_EXPONENT))
            second = fast_exp(-min(max(tail[i] * age - base, _LEAST_EXPONENT), _LARGEST_EXPONENT))
            a = gain[i] * level * (first + share * (second - first))
            first_stage[i] = first
            second_stage[i] = second
            dry[i] = a
            amplitude[i] = direct * a * a + _TINY
        noise[k] = direct * noise_level
        for r in range(ROOM_COUNT):
            weight = scalars[ROOM + r]
            if weight > 0.0:
                now, later, keep = rooms.now[r], rooms.later[r], rooms.keep[r]
                kept = state[r]
                for i in range(heard_count):
                    entered = dry[i] * dry[i]
                    amplitude[i] += weight * (now * entered + later * kept[i])
                    kept[i] = keep * kept[i] + entered
                noise[k] += weight * (now * noise_level + later * kept[heard_count])
                kept[heard_count] = keep * kept[heard_count] + noise_level
        for i in range(heard_count):
            amplitude[i] = np.sqrt(amplitude[i])


@njit(**INNER_SUMS)
def sound_partials_back(
    scalars,
    modes,
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
        modes: those that are heard, ``[4, M]``, see :func:`gather_modes`; ``d_modes`` alike.
        d_amplitude: ``[T, M]``; ``d_noise [T]``.
        d_envelope: ``[T, 4]``, to which is added.

    Returns the gradient of ``common``.
    """
    share = scalars[TAIL_SHARE]
    direct = scalars[DIRECT]
    gain, decay, tail = modes[GAIN], modes[DECAY], modes[TAIL]
    d_gain, d_decay, d_tail = d_modes[GAIN], d_modes[DECAY], d_modes[TAIL]
    d_common = 0.0
    state.fill(_ZERO)  # what later frames say of a power that enters now
    for k in range(count - 1, -1, -1):
        level, age, noise_level = envelope[k, LEVEL], envelope[k, AGE], envelope[k, NOISE]
        centre = envelope[k, CENTRE]
        base = common * centre
        track = tracks[k]
        dry, amplitude = track[DRY], track[AMPLITUDE]
        first_stage, second_stage = track[FIRST_STAGE], track[SECOND_STAGE]
        d_heard = d_amplitude[k]
        d_direct = d_noise[k] * noise_level
        d_entered = direct * d_noise[k]
        of_dry = _ZERO
        for i in range(heard_count):
            d_power = d_heard[i] * (_HALF / amplitude[i])
            d_heard[i] = d_power  # from here on of the power after the rooms
            of_dry += d_power * dry[i] * dry[i]
            amplitude[i] = direct * d_power  # from here on what is said of the power before them
        d_scalars[DIRECT] += d_direct + of_dry
        for r in range(ROOM_COUNT):
            weight = scalars[ROOM + r]
            if weight > 0.0:
                now, later, keep = rooms.now[r], rooms.later[r], rooms.keep[r]
                kept = state[r]
                d_weight = _ZERO
                for i in range(heard_count):
                    said = now * d_heard[i] + kept[i]
                    d_weight += said * dry[i] * dry[i]
                    amplitude[i] += weight * said
                    kept[i] = keep * kept[i] + later * d_heard[i]
                said = now * d_noise[k] + kept[heard_count]
                d_weight += said * noise_level
                d_entered += weight * said
                kept[heard_count] = keep * kept[heard_count] + later * d_noise[k]
                d_scalars[ROOM + r] += d_weight
        d_envelope[k, NOISE] += d_entered
        d_level = d_age = d_base = d_share = _ZERO
        for i in range(heard_count):
            d_dry = _TWO * dry[i] * amplitude[i]
            first, second = first_stage[i], second_stage[i]
            shape = first + share * (second - first)
            d_gain[i] += level * shape * d_dry
            d_level += gain[i] * shape * d_dry
            d_shape = gain[i] * level * d_dry
            d_share += (second - first) * d_shape
            # Of the exponents; where they are held at their largest, nothing is said.
            d_first = -first * (_ONE - share) * d_shape
            d_second = -second * share * d_shape
            d_first = _ZERO * first if decay[i] * age - base > _LARGEST_EXPONENT else d_first
            d_second = _ZERO * second if tail[i] * age - base > _LARGEST_EXPONENT else d_second
            d_decay[i] += age * d_first
            d_tail[i] += age * d_second
            d_age += decay[i] * d_first + tail[i] * d_second
            d_base -= d_first + d_second
        d_scalars[TAIL_SHARE] += d_share
        d_envelope[k, LEVEL] += d_level
        d_envelope[k, AGE] += d_age
        d_envelope[k, CENTRE] += common * d_base
        d_common += centre * d_base
    return d_common
