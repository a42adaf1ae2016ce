"""No instrument is asked for what it cannot play."""

from pathlib import Path

import pytest

from struck.models.mars.chords import CHORDS
from struck.models.mars.conditions import FAMILIES, STYLES, PhraseConditions
from struck.realtime.phrases.pitch_ranges import PITCH_RANGES, describe_move, into_range, root_range


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("style", [style for style in STYLES if style != "percussion"])
def test_every_pitch_is_played_in_range_by_whole_octaves(family, style):
    low, high = PITCH_RANGES[family]
    for chord in CHORDS:
        for pitch in range(128):
            asked = PhraseConditions(pitch, style=style, instrument=family, chord=chord)
            played = into_range(asked)
            assert (played.pitch - pitch) % 12 == 0
            notes = played.notes or (played.pitch,)
            assert low <= notes[0] <= notes[-1] <= high
            # Not one octave further than need be, and nothing else is changed.
            first, last = root_range(asked)
            assert played == asked if first <= pitch <= last else abs(played.pitch - pitch) >= 12
            nearer = played.pitch + (12 if played.pitch < pitch else -12)
            assert played.pitch == pitch or not first <= nearer <= last


def test_each_chord_of_a_progression_is_moved_by_itself():
    asked = PhraseConditions(style="pad", instrument="flute", chords=((57, "minor"), (40, "major")))
    assert into_range(asked).chords == ((57, "minor"), (52, "major"))
    inside = PhraseConditions(style="pad", instrument="piano", chords=((57, "minor"), (40, "major")))
    assert into_range(inside) is inside


def test_percussion_stays_as_it_is():
    asked = PhraseConditions(127, style="percussion")
    assert into_range(asked) is asked


def test_what_is_told():
    asked = PhraseConditions(127, instrument="flute")
    assert describe_move(asked, into_range(asked)) == (
        "flute (single) goes from 48 to 98: 127 is played 3 octaves lower, as 91"
    )
    low = PhraseConditions(20, style="pad", instrument="guitar")
    assert describe_move(low, into_range(low)) == (
        "guitar (pad) goes from 40 to 81: 20 is played 2 octaves higher, as 44"
    )
    assert describe_move(low, low) is None


def test_the_page_has_the_table():
    page = (Path(__file__).parents[3] / "docs" / "phrases.md").read_text()
    for family, (low, high) in PITCH_RANGES.items():
        assert f"| {family} {low} to {high} |" in page
