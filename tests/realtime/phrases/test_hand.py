"""Chords that are held on the phrase channel: named when the hand rests, changed at half bars."""

import numpy as np
import pytest

from struck.models.mars.conditions import PhraseConditions
from struck.realtime.phrases.bank import KeptPhrase, PhraseKey
from struck.realtime.phrases.hand import Hand

from .phrase_fakes import clip
from .test_player import BEAT, LOOP, RATE, Band

HALF_BAR = 2 * BEAT
SETTLED = 1_000  # samples after which a chord has been named


def key_of(pitch, quality, groove=None, **options):
    def conditions(root, chord):
        return PhraseConditions(root, 127, "arpeggio", "piano", chord, 120.0)

    return PhraseKey(
        conditions(pitch, quality), groove=None if groove is None else conditions(*groove), **options
    )


def press(band, at, *pitches):
    for pitch in pitches:
        band.at(at, "note_on", pitch, 127)


def lift(band, at, *pitches):
    for pitch in pitches:
        band.at(at, "note_off", pitch)


def test_a_hand_is_named_when_it_rests():
    hand = Hand(100)
    hand.press(10, 48, 90)
    hand.press(60, 52, 100)
    hand.press(70, 55, 80)
    assert hand.due == 170
    assert hand.name() == ((48, "major"), 100)
    assert hand.due is None
    assert not hand.lift(52)
    assert hand.due is None  # what goes up names nothing
    assert hand.holds(48)
    assert not hand.lift(48)
    assert hand.lift(55)
    hand.press(500, 50, 70)
    assert hand.name() == ((50, "major"), 70)
    # One key more changes the chord; three are a chord by themselves.
    hand.press(600, 53, 60)
    assert hand.name() == ((50, "minor"), 70)
    for pitch in (52, 55, 59):
        hand.press(700, pitch, 50)
    assert hand.name() == ((52, "minor"), 50)


def test_a_held_chord_is_a_phrase_by_its_root_and_quality():
    band = Band(chord="held")
    band.keep(key_of(45, "minor"))
    press(band, 100, 57, 60, 64)  # A minor, an octave up: its root is the lowest key
    band.keep(key_of(57, "minor"))
    out = band.run(BEAT + 3_000)
    assert not out[:BEAT].any()
    assert out[BEAT:] == pytest.approx(clip(key_of(57, "minor"), RATE)[:3_000], abs=2e-6)
    assert band.counts["phrases"] == 1
    # Fingers that leave one by one change nothing, the last ends it.
    lift(band, BEAT + 3_000, 57, 60)
    band.run(BEAT + 6_000)
    assert band.player.voice_count == 1
    lift(band, BEAT + 6_000, 64)
    band.run(BEAT + 10_000)
    assert band.player.voice_count == 0


def test_an_inversion_has_the_same_root_below():
    band = Band(chord="held")
    press(band, 100, 52, 55, 60)
    band.run(SETTLED + 500)
    assert band.worker.requested == [key_of(48, "major")]


def test_another_chord_comes_in_at_the_next_half_bar_in_its_place():
    band = Band(chord="held")
    first, second = key_of(48, "major"), key_of(53, "major", groove=(48, "major"))
    band.keep(first, second)
    press(band, 100, 48, 52, 55)
    at = BEAT + HALF_BAR + 500
    lift(band, at, 48, 52)
    press(band, at, 53, 57, 60)
    out = band.run(BEAT + 2 * LOOP)
    change = BEAT + 2 * HALF_BAR
    sounds = [clip(key, RATE) for key in (first, second)]
    assert out[BEAT:change] == pytest.approx(sounds[0][: change - BEAT], abs=2e-6)
    faded = change + 256
    place = faded - BEAT
    expected = np.resize(np.roll(sounds[1], -place), BEAT + 2 * LOOP - faded)
    assert out[faded:] == pytest.approx(expected, abs=2e-6)
    assert band.counts["chord_changes"] == 1


def test_a_chord_that_is_not_made_in_time_comes_at_a_later_half_bar():
    band = Band(chord="held")
    first, second = key_of(48, "major"), key_of(53, "major", groove=(48, "major"))
    band.keep(first)
    press(band, 100, 48, 52, 55)
    at = BEAT + 500
    press(band, at, 53, 57, 60)
    lift(band, at, 48, 52, 55)
    band.run(at + SETTLED)
    band.run(BEAT + HALF_BAR + 500)
    wanted = band.worker.requested[-1]
    band.bank.put(wanted, KeptPhrase(clip(wanted, RATE)))
    out = band.run(BEAT + 3 * HALF_BAR)
    change = BEAT + 2 * HALF_BAR
    assert out[BEAT:change] == pytest.approx(clip(first, RATE)[: change - BEAT], abs=2e-6)
    after = clip(wanted, RATE)[change - BEAT + 256 : 3 * HALF_BAR]
    assert out[change + 256 :] == pytest.approx(after, abs=2e-6)
    assert second.conditions.style == wanted.conditions.style


def test_back_to_the_first_chord_is_the_first_phrase():
    first = key_of(48, "major")
    other = first.by(key_of(53, "minor").conditions)
    assert other.like == first
    assert other.by(first.conditions) == first
    assert other.by(key_of(50, "minor").conditions).like == first


def test_as_events_the_other_chords_events_come_from_there_on():
    band = Band(chord="held", as_events=True)
    from .test_player import events

    first = key_of(48, "major", as_events=True)
    second = key_of(53, "major", groove=(48, "major"), as_events=True)
    band.bank.put(first, KeptPhrase(np.zeros(LOOP, np.float32), events(0.0, 1.5, 2.5)))
    band.bank.put(second, KeptPhrase(np.zeros(LOOP, np.float32), events(0.5, 1.25, 2.75)))
    press(band, 100, 48, 52, 55)
    press(band, BEAT + 400, 53, 57, 60)
    lift(band, BEAT + 500, 48, 52, 55)
    band.run(BEAT + LOOP)
    heard = [sounding.at_sample - BEAT for sounding in band.soundings]
    assert heard == [0, round(1.25 * RATE), round(2.75 * RATE)]


def test_latched_a_chord_stays_until_it_is_played_again():
    band = Band(chord="held", latched=True)
    band.keep(key_of(48, "major"))
    press(band, 100, 48, 52, 55)
    lift(band, BEAT + 500, 48, 52, 55)
    band.run(BEAT + 4_000)
    assert band.player.voice_count == 1
    press(band, BEAT + 4_000, 48, 52, 55)
    band.run(BEAT + 8_000)
    assert band.player.voice_count == 0
