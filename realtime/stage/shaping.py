"""What performers do to events: the controls' changes to all, a player's expression in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Final

from ...codec.events.amendments import Amendment
from ...codec.events.descriptors import OSC_FIELDS, DecoderWeights, set_descriptor
from ...codec.events.event_spec import (
    FIELDS,
    GAIN_DB_HIGH,
    GAIN_DB_LOW,
    INDEX,
    from_physical,
    read_field,
)
from ...codec.events.events import Event

#: Controls that change events, those that sound included; see :mod:`struck.realtime.engine.parameters`.
SHAPING_CONTROLS: Final = ("transpose", "brightness_db", "decay", "attack", "room", "room_mix")

_DESCRIPTORS: Final = {name: attribute for name, _, attribute in OSC_FIELDS}


@dataclass(frozen=True)
class Expression:
    """What a player does to one event while it sounds.

    Args:
        bend_semitones: added to its pitch.
        level_db: added to its gain.
        brightness_db: added to the slope of its partials, dB per octave.
        tilt: position of the field ``tilt`` in [-1, 1] in place of its own; None leaves it.
    """

    bend_semitones: float = 0.0
    level_db: float = 0.0
    brightness_db: float = 0.0
    tilt: float | None = None


PLAIN: Final = Expression()


def shape(event: Event, controls: Mapping[str, float], expression: Expression = PLAIN) -> Event:
    """``event`` as the controls and the expression change it; values out of range land on the range's end."""
    vector = event.vector.copy()

    def put(name: str, value: float) -> None:
        vector[INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)

    def get(name: str) -> float:
        return float(read_field(vector, name))

    shift = controls["transpose"] + expression.bend_semitones
    if shift:
        put("pitch", get("pitch") + shift)
    if expression.tilt is not None:
        vector[INDEX["tilt"]] = expression.tilt
    slope_db = controls["brightness_db"] + expression.brightness_db
    if slope_db:
        put("tilt", get("tilt") + slope_db)
    for name, factor in (
        ("decay", controls["decay"]),
        ("noise_decay", controls["decay"]),
        ("attack", controls["attack"]),
    ):
        if factor != 1.0:
            put(name, factor * get(name))
    if controls["room"] >= 0.0:
        put("room", controls["room"])
    if controls["room_mix"]:
        put("room_mix", min(1.0, max(0.0, get("room_mix") + controls["room_mix"])))
    gain_db = min(GAIN_DB_HIGH, max(GAIN_DB_LOW, event.gain_db + expression.level_db))
    if gain_db == event.gain_db and (vector == event.vector).all():
        return event
    return replace(event, gain_db=gain_db, vector=vector)


def changed_event(weights: DecoderWeights, event: Event, changes: Mapping[str, float | str]) -> Event:
    """``event`` with new values by name, one after the other.

    Args:
        weights: the codec's; descriptors depend on them.
        event: as it sounds.
        changes: ``gain_db``, fields of the vector in their units, descriptors as ``OSC_FIELDS`` names them.

    Raises:
        ValueError: there is no such name, or its value cannot be used.
    """
    for name, value in changes.items():
        if name in _DESCRIPTORS and not (name in INDEX and not isinstance(value, str)):
            event = set_descriptor(weights, event, _DESCRIPTORS[name], value)
            continue
        if isinstance(value, str) or not isfinite(value):
            raise ValueError(f"{name} is {value}; it must be a finite number")
        if name == "gain_db":
            event = replace(event, gain_db=min(GAIN_DB_HIGH, max(GAIN_DB_LOW, value)))
        else:
            event = Amendment.of_fields(0, 0.0, {name: value}).apply(event)
    return event
