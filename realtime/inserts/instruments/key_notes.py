"""Events on an instrument that bends only as a whole: the nearest key for each, on one channel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import mido

from ....codec.events.amendments import Amendment
from ....codec.events.event_spec import read_field
from ....codec.events.events import Event
from ....codec.takes.mpe import gain_to_velocity
from ....codec.takes.sounding_notes import Messages, SoundingNote, SoundingNotes


@dataclass
class _Note(SoundingNote):
    key: int


class KeyNotes(SoundingNotes[_Note]):
    """Gives each event a key.

    A key has one note: an event ends the one that it finds on its key. Amendments of the level are the key's
    own pressure. A pitch stays on its key, and brightness, which would be that of all notes, is not sent.
    """

    def __init__(self) -> None:
        self._sounding: dict[int, _Note] = {}  # by key

    def start(self, event: Event, start: float, end: float) -> Messages:
        yield from self.until(start)
        key = min(127, max(0, round(float(read_field(event.vector, "pitch")))))
        if key in self._sounding:
            yield start, self._off(self._sounding[key])
        self._sounding[key] = _Note(event.id, end, key)
        yield start, mido.Message("note_on", note=key, velocity=gain_to_velocity(event.gain_db))

    def until(self, time: float) -> Messages:
        due = [note for note in self._sounding.values() if note.end <= time]
        for note in sorted(due, key=lambda note: note.end):
            yield note.end, self._off(note)

    def _latest_first(self) -> Iterable[_Note]:
        return reversed(self._sounding.values())

    def _change(self, note: _Note, event: Event, amendment: Amendment) -> Messages:
        if amendment.gain_db is not None:
            pressure = gain_to_velocity(event.gain_db)
            yield amendment.at_seconds, mido.Message("polytouch", note=note.key, value=pressure)

    def _off(self, note: _Note) -> mido.Message:
        del self._sounding[note.key]
        return mido.Message("note_off", note=note.key, velocity=64)
