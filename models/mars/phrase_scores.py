"""Invents what is to be played for given conditions: notes on the tempo's grid, as a band member would."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from .chords import CHORDS, Chord
from .conditions import (
    FAMILIES,
    HARMONY_SLOTS,
    HELD_SECONDS,
    PHRASE_BEATS,
    STYLES,
    PhraseConditions,
    fifth,
)

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
    ((0.0, 0.4), (0.5, 0.4), (1.5, 0.4), (2.5, 0.4), (3.0, 0.9)),
    ((0.0, 3.8),),
    ((0.0, 0.9), (1.0, 0.4), (1.5, 0.4), (2.5, 0.4), (3.0, 0.4), (3.5, 0.4)),
)
# Bass: one of (root, fifth, octave) at each eighth of a bar, - for silence.
_BASS_LINES: Final = (
    "r-r-r-r-", "rrrrrrrr", "r-f-o-f-", "r--r--f-", "rorororo", "r-rf-ro-", "r---f---",
    "r--rf--r", "rrofrrof", "r-o-f-r-", "r-----fo",
)  # fmt: skip
# Broken chords, by the number of the tone; a chord that has fewer begins again.
_BROKEN: Final = ((0, 2, 1, 2), (0, 1, 2, 1), (0, 3, 1, 2), (0, 0, 2, 1), (0, 2, 3, 2))
# Percussion at each sixteenth of a bar: kick, snare, closed hat, open hat.
_GROOVES: Final = (
    ("x.......x.......", "....x.......x...", "x.x.x.x.x.x.x.x.", "................"),
    ("x.....x.x.......", "....x.......x...", "x.x.x.x.x.x.x.x.", "..............x."),
    ("x...x...x...x...", "....x.......x...", "................", "..x...x...x...x."),
    ("x..x....x.x.....", "....x..x....x...", "xxxxxxxxxxxxxxxx", "................"),
    ("x.........x.....", "........x.......", "x...x...x...x...", "................"),
    ("x.x.......x.....", "....x.......x..x", "x.xxx.xxx.xxx.x.", "................"),
    ("x.....x...x.....", "....x..x.x..x...", "x.x.x.x.x.x.x.x.", "................"),
    ("x...x...x...x...", "................", "..x...x...x...x.", "................"),
    ("x.......x.......", "....x.......x...", "................", "x...x...x...x..."),
    ("x..x..x...x.x...", "....x.......x...", "x.x.x.x.x.x.x.x.", "......x.......x."),
)
# What the last beat of the second bar may be instead, sixteenth by sixteenth: snare and toms.
_FILLS: Final = ("ssss", "s-ss", "sshh", "hhll", "s-hl", "-s-s")
_FILL_KEYS: Final = {"s": (38, 40), "h": (48, 50), "l": (43, 45)}
_FILL_SHARE: Final = 0.3
# How often a phrase has a chord for each bar, and for each half bar.
_TWO_CHORDS_SHARE: Final = 0.3
_FOUR_CHORDS_SHARE: Final = 0.08
#: The chords that are played most; the others share the rest.
_USUAL_CHORDS: Final = 7
_USUAL_SHARE: Final = 0.7
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
    chord = int(rng.integers(low, high + 1)), _draw_quality(rng)
    chance = rng.random()
    chords: tuple[Chord, ...] = ()
    if chance < _FOUR_CHORDS_SHARE:
        chords = (chord, *(_draw_next(chord, rng) for _ in range(HARMONY_SLOTS - 1)))
    elif chance < _FOUR_CHORDS_SHARE + _TWO_CHORDS_SHARE:
        chords = (chord, _draw_next(chord, rng))
    return PhraseConditions(chord[0], velocity, style, family, chord[1], tempo, chords)


def vary(conditions: PhraseConditions, rng: np.random.Generator) -> PhraseConditions:
    """What the same player may play next: as often the same chord as another."""
    if rng.random() < 0.5 or not conditions.has_chord:
        return conditions
    pitch, chord = _draw_next(conditions.harmony[-1], rng)
    return replace(conditions, pitch=pitch, chord=chord, chords=())


def _draw_quality(rng: np.random.Generator) -> str:
    names = tuple(CHORDS)
    usual = rng.random() < _USUAL_SHARE
    return names[int(rng.integers(_USUAL_CHORDS) if usual else rng.integers(_USUAL_CHORDS, len(names)))]


def _draw_next(chord: Chord, rng: np.random.Generator) -> Chord:
    """A chord that may follow another."""
    pitch = chord[0] + int(rng.choice((-7, -5, -4, -3, -2, 0, 2, 3, 4, 5, 7)))
    return (pitch if 28 <= pitch <= 84 else chord[0], _draw_quality(rng))


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
        if start >= PHRASE_BEATS or key > 127:
            continue
        error = errors.setdefault(start, abs(float(rng.normal(0.0, _TIMING_ERROR_SECONDS))))
        accent = 6 if start % 1.0 == 0.0 else -4
        velocity = int(np.clip(conditions.velocity + accent + rng.normal(0.0, 4.0), 1, 127))
        length = min(length, PHRASE_BEATS - start)
        notes.append(ScoreNote(start * beat + error, length * beat * 0.97, key, velocity))
    return notes


def _slot(beat: float) -> int:
    return int(beat * HARMONY_SLOTS / PHRASE_BEATS)


def _until_change(conditions: PhraseConditions, start: float) -> float:
    """Beats from ``start`` until another chord begins, or the phrase ends."""
    harmony = conditions.harmony
    slot = _slot(start)
    while slot + 1 < HARMONY_SLOTS and harmony[slot + 1] == harmony[slot]:
        slot += 1
    return (slot + 1) * PHRASE_BEATS / HARMONY_SLOTS - start


def _pad(conditions: PhraseConditions) -> list[tuple[float, float, int]]:
    harmony = conditions.harmony
    begins = [slot for slot in range(HARMONY_SLOTS) if slot == 0 or harmony[slot] != harmony[slot - 1]]
    starts = [slot * PHRASE_BEATS / HARMONY_SLOTS for slot in begins]
    return [
        (start, _until_change(conditions, start), key)
        for slot, start in zip(begins, starts, strict=True)
        for key in conditions.slot_notes[slot]
    ]


def _comping(conditions: PhraseConditions, rng: np.random.Generator) -> list[tuple[float, float, int]]:
    stabs = _STABS[rng.integers(len(_STABS))]
    return [
        (bar + start, min(length, _until_change(conditions, bar + start)), key)
        for bar in range(0, PHRASE_BEATS, 4)
        for start, length in stabs
        for key in conditions.slot_notes[_slot(bar + start)]
    ]


def _bass(conditions: PhraseConditions, rng: np.random.Generator) -> list[tuple[float, float, int]]:
    line = _BASS_LINES[rng.integers(len(_BASS_LINES))]
    planned = []
    for bar in range(0, PHRASE_BEATS, 4):
        for place, step in enumerate(line):
            if step == "-":
                continue
            start = bar + 0.5 * place
            root, quality = conditions.harmony[_slot(start)]
            key = root + {"r": 0, "f": fifth(quality), "o": 12}[step]
            planned.append((start, 0.5 if line[(place + 1) % 8] != "-" else 0.95, key))
    return planned


def _arpeggio(conditions: PhraseConditions, rng: np.random.Generator) -> list[tuple[float, float, int]]:
    shape = int(rng.integers(5))
    broken = _BROKEN[rng.integers(len(_BROKEN))]
    shuffle = rng.permutation(16)
    step = 0.25 if conditions.tempo_bpm < 120.0 and rng.random() < 0.5 else 0.5
    planned = []
    for i in range(round(PHRASE_BEATS / step)):
        tones = conditions.slot_notes[_slot(i * step)]
        if shape == 0:
            order = list(tones)
        elif shape == 1:
            order = list(reversed(tones))
        elif shape == 2:
            order = [*tones, *tones[-2:0:-1]]
        elif shape == 3:
            order = [tones[place] for place in shuffle if place < len(tones)]
        else:
            order = [tones[place % len(tones)] for place in broken]
        planned.append((i * step, step * 1.6, order[i % len(order)]))
    return planned


def _percussion(conditions: PhraseConditions, rng: np.random.Generator) -> list[ScoreNote]:
    groove = _GROOVES[rng.integers(len(_GROOVES))]
    keys = [int(rng.choice(choices)) for choices in _DRUM_KEYS]
    fill = _FILLS[rng.integers(len(_FILLS))] if rng.random() < _FILL_SHARE else ""
    end = PHRASE_BEATS - 1.0 if fill else PHRASE_BEATS
    planned = [
        (bar + 0.25 * place, 0.2, key)
        for bar in range(0, PHRASE_BEATS, 4)
        for key, hits in zip(keys, groove, strict=True)
        for place, hit in enumerate(hits)
        if hit == "x" and bar + 0.25 * place < end
    ]
    planned += [
        (end + 0.25 * place, 0.2, int(rng.choice(_FILL_KEYS[hit])))
        for place, hit in enumerate(fill)
        if hit != "-"
    ]
    return _play(planned, conditions, rng)
