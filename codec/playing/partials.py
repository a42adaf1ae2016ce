"""Compiled partials: 64 to a voice, damped and gliding, in chunks of 64 samples from its own onset.

Within a chunk a partial is a float32 recursion in Reinsch's form of the two-term sine recurrence (Oliver
1977; exact at low frequencies, where ``y'' = 2 cos(w) y' - y`` loses all its digits)::

    out += a y;   d -= k y;   y += d;   a += D          k = 2 - 2 cos(w)

four operations per partial and sample. It restarts in every chunk from a float64 phasor, which itself is
multiplied by one float64 rotation per chunk, so nothing drifts: over minutes the phase is right to 1e-9.
Amplitudes are exact at chunk boundaries and linear in between. No function here is called with more than it
needs for one voice or one grid cell, none allocates, and none checks its arguments.
"""

from __future__ import annotations

from math import cos, sin

import numpy as np
from numba import njit

from ..events.event_spec import BANDWIDTH_HZ, MODE_COUNT
from .kernel_options import LINKED, NOUGHT
from .voice_records import AUDIBLE, BUS_COUNT, CHUNK, MODE, SCALAR
from .voice_state import (
    AIM,
    ALL_MODES,
    AMPLITUDE,
    BEGIN,
    C_IM,
    C_RE,
    CHUNK_NUMBER,
    CURVE,
    D_A,
    D_Y,
    ENDED,
    FACTOR1,
    FACTOR2,
    FADE,
    FAST,
    FREQUENCY,
    GLIDE_IM,
    GLIDE_RE,
    LIFE,
    MODES,
    NEVER_ENDED,
    OMEGA,
    RELEASE,
    SETTLED_IM,
    SETTLED_RE,
    SINE,
    STAGE1,
    STAGE2,
    TONE_LEVEL,
    TONE_ON,
    TURN_IM,
    TURN_RE,
    WHOLE_CHUNK,
    Z_IM,
    Z_RE,
    A,
    K,
    Y,
)  # fmt: skip

_SCALAR_AT = len(MODE) * MODE_COUNT
_ATTACK_STEP = SCALAR["attack_step"] - _SCALAR_AT
_RELEASE_CHUNK = SCALAR["release_chunk"] - _SCALAR_AT
_RELEASE_FIRST = SCALAR["release_first"] - _SCALAR_AT
_RELEASE_FACTOR = SCALAR["release_factor"] - _SCALAR_AT
_GLIDE_RATIO = SCALAR["glide_ratio"] - _SCALAR_AT
_GLIDE_PER_CHUNK = SCALAR["glide_per_chunk"] - _SCALAR_AT
_GLIDE_CHUNKS = SCALAR["glide_chunks"] - _SCALAR_AT

#: The kernel walks the modes in groups of this many; a power of two that divides MODE_COUNT.
MODE_GROUP = 32
TINY = np.float32(1e-20)  # decays stop here: denormal numbers are slow
_CHUNK = np.uint64(CHUNK)
_ZERO = np.float32(0.0)
_ONE = np.float32(1.0)


@njit(**FAST, forceinline=True)
def sum_partials(scratch, count, out, first, last):
    """``out[first:last]`` = sum of ``count`` partials, a multiple of eight samples: eight per pass keep each
    partial in registers."""
    for n in range(first, last, 8):
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = _ZERO
        for m in range(count):
            y = scratch[Y, m]
            d = scratch[D_Y, m]
            k = scratch[K, m]
            a = scratch[A, m]
            step = scratch[D_A, m]
            s0 += a * y
            d -= k * y
            y += d
            a += step
            s1 += a * y
            d -= k * y
            y += d
            a += step
            s2 += a * y
            d -= k * y
            y += d
            a += step
            s3 += a * y
            d -= k * y
            y += d
            a += step
            s4 += a * y
            d -= k * y
            y += d
            a += step
            s5 += a * y
            d -= k * y
            y += d
            a += step
            s6 += a * y
            d -= k * y
            y += d
            a += step
            s7 += a * y
            d -= k * y
            y += d
            scratch[Y, m] = y
            scratch[D_Y, m] = d
            scratch[A, m] = a + step
        out[n] = s0
        out[n + 1] = s1
        out[n + 2] = s2
        out[n + 3] = s3
        out[n + 4] = s4
        out[n + 5] = s5
        out[n + 6] = s6
        out[n + 7] = s7


@njit(**LINKED, forceinline=True)
def set_rotation(slow, fast, v, count):
    """Turn per chunk and recursion coefficients from the rotation per sample ``c``: turn = c ** 64."""
    for m in range(count):
        re = slow[v, C_RE, m]
        im = slow[v, C_IM, m]
        fast[v, CURVE, m] = 2.0 - 2.0 * re
        fast[v, SINE, m] = im
        for _ in range(6):  # 2 ** 6 = CHUNK
            re, im = re * re - im * im, 2.0 * re * im
        slow[v, TURN_RE, m] = re
        slow[v, TURN_IM, m] = im


@njit(**LINKED, forceinline=True)
def advance_force(scalars, levels, v, boundary):
    """Force at chunk ``boundary``, the next one, and how much of it the release has left."""
    release_chunk = scalars[v, _RELEASE_CHUNK]
    if boundary < release_chunk:
        return min(1.0, boundary * CHUNK * scalars[v, _ATTACK_STEP]), 1.0
    released = scalars[v, _RELEASE_FIRST]
    if boundary > release_chunk:
        released = levels[v, RELEASE] * scalars[v, _RELEASE_FACTOR]
    levels[v, RELEASE] = released
    return released, released


@njit(**LINKED, forceinline=True)
def force_at(scalars, levels, v, number):
    """Force at chunk ``number``, of which nothing is known yet; the release goes on from there."""
    release_chunk = scalars[v, _RELEASE_CHUNK]
    if number < release_chunk:
        return min(1.0, number * CHUNK * scalars[v, _ATTACK_STEP])
    released = scalars[v, _RELEASE_FIRST] * scalars[v, _RELEASE_FACTOR] ** (number - release_chunk)
    levels[v, RELEASE] = released
    return released


@njit(**LINKED, forceinline=True)
def glide_left(scalars, v, number):
    """What the glide adds, as a share of the settled frequency, in chunk ``number``."""
    if number >= scalars[v, _GLIDE_CHUNKS]:
        return 0.0
    return scalars[v, _GLIDE_RATIO] * max(0.0, 1.0 - (number + 0.5) * scalars[v, _GLIDE_PER_CHUNK])


@njit(**LINKED, forceinline=True)
def glide_at(scalars, v, number):
    """What the glide adds, as a share of the settled frequency, at chunk boundary ``number``."""
    return scalars[v, _GLIDE_RATIO] * max(0.0, 1.0 - number * scalars[v, _GLIDE_PER_CHUNK])


@njit(**LINKED)
def aim_rotation(slow, fast, scalars, levels, v, number):
    """Set the rotation of all partials to that of chunk ``number``, for a glide to go on from."""
    if number < scalars[v, _GLIDE_CHUNKS]:
        ratio = 1.0 + glide_left(scalars, v, number)
        for m in range(MODE_COUNT):
            slow[v, C_RE, m] = cos(slow[v, OMEGA, m] * ratio)
            slow[v, C_IM, m] = sin(slow[v, OMEGA, m] * ratio)
    else:
        for m in range(MODE_COUNT):
            slow[v, C_RE, m] = slow[v, SETTLED_RE, m]
            slow[v, C_IM, m] = slow[v, SETTLED_IM, m]
    set_rotation(slow, fast, v, ALL_MODES)


@njit(**LINKED, forceinline=True)
def _glide(slow, fast, scalars, v, number, count):
    """Set the frequencies of chunk ``number``; returns freq(t) / settled freq at its end."""
    glide_chunks = scalars[v, _GLIDE_CHUNKS]
    if number > glide_chunks or glide_chunks == 0.0:
        return 1.0
    if number == glide_chunks:
        for m in range(count):
            slow[v, C_RE, m] = slow[v, SETTLED_RE, m]
            slow[v, C_IM, m] = slow[v, SETTLED_IM, m]
    elif number > 0:
        for m in range(count):
            re = slow[v, C_RE, m]
            im = slow[v, C_IM, m]
            slow[v, C_RE, m] = re * slow[v, GLIDE_RE, m] - im * slow[v, GLIDE_IM, m]
            slow[v, C_IM, m] = re * slow[v, GLIDE_IM, m] + im * slow[v, GLIDE_RE, m]
    if number > 0:
        set_rotation(slow, fast, v, count)
    return 1.0 + scalars[v, _GLIDE_RATIO] * max(0.0, 1.0 - (number + 1) * scalars[v, _GLIDE_PER_CHUNK])


@njit(**FAST, forceinline=True)
def edge_share(fast, v, m, bend):
    """Share of its amplitude that a partial has at ``bend`` times its frequency, near the band edge."""
    left = (np.float32(BANDWIDTH_HZ) - fast[v, FREQUENCY, m] * bend) / fast[v, FADE, m]
    return min(_ONE, max(_ZERO, left))


@njit(**FAST, forceinline=True)
def advance_levels(fast, scratch, v, count, force, boundary, bend):
    """Let ``count`` partials decay to chunk ``boundary``: where the amplitude of each begins and ends goes
    into the working set. Returns their power without the force. ``bend`` is freq(t) / settled freq there."""
    power = _ZERO
    for m in range(count):
        stage1 = fast[v, STAGE1, m] * fast[v, FACTOR1, m]
        stage2 = fast[v, STAGE2, m] * fast[v, FACTOR2, m]
        stage1 = stage1 if stage1 > TINY else _ZERO
        stage2 = stage2 if stage2 > TINY else _ZERO
        fast[v, STAGE1, m] = stage1
        fast[v, STAGE2, m] = stage2
        level = stage1 + stage2
        power += level * level
        target = force * level if fast[v, LIFE, m] > boundary else _ZERO
        if bend > _ONE:
            target *= edge_share(fast, v, m, bend)
        scratch[BEGIN, m] = fast[v, AMPLITUDE, m]
        scratch[AIM, m] = target
        fast[v, AMPLITUDE, m] = target
    return power


@njit(**FAST, forceinline=True)
def _prepare_partials(slow, fast, scratch, v, count, force, boundary, bend):
    """Fill the kernel's working set for a chunk that ends at chunk ``boundary``; advance phasors and decays.

    Returns the partials' power without the force. ``bend`` is freq(t) / settled freq at the boundary.
    """
    for m in range(count):
        curve = fast[v, CURVE, m]
        z_re = slow[v, Z_RE, m]
        z_im = slow[v, Z_IM, m]
        scratch[Y, m] = z_im
        scratch[D_Y, m] = z_im * (0.5 * curve) + z_re * fast[v, SINE, m]
        scratch[K, m] = curve
        slow[v, Z_RE, m] = z_re * slow[v, TURN_RE, m] - z_im * slow[v, TURN_IM, m]
        slow[v, Z_IM, m] = z_re * slow[v, TURN_IM, m] + z_im * slow[v, TURN_RE, m]
    power = advance_levels(fast, scratch, v, count, force, boundary, bend)
    for m in range(count):
        start = scratch[BEGIN, m]
        scratch[A, m] = start
        scratch[D_A, m] = (scratch[AIM, m] - start) * np.float32(1.0 / CHUNK)
    return power


@njit(**LINKED, forceinline=True)
def render_chunk(slow, fast, scalars, levels, counts, scratch, chunk, v):
    """Compute the next chunk of voice ``v`` to ``chunk``; False if no mode is heard any more.

    The arrays are those of :class:`~struck.codec.playing.voice_state.VoiceState`.
    """
    number = counts[v, CHUNK_NUMBER]
    modes = counts[v, MODES]
    while modes > 0 and fast[v, LIFE, modes - 1] <= number:
        modes -= 1
    boundary = number + 1
    counts[v, MODES] = modes
    counts[v, CHUNK_NUMBER] = boundary
    if modes == 0:
        counts[v, TONE_ON] = 0
        levels[v, TONE_LEVEL] = 0.0
        return False
    count = (modes + MODE_GROUP - 1) // MODE_GROUP * MODE_GROUP
    bend = _glide(slow, fast, scalars, v, number, count)
    force, released = advance_force(scalars, levels, v, boundary)
    power = _prepare_partials(
        slow, fast, scratch, v, count, np.float32(force), np.float32(boundary), np.float32(bend)
    )
    levels[v, TONE_LEVEL] = power * released * released
    if counts[v, ENDED] != NEVER_ENDED and levels[v, TONE_LEVEL] < AUDIBLE**2:
        counts[v, MODES] = 0  # released early, it is silent before the lives of its modes are over
    sum_partials(scratch, count, chunk, NOUGHT, WHOLE_CHUNK)
    return True


@njit(**LINKED, forceinline=True)
def add_chunk(chunk, weights, v, ahead, place):
    """Add ``chunk`` to ``ahead [BUS_COUNT, >= place + CHUNK]`` with the bus weights of voice ``v``."""
    first = np.uint64(place)  # an index that cannot be negative lets the loop become vector instructions
    for bus in range(BUS_COUNT):
        weight = weights[v, bus]
        if weight != _ZERO:
            for n in range(_CHUNK):
                ahead[bus, first + n] += weight * chunk[n]
