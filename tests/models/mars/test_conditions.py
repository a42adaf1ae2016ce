"""What a phrase may be asked to be."""

import pytest

from struck.models.mars.conditions import CHORDS, FAMILIES, STYLES, PhraseConditions


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


def test_beats_fill_four_seconds_and_no_more():
    for tempo in (60.0, 61.0, 90.0, 119.9, 120.0, 133.0, 240.0):
        conditions = PhraseConditions(style="pad", tempo_bpm=tempo)
        assert conditions.loop_seconds <= 4.0 + 1e-9
        assert conditions.loop_seconds + 60.0 / tempo > 4.0
        assert conditions.loop_seconds == pytest.approx(conditions.beats * 60.0 / tempo)
    assert PhraseConditions(style="single", tempo_bpm=100.0).loop_seconds == 4.0


def test_notes_are_those_of_the_chord():
    assert PhraseConditions(40, style="bass", chord="diminished").notes == (40, 46, 52)
    assert PhraseConditions(60, style="pad", chord="dominant7").notes == (60, 64, 67, 70)
    assert PhraseConditions(125, style="pad").notes == (125,)
    assert PhraseConditions(36, style="percussion").notes == ()
