"""Events as MPE notes (MIDI Polyphonic Expression, MMA/AMEI RP-053), for files and live ports alike.

One lower zone: channel 1 is its master, each sounding event has one of channels 2 to 16 to itself, so that
its bend and brightness touch no other note. Glides are not sent: a note has the pitch it settles on.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from math import log10
from typing import Final

import mido

from ..events.event_spec import INDEX, read_field
from ..events.events import Event

BEND_RANGE_SEMITONES: Final = 48
MASTER_CHANNEL: Final = 0  # channels are counted from 0
MEMBER_CHANNELS: Final = range(1, 16)
BRIGHTNESS_CONTROL: Final = 74


def brightness_control(event: Event) -> int:
    """Value 0 to 127 of MIDI's brightness control, as the slope of the partials says it."""
    return round(127.0 * (float(event.vector[INDEX["tilt"]]) + 1.0) / 2.0)


def control_to_tilt(value: int) -> float:
    """Position of the field ``tilt`` that :func:`brightness_control` tells as ``value``."""
    return 2.0 * value / 127.0 - 1.0


def sounding_seconds(event: Event) -> float:
    """Time until the event has faded by 60 dB: its modes die out, or its force ends, whichever is first."""
    attack, hold, release, decay = (
        float(read_field(event.vector, name)) for name in ("attack", "hold", "release", "decay")
    )
    return min(decay, attack + hold + release)


def gain_to_velocity(gain_db: float) -> int:
    """Velocity 1 to 127 of a level: 40 log10(velocity / 127), as General MIDI level 2 recommends."""
    return min(127, max(1, round(127.0 * 10.0 ** (gain_db / 40.0))))


def velocity_to_gain(velocity: int) -> float:
    """Level in dB of a velocity 1 to 127, relative to that of 127."""
    return 40.0 * log10(velocity / 127.0)


def zone_messages() -> Iterator[mido.Message]:
    """What a receiver must know first: the zone's channels and their bend range."""
    yield from _registered_parameter(
        MASTER_CHANNEL, 6, len(MEMBER_CHANNELS)
    )  # MPE configuration: the lower zone
    for channel in MEMBER_CHANNELS:
        yield from _registered_parameter(channel, 0, BEND_RANGE_SEMITONES)


def _registered_parameter(channel: int, number: int, value: int) -> list[mido.Message]:
    pairs = ((101, 0), (100, number), (6, value), (38, 0), (101, 127), (100, 127))
    return [mido.Message("control_change", channel=channel, control=c, value=v) for c, v in pairs]


class MpeNotes:
    """Gives each sounding event a channel and says what to send when.

    Times are in any one unit, ticks of a file or seconds of a stream; the caller's start times never fall.
    When all channels sound, the note that would end first is cut short.
    """

    def __init__(self) -> None:
        self._free = list(MEMBER_CHANNELS)  # the longest silent first: its release disturbs a new bend least
        self._sounding: list[tuple[float, int, int]] = []  # heap of (end, channel, note)

    @property
    def next_end(self) -> float | None:
        """When the next note-off is due; None if nothing sounds."""
        return self._sounding[0][0] if self._sounding else None

    def start(self, event: Event, start: float, end: float) -> Iterator[tuple[float, mido.Message]]:
        """Messages, each with its time, up to the note-on at ``start`` of an event that sounds to ``end``."""
        yield from self.end_until(start)
        if not self._free:
            yield start, self._end_first()
        channel = self._free.pop(0)
        pitch = float(read_field(event.vector, "pitch"))
        note = min(127, round(pitch))
        bend = min(8191, round((pitch - note) / BEND_RANGE_SEMITONES * 8192))
        brightness = brightness_control(event)
        velocity = gain_to_velocity(event.gain_db)
        heapq.heappush(self._sounding, (end, channel, note))
        yield start, mido.Message("pitchwheel", channel=channel, pitch=bend)
        yield (
            start,
            mido.Message("control_change", channel=channel, control=BRIGHTNESS_CONTROL, value=brightness),
        )
        yield start, mido.Message("note_on", channel=channel, note=note, velocity=velocity)

    def end_until(self, time: float) -> Iterator[tuple[float, mido.Message]]:
        """Note-offs that are due by ``time``, each with its time; infinity ends all."""
        while self._sounding and self._sounding[0][0] <= time:
            end = self._sounding[0][0]
            yield end, self._end_first()

    def _end_first(self) -> mido.Message:
        _, channel, note = heapq.heappop(self._sounding)
        self._free.append(channel)
        return mido.Message("note_off", channel=channel, note=note, velocity=64)
