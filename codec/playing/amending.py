"""Compiled amendments: a sounding voice takes over a new record, as it is at its age, and slides to it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from ..events.event_spec import BANDWIDTH_HZ, MODE_COUNT
from .kernel_options import JOINING
from .partials import (
    TINY,
    edge_share,
    force_at,
    glide_at,
    glide_left,
)
from .shared_noise import NOISE_COLUMNS
from .slides import left_amplitude, slide_weight
from .voice_records import AUDIBLE, BUS_COUNT, CHUNK, MODE, MODE_FIELDS, SCALAR
from .voice_state import (
    AMPLITUDE,
    CHUNK_NUMBER,
    ENDED,
    FACTOR1,
    FACTOR2,
    FREQUENCY,
    FROM,
    LEFT,
    LIFE,
    MODES,
    NEVER_ENDED,
    NOISE_BEGUN,
    NOISE_DECAY,
    NOISE_NOW,
    NOISE_ON,
    NOISE_RELEASE,
    NOISE_SHARE,
    NOISE_SLIDING,
    NUMBER,
    OMEGA,
    ONSET,
    RATIO,
    RISEN,
    SHARE,
    SLIDE_FROM,
    SLIDING,
    STAGE1,
    STAGE2,
    TONE_ON,
    Z_IM,
    Z_RE,
)  # fmt: skip
from .voices import advance_noise, begin_voice, copy_record, release_voice

#: SHARE of a partial that will be silent: however small the slide's weight is, it stays where it was.
STAYS: Final = np.float32(1e9)

_SCALAR_AT: Final = len(MODE_FIELDS) * MODE_COUNT
_SLIDE_CHUNKS: Final = SCALAR["fade_chunks"] - _SCALAR_AT
_NOISE_POWER: Final = SCALAR["noise_power"] - _SCALAR_AT
_PHASOR_RE, _PHASOR_IM = MODE["phasor_re"], MODE["phasor_im"]
_ZERO = np.float32(0.0)
_ONE = np.float32(1.0)


@njit(**JOINING)
def slide_voice(voices, v, record):
    """Let voice ``v``, sounding or about to, become what ``record`` says at its next chunk boundary.

    A voice that was released stays released.
    """
    counts = voices.counts
    levels = voices.levels
    number = counts[v, CHUNK_NUMBER]
    if number == 0:
        begin_voice(voices, v, record)
        if counts[v, ENDED] != NEVER_ENDED:
            release_voice(voices.scalars, levels, counts, v, counts[v, ENDED])
        return
    _leave_tone(voices, v, number)
    _leave_noise(voices, v)
    copy_record(voices, v, record)
    _age_tone(voices, v, number)
    _take_places(voices, v, record, number)
    _age_noise(voices, v, number)
    counts[v, MODES] = MODE_COUNT
    counts[v, TONE_ON] = 1
    counts[v, NOISE_ON] = 1
    counts[v, SLIDING] = 1
    counts[v, NOISE_SLIDING] = 1
    counts[v, SLIDE_FROM] = number


@njit(**JOINING)
def _leave_tone(voices, v, number):
    """Put what each partial is before chunk ``number`` into ``voices.order``, by the number of its mode, and
    the weights of the buses into ``voices.bus_from``."""
    slow, fast, scalars, order = voices.slow, voices.fast, voices.scalars, voices.order
    ratio = 1.0 + glide_left(scalars, v, number - 1)
    weight = 0.0
    if voices.counts[v, SLIDING] != 0:
        weight = slide_weight((number - voices.counts[v, SLIDE_FROM]) / scalars[v, _SLIDE_CHUNKS])
    for m in range(MODE_COUNT):
        place = int(fast[v, NUMBER, m])
        re = slow[v, Z_RE, m]
        im = slow[v, Z_IM, m]
        # rotations are right to 1e-10: over thousands of amendments that would add up
        unit = 1.5 - 0.5 * (re * re + im * im)
        order[0, place] = re * unit
        order[1, place] = im * unit
        amplitude = fast[v, AMPLITUDE, m]
        order[2, place] = weight * left_amplitude(fast, v, m, amplitude) + (1.0 - weight) * amplitude
        share = min(1.0, weight * fast[v, SHARE, m])
        order[3, place] = slow[v, OMEGA, m] * ratio + share * slow[v, LEFT, m]
    for bus in range(BUS_COUNT):
        left = weight * voices.bus_from[v, bus] + (1.0 - weight) * voices.bus[v, bus]
        voices.bus_from[v, bus] = left


@njit(**JOINING)
def _leave_noise(voices, v):
    """Put the noise power of voice ``v`` at the last grid point into ``voices.noise_from``."""
    share = np.float32(voices.levels[v, NOISE_SHARE])
    for bus in range(BUS_COUNT):
        now = np.float32((voices.bus[v, bus] * voices.levels[v, NOISE_NOW]) ** 2)
        for b in range(NOISE_COLUMNS):
            left = share * voices.noise_from[v, bus, b] + now * voices.noise[v, b]
            voices.noise_from[v, bus, b] = left
    voices.levels[v, NOISE_NOW] = 0.0
    voices.levels[v, NOISE_SHARE] = 1.0


@njit(**JOINING)
def _age_tone(voices, v, number):
    """Bring the coefficients of a record just copied from the onset to chunk ``number``."""
    fast, scalars, levels = voices.fast, voices.scalars, voices.levels
    levels[v, RISEN] = 1.0
    if voices.counts[v, ENDED] != NEVER_ENDED:
        release_voice(scalars, levels, voices.counts, v, voices.counts[v, ENDED])
    force = np.float32(force_at(scalars, levels, v, number))
    bend = np.float32(1.0 + glide_at(scalars, v, number))
    for m in range(MODE_COUNT):
        power1 = 1.0
        power2 = 1.0
        square1 = float(fast[v, FACTOR1, m])
        square2 = float(fast[v, FACTOR2, m])
        left = number
        while left > 0:
            if left & 1:
                power1 *= square1
                power2 *= square2
            square1 *= square1
            square2 *= square2
            left >>= 1
        stage1 = np.float32(fast[v, STAGE1, m] * power1)
        stage2 = np.float32(fast[v, STAGE2, m] * power2)
        fast[v, STAGE1, m] = stage1 if stage1 > TINY else _ZERO
        fast[v, STAGE2, m] = stage2 if stage2 > TINY else _ZERO
        target = force * (stage1 + stage2) if fast[v, LIFE, m] > number else _ZERO
        if bend > _ONE:
            target *= edge_share(fast, v, m, bend)
        fast[v, AMPLITUDE, m] = target


@njit(**JOINING)
def _age_noise(voices, v, number):
    """Let the noise of a record just copied go on from the last grid point before chunk ``number``."""
    levels = voices.levels
    levels[v, NOISE_DECAY] = -1.0
    levels[v, NOISE_RELEASE] = -1.0
    grid = (voices.counts[v, ONSET] + number * CHUNK) // CHUNK * CHUNK
    envelope = advance_noise(voices.scalars, levels, voices.counts, v, grid)
    heard = envelope > 0.0 and voices.scalars[v, _NOISE_POWER] * envelope**2 > AUDIBLE**2
    levels[v, NOISE_BEGUN] = envelope if heard else 0.0


@njit(**JOINING)
def _take_places(voices, v, record, number):
    """Let the partials in their new order go on from what ``voices.order`` says they were."""
    slow, fast, order = voices.slow, voices.fast, voices.order
    edge = np.float32(BANDWIDTH_HZ)
    ratio = 1.0 + glide_left(voices.scalars, v, number - 1)
    for m in range(MODE_COUNT):
        place = int(fast[v, NUMBER, m])
        fast[v, FROM, m] = order[2, place]
        amplitude = fast[v, AMPLITUDE, m]
        fast[v, RATIO, m] = order[2, place] / amplitude if amplitude > AUDIBLE else _ZERO
        if order[2, place] < AUDIBLE:
            slow[v, Z_RE, m] = record[_PHASOR_RE + m]
            slow[v, Z_IM, m] = record[_PHASOR_IM + m]
            slow[v, LEFT, m] = 0.0
            fast[v, SHARE, m] = _ZERO
        else:
            slow[v, Z_RE, m] = order[0, place]
            slow[v, Z_IM, m] = order[1, place]
            slow[v, LEFT, m] = order[3, place] - slow[v, OMEGA, m] * ratio
            fast[v, SHARE, m] = _ONE if fast[v, FREQUENCY, m] < edge else STAYS
