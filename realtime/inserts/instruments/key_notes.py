"""Events on an instrument that bends only as a whole: the nearest key for each, on one channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import mido

from ....codec.events.amendments import Amendment, End
from ....codec.events.event_spec import read_field
from ....codec.events.events import Event
from ....codec.takes.mpe import gain_to_velocity


@dataclass
class _Note:
    key: int
    id: int | None  # of its event
    end: float


class KeyNotes:
    """Gives each event a key; times as those of :class:`~struck.codec.takes.mpe.MpeNotes`.

    A key has one note: an event ends the one that it finds on its key. Amendments of the level are the key's
    own pressure. A pitch stays on its key, and brightness, which would be that of all notes, is not sent.
    """

    def __init__(self) -> None:
        self._sounding: dict[int, _Note] = {}  # by key

    def start(self, event: Event, start: float, end: float) -> Iterator[tuple[float, mido.Message]]:
        """Messages, each with its time, up to the note-on at ``start`` of an event that sounds to ``end``."""
        yield from self.until(start)
        key = min(127, max(0, round(float(read_field(event.vector, "pitch")))))
        if key in self._sounding:
            yield start, self._off(self._sounding[key])
        self._sounding[key] = _Note(key, event.id, end)
        yield start, mido.Message("note_on", note=key, velocity=gain_to_velocity(event.gain_db))

    def amend(self, event: Event, amendment: Amendment, end: float) -> Iterator[tuple[float, mido.Message]]:
        """Messages up to an amendment that makes of its event ``event``, which then sounds to ``end``."""
        yield from self.until(amendment.at_seconds)
        note = self._find(amendment.id)
        if note is None:
            return
        note.end = max(end, amendment.at_seconds)
        if amendment.gain_db is not None:
            pressure = gain_to_velocity(event.gain_db)
            yield amendment.at_seconds, mido.Message("polytouch", note=note.key, value=pressure)
        yield from self.until(amendment.at_seconds)

    def end(self, end: End) -> Iterator[tuple[float, mido.Message]]:
        """Messages up to the note-off of the event that ends."""
        if (note := self._find(end.id)) is not None:
            note.end = end.at_seconds
        yield from self.until(end.at_seconds)

    def until(self, time: float) -> Iterator[tuple[float, mido.Message]]:
        """Note-offs that are due by ``time``, each with its time; infinity ends all."""
        due = [note for note in self._sounding.values() if note.end <= time]
        for note in sorted(due, key=lambda note: note.end):
            yield note.end, self._off(note)

    def _find(self, id: int) -> _Note | None:
        return next((note for note in self._sounding.values() if note.id == id), None)

    def _off(self, note: _Note) -> mido.Message:
        del self._sounding[note.key]
        return mido.Message("note_off", note=note.key, velocity=64)
