"""What a phrase shall be: pitch, velocity, style, instrument family, chords and tempo, checked and named.

One table serves the command line, the patches, the score maker and the networks. Time is counted in beats: a
phrase is eight of them at any tempo, of 44 frames each::

    beats    0       1       2       3       4       5       6       7       8
    frames   0      44      88     132     176     220     264     308     352
    harmony  |   chord 1     |   chord 2     |   chord 3     |   chord 4     |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from struck.codec.events.event_spec import ANALYSIS_RATE

from .chords import CHORDS, Chord
from .sound.swing import MOST_PERCENT, STRAIGHT_PERCENT

#: What is played. ``single`` is one note, held for three of four seconds.
STYLES: Final = ("single", "bass", "arpeggio", "pad", "comping", "percussion")
#: Who plays it: instrument families as in NSynth, by the names musicians use, and drums.
FAMILIES: Final = (
    "piano", "mallet", "organ", "guitar", "bass", "string", "voice", "brass", "reed", "flute", "synth",
    "drums",
)  # fmt: skip
TEMPO_RANGE_BPM: Final = (60.0, 240.0)
SWING_RANGE_PERCENT: Final = (STRAIGHT_PERCENT, MOST_PERCENT)
#: Length of a phrase: two bars of four.
PHRASE_BEATS: Final = 8
#: Frames of a spectrogram: of each beat, and of a clip, single note or phrase.
FRAMES_PER_BEAT: Final = 44
FRAMES: Final = PHRASE_BEATS * FRAMES_PER_BEAT
#: A phrase has so many places for a chord, half a bar each.
HARMONY_SLOTS: Final = 4
#: Samples between the frames of a single note.
NOTE_HOP_SAMPLES: Final = 256
#: Seconds after which a single note may begin again, at a beat of any tempo.
NOTE_SECONDS: Final = 4.0
#: Seconds for which a single note is held; the rest is its release.
HELD_SECONDS: Final = 3.0

_OTHER_NAMES: Final = {
    "single note": "single", "note": "single", "bass line": "bass", "chords": "comping",
    "drums": "percussion",
    "keyboard": "piano", "keys": "piano", "strings": "string", "vocal": "voice", "choir": "voice",
    "synthesizer": "synth", "percussion": "drums", "7": "dominant7", "dim": "diminished",
    "5": "power", "aug": "augmented", "6": "major6", "9": "dominant9", "half diminished": "halfdiminished",
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
    A percussion phrase is played by drums, whatever ``instrument`` says. ``chords``, two of them, one a bar,
    or four, each for half a bar, stand over ``pitch`` and ``chord``, which then are those of the first.
    ``swing_percent`` of a beat pass until its second eighth; a single note has none.

    >>> PhraseConditions(48, style="arpeggio", chord="minor").notes
    (48, 51, 55, 60)
    >>> PhraseConditions(style="pad", chords=((45, "minor"), (41, "major"))).slot_notes
    ((45, 48, 52), (45, 48, 52), (41, 45, 48), (41, 45, 48))
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
    chords: tuple[Chord, ...] = ()
    swing_percent: float = STRAIGHT_PERCENT

    def __post_init__(self) -> None:
        self._check_chords()
        for word, low in (("pitch", 0), ("velocity", 1)):
            value = getattr(self, word)
            _within(word, value, low, 127)
            if value != int(value):
                raise ValueError(f"{word} {value:g} is not a whole number")
            object.__setattr__(self, word, int(value))
        _within("tempo", self.tempo_bpm, *TEMPO_RANGE_BPM, " beats per minute")
        _within("swing", self.swing_percent, *SWING_RANGE_PERCENT, " percent")
        object.__setattr__(self, "style", _named("style", self.style, STYLES))
        object.__setattr__(self, "instrument", _named("instrument", self.instrument, FAMILIES))
        object.__setattr__(self, "chord", _named("chord", self.chord, tuple(CHORDS)))
        if self.style == "percussion":
            object.__setattr__(self, "instrument", "drums")
        if self.style == "single":
            object.__setattr__(self, "swing_percent", STRAIGHT_PERCENT)

    def _check_chords(self) -> None:
        """Chords as they are kept; alike ones are one, and none where nothing hears them."""
        chords = tuple((pitch, _named("chord", quality, tuple(CHORDS))) for pitch, quality in self.chords)
        if len(chords) not in (0, 2, HARMONY_SLOTS):
            raise ValueError(f"a phrase has 2 chords or {HARMONY_SLOTS}, not {len(chords)}")
        for pitch, _ in chords:
            _within("a chord's pitch", pitch, 0, 127)
        if chords:
            object.__setattr__(self, "pitch", chords[0][0])
            object.__setattr__(self, "chord", chords[0][1])
        if len(chords) == HARMONY_SLOTS and chords[0::2] == chords[1::2]:
            chords = chords[0::2]
        same = len(set(chords)) < 2 or self.style in ("single", "percussion")
        object.__setattr__(self, "chords", () if same else chords)

    @property
    def beats(self) -> int:
        """Of a phrase; a single note counts none, and is given as many for whoever loops it."""
        return PHRASE_BEATS

    @property
    def loop_seconds(self) -> float:
        """Length of a phrase: after it, it begins again."""
        return NOTE_SECONDS if self.style == "single" else PHRASE_BEATS * 60.0 / self.tempo_bpm

    @property
    def hop_samples(self) -> float:
        """Samples at the analysis rate between two frames."""
        if self.style == "single":
            return float(NOTE_HOP_SAMPLES)
        return ANALYSIS_RATE * 60.0 / self.tempo_bpm / FRAMES_PER_BEAT

    @property
    def sample_count(self) -> int:
        """Samples of the clip at the analysis rate."""
        return round(FRAMES * self.hop_samples)

    @property
    def has_chord(self) -> bool:
        """Whether the chord's quality is heard."""
        return self.style not in ("single", "percussion") and self.instrument != "drums"

    @property
    def harmony(self) -> tuple[Chord, ...]:
        """The chord of each half bar, ``HARMONY_SLOTS`` of them."""
        chords = self.chords or ((self.pitch, self.chord),)
        each = HARMONY_SLOTS // len(chords)
        return tuple(chord for chord in chords for _ in range(each))

    @property
    def slot_notes(self) -> tuple[tuple[int, ...], ...]:
        """MIDI pitches that each half bar is made of, ascending; none for drums."""
        return tuple(self._notes(pitch, chord) for pitch, chord in self.harmony)

    @property
    def notes(self) -> tuple[int, ...]:
        """MIDI pitches that the first half bar is made of, ascending; none for drums."""
        return self._notes(self.pitch, self.chord)

    def _notes(self, pitch: int, chord: str) -> tuple[int, ...]:
        if self.instrument == "drums":
            return ()
        if self.style == "single":
            return (pitch,)
        tones = CHORDS[chord]
        if self.style == "bass":
            steps: tuple[int, ...] = (0, fifth(chord), 12)
        elif self.style == "arpeggio":
            steps = (*(tone for tone in tones if tone < 12), 12, *(tone for tone in tones if tone > 12))
        else:
            steps = tones
        return tuple(pitch + step for step in steps if pitch + step <= 127)

    def as_dict(self) -> dict[str, Any]:
        """Plain values by name, for messages and files."""
        return asdict(self)


def fifth(chord: str) -> int:
    """Semitones from the root to what stands for the fifth in a chord: 6, 7 or 8."""
    return next(tone for tone in CHORDS[chord] if tone in (6, 7, 8))
