"""Invents what is to be played for given conditions: notes on the tempo's grid, as a band member would."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from .conditions import CHORDS, FAMILIES, HELD_SECONDS, STYLES, PhraseConditions

#: The grid's steps per beat; nothing is played between them, but for a human's error.
GRID_STEPS_PER_BEAT: Final = 4
_TIMING_ERROR_SECONDS: Final = 0.003
#: Lowest roots that suit a style: (lowest, highest).
_ROOTS: Final = {"bass": (28, 52), "arpeggio": (45, 72), "pad": (43, 67), "comping": (45, 67)}
_TEMPI_BPM: Final = (60.0, 200.0)
# Comping: (start, length) in beats of a bar of four.
_STABS: Final = (
    ((0.0, 0.9), (1.0, 0.9), (2.0, 0.9), (3.0, 0.9)),
    ((0.0, 1.4), (1.5, 0.4), (2.0, 1.4), (3.5, 0.4)),
    ((0.5, 0.4), (1.5, 0.4), (2.5, 0.4), (3.5, 0.4)),
    ((0.0, 0.9), (1.5, 0.9), (3.0, 0.9)),
    ((1.0, 0.4), (3.0, 0.4)),
    ((0.0, 1.9), (2.0, 1.9)),
)
# Bass: one of (root, fifth, octave) at each eighth of a bar, - for silence.
_BASS_LINES: Final = ("r-r-r-r-", "rrrrrrrr", "r-f-o-f-", "r--r--f-", "rorororo", "r-rf-ro-", "r---f---")
# Percussion at each sixteenth of a bar: kick, snare, closed hat, open hat.
_GROOVES: Final = (
    ("x.......x.......", "....x.......x...", "x.x.x.x.x.x.x.x.", "................"),
    ("x.....x.x.......", "....x.......x...", "x.x.x.x.x.x.x.x.", "..............x."),
    ("x...x...x...x...", "....x.......x...", "................", "..x...x...x...x."),
    ("x..x....x.x.....", "....x..x....x...", "xxxxxxxxxxxxxxxx", "................"),
    ("x.........x.....", "........x.......", "x...x...x...x...", "................"),
    ("x.x.......x.....", "....x.......x..x", "x.xxx.xxx.xxx.x.", "................"),
)
_DRUM_KEYS: Final = ((36, 35), (38, 40, 37), (42, 44), (46,))


@dataclass(frozen=True)
class ScoreNote:
    """A note: start and length in seconds, MIDI key and velocity."""

    start: float
    seconds: float
    key: int
    velocity: int


def draw_conditions(rng: np.random.Generator, style: str | None = None) -> PhraseConditions:
    """Conditions as musicians would ask for them, all families alike often; ``style`` where it is given."""
    style = style or STYLES[rng.integers(1, len(STYLES))]
    velocity = int(rng.integers(30, 128))
    if style == "single":
        family = FAMILIES[rng.integers(len(FAMILIES))]
        low, high = (35, 82) if family == "drums" else (28, 103)
        return PhraseConditions(int(rng.integers(low, high)), velocity, style, family)
    tempo = float(np.round(np.exp(rng.uniform(*np.log(_TEMPI_BPM)))))
    if style == "percussion":
        return PhraseConditions(36, velocity, style, "drums", tempo_bpm=tempo)
    family = FAMILIES[rng.integers(len(FAMILIES) - 1)]
    if style == "bass" and rng.random() < 0.5:
        family = "bass"
    low, high = _ROOTS[style] if rng.random() < 0.85 else (28, 84)
    chord = tuple(CHORDS)[rng.integers(len(CHORDS))]
    return PhraseConditions(int(rng.integers(low, high + 1)), velocity, style, family, chord, tempo)


def vary(conditions: PhraseConditions, rng: np.random.Generator) -> PhraseConditions:
    """What the same player may play next: as often the same chord as another."""
    if rng.random() < 0.5 or not conditions.has_chord:
        return conditions
    steps = int(rng.choice((-7, -5, -4, -3, -2, 2, 3, 4, 5, 7)))
    pitch = conditions.pitch + steps if 28 <= conditions.pitch + steps <= 84 else conditions.pitch
    return replace(conditions, pitch=pitch, chord=tuple(CHORDS)[rng.integers(len(CHORDS))])


def write_score(conditions: PhraseConditions, rng: np.random.Generator) -> list[ScoreNote]:
    """Notes of one phrase, from 0 seconds on, each begun before ``conditions.loop_seconds``."""
    if conditions.style == "single":
        return [ScoreNote(0.0, HELD_SECONDS, conditions.pitch, conditions.velocity)]
    if conditions.style == "percussion":
        return _percussion(conditions, rng)
    if conditions.style == "pad":
        planned = _pad(conditions)
    elif conditions.style == "comping":
        planned = _comping(conditions, rng)
    elif conditions.style == "bass":
        planned = _bass(conditions, rng)
    else:
        planned = _arpeggio(conditions, rng)
    return _play(planned, conditions, rng)


def _play(
    planned: list[tuple[float, float, int]], conditions: PhraseConditions, rng: np.random.Generator
) -> list[ScoreNote]:
    """Beats to seconds, with a human's small errors; all notes of one beat share theirs."""
    beat = 60.0 / conditions.tempo_bpm
    errors: dict[float, float] = {}
    notes = []
    for start, length, key in planned:
        if start >= conditions.beats or key > 127:
            continue
        error = errors.setdefault(start, abs(float(rng.normal(0.0, _TIMING_ERROR_SECONDS))))
        accent = 6 if start % 1.0 == 0.0 else -4
        velocity = int(np.clip(conditions.velocity + accent + rng.normal(0.0, 4.0), 1, 127))
        length = min(length, conditions.beats - start)
        notes.append(ScoreNote(start * beat + error, length * beat * 0.97, key, velocity))
    return notes


def _pad(conditions: PhraseConditions) -> list[tuple[float, float, int]]:
    return [(0.0, float(conditions.beats), key) for key in conditions.notes]


def _comping(conditions: PhraseConditions, rng: np.random.Generator) -> list[tuple[float, float, int]]:
    stabs = _STABS[rng.integers(len(_STABS))]
    return [
        (bar + start, length, key)
        for bar in range(0, conditions.beats, 4)
        for start, length in stabs
        for key in conditions.notes
    ]


def _bass(conditions: PhraseConditions, rng: np.random.Generator) -> list[tuple[float, float, int]]:
    line = _BASS_LINES[rng.integers(len(_BASS_LINES))]
    keys = dict(zip("rfo", (*conditions.notes, *[conditions.pitch] * 3), strict=False))
    return [
        (bar + 0.5 * place, 0.5 if line[(place + 1) % 8] != "-" else 0.95, keys[step])
        for bar in range(0, conditions.beats, 4)
        for place, step in enumerate(line)
        if step != "-"
    ]


def _arpeggio(conditions: PhraseConditions, rng: np.random.Generator) -> list[tuple[float, float, int]]:
    tones = conditions.notes
    shape = rng.integers(4)
    if shape == 0:
        order = list(tones)
    elif shape == 1:
        order = list(reversed(tones))
    elif shape == 2:
        order = [*tones, *tones[-2:0:-1]]
    else:
        order = [int(key) for key in rng.permutation(tones)]
    step = 0.25 if conditions.tempo_bpm < 120.0 and rng.random() < 0.5 else 0.5
    count = round(conditions.beats / step)
    return [(i * step, step * 1.6, order[i % len(order)]) for i in range(count)]


def _percussion(conditions: PhraseConditions, rng: np.random.Generator) -> list[ScoreNote]:
    groove = _GROOVES[rng.integers(len(_GROOVES))]
    keys = [int(rng.choice(choices)) for choices in _DRUM_KEYS]
    planned = [
        (bar + 0.25 * place, 0.2, key)
        for bar in range(0, conditions.beats, 4)
        for key, hits in zip(keys, groove, strict=True)
        for place, hit in enumerate(hits)
        if hit == "x"
    ]
    return _play(planned, conditions, rng)
