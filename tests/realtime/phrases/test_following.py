"""Phrases by a clock: each pass begins on the clock's beat, and in its tempo."""

from dataclasses import replace

import numpy as np
import pytest

from struck.codec.events.beat_line import BeatLine
from struck.realtime.engine.slots import FADE
from struck.realtime.phrases.bank import KeptPhrase
from struck.realtime.phrases.beats import Beats

from .phrase_fakes import clip
from .test_hand import key_of, lift, press
from .test_player import BLOCK, LOOP, RATE, Band, key

DELAY = 2 * BLOCK + 96


class LedBand(Band):
    """A band whose beats are a line's that the test may change; beat 0 is at sample 0 at first."""

    def __init__(self, tempo_bpm=120.0, **options):
        super().__init__(tempo_bpm=tempo_bpm, **options)
        self.line = BeatLine(0.0, 0.0, 60.0 / tempo_bpm)
        self.made_for = tempo_bpm

    def advance_clock(self):
        seconds = self.position / RATE
        beats = Beats.of_line(RATE, self.line, seconds, self.position, int(self.made_for / 15.0), 4)
        self.player.follow(beats, self.made_for, self.line.song, self.position)

    def run(self, until, advance=True):
        while self.position < until:
            self.advance_clock()
            super().run(min(until, self.position + BLOCK), advance)
        return self.out

    def change_tempo(self, tempo_bpm):
        """From now on, the beat of now is where it is."""
        seconds = self.position / RATE
        self.line = BeatLine(seconds, self.line.beat_at(seconds), 60.0 / tempo_bpm, self.line.song)

    def sample_of(self, beat):
        return round(self.line.seconds_at(beat) * RATE)


def beginnings(out, sound, least=0.95):
    """Where ``sound`` begins in ``out``: where its first 600 frames, after a fade, are found again."""
    piece = sound[FADE : FADE + 600].astype(float)
    matches = np.correlate(out, piece, "valid") / (piece @ piece)
    found = []
    for at in np.flatnonzero(matches > least):
        if not found or at - found[-1] > RATE // 10:
            found.append(int(at))
        elif matches[at] > matches[found[-1]]:
            found[-1] = int(at)
    return [at - FADE for at in found]


def ramp(tempo_bpm=120.0, level=0.5):
    """A phrase that is like itself nowhere: noise that decays."""
    rng = np.random.default_rng(int(tempo_bpm))
    sound = rng.uniform(-level, level, len(clip(key(), RATE)))
    return KeptPhrase((sound * np.exp(-np.arange(len(sound)) / RATE)).astype(np.float32))


def keep(band, tempo_bpm=120.0):
    which = key()
    which = replace(which, conditions=replace(which.conditions, tempo_bpm=tempo_bpm))
    band.bank.put(which, ramp(tempo_bpm))
    return which


def test_a_steady_clock_is_as_the_own_tempo():
    led, own = LedBand(), Band()
    for band in (led, own):
        keep(band)
        band.at(1_000, "note_on", 60, 127)
        band.run(20 * RATE // 2 + 500)
    assert np.array_equal(led.out, own.out)


@pytest.mark.parametrize("tempo", [119.7, 120.4])
def test_each_pass_begins_on_the_beat_of_a_clock_that_is_a_little_off(tempo):
    band = LedBand()
    keep(band)
    band.change_tempo(tempo)
    band.at(1_000, "note_on", 60, 127)
    out = band.run(round(26 * 60.0 / tempo * RATE))
    begun = beginnings(out, ramp().sound)
    assert begun == pytest.approx([band.sample_of(beat) for beat in (1, 9, 17, 25)], abs=2)
    assert band.worker.requested == []


@pytest.mark.parametrize("tempo", [126.0, 114.0])
def test_after_a_change_of_tempo_the_next_pass_is_on_the_beat_and_the_phrase_is_made_anew(tempo):
    band = LedBand()
    keep(band)
    band.at(1_000, "note_on", 60, 127)
    band.run(2 * RATE)
    band.change_tempo(tempo)
    band.made_for = tempo
    out = band.run(band.sample_of(12))
    assert beginnings(out, ramp().sound) == pytest.approx([RATE // 2, band.sample_of(9)], abs=2)
    wanted = band.worker.requested[-1]
    assert wanted.conditions.tempo_bpm == tempo
    band.bank.put(wanted, ramp(tempo))
    out = band.run(band.sample_of(17 + wanted.conditions.beats) + 2_000)
    begun = beginnings(out, ramp(tempo).sound)
    # The pass that sounds is of the old phrase, which is eight beats long.
    assert begun == pytest.approx([band.sample_of(17), band.sample_of(17 + wanted.conditions.beats)], abs=2)


def test_what_waits_for_its_bar_waits_for_the_bar_of_a_song_that_starts():
    band = LedBand(start="bar")
    keep(band)
    band.at(4 * RATE // 2 + 100, "note_on", 60, 127)  # for beat 8, at 4 s
    band.run(3 * RATE)
    band.line = BeatLine(3.1, 0.0, 0.5, song=1)
    out = band.run(4 * RATE)
    assert beginnings(out, ramp().sound) == pytest.approx([round(3.1 * RATE)], abs=2)


def test_what_sounds_when_a_song_starts_begins_anew_on_its_next_bar():
    band = LedBand()
    keep(band)
    band.at(1_000, "note_on", 60, 127)
    band.run(2 * RATE)
    band.line = BeatLine(2.1, 0.0, 0.5, song=1)
    out = band.run(5 * RATE)
    assert beginnings(out, ramp().sound) == pytest.approx([RATE // 2, round(2.1 * RATE)], abs=2)


def test_a_loop_of_the_song_over_whole_bars_leaves_the_phrase_alone():
    band = LedBand(start="bar")
    keep(band)
    band.at(100, "note_on", 60, 127)  # bar 1 begins at 2 s
    band.run(2 * RATE + RATE // 2)
    band.line = BeatLine(2.0, 0.0, 0.5, song=1)
    out = band.run(7 * RATE)
    assert beginnings(out, ramp().sound) == pytest.approx([2 * RATE, 6 * RATE], abs=2)


def test_a_clock_much_slower_than_the_phrase_leaves_a_gap():
    band = LedBand()
    keep(band)
    band.at(1_000, "note_on", 60, 127)
    band.run(2 * RATE)
    band.change_tempo(70.0)  # eight beats are longer than a slot
    out = band.run(band.sample_of(17) + 2_000)
    begun = beginnings(out, ramp().sound)
    assert begun == pytest.approx([RATE // 2, band.sample_of(9), band.sample_of(17)], abs=2)


def test_events_of_a_phrase_are_as_far_apart_as_the_clock_s_beats():
    from .test_player import Event

    band = LedBand(as_events=True)
    which = replace(keep(band), as_events=True)
    events = [Event(beat / 2.0, -20.0, np.zeros(32, np.float32)) for beat in range(8)]
    band.bank.put(which, KeptPhrase(clip(which, RATE), tuple(events)))
    band.change_tempo(119.0)
    band.at(1_000, "note_on", 60, 127)
    band.run(band.sample_of(16))
    at = [sounding.at_sample for sounding in band.soundings]
    assert at[:12] == pytest.approx([band.sample_of(beat) for beat in range(1, 13)], abs=40)


def test_a_note_ends_as_its_patch_says():
    band = LedBand(stop="beat")
    keep(band)
    band.change_tempo(118.0)
    band.at(1_000, "note_on", 60, 127)
    band.at(3 * RATE, "note_off", 60)
    out = band.run(5 * RATE)
    end = next(band.sample_of(beat) for beat in range(99) if band.sample_of(beat) >= 3 * RATE + DELAY)
    assert np.flatnonzero(out)[-1] in range(end + FADE - 4, end + FADE + 1)
    assert band.player.voice_count == 0


class DriftingBand(LedBand):
    """By a clock that goes evenly from 120 to 122 in half a minute; phrases are made as soon as asked for."""

    def __init__(self, **options):
        super().__init__(**options)
        self.begun = []  # stream samples at which something was put into a slot
        play = self.slots.play

        def noted(sound, at_sample, *arguments, **named):
            slot = play(sound, at_sample, *arguments, **named)
            if slot is not None:
                self.begun.append(at_sample)
            return slot

        self.slots.play = noted

    def beat_at(self, seconds):
        """The clock's beat, whatever the band knows of it."""
        return 2.0 * seconds + seconds**2 / 1800.0

    def advance_clock(self):
        seconds = self.position / RATE
        tempo = 120.0 + seconds / 15.0
        self.line = BeatLine(seconds, self.beat_at(seconds), 60.0 / tempo)
        if abs(tempo / self.made_for - 1.0) > 0.005:
            self.made_for = round(tempo, 1)
        super().advance_clock()
        for wanted in self.worker.requested:
            if wanted not in self.bank:
                self.bank.put(wanted, KeptPhrase(clip(wanted, RATE)))


def test_a_chord_in_each_bar_by_a_clock_that_drifts_by_2_bpm():
    band = DriftingBand(chord="held", start="bar")
    chords = ((48, 52, 55), (53, 57, 60), (55, 59, 62), (57, 60, 64))
    held = ()
    for bar in range(1, 15):
        band.run(round((2.0 * bar - 0.4) * RATE) - 8 * bar**2)  # bars come earlier and earlier
        before, held = held, chords[bar % 4]
        for pitch in held:
            band.player.note_on(band.position, pitch, 127)
        for pitch in set(before) - set(held):
            band.player.note_off(band.position, pitch)
    band.run(30 * RATE)
    beats = [band.beat_at(at / RATE) for at in band.begun]
    # Each bar has its chord on its beat, within 5 ms: what begins inside a pass goes by how that began.
    bars = {round(beat / 4.0) for beat in beats if abs(beat - 4.0 * round(beat / 4.0)) < 0.01}
    assert bars >= set(range(1, 15))
    assert all(abs(beat - 2.0 * round(beat / 2.0)) < 0.01 for beat in beats)
    assert band.counts["chord_changes"] >= 12
    assert "phrase_misses" not in band.counts


@pytest.mark.parametrize("beat", [5, 9])
def test_by_a_clock_another_chord_comes_in_on_the_clocks_half_bar_and_passes_begin_there(beat):
    """Within a pass, and where the next one begins; the first pass began off the clock."""
    band = LedBand(chord="held")
    first, second = key_of(48, "major"), key_of(53, "major", groove=(48, "major"))
    noise = {k: np.random.default_rng(k.conditions.pitch).uniform(-0.5, 0.5, LOOP) for k in (first, second)}
    for which, sound in noise.items():
        band.bank.put(which, KeptPhrase(sound.astype(np.float32)))
    press(band, 100, 48, 52, 55)
    band.run(band.sample_of(2))
    band.line = replace(band.line, seconds=band.line.seconds - 0.08)  # a song that begins near the own beats
    at = band.sample_of(beat) - round(0.4 * RATE)
    press(band, at, 53, 57, 60)
    lift(band, at + 1_000, 48, 52, 55)
    out = band.run(band.sample_of(17) + 2_000)
    change = band.sample_of(beat)
    place = (beat - 1) % 8 * LOOP // 8
    heard = beginnings(out, np.roll(noise[second], -place))
    assert heard[0] == pytest.approx(change, abs=2)
    assert beginnings(out, noise[second])[-1] == pytest.approx(band.sample_of(17), abs=2)
    assert band.counts["chord_changes"] == 1
