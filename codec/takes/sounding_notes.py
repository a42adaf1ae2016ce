"""Events that sound as notes: what amendments and ends do to them, however they are sent."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import mido

from ..events.amendments import Amendment, End
from ..events.events import Event

#: Messages, each with its time in seconds.
Messages = Iterator[tuple[float, mido.Message]]


@dataclass
class SoundingNote:
    """One note.

    Args:
        id: of its event, or None.
        end: when its note-off is due, in seconds.
    """

    id: int | None
    end: float


Note = TypeVar("Note", bound=SoundingNote)


class SoundingNotes(ABC, Generic[Note]):
    """Gives events notes. Times are seconds; those given to all methods together never fall."""

    @abstractmethod
    def start(self, event: Event, start: float, end: float) -> Messages:
        """Messages up to the note-on at ``start`` of an event that sounds to ``end``."""

    def amend(self, event: Event, amendment: Amendment, end: float) -> Messages:
        """Messages up to an amendment that makes of its event ``event``, which then sounds to ``end``."""
        yield from self.until(amendment.at_seconds)
        note = self._find(amendment.id)
        if note is None:
            return
        note.end = max(end, amendment.at_seconds)
        yield from self._change(note, event, amendment)
        yield from self.until(amendment.at_seconds)

    def end(self, end: End) -> Messages:
        """Messages up to the note-off of the event that ends."""
        if (note := self._find(end.id)) is not None:
            note.end = end.at_seconds
        yield from self.until(end.at_seconds)

    @abstractmethod
    def until(self, time: float) -> Messages:
        """What is due by ``time``; infinity ends all."""

    def _find(self, id: int) -> Note | None:
        return next((note for note in self._latest_first() if note.id == id), None)

    @abstractmethod
    def _latest_first(self) -> Iterable[Note]:
        """The notes that sound, from the latest on."""

    @abstractmethod
    def _change(self, note: Note, event: Event, amendment: Amendment) -> Messages:
        """Let a note become what its event has become, at once or when there is room for it."""
