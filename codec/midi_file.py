"""Events as a standard MIDI file of MPE notes (MIDI Polyphonic Expression, MMA/AMEI RP-053).

One lower zone: channel 1 is its master, each sounding event has one of channels 2 to 16 to itself, so that
its bend and brightness touch no other note. Glides are not written: a note has the pitch it settles on.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import mido

from .event_spec import INDEX, read_field
from .events import Event

TICKS_PER_BEAT: Final = 960
TEMPO_US_PER_BEAT: Final = 500_000
TICKS_PER_SECOND: Final = TICKS_PER_BEAT * 1_000_000 / TEMPO_US_PER_BEAT
BEND_RANGE_SEMITONES: Final = 48
MEMBER_CHANNELS: Final = range(1, 16)  # counted from 0
BRIGHTNESS_CONTROL: Final = 74


def brightness_control(event: Event) -> int:
    """Value 0 to 127 of MIDI's brightness control, as the slope of the partials says it."""
    return round(127.0 * (float(event.vector[INDEX["tilt"]]) + 1.0) / 2.0)


def sounding_seconds(event: Event) -> float:
    """Time until the event has faded by 60 dB: its modes die out, or its force ends, whichever is first."""
    attack, hold, release, decay = (
        float(read_field(event.vector, name)) for name in ("attack", "hold", "release", "decay")
    )
    return min(decay, attack + hold + release)


def gain_to_velocity(gain_db: float) -> int:
    """Velocity 1 to 127 of a level: 40 log10(velocity / 127), as General MIDI level 2 recommends."""
    return min(127, max(1, round(127.0 * 10.0 ** (gain_db / 40.0))))


def write_midi_file(path: Path, events: Iterable[Event]) -> None:
    """Write events, in order of onset, as an MPE file of type 0.

    When all fifteen channels sound, the note that would end first is cut short.
    """
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("set_tempo", tempo=TEMPO_US_PER_BEAT))
    track.extend(_zone_messages())
    ticks_before = 0
    for ticks, message in _note_messages(events):
        track.append(message.copy(time=ticks - ticks_before))
        ticks_before = ticks
    file = mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT)
    file.tracks.append(track)
    file.save(path)


def _registered_parameter(channel: int, number: int, value: int) -> list[mido.Message]:
    pairs = ((101, 0), (100, number), (6, value), (38, 0), (101, 127), (100, 127))
    return [mido.Message("control_change", channel=channel, control=c, value=v) for c, v in pairs]


def _zone_messages() -> Iterator[mido.Message]:
    yield from _registered_parameter(0, 6, len(MEMBER_CHANNELS))  # MPE configuration: the lower zone
    for channel in MEMBER_CHANNELS:
        yield from _registered_parameter(channel, 0, BEND_RANGE_SEMITONES)


def _note_messages(events: Iterable[Event]) -> Iterator[tuple[int, mido.Message]]:
    free = list(MEMBER_CHANNELS)  # the longest silent first: its release disturbs a new bend least
    sounding: list[tuple[int, int, int]] = []  # heap of (end ticks, channel, note)

    def end_first(ticks: int) -> tuple[int, mido.Message]:
        _, channel, note = heapq.heappop(sounding)
        free.append(channel)
        return ticks, mido.Message("note_off", channel=channel, note=note, velocity=64)

    for event in events:
        start = round(event.onset_seconds * TICKS_PER_SECOND)
        while sounding and sounding[0][0] <= start:
            yield end_first(sounding[0][0])
        if not free:
            yield end_first(start)
        channel = free.pop(0)
        pitch = float(read_field(event.vector, "pitch"))
        note = min(127, round(pitch))
        bend = min(8191, round((pitch - note) / BEND_RANGE_SEMITONES * 8192))
        brightness = brightness_control(event)
        yield start, mido.Message("pitchwheel", channel=channel, pitch=bend)
        yield (
            start,
            mido.Message("control_change", channel=channel, control=BRIGHTNESS_CONTROL, value=brightness),
        )
        yield (
            start,
            mido.Message("note_on", channel=channel, note=note, velocity=gain_to_velocity(event.gain_db)),
        )
        length = max(1, round(sounding_seconds(event) * TICKS_PER_SECOND))
        heapq.heappush(sounding, (start + length, channel, note))
    while sounding:
        yield end_first(sounding[0][0])
