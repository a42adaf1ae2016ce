"""What a patch says of the accompaniment: its table ``[phrases]``, described once."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final, NamedTuple

from ..codec.events.event_spec import GAIN_DB_HIGH, GAIN_DB_LOW
from ..models.mars.conditions import PhraseConditions
from .section import Section

#: Instead of a chord: the keys that are held name root and quality.
HELD: Final = "held"
#: Fields whose names MARS knows.
_NAMES: Final = ("style", "instrument", "chord")
#: Where in time something may happen.
MOMENTS: Final = ("now", "beat", "bar")


@dataclass(frozen=True)
class PhrasePatch:
    """How notes become phrases; :data:`PHRASE_FIELDS` says what each field means."""

    channel: int = 0
    style: str = "arpeggio"
    instrument: str = "piano"
    chord: str = "major"
    tempo_bpm: float = 120.0
    swing_percent: float = 50.0
    beats_per_bar: int = 4
    start: str = "beat"
    stop: str = "now"
    latched: bool = False
    continues: bool = False
    variations: int = 1
    seed: int = 0
    gain_db: float = -6.0
    as_events: bool = False
    prepare: tuple[int, ...] = ()


class PhraseField(NamedTuple):
    """One field of the table."""

    name: str
    unit: str  # unit and range, or the words there are
    meaning: str
    low: float = 0.0
    high: float = 0.0
    words: tuple[str, ...] = ()


#: In the order of :class:`PhrasePatch`. ``words`` is empty for names that MARS knows.
PHRASE_FIELDS: Final = (
    PhraseField("channel", "0 to 16", "MIDI channel whose notes are played as phrases; 0: none", 0, 16),
    PhraseField("style", "a style", "what is played"),
    PhraseField("instrument", "an instrument", "who plays it"),
    PhraseField(
        "chord", f"a chord, `{HELD}`", "its quality; the note is its root; `held`: the keys held name both"
    ),
    PhraseField("tempo_bpm", "beats per minute, 60 to 240", "own tempo; `--tempo` stands over it", 60, 240),
    PhraseField(
        "swing_percent",
        "percent of a beat, 50 to 70",
        "where a beat's second eighth begins: 50 straight, 66.7 a triplet",
        50,
        70,
    ),
    PhraseField("beats_per_bar", "1 to 16", "beats of a bar", 1, 16),
    PhraseField("start", "`now`, `beat`, `bar`", "when a phrase begins after its note-on", words=MOMENTS),
    PhraseField("stop", "`now`, `beat`, `bar`", "when it ends after its note-off", words=MOMENTS),
    PhraseField("latched", "true, false", "it goes on until the same note is played again"),
    PhraseField("continues", "true, false", "each pass is a new phrase that goes on from the one before"),
    PhraseField("variations", "1 to 8", "different phrases that take turns when a note is repeated", 1, 8),
    PhraseField("seed", "0 to 2147483647", "random seed of the phrases", 0, 2_147_483_647),
    PhraseField(
        "gain_db",
        f"dB, {GAIN_DB_LOW:g} to {GAIN_DB_HIGH:g}",
        "level of phrases; the control `phrases_db` comes on top",
        GAIN_DB_LOW,
        GAIN_DB_HIGH,
    ),
    PhraseField("as_events", "true, false", "phrases are heard by the codec, and their events are played"),
    PhraseField("prepare", "list of 0 to 127", "notes whose phrases are made before they are played"),
)
assert tuple(field.name for field in PHRASE_FIELDS) == tuple(field.name for field in fields(PhrasePatch))


def read_phrases(section: Section) -> PhrasePatch:
    """The table ``[phrases]``.

    Raises:
        StruckError: something in it is not known, of another type, or out of range.
    """
    values: dict[str, Any] = {}
    for field in PHRASE_FIELDS:
        default = getattr(PhrasePatch, field.name)
        if field.words:
            values[field.name] = section.choice(field.name, default, field.words)
        elif type(default) is int:
            values[field.name] = section.whole(field.name, default, int(field.low), int(field.high))
        elif type(default) is float:
            values[field.name] = section.number(field.name, default, field.low, field.high)
        elif type(default) is tuple:
            pitches = section.take(field.name, list, [])
            if not all(type(pitch) is int and 0 <= pitch <= 127 for pitch in pitches):
                section.refuse(field.name, f"{field.name} must be notes from 0 to 127, not {pitches}")
            values[field.name] = tuple(pitches)
        else:
            values[field.name] = section.take(field.name, type(default), default)
    section.refuse_rest()
    for name in _NAMES:
        if values[name] != HELD or name != "chord":
            try:
                PhraseConditions(**{name: values[name]})
            except ValueError as error:
                section.refuse(name, str(error))
    return PhrasePatch(**values)
