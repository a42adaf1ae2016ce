"""Sounding events as notes of a hosted instrument, each at its sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ....codec.events.event_spec import read_field
from ....codec.events.events import Event
from ....codec.events.lives import sounding_seconds
from ....codec.takes.mpe import (
    BEND_RANGE_SEMITONES,
    BRIGHTNESS_CONTROL,
    MEMBER_CHANNELS,
    brightness_control,
    gain_to_velocity,
)

_NOTE_ON, _NOTE_OFF, _CONTROL, _BEND = 0x90, 0x80, 0xB0, 0xE0
_CENTRE: Final = 8_192

#: Takes a sample of the stream, a MIDI message of three bytes, and the number of the note that it is about.
Send = Callable[[int, bytes, int], bool]


class EventNotes:
    """Turns events into messages: note-on, note-off where the event has faded; nothing waits here.

    With MPE every event has a channel to itself, on which a bend gives it its exact pitch and controller 74
    its brightness; without, it sounds on the nearest key of channel 1, as most instruments bend only as a
    whole.

    Args:
        send: sends a message; False where there is no room.
        rate: of the stream in Hz.
        mpe: whether the instrument takes MPE.
    """

    def __init__(self, send: Send, rate: int, mpe: bool) -> None:
        self._send, self._rate, self._mpe = send, rate, mpe
        self._ends = dict.fromkeys(MEMBER_CHANNELS, 0)  # sample at which the last note of each channel ends
        self._last_id = 0

    def play(self, event: Event, at_sample: int) -> bool:
        """Let an event sound at a sample; False if it does not, for lack of room."""
        pitch = float(read_field(event.vector, "pitch"))
        key = min(127, max(0, round(pitch)))
        end = at_sample + max(1, round(sounding_seconds(event) * self._rate))
        self._last_id += 1
        channel = 0
        if self._mpe:
            # the one that has been silent longest, else the one that would be silent first
            channel = min(self._ends, key=self._ends.__getitem__)
            self._ends[channel] = end
            bend = _CENTRE + round((pitch - key) / BEND_RANGE_SEMITONES * _CENTRE)
            bend = min(2 * _CENTRE - 1, max(0, bend))
            self._send(at_sample, bytes((_BEND | channel, bend & 0x7F, bend >> 7)), 0)
            brightness = brightness_control(event)
            self._send(at_sample, bytes((_CONTROL | channel, BRIGHTNESS_CONTROL, brightness)), 0)
        velocity = gain_to_velocity(event.gain_db)
        if not self._send(at_sample, bytes((_NOTE_ON | channel, key, velocity)), self._last_id):
            return False
        return self._send(end, bytes((_NOTE_OFF | channel, key, 64)), self._last_id)
