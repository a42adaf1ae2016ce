"""Streams as a standard MIDI file of MPE notes; see :mod:`struck.codec.takes.mpe`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import inf
from pathlib import Path
from typing import Final

import mido

from ..events.amendments import Amendment, StreamItem, stream_key
from ..events.events import Event
from ..events.lives import EventLife, collect_lives
from .mpe import MpeNotes, zone_messages

TICKS_PER_BEAT: Final = 960
TEMPO_US_PER_BEAT: Final = 500_000
#: Between two messages: the four bytes, of seven bits each, that a file has for it (38.8 hours).
_LONGEST_TICKS: Final = 0x0FFF_FFFF
TICKS_PER_SECOND: Final = TICKS_PER_BEAT * 1_000_000 / TEMPO_US_PER_BEAT


def write_midi_file(path: Path, items: Iterable[StreamItem]) -> None:
    """Write a stream, in any order, as an MPE file of type 0.

    A note lasts until its event ends, or until it has faded by 60 dB where it has no end. When all fifteen
    channels sound, the note that would end first is cut short.
    """
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("set_tempo", tempo=TEMPO_US_PER_BEAT))
    track.extend(zone_messages())
    ticks_before = 0
    for seconds, message in _note_messages(collect_lives(items)):
        ticks = round(seconds * TICKS_PER_SECOND)
        while ticks - ticks_before > _LONGEST_TICKS:
            # The same tempo again changes nothing, and cuts a pause that is longer than a file can say.
            track.append(mido.MetaMessage("set_tempo", tempo=TEMPO_US_PER_BEAT, time=_LONGEST_TICKS))
            ticks_before += _LONGEST_TICKS
        track.append(message.copy(time=ticks - ticks_before))
        ticks_before = ticks
    file = mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT)
    file.tracks.append(track)
    file.save(path)


def _note_messages(lives: list[EventLife]) -> Iterator[tuple[float, mido.Message]]:
    notes = MpeNotes()
    for item, event, end in _steps(lives):
        if isinstance(item, Amendment):
            yield from notes.amend(event, item, end)
        else:
            yield from notes.start(event, event.onset_seconds, end)
    yield from notes.until(inf)


def _steps(lives: list[EventLife]) -> list[tuple[Event | Amendment, Event, float]]:
    """Onsets and amendments by time, each with its event as it is then, and when that is going to end."""
    steps: list[tuple[Event | Amendment, Event, float]] = []
    for life in lives:
        if not life.is_heard:
            continue
        end = max(life.end_seconds, life.event.onset_seconds + 1.0 / TICKS_PER_SECOND)
        items: list[Event | Amendment] = [life.event, *life.amendments]
        steps += [(item, event, end) for item, (_, event) in zip(items, life.states, strict=True)]
    return sorted(steps, key=lambda step: stream_key(step[0]))
