"""Streams as a standard MIDI file of MPE notes, in their tempo; see :mod:`struck.codec.takes.mpe`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, Final

import mido

from ..events.amendments import Amendment, StreamItem, stream_key
from ..events.events import Event
from ..events.lives import EventLife, collect_lives
from .mpe import MpeNotes, zone_messages

TICKS_PER_BEAT: Final = 960
#: Kind of the marks of a take that tell its tempo and its bars.
TEMPO_MARK: Final = "tempo"
#: Between two messages: the four bytes, of seven bits each, that a file has for it (38.8 hours).
_LONGEST_TICKS: Final = 0x0FFF_FFFF
#: What a note lasts at least, in seconds: a tick of the usual tempo.
_SHORTEST_SECONDS: Final = 0.5 / TICKS_PER_BEAT


@dataclass(frozen=True)
class Tempo:
    """A tempo, and how bars are counted, from a time on.

    Args:
        seconds: stream time.
        bpm: quarter notes per minute, 4 to 60,000,000.
        numerator, denominator: of the time signature; the denominator is a power of two.
    """

    seconds: float = 0.0
    bpm: float = 120.0
    numerator: int = 4
    denominator: int = 4

    @classmethod
    def of_mark(cls, seconds: float, mark: Mapping[str, Any]) -> Tempo:
        """As a take's mark tells it; what a file by others has out of range is the usual."""
        bpm, numerator, denominator = (mark.get(key) for key in ("bpm", "numerator", "denominator"))
        known = isinstance(bpm, int | float) and _SLOWEST_BPM <= bpm <= _FASTEST_BPM
        whole = isinstance(numerator, int) and 1 <= numerator <= 255
        return cls(
            max(0.0, seconds),
            float(bpm) if known else cls.bpm,  # type: ignore[arg-type]
            numerator if whole else cls.numerator,  # type: ignore[arg-type]
            denominator if denominator in _DENOMINATORS else cls.denominator,  # type: ignore[arg-type]
        )

    def details(self) -> dict[str, float | int]:
        """What a mark of a take has of it."""
        return {
            "bpm": round(self.bpm, 3),
            "numerator": self.numerator,
            "denominator": self.denominator,
        }

    @property
    def us_per_beat(self) -> int:
        return round(6e7 / self.bpm)

    @property
    def ticks_per_second(self) -> float:
        return TICKS_PER_BEAT * 1e6 / self.us_per_beat

    def messages(self) -> tuple[mido.MetaMessage, mido.MetaMessage]:
        """What a file says of it."""
        bars = mido.MetaMessage("time_signature", numerator=self.numerator, denominator=self.denominator)
        return mido.MetaMessage("set_tempo", tempo=self.us_per_beat), bars


#: What 24 bits of microseconds can say.
_SLOWEST_BPM, _FASTEST_BPM = 4.0, 1_000.0
_DENOMINATORS: Final = (1, 2, 4, 8, 16, 32)


class _Track:
    """A track whose messages have their times in seconds, and in it the tempo."""

    def __init__(self, tempos: Sequence[Tempo]) -> None:
        self.track = mido.MidiTrack()
        self._tempos = deque(tempos)
        self._tempo = Tempo()
        self._tick = 0  # of the tempo's beginning
        self._before = 0  # of the last message
        if not tempos or tempos[0].seconds > 0.0:
            self._append(0, *self._tempo.messages())

    def add(self, seconds: float, message: mido.Message) -> None:
        """Put in a message, after those before it."""
        while self._tempos and self._tempos[0].seconds <= seconds:
            tempo = self._tempos.popleft()
            tick = self._tick_at(tempo.seconds)
            self._tempo, self._tick = tempo, tick
            self._append(tick, *tempo.messages())
        self._append(self._tick_at(seconds), message)

    def _tick_at(self, seconds: float) -> int:
        return self._tick + round((seconds - self._tempo.seconds) * self._tempo.ticks_per_second)

    def _append(self, tick: int, *messages: mido.Message) -> None:
        tempo = mido.MetaMessage("set_tempo", tempo=self._tempo.us_per_beat)
        while tick - self._before > _LONGEST_TICKS:
            # The same tempo again changes nothing, and cuts a pause that is longer than a file can say.
            self.track.append(tempo.copy(time=_LONGEST_TICKS))
            self._before += _LONGEST_TICKS
        for message in messages:
            self.track.append(message.copy(time=tick - self._before))
            self._before = tick


def write_midi_file(path: Path, items: Iterable[StreamItem], tempos: Sequence[Tempo] = ()) -> None:
    """Write a stream, in any order, as an MPE file of type 0.

    A note lasts until its event ends, or until it has faded by 60 dB where it has no end. When all fifteen
    channels sound, the note that would end first is cut short.

    Args:
        path: of the file.
        items: the stream.
        tempos: by time; before the first it is 120 in four quarters.
    """
    found = _Track(tempos)
    for message in zone_messages():
        found.add(0.0, message)
    for seconds, message in _note_messages(collect_lives(items)):
        found.add(seconds, message)
    file = mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT)
    file.tracks.append(found.track)
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
        end = max(life.end_seconds, life.event.onset_seconds + _SHORTEST_SECONDS)
        items: list[Event | Amendment] = [life.event, *life.amendments]
        steps += [(item, event, end) for item, (_, event) in zip(items, life.states, strict=True)]
    return sorted(steps, key=lambda step: stream_key(step[0]))
