"""Edits of streams: pure functions from items to items, the same for the same seed.

Each takes any iterable and yields lazily, but for :func:`thin` and :func:`randomize_times`, which must
see all items first. Amendments are edited as their events are: what shifts an event's vector shifts what
becomes of it too. What an edit pushes beyond a field's range lands on the range's end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import log
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..events.amendments import Amendment, StreamItem, in_stream_order
from ..events.beat_line import BeatLine
from ..events.event_spec import FIELDS, INDEX, ROOM_NAMES, VECTOR_SIZE, from_physical
from ..events.events import Event
from ..events.lives import EventLife, collect_lives
from .freeze import FREEZE
from .streams import transform_stream
from .transform import Surroundings, TransformSettings, Turn

_MAX_SEMITONES: Final = 120.0
_MAX_STRETCH: Final = 64.0
_MAX_THIN_DB: Final = 200.0

#: How far the position of each field goes when its time becomes e times as long, [VECTOR_SIZE].
_STRETCH_SHIFT: Final = np.array(
    [2.0 / log(field.high / field.low) if field.unit == "s" else 0.0 for field in FIELDS]
)
assert all(field.scale == "log" for field in FIELDS if field.unit == "s")


def transpose(items: Iterable[StreamItem], semitones: float) -> Iterator[StreamItem]:
    """Shift every pitch.

    Raises:
        ValueError: ``semitones`` is outside -120 to 120.
    """
    _check("semitones", semitones, -_MAX_SEMITONES, _MAX_SEMITONES)
    pitch = FIELDS[INDEX["pitch"]]
    shift = np.zeros(VECTOR_SIZE)
    shift[INDEX["pitch"]] = 2.0 * semitones / (pitch.high - pitch.low)
    return _shifted(items, lambda event: shift)


def stretch(items: Iterable[StreamItem], factor: float) -> Iterator[StreamItem]:
    """Make everything ``factor`` times as long: all times of the stream and every field that is a time.

    Raises:
        ValueError: ``factor`` is outside 1/64 to 64.
    """
    _check("stretch", factor, 1.0 / _MAX_STRETCH, _MAX_STRETCH)
    shift = log(factor) * _STRETCH_SHIFT
    for item in _shifted(items, lambda event: shift):
        if isinstance(item, Event):
            yield replace(item, onset_seconds=item.onset_seconds * factor)
        else:
            yield replace(item, at_seconds=item.at_seconds * factor)


def thin(items: Iterable[StreamItem], depth_db: float) -> list[StreamItem]:
    """Only the events at most ``depth_db`` quieter than the loudest, each by the loudest of its life.

    With an event go its amendments and its end, and with the others those that speak of no event.

    Raises:
        ValueError: ``depth_db`` is outside 0 to 200.
    """
    _check("thin", depth_db, 0.0, _MAX_THIN_DB)
    lives = collect_lives(items)
    loudest = [max(event.gain_db for _, event in life.states) for life in lives]
    floor_db = max(loudest, default=0.0) - depth_db
    kept = [life for life, gain_db in zip(lives, loudest, strict=True) if gain_db >= floor_db]
    return _as_stream(kept)


def set_room(items: Iterable[StreamItem], room: str | int, mix: float = 0.3) -> Iterator[StreamItem]:
    """Put every event into one room, for all its life.

    Args:
        room: a name out of ``ROOM_NAMES`` or its number.
        mix: share of the amplitude that goes to the room, 0 to 1.

    Raises:
        ValueError: there is no such room, or ``mix`` is out of range.
    """
    _check("room mix", mix, 0.0, 1.0)
    places = {"room": float(room_number(room)), "room_mix": mix}
    for item in items:
        if isinstance(item, Event | Amendment):
            vector = np.array(item.vector, dtype=np.float64)
            for name, value in places.items():
                # What an amendment leaves alone it need not say.
                if not np.isnan(vector[INDEX[name]]):
                    vector[INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)
            yield _with_vector(item, vector)
        else:
            yield item


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


def randomize_vectors(items: Iterable[StreamItem], seed: int) -> Iterator[StreamItem]:
    """The published experiment: times and gains are kept, every vector is drawn anew from [-1, 1].

    Amendments move the new vector as far as they moved the old.
    """
    rng = np.random.default_rng(seed)
    return _shifted(items, lambda event: rng.uniform(-1.0, 1.0, VECTOR_SIZE) - event.vector)


def randomize_times(items: Iterable[StreamItem], seed: int) -> list[StreamItem]:
    """The other half of it: gains and vectors are kept, onsets drawn between the first and the last.

    Amendments and ends go with their events; those that speak of none are dropped.
    """
    lives = collect_lives(items)
    if not lives:
        return []
    onsets = [life.event.onset_seconds for life in lives]
    drawn = np.random.default_rng(seed).uniform(min(onsets), max(onsets), len(lives))
    return _as_stream(_moved(life, float(onset)) for life, onset in zip(lives, drawn, strict=True))


def perturb(items: Iterable[StreamItem], amount: float, seed: int) -> Iterator[StreamItem]:
    """Add Gaussian noise of standard deviation ``amount`` to every number of every event's vector.

    An event keeps its noise for all its life.

    Raises:
        ValueError: ``amount`` is outside 0 to 2.
    """
    _check("perturb", amount, 0.0, 2.0)
    rng = np.random.default_rng(seed)
    return _shifted(items, lambda event: amount * rng.standard_normal(VECTOR_SIZE))


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
    transforms: tuple[TransformSettings, ...] = ()
    turns: tuple[Turn, ...] = ()
    tempo_bpm: float = 120.0

    @property
    def freezes(self) -> bool:
        """Whether it needs the decoder's weights."""
        return bool(self.turns) and any(item.kind == FREEZE for item in self.transforms)

    def __post_init__(self) -> None:
        _check("semitones", self.transpose_semitones, -_MAX_SEMITONES, _MAX_SEMITONES)
        _check("stretch", self.stretch, 1.0 / _MAX_STRETCH, _MAX_STRETCH)
        if self.thin_db is not None:
            _check("thin", self.thin_db, 0.0, _MAX_THIN_DB)
        if self.room is not None:
            room_number(self.room)
        _check("room mix", self.room_mix, 0.0, 1.0)
        _check("perturb", self.perturb, 0.0, 2.0)
        _check("tempo", self.tempo_bpm, 1.0, 1_000.0)
        if self.turns and not self.transforms:
            raise ValueError("there is no transform to turn")
        if self.seed < 0:
            raise ValueError(f"the seed is {self.seed}; it must be >= 0")


def apply_edits(
    items: Iterable[StreamItem], edit: Edit, weights: Mapping[str, Any] | None = None
) -> Iterable[StreamItem]:
    """A stream after the edit: thinned, randomised, perturbed, transformed, transposed, stretched, placed.

    Args:
        items: the stream.
        edit: what is done.
        weights: the decoder's, for an edit that :attr:`~Edit.freezes`.

    Raises:
        ValueError: a turn does not fit the transforms, or weights are missing.
    """
    if edit.thin_db is not None:
        items = thin(items, edit.thin_db)
    if edit.randomize_vectors:
        items = randomize_vectors(items, edit.seed)
    if edit.randomize_times:
        items = randomize_times(items, edit.seed)
    if edit.perturb:
        items = perturb(items, edit.perturb, edit.seed)
    if edit.transforms:
        line = BeatLine(0.0, 0.0, 60.0 / edit.tempo_bpm)
        around = Surroundings(edit.seed, lambda: line)
        items = transform_stream(items, edit.transforms, around, edit.turns, weights)
    if edit.transpose_semitones:
        items = transpose(items, edit.transpose_semitones)
    if edit.stretch != 1.0:
        items = stretch(items, edit.stretch)
    if edit.room is not None:
        items = set_room(items, edit.room, edit.room_mix)
    return items


def _shifted(
    items: Iterable[StreamItem], shift_of: Callable[[Event], NDArray[np.float64]]
) -> Iterator[StreamItem]:
    """Every event's vector shifted by ``shift_of`` it ``[VECTOR_SIZE]``, and its amendments by the same."""
    shifts: dict[int, NDArray[np.float64]] = {}
    for item in items:
        if isinstance(item, Event):
            shift = shift_of(item)
            if item.id is not None:
                shifts[item.id] = shift
            yield _with_vector(item, item.vector + shift)
        elif isinstance(item, Amendment):
            assert item.vector is not None
            if item.id in shifts:
                item = _with_vector(item, item.vector + shifts[item.id])
            yield item
        else:
            shifts.pop(item.id, None)
            yield item


def _moved(life: EventLife, onset_seconds: float) -> EventLife:
    def at(seconds: float) -> float:
        return onset_seconds + max(0.0, seconds - life.event.onset_seconds)

    return EventLife(
        replace(life.event, onset_seconds=onset_seconds),
        tuple(replace(item, at_seconds=at(item.at_seconds)) for item in life.amendments),
        None if life.end is None else replace(life.end, at_seconds=at(life.end.at_seconds)),
    )


def _as_stream(lives: Iterable[EventLife]) -> list[StreamItem]:
    return in_stream_order(item for life in lives for item in life.items)


_Vectored = TypeVar("_Vectored", bound=Event | Amendment)


def _with_vector(item: _Vectored, vector: NDArray[np.floating]) -> _Vectored:
    # NaN, where an amendment leaves a field alone, stays NaN.
    return replace(item, vector=np.clip(vector, -1.0, 1.0).astype(np.float32))


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}; the range is {low:g} to {high:g}")
