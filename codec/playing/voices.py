"""Compiled voices: how one is loaded and released, and the power of its noise."""

from __future__ import annotations

from math import exp

import numpy as np
from numba import njit

from ..events.event_spec import MODE_COUNT, NOISE_BAND_COUNT
from .kernel_options import JOINING, LINKED
from .partials import set_rotation
from .shared_noise import NOISE_COLUMNS
from .voice_records import AUDIBLE, BUS_AT, BUS_COUNT, CHUNK, MODE, NOISE_AT, SCALAR, SCALARS
from .voice_state import (
    ALL_MODES,
    AMPLITUDE,
    ARRIVAL,
    C_IM,
    C_RE,
    CHUNK_NUMBER,
    ENDED,
    FACTOR1,
    FACTOR2,
    FADE,
    FIRST_CHANGE,
    FREQUENCY,
    GLIDE_IM,
    GLIDE_RE,
    LAST_CHANGE,
    LIFE,
    MODES,
    NEVER_ENDED,
    NO_CHANGE,
    NOISE_DECAY,
    NOISE_LEVEL,
    NOISE_NOW,
    NOISE_ON,
    NOISE_RELEASE,
    NOISE_SHARE,
    NOISE_SLIDING,
    NUMBER,
    OMEGA,
    ONSET,
    RELEASE,
    RISEN,
    SETTLED_IM,
    SETTLED_RE,
    SLIDING,
    STAGE1,
    STAGE2,
    TONE_LEVEL,
    TONE_ON,
    Z_IM,
    Z_RE,
)  # fmt: skip

_SCALAR_AT = len(MODE) * MODE_COUNT
_ATTACK_STEP = SCALAR["attack_step"] - _SCALAR_AT
_HOLD_END = SCALAR["hold_end"] - _SCALAR_AT
_RELEASE_PER_SAMPLE = SCALAR["release_per_sample"] - _SCALAR_AT
_RELEASE_CHUNK = SCALAR["release_chunk"] - _SCALAR_AT
_RELEASE_FIRST = SCALAR["release_first"] - _SCALAR_AT
_RELEASE_FACTOR = SCALAR["release_factor"] - _SCALAR_AT
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
_NUMBER = MODE["mode_number"]
_RADIANS_PER_HZ = SCALAR["radians_per_hz"] - _SCALAR_AT
_SCALAR_COUNT = len(SCALARS)

_ZERO = np.float32(0.0)


@njit(**JOINING)
def copy_record(voices, v, record):
    """Copy to voice ``v`` what ``record`` says at any age, and its decays as they are at the onset."""
    slow = voices.slow
    fast = voices.fast
    scalars = voices.scalars
    for i in range(_SCALAR_COUNT):
        scalars[v, i] = record[_SCALAR_AT + i]
    for m in range(MODE_COUNT):
        slow[v, GLIDE_RE, m] = record[_GLIDE_RE + m]
        slow[v, GLIDE_IM, m] = record[_GLIDE_IM + m]
        slow[v, SETTLED_RE, m] = record[_SETTLED_RE + m]
        slow[v, SETTLED_IM, m] = record[_SETTLED_IM + m]
        slow[v, OMEGA, m] = record[_FREQUENCY + m] * scalars[v, _RADIANS_PER_HZ]
        fast[v, STAGE1, m] = record[_STAGE1 + m]
        fast[v, STAGE2, m] = record[_STAGE2 + m]
        fast[v, FACTOR1, m] = record[_FACTOR1 + m]
        fast[v, FACTOR2, m] = record[_FACTOR2 + m]
        fast[v, LIFE, m] = record[_LIFE + m]
        fast[v, FREQUENCY, m] = record[_FREQUENCY + m]
        fast[v, FADE, m] = record[_FADE + m]
        fast[v, NUMBER, m] = record[_NUMBER + m]
    for b in range(NOISE_BAND_COUNT):
        voices.noise[v, b] = record[NOISE_AT + b] ** 2
    for bus in range(BUS_COUNT):
        voices.bus[v, bus] = record[BUS_AT + bus]


@njit(**JOINING)
def begin_voice(voices, v, record):
    """Let voice ``v`` begin as ``record`` says."""
    slow = voices.slow
    fast = voices.fast
    copy_record(voices, v, record)
    gliding = voices.scalars[v, _GLIDE_CHUNKS] > 0.0
    for m in range(MODE_COUNT):
        slow[v, Z_RE, m] = record[_PHASOR_RE + m]
        slow[v, Z_IM, m] = record[_PHASOR_IM + m]
        slow[v, C_RE, m] = record[(_ROTATION_RE if gliding else _SETTLED_RE) + m]
        slow[v, C_IM, m] = record[(_ROTATION_IM if gliding else _SETTLED_IM) + m]
        fast[v, AMPLITUDE, m] = _ZERO
    set_rotation(slow, fast, v, ALL_MODES)
    counts = voices.counts
    counts[v, CHUNK_NUMBER] = 0
    counts[v, MODES] = MODE_COUNT
    counts[v, TONE_ON] = 1
    counts[v, NOISE_ON] = 1 if voices.scalars[v, _NOISE_LIFE] > 0.0 else 0
    counts[v, SLIDING] = 0
    counts[v, NOISE_SLIDING] = 0
    levels = voices.levels
    levels[v, RELEASE] = 1.0
    levels[v, TONE_LEVEL] = voices.scalars[v, _TONE_POWER]
    levels[v, NOISE_LEVEL] = voices.scalars[v, _NOISE_POWER]
    levels[v, NOISE_DECAY] = -1.0
    levels[v, NOISE_RELEASE] = -1.0
    levels[v, RISEN] = 1.0
    levels[v, NOISE_NOW] = 0.0
    levels[v, NOISE_SHARE] = 0.0


@njit(**JOINING)
def load_voice(voices, v, record, onset, arrival):
    """Copy ``record`` into voice ``v``, which will sound from stream sample ``onset``."""
    begin_voice(voices, v, record)
    counts = voices.counts
    counts[v, ONSET] = onset
    counts[v, ARRIVAL] = arrival
    counts[v, ENDED] = NEVER_ENDED
    counts[v, FIRST_CHANGE] = NO_CHANGE
    counts[v, LAST_CHANGE] = NO_CHANGE


@njit(**JOINING)
def release_voice(scalars, levels, counts, v, boundary):
    """End the force of voice ``v`` at chunk ``boundary``, from where it then is; it goes into its release."""
    if counts[v, ENDED] == NEVER_ENDED:
        counts[v, ENDED] = boundary
    if boundary >= scalars[v, _RELEASE_CHUNK]:
        return
    rise = min(1.0, boundary * CHUNK * scalars[v, _ATTACK_STEP])
    scalars[v, _RELEASE_CHUNK] = boundary
    scalars[v, _RELEASE_FIRST] = rise
    scalars[v, _HOLD_END] = boundary * CHUNK
    levels[v, RELEASE] = rise
    levels[v, RISEN] = rise
    levels[v, NOISE_RELEASE] = -1.0


@njit(**LINKED, forceinline=True)
def advance_noise(scalars, levels, counts, v, position):
    """Envelope of voice ``v``'s noise at stream sample ``position``, the end of a cell; negative once over.

    The first call of a voice takes exponentials, later ones come every CHUNK samples and only multiply.
    """
    age = position - counts[v, ONSET]
    if age >= scalars[v, _NOISE_LIFE]:
        return -1.0
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
            after = age - scalars[v, _HOLD_END]
            released = levels[v, RISEN] * exp(-scalars[v, _RELEASE_PER_SAMPLE] * after)
        levels[v, NOISE_RELEASE] = released
        envelope *= released
    levels[v, NOISE_LEVEL] = scalars[v, _NOISE_POWER] * envelope * envelope
    if counts[v, ENDED] != NEVER_ENDED and levels[v, NOISE_LEVEL] < AUDIBLE**2:
        return -1.0
    return envelope * rise


@njit(**LINKED, forceinline=True)
def add_noise_power(scalars, levels, counts, weights, own, v, power, position):
    """Add to ``power`` the noise power that voice ``v`` will have at stream sample ``position``, the end of
    a cell.

    ``own`` is ``VoiceState.noise``, ``power`` is ``NoiseState.power``.
    """
    envelope = advance_noise(scalars, levels, counts, v, position)
    levels[v, NOISE_NOW] = max(0.0, envelope)
    if envelope < 0.0:
        counts[v, NOISE_ON] = 0
        levels[v, NOISE_LEVEL] = 0.0
        return
    for bus in range(BUS_COUNT):
        weight = weights[v, bus]
        if weight != _ZERO:
            share = np.float32((weight * envelope) ** 2)
            for b in range(NOISE_COLUMNS):
                power[bus, b] += share * own[v, b]
