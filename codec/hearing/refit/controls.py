"""Controls of one event compiled, with their gradient by hand: the twin of ``compute_controls``.

What :mod:`struck.codec.events.controls` does for arrays of events in numpy or torch is done here for one
event at a time. Axes: E event, M mode, B noise band.
"""

from __future__ import annotations

from math import exp, log, log10, sqrt
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
from ...playing.kernel_options import INNER
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
_LN10: Final = 2.302585092994046
_LN10_OVER_10: Final = _LN10 / 10.0
_OCTAVES_PER_NEPER: Final = 1.442695
_ENVELOPE_START: Final = MODE_COUNT
_DECAY_START: Final = _ENVELOPE_START + ENVELOPE_POINT_COUNT
_NOISE_START: Final = _DECAY_START + MODE_COUNT
_LEVEL_DB: Final = 20.0  # what the network's outputs of levels are multiplied by
_DECAY_LOG2: Final = 3.0
_POINTS_PER_MEL: Final = (ENVELOPE_POINT_COUNT - 1) / float(mel(np.float64(BANDWIDTH_HZ)))
_ROLL_OFF_HZ: Final = 0.06 * BANDWIDTH_HZ
_LOWEST_HZ: Final = 1.0
_HIGHEST_HZ: Final = 4.0 * BANDWIDTH_HZ
_SHORTEST_SECONDS: Final = 0.004
_LONGEST_SECONDS: Final = 80.0


@njit(**INNER)
def _read_scale(kind, low, high, v):
    """Physical value and its slope at ``v``; see :func:`struck.codec.events.event_spec.to_physical`."""
    u = 0.5 * (v + 1.0)
    if kind == LINEAR:
        return low + (high - low) * u, 0.5 * (high - low)
    if kind == LOG:
        span = log(high / low)
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


@njit(**INNER)
def _family_weights(bar_membrane, plate_bell):
    """Weights of bar, membrane, plate and bell, and what their sum was divided by."""
    norm = max(1.0, abs(bar_membrane) + abs(plate_bell))
    bar, plate = max(bar_membrane, 0.0) / norm, max(plate_bell, 0.0) / norm
    return bar, max(-bar_membrane, 0.0) / norm, plate, max(-plate_bell, 0.0) / norm, norm


@njit(**INNER)
def _envelope_place(frequency):
    """Place of a frequency between the envelope's points; clipped to them."""
    place = 2595.0 * log10(1.0 + frequency / 700.0) * _POINTS_PER_MEL
    return min(max(place, 0.0), ENVELOPE_POINT_COUNT - 1.0)


@njit(**INNER)
def compute_event_controls(parameters, timbre, constants, tape, e, scalars, modes, bands):
    """Controls of event ``e`` with ``parameters [34]``; the shift is not read here.

    Args:
        scalars: out, ``[SCALAR_COUNT]``.
        modes: out, ``[4, M]``: frequency in Hz, amplitude, decay rate, rate of the second stage.
        bands: out, ``[B]`` noise *power* in each band.
    """
    vector = parameters[VECTOR:SHIFT]
    value = tape.values[e]
    for i in range(VECTOR_SIZE):
        value[i], tape.slopes[e, i] = _read_scale(
            constants.kinds[i], constants.low[i], constants.high[i], vector[i]
        )
    out = tape.out[e]
    run_timbre(vector, timbre, tape.first[e], tape.second[e], out)
    power = exp(_LN10_OVER_10 * parameters[GAIN_DB])
    noisiness = value[_NOISINESS]

    bar, membrane, plate, bell, _ = _family_weights(value[_BAR_MEMBRANE], value[_PLATE_BELL])
    stiffness = value[_STIFFNESS]
    log_ratio = tape.log_ratio[e]
    families = constants.families
    base_hz = 440.0 * exp((value[_PITCH] - 69.0) * (_LN2 / 12.0))
    levels = np.empty(MODE_COUNT)
    total = 1e-12
    for m in range(MODE_COUNT):
        stretch = 0.5 * log((1.0 + stiffness * constants.squares[m]) / (1.0 + stiffness))
        ratio = constants.harmonic[m] + stretch + bar * families[0, m] + membrane * families[1, m]
        ratio += plate * families[2, m] + bell * families[3, m]
        log_ratio[m] = ratio
        frequency = min(max(base_hz * exp(ratio), _LOWEST_HZ), _HIGHEST_HZ)
        modes[FREQUENCY, m] = frequency
        place = _envelope_place(frequency)
        point = min(int(place), ENVELOPE_POINT_COUNT - 2)
        low, high = out[_ENVELOPE_START + point], out[_ENVELOPE_START + point + 1]
        level = _LEVEL_DB * (out[m] + low + (high - low) * (place - point))
        level += value[_TILT] * ratio * _OCTAVES_PER_NEPER
        audible = min(max((BANDWIDTH_HZ - frequency) / _ROLL_OFF_HZ, 0.0), 1.0)
        levels[m] = exp(_LN10_OVER_10 * min(max(level, -120.0), 120.0)) * audible
        total += levels[m]
        factor = exp(_LN2 * _DECAY_LOG2 * np.tanh(out[_DECAY_START + m]) - value[_DECAY_TILT] * ratio)
        seconds = min(max(value[_DECAY] * factor, _SHORTEST_SECONDS), _LONGEST_SECONDS)
        modes[DECAY, m] = LN_1000 / seconds
        modes[TAIL, m] = LN_1000 / (seconds * value[_TAIL_RATIO])
    tape.mode_total[e] = total
    for m in range(MODE_COUNT):
        share = levels[m] / total
        tape.mode_power[e, m] = share
        modes[GAIN, m] = sqrt(2.0 * (1.0 - noisiness) * power * share + 1e-20)

    total = 0.0
    for b in range(NOISE_BAND_COUNT):
        level = _LEVEL_DB * out[_NOISE_START + b] + value[_NOISE_TILT] * constants.noise_octaves[b]
        levels[b] = exp(_LN10_OVER_10 * min(max(level, -120.0), 120.0))
        total += levels[b]
    for b in range(NOISE_BAND_COUNT):
        tape.noise_power[e, b] = levels[b] / total
        bands[b] = noisiness * power * tape.noise_power[e, b] + 1e-20

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


@njit(**INNER)
def compute_event_controls_back(
    parameters, timbre, constants, tape, e, scalars, modes, d_scalars, d_modes, d_bands, gradient
):
    """Add to ``gradient [34]`` what the controls' gradients say of event ``e``'s parameters.

    ``scalars`` and ``modes`` are those of the way there; the shift's gradient is not touched.
    """
    value = tape.values[e]
    out = tape.out[e]
    d_out = np.zeros_like(out)
    d_value = np.zeros(VECTOR_SIZE)
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
    families = constants.families
    stiffness = value[_STIFFNESS]
    d_bar = d_membrane = d_plate = d_bell = 0.0
    for m in range(MODE_COUNT):
        ratio = tape.log_ratio[e, m]
        frequency = modes[FREQUENCY, m]
        share = tape.mode_power[e, m]
        d_frequency = d_modes[FREQUENCY, m]
        d_ratio = 0.0
        d_share = tone_power * (d_modes[GAIN, m] / modes[GAIN, m] - d_tone)
        inside = (BANDWIDTH_HZ - frequency) / _ROLL_OFF_HZ
        place = _envelope_place(frequency)
        point = min(int(place), ENVELOPE_POINT_COUNT - 2)
        low, high = out[_ENVELOPE_START + point], out[_ENVELOPE_START + point + 1]
        level = _LEVEL_DB * (out[m] + low + (high - low) * (place - point))
        level += value[_TILT] * ratio * _OCTAVES_PER_NEPER
        if inside > 0.0 and abs(level) < 120.0:
            d_level = _LN10_OVER_10 * share * d_share
            d_out[m] += _LEVEL_DB * d_level
            d_out[_ENVELOPE_START + point] += _LEVEL_DB * d_level * (1.0 - (place - point))
            d_out[_ENVELOPE_START + point + 1] += _LEVEL_DB * d_level * (place - point)
            if 0.0 < place < ENVELOPE_POINT_COUNT - 1.0:
                per_hz = _POINTS_PER_MEL * 2595.0 / _LN10 / (700.0 + frequency)
                d_frequency += _LEVEL_DB * d_level * (high - low) * per_hz
            d_value[_TILT] += d_level * ratio * _OCTAVES_PER_NEPER
            d_ratio += d_level * value[_TILT] * _OCTAVES_PER_NEPER
        if 0.0 < inside < 1.0:
            # The share over the roll-off's factor is what it would be below it.
            d_frequency -= share / inside * d_share / _ROLL_OFF_HZ

        seconds = LN_1000 / modes[DECAY, m]
        d_rates = modes[DECAY, m] * d_modes[DECAY, m] + modes[TAIL, m] * d_modes[TAIL, m]
        d_value[_TAIL_RATIO] -= modes[TAIL, m] * d_modes[TAIL, m] / value[_TAIL_RATIO]
        if _SHORTEST_SECONDS * 1.00001 < seconds < _LONGEST_SECONDS * 0.99999:
            bend = np.tanh(out[_DECAY_START + m])
            d_value[_DECAY] -= d_rates / value[_DECAY]
            d_value[_DECAY_TILT] += d_rates * ratio
            d_ratio += d_rates * value[_DECAY_TILT]
            d_out[_DECAY_START + m] -= d_rates * _LN2 * _DECAY_LOG2 * (1.0 - bend * bend)

        if _LOWEST_HZ < frequency < _HIGHEST_HZ:
            d_ratio += frequency * d_frequency
            d_value[_PITCH] += frequency * d_frequency * (_LN2 / 12.0)
        squares = constants.squares[m]
        per_stiffness = squares / (1.0 + stiffness * squares) - 1.0 / (1.0 + stiffness)
        d_value[_STIFFNESS] += 0.5 * d_ratio * per_stiffness
        d_bar += d_ratio * families[0, m]
        d_membrane += d_ratio * families[1, m]
        d_plate += d_ratio * families[2, m]
        d_bell += d_ratio * families[3, m]

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
    run_timbre_back(d_out, timbre, tape.first[e], tape.second[e], gradient[VECTOR:SHIFT])
