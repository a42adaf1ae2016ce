"""What a patch says of MIDI notes: its table ``[note]``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from ..codec.events.event_spec import (
    FIELDS,
    GAIN_DB_HIGH,
    GAIN_DB_LOW,
    INDEX,
    VECTOR_SIZE,
    Field,
    from_physical,
)
from ..codec.events.events import FloatArray
from .section import Section

#: What the pressure on a sounding note can do.
PRESSURE_TARGETS: Final = ("level", "brightness", "off")


@dataclass(frozen=True)
class NotePatch:
    """What a MIDI note sounds like and how it is played.

    Args:
        sound: physical values of fields of the event vector, by name; the pitch is the note's. Fields that
            are not named are in the middle of their range.
        gain_db: level of velocity 127.
        velocity_brightness_db: dB per octave by which the softest note's partials fall more steeply.
        bend_range_semitones: of the pitch wheel, until the sender sets it.
        mpe: all channels are one MPE zone.
        channels: 1 to 16, those listened to.
        release: a note-off ends the note; without, notes ring out.
        pressure: what aftertouch does to a sounding note: ``level``, ``brightness`` or ``off``.
        heard: notes sound like what was heard lately, the nearest in pitch; like ``sound`` before that.
        pressure_db: what the strongest adds: dB of level, or dB per octave of brightness.
    """

    sound: Mapping[str, float] = field(default_factory=dict)
    gain_db: float = -12.0
    velocity_brightness_db: float = 6.0
    bend_range_semitones: float = 2.0
    mpe: bool = False
    channels: tuple[int, ...] = tuple(range(1, 17))
    release: bool = True
    pressure: str = "level"
    pressure_db: float = 6.0
    heard: bool = False

    @property
    def vector(self) -> FloatArray:
        """The event vector, float32 ``[32]``."""
        vector = np.zeros(VECTOR_SIZE, dtype=np.float32)
        for name, value in self.sound.items():
            vector[INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)
        return vector


def read_note(section: Section) -> NotePatch:
    """The table ``[note]``.

    Raises:
        StruckError: something in it is not known, of another type, or out of range.
    """
    sound_section = section.section("sound")
    sound = {}
    for key in list(sound_section.values):
        if key not in INDEX or key == "pitch":
            sound_section.refuse(key, f"unknown: {key}")
        spec = FIELDS[INDEX[key]]
        sound[key] = sound_section.number(key, 0.0, *physical_range(spec))
    channels = section.take("channels", list, list(range(1, 17)))
    if not channels or not all(type(channel) is int and 1 <= channel <= 16 for channel in channels):
        section.refuse("channels", f"channels must be numbers from 1 to 16, not {channels!r}")
    note = NotePatch(
        sound=sound,
        gain_db=section.number("gain_db", NotePatch.gain_db, GAIN_DB_LOW, GAIN_DB_HIGH),
        velocity_brightness_db=section.number(
            "velocity_brightness_db", NotePatch.velocity_brightness_db, 0.0, 36.0
        ),
        bend_range_semitones=section.number(
            "bend_range_semitones", NotePatch.bend_range_semitones, 0.0, 96.0
        ),
        mpe=section.take("mpe", bool, NotePatch.mpe),
        channels=tuple(channels),
        release=section.take("release", bool, NotePatch.release),
        pressure=section.choice("pressure", NotePatch.pressure, PRESSURE_TARGETS),
        pressure_db=section.number("pressure_db", NotePatch.pressure_db, 0.0, 24.0),
        heard=section.take("heard", bool, NotePatch.heard),
    )
    section.refuse_rest()
    return note


def physical_range(field: Field) -> tuple[float, float]:
    """Ends of a field's values; a share lies between 0 and 1 whatever its scale's ends say."""
    return (0.0, 1.0) if field.scale == "logistic" else (field.low, field.high)
