"""Events in a window of observed frames: their sums of powers, and the way back to their parameters (numba).

Frames are numbered by *rows* of the window, and only every ``stride``-th row is looked at. An event may begin
anywhere, long before the window too: it enters as it sounds then. What a room still holds of it comes from
rows before the window, which are computed but not looked at::

    row       -8   -6   -4   -2  |  0    2    4    6   ...           stride 2
              '-- the room's --' |  '-- looked at
         ^ onset

Axes: E event, T row looked at, F bin, M mode, B noise band.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import float32, float64, int64, njit, typeof, void
from numba.types import UniTuple

from ...events.controls import LN_1000, TIMBRE_SHAPES
from ...events.event_spec import MODE_COUNT, NOISE_BAND_COUNT, ROOM_COUNT
from ...playing.kernel_options import LINKED, NOUGHT, VECTORISED
from ..event_frames import FRAMES_BEFORE
from .bands import gather_bands, spread_bands
from .control_tables import (
    ATTACK,
    DECAY,
    FREQUENCY,
    GAIN,
    GLIDE_RATIO,
    GLIDE_SECONDS,
    HOLD,
    NOISE_RATE,
    RELEASE_RATE,
    ROOM,
    SHIFT,
    TAIL,
)
from .controls import compute_event_controls, compute_event_controls_back
from .envelope import AGE, shape_envelope, shape_envelope_back
from .lobes import find_places, place_partials, place_partials_back, take_powers
from .loss import INNER_SUMS, judge
from .partials import AMPLITUDE, gather_modes, scatter_modes, sound_partials, sound_partials_back
from .records import HOP_SECONDS, T60_ROWS, Heard, Renderer, Scratch, make_heard, make_renderer, make_scratch

#: Faster decays than this are averaged under the window as if they had this rate (1/s), as in the twin.
_FASTEST_COMMON_RATE: Final = 120.0
#: Modes with less than this share of an event's energy are not heard.
_LEAST_MODE_SHARE: Final = 1e-6
#: A room that gets less than this share of an event's power keeps no memory of what was before the window.
_LEAST_ROOM_SHARE: Final = 1e-6
#: An event is left out after so many times the 60 dB that its tone, its noise or its release fade by.
_FADED_T60S: Final = 1.4
_LONGEST_SECONDS: Final = 1e3
#: A scale at which no partials were placed yet.
_NOT_FOUND: Final = 0.0
_ZERO: Final = np.float32(0.0)

_EXAMPLE = make_renderer({name: np.zeros(shape) for name, shape in TIMBRE_SHAPES.items()}, 64, 2)
_RENDERER: Final = typeof(_EXAMPLE)
_SCRATCH: Final = typeof(make_scratch(_EXAMPLE, 1, 2))
_HEARD: Final = typeof(make_heard(_EXAMPLE, *np.zeros((3, 2, 33))))
_FRAMES: Final = float32[:, ::1]
_ROWS: Final = int64[::1]


@njit(**LINKED)
def _find_span(scalars, slowest_rate, onset_row, end_row, rows, stride):
    """First row of an event that must be computed, on the stride's grid, and how many rows from there.

    ``slowest_rate`` is that of the mode that lasts longest: what has faded need not be computed.
    """
    first = 0
    remembered = 0
    for r in range(ROOM_COUNT):
        if scalars[ROOM + r] > _LEAST_ROOM_SHARE:
            first = min(first, -T60_ROWS[r])
            remembered = max(remembered, int(_FADED_T60S * T60_ROWS[r]))
    first = max(first, onset_row - FRAMES_BEFORE)
    first = -(-first // stride) * stride
    fading = _FADED_T60S * LN_1000 / min(slowest_rate, scalars[NOISE_RATE])
    released = scalars[HOLD] + _FADED_T60S * LN_1000 / scalars[RELEASE_RATE]
    seconds = min(scalars[ATTACK] + min(fading, released), _LONGEST_SECONDS)
    faded = onset_row + FRAMES_BEFORE + 2 + remembered + int(seconds / HOP_SECONDS)
    return first, max(0, (min(rows, end_row, faded) - first + stride - 1) // stride)


@njit(**LINKED)
def _listen(modes, heard):
    """List the modes that are heard.

    Returns their number, the rate by which they decay in common, and that of the slowest.
    """
    energy = power = rate = 0.0
    for m in range(MODE_COUNT):
        square = modes[GAIN, m] * modes[GAIN, m]
        power += square
        rate += square * modes[DECAY, m]
        energy += square / modes[TAIL, m]
    count = 0
    slowest = modes[TAIL, 0]
    for m in range(MODE_COUNT):
        if modes[GAIN, m] * modes[GAIN, m] / modes[TAIL, m] > _LEAST_MODE_SHARE * energy:
            heard[count] = m
            count += 1
            slowest = min(slowest, modes[TAIL, m])
    return count, min(rate / power, _FASTEST_COMMON_RATE), slowest


@njit(**LINKED)
def _listen_back(modes, common, d_common, d_modes):
    """Add what the common rate's gradient says of the modes' gains and rates."""
    if common >= _FASTEST_COMMON_RATE:
        return
    power = 0.0
    for m in range(MODE_COUNT):
        power += modes[GAIN, m] * modes[GAIN, m]
    for m in range(MODE_COUNT):
        gain = modes[GAIN, m]
        d_modes[GAIN, m] += 2.0 * gain * (modes[DECAY, m] - common) / power * d_common
        d_modes[DECAY, m] += gain * gain / power * d_common


@njit(**LINKED)
def _bins_per_hz(scalars, age, bins_per_hz):
    """Bins per hertz of the settled frequency, and how far the glide still is from its end, 1 to 0."""
    bend = min(max(1.0 - age / scalars[GLIDE_SECONDS], 0.0), 1.0)
    return bins_per_hz * (1.0 + scalars[GLIDE_RATIO] * bend), bend


@njit(**INNER_SUMS)
def _add_places(frequency_hz, d_place, count, scale, d_frequency):
    """Add to ``d_frequency [M]`` what ``d_place [M]`` says; returns what it says of the scale, in hertz."""
    d_scale = _ZERO
    for i in range(count):
        d_scale += frequency_hz[i] * d_place[i]
        d_frequency[i] += scale * d_place[i]
    return d_scale


@njit(**LINKED)
def _of_event(sounding, e):
    """Scalars, modes, noise bands and modes heard of event ``e``."""
    return sounding.scalars[e], sounding.modes[e], sounding.bands[e], sounding.heard[e]


@njit(**LINKED)
def _sound(renderer, sounding, e, first_second, tracks):
    """Envelope, modes and noise of event ``e`` into ``tracks``."""
    count, heard_count = sounding.spans[e, 1], sounding.spans[e, 2]
    scalars, common = sounding.scalars[e], sounding.common[e]
    seconds = renderer.stride[0] * HOP_SECONDS
    shape_envelope(
        scalars, common, first_second, seconds, count, renderer.places, tracks.factors, tracks.envelope
    )
    gather_modes(sounding.modes[e], sounding.heard[e], heard_count, tracks.heard)
    sound_partials(
        scalars, tracks.heard, heard_count, common, tracks.envelope, count, renderer.rooms, tracks.modes,
        tracks.noise, tracks.rooms,
    )  # fmt: skip


@njit(**LINKED)
def _place(scalars, frequency_hz, amplitude, age, count, bins_per_hz, found, placed):
    """Place partials at an age into an empty frame; where they stand is found anew where the glide has moved.

    ``found`` is the scale at which that was found last. Returns the scale now, and how far the glide still is
    from its end, see :func:`_bins_per_hz`.
    """
    scale, bend = _bins_per_hz(scalars, age, bins_per_hz)
    if scale != found:
        find_places(frequency_hz, count, scale, placed)
    place_partials(amplitude, count, placed)
    return scale, bend


@njit(
    void(_RENDERER, _FRAMES, _ROWS, _ROWS, int64, _SCRATCH, _FRAMES, _FRAMES),
    **VECTORISED,
)
def add_events(renderer, parameters, onset_rows, end_rows, rows, scratch, power, fourth):
    """Add events to the sums ``power`` and ``fourth [T, F]`` of the rows looked at.

    Args:
        parameters: ``[E, 34]``.
        onset_rows: row whose centre each onset is nearest to, before its shift; negative before the window.
        end_rows: row from which on an event is left out.
        rows: of the window.
    """
    stride = renderer.stride[0]
    sounding, tracks, placed = scratch.sounding, scratch.tracks, scratch.placed
    scratch.noise_rows.fill(_ZERO)
    start, stop = power.shape[0], NOUGHT  # rows in which anything sounds
    for e in range(parameters.shape[0]):
        scalars, modes, bands, heard = _of_event(sounding, e)
        compute_event_controls(
            parameters[e], renderer.timbre, renderer.constants, sounding.tape, scratch.controls, e, scalars,
            modes, bands,
        )  # fmt: skip
        heard_count, common, slowest = _listen(modes, heard)
        first, count = _find_span(scalars, slowest, onset_rows[e], end_rows[e], rows, stride)
        sounding.common[e] = common
        sounding.spans[e, 0], sounding.spans[e, 1], sounding.spans[e, 2] = first, count, heard_count
        first_second = (first - onset_rows[e]) * HOP_SECONDS - parameters[e, SHIFT]
        _sound(renderer, sounding, e, first_second, tracks)
        if count > 0:
            start, stop = min(start, max(0, first // stride)), max(stop, first // stride + count)
        found = _NOT_FOUND
        for k in range(max(0, -first // stride), count):
            t = first // stride + k
            amplitude = tracks.modes[k, AMPLITUDE]
            found, _ = _place(
                scalars, tracks.heard[FREQUENCY], amplitude, tracks.envelope[k, AGE], heard_count,
                renderer.bins_per_hz[0], found, placed,
            )  # fmt: skip
            take_powers(amplitude, heard_count, placed, power[t], fourth[t])
            for b in range(NOISE_BAND_COUNT):
                scratch.noise_rows[t, b] += tracks.noise[k] * bands[b]
    spread_bands(renderer.noise, scratch.noise_rows, start, stop, power)


@njit(
    UniTuple(float64, 2)(_RENDERER, _HEARD, float64, _FRAMES, _FRAMES, _FRAMES, _FRAMES, _FRAMES),
    **VECTORISED,
)
def judge_window(renderer, heard, mel_weight, power, fourth, bands, d_power, d_fourth):
    """See :func:`struck.codec.hearing.refit.loss.judge`."""
    return judge(heard, power, fourth, renderer.mels, mel_weight, bands, d_power, d_fourth)


@njit(void(_RENDERER, _FRAMES, _ROWS, _SCRATCH, _FRAMES, _FRAMES, _FRAMES), **VECTORISED)
def add_events_back(renderer, parameters, onset_rows, scratch, d_power, d_fourth, gradient):
    """Fill ``gradient [E, 34]`` with what ``d_power`` and ``d_fourth [T, F]`` say of the parameters.

    ``scratch`` is as :func:`add_events` left it.
    """
    stride = renderer.stride[0]
    sounding, tracks, placed, back = scratch.sounding, scratch.tracks, scratch.placed, scratch.gradients
    gradient.fill(_ZERO)
    gather_bands(renderer.noise, d_power, NOUGHT, d_power.shape[0], scratch.noise_rows)
    for e in range(parameters.shape[0]):
        first, count, heard_count = sounding.spans[e, 0], sounding.spans[e, 1], sounding.spans[e, 2]
        skipped = max(0, -first // stride)
        if count <= skipped:
            continue
        scalars, modes, bands, heard = _of_event(sounding, e)
        common = sounding.common[e]
        first_second = (first - onset_rows[e]) * HOP_SECONDS - parameters[e, SHIFT]
        _sound(renderer, sounding, e, first_second, tracks)
        back.amplitude.fill(_ZERO)
        back.envelope.fill(_ZERO)
        back.heard.fill(_ZERO)
        back.noise.fill(_ZERO)
        back.scalars.fill(_ZERO)
        back.bands.fill(_ZERO)
        found = _NOT_FOUND
        for k in range(skipped, count):
            t = first // stride + k
            age = tracks.envelope[k, AGE]
            amplitude = tracks.modes[k, AMPLITUDE]
            found, bend = _place(
                scalars, tracks.heard[FREQUENCY], amplitude, age, heard_count, renderer.bins_per_hz[0], found,
                placed,
            )  # fmt: skip
            place_partials_back(
                amplitude, heard_count, placed, d_power[t], d_fourth[t], back.amplitude[k], back.place
            )
            d_scale = renderer.bins_per_hz[0] * _add_places(
                tracks.heard[FREQUENCY], back.place, heard_count, found, back.heard[FREQUENCY]
            )
            back.scalars[GLIDE_RATIO] += bend * d_scale
            if 0.0 < bend < 1.0:
                d_bend = scalars[GLIDE_RATIO] * d_scale / scalars[GLIDE_SECONDS]
                back.scalars[GLIDE_SECONDS] += d_bend * age / scalars[GLIDE_SECONDS]
                back.envelope[k, AGE] -= d_bend
            d_noise = 0.0
            for b in range(NOISE_BAND_COUNT):
                d_noise += bands[b] * scratch.noise_rows[t, b]
                back.bands[b] += tracks.noise[k] * scratch.noise_rows[t, b]
            back.noise[k] = d_noise
        d_common = sound_partials_back(
            scalars, tracks.heard, heard_count, common, tracks.envelope, count, renderer.rooms, tracks.modes,
            back.amplitude, back.noise, tracks.rooms, back.scalars, back.heard, back.envelope,
        )  # fmt: skip
        scatter_modes(back.heard, heard, heard_count, back.modes)
        seconds = stride * HOP_SECONDS
        of_envelope, d_first = shape_envelope_back(
            scalars, common, first_second, seconds, count, renderer.places, tracks.factors, tracks.envelope,
            back.envelope, back.scalars,
        )  # fmt: skip
        _listen_back(modes, common, d_common + of_envelope, back.modes)
        gradient[e, SHIFT] = -d_first
        compute_event_controls_back(
            parameters[e], renderer.timbre, renderer.constants, sounding.tape, scratch.controls, e, scalars,
            modes, back.scalars, back.modes, back.bands, gradient[e],
        )  # fmt: skip


def compute_loss(
    renderer: Renderer,
    heard: Heard,
    parameters: np.ndarray,
    onset_rows: np.ndarray,
    end_rows: np.ndarray,
    rows: int,
    mel_weight: float,
    scratch: Scratch,
    gradient: np.ndarray | None = None,
) -> tuple[float, float]:
    """Expected error over the energy heard, and mean difference of mel bands in dB.

    Args:
        heard: what is heard in the rows looked at.
        parameters: ``[E, 34]``; ``onset_rows [E]``, ``end_rows [E]`` and ``rows``: see :func:`add_events`.
        mel_weight: of a dB of mel difference in the loss; at 0 that is not computed.
        gradient: out, ``[E, 34]``: of ``error + mel_weight difference``; left out where None.
    """
    power, fourth = heard.power.copy(), heard.fourth.copy()
    size = (0 if gradient is None else len(power), power.shape[1])
    d_power, d_fourth = np.empty(size, power.dtype), np.empty(size, power.dtype)
    add_events(renderer, parameters, onset_rows, end_rows, rows, scratch, power, fourth)
    loss = judge_window(renderer, heard, mel_weight, power, fourth, scratch.mel_rows, d_power, d_fourth)
    if gradient is not None:
        add_events_back(renderer, parameters, onset_rows, scratch, d_power, d_fourth, gradient)
    return loss
