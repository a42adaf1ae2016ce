"""Events as a standard MIDI file of MPE notes; see :mod:`struck.codec.takes.mpe`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import inf
from pathlib import Path
from typing import Final

import mido

from ..events.events import Event
from .mpe import MpeNotes, sounding_seconds, zone_messages

TICKS_PER_BEAT: Final = 960
TEMPO_US_PER_BEAT: Final = 500_000
#: Between two messages: the four bytes, of seven bits each, that a file has for it (38.8 hours).
_LONGEST_TICKS: Final = 0x0FFF_FFFF
TICKS_PER_SECOND: Final = TICKS_PER_BEAT * 1_000_000 / TEMPO_US_PER_BEAT


def write_midi_file(path: Path, events: Iterable[Event]) -> None:
    """Write events, in order of onset, as an MPE file of type 0.

    When all fifteen channels sound, the note that would end first is cut short.
    """
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("set_tempo", tempo=TEMPO_US_PER_BEAT))
    track.extend(zone_messages())
    ticks_before = 0
    for ticks, message in _note_messages(events):
        while ticks - ticks_before > _LONGEST_TICKS:
            # The same tempo again changes nothing, and cuts a pause that is longer than a file can say.
            track.append(mido.MetaMessage("set_tempo", tempo=TEMPO_US_PER_BEAT, time=_LONGEST_TICKS))
            ticks_before += _LONGEST_TICKS
        track.append(message.copy(time=ticks - ticks_before))
        ticks_before = ticks
    file = mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT)
    file.tracks.append(track)
    file.save(path)


def _note_messages(events: Iterable[Event]) -> Iterator[tuple[int, mido.Message]]:
    notes = MpeNotes()
    for event in events:
        start = round(event.onset_seconds * TICKS_PER_SECOND)
        length = max(1, round(sounding_seconds(event) * TICKS_PER_SECOND))
        for ticks, message in notes.start(event, start, start + length):
            yield int(ticks), message
    for ticks, message in notes.end_until(inf):
        yield int(ticks), message
