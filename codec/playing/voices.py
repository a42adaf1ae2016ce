"""Compiled voices: 64 damped, gliding partials each, in chunks of 64 samples from their own onset.

Within a chunk a partial is a float32 recursion in Reinsch's form of the two-term sine recurrence (Oliver
1977; exact at low frequencies, where ``y'' = 2 cos(w) y' - y`` loses all its digits)::

    out += a y;   d -= k y;   y += d;   a += D          k = 2 - 2 cos(w)

four operations per partial and sample. It restarts in every chunk from a float64 phasor, which itself is
multiplied by one float64 rotation per chunk, so nothing drifts: over minutes the phase is right to 1e-9.
Amplitudes are exact at chunk boundaries and linear in between. No function here is called with more than it
needs for one voice or one grid cell, none allocates, and none checks its arguments.
"""

from __future__ import annotations

from math import cos, exp, sin
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit

from ..events.event_spec import BANDWIDTH_HZ, MODE_COUNT, NOISE_BAND_COUNT
from .kernel_options import EXACT
from .shared_noise import NOISE_COLUMNS
from .voice_records import BUS_AT, BUS_COUNT, CHUNK, MODE, NOISE_AT, SCALAR, SCALARS

# rows of VoiceState.slow (float64 per mode)
Z_RE, Z_IM, TURN_RE, TURN_IM, C_RE, C_IM, GLIDE_RE, GLIDE_IM, SETTLED_RE, SETTLED_IM = range(10)
# rows of VoiceState.fast (float32 per mode)
CURVE, SINE, AMPLITUDE, STAGE1, STAGE2, FACTOR1, FACTOR2, LIFE, FREQUENCY, FADE = range(10)
# rows of VoiceState.scratch
Y, D_Y, K, A, D_A = range(5)
# columns of VoiceState.counts
CHUNK_NUMBER, MODES, TONE_ON, NOISE_ON, ONSET, ARRIVAL, KEY, ASKED, EVENT_ID = range(9)
# columns of VoiceState.levels
RELEASE, TONE_LEVEL, NOISE_LEVEL, NOISE_DECAY, NOISE_RELEASE, BEND, BENT = range(7)

_SCALAR_AT = len(MODE) * MODE_COUNT
_ATTACK_STEP = SCALAR["attack_step"] - _SCALAR_AT
_HOLD_END = SCALAR["hold_end"] - _SCALAR_AT
_RELEASE_PER_SAMPLE = SCALAR["release_per_sample"] - _SCALAR_AT
_RELEASE_CHUNK = SCALAR["release_chunk"] - _SCALAR_AT
_RELEASE_FIRST = SCALAR["release_first"] - _SCALAR_AT
_RELEASE_FACTOR = SCALAR["release_factor"] - _SCALAR_AT
_GLIDE_RATIO = SCALAR["glide_ratio"] - _SCALAR_AT
_GLIDE_PER_CHUNK = SCALAR["glide_per_chunk"] - _SCALAR_AT
_GLIDE_CHUNKS = SCALAR["glide_chunks"] - _SCALAR_AT
_NOISE_PER_SAMPLE = SCALAR["noise_per_sample"] - _SCALAR_AT
_NOISE_FACTOR = SCALAR["noise_factor"] - _SCALAR_AT
_NOISE_LIFE = SCALAR["noise_life"] - _SCALAR_AT
_NOISE_POWER = SCALAR["noise_power"] - _SCALAR_AT
_TONE_POWER = SCALAR["tone_power"] - _SCALAR_AT
_ROTATION_RE, _ROTATION_IM = MODE["rotation_re"], MODE["rotation_im"]
_GLIDE_RE, _GLIDE_IM = MODE["glide_re"], MODE["glide_im"]
_SETTLED_RE, _SETTLED_IM = MODE["settled_re"], MODE["settled_im"]
_PHASOR_RE, _PHASOR_IM = MODE["phasor_re"], MODE["phasor_im"]
_STAGE1, _STAGE2 = MODE["stage1"], MODE["stage2"]
_FACTOR1, _FACTOR2 = MODE["factor1"], MODE["factor2"]
_FREQUENCY, _FADE, _LIFE = MODE["frequency_hz"], MODE["fade_hz"], MODE["life_chunks"]
_SCALAR_COUNT = len(SCALARS)

#: The kernel walks the modes in groups of this many; a power of two that divides MODE_COUNT.
MODE_GROUP = 32
_TINY = np.float32(1e-20)  # decays stop here: denormal numbers are slow
_CHUNK = np.uint64(CHUNK)
_ZERO = np.float32(0.0)
_ONE = np.float32(1.0)
#: Whole chunks only: sums may be reordered by the compiler, the same way every time.
_FAST: Final[dict[str, Any]] = {**EXACT, "fastmath": {"contract", "reassoc", "nsz"}}


class VoiceState(NamedTuple):
    """Arrays of V voices."""

    slow: np.ndarray  # float64 [V, 10, MODE_COUNT] phasors and rotations
    fast: np.ndarray  # float32 [V, 10, MODE_COUNT] amplitudes and decays
    scalars: np.ndarray  # float64 [V, S] copied from the record
    levels: np.ndarray  # float64 [V, 7] force in the release, powers for stealing, noise envelope, bends
    counts: np.ndarray  # int64 [V, 9] next chunk, sounding modes, two flags, onset, arrival, key, ...
    noise: np.ndarray  # float32 [V, NOISE_COLUMNS] power in each band
    bus: np.ndarray  # float32 [V, BUS_COUNT] weights
    chunk: np.ndarray  # float32 [CHUNK] the chunk just rendered
    scratch: np.ndarray  # float32 [5, MODE_COUNT] the kernel's working set


def make_voice_state(voice_count: int) -> VoiceState:
    """Silent voices."""
    return VoiceState(
        slow=np.zeros((voice_count, 10, MODE_COUNT)),
        fast=np.zeros((voice_count, 10, MODE_COUNT), dtype=np.float32),
        scalars=np.zeros((voice_count, _SCALAR_COUNT)),
        levels=np.zeros((voice_count, 7)),
        counts=np.zeros((voice_count, 9), dtype=np.int64),
        noise=np.zeros((voice_count, NOISE_COLUMNS), dtype=np.float32),
        bus=np.zeros((voice_count, BUS_COUNT), dtype=np.float32),
        chunk=np.zeros(CHUNK, dtype=np.float32),
        scratch=np.zeros((5, MODE_COUNT), dtype=np.float32),
    )


@njit(**_FAST, forceinline=True)
def _sum_partials(scratch, count, out):
    """``out [CHUNK]`` = sum of ``count`` partials; eight samples per pass keep each partial in registers."""
    for n in range(0, CHUNK, 8):
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


@njit(**EXACT, forceinline=True)
def _set_rotation(slow, fast, v, count):
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


@njit(**EXACT, forceinline=True)
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
        _set_rotation(slow, fast, v, count)
    return 1.0 + scalars[v, _GLIDE_RATIO] * max(0.0, 1.0 - (number + 1) * scalars[v, _GLIDE_PER_CHUNK])


@njit(**_FAST, forceinline=True)
def _prepare_partials(slow, fast, scratch, v, count, force, boundary, bend):
    """Fill the kernel's working set for a chunk that ends at chunk ``boundary``; advance phasors and decays.

    Returns the partials' power without the force. ``bend`` is freq(t) / settled freq at the boundary.
    """
    power = _ZERO
    edge = np.float32(BANDWIDTH_HZ)
    for m in range(count):
        curve = fast[v, CURVE, m]
        z_re = slow[v, Z_RE, m]
        z_im = slow[v, Z_IM, m]
        scratch[Y, m] = z_im
        scratch[D_Y, m] = z_im * (0.5 * curve) + z_re * fast[v, SINE, m]
        scratch[K, m] = curve
        slow[v, Z_RE, m] = z_re * slow[v, TURN_RE, m] - z_im * slow[v, TURN_IM, m]
        slow[v, Z_IM, m] = z_re * slow[v, TURN_IM, m] + z_im * slow[v, TURN_RE, m]
    for m in range(count):
        stage1 = fast[v, STAGE1, m] * fast[v, FACTOR1, m]
        stage2 = fast[v, STAGE2, m] * fast[v, FACTOR2, m]
        stage1 = stage1 if stage1 > _TINY else _ZERO
        stage2 = stage2 if stage2 > _TINY else _ZERO
        fast[v, STAGE1, m] = stage1
        fast[v, STAGE2, m] = stage2
        level = stage1 + stage2
        power += level * level
        target = force * level if fast[v, LIFE, m] > boundary else _ZERO
        if bend > _ONE:
            target *= min(_ONE, max(_ZERO, (edge - fast[v, FREQUENCY, m] * bend) / fast[v, FADE, m]))
        start = fast[v, AMPLITUDE, m]
        fast[v, AMPLITUDE, m] = target
        scratch[A, m] = start
        scratch[D_A, m] = (target - start) * np.float32(1.0 / CHUNK)
    return power


@njit(**EXACT, forceinline=True)
def render_chunk(slow, fast, scalars, levels, counts, scratch, chunk, v):
    """Compute the next chunk of voice ``v`` to ``chunk``; False if no mode is heard any more.

    The arrays are those of :class:`VoiceState`, passed one by one: taking them out of the tuple, or taking
    views, for every voice would cost a third of the time in reference counts.
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
    bend = _glide(slow, fast, scalars, v, number, count) * levels[v, BEND]
    release_chunk = scalars[v, _RELEASE_CHUNK]
    if boundary < release_chunk:
        force = min(1.0, boundary * CHUNK * scalars[v, _ATTACK_STEP])
        released = 1.0
    else:
        released = scalars[v, _RELEASE_FIRST]
        if boundary > release_chunk:
            released = levels[v, RELEASE] * scalars[v, _RELEASE_FACTOR]
        levels[v, RELEASE] = released
        force = released
    power = _prepare_partials(
        slow, fast, scratch, v, count, np.float32(force), np.float32(boundary), np.float32(bend)
    )
    levels[v, TONE_LEVEL] = power * released * released
    _sum_partials(scratch, count, chunk)
    return True


@njit(**EXACT, forceinline=True)
def add_chunk(chunk, weights, v, ahead, place):
    """Add ``chunk`` to ``ahead [BUS_COUNT, >= place + CHUNK]`` with the bus weights of voice ``v``."""
    first = np.uint64(place)  # an index that cannot be negative lets the loop become vector instructions
    for bus in range(BUS_COUNT):
        weight = weights[v, bus]
        if weight != _ZERO:
            for n in range(_CHUNK):
                ahead[bus, first + n] += weight * chunk[n]


@njit(**EXACT)
def load_voice(voices, v, record, onset, arrival, key, bent):
    """Copy ``record`` into voice ``v``, which will sound from stream sample ``onset``.

    ``key`` names it; ``bent`` is the bend that the record's frequencies contain, as a ratio.
    """
    slow = voices.slow
    fast = voices.fast
    scalars = voices.scalars
    for i in range(_SCALAR_COUNT):
        scalars[v, i] = record[_SCALAR_AT + i]
    gliding = scalars[v, _GLIDE_CHUNKS] > 0.0
    for m in range(MODE_COUNT):
        slow[v, Z_RE, m] = record[_PHASOR_RE + m]
        slow[v, Z_IM, m] = record[_PHASOR_IM + m]
        slow[v, C_RE, m] = record[(_ROTATION_RE if gliding else _SETTLED_RE) + m]
        slow[v, C_IM, m] = record[(_ROTATION_IM if gliding else _SETTLED_IM) + m]
        slow[v, GLIDE_RE, m] = record[_GLIDE_RE + m]
        slow[v, GLIDE_IM, m] = record[_GLIDE_IM + m]
        slow[v, SETTLED_RE, m] = record[_SETTLED_RE + m]
        slow[v, SETTLED_IM, m] = record[_SETTLED_IM + m]
        fast[v, AMPLITUDE, m] = _ZERO
        fast[v, STAGE1, m] = record[_STAGE1 + m]
        fast[v, STAGE2, m] = record[_STAGE2 + m]
        fast[v, FACTOR1, m] = record[_FACTOR1 + m]
        fast[v, FACTOR2, m] = record[_FACTOR2 + m]
        fast[v, LIFE, m] = record[_LIFE + m]
        fast[v, FREQUENCY, m] = record[_FREQUENCY + m]
        fast[v, FADE, m] = record[_FADE + m]
    _set_rotation(slow, fast, v, MODE_COUNT)
    for b in range(NOISE_BAND_COUNT):
        voices.noise[v, b] = record[NOISE_AT + b] ** 2
    for bus in range(BUS_COUNT):
        voices.bus[v, bus] = record[BUS_AT + bus]
    counts = voices.counts
    counts[v, CHUNK_NUMBER] = 0
    counts[v, MODES] = MODE_COUNT
    counts[v, TONE_ON] = 1
    counts[v, NOISE_ON] = 1 if scalars[v, _NOISE_LIFE] > 0.0 else 0
    counts[v, ONSET] = onset
    counts[v, ARRIVAL] = arrival
    counts[v, KEY] = key
    levels = voices.levels
    levels[v, RELEASE] = 1.0
    levels[v, TONE_LEVEL] = scalars[v, _TONE_POWER]
    levels[v, NOISE_LEVEL] = scalars[v, _NOISE_POWER]
    levels[v, NOISE_DECAY] = -1.0
    levels[v, NOISE_RELEASE] = -1.0
    levels[v, BEND] = 1.0
    levels[v, BENT] = bent


@njit(**EXACT)
def release_voice(scalars, levels, counts, v):
    """End the force of voice ``v`` with its next chunk, from where it then is; it goes into its release."""
    boundary = counts[v, CHUNK_NUMBER] + 1
    if boundary >= scalars[v, _RELEASE_CHUNK]:
        return
    rise = min(1.0, boundary * CHUNK * scalars[v, _ATTACK_STEP])
    scalars[v, _RELEASE_CHUNK] = boundary
    scalars[v, _RELEASE_FIRST] = rise
    scalars[v, _HOLD_END] = boundary * CHUNK
    levels[v, NOISE_RELEASE] = rise


@njit(**EXACT)
def bend_voice(slow, fast, scalars, levels, counts, v, bend, radians_per_hz):
    """Let voice ``v`` sound at ``bend`` times its unbent frequencies from its next chunk on.

    ``radians_per_hz`` is 2 pi over the rate. A glide goes on around the new pitch.
    """
    ratio = bend / levels[v, BENT]
    gliding = counts[v, CHUNK_NUMBER] <= scalars[v, _GLIDE_CHUNKS] and scalars[v, _GLIDE_CHUNKS] > 0.0
    change = ratio - levels[v, BEND]
    for m in range(counts[v, MODES]):
        per_sample = radians_per_hz * fast[v, FREQUENCY, m]
        slow[v, SETTLED_RE, m] = cos(per_sample * ratio)
        slow[v, SETTLED_IM, m] = sin(per_sample * ratio)
        if gliding:
            re = slow[v, C_RE, m]
            im = slow[v, C_IM, m]
            turn_re = cos(per_sample * change)
            turn_im = sin(per_sample * change)
            slow[v, C_RE, m] = re * turn_re - im * turn_im
            slow[v, C_IM, m] = re * turn_im + im * turn_re
        else:
            slow[v, C_RE, m] = slow[v, SETTLED_RE, m]
            slow[v, C_IM, m] = slow[v, SETTLED_IM, m]
    _set_rotation(slow, fast, v, counts[v, MODES])
    levels[v, BEND] = ratio


@njit(**EXACT, forceinline=True)
def add_noise_power(scalars, levels, counts, weights, own, v, power, position):
    """Add to ``power`` the noise power that voice ``v`` will have at stream sample ``position``, the end of
    a cell.

    ``own`` is ``VoiceState.noise``, ``power`` is ``NoiseState.power``. The first call of a voice takes
    exponentials, later ones come every CHUNK samples and only multiply.
    """
    age = position - counts[v, ONSET]
    if age >= scalars[v, _NOISE_LIFE]:
        counts[v, NOISE_ON] = 0
        levels[v, NOISE_LEVEL] = 0.0
        return
    envelope = levels[v, NOISE_DECAY] * scalars[v, _NOISE_FACTOR]
    if envelope < 0.0:
        envelope = exp(-scalars[v, _NOISE_PER_SAMPLE] * age)
    levels[v, NOISE_DECAY] = envelope
    rise = 1.0
    if age < scalars[v, _HOLD_END]:
        rise = min(1.0, age * scalars[v, _ATTACK_STEP])
    else:
        released = levels[v, NOISE_RELEASE] * scalars[v, _RELEASE_FACTOR]
        if released < 0.0:
            released = exp(-scalars[v, _RELEASE_PER_SAMPLE] * (age - scalars[v, _HOLD_END]))
        levels[v, NOISE_RELEASE] = released
        envelope *= released
    levels[v, NOISE_LEVEL] = scalars[v, _NOISE_POWER] * envelope * envelope
    for bus in range(BUS_COUNT):
        weight = weights[v, bus]
        if weight != _ZERO:
            share = np.float32((weight * envelope * rise) ** 2)
            for b in range(NOISE_COLUMNS):
                power[bus, b] += share * own[v, b]
