"""Events in a window of observed frames: their sums of powers, and the loss with its gradient (numba).

Frames are numbered by *rows* of the window, and only every ``stride``-th row is looked at. An event may begin
anywhere, long before the window too: it enters as it sounds then. What a room still holds of it comes from
rows before the window, which are computed but not looked at::

    row       -8   -6   -4   -2  |  0    2    4    6   ...           stride 2
              '-- the room's --' |  '-- looked at
         ^ onset

Axes: E event, T row looked at, F bin, M mode, B noise band.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numba import float32, float64, int64, njit, typeof, void
from numba.types import UniTuple

from ...controls import LN_1000
from ...event_frames import FRAMES_BEFORE
from ...event_spec import ANALYSIS_RATE, MODE_COUNT, NOISE_BAND_COUNT, ROOM_COUNT, ROOM_T60_SECONDS
from ...shared_noise import EXACT
from ...spectrum import HOP, noise_band_matrix
from .controls import (
    DECAY,
    FREQUENCY,
    GAIN,
    GLIDE_RATIO,
    GLIDE_SECONDS,
    PARAMETER_COUNT,
    ROOM,
    SCALAR_COUNT,
    SHIFT,
    TAIL,
    ControlConstants,
    Tape,
    compute_event_controls,
    compute_event_controls_back,
    make_control_constants,
    make_tape,
)
from .envelope import AGE, WindowPlaces, make_window_places, shape_envelope, shape_envelope_back
from .lobes import place_partials, place_partials_back, take_powers
from .loss import FLOOR_DB, SparseRows, add_rows, judge, make_sparse_rows, mel_band_matrix, mel_levels, row_products
from .partials import (
    AMPLITUDE,
    RoomFilters,
    make_room_filters,
    sound_partials,
    sound_partials_back,
)
from .timbre import Timbre, make_timbre

#: Faster decays than this are averaged under the window as if they had this rate (1/s), as in the twin.
_FASTEST_COMMON_RATE: Final = 120.0
#: Modes with less than this share of an event's energy are not heard.
_LEAST_MODE_SHARE: Final = 1e-6
#: A room that gets less than this share of an event's power keeps no memory of what was before the window.
_LEAST_ROOM_SHARE: Final = 1e-6
_HOP_SECONDS: Final = HOP / ANALYSIS_RATE
_T60_ROWS: Final = np.ceil(np.array(ROOM_T60_SECONDS) / _HOP_SECONDS).astype(np.int64)


class Renderer(NamedTuple):
    """All constants for one window length and stride."""

    timbre: Timbre
    constants: ControlConstants
    places: WindowPlaces
    rooms: RoomFilters
    noise: SparseRows  # [B, F]
    mels: SparseRows  # [K, F]
    bins_per_hz: np.ndarray  # [1]
    stride: np.ndarray  # int64 [1]


def make_renderer(
    weights: Mapping[str, np.ndarray], n_fft: int, stride: int, dtype: Any = np.float32
) -> Renderer:
    """Constants for the decoder's ``weights``, frames of ``n_fft`` samples and every ``stride``-th row."""
    return Renderer(
        make_timbre(weights, dtype),
        make_control_constants(),
        make_window_places(n_fft, dtype),
        make_room_filters(stride * _HOP_SECONDS, dtype),
        make_sparse_rows(noise_band_matrix(n_fft), dtype),
        make_sparse_rows(mel_band_matrix(n_fft).T, dtype),
        np.array([n_fft / ANALYSIS_RATE], dtype),
        np.array([stride]),
    )


class Heard(NamedTuple):
    """What is heard in the rows looked at."""

    observed: np.ndarray  # [T, F] magnitudes
    power: np.ndarray  # [T, F] sums of what is modelled already and stays
    fourth: np.ndarray  # [T, F]
    mel_db: np.ndarray  # [T, K] levels of the mel bands, floored
    mel_floor: np.ndarray  # [1] power
    scale: np.ndarray  # [1] one over the energy heard


def make_heard(
    renderer: Renderer, observed: np.ndarray, power: np.ndarray, fourth: np.ndarray, loudest: float = 0.0
) -> Heard:
    """Rows looked at of ``observed``, ``power`` and ``fourth``, each ``[rows, F]``.

    Args:
        loudest: power of the loudest mel band, from which the floor is measured, where it is more than the
            window's own.
    """
    dtype = renderer.bins_per_hz.dtype
    looked = [np.ascontiguousarray(a[:: renderer.stride[0]], dtype) for a in (observed, power, fourth)]
    square = looked[0] ** 2
    bands = square @ renderer.mels.values.T
    floor = max(float(bands.max(initial=0.0)), loudest) * 10.0 ** (-FLOOR_DB / 10.0) + 1e-14
    mel_db = (10.0 * np.log10(bands + floor)).astype(dtype)
    scale = 1.0 / (float(square.sum(dtype=np.float64)) + 1e-12)
    return Heard(*looked, mel_db, np.array([floor], dtype), np.array([scale], dtype))


class Scratch(NamedTuple):
    """Arrays of the kernels, allocated once per set of events."""

    tape: Tape
    scalars: np.ndarray  # [E, SCALAR_COUNT]
    modes: np.ndarray  # [E, 4, M]
    bands: np.ndarray  # [E, B]
    heard: np.ndarray  # int64 [E, M]
    spans: np.ndarray  # int64 [E, 3] first row, rows computed, modes heard
    common: np.ndarray  # [E]
    envelope: np.ndarray  # [rows, 4]
    tracks: np.ndarray  # [rows, 4, M]
    noise: np.ndarray  # [rows]
    noise_rows: np.ndarray  # [T, B]
    state: np.ndarray  # [R, M + 1]
    bins: np.ndarray  # int64 [M]
    parts: np.ndarray  # [M]
    lobes: np.ndarray  # [4, M]
    slopes: np.ndarray  # [4, M]
    frame: np.ndarray  # [F], empty between uses
    d_amplitude: np.ndarray  # [rows, M]
    d_place: np.ndarray  # [M]
    d_noise: np.ndarray  # [rows]
    d_envelope: np.ndarray  # [rows, 4]
    d_modes: np.ndarray  # [4, M]


def make_scratch(renderer: Renderer, events: int, rows: int) -> Scratch:
    """Scratch for ``events`` in a window of ``rows`` rows."""
    dtype = renderer.bins_per_hz.dtype
    looked = -(-rows // int(renderer.stride[0]))
    most = looked + int(_T60_ROWS.max()) // int(renderer.stride[0]) + 2

    def empty(*shape: int) -> np.ndarray:
        return np.empty(shape, dtype)

    m = MODE_COUNT
    return Scratch(
        make_tape(events, dtype),
        empty(events, SCALAR_COUNT),
        empty(events, 4, m),
        empty(events, NOISE_BAND_COUNT),
        np.empty((events, m), np.int64),
        np.empty((events, 3), np.int64),
        empty(events),
        empty(most, 4),
        empty(most, 4, m),
        empty(most),
        empty(looked, NOISE_BAND_COUNT),
        empty(ROOM_COUNT, m + 1),
        np.empty(m, np.int64),
        empty(m),
        empty(4, m),
        empty(4, m),
        np.zeros(renderer.noise.values.shape[1], dtype),
        empty(most, m),
        empty(m),
        empty(most),
        empty(most, 4),
        empty(4, m),
    )


@njit(**EXACT)
def _find_span(scalars, onset_row, end_row, rows, stride):
    """First row of an event that must be computed, on the stride's grid, and how many rows from there."""
    first = 0
    for r in range(ROOM_COUNT):
        if scalars[ROOM + r] > _LEAST_ROOM_SHARE:
            first = min(first, -_T60_ROWS[r])
    first = max(first, onset_row - FRAMES_BEFORE)
    first = -(-first // stride) * stride
    return first, max(0, (min(rows, end_row) - first + stride - 1) // stride)


@njit(**EXACT)
def _listen(modes, heard):
    """List the modes that are heard; returns their number and the rate by which they decay in common."""
    energy = power = rate = 0.0
    for m in range(MODE_COUNT):
        square = modes[GAIN, m] * modes[GAIN, m]
        power += square
        rate += square * modes[DECAY, m]
        energy += square / modes[TAIL, m]
    count = 0
    for m in range(MODE_COUNT):
        if modes[GAIN, m] * modes[GAIN, m] / modes[TAIL, m] > _LEAST_MODE_SHARE * energy:
            heard[count] = m
            count += 1
    return count, min(rate / power, _FASTEST_COMMON_RATE)


@njit(**EXACT)
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


@njit(**EXACT)
def _first_second(parameters, e, onset_row, first):
    """Age of an event at its first computed row."""
    return (first - onset_row) * _HOP_SECONDS - parameters[e, SHIFT]


@njit(**EXACT)
def _bins_per_hz(scalars, age, bins_per_hz):
    """Bins per hertz of the settled frequency, and how far the glide still is from its end, 1 to 0."""
    bend = min(max(1.0 - age / scalars[GLIDE_SECONDS], 0.0), 1.0)
    return bins_per_hz * (1.0 + scalars[GLIDE_RATIO] * bend), bend


@njit(**EXACT)
def _sound(renderer, scratch, e, first_second):
    """Envelope, tracks and noise of event ``e`` into the scratch."""
    scalars, modes, common = scratch.scalars[e], scratch.modes[e], scratch.common[e]
    count = scratch.spans[e, 1]
    seconds = renderer.stride[0] * _HOP_SECONDS
    shape_envelope(scalars, common, first_second, seconds, count, renderer.places, scratch.envelope)
    sound_partials(
        scalars,
        modes,
        scratch.heard[e],
        scratch.spans[e, 2],
        common,
        scratch.envelope,
        count,
        renderer.rooms,
        scratch.tracks,
        scratch.noise,
        scratch.state,
    )


@njit(**EXACT)
def _place(renderer, scratch, e, k):
    """Place the partials of event ``e`` in its computed row ``k`` into the scratch's frame."""
    scale, _ = _bins_per_hz(scratch.scalars[e], scratch.envelope[k, AGE], renderer.bins_per_hz[0])
    place_partials(
        scratch.tracks[k, AMPLITUDE],
        scratch.modes[e, FREQUENCY],
        scratch.heard[e],
        scratch.spans[e, 2],
        scale,
        scratch.bins,
        scratch.parts,
        scratch.lobes,
        scratch.slopes,
        scratch.frame,
    )


@njit(**EXACT)
def add_events(renderer, parameters, onset_rows, end_rows, rows, scratch, power, fourth):
    """Add events to the sums ``power`` and ``fourth [T, F]`` of the rows looked at.

    Args:
        parameters: ``[E, 34]``.
        onset_rows: row whose centre each onset is nearest to, before its shift; negative before the window.
        end_rows: row from which on an event is left out.
        rows: of the window.
    """
    stride = renderer.stride[0]
    scratch.noise_rows[:] = 0.0
    for e in range(parameters.shape[0]):
        compute_event_controls(
            parameters[e],
            renderer.timbre,
            renderer.constants,
            scratch.tape,
            e,
            scratch.scalars[e],
            scratch.modes[e],
            scratch.bands[e],
        )
        heard_count, common = _listen(scratch.modes[e], scratch.heard[e])
        first, count = _find_span(scratch.scalars[e], onset_rows[e], end_rows[e], rows, stride)
        scratch.common[e] = common
        scratch.spans[e, 0], scratch.spans[e, 1], scratch.spans[e, 2] = first, count, heard_count
        _sound(renderer, scratch, e, _first_second(parameters, e, onset_rows[e], first))
        for k in range(max(0, -first // stride), count):
            t = first // stride + k
            _place(renderer, scratch, e, k)
            take_powers(scratch.bins, heard_count, scratch.frame, power[t], fourth[t])
            for b in range(NOISE_BAND_COUNT):
                scratch.noise_rows[t, b] += scratch.noise[k] * scratch.bands[e, b]
    for t in range(power.shape[0]):
        add_rows(renderer.noise, scratch.noise_rows[t], power[t])


@njit(**EXACT)
def _add_events_back(renderer, parameters, onset_rows, scratch, d_power, d_fourth, gradient):
    """Add to ``gradient [E, 34]`` what ``d_power`` and ``d_fourth [T, F]`` say; after :func:`add_events`."""
    stride = renderer.stride[0]
    for t in range(d_power.shape[0]):
        row_products(renderer.noise, d_power[t], scratch.noise_rows[t])
    d_scalars = np.empty(SCALAR_COUNT)
    d_bands = np.empty(NOISE_BAND_COUNT)
    for e in range(parameters.shape[0]):
        first, count, heard_count = scratch.spans[e, 0], scratch.spans[e, 1], scratch.spans[e, 2]
        if count <= max(0, -first // stride):
            continue
        scalars, modes, heard, common = scratch.scalars[e], scratch.modes[e], scratch.heard[e], scratch.common[e]
        first_second = _first_second(parameters, e, onset_rows[e], first)
        _sound(renderer, scratch, e, first_second)
        scratch.d_amplitude[:count] = 0.0
        scratch.d_noise[:count] = 0.0
        scratch.d_envelope[:count] = 0.0
        scratch.d_modes[:] = 0.0
        d_scalars[:] = 0.0
        d_bands[:] = 0.0
        for k in range(max(0, -first // stride), count):
            t = first // stride + k
            age = scratch.envelope[k, AGE]
            scale, bend = _bins_per_hz(scalars, age, renderer.bins_per_hz[0])
            _place(renderer, scratch, e, k)
            place_partials_back(
                scratch.tracks[k, AMPLITUDE],
                scratch.bins,
                heard_count,
                scratch.lobes,
                scratch.slopes,
                scratch.frame,
                d_power[t],
                d_fourth[t],
                scratch.d_amplitude[k],
                scratch.d_place,
            )
            d_scale = 0.0
            for i in range(heard_count):
                m = heard[i]
                d_scale += modes[FREQUENCY, m] * scratch.d_place[i]
                scratch.d_modes[FREQUENCY, m] += scale * scratch.d_place[i]
            d_scale *= renderer.bins_per_hz[0]
            d_scalars[GLIDE_RATIO] += bend * d_scale
            if 0.0 < bend < 1.0:
                d_bend = scalars[GLIDE_RATIO] * d_scale
                d_scalars[GLIDE_SECONDS] += d_bend * age / (scalars[GLIDE_SECONDS] * scalars[GLIDE_SECONDS])
                scratch.d_envelope[k, AGE] -= d_bend / scalars[GLIDE_SECONDS]
            total = 0.0
            for b in range(NOISE_BAND_COUNT):
                total += scratch.bands[e, b] * scratch.noise_rows[t, b]
                d_bands[b] += scratch.noise[k] * scratch.noise_rows[t, b]
            scratch.d_noise[k] = total
        d_common = sound_partials_back(
            scalars,
            modes,
            heard,
            heard_count,
            common,
            scratch.envelope,
            count,
            renderer.rooms,
            scratch.tracks,
            scratch.d_amplitude,
            scratch.d_noise,
            scratch.state,
            d_scalars,
            scratch.d_modes,
            scratch.d_envelope,
        )
        of_envelope, d_first = shape_envelope_back(
            scalars,
            common,
            first_second,
            stride * _HOP_SECONDS,
            count,
            renderer.places,
            scratch.envelope,
            scratch.d_envelope,
            d_scalars,
        )
        _listen_back(modes, common, d_common + of_envelope, scratch.d_modes)
        gradient[e, SHIFT] -= d_first
        compute_event_controls_back(
            parameters[e],
            renderer.timbre,
            renderer.constants,
            scratch.tape,
            e,
            scalars,
            modes,
            d_scalars,
            scratch.d_modes,
            d_bands,
            gradient[e],
        )


@njit(**EXACT)
def compute_loss(
    renderer, heard, parameters, onset_rows, end_rows, rows, mel_weight, scratch, sums, d_sums, gradient
):
    """Expected error over the energy heard, and mel difference in dB; their sum's gradient.

    Args:
        heard: what is heard in the rows looked at.
        mel_weight: of a dB of mel difference in the loss.
        sums, d_sums: scratch, ``[2, T, F]``.
        gradient: out, ``[E, 34]``; empty (``[0, 34]``) where it is not wanted.
    """
    sums[0] = heard.power
    sums[1] = heard.fourth
    add_events(renderer, parameters, onset_rows, end_rows, rows, scratch, sums[0], sums[1])
    error, difference = judge(heard, sums[0], sums[1], renderer.mels, mel_weight, d_sums[0], d_sums[1])
    if gradient.shape[0] > 0:
        gradient[:] = 0.0
        _add_events_back(renderer, parameters, onset_rows, scratch, d_sums[0], d_sums[1], gradient)
    return error, difference
