"""Chords as they are written, and as hands hold them."""

import pytest

from struck.models.mars.chords import CHORDS, parse_chord, parse_chords, recognise_chord


@pytest.mark.parametrize(
    ("text", "chord"),
    [
        ("C", (48, "major")),
        ("Am", (45, "minor")),
        ("F#m7b5", (42, "halfdiminished")),
        ("Bbmaj7", (46, "major7")),
        ("G7", (43, "dominant7")),
        ("Cb", (47, "major")),
        ("E5", (52, "power")),
        ("D9", (50, "dominant9")),
        ("B♭Δ7", (46, "major7")),
        ("F♯ø", (42, "halfdiminished")),
        ("B°7", (47, "diminished7")),
        ("A-7", (45, "minor7")),
    ],
)
def test_a_written_chord_lies_near_the_pitch_asked_for(text, chord):
    assert parse_chord(text, 48) == chord


def test_roots_lie_within_half_an_octave_or_as_near_as_there_are_keys():
    for near in range(128):
        for name in ("C", "C#", "D", "Eb", "E", "F", "Gb", "G", "G#", "A", "Bb", "B"):
            root, _ = parse_chord(name, near)
            assert 0 <= root <= 127
            assert abs(root - near) <= (6 if 6 <= near <= 121 else 12)


def test_a_progression_is_words():
    assert parse_chords("Am F | C G", 48) == ((45, "minor"), (53, "major"), (48, "major"), (43, "major"))
    assert parse_chords("| Am | % | C |", 48) == ((45, "minor"), (45, "minor"), (48, "major"))


def test_a_bass_note_of_its_own_is_refused():
    with pytest.raises(ValueError, match="bass note"):
        parse_chords("C C/E")


@pytest.mark.parametrize("text", ["H", "Cmaj8", "c", "A m x", "", "% C"])
def test_what_is_no_chord_is_told(text):
    with pytest.raises(ValueError, match="chord"):
        parse_chords(text)


@pytest.mark.parametrize("quality", CHORDS)
@pytest.mark.parametrize("root", [48, 53, 59])
def test_every_quality_is_recognised_in_root_position(quality, root):
    assert recognise_chord([root + tone for tone in CHORDS[quality]]) == (root, quality)


#: In these an inversion is another chord as well, and is named by its lowest note.
AMBIGUOUS = ("augmented", "diminished7", "minor7", "major6", "minor6", "halfdiminished", "sus2", "sus4")


@pytest.mark.parametrize("quality", [q for q in CHORDS if q not in AMBIGUOUS])
def test_inversions_are_recognised(quality):
    tones = CHORDS[quality]
    for inversion in range(1, min(3, len(tones))):
        held = [60 + tone + (12 if i < inversion else 0) for i, tone in enumerate(tones)]
        found = recognise_chord(held)
        assert found is not None
        assert (found[0] % 12, found[1]) == (0, quality)
        assert found[0] <= min(held)


def test_one_note_or_its_octaves_name_no_chord():
    assert recognise_chord([]) is None
    assert recognise_chord([60]) is None
    assert recognise_chord([48, 60, 72]) is None


def test_a_hand_may_leave_out_the_fifth():
    assert recognise_chord([48, 52, 58]) == (48, "dominant7")
    assert recognise_chord([48, 51]) == (48, "minor")
