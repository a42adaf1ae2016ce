"""Which pitches each instrument family is asked for, and the way back into its range: by octaves.

NSynth has every key of a piano "or as many as possible for the given instrument" (Engel et al. 2017, "Neural
audio synthesis of musical notes with WaveNet autoencoders", section 3). So it is here: what players of the
family's instruments can reach, within what MARS has heard (28 to 102). Beyond that it makes noise.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ...models.mars.conditions import PhraseConditions

#: MIDI pitches, lowest and highest, by the instruments that set them.
PITCH_RANGES: Final[dict[str, tuple[int, int]]] = {
    "piano": (28, 102),
    "mallet": (45, 102),  # marimba to xylophone
    "organ": (28, 96),  # pedals to the manual's top
    "guitar": (40, 88),
    "bass": (28, 67),
    "string": (28, 100),  # double bass to violin
    "voice": (40, 84),  # bass to soprano
    "brass": (28, 84),  # tuba to trumpet
    "reed": (34, 91),  # bassoon to clarinet
    "flute": (48, 98),  # bass flute to flute
    "synth": (28, 102),
    "drums": (35, 81),  # General MIDI's keys
}
#: The highest root of a phrase that MARS has heard.
_HIGHEST_ROOT: Final = 84


def root_range(conditions: PhraseConditions) -> tuple[int, int]:
    """Lowest and highest ``pitch`` with which every note of such a phrase is one that its instrument has."""
    low, high = PITCH_RANGES[conditions.instrument]
    if conditions.style == "percussion":  # always the same kit
        return 0, 127
    if conditions.style == "single":
        return low, high
    notes = replace(conditions, pitch=low).notes or (low,)
    return low, min(_HIGHEST_ROOT, high - (notes[-1] - low))


def into_range(conditions: PhraseConditions) -> PhraseConditions:
    """``conditions`` as they are, or as few octaves away as bring every note into the instrument's range.

    Chords are moved each by itself.

    >>> into_range(PhraseConditions(127, instrument="flute")).pitch
    91
    >>> into_range(PhraseConditions(60, instrument="flute")).pitch
    60
    """
    if conditions.chords:
        alone = (replace(conditions, pitch=p, chord=quality, chords=()) for p, quality in conditions.chords)
        chords = tuple((into_range(one).pitch, one.chord) for one in alone)
        return conditions if chords == conditions.chords else replace(conditions, chords=chords)
    low, high = root_range(conditions)
    pitch = conditions.pitch
    while pitch < low:
        pitch += 12
    while pitch > high:
        pitch -= 12
    return conditions if pitch == conditions.pitch else replace(conditions, pitch=pitch)


def describe_move(asked: PhraseConditions, played: PhraseConditions) -> str | None:
    """What to tell the user where :func:`into_range` moved a phrase; None where it did not."""
    octaves = abs(played.pitch - asked.pitch) // 12
    if not octaves:
        return None
    low, high = root_range(asked)
    way = "lower" if played.pitch < asked.pitch else "higher"
    return (
        f"{asked.instrument} ({asked.style}) goes from {low} to {high}: {asked.pitch} is played "
        f"{octaves} octave{'' if octaves == 1 else 's'} {way}, as {played.pitch}"
    )
