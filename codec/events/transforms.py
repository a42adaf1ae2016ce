"""Edits of events: pure functions from events to events, the same for the same seed.

Each takes any iterable and yields lazily, but for :func:`thin` and :func:`randomize_times`, which must
see all events first. What an edit pushes beyond a field's range lands on the range's end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from .event_spec import FIELDS, INDEX, ROOM_NAMES, VECTOR_SIZE, from_physical, to_physical
from .events import Event

_MAX_SEMITONES: Final = 120.0
_MAX_STRETCH: Final = 64.0
_MAX_THIN_DB: Final = 200.0
_TIME_FIELDS: Final = tuple(i for i, field in enumerate(FIELDS) if field.unit == "s")


def transpose(events: Iterable[Event], semitones: float) -> Iterator[Event]:
    """Shift every pitch.

    Raises:
        ValueError: ``semitones`` is outside -120 to 120.
    """
    _check("semitones", semitones, -_MAX_SEMITONES, _MAX_SEMITONES)
    pitch = FIELDS[INDEX["pitch"]]
    shift = 2.0 * semitones / (pitch.high - pitch.low)
    for event in events:
        vector = event.vector.copy()
        vector[INDEX["pitch"]] += shift
        yield _with_vector(event, vector)


def stretch(events: Iterable[Event], factor: float) -> Iterator[Event]:
    """Make everything ``factor`` times as long: the onsets and every field that is a time.

    Raises:
        ValueError: ``factor`` is outside 1/64 to 64.
    """
    _check("stretch", factor, 1.0 / _MAX_STRETCH, _MAX_STRETCH)
    for event in events:
        vector = event.vector.copy()
        for i in _TIME_FIELDS:
            vector[i] = from_physical(FIELDS[i], factor * float(to_physical(FIELDS[i], event.vector[i])))
        yield replace(_with_vector(event, vector), onset_seconds=event.onset_seconds * factor)


def thin(events: Iterable[Event], depth_db: float) -> list[Event]:
    """Only the events at most ``depth_db`` quieter than the loudest.

    Raises:
        ValueError: ``depth_db`` is outside 0 to 200.
    """
    _check("thin", depth_db, 0.0, _MAX_THIN_DB)
    kept = list(events)
    floor_db = max((event.gain_db for event in kept), default=0.0) - depth_db
    return [event for event in kept if event.gain_db >= floor_db]


def set_room(events: Iterable[Event], room: str | int, mix: float = 0.3) -> Iterator[Event]:
    """Put every event into one room.

    Args:
        room: a name out of ``ROOM_NAMES`` or its number.
        mix: share of the amplitude that goes to the room, 0 to 1.

    Raises:
        ValueError: there is no such room, or ``mix`` is out of range.
    """
    _check("room mix", mix, 0.0, 1.0)
    number = room_number(room)
    for event in events:
        vector = event.vector.copy()
        vector[INDEX["room"]] = from_physical(FIELDS[INDEX["room"]], number)
        vector[INDEX["room_mix"]] = from_physical(FIELDS[INDEX["room_mix"]], mix)
        yield _with_vector(event, vector)


def room_number(room: str | int) -> int:
    """Number of a room given by its name, its number, or its number as text.

    >>> room_number("hall"), room_number("2")
    (3, 2)
    """
    text = str(room)
    if text in ROOM_NAMES:
        return ROOM_NAMES.index(text)
    if text.isdecimal() and int(text) < len(ROOM_NAMES):
        return int(text)
    raise ValueError(f"no room {room!r}; there are {', '.join(ROOM_NAMES)} (0 to {len(ROOM_NAMES) - 1})")


def randomize_vectors(events: Iterable[Event], seed: int) -> Iterator[Event]:
    """The published experiment: times and gains are kept, every vector is drawn anew from [-1, 1]."""
    rng = np.random.default_rng(seed)
    for event in events:
        yield _with_vector(event, rng.uniform(-1.0, 1.0, VECTOR_SIZE))


def randomize_times(events: Iterable[Event], seed: int) -> list[Event]:
    """The other half of it: gains and vectors are kept, onsets drawn between the first and the last."""
    kept = list(events)
    if not kept:
        return []
    onsets = [event.onset_seconds for event in kept]
    drawn = np.random.default_rng(seed).uniform(min(onsets), max(onsets), len(kept))
    moved = [replace(event, onset_seconds=float(onset)) for event, onset in zip(kept, drawn, strict=True)]
    return sorted(moved, key=lambda event: event.onset_seconds)


def perturb(events: Iterable[Event], amount: float, seed: int) -> Iterator[Event]:
    """Add Gaussian noise of standard deviation ``amount`` to every number of every vector.

    Raises:
        ValueError: ``amount`` is outside 0 to 2.
    """
    _check("perturb", amount, 0.0, 2.0)
    rng = np.random.default_rng(seed)
    for event in events:
        yield _with_vector(event, event.vector + amount * rng.standard_normal(VECTOR_SIZE))


@dataclass(frozen=True)
class Edit:
    """What ``struck edit`` is asked to do; the defaults do nothing.

    Raises:
        ValueError: a value is out of range.
    """

    transpose_semitones: float = 0.0
    stretch: float = 1.0
    thin_db: float | None = None
    room: str | int | None = None
    room_mix: float = 0.3
    randomize_vectors: bool = False
    randomize_times: bool = False
    perturb: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        _check("semitones", self.transpose_semitones, -_MAX_SEMITONES, _MAX_SEMITONES)
        _check("stretch", self.stretch, 1.0 / _MAX_STRETCH, _MAX_STRETCH)
        if self.thin_db is not None:
            _check("thin", self.thin_db, 0.0, _MAX_THIN_DB)
        if self.room is not None:
            room_number(self.room)
        _check("room mix", self.room_mix, 0.0, 1.0)
        _check("perturb", self.perturb, 0.0, 2.0)
        if self.seed < 0:
            raise ValueError(f"the seed is {self.seed}; it must be >= 0")


def apply_edits(events: Iterable[Event], edit: Edit) -> Iterable[Event]:
    """Events after the edit: thinned, randomised, perturbed, transposed, stretched, put into the room."""
    if edit.thin_db is not None:
        events = thin(events, edit.thin_db)
    if edit.randomize_vectors:
        events = randomize_vectors(events, edit.seed)
    if edit.randomize_times:
        events = randomize_times(events, edit.seed)
    if edit.perturb:
        events = perturb(events, edit.perturb, edit.seed)
    if edit.transpose_semitones:
        events = transpose(events, edit.transpose_semitones)
    if edit.stretch != 1.0:
        events = stretch(events, edit.stretch)
    if edit.room is not None:
        events = set_room(events, edit.room, edit.room_mix)
    return events


def _with_vector(event: Event, vector: np.ndarray) -> Event:
    return replace(event, vector=np.clip(vector, -1.0, 1.0).astype(np.float32))


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}; the range is {low:g} to {high:g}")
