"""What a phrase shall be: pitch, velocity, style, instrument family, chord and tempo, checked and named.

One table serves the command line, the patches, the score maker and the networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

#: What is played. ``single`` is one note, held for three of four seconds.
STYLES: Final = ("single", "bass", "arpeggio", "pad", "comping", "percussion")
#: Who plays it: instrument families as in NSynth, by the names musicians use, and drums.
FAMILIES: Final = (
    "piano", "mallet", "organ", "guitar", "bass", "string", "voice", "brass", "reed", "flute", "synth",
    "drums",
)  # fmt: skip
#: Semitones of each chord quality over its root.
CHORDS: Final[dict[str, tuple[int, ...]]] = {
    "major": (0, 4, 7),
    "minor": (0, 3, 7),
    "dominant7": (0, 4, 7, 10),
    "major7": (0, 4, 7, 11),
    "minor7": (0, 3, 7, 10),
    "sus4": (0, 5, 7),
    "diminished": (0, 3, 6),
}
TEMPO_RANGE_BPM: Final = (60.0, 240.0)
#: No phrase is longer: its beats fill at most this many seconds.
PHRASE_SECONDS: Final = 4.0
#: Seconds for which a single note is held; the rest is its release.
HELD_SECONDS: Final = 3.0

_OTHER_NAMES: Final = {
    "single note": "single", "note": "single", "bass line": "bass", "chords": "comping",
    "drums": "percussion",
    "keyboard": "piano", "keys": "piano", "strings": "string", "vocal": "voice", "choir": "voice",
    "synthesizer": "synth", "percussion": "drums", "7": "dominant7", "dim": "diminished",
}  # fmt: skip


def _named(word: str, value: str, known: Sequence[str]) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{word} is a name, not {value!r}")
    name = " ".join(value.lower().replace("_", " ").replace("-", " ").split())
    if name not in known:
        name = _OTHER_NAMES.get(name, name)
    if name not in known:
        raise ValueError(f"unknown {word} {value!r}; there are: {', '.join(known)}")
    return name


def _within(word: str, value: float, low: float, high: float, unit: str = "") -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{word} is a number, not {value!r}")
    if not low <= value <= high:  # a NaN is not, either
        raise ValueError(f"{word} {value:g} is outside {low:g} to {high:g}{unit}")


@dataclass(frozen=True)
class PhraseConditions:
    """What a phrase shall be.

    ``pitch`` is that of a single note (for drums: the General MIDI drum key), or of the chord's lowest root.
    ``chord`` means nothing to single notes and percussion, ``tempo_bpm`` nothing to single notes.
    A percussion phrase is played by drums, whatever ``instrument`` says.

    >>> PhraseConditions(48, style="arpeggio", chord="minor").notes
    (48, 51, 55, 60)
    >>> PhraseConditions(60, style="solo")
    Traceback (most recent call last):
    ...
    ValueError: unknown style 'solo'; there are: single, bass, arpeggio, pad, comping, percussion

    Raises:
        TypeError, ValueError: naming the value and what is allowed.
    """

    pitch: int = 60
    velocity: int = 100
    style: str = "single"
    instrument: str = "piano"
    chord: str = "major"
    tempo_bpm: float = 120.0

    def __post_init__(self) -> None:
        for word, low in (("pitch", 0), ("velocity", 1)):
            value = getattr(self, word)
            _within(word, value, low, 127)
            if value != int(value):
                raise ValueError(f"{word} {value:g} is not a whole number")
            object.__setattr__(self, word, int(value))
        _within("tempo", self.tempo_bpm, *TEMPO_RANGE_BPM, " beats per minute")
        object.__setattr__(self, "style", _named("style", self.style, STYLES))
        object.__setattr__(self, "instrument", _named("instrument", self.instrument, FAMILIES))
        object.__setattr__(self, "chord", _named("chord", self.chord, tuple(CHORDS)))
        if self.style == "percussion":
            object.__setattr__(self, "instrument", "drums")

    @property
    def beats(self) -> int:
        """Whole beats that fill at most ``PHRASE_SECONDS``."""
        return int(PHRASE_SECONDS * self.tempo_bpm / 60.0 + 1e-9)

    @property
    def loop_seconds(self) -> float:
        """Length of those beats; after it only the last notes' ends are heard."""
        return PHRASE_SECONDS if self.style == "single" else self.beats * 60.0 / self.tempo_bpm

    @property
    def has_chord(self) -> bool:
        """Whether the chord's quality is heard."""
        return self.style not in ("single", "percussion") and self.instrument != "drums"

    @property
    def notes(self) -> tuple[int, ...]:
        """MIDI pitches that the phrase is made of, ascending; none for drums."""
        if self.instrument == "drums":
            return ()
        if self.style == "single":
            return (self.pitch,)
        tones = CHORDS[self.chord]
        if self.style == "bass":
            steps: tuple[int, ...] = (0, tones[2], 12)
        elif self.style == "arpeggio":
            steps = (*tones, 12)
        else:
            steps = tones
        return tuple(self.pitch + step for step in steps if self.pitch + step <= 127)

    def as_dict(self) -> dict[str, Any]:
        """Plain values by name, for messages and files."""
        return asdict(self)
