"""What a musician reads from an event and sets on it: pitch, loudness, brightness, attack, decay, noisiness,
room.

Setting one leaves the others where they were as far as the event vector reaches: a new pitch changes what the
learned timbre makes of the vector, so brightness is restored through ``tilt`` and the decay through
``decay``. A value out of reach lands on the nearest one within.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Final, Protocol

import numpy as np

from .controls import LN_1000, Controls, compute_controls, make_tables
from .event_spec import FIELDS, GAIN_DB_HIGH, GAIN_DB_LOW, INDEX, ROOM_NAMES, from_physical, read_field
from .events import Event

DRY: Final = "dry"

#: Below this share of amplitude (-26 dB) an event counts as dry.
LEAST_ROOM_MIX: Final = 0.05

#: Share given to the room of an event that was dry.
USUAL_ROOM_MIX: Final = 0.3

#: Descriptors in an OSC event message after the gain: (name in the message, type tag, attribute).
OSC_FIELDS: Final = (
    ("pitch_hz", "f", "pitch_hz"),
    ("brightness", "f", "brightness"),
    ("attack_s", "f", "attack_seconds"),
    ("decay_s", "f", "decay_seconds"),
    ("noisiness", "f", "noisiness"),
    ("room", "s", "room"),
)

_TABLES: Final = make_tables(lambda array: np.asarray(array, dtype=np.float64))
_POWER_FLOOR: Final = 1e-20  # controls add it to keep square roots differentiable
_BISECTIONS: Final = 30


class DecoderWeights(Protocol):
    """What descriptors need of :class:`struck.codec.weights.codec_weights.CodecWeights`."""

    @property
    def decoder(self) -> Mapping[str, np.ndarray]: ...


@dataclass(frozen=True)
class Descriptors:
    """An event in a musician's words."""

    pitch_hz: float  # of the lowest mode, once settled
    loudness_db: float  # RMS at the attack re full scale
    brightness: float  # power-weighted mean of the modes' octaves above the lowest
    attack_seconds: float  # rise of the force
    decay_seconds: float  # 60 dB decay time of the lowest mode's first stage
    noisiness: float  # share of noise in the power, 0 to 1
    room: str  # "dry" or the nearest of ROOM_NAMES


def read_descriptors(weights: DecoderWeights, event: Event) -> Descriptors:
    """Descriptors of ``event`` as it sounds with ``weights``."""
    vector = event.vector.astype(np.float64)
    controls = _controls(weights, vector)
    room = DRY
    if _value("room_mix", vector) >= LEAST_ROOM_MIX:
        room = ROOM_NAMES[round(_value("room", vector))]
    return Descriptors(
        pitch_hz=float(controls.frequency_hz[0, 0]),
        loudness_db=event.gain_db,
        brightness=_brightness(controls),
        attack_seconds=_value("attack", vector),
        decay_seconds=float(LN_1000 / controls.decay_rate[0, 0]),
        noisiness=_value("noisiness", vector),
        room=room,
    )


def set_descriptor(weights: DecoderWeights, event: Event, name: str, value: float | str) -> Event:
    """``event`` with one descriptor set, the others as they were.

    Args:
        weights: the codec's weights.
        event: the event to change; it stays as it is.
        name: an attribute of :class:`Descriptors`.
        value: a finite number, or for ``room`` one of ``ROOM_NAMES`` or ``"dry"``.

    Raises:
        ValueError: the name is none of the descriptors, the number is not finite, or the room is unknown.
    """
    if name == "room":
        return _set_room(event, str(value))
    if name not in Descriptors.__dataclass_fields__:
        raise ValueError(
            f"no descriptor is called {name}; they are {', '.join(Descriptors.__dataclass_fields__)}"
        )
    number = float(value)
    if not isfinite(number):
        raise ValueError(f"{name} is {number}; it must be finite")
    if name == "loudness_db":
        return replace(event, gain_db=min(GAIN_DB_HIGH, max(GAIN_DB_LOW, number)))

    vector = event.vector.astype(np.float64)
    if name == "pitch_hz":
        before = read_descriptors(weights, event)
        _put("pitch", 69.0 + 12.0 * np.log2(max(number, 1e-3) / 440.0), vector)
        _fit_decay(weights, vector, before.decay_seconds)
        _fit_brightness(weights, vector, before.brightness)
    elif name == "brightness":
        _fit_brightness(weights, vector, number)
    elif name == "decay_seconds":
        _fit_decay(weights, vector, number)
    else:
        _put({"attack_seconds": "attack"}.get(name, name), number, vector)
    return replace(event, vector=vector.astype(np.float32))


def _set_room(event: Event, room: str) -> Event:
    vector = event.vector.astype(np.float64)
    if room == DRY:
        _put("room_mix", 0.0, vector)
    elif room in ROOM_NAMES:
        _put("room", float(ROOM_NAMES.index(room)), vector)
        if _value("room_mix", vector) < LEAST_ROOM_MIX:
            _put("room_mix", USUAL_ROOM_MIX, vector)
    else:
        raise ValueError(f"no room is called {room}; the rooms are {DRY}, {', '.join(ROOM_NAMES)}")
    return replace(event, vector=vector.astype(np.float32))


def _value(name: str, vector: np.ndarray) -> float:
    return float(read_field(vector, name))


def _put(name: str, value: float, vector: np.ndarray) -> None:
    vector[INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)


def _controls(weights: DecoderWeights, vectors: np.ndarray) -> Controls:
    # double precision: descriptors of an event that was set must come back as they were set
    network = {name: array.astype(np.float64) for name, array in weights.decoder.items()}
    vectors = np.atleast_2d(vectors)
    return compute_controls(network, np.zeros(len(vectors)), vectors, _TABLES, np)


def _brightness(controls: Controls) -> float:
    power = np.maximum(controls.mode_gain[0] ** 2 - _POWER_FLOOR, 0.0)
    octaves = np.log2(controls.frequency_hz[0] / controls.frequency_hz[0, 0])
    return float(np.sum(power * octaves) / max(np.sum(power), _POWER_FLOOR))


def _fit_decay(weights: DecoderWeights, vector: np.ndarray, decay_seconds: float) -> None:
    """Set the decay field so that the lowest mode, learned factor included, decays in ``decay_seconds``."""
    sounding = LN_1000 / _controls(weights, vector).decay_rate[0, 0]
    _put("decay", _value("decay", vector) * decay_seconds / sounding, vector)


def _fit_brightness(weights: DecoderWeights, vector: np.ndarray, brightness: float) -> None:
    """Bisect the tilt: brightness never falls as the tilt rises (its slope is the octaves' variance)."""
    at = INDEX["tilt"]
    low, high = -1.0, 1.0
    for _ in range(_BISECTIONS):
        vector[at] = 0.5 * (low + high)
        if _brightness(_controls(weights, vector)) < brightness:
            low = vector[at]
        else:
            high = vector[at]
