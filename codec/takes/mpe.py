"""Events as MPE notes (MIDI Polyphonic Expression, MMA/AMEI RP-053), for files and live ports alike.

One lower zone: channel 1 is its master, each sounding event has one of channels 2 to 16 to itself, so that
its bend, pressure and brightness touch no other note. Glides are not sent: a note has the pitch it settles
on. Amendments of pitch are bends, of level pressure, of brightness controller 74.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf, log10
from typing import Final

import mido

from ..events.amendments import Amendment
from ..events.event_spec import INDEX, read_field
from ..events.events import Event
from .sounding_notes import Messages, SoundingNote, SoundingNotes

BEND_RANGE_SEMITONES: Final = 48
MASTER_CHANNEL: Final = 0  # channels are counted from 0
MEMBER_CHANNELS: Final = range(1, 16)
BRIGHTNESS_CONTROL: Final = 74

#: A 5-pin cable: 31,250 baud, a start and a stop bit around the eight of a byte.
CABLE_BYTES_PER_SECOND: Final = 3_125.0
#: Bytes of a message by what mido calls it.
_SIZES: Final = {"pitchwheel": 3, "aftertouch": 2, "control_change": 3}


def brightness_control(event: Event) -> int:
    """Value 0 to 127 of MIDI's brightness control, as the slope of the partials says it."""
    return round(127.0 * (float(event.vector[INDEX["tilt"]]) + 1.0) / 2.0)


def control_to_tilt(value: int) -> float:
    """Position of the field ``tilt`` that :func:`brightness_control` tells as ``value``."""
    return 2.0 * value / 127.0 - 1.0


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
    yield from bend_range_messages(MEMBER_CHANNELS, BEND_RANGE_SEMITONES)


def bend_range_messages(channels: Iterable[int], semitones: int) -> Iterator[mido.Message]:
    """What a receiver must know of channels that are no zone."""
    for channel in channels:
        yield from _registered_parameter(channel, 0, semitones)


def _registered_parameter(channel: int, number: int, value: int) -> list[mido.Message]:
    pairs = ((101, 0), (100, number), (6, value), (38, 0), (101, 127), (100, 127))
    return [mido.Message("control_change", channel=channel, control=c, value=v) for c, v in pairs]


@dataclass
class _Note(SoundingNote):
    """One sounding note.

    Args:
        channel, note: where it sounds, and its number.
        sent: value by dimension (``pitchwheel``, ``aftertouch``, ``control_change``) as the receiver has it.
        wanted: as it should be.
        since: the time of the first amendment that has not gone out whole.
    """

    channel: int
    note: int
    sent: dict[str, int]
    wanted: dict[str, int]
    since: float = inf


class MpeNotes(SoundingNotes[_Note]):
    """Gives each sounding event a channel and says what to send when.

    When all channels sound, the note that would end first is cut short. Pressure tells a level as velocity
    does, from the first amendment of the level on.

    Notes go out when they are due. What an amendment changes goes out when the cable is free: while it is
    not, newer values take the place of older ones, so that the last one always arrives. A bend, a pressure
    and a brightness of one note are 8 bytes, so that 390 amendments a second pass whole.

    Args:
        bytes_per_second: what the cable carries; by default one of 31,250 baud with 10 bits a byte.
        channels: those that notes have.
        bend_range_semitones: of these channels.
    """

    def __init__(
        self,
        bytes_per_second: float = CABLE_BYTES_PER_SECOND,
        channels: Sequence[int] = MEMBER_CHANNELS,
        bend_range_semitones: int = BEND_RANGE_SEMITONES,
    ) -> None:
        self._byte_seconds = 1.0 / bytes_per_second
        self._bend_range_semitones = bend_range_semitones
        self._cable_free = 0.0
        self._free = list(channels)  # the longest silent first: its release disturbs a new bend least
        self._pressures = dict.fromkeys(channels, 0)
        self._sounding: list[_Note] = []

    @property
    def next_due(self) -> float | None:
        """When something is due next, a note-off or what waits for the cable; None if nothing is."""
        times = [note.end for note in self._sounding]
        if any(note.since < inf for note in self._sounding):
            times.append(self._cable_free)
        return min(times, default=None)

    def start(self, event: Event, start: float, end: float) -> Messages:
        yield from self.until(start)
        if not self._free:
            first = min(self._sounding, key=lambda note: note.end)
            first.end = start
            yield start, self._off(first)
        channel = self._free.pop(0)
        number = min(127, max(0, round(float(read_field(event.vector, "pitch")))))
        values = self._dimensions(event, number)
        sent = values | {"aftertouch": self._pressures[channel]}
        note = _Note(event.id, end, channel, number, sent, dict(values))
        self._sounding.append(note)
        yield start, self._send(note, "pitchwheel", start)
        yield start, self._send(note, "control_change", start)
        if note.sent["aftertouch"]:  # of a note before; this one's velocity tells its level
            note.wanted["aftertouch"] = 0
            yield start, self._send(note, "aftertouch", start)
        self._take(3, start)
        velocity = gain_to_velocity(event.gain_db)
        yield start, mido.Message("note_on", channel=channel, note=number, velocity=velocity)

    def until(self, time: float) -> Messages:
        while True:
            ending = min(self._sounding, key=lambda note: note.end, default=None)
            waiting = min(self._sounding, key=lambda note: note.since, default=None)
            if waiting is not None and waiting.since < inf:
                due = max(waiting.since, self._cable_free)
                if due <= time and (ending is None or due < ending.end):
                    yield from self._send_changes(waiting, due)
                    continue
            if ending is None or ending.end > time:
                return
            yield ending.end, self._off(ending)

    def _latest_first(self) -> Iterable[_Note]:
        return reversed(self._sounding)

    def _change(self, note: _Note, event: Event, amendment: Amendment) -> Messages:
        note.wanted |= self._dimensions(event, note.note)
        if amendment.gain_db is not None:
            note.wanted["aftertouch"] = gain_to_velocity(event.gain_db)
        if note.wanted != note.sent:
            note.since = min(note.since, amendment.at_seconds)
        return iter(())  # it goes out when the cable is free

    def _send_changes(self, note: _Note, time: float) -> Messages:
        for dimension, value in note.wanted.items():
            if note.sent[dimension] != value:
                yield time, self._send(note, dimension, time)
        note.since = inf

    def _send(self, note: _Note, dimension: str, time: float) -> mido.Message:
        value = note.sent[dimension] = note.wanted[dimension]
        self._take(_SIZES[dimension], time)
        if dimension == "pitchwheel":
            return mido.Message("pitchwheel", channel=note.channel, pitch=value)
        if dimension == "aftertouch":
            self._pressures[note.channel] = value
            return mido.Message("aftertouch", channel=note.channel, value=value)
        return mido.Message("control_change", channel=note.channel, control=BRIGHTNESS_CONTROL, value=value)

    def _take(self, byte_count: int, time: float) -> None:
        self._cable_free = max(self._cable_free, time) + byte_count * self._byte_seconds

    def _off(self, note: _Note) -> mido.Message:
        self._sounding.remove(note)
        self._free.append(note.channel)
        self._take(3, note.end)
        return mido.Message("note_off", channel=note.channel, note=note.note, velocity=64)

    def _dimensions(self, event: Event, note: int) -> dict[str, int]:
        """What bend and brightness tell of ``event`` where it sounds as this note."""
        semitones = float(read_field(event.vector, "pitch")) - note
        bend = round(semitones / self._bend_range_semitones * 8192)
        return {"pitchwheel": min(8191, max(-8192, bend)), "control_change": brightness_control(event)}
