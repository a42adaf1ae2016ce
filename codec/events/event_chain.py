"""What can be done to events on their way, described once: patches, ``struck edit`` and docs read this table.

A transform looks at an event when it begins, and keeps it or not. If so, it says what the event becomes;
the same is then done to all that is amended of it, so that an event that was transposed stays transposed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

import numpy as np

from .amendments import Amendment, StreamItem, difference
from .event_spec import FIELDS, GAIN_DB_HIGH, GAIN_DB_LOW, INDEX, VECTOR_SIZE, from_physical, read_field
from .events import Event

#: What becomes of one event, at its beginning and of all its later states alike.
Shaper = Callable[[Event], Event]
#: Of an event that begins: what it becomes; None: it is dropped.
Begin = Callable[[Event], Shaper | None]

NOTE_NAMES: Final = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
SCALES: Final[dict[str, tuple[int, ...]]] = {
    "chromatic": tuple(range(12)),
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic_minor": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "pentatonic": (0, 2, 4, 7, 9),
    "minor_pentatonic": (0, 3, 5, 7, 10),
    "whole_tone": (0, 2, 4, 6, 8, 10),
}


class TransformField(NamedTuple):
    """One value of a transform; ``words`` are what a text may be, or its parts where it is a list."""

    name: str
    default: Any
    low: float = 0.0
    high: float = 0.0
    unit: str = ""
    meaning: str = ""
    words: tuple[str, ...] = ()


class TransformKind(NamedTuple):
    """One transform."""

    name: str
    meaning: str
    fields: tuple[TransformField, ...]
    make: Callable[[Mapping[str, Any], int], Begin]


@dataclass(frozen=True)
class TransformSettings:
    """One transform as it is asked for: its kind and values by name, those left out being the defaults."""

    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)


def _same(event: Event) -> Event:
    return event


def _pitch(event: Event) -> float:
    return float(read_field(event.vector, "pitch"))


def _with_pitch(event: Event, pitch: float) -> Event:
    vector = event.vector.copy()
    vector[INDEX["pitch"]] = from_physical(FIELDS[INDEX["pitch"]], pitch)
    return replace(event, vector=vector)


def _gate(values: Mapping[str, Any], seed: int) -> Begin:
    return lambda event: _same if event.gain_db >= values["level_db"] else None


def _thin(values: Mapping[str, Any], seed: int) -> Begin:
    rng = np.random.default_rng(seed)
    return lambda event: _same if rng.random() < values["share"] else None


def _density(values: Mapping[str, Any], seed: int) -> Begin:
    recent: deque[float] = deque()

    def begin(event: Event) -> Shaper | None:
        while recent and recent[0] <= event.onset_seconds - 1.0:
            recent.popleft()
        if len(recent) >= values["most"]:
            return None
        recent.append(event.onset_seconds)
        return _same

    return begin


def _ghosts(values: Mapping[str, Any], seed: int) -> Begin:
    recent: deque[Event] = deque(maxlen=64)

    def begin(event: Event) -> Shaper | None:
        for other in recent:
            after = event.onset_seconds - other.onset_seconds
            if 0.0 <= after <= values["within"] and event.gain_db <= other.gain_db - values["depth_db"]:
                return None
        recent.append(event)
        return _same

    return begin


def _keys(values: Mapping[str, Any], seed: int) -> Begin:
    classes = {NOTE_NAMES.index(name) for name in values["notes"]}
    return lambda event: _same if round(_pitch(event)) % 12 in classes else None


def _transpose(values: Mapping[str, Any], seed: int) -> Begin:
    return lambda event: lambda state: _with_pitch(state, _pitch(state) + values["semitones"])


def _scale(values: Mapping[str, Any], seed: int) -> Begin:
    root = NOTE_NAMES.index(values["root"])
    steps = sorted({(root + step) % 12 for step in SCALES[values["scale"]]})

    def begin(event: Event) -> Shaper:
        pitch = _pitch(event)
        base = 12.0 * (pitch // 12.0)
        near = min(
            (base + octave + step for octave in (-12, 0, 12) for step in steps), key=lambda p: abs(p - pitch)
        )
        shift = values["strength"] * (near - pitch)  # what bends it later bends it from there
        return lambda state: _with_pitch(state, _pitch(state) + shift)

    return begin


def _scatter(values: Mapping[str, Any], seed: int) -> Begin:
    rng = np.random.default_rng(seed)
    kept = INDEX["pitch"]

    def begin(event: Event) -> Shaper:
        offset = values["amount"] * rng.standard_normal(VECTOR_SIZE)
        offset[kept] = 0.0  # the tune stays
        return lambda state: replace(
            state, vector=np.clip(state.vector + offset, -1.0, 1.0).astype(np.float32)
        )

    return begin


def _morph(values: Mapping[str, Any], seed: int) -> Begin:
    share = values["share"]
    goal = np.full(VECTOR_SIZE, np.nan)
    for name, value in values["sound"].items():
        goal[INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)
    named = ~np.isnan(goal)

    def shape(state: Event) -> Event:
        vector = state.vector.copy()
        vector[named] = (1.0 - share) * vector[named] + share * goal[named]
        return replace(state, vector=vector)

    return lambda event: shape


def _level(values: Mapping[str, Any], seed: int) -> Begin:
    def shape(state: Event) -> Event:
        gain_db = min(GAIN_DB_HIGH, max(GAIN_DB_LOW, state.gain_db + values["gain_db"]))
        return replace(state, gain_db=gain_db)

    return lambda event: shape


TRANSFORMS: Final = (
    TransformKind(
        "gate",
        "drops what is softer than a level",
        (TransformField("level_db", -50.0, GAIN_DB_LOW, GAIN_DB_HIGH, "dB", "of an event's beginning"),),
        _gate,
    ),
    TransformKind(
        "thin",
        "keeps a share of the events, by chance",
        (TransformField("share", 0.5, 0.0, 1.0, "", "that is kept"),),
        _thin,
    ),
    TransformKind(
        "density",
        "drops what is more than so many events in a second",
        (TransformField("most", 8.0, 1.0, 1_000.0, "events per second", "that pass"),),
        _density,
    ),
    TransformKind(
        "ghosts",
        "drops soft events right after louder ones",
        (
            TransformField("within", 0.15, 0.0, 5.0, "s", "after the louder one"),
            TransformField("depth_db", 15.0, 0.0, 100.0, "dB", "by which it is softer at least"),
        ),
        _ghosts,
    ),
    TransformKind(
        "keys",
        "keeps only these notes, in any octave",
        (TransformField("notes", NOTE_NAMES, meaning="their names", words=NOTE_NAMES),),
        _keys,
    ),
    TransformKind(
        "transpose",
        "shifts the pitch",
        (TransformField("semitones", 0.0, -120.0, 120.0, "semitones", "up"),),
        _transpose,
    ),
    TransformKind(
        "scale",
        "moves each event's pitch to the nearest of a scale; bends and glides stay",
        (
            TransformField("root", "C", meaning="its first note", words=NOTE_NAMES),
            TransformField("scale", "major", meaning="which", words=tuple(SCALES)),
            TransformField("strength", 1.0, 0.0, 1.0, "", "share of the way"),
        ),
        _scale,
    ),
    TransformKind(
        "scatter",
        "changes each event's sound by chance; pitch and times stay",
        (TransformField("amount", 0.1, 0.0, 2.0, "", "standard deviation of the vector's numbers"),),
        _scatter,
    ),
    TransformKind(
        "morph",
        "moves the sound towards another",
        (
            TransformField("share", 0.5, 0.0, 1.0, "", "of the way"),
            TransformField("sound", {}, meaning="fields of it, as those of `[note.sound]`; the others stay"),
        ),
        _morph,
    ),
    TransformKind(
        "level",
        "makes events louder or softer",
        (TransformField("gain_db", 0.0, -90.0, 90.0, "dB", "added"),),
        _level,
    ),
)
TRANSFORM: Final = {kind.name: kind for kind in TRANSFORMS}


class EventChain:
    """Transforms one after the other, at work.

    Args:
        settings: what is done, in order.
        seed: of what goes by chance.
    """

    def __init__(self, settings: Sequence[TransformSettings], seed: int = 0) -> None:
        self._begins = []
        for place, item in enumerate(settings):
            kind = TRANSFORM[item.kind]
            values = {f.name: item.values.get(f.name, f.default) for f in kind.fields}
            self._begins.append(kind.make(values, seed + place))

    def begin(self, event: Event) -> Shaper | None:
        """What becomes of an event that begins, and of all that is amended of it; None: it is dropped.

        Events come in the order of their onsets, by and large.
        """
        shapers: list[Shaper] = []
        for begin in self._begins:
            shaper = begin(event)
            if shaper is None:
                return None
            event = shaper(event)
            shapers.append(shaper)

        def shape(state: Event) -> Event:
            for each in shapers:
                state = each(state)
            return state

        return shape if shapers else _same


def transform_stream(items: Iterable[StreamItem], chain: EventChain) -> Iterator[StreamItem]:
    """A stream after a chain: with a dropped event go its amendments and its end."""
    lives: dict[int, tuple[Event, Event, Shaper]] = {}  # by id: as it was, as it is told, how
    dropped: set[int] = set()
    for item in items:
        if isinstance(item, Event):
            shaper = chain.begin(item)
            if item.id is not None:
                dropped.discard(item.id)
                lives.pop(item.id, None)
            if shaper is None:
                if item.id is not None:
                    dropped.add(item.id)
                continue
            told = shaper(item)
            if item.id is not None:
                lives[item.id] = item, told, shaper
            yield told
        elif item.id in dropped:
            continue
        elif isinstance(item, Amendment) and item.id in lives:
            raw, told, shaper = lives[item.id]
            raw = item.apply(raw)
            changed = shaper(raw)
            amendment = difference(told, changed, item.id, item.at_seconds)
            lives[item.id] = raw, changed, shaper
            if amendment is not None:
                yield amendment
        else:
            if not isinstance(item, Amendment):
                lives.pop(item.id, None)
            yield item
