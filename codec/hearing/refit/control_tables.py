"""What an event's compiled controls are made of: columns, constants, the tape of the way back, scratch.

Axes: E event, M mode, B noise band; I input, H hidden unit, O output of the timbre network.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from ...events.controls import TIMBRE_HIDDEN, TIMBRE_INPUTS, TIMBRE_OUTPUTS, make_tables
from ...events.event_spec import FIELDS, MODE_COUNT, NOISE_BAND_COUNT, ROOM_COUNT, VECTOR_SIZE

#: Columns of an event's scalar controls; from ROOM on, the squared weight of each room.
TAIL_SHARE: Final = 0
GLIDE_RATIO: Final = 1
GLIDE_SECONDS: Final = 2
ATTACK: Final = 3
HOLD: Final = 4
RELEASE_RATE: Final = 5
NOISE_RATE: Final = 6
DIRECT: Final = 7  # squared share of the dry sound
ROOM: Final = 8
SCALAR_COUNT: Final = ROOM + ROOM_COUNT

#: Rows of an event's mode controls ``[4, M]``.
FREQUENCY: Final = 0
GAIN: Final = 1
DECAY: Final = 2
TAIL: Final = 3

#: Columns of an event's parameters: gain in dB, the 32 numbers, the onset's shift in s.
GAIN_DB: Final = 0
VECTOR: Final = 1
SHIFT: Final = 1 + VECTOR_SIZE
PARAMETER_COUNT: Final = 2 + VECTOR_SIZE

#: Scales of fields; a kind is a place among them.
_SCALES: Final = ("latent", "linear", "log", "power4", "square", "signed_square", "logistic")
LINEAR, LOG, POWER4, SQUARE, SIGNED_SQUARE, LOGISTIC = range(1, 7)


class ControlConstants(NamedTuple):
    """Tables of the event's fields and of the modes' ratios."""

    kinds: np.ndarray  # int64 [32] place in _SCALES
    low: np.ndarray  # float64 [32]
    high: np.ndarray  # float64 [32]
    spans: np.ndarray  # float64 [32] log of high over low, where a scale is logarithmic
    harmonic: np.ndarray  # [M] log of the mode's number
    families: np.ndarray  # [4, M] log ratios to that
    squares: np.ndarray  # [M] of the mode's number
    noise_octaves: np.ndarray  # [B] above 1 kHz


def make_control_constants(dtype: Any = np.float32) -> ControlConstants:
    """The constants, from the same tables as the twin's."""
    tables = make_tables(lambda a: a.astype(dtype))
    return ControlConstants(
        np.array([_SCALES.index(field.scale) for field in FIELDS]),
        np.array([field.low for field in FIELDS]),
        np.array([field.high for field in FIELDS]),
        np.array([np.log(field.high / field.low) if field.scale == "log" else 0.0 for field in FIELDS]),
        *tables.ratios,
        tables.noise_octaves,
    )


class Tape(NamedTuple):
    """What the way back needs of each event's way there."""

    values: np.ndarray  # [E, 32] physical
    slopes: np.ndarray  # [E, 32] of the physical values over the vector's numbers
    first: np.ndarray  # [E, H]
    second: np.ndarray  # [E, H]
    out: np.ndarray  # [E, O]
    log_ratio: np.ndarray  # [E, M]
    place: np.ndarray  # [E, M] of the modes between the envelope's points
    level: np.ndarray  # [E, M] of the modes, in dB
    bend: np.ndarray  # [E, M] hyperbolic tangents of what the network says of decays
    mode_power: np.ndarray  # [E, M] shares, sum 1
    noise_power: np.ndarray  # [E, B] shares, sum 1


def make_tape(count: int, dtype: Any = np.float32) -> Tape:
    """Room for ``count`` events."""

    def empty(size: int) -> np.ndarray:
        return np.empty((count, size), dtype)

    return Tape(
        empty(VECTOR_SIZE),
        empty(VECTOR_SIZE),
        empty(TIMBRE_HIDDEN),
        empty(TIMBRE_HIDDEN),
        empty(TIMBRE_OUTPUTS),
        empty(MODE_COUNT),
        empty(MODE_COUNT),
        empty(MODE_COUNT),
        empty(MODE_COUNT),
        empty(MODE_COUNT),
        empty(NOISE_BAND_COUNT),
    )


class ControlScratch(NamedTuple):
    """What is written on for one event, there and back."""

    inputs: np.ndarray  # [I] and their gradients
    hidden: np.ndarray  # [H] what the last layer reads; gradients of the second
    d_first: np.ndarray  # [H]
    d_out: np.ndarray  # [O]
    d_ratio: np.ndarray  # [M]
    d_values: np.ndarray  # float64 [32]


def make_control_scratch(dtype: Any = np.float32) -> ControlScratch:
    """Scratch for any number of events, one after the other."""
    return ControlScratch(
        np.empty(TIMBRE_INPUTS, dtype),
        np.empty(TIMBRE_HIDDEN, dtype),
        np.empty(TIMBRE_HIDDEN, dtype),
        np.empty(TIMBRE_OUTPUTS, dtype),
        np.empty(MODE_COUNT, dtype),
        np.empty(VECTOR_SIZE),
    )
