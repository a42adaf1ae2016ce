"""An instrument among the inserts: events, what becomes of them and their ends as MIDI, sample by sample."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from math import inf, isnan
from typing import Any, Final

import numpy as np

from ....codec.events.amendments import Amendment, End
from ....codec.events.event_spec import GAIN_DB_HIGH, GAIN_DB_LOW, INDEX, VECTOR_SIZE
from ....codec.events.events import Event
from ....codec.takes.mpe import MpeNotes, bend_range_messages, zone_messages
from ....codec.takes.sounding_notes import Messages, SoundingNotes
from ...engine.shared_memory import (
    AMEND_NOTE,
    AT_SAMPLE,
    BEGIN_NOTE,
    END_NOTE,
    EVENT_ID,
    FADES_AT,
    FIRST,
    KIND,
    SECOND,
    THIRD,
)
from .key_notes import KeyNotes

#: MIDI's usual range of the pitch wheel: that of instruments which know no other.
_BEND_SEMITONES: Final = 2
#: One that is taken back so soon after its beginning is not to be heard at all.
_AT_ONCE_SECONDS: Final = 0.001
#: All sound off, all controllers as at first, all notes off: on each of the 16 channels.
_SILENCE: Final = tuple(
    bytes((0xB0 | channel, number, 0)) for channel in range(16) for number in (120, 121, 123)
)
_PITCH, _TILT = INDEX["pitch"], INDEX["tilt"]


class Instrument:
    """Turns the rows about one insert's notes into messages, block by block.

    Rows may come in any order, as long as they come before their samples; what comes too late takes place at
    once.

    Args:
        rate: of the stream in Hz.
        mpe: it takes MPE.
        voices: of an instrument that bends only as a whole, see
            :class:`~struck.patches.insert_patch.InsertPatch`.
        late_samples: by which the inserts before it delay what it is to be in time with.
    """

    def __init__(self, rate: int, mpe: bool, voices: int, late_samples: int) -> None:
        self._rate, self._mpe, self._voices, self._late_samples = rate, mpe, voices, late_samples
        self._notes = self._make_notes()
        self._waiting: list[tuple[int, int, tuple[float, ...]]] = []  # heap by sample, then arrival
        self._arrivals = 0
        self._releasing = False
        #: Notes that began later than they should have.
        self.late_count = 0

    def _make_notes(self) -> SoundingNotes[Any]:
        if self._mpe:
            return MpeNotes(inf)
        if self._voices:
            return MpeNotes(inf, range(self._voices), _BEND_SEMITONES)
        return KeyNotes()

    def set_up(self) -> list[bytes]:
        """What the instrument must be told before its first note."""
        if self._mpe:
            return [bytes(message.bytes()) for message in zone_messages()]
        channels = range(self._voices)
        return [bytes(message.bytes()) for message in bend_range_messages(channels, _BEND_SEMITONES)]

    def take(self, row: np.ndarray) -> None:
        """A row of the command ring."""
        if row[KIND] == END_NOTE and row[FIRST] != 0.0 and self._take_back(row):
            return
        self._arrivals += 1
        at_sample = int(row[AT_SAMPLE]) + self._late_samples
        heapq.heappush(self._waiting, (at_sample, self._arrivals, tuple(row)))

    def _take_back(self, end: np.ndarray) -> bool:
        """Whether what ends has not begun, would end as it begins, and so is taken away."""
        for place, (_, _, row) in enumerate(self._waiting):
            if row[KIND] == BEGIN_NOTE and row[EVENT_ID] == end[EVENT_ID]:
                if end[AT_SAMPLE] - row[AT_SAMPLE] > _AT_ONCE_SECONDS * self._rate:
                    return False
                del self._waiting[place]
                heapq.heapify(self._waiting)
                return True
        return False

    def release(self) -> None:
        """Let all notes go in the next block; none begins any more."""
        self._waiting.clear()
        self._releasing = True

    def panic(self) -> list[bytes]:
        """Forget all notes; what to send so that none sounds."""
        self._waiting.clear()
        self._notes = self._make_notes()
        return [*_SILENCE, *self.set_up()]

    def messages(self, start: int, frames: int) -> Iterator[tuple[int, bytes]]:
        """What is due in the block at ``start``, each with its frame, in order."""
        if self._waiting or self._releasing:
            found = self._play(start, start + frames)
        else:
            found = self._notes.until((start + frames - 0.5) / self._rate)
        for seconds, message in found:
            frame = round(seconds * self._rate) - start
            yield min(frames - 1, max(0, frame)), bytes(message.bytes())

    def _play(self, start: int, end: int) -> Messages:
        if self._releasing:
            self._waiting.clear()
            self._notes, notes = self._make_notes(), self._notes
            for _, message in notes.until(inf):
                yield start / self._rate, message
        while self._waiting and self._waiting[0][0] < end:
            at_sample, _, row = heapq.heappop(self._waiting)
            yield from self._obey(row, max(start, at_sample))
            if row[KIND] == BEGIN_NOTE and at_sample < start:
                self.late_count += 1
        yield from self._notes.until((end - 0.5) / self._rate)

    def _obey(self, row: tuple[float, ...], at_sample: int) -> Messages:
        seconds = at_sample / self._rate
        id = int(row[EVENT_ID])
        if row[KIND] == END_NOTE:
            return self._notes.end(End(id, seconds))
        fades_seconds = max(at_sample + 1.0, row[FADES_AT] + self._late_samples) / self._rate
        vector = np.zeros(VECTOR_SIZE, np.float32)
        vector[_PITCH], vector[_TILT] = row[SECOND], row[THIRD]
        changes_level = not isnan(row[FIRST])
        gain_db = min(GAIN_DB_HIGH, max(GAIN_DB_LOW, row[FIRST])) if changes_level else GAIN_DB_LOW
        event = Event(seconds, gain_db, vector, id)
        if row[KIND] == BEGIN_NOTE:
            return self._notes.start(event, seconds, fades_seconds)
        assert row[KIND] == AMEND_NOTE
        amendment = Amendment(id, seconds, gain_db if changes_level else None, vector)
        return self._notes.amend(event, amendment, fades_seconds)
