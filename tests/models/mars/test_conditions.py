"""What a phrase may be asked to be."""

import pytest

from struck.models.mars.chords import CHORDS
from struck.models.mars.conditions import FAMILIES, FRAMES, STYLES, PhraseConditions


def test_every_name_is_known_by_itself_and_in_other_spellings():
    for style in STYLES:
        assert PhraseConditions(style=style.upper()).style == style
    for family in FAMILIES:
        assert PhraseConditions(instrument=family).instrument == family
    for chord in CHORDS:
        assert PhraseConditions(chord=f" {chord} ").chord == chord
    assert PhraseConditions(style="bass_line").style == "bass"
    assert PhraseConditions(style="single note").style == "single"
    assert PhraseConditions(style="percussion", instrument="piano").instrument == "drums"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"pitch": 128}, "pitch 128 is outside 0 to 127"),
        ({"pitch": -1}, "pitch -1 is outside"),
        ({"pitch": 60.5}, "pitch 60.5 is not a whole number"),
        ({"velocity": 0}, "velocity 0 is outside 1 to 127"),
        ({"tempo_bpm": 59.9}, "tempo 59.9 is outside 60 to 240 beats per minute"),
        ({"tempo_bpm": float("nan")}, "tempo nan is outside"),
        ({"style": "solo"}, "unknown style 'solo'; there are: single, bass"),
        ({"instrument": "kazoo"}, "unknown instrument 'kazoo'; there are: piano"),
        ({"chord": "h7"}, "unknown chord 'h7'; there are: major"),
        ({"chords": ((48, "major"),)}, "a phrase has 2 chords or 4, not 1"),
        ({"chords": ((48, "major"), (128, "minor"))}, "a chord's pitch 128 is outside 0 to 127"),
        ({"chords": ((48, "major"), (50, "h7"))}, "unknown chord 'h7'"),
    ],
)
def test_what_is_out_of_range_is_named(wrong, said):
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        PhraseConditions(**wrong)


def test_what_is_no_number_or_name_is_refused():
    with pytest.raises(TypeError):
        PhraseConditions(pitch="c4")
    with pytest.raises(TypeError):
        PhraseConditions(style=3)


def test_a_phrase_is_eight_beats_at_any_tempo_and_has_as_many_frames():
    for tempo in (60.0, 61.0, 90.0, 119.9, 120.0, 133.0, 240.0):
        conditions = PhraseConditions(style="pad", tempo_bpm=tempo)
        assert conditions.beats == 8
        assert conditions.loop_seconds == pytest.approx(8 * 60.0 / tempo)
        assert conditions.sample_count == pytest.approx(22_050 * conditions.loop_seconds, abs=0.51)
        assert conditions.hop_samples * FRAMES == pytest.approx(22_050 * conditions.loop_seconds)
    single = PhraseConditions(style="single", tempo_bpm=100.0)
    assert (single.loop_seconds, single.hop_samples, single.sample_count) == (4.0, 256.0, 90_112)


def test_chords_stand_over_pitch_and_chord():
    chords = ((45, "minor"), (41, "major"))
    conditions = PhraseConditions(60, style="comping", chords=chords)
    assert (conditions.pitch, conditions.chord) == (45, "minor")
    assert conditions.harmony == (chords[0], chords[0], chords[1], chords[1])
    assert conditions.notes == (45, 48, 52)
    four = PhraseConditions(style="comping", chords=(chords[0], chords[0], chords[1], chords[1]))
    assert four == conditions
    for alike in (
        PhraseConditions(style="comping", chords=(chords[0],) * 4),
        PhraseConditions(style="comping", pitch=45, chord="minor"),
    ):
        assert (alike.chords, alike.harmony) == ((), (chords[0],) * 4)
    assert PhraseConditions(style="percussion", chords=chords).chords == ()
    assert PhraseConditions(**conditions.as_dict()) == conditions


def test_notes_are_those_of_the_chord():
    assert PhraseConditions(40, style="bass", chord="diminished").notes == (40, 46, 52)
    assert PhraseConditions(60, style="pad", chord="dominant7").notes == (60, 64, 67, 70)
    assert PhraseConditions(40, style="bass", chord="power").notes == (40, 47, 52)
    assert PhraseConditions(48, style="arpeggio", chord="minor9").notes == (48, 51, 55, 58, 60, 62)
    assert PhraseConditions(125, style="pad").notes == (125,)
    assert PhraseConditions(36, style="percussion").notes == ()
