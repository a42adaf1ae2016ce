"""Transforms that drop events or change their sound, at their time."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Final

import numpy as np

from ..events.event_spec import FIELDS, INDEX, VECTOR_SIZE, from_physical, read_field
from ..events.events import Event
from .times import louder
from .transform import Once, Shaper, Surroundings, Transform, Values, same

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
#: Of an event's vector, what can be swapped; pitch, hold and release are of the note, and stay.
PARTS: Final[dict[str, tuple[str, ...]]] = {
    "attack": (
        *("glide", "glide_time", "attack"),
        *("noisiness", "noise_decay", "noise_tilt", "noise1", "noise2", "noise3"),
    ),
    "resonance": (
        *("stiffness", "bar_membrane", "plate_bell", "decay", "decay_tilt", "tail", "tail_ratio", "tilt"),
        *(f"timbre{n}" for n in range(1, 9)),
        *("evolution1", "evolution2"),
    ),
    "room": ("room_mix", "room"),
}
#: Events that may lie between two that swap.
MOST_BACK: Final = 32


def _pitch(event: Event) -> float:
    return float(read_field(event.vector, "pitch"))


def _with_pitch(event: Event, pitch: float) -> Event:
    vector = event.vector.copy()
    vector[INDEX["pitch"]] = from_physical(FIELDS[INDEX["pitch"]], pitch)
    return replace(event, vector=vector)


def gate(values: Values, around: Surroundings) -> Transform:
    return Once(lambda event: same if event.gain_db >= values["level_db"] else None)


def thin(values: Values, around: Surroundings) -> Transform:
    rng = np.random.default_rng(around.seed)
    return Once(lambda event: same if rng.random() < values["share"] else None)


def density(values: Values, around: Surroundings) -> Transform:
    recent: deque[float] = deque()

    def begin(event: Event) -> Shaper | None:
        while recent and recent[0] <= event.onset_seconds - 1.0:
            recent.popleft()
        if len(recent) >= values["most"]:
            return None
        recent.append(event.onset_seconds)
        return same

    return Once(begin)


def ghosts(values: Values, around: Surroundings) -> Transform:
    recent: deque[Event] = deque(maxlen=64)

    def begin(event: Event) -> Shaper | None:
        for other in recent:
            after = event.onset_seconds - other.onset_seconds
            if 0.0 <= after <= values["within"] and event.gain_db <= other.gain_db - values["depth_db"]:
                return None
        recent.append(event)
        return same

    return Once(begin)


def keys(values: Values, around: Surroundings) -> Transform:
    classes = {NOTE_NAMES.index(name) for name in values["notes"]}
    return Once(lambda event: same if round(_pitch(event)) % 12 in classes else None)


def transpose(values: Values, around: Surroundings) -> Transform:
    def begin(event: Event) -> Shaper:
        semitones = values["semitones"]
        return lambda state: _with_pitch(state, _pitch(state) + semitones)

    return Once(begin)


def scale(values: Values, around: Surroundings) -> Transform:
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

    return Once(begin)


def scatter(values: Values, around: Surroundings) -> Transform:
    rng = np.random.default_rng(around.seed)
    kept = INDEX["pitch"]

    def begin(event: Event) -> Shaper:
        offset = values["amount"] * rng.standard_normal(VECTOR_SIZE)
        offset[kept] = 0.0  # the tune stays
        return _moved(offset)

    return Once(begin)


def morph(values: Values, around: Surroundings) -> Transform:
    goal = np.full(VECTOR_SIZE, np.nan)
    for name, value in values["sound"].items():
        goal[INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)
    named = ~np.isnan(goal)

    def begin(event: Event) -> Shaper:
        share = values["share"]

        def shape(state: Event) -> Event:
            vector = state.vector.copy()
            vector[named] = (1.0 - share) * vector[named] + share * goal[named]
            return replace(state, vector=vector)

        return shape

    return Once(begin)


def level(values: Values, around: Surroundings) -> Transform:
    return Once(lambda event: louder(values["gain_db"]))


def swap(values: Values, around: Surroundings) -> Transform:
    recent: deque[np.ndarray] = deque(maxlen=MOST_BACK)
    places = np.array([INDEX[name] for name in PARTS[values["part"]]])

    def begin(event: Event) -> Shaper:
        back = round(values["back"])
        offset = np.zeros(VECTOR_SIZE)
        if len(recent) >= back:
            other = recent[-back].astype(np.float64)
            offset[places] = values["share"] * (other[places] - event.vector[places])
        recent.append(event.vector)
        return _moved(offset)  # what is amended of it later is its own

    return Once(begin)


def _moved(offset: np.ndarray) -> Shaper:
    """The shaper that adds ``offset`` ``[VECTOR_SIZE]`` to vectors, within their range."""

    def shape(state: Event) -> Event:
        return replace(state, vector=np.clip(state.vector + offset, -1.0, 1.0).astype(np.float32))

    return shape
