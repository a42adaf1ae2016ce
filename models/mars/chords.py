"""Chords: their qualities, how they are written, and which one a hand holds.

A chord is a root and a quality: ``(45, "minor")`` is A minor on the A below middle C's octave.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

#: A root's MIDI pitch, and a name of :data:`CHORDS`.
Chord = tuple[int, str]

#: Semitones of each chord quality over its root.
CHORDS: Final[dict[str, tuple[int, ...]]] = {
    "major": (0, 4, 7),
    "minor": (0, 3, 7),
    "dominant7": (0, 4, 7, 10),
    "major7": (0, 4, 7, 11),
    "minor7": (0, 3, 7, 10),
    "sus4": (0, 5, 7),
    "diminished": (0, 3, 6),
    "augmented": (0, 4, 8),
    "power": (0, 7),
    "sus2": (0, 2, 7),
    "major6": (0, 4, 7, 9),
    "minor6": (0, 3, 7, 9),
    "halfdiminished": (0, 3, 6, 10),
    "diminished7": (0, 3, 6, 9),
    "dominant9": (0, 4, 7, 10, 14),
    "major9": (0, 4, 7, 11, 14),
    "minor9": (0, 3, 7, 10, 14),
}
#: What lead sheets write after the root.
_SUFFIXES: Final[dict[str, str]] = {
    "": "major", "maj": "major", "M": "major",
    "m": "minor", "min": "minor", "mi": "minor", "-": "minor",
    "7": "dominant7",
    "maj7": "major7", "M7": "major7", "ma7": "major7", "Δ": "major7", "Δ7": "major7",
    "m7": "minor7", "min7": "minor7", "mi7": "minor7", "-7": "minor7",
    "sus": "sus4", "sus4": "sus4", "sus2": "sus2",
    "dim": "diminished", "o": "diminished", "°": "diminished",
    "aug": "augmented", "+": "augmented",
    "5": "power",
    "6": "major6", "maj6": "major6",
    "m6": "minor6", "min6": "minor6", "mi6": "minor6", "-6": "minor6",
    "m7b5": "halfdiminished", "min7b5": "halfdiminished", "-7b5": "halfdiminished",
    "ø": "halfdiminished", "ø7": "halfdiminished",
    "dim7": "diminished7", "o7": "diminished7", "°7": "diminished7",
    "9": "dominant9", "maj9": "major9", "M9": "major9", "ma9": "major9",
    "m9": "minor9", "min9": "minor9", "mi9": "minor9", "-9": "minor9",
}  # fmt: skip
_STEPS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_WRITTEN: Final = re.compile(r"([A-G])([#b]?)(.*)")
#: How much a held note outside a quality counts against it, beside one that is missing from it, and how much
#: for a quality that its root is the lowest note held.
_FOREIGN_COST: Final = 1.5
_BASS_GAIN: Final = 0.75


def parse_chord(text: str, near_pitch: int = 60) -> Chord:
    """A chord as it is written, its root as near to a pitch as can be, the lower of two.

    >>> parse_chord("Am", 45), parse_chord("F#m7b5", 48), parse_chord("Bb", 48)
    ((45, 'minor'), (42, 'halfdiminished'), (46, 'major'))

    Raises:
        ValueError: it is not understood.
    """
    if "/" in text:
        raise ValueError(f"{text!r} asks for a bass note of its own: write the part before the slash alone")
    found = _WRITTEN.fullmatch(text.replace("♯", "#").replace("♭", "b"))
    if found is None or found[3] not in _SUFFIXES:
        endings = ", ".join(suffix for suffix in _SUFFIXES if suffix)
        raise ValueError(f"unknown chord {text!r}; a chord is A to G, # or b, and one of: {endings}")
    pitch_class = _STEPS[found[1]] + {"#": 1, "b": -1, "": 0}[found[2]]
    root = near_pitch - 6 + (pitch_class - near_pitch + 6) % 12
    if root < 0:
        root += 12
    return (root - 12 if root > 127 else root, _SUFFIXES[found[3]])


def parse_chords(text: str, near_pitch: int = 60) -> tuple[Chord, ...]:
    """Chords with spaces or bar lines between them, each as :func:`parse_chord` reads it; ``%`` repeats one.

    >>> parse_chords("| Am | % | F |", 45)
    ((45, 'minor'), (45, 'minor'), (41, 'major'))

    Raises:
        ValueError: there is none, or one is not understood.
    """
    words = text.replace("|", " ").split()
    if not words or words[0] == "%":
        raise ValueError("no chords; write them with spaces between, as in 'Am F C G'")
    chords: list[Chord] = []
    for word in words:
        chords.append(chords[-1] if word == "%" else parse_chord(word, near_pitch))
    return tuple(chords)


def recognise_chord(pitches: Collection[int]) -> Chord | None:
    """The chord that held notes name, in any inversion; None for fewer than two different pitch classes.

    The root lies at or under the lowest note. Notes that fit two names (C6 is Am7) are named by that one.

    >>> recognise_chord([64, 67, 72])
    (60, 'major')
    >>> recognise_chord([57, 60, 64, 67]), recognise_chord([60, 64, 67, 69]), recognise_chord([60])
    ((57, 'minor7'), (60, 'major6'), None)
    """
    held = {pitch % 12 for pitch in pitches}
    if len(held) < 2:
        return None
    lowest = min(pitches)
    best: tuple[float, int, str] | None = None
    for quality, tones in CHORDS.items():
        for root in range(12):
            classes = {(root + tone) % 12 for tone in tones}
            cost = len(classes - held) + _FOREIGN_COST * len(held - classes)
            if root not in held:
                cost += 1.0  # a hand may leave out the fifth, hardly the root
            cost -= _BASS_GAIN * (root == lowest % 12)
            if best is None or cost < best[0]:
                best = (cost, root, quality)
    assert best is not None
    root = lowest - (lowest - best[1]) % 12
    return (root + 12 if root < 0 else root, best[2])
