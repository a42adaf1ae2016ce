"""Compiled slides: how a sounding voice becomes what an amendment makes of its event.

The amendment acts at the voice's next chunk boundary. There the voice takes all coefficients of the new
record as they are at its present age; for the next few chunks it slides from what it was to what it is::

    weight 1 ──╮                    value = weight was + (1 - weight) is: amplitude and rotation of each
                ╲                   partial, noise power of each band, weights of the buses
           0     ╰───────────────   weight: a raised cosine, in steps of 16 samples, lines in between
          amended     <= 10 ms

What was goes on meanwhile as what is does: it decays and glides alike. So an amendment that changes nothing
is not heard.

Phases go on. A partial that was silent has no phase and no frequency to leave: it starts as at an onset. One
that will be silent, its frequency beyond the band, fades where it is.

Steps of a whole chunk would do for levels; they left 20 dB more of a sliding sine above 8 kHz.
"""

from __future__ import annotations

from math import cos, pi, sqrt
from typing import Final

import numpy as np
from numba import njit

from ..events.event_spec import MODE_COUNT
from .kernel_options import LINKED
from .partials import (
    advance_force,
    advance_levels,
    aim_rotation,
    glide_at,
    glide_left,
    sum_partials,
)
from .shared_noise import NOISE_COLUMNS
from .voice_records import BUS_COUNT, CHUNK, MODE_FIELDS, SCALAR
from .voice_state import (
    AIM,
    ALL_MODES,
    BEGIN,
    CHUNK_NUMBER,
    D_A,
    D_Y,
    FAST,
    FROM,
    LEFT,
    NOISE_BEGUN,
    NOISE_LEVEL,
    NOISE_NOW,
    NOISE_ON,
    NOISE_SHARE,
    NOISE_SLIDING,
    OMEGA,
    ONSET,
    RATIO,
    SHARE,
    SLIDE_FROM,
    SLIDING,
    TONE_LEVEL,
    Z_IM,
    Z_RE,
    A,
    K,
    Y,
)  # fmt: skip
from .voices import advance_noise

#: Samples between two values of a slide; CHUNK is a multiple of it, and it is a power of two.
STEP: Final = 16
_DOUBLINGS: Final = 4  # 2 ** 4 = STEP

#: SHARE of a partial that will be silent: however small the slide's weight is, it stays where it was.
STAYS: Final = np.float32(1e9)

_SCALAR_AT: Final = len(MODE_FIELDS) * MODE_COUNT
_SLIDE_CHUNKS: Final = SCALAR["fade_chunks"] - _SCALAR_AT
_QUARTER = 0.5 * pi
_ZERO = np.float32(0.0)
_ONE = np.float32(1.0)


@njit(**LINKED, forceinline=True)
def slide_weight(progress):
    """Share of what was, ``progress`` of the way; see :func:`struck.codec.events.segments.fade_weight`."""
    return 0.5 + 0.5 * cos(pi * min(1.0, max(0.0, progress)))


@njit(**FAST, forceinline=True)
def _half_turn(x):
    """Sine and cosine of ``x`` in [0, pi / 2] by their series, right to 1e-10; in vector instructions, which
    the library's are not."""
    square = x * x
    sine = 1.0 / 6227020800.0 - square / 1307674368000.0
    sine = -1.0 / 39916800.0 + square * sine
    sine = 1.0 / 362880.0 + square * sine
    sine = -1.0 / 5040.0 + square * sine
    sine = 1.0 / 120.0 + square * sine
    sine = x * (1.0 + square * (-1.0 / 6.0 + square * sine))
    cosine = 1.0 / 479001600.0 - square / 87178291200.0
    cosine = -1.0 / 3628800.0 + square * cosine
    cosine = 1.0 / 40320.0 + square * cosine
    cosine = -1.0 / 720.0 + square * cosine
    cosine = 1.0 + square * (-0.5 + square * (1.0 / 24.0 + square * cosine))
    return sine, cosine


@njit(**FAST, forceinline=True)
def left_amplitude(fast, v, m, amplitude):
    """What a slide leaves of a partial whose new amplitude is ``amplitude`` by now."""
    ratio = fast[v, RATIO, m]
    return min(fast[v, FROM, m], ratio * amplitude) if ratio > _ZERO else fast[v, FROM, m]


@njit(**FAST, forceinline=True)
def _prepare_step(slow, fast, scratch, v, ratio, weight, middle, next_weight, part, next_part):
    """Fill the kernel's working set for one step of a slide, and turn the phasors to its end.

    Weights are those at the step's start, middle and end; parts say how far through the chunk it begins and
    ends.
    """
    for m in range(MODE_COUNT):
        share = min(1.0, middle * fast[v, SHARE, m])
        half = 0.5 * (slow[v, OMEGA, m] * ratio + share * slow[v, LEFT, m])
        sine, cosine = _half_turn(min(_QUARTER, max(-_QUARTER, half)))  # beyond the band all are silent
        curve = 4.0 * sine * sine
        im = 2.0 * sine * cosine
        re = 1.0 - 0.5 * curve
        z_re = slow[v, Z_RE, m]
        z_im = slow[v, Z_IM, m]
        scratch[Y, m] = z_im
        scratch[D_Y, m] = z_im * (0.5 * curve) + z_re * im
        scratch[K, m] = curve
        for _ in range(_DOUBLINGS):
            re, im = re * re - im * im, 2.0 * re * im
        slow[v, Z_RE, m] = z_re * re - z_im * im
        slow[v, Z_IM, m] = z_re * im + z_im * re
    for m in range(MODE_COUNT):
        begin = scratch[BEGIN, m]
        aim = scratch[AIM, m]
        start = begin + part * (aim - begin)
        start = weight * left_amplitude(fast, v, m, start) + (_ONE - weight) * start
        end = begin + next_part * (aim - begin)
        end = next_weight * left_amplitude(fast, v, m, end) + (_ONE - next_weight) * end
        scratch[A, m] = start
        scratch[D_A, m] = (end - start) * np.float32(1.0 / STEP)


@njit(**LINKED)
def render_sliding_chunk(slow, fast, scalars, levels, counts, scratch, chunk, v):
    """Compute the next chunk of voice ``v``, which slides, to ``chunk``. The arrays are those of
    :class:`~struck.codec.playing.voice_state.VoiceState`."""
    number = counts[v, CHUNK_NUMBER]
    boundary = number + 1
    counts[v, CHUNK_NUMBER] = boundary
    force, released = advance_force(scalars, levels, v, boundary)
    bend = 1.0 + glide_at(scalars, v, boundary)
    power = advance_levels(
        fast, scratch, v, ALL_MODES, np.float32(force), np.float32(boundary), np.float32(bend)
    )
    levels[v, TONE_LEVEL] = power * released * released
    ratio = 1.0 + glide_left(scalars, v, number)
    length = scalars[v, _SLIDE_CHUNKS] * CHUNK
    passed = (number - counts[v, SLIDE_FROM]) * CHUNK
    for first in range(0, CHUNK, STEP):
        _prepare_step(
            slow, fast, scratch, v, ratio,
            np.float32(slide_weight((passed + first) / length)),
            np.float32(slide_weight((passed + first + STEP // 2) / length)),
            np.float32(slide_weight((passed + first + STEP) / length)),
            np.float32(first / CHUNK), np.float32((first + STEP) / CHUNK),
        )  # fmt: skip
        sum_partials(scratch, ALL_MODES, chunk, first, first + STEP)
    if boundary - counts[v, SLIDE_FROM] >= scalars[v, _SLIDE_CHUNKS]:
        counts[v, SLIDING] = 0
        aim_rotation(slow, fast, scalars, levels, v, number)


@njit(**LINKED)
def add_sliding_chunk(chunk, weights, weights_from, scalars, counts, v, ahead, place):
    """Add the ``chunk`` that voice ``v`` just rendered to ``ahead [BUS_COUNT, >= place + CHUNK]``, while the
    weights of the buses slide."""
    length = scalars[v, _SLIDE_CHUNKS] * CHUNK
    passed = (counts[v, CHUNK_NUMBER] - 1 - counts[v, SLIDE_FROM]) * CHUNK
    for bus in range(BUS_COUNT):
        weight = weights[v, bus]
        change = weights_from[v, bus] - weight
        if weight == _ZERO and change == _ZERO:
            continue
        for first in range(0, CHUNK, STEP):
            start = weight + change * np.float32(slide_weight((passed + first) / length))
            end = weight + change * np.float32(slide_weight((passed + first + STEP) / length))
            step = (end - start) * np.float32(1.0 / STEP)
            for n in range(STEP):
                ahead[bus, place + first + n] += (start + step * np.float32(n)) * chunk[first + n]


@njit(**LINKED)
def add_sliding_noise_power(scalars, levels, counts, weights, own, left, v, power, position):
    """As :func:`~struck.codec.playing.voices.add_noise_power`, while the noise of voice ``v`` slides;
    ``left`` is ``VoiceState.noise_from``."""
    envelope = advance_noise(scalars, levels, counts, v, position)
    passed = position - counts[v, ONSET] - counts[v, SLIDE_FROM] * CHUNK
    share = slide_weight(passed / (scalars[v, _SLIDE_CHUNKS] * CHUNK))
    fresh = 1.0 - share
    levels[v, NOISE_NOW] = max(0.0, envelope) * sqrt(fresh)
    if share == 0.0:
        counts[v, NOISE_SLIDING] = 0
    if envelope < 0.0:
        envelope = 0.0
        levels[v, NOISE_LEVEL] = 0.0
        counts[v, NOISE_ON] = counts[v, NOISE_SLIDING]
    begun = levels[v, NOISE_BEGUN]
    if begun > 0.0:
        share *= min(1.0, (envelope / begun) ** 2)
    levels[v, NOISE_SHARE] = share
    for bus in range(BUS_COUNT):
        amount = np.float32((weights[v, bus] * envelope) ** 2 * fresh)
        for b in range(NOISE_COLUMNS):
            power[bus, b] += amount * own[v, b] + np.float32(share) * left[v, bus, b]
