"""Arrays of the refitting kernels: constants of a window length, what is heard, and scratch.

Axes: E event, T row looked at, F bin, M mode, B noise band, K mel band, R room, J place
under a window.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from ...events.event_spec import ANALYSIS_RATE, MODE_COUNT, NOISE_BAND_COUNT, ROOM_COUNT, ROOM_T60_SECONDS
from ..spectrum import HOP, mel_band_matrix, noise_band_matrix
from .bands import BandMatrix, make_band_matrix
from .control_tables import (
    SCALAR_COUNT,
    ControlConstants,
    ControlScratch,
    Tape,
    make_control_constants,
    make_control_scratch,
    make_tape,
)
from .envelope import WindowPlaces, make_window_places
from .loss import FLOOR_DB, sum_bands
from .partials import RoomFilters, make_room_filters
from .timbre import Timbre, make_timbre

HOP_SECONDS: Final = HOP / ANALYSIS_RATE
#: Rows for which each room remembers.
T60_ROWS: Final = np.ceil(np.array(ROOM_T60_SECONDS) / HOP_SECONDS).astype(np.int64)


class Renderer(NamedTuple):
    """All constants for one window length and stride."""

    timbre: Timbre
    constants: ControlConstants
    places: WindowPlaces
    rooms: RoomFilters
    noise: BandMatrix  # [B, F]
    mels: BandMatrix  # [K, F]
    bins_per_hz: np.ndarray  # [1]
    stride: np.ndarray  # int64 [1]


def make_renderer(
    weights: Mapping[str, np.ndarray], n_fft: int, stride: int, dtype: Any = np.float32
) -> Renderer:
    """Constants for the decoder's ``weights``, frames of ``n_fft`` samples and every ``stride``-th row."""
    return Renderer(
        make_timbre(weights, dtype),
        make_control_constants(dtype),
        make_window_places(n_fft, dtype),
        make_room_filters(stride * HOP_SECONDS, dtype),
        make_band_matrix(noise_band_matrix(n_fft), dtype),
        make_band_matrix(mel_band_matrix(n_fft).T, dtype),
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
    scale: np.ndarray  # [T] of each row's error: its weight over the energy heard, weighted alike
    shares: np.ndarray  # [T] weights of the rows, sum 1


def make_heard(
    renderer: Renderer,
    observed: np.ndarray,
    power: np.ndarray,
    fourth: np.ndarray,
    loudest: float = 0.0,
    weights: np.ndarray | None = None,
) -> Heard:
    """Rows looked at of ``observed``, ``power`` and ``fourth``, each ``[rows, F]``.

    Args:
        loudest: power of the loudest mel band, from which the floor is measured, where it is more than the
            window's own.
        weights: how much each of the ``rows`` counts, ``[rows]``; None: all alike.
    """
    dtype = renderer.bins_per_hz.dtype
    stride = int(renderer.stride[0])

    def looked_at(frames: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(frames[::stride], dtype)

    heard = looked_at(observed)
    bands = np.empty((len(heard), len(renderer.mels.values)), dtype)
    energies = np.empty(len(heard))
    if len(heard):
        sum_bands(heard, renderer.mels, np.empty_like(heard), bands, energies)
    floor = max(float(bands.max(initial=0.0)), loudest) * 10.0 ** (-FLOOR_DB / 10.0) + 1e-14
    mel_db = (10.0 * np.log10(bands + dtype.type(floor))).astype(dtype)
    shares = np.ones(len(heard)) if weights is None else weights[::stride].astype(np.float64)
    scale = shares / (float(shares @ energies) + 1e-12)
    return Heard(
        heard,
        looked_at(power),
        looked_at(fourth),
        mel_db,
        np.array([floor], dtype),
        scale.astype(dtype),
        (shares / max(shares.sum(), 1e-12)).astype(dtype),
    )


class Sounding(NamedTuple):
    """Controls of the events as they are rendered, and what the way back needs."""

    tape: Tape
    scalars: np.ndarray  # [E, SCALAR_COUNT]
    modes: np.ndarray  # [E, 4, M]
    bands: np.ndarray  # [E, B]
    heard: np.ndarray  # int64 [E, M] modes that are heard
    spans: np.ndarray  # int64 [E, 3] first row computed, rows computed, modes heard
    common: np.ndarray  # [E] decay rate under the window, 1/s


class Tracks(NamedTuple):
    """One event in the rows computed."""

    factors: np.ndarray  # float64 [3, J] of places under a window
    envelope: np.ndarray  # [rows, 4]
    heard: np.ndarray  # [4, M] the modes that are heard, side by side
    modes: np.ndarray  # [rows, 4, M]
    noise: np.ndarray  # [rows]
    rooms: np.ndarray  # [R, M + 1] state


class Placed(NamedTuple):
    """One event's partials in one frame."""

    bins: np.ndarray  # int32 [M]
    parts: np.ndarray  # [M]
    lobes: np.ndarray  # [4, M]
    slopes: np.ndarray  # [4, M]
    frame: np.ndarray  # [F], empty between uses


class Gradients(NamedTuple):
    """Gradients of one event's tracks and controls."""

    amplitude: np.ndarray  # [rows, M]
    place: np.ndarray  # [M]
    noise: np.ndarray  # [rows]
    envelope: np.ndarray  # [rows, 4]
    heard: np.ndarray  # [4, M] of the modes that are heard, side by side
    modes: np.ndarray  # [4, M]
    scalars: np.ndarray  # float64 [SCALAR_COUNT]
    bands: np.ndarray  # float64 [B]


class Scratch(NamedTuple):
    """What the kernels write on, allocated once per set of events."""

    sounding: Sounding
    controls: ControlScratch
    tracks: Tracks
    placed: Placed
    gradients: Gradients
    noise_rows: np.ndarray  # [T, B]
    mel_rows: np.ndarray  # [T, K]


def make_scratch(renderer: Renderer, events: int, rows: int) -> Scratch:
    """Scratch for ``events`` in a window of ``rows`` rows."""
    dtype = renderer.bins_per_hz.dtype
    looked = -(-rows // int(renderer.stride[0]))
    computed = looked + int(T60_ROWS.max()) // int(renderer.stride[0]) + 2
    m = MODE_COUNT

    def empty(*shape: int) -> np.ndarray:
        return np.empty(shape, dtype)

    return Scratch(
        Sounding(
            make_tape(events, dtype),
            empty(events, SCALAR_COUNT),
            empty(events, 4, m),
            empty(events, NOISE_BAND_COUNT),
            np.empty((events, m), np.int64),
            np.empty((events, 3), np.int64),
            empty(events),
        ),
        make_control_scratch(dtype),
        Tracks(
            np.empty((3, len(renderer.places.seconds))),
            empty(computed, 4),
            empty(4, m),
            empty(computed, 4, m),
            empty(computed),
            empty(ROOM_COUNT, m + 1),
        ),
        Placed(
            np.empty(m, np.int32),
            empty(m),
            empty(4, m),
            empty(4, m),
            np.zeros(renderer.noise.values.shape[1], dtype),
        ),
        Gradients(
            empty(computed, m),
            empty(m),
            empty(computed),
            empty(computed, 4),
            empty(4, m),
            empty(4, m),
            np.empty(SCALAR_COUNT),
            np.empty(NOISE_BAND_COUNT),
        ),
        empty(looked, NOISE_BAND_COUNT),
        empty(looked, len(renderer.mels.values)),
    )
