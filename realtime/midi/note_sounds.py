"""What a MIDI note sounds like: from note number and velocity to an event."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from ...codec.events.event_spec import (
    BANDWIDTH_HZ,
    FIELDS,
    GAIN_DB_HIGH,
    GAIN_DB_LOW,
    INDEX,
    VECTOR_SIZE,
    from_physical,
    read_field,
)
from ...codec.events.events import Event, FloatArray
from ...codec.events.quantize import quantize_gains, quantize_vectors
from ...codec.takes.mpe import control_to_tilt, velocity_to_gain
from ...patches.note_patch import PRESSURE_TARGETS
from ..stage.shaping import Expression
from .captured_sounds import CapturedSounds
from .channels import USUAL_BEND_SEMITONES

#: Lowest and highest note that can sound: where the pitch field begins, and where the bandwidth ends.
LOWEST_NOTE: Final = int(FIELDS[INDEX["pitch"]].low)
HIGHEST_NOTE: Final = int(69.0 + 12.0 * np.log2(BANDWIDTH_HZ / 440.0))

_CACHE_SIZE: Final = 8_192


def _plucked_string() -> FloatArray:
    """A struck string with a fast attack and a few seconds of ring, in a small room."""
    vector = np.zeros(VECTOR_SIZE, dtype=np.float32)
    physical = {
        "attack": 0.002,
        "hold": 6.0,  # the string rings by itself: its force stays until the note-off
        "release": 0.25,
        "decay": 5.0,
        "decay_tilt": 0.6,
        "tail": 0.15,
        "tail_ratio": 3.0,
        "tilt": -8.0,
        "stiffness": 0.0003,
        "noisiness": 0.02,
        "noise_decay": 0.08,
        "noise_tilt": -6.0,
        "room_mix": 0.15,
        "room": 1.0,
    }
    for name, value in physical.items():
        vector[INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)
    return vector


@dataclass(frozen=True)
class NoteSettings:
    """What a MIDI note sounds like.

    Args:
        vector: float32 ``[32]``, the sound; its pitch is not used.
        gain_db: level of velocity 127; lower ones by 40 log10(velocity / 127).
        velocity_brightness_db: dB per octave by which the softest note's partials fall more steeply.
        bend_range_semitones: until a sender sets it (RPN 0).
        mpe: begin with a lower zone of all channels; a sender can also configure zones itself (RPN 6).
        channels: 0 to 15, those listened to.
        release: a note-off ends the note; without, notes ring out, as bells do.
        pressure: what it does to a sounding note: ``level``, ``brightness`` or ``off``.
        captured: what was heard lately, played in place of ``vector`` where there is something; None: never.
        pressure_db: how much the strongest pressure adds: dB of level, or dB per octave of brightness.

    Raises:
        ValueError: a value is out of its range.
    """

    vector: FloatArray = field(default_factory=_plucked_string, repr=False)
    gain_db: float = -12.0
    velocity_brightness_db: float = 6.0
    bend_range_semitones: float = USUAL_BEND_SEMITONES
    mpe: bool = False
    channels: Collection[int] = range(16)
    release: bool = True
    pressure: str = "level"
    pressure_db: float = 6.0
    captured: CapturedSounds | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        Event(0.0, self.gain_db, self.vector)  # checks both
        if not 0.0 <= self.velocity_brightness_db <= 36.0:
            raise ValueError(f"velocity_brightness_db is {self.velocity_brightness_db}; the range is 0 to 36")
        if not 0.0 <= self.bend_range_semitones <= 96.0:
            raise ValueError(f"bend_range_semitones is {self.bend_range_semitones}; the range is 0 to 96")
        if not all(channel in range(16) for channel in self.channels):
            raise ValueError(f"channels are 0 to 15, not {sorted(self.channels)}")
        if self.pressure not in PRESSURE_TARGETS:
            raise ValueError(f"pressure is {self.pressure!r}; it is one of {', '.join(PRESSURE_TARGETS)}")
        if not 0.0 <= self.pressure_db <= 24.0:
            raise ValueError(f"pressure_db is {self.pressure_db}; the range is 0 to 24")
        object.__setattr__(self, "channels", frozenset(self.channels))

    def express(self, bend_semitones: float, pressure: int) -> Expression:
        """What a bend and a pressure 0 to 127 do to a note."""
        depth_db = self.pressure_db * pressure / 127.0
        return Expression(
            bend_semitones,
            level_db=depth_db if self.pressure == "level" else 0.0,
            brightness_db=depth_db if self.pressure == "brightness" else 0.0,
        )


class NoteTemplates:
    """Events by note, velocity and brightness, made once: a note then costs a copy of one."""

    def __init__(self, notes: NoteSettings) -> None:
        self.notes = notes
        self._tilt_db = float(read_field(notes.vector, "tilt"))
        self._templates: dict[tuple[int, int, int | None], Event] = {}

    def event(self, note: int, velocity: int, brightness: int | None, onset_seconds: float) -> Event:
        """The event of a note; ``brightness`` 0 to 127 takes the place of the velocity's."""
        captured = self.notes.captured
        heard = None if captured is None else captured.find(note, velocity)
        if heard is not None:
            return replace(self._as_in_take(heard), onset_seconds=onset_seconds)
        template = self._templates.get((note, velocity, brightness))
        if template is None:
            if len(self._templates) >= _CACHE_SIZE:
                self._templates.clear()
            template = self._make(note, velocity, brightness)
            self._templates[note, velocity, brightness] = template
        return replace(template, onset_seconds=onset_seconds)

    def _make(self, note: int, velocity: int, brightness: int | None) -> Event:
        vector = self.notes.vector.copy()
        vector[INDEX["pitch"]] = from_physical(FIELDS[INDEX["pitch"]], float(note))
        if brightness is None:
            tilt_db = self._tilt_db - self.notes.velocity_brightness_db * (1.0 - velocity / 127.0)
            vector[INDEX["tilt"]] = from_physical(FIELDS[INDEX["tilt"]], tilt_db)
        else:
            vector[INDEX["tilt"]] = control_to_tilt(brightness)
        gain_db = min(GAIN_DB_HIGH, max(GAIN_DB_LOW, self.notes.gain_db + velocity_to_gain(velocity)))
        return self._as_in_take(Event(0.0, gain_db, vector))

    @staticmethod
    def _as_in_take(event: Event) -> Event:
        gain_db = float(quantize_gains(np.float64(event.gain_db)))
        return Event(0.0, gain_db, quantize_vectors(event.vector))
