"""Controls of one event compiled, with their gradient by hand: the twin of ``compute_controls``.

What :mod:`struck.codec.events.controls` does for arrays of events in numpy or torch is done here for one
event at a time. Axes: E event, M mode, B noise band.
"""

from __future__ import annotations

from math import exp
from typing import Final

import numpy as np
from numba import njit

from ...events.controls import LN_1000, mel
from ...events.event_spec import (
    BANDWIDTH_HZ,
    ENVELOPE_POINT_COUNT,
    INDEX,
    MODE_COUNT,
    NOISE_BAND_COUNT,
    ROOM_COUNT,
    VECTOR_SIZE,
)
from ...playing.kernel_options import LINKED
from ..fast_math import fast_exp, fast_log, fast_log10, fast_tanh
from .control_tables import (
    ATTACK,
    DECAY,
    DIRECT,
    FREQUENCY,
    GAIN,
    GAIN_DB,
    GLIDE_RATIO,
    GLIDE_SECONDS,
    HOLD,
    LINEAR,
    LOG,
    LOGISTIC,
    NOISE_RATE,
    POWER4,
    RELEASE_RATE,
    ROOM,
    SHIFT,
    SIGNED_SQUARE,
    SQUARE,
    TAIL,
    TAIL_SHARE,
    VECTOR,
)
from .loss import INNER_SUMS
from .timbre import run_timbre, run_timbre_back

_PITCH = INDEX["pitch"]
_GLIDE = INDEX["glide"]
_GLIDE_TIME = INDEX["glide_time"]
_STIFFNESS = INDEX["stiffness"]
_BAR_MEMBRANE = INDEX["bar_membrane"]
_PLATE_BELL = INDEX["plate_bell"]
_ATTACK = INDEX["attack"]
_HOLD = INDEX["hold"]
_RELEASE = INDEX["release"]
_DECAY = INDEX["decay"]
_DECAY_TILT = INDEX["decay_tilt"]
_TAIL = INDEX["tail"]
_TAIL_RATIO = INDEX["tail_ratio"]
_TILT = INDEX["tilt"]
_NOISINESS = INDEX["noisiness"]
_NOISE_DECAY = INDEX["noise_decay"]
_NOISE_TILT = INDEX["noise_tilt"]
_ROOM_MIX = INDEX["room_mix"]
_ROOM = INDEX["room"]

_LN2: Final = 0.6931471805599453
_LN10_OVER_10: Final = 2.302585092994046 / 10.0
_ENVELOPE_START: Final = MODE_COUNT
_DECAY_START: Final = _ENVELOPE_START + ENVELOPE_POINT_COUNT
_NOISE_START: Final = _DECAY_START + MODE_COUNT
_POINTS_PER_MEL: Final = (ENVELOPE_POINT_COUNT - 1) / float(mel(np.float64(BANDWIDTH_HZ)))

# In single precision, as what loops over modes and bands compute with.
_ZERO: Final = np.float32(0.0)
_HALF: Final = np.float32(0.5)
_ONE: Final = np.float32(1.0)
_TWO: Final = np.float32(2.0)
_TINY: Final = np.float32(1e-20)
_NEPER: Final = np.float32(_LN10_OVER_10)  # of a decibel of power
_OCTAVES_PER_NEPER: Final = np.float32(1.442695)
_LEVEL_DB: Final = np.float32(20.0)  # what the network's outputs of levels are multiplied by
_LARGEST_DB: Final = np.float32(120.0)
_DECAY_NEPERS: Final = np.float32(3.0 * _LN2)  # and those of decays, after their bend
_LN_1000: Final = np.float32(LN_1000)
_LAST_POINT: Final = np.float32(ENVELOPE_POINT_COUNT - 1)
_SECOND_LAST: Final = np.int32(ENVELOPE_POINT_COUNT - 2)
_POINTS_PER_DECADE: Final = np.float32(2595.0 * _POINTS_PER_MEL)
_POINTS_PER_NEPER: Final = np.float32(2595.0 * _POINTS_PER_MEL / np.log(10.0))
_MEL_HZ: Final = np.float32(700.0)
_BANDWIDTH: Final = np.float32(BANDWIDTH_HZ)
_ROLL_OFF_HZ: Final = np.float32(0.06 * BANDWIDTH_HZ)
_LOWEST_HZ: Final = np.float32(1.0)
_HIGHEST_HZ: Final = np.float32(4.0 * BANDWIDTH_HZ)
_SHORTEST_SECONDS: Final = np.float32(0.004)
_LONGEST_SECONDS: Final = np.float32(80.0)
#: Rates of modes whose decay is held at its shortest or longest, within rounding.
_FASTEST_RATE: Final = np.float32(LN_1000 / (0.004 * 1.00001))
_SLOWEST_RATE: Final = np.float32(LN_1000 / (80.0 * 0.99999))


@njit(**LINKED)
def _read_scale(kind, low, high, span, v):
    """Physical value and its slope at ``v``; see :func:`struck.codec.events.event_spec.to_physical`."""
    u = 0.5 * (v + 1.0)
    if kind == LINEAR:
        return low + (high - low) * u, 0.5 * (high - low)
    if kind == LOG:
        value = low * exp(span * u)
        return value, 0.5 * span * value
    if kind == POWER4:
        return high * u * u * u * u, 2.0 * high * u * u * u
    if kind == SQUARE:
        return high * u * u, high * u
    if kind == SIGNED_SQUARE:
        return high * v * abs(v), 2.0 * high * abs(v)
    if kind == LOGISTIC:
        value = 1.0 / (1.0 + exp(-v * high * _LN10_OVER_10))
        return value, value * (1.0 - value) * high * _LN10_OVER_10
    return v, 1.0


@njit(**LINKED)
def _family_weights(bar_membrane, plate_bell):
    """Weights of bar, membrane, plate and bell, and what their sum was divided by."""
    norm = max(1.0, abs(bar_membrane) + abs(plate_bell))
    bar, plate = max(bar_membrane, 0.0) / norm, max(plate_bell, 0.0) / norm
    return bar, max(-bar_membrane, 0.0) / norm, plate, max(-plate_bell, 0.0) / norm, norm


@njit(**LINKED)
def _tune_modes(base_hz, stiffness, bar, membrane, plate, bell, constants, log_ratio, frequency):
    """Fill ``log_ratio`` to the base and ``frequency [M]`` in Hz."""
    families = constants.families
    own = fast_log(_ONE + stiffness)
    for m in range(MODE_COUNT):
        ratio = constants.harmonic[m] + _HALF * (fast_log(_ONE + stiffness * constants.squares[m]) - own)
        ratio += bar * families[0, m] + membrane * families[1, m]
        ratio += plate * families[2, m] + bell * families[3, m]
        log_ratio[m] = ratio
        frequency[m] = min(max(base_hz * fast_exp(ratio), _LOWEST_HZ), _HIGHEST_HZ)


@njit(**LINKED)
def _level_modes(out, tilt, log_ratio, frequency, place, level, power):
    """Fill ``place [M]`` between the envelope's points, ``level [M]`` in dB, and ``power [M]``."""
    for m in range(MODE_COUNT):
        at = _POINTS_PER_DECADE * fast_log10(_ONE + frequency[m] / _MEL_HZ)
        place[m] = min(max(at, _ZERO), _LAST_POINT)
    for m in range(MODE_COUNT):
        point = min(np.int32(place[m]), _SECOND_LAST)
        low, high = out[_ENVELOPE_START + point], out[_ENVELOPE_START + point + 1]
        level[m] = low + (high - low) * (place[m] - point)
    for m in range(MODE_COUNT):
        db = _LEVEL_DB * (out[m] + level[m]) + tilt * log_ratio[m] * _OCTAVES_PER_NEPER
        level[m] = db
        audible = min(max((_BANDWIDTH - frequency[m]) / _ROLL_OFF_HZ, _ZERO), _ONE)
        power[m] = fast_exp(_NEPER * min(max(db, -_LARGEST_DB), _LARGEST_DB)) * audible


@njit(**LINKED)
def _decay_modes(out, decay, decay_tilt, tail_ratio, log_ratio, bend, decay_rate, tail_rate):
    """Fill ``bend`` (of the network's outputs), and rates of both stages of decay, ``[M]`` in 1/s."""
    for m in range(MODE_COUNT):
        bend[m] = fast_tanh(out[_DECAY_START + m])
        factor = fast_exp(_DECAY_NEPERS * bend[m] - decay_tilt * log_ratio[m])
        seconds = min(max(decay * factor, _SHORTEST_SECONDS), _LONGEST_SECONDS)
        decay_rate[m] = _LN_1000 / seconds
        tail_rate[m] = _LN_1000 / (seconds * tail_ratio)


@njit(**LINKED)
def _share(power, total, loudness, share, gain):
    """Fill the shares ``[M]`` that modes of ``power`` have of the ``total``, and their amplitudes."""
    for m in range(MODE_COUNT):
        share[m] = power[m] / total
        gain[m] = np.sqrt(_TWO * loudness * share[m] + _TINY)


@njit(**LINKED)
def compute_event_controls(parameters, timbre, constants, tape, scratch, e, scalars, modes, bands):
    """Controls of event ``e`` with ``parameters [34]``; the shift is not read here.

    Args:
        scratch: a :class:`struck.codec.hearing.refit.control_tables.ControlScratch`.
        scalars: out, ``[SCALAR_COUNT]``.
        modes: out, ``[4, M]``: frequency in Hz, amplitude, decay rate, rate of the second stage.
        bands: out, ``[B]`` noise *power* in each band.
    """
    vector = parameters[VECTOR:SHIFT]
    value = tape.values[e]
    for i in range(VECTOR_SIZE):
        value[i], tape.slopes[e, i] = _read_scale(
            constants.kinds[i], constants.low[i], constants.high[i], constants.spans[i], vector[i]
        )
    out = tape.out[e]
    run_timbre(vector, timbre, scratch, tape.first[e], tape.second[e], out)
    real = modes.dtype.type
    power = exp(_LN10_OVER_10 * parameters[GAIN_DB])
    noisiness = value[_NOISINESS]

    bar, membrane, plate, bell, _ = _family_weights(value[_BAR_MEMBRANE], value[_PLATE_BELL])
    log_ratio = tape.log_ratio[e]
    base_hz = 440.0 * exp((value[_PITCH] - 69.0) * (_LN2 / 12.0))
    _tune_modes(
        real(base_hz), value[_STIFFNESS], real(bar), real(membrane), real(plate), real(bell), constants,
        log_ratio, modes[FREQUENCY],
    )  # fmt: skip
    levels = tape.mode_power[e]
    _level_modes(out, value[_TILT], log_ratio, modes[FREQUENCY], tape.place[e], tape.level[e], levels)
    _decay_modes(
        out, value[_DECAY], value[_DECAY_TILT], value[_TAIL_RATIO], log_ratio, tape.bend[e], modes[DECAY],
        modes[TAIL],
    )  # fmt: skip
    total = 1e-12
    for m in range(MODE_COUNT):
        total += levels[m]
    _share(levels, real(total), real((1.0 - noisiness) * power), levels, modes[GAIN])

    levels = tape.noise_power[e]
    total = 0.0
    for b in range(NOISE_BAND_COUNT):
        level = _LEVEL_DB * out[_NOISE_START + b] + value[_NOISE_TILT] * constants.noise_octaves[b]
        levels[b] = fast_exp(_NEPER * min(max(level, -_LARGEST_DB), _LARGEST_DB))
        total += levels[b]
    for b in range(NOISE_BAND_COUNT):
        levels[b] /= total
        bands[b] = noisiness * power * levels[b] + 1e-20

    scalars[TAIL_SHARE] = value[_TAIL]
    scalars[GLIDE_RATIO] = exp(value[_GLIDE] * (_LN2 / 12.0)) - 1.0
    scalars[GLIDE_SECONDS] = value[_GLIDE_TIME]
    scalars[ATTACK] = value[_ATTACK]
    scalars[HOLD] = value[_HOLD]
    scalars[RELEASE_RATE] = LN_1000 / value[_RELEASE]
    scalars[NOISE_RATE] = LN_1000 / value[_NOISE_DECAY]
    wet = value[_ROOM_MIX]
    scalars[DIRECT] = (1.0 - wet) * (1.0 - wet)
    for r in range(ROOM_COUNT):
        weight = wet * max(0.0, 1.0 - abs(value[_ROOM] - r))
        scalars[ROOM + r] = weight * weight


@njit(**INNER_SUMS)
def _level_modes_back(out, tilt, tone_power, d_tone, modes, d_gain, tape, e, d_ratio, d_frequency, d_out):
    """Fill ``d_ratio [M]``, add to ``d_frequency [M]`` and ``d_out [O]``; returns the tilt's gradient."""
    frequency, gain = modes[FREQUENCY], modes[GAIN]
    ratio, place, level, share = tape.log_ratio[e], tape.place[e], tape.level[e], tape.mode_power[e]
    d_tilt = _ZERO
    for m in range(MODE_COUNT):
        d_share = tone_power * (d_gain[m] / gain[m] - d_tone)
        inside = (_BANDWIDTH - frequency[m]) / _ROLL_OFF_HZ
        moves = inside > _ZERO and abs(level[m]) < _LARGEST_DB
        d_level = _NEPER * share[m] * d_share if moves else _ZERO * d_share
        d_out[m] += _LEVEL_DB * d_level
        d_tilt += d_level * ratio[m] * _OCTAVES_PER_NEPER
        d_ratio[m] = d_level * tilt * _OCTAVES_PER_NEPER
        # The share over the roll-off's factor is what it would be below it.
        rolls = inside > _ZERO and inside < _ONE
        d_frequency[m] -= share[m] / inside * d_share / _ROLL_OFF_HZ if rolls else _ZERO * d_share
    for m in range(MODE_COUNT):
        point = min(np.int32(place[m]), _SECOND_LAST)
        part = place[m] - out.dtype.type(point)
        low, high = out[_ENVELOPE_START + point], out[_ENVELOPE_START + point + 1]
        d_level = d_out[m]
        d_out[_ENVELOPE_START + point] += d_level * (_ONE - part)
        d_out[_ENVELOPE_START + point + 1] += d_level * part
        if _ZERO < place[m] < _LAST_POINT:
            d_frequency[m] += d_level * (high - low) * _POINTS_PER_NEPER / (_MEL_HZ + frequency[m])
    return d_tilt


@njit(**INNER_SUMS)
def _decay_modes_back(decay_tilt, modes, d_modes, ratio, bend, d_ratio, d_out):
    """Add to ``d_ratio [M]`` and ``d_out [O]``; returns the gradients of the decay's log, of the log of the
    tail's ratio to it, and of the decay's tilt."""
    decay_rate, tail_rate = modes[DECAY], modes[TAIL]
    d_decay_rate, d_tail_rate = d_modes[DECAY], d_modes[TAIL]
    d_decay = d_tail_ratio = d_tilt = _ZERO
    for m in range(MODE_COUNT):
        of_tail = tail_rate[m] * d_tail_rate[m]
        d_rates = decay_rate[m] * d_decay_rate[m] + of_tail
        d_tail_ratio -= of_tail
        moves = decay_rate[m] > _SLOWEST_RATE and decay_rate[m] < _FASTEST_RATE
        d_rates = d_rates if moves else _ZERO * d_rates
        d_decay -= d_rates
        d_tilt += d_rates * ratio[m]
        d_ratio[m] += d_rates * decay_tilt
        d_out[_DECAY_START + m] -= d_rates * _DECAY_NEPERS * (_ONE - bend[m] * bend[m])
    return d_decay, d_tail_ratio, d_tilt


@njit(**INNER_SUMS)
def _tune_modes_back(stiffness, constants, frequency, d_frequency, d_ratio):
    """Gradients of the pitch in nepers, of stiffness, and of the weights of bar, membrane, plate and bell."""
    families = constants.families
    d_pitch = d_stiffness = d_bar = d_membrane = d_plate = d_bell = _ZERO
    own = _ONE / (_ONE + stiffness)
    for m in range(MODE_COUNT):
        moves = frequency[m] > _LOWEST_HZ and frequency[m] < _HIGHEST_HZ
        of_pitch = frequency[m] * d_frequency[m] if moves else _ZERO * d_frequency[m]
        d_pitch += of_pitch
        d = d_ratio[m] + of_pitch
        squares = constants.squares[m]
        d_stiffness += _HALF * d * (squares / (_ONE + stiffness * squares) - own)
        d_bar += d * families[0, m]
        d_membrane += d * families[1, m]
        d_plate += d * families[2, m]
        d_bell += d * families[3, m]
    return d_pitch, d_stiffness, d_bar, d_membrane, d_plate, d_bell


@njit(**LINKED)
def compute_event_controls_back(
    parameters, timbre, constants, tape, scratch, e, scalars, modes, d_scalars, d_modes, d_bands, gradient
):
    """Add to ``gradient [34]`` what the controls' gradients say of event ``e``'s parameters.

    ``scalars`` and ``modes`` are those of the way there; the shift's gradient is not touched.
    """
    value = tape.values[e]
    out = tape.out[e]
    d_out, d_value, d_ratio = scratch.d_out, scratch.d_values, scratch.d_ratio
    d_out.fill(_ZERO)
    d_value.fill(_ZERO)
    power = exp(_LN10_OVER_10 * parameters[GAIN_DB])
    noisiness = value[_NOISINESS]
    tone_power = (1.0 - noisiness) * power
    noise_power = noisiness * power

    # Gains of the modes are shares of the tone's power.
    d_tone = 0.0
    for m in range(MODE_COUNT):
        d_tone += d_modes[GAIN, m] / modes[GAIN, m] * tape.mode_power[e, m]
    d_noise = 0.0
    for b in range(NOISE_BAND_COUNT):
        d_noise += d_bands[b] * tape.noise_power[e, b]
    gradient[GAIN_DB] += _LN10_OVER_10 * (d_tone * tone_power + d_noise * noise_power)
    d_value[_NOISINESS] = power * (d_noise - d_tone)

    bar, membrane, plate, bell, norm = _family_weights(value[_BAR_MEMBRANE], value[_PLATE_BELL])
    real = out.dtype.type
    d_value[_TILT] = _level_modes_back(
        out, value[_TILT], real(tone_power), real(d_tone), modes, d_modes[GAIN], tape, e, d_ratio,
        d_modes[FREQUENCY], d_out,
    )  # fmt: skip
    d_decay, d_tail_ratio, d_tilt = _decay_modes_back(
        value[_DECAY_TILT], modes, d_modes, tape.log_ratio[e], tape.bend[e], d_ratio, d_out
    )
    d_value[_DECAY] = d_decay / value[_DECAY]
    d_value[_TAIL_RATIO] = d_tail_ratio / value[_TAIL_RATIO]
    d_value[_DECAY_TILT] = d_tilt
    d_pitch, d_stiffness, d_bar, d_membrane, d_plate, d_bell = _tune_modes_back(
        value[_STIFFNESS], constants, modes[FREQUENCY], d_modes[FREQUENCY], d_ratio
    )
    d_value[_PITCH] = d_pitch * (_LN2 / 12.0)
    d_value[_STIFFNESS] = d_stiffness

    if norm > 1.0:  # the weights' sum is 1: only their proportions move
        common = d_bar * bar + d_membrane * membrane + d_plate * plate + d_bell * bell
        d_bar -= common
        d_membrane -= common
        d_plate -= common
        d_bell -= common
    # In the middle both families pull: each would enter from there.
    if value[_BAR_MEMBRANE] >= 0.0:
        d_value[_BAR_MEMBRANE] += d_bar / norm
    if value[_BAR_MEMBRANE] <= 0.0:
        d_value[_BAR_MEMBRANE] -= d_membrane / norm
    if value[_PLATE_BELL] >= 0.0:
        d_value[_PLATE_BELL] += d_plate / norm
    if value[_PLATE_BELL] <= 0.0:
        d_value[_PLATE_BELL] -= d_bell / norm

    for b in range(NOISE_BAND_COUNT):
        level = _LEVEL_DB * out[_NOISE_START + b] + value[_NOISE_TILT] * constants.noise_octaves[b]
        if abs(level) < 120.0:
            d_level = _LN10_OVER_10 * tape.noise_power[e, b] * noise_power * (d_bands[b] - d_noise)
            d_out[_NOISE_START + b] += _LEVEL_DB * d_level
            d_value[_NOISE_TILT] += d_level * constants.noise_octaves[b]

    d_value[_TAIL] += d_scalars[TAIL_SHARE]
    d_value[_GLIDE] += d_scalars[GLIDE_RATIO] * (scalars[GLIDE_RATIO] + 1.0) * (_LN2 / 12.0)
    d_value[_GLIDE_TIME] += d_scalars[GLIDE_SECONDS]
    d_value[_ATTACK] += d_scalars[ATTACK]
    d_value[_HOLD] += d_scalars[HOLD]
    d_value[_RELEASE] -= d_scalars[RELEASE_RATE] * scalars[RELEASE_RATE] / value[_RELEASE]
    d_value[_NOISE_DECAY] -= d_scalars[NOISE_RATE] * scalars[NOISE_RATE] / value[_NOISE_DECAY]
    wet = value[_ROOM_MIX]
    d_value[_ROOM_MIX] -= 2.0 * (1.0 - wet) * d_scalars[DIRECT]
    for r in range(ROOM_COUNT):
        near = max(0.0, 1.0 - abs(value[_ROOM] - r))
        d_value[_ROOM_MIX] += 2.0 * wet * near * near * d_scalars[ROOM + r]
        side = 1.0 if value[_ROOM] < r else -1.0
        if value[_ROOM] != r:
            d_value[_ROOM] += 2.0 * wet * wet * near * side * d_scalars[ROOM + r]

    for i in range(VECTOR_SIZE):
        gradient[VECTOR + i] += d_value[i] * tape.slopes[e, i]
    run_timbre_back(timbre, scratch, tape.first[e], tape.second[e], gradient[VECTOR:SHIFT])
