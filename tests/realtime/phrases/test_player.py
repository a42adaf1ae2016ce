"""Notes become phrases on their beat, sample by sample; or what is played in their place."""

from types import SimpleNamespace

import numpy as np
import pytest

from struck.codec.events.amendments import Amendment, End
from struck.codec.events.events import Event
from struck.models.mars.conditions import PhraseConditions
from struck.patches.phrase_patch import PhrasePatch
from struck.realtime.engine.engine import process_engine
from struck.realtime.engine.slots import FADE
from struck.realtime.engine.state import DELAYED_PHRASES, POSITION, REFUSED_PHRASES, make_engine_state
from struck.realtime.midi.note_sounds import NoteSettings, NoteTemplates
from struck.realtime.phrases.bank import KeptPhrase, PhraseBank, PhraseKey
from struck.realtime.phrases.beats import Beats
from struck.realtime.phrases.player import DECIDE_SECONDS, VOICE_LIMIT, Accompanist
from struck.realtime.phrases.slots import PhraseSlots
from struck.realtime.stage.soundings import SoundingAmendment, SoundingEnd, SoundingEvent
from struck.realtime.stage.stage import Stage

from ...codec.playing.decoder_events import RANDOM_WEIGHTS
from .phrase_fakes import FakeWorker, clip

RATE = 24_000
BLOCK = 480
BEAT = RATE // 2  # at 120 bpm
LOOP = 8 * BEAT
PATCH = PhrasePatch(channel=2, gain_db=0.0)


def key(pitch=60, place=0, variation=0, as_events=False, style="arpeggio"):
    conditions = PhraseConditions(pitch, 127, style, "piano", "major", 120.0)
    return PhraseKey(conditions, variation, place, as_events=as_events)


class Band:
    """An accompanist over an engine, driven block by block; the bank is the test's to fill."""

    def __init__(self, patch=PATCH, reserved=(), **options):
        patch = PhrasePatch(**{**vars(patch), **options})
        self.state = make_engine_state(RATE, 1, 1, 32, 128, ring_seconds=0.1, phrase_seconds=5.0)
        self.clock = SimpleNamespace(
            rate=RATE, block_frames=BLOCK, output_latency_seconds=0.0, position_samples=lambda: self.position
        )
        self.stage = Stage(self.state, RANDOM_WEIGHTS, self.clock, lambda line: None, exact=True)
        self.soundings, self.amendments, self.ends = [], [], []
        lists = {SoundingEvent: self.soundings, SoundingAmendment: self.amendments, SoundingEnd: self.ends}
        self.stage.add_sink(lambda told: lists[type(told)].append(told))
        self.bank, self.worker = PhraseBank(), FakeWorker()
        self.beats = Beats.of_tempo(RATE, patch.tempo_bpm, patch.beats_per_bar)
        self.slots = PhraseSlots(self.state, self.stage, reserved)
        self.templates = NoteTemplates(NoteSettings(gain_db=-20.0))
        self.player = Accompanist(
            self.stage, self.slots, self.bank, self.worker, patch, self.beats, self.note
        )
        self.stage.add_panic(lambda seconds: self.player.panic())
        self._out = [np.zeros(0, np.float32)]

    def note(self, pitch, velocity, onset_seconds):
        return self.templates.event(pitch, velocity, None, onset_seconds)

    @property
    def position(self):
        return int(self.state.numbers[POSITION])

    @property
    def out(self):
        return np.concatenate(self._out)

    @property
    def counts(self):
        return self.stage.counts()

    def keep(self, *keys):
        for which in keys:
            self.bank.put(which, KeptPhrase(clip(which, RATE)))

    def run(self, until, advance=True):
        """Play up to a stream sample."""
        source = np.zeros((BLOCK, 1), np.float32)
        while self.position < until:
            if advance:
                self.player.advance(self.position)
            block = np.empty((min(BLOCK, until - self.position), 1), np.float32)
            process_engine(self.state, source[: len(block)], block)
            self._out.append(block[:, 0])
        return self.out

    def at(self, sample, order, *arguments):
        """Run to a sample and give an order there."""
        self.run(sample)
        getattr(self.player, order)(sample, *arguments)


def looped(sound, frames):
    """What a loop of ``sound`` of LOOP frames sounds like for ``frames``."""
    assert len(sound) == LOOP
    return np.resize(sound, frames)


@pytest.mark.parametrize("at", [0, 1, BEAT - 3_000, BEAT, BEAT + 1, 5 * BEAT + 77])
def test_a_phrase_that_is_there_begins_on_the_next_beat_and_loops(at):
    band = Band()
    band.keep(key())
    band.at(at, "note_on", 60, 127)
    beat = -(-(at + 2 * BLOCK + 96) // BEAT) * BEAT
    out = band.run(beat + 2 * LOOP + 1_000)
    assert not out[:beat].any()
    assert out[beat:] == pytest.approx(looped(clip(key(), RATE), len(out) - beat), abs=2e-6)
    assert band.counts == {"phrases": 1}
    assert band.worker.requested == []


def test_it_may_begin_on_a_bar_or_now():
    for when, begin in (("bar", 4 * BEAT), ("now", 1_000 + 2 * BLOCK + 96)):
        band = Band(start=when)
        band.keep(key())
        band.at(1_000, "note_on", 60, 127)
        out = band.run(5 * BEAT)
        assert np.flatnonzero(out)[0] == max(begin, 0) or when == "now"
        assert not out[: begin if when == "bar" else 1_000].any()


@pytest.mark.parametrize(("stop", "end"), [("now", 30_000), ("beat", 36_000), ("bar", 48_000)])
def test_it_ends_with_its_note_faded(stop, end):
    band = Band(stop=stop)
    band.keep(key())
    band.at(100, "note_on", 60, 127)
    band.at(30_000 - 2 * BLOCK - 96, "note_off", 60)
    out = band.run(60_000)
    assert out[BEAT:end] == pytest.approx(clip(key(), RATE)[: end - BEAT], abs=2e-6)
    assert np.flatnonzero(out)[-1] in range(end + FADE - 4, end + FADE)
    assert band.player.voice_count == 0


def test_a_note_that_is_let_go_before_its_beat_is_never_heard():
    band = Band()
    band.at(100, "note_on", 60, 127)
    band.at(4_000, "note_off", 60)
    assert not band.run(3 * BEAT).any()
    assert band.worker.withdrawn == [key()]
    assert band.counts == {}


def test_without_its_phrase_a_note_sounds_on_the_beat_and_the_phrase_comes_a_beat_later():
    band = Band()
    band.at(100, "note_on", 60, 127)
    assert band.worker.requested == []
    band.run(BEAT + 100)
    assert band.worker.requested[0] == key()
    (sounding,) = band.soundings
    assert sounding.at_sample == BEAT
    assert sounding.origin == "phrase"
    assert band.counts == {"phrase_misses": 1, "events_phrase": 1}
    assert np.flatnonzero(band.out)[0] in range(BEAT, BEAT + 3)
    band.run(2 * BEAT + 50)
    band.keep(key())
    band.run(3 * BEAT)
    before = band.out[-1_000:].copy()
    assert np.any(before)
    out = band.run(5 * BEAT)
    ring = out[3 * BEAT :] - clip(key(), RATE)[: 2 * BEAT]  # what the released note leaves
    assert np.max(np.abs(ring[RATE // 2 :])) < 1e-3
    assert band.counts["phrase_late"] == band.counts["phrases"] == band.counts["phrase_misses"] == 1
    band.at(5 * BEAT, "note_off", 60)
    assert np.max(np.abs(band.run(6 * BEAT)[-4_000:])) < 1e-3


def test_a_phrase_that_is_made_just_in_time_is_in_time():
    band = Band()
    band.at(100, "note_on", 60, 127)
    band.run(BEAT - round(DECIDE_SECONDS * RATE) - BLOCK)
    band.keep(key())
    out = band.run(BEAT + 2_000)
    assert out[BEAT:] == pytest.approx(clip(key(), RATE)[:2_000], abs=2e-6)
    assert band.counts == {"phrases": 1}


def test_a_stand_in_ends_with_its_note_and_nothing_comes_after_it():
    band = Band()
    band.at(100, "note_on", 60, 127)
    band.at(BEAT + 4_000, "note_off", 60)
    band.run(BEAT + 6_000)
    band.keep(key())
    assert np.max(np.abs(band.run(4 * BEAT)[-BEAT:])) < 1e-3
    assert "phrases" not in band.counts


def test_a_stand_in_whose_note_ends_as_it_begins_does_not_hang():
    band = Band()
    band.at(BEAT - 1_100, "note_on", 60, 127)
    band.at(BEAT - 800, "note_off", 60)
    assert np.max(np.abs(band.run(5 * BEAT)[-BEAT:])) < 1e-3


def test_latched_it_goes_on_until_its_key_is_played_again():
    band = Band(latched=True)
    band.keep(key())
    band.at(100, "note_on", 60, 127)
    band.at(2_000, "note_off", 60)
    out = band.run(LOOP + 2 * BEAT)
    assert np.any(out[-100:])
    band.player.note_on(band.position, 60, 127)
    assert not band.run(LOOP + 4 * BEAT)[-BEAT:].any()
    assert band.player.voice_count == 0


def test_the_same_key_again_begins_it_anew_on_the_beat():
    band = Band()
    band.keep(key())
    band.at(100, "note_on", 60, 127)
    band.at(2 * BEAT + 100, "note_on", 60, 127)
    out = band.run(5 * BEAT)
    sound = clip(key(), RATE)
    assert out[BEAT : 3 * BEAT] == pytest.approx(sound[: 2 * BEAT], abs=2e-6)
    assert out[3 * BEAT + FADE :] == pytest.approx(sound[FADE : 2 * BEAT], abs=2e-6)
    assert band.player.voice_count == 1


def test_a_single_note_plays_once():
    band = Band(style="single")
    which = key(style="single")
    band.keep(which)
    band.at(100, "note_on", 60, 127)
    out = band.run(BEAT + 5 * RATE)
    sound = clip(which, RATE)
    assert out[BEAT : BEAT + len(sound) - FADE] == pytest.approx(sound[:-FADE], abs=2e-6)
    assert not out[BEAT + len(sound) :].any()
    assert band.player.voice_count == 0


def test_variations_take_turns_and_one_that_is_there_goes_first():
    band = Band(variations=3)
    for at, wanted in ((0, 0), (1, 1), (2, 2), (3, 0)):
        band.at(at * BEAT, "note_on", 60, 127)
        band.player.advance(band.position)
        assert band.worker.requested[-1] == key(variation=wanted)
        band.player.note_off(band.position, 60)
    band.keep(key(variation=0))
    band.at(6 * BEAT, "note_on", 60, 127)
    band.run(8 * BEAT)
    assert band.counts["phrases"] == 1


def test_velocities_share_phrases_and_differ_in_level():
    band = Band()
    band.keep(key())
    band.at(100, "note_on", 60, 120)
    out = band.run(BEAT + 2_000)
    gain = (120 / 127) ** 2
    assert out[BEAT:] == pytest.approx(gain * clip(key(), RATE)[:2_000], abs=1e-5)


# ---- passes that go on from each other


def test_each_pass_is_a_new_phrase_joined_without_a_seam():
    band = Band(continues=True)
    band.keep(*(key(place=place) for place in range(4)))
    band.at(100, "note_on", 60, 127)
    out = band.run(BEAT + 3 * LOOP + 4_000)
    sounds = [clip(key(place=place), RATE) for place in range(4)]
    begin = BEAT
    assert out[begin : begin + LOOP] == pytest.approx(sounds[0][:LOOP], abs=2e-6)
    for place in (1, 2, 3):
        begin += LOOP
        share = np.arange(FADE) / FADE
        joint = (1 - share) * sounds[place - 1][:FADE] + share * sounds[place][:FADE]
        assert out[begin : begin + FADE] == pytest.approx(joint, abs=2e-6)
        assert out[begin + FADE : begin + 4_000] == pytest.approx(sounds[place][FADE:4_000], abs=2e-6)
    assert band.counts == {"phrases": 4}
    assert band.worker.requested[-1] == key(place=4)
    band.player.note_off(band.position, 60)
    assert not band.run(BEAT + 4 * LOOP)[-BEAT:].any()


def test_where_the_next_is_not_there_the_pass_is_heard_again_and_counted():
    band = Band(continues=True)
    band.keep(key())
    band.at(100, "note_on", 60, 127)
    out = band.run(BEAT + LOOP + 4_000)
    assert out[BEAT:] == pytest.approx(looped(clip(key(), RATE), LOOP + 4_000), abs=2e-6)
    assert band.counts == {"phrases": 1, "phrases_repeated": 1}
    assert band.worker.requested[-1] == key(place=1)
    band.keep(key(place=1))
    out = band.run(BEAT + 2 * LOOP + 4_000)
    assert out[BEAT + 2 * LOOP + FADE :] == pytest.approx(clip(key(place=1), RATE)[FADE:4_000], abs=2e-6)
    assert band.counts["phrases"] == 2


# ---- too many, too late, all at once


def test_of_a_flood_the_newest_notes_win():
    band = Band()
    for pitch in range(20, 120):
        band.player.note_on(100, pitch, 127)
    band.player.advance(0)
    assert band.player.voice_count >= VOICE_LIMIT
    assert band.counts["phrases_dropped"] == 100 - VOICE_LIMIT
    band.run(2 * BEAT)
    assert [sounding.at_sample for sounding in band.soundings] == [BEAT] * VOICE_LIMIT
    assert band.player.voice_count == VOICE_LIMIT


def test_a_fifth_phrase_takes_the_place_of_the_first_on_its_beat():
    band = Band()
    pitches = (40, 47, 53, 60, 66)
    band.keep(*(key(pitch) for pitch in pitches))
    for beat, pitch in enumerate(pitches):
        band.at(beat * BEAT + 100, "note_on", pitch, 127)
    out = band.run(7 * BEAT)
    rest = out[5 * BEAT + FADE :] - sum(
        clip(key(pitch), RATE)[(4 - beat) * BEAT + FADE : (6 - beat) * BEAT]
        for beat, pitch in enumerate(pitches)
        if beat > 0
    )
    assert band.counts["phrases"] == 5
    assert np.max(np.abs(rest)) < 1e-5 or np.max(np.abs(out)) > 0.9  # the limiter may have been at work
    assert band.state.numbers[REFUSED_PHRASES] == band.state.numbers[DELAYED_PHRASES] == 0


def test_when_all_slots_are_others_notes_are_played():
    band = Band(reserved=range(8))
    band.keep(key())
    band.at(100, "note_on", 60, 127)
    band.run(4 * BEAT)
    assert [sounding.at_sample for sounding in band.soundings] == [BEAT]
    assert band.counts["phrase_misses"] == 1


def test_panic_is_silence_and_nothing_comes_back():
    band = Band()
    band.keep(key())
    band.at(100, "note_on", 60, 127)
    band.run(2 * BEAT)
    band.player.note_on(band.position, 64, 127)  # on its way
    band.stage.panic()
    out = band.run(6 * BEAT)
    assert not out[2 * BEAT + FADE + BLOCK :].any()
    assert band.player.voice_count == 0


def test_a_slot_that_played_is_used_again():
    band = Band()
    band.keep(key())
    for turn in range(30):
        band.at(turn * BEAT + 100, "note_on", 60, 127)
        band.at(turn * BEAT + BEAT - 2 * BLOCK, "note_off", 60)
    band.run(31 * BEAT)
    # the note-off comes before the beat: nothing sounds; the other way round all do
    assert band.counts.get("phrases", 0) + band.counts.get("phrase_misses", 0) in range(31)
    band = Band()
    band.keep(key())
    for turn in range(30):
        band.at(turn * BEAT + 100, "note_on", 60, 127)
    band.run(31 * BEAT)
    assert band.counts == {"phrases": 30}
    assert band.state.numbers[REFUSED_PHRASES] == 0


def test_a_thread_that_slept_plays_late_and_the_engine_says_so():
    band = Band()
    band.keep(key())
    band.at(100, "note_on", 60, 127)
    band.player.advance(100)
    band.run(BEAT - 100, advance=False)
    band.player.note_on(BEAT - 3_000, 67, 127)
    band.run(BEAT + 3_000, advance=False)
    band.run(4 * BEAT)
    assert band.counts["phrases"] == 1
    assert band.soundings[0].at_sample == 2 * BEAT  # on a beat nevertheless


def test_after_a_change_of_patch_notes_to_come_are_others():
    band = Band()
    band.keep(key(), key(style="pad"))
    band.at(100, "note_on", 60, 127)
    band.run(BEAT + 100)
    patch = PhrasePatch(channel=2, gain_db=0.0, style="pad", start="bar")
    band.player.change(patch, band.beats, band.note)
    band.player.note_on(band.position, 60, 127)
    out = band.run(6 * BEAT)
    assert out[BEAT : 4 * BEAT] == pytest.approx(clip(key(), RATE)[: 3 * BEAT], abs=2e-6)
    assert band.counts["phrases"] == 2
    band.player.release_all(band.position)
    assert not band.run(8 * BEAT)[-BEAT:].any()


# ---- as events


def events(*onsets):
    vector = NoteSettings().vector
    return tuple(Event(onset, -20.0, vector) for onset in onsets)


def test_a_key_ends_its_phrase_also_after_a_change_of_patch():
    band = Band()
    band.keep(key())
    band.at(100, "note_on", 60, 127)
    band.run(30_000)
    band.player.change(PhrasePatch(**{**vars(PATCH), "style": "pad", "latched": True}), band.beats, band.note)
    band.at(40_000, "note_off", 60)
    band.run(60_000)
    assert band.player.voice_count == 0
    assert not band.out[42_000:].any()


def test_what_was_begun_latched_stays_latched_and_its_key_ends_it_in_the_next_patch():
    band = Band(latched=True)
    band.keep(key(), key(style="pad"))
    band.at(100, "note_on", 60, 127)
    band.at(30_000, "note_off", 60)
    band.player.change(PhrasePatch(**{**vars(PATCH), "style": "pad"}), band.beats, band.note)
    band.run(40_000)
    band.player.note_off(40_000, 60)
    band.run(50_000)
    assert band.player.voice_count == 1  # held by no key
    band.at(50_000, "note_on", 60, 127)
    band.run(70_000)
    assert [voice.style for voice in band.player._voices if voice.ends is None] == ["pad"]
    band.at(70_000, "note_off", 60)
    band.run(90_000)
    assert not band.out[80_000:].any()


def test_as_events_it_is_played_by_the_decoder_pass_after_pass():
    band = Band(as_events=True)
    onsets = (0.0, 0.5, 1.25, 3.9, 4.05)  # the last is beyond the loop
    band.bank.put(key(as_events=True), KeptPhrase(np.zeros(98_000, np.float32), events(*onsets)))
    band.at(100, "note_on", 60, 127)
    band.run(BEAT + 2 * LOOP + RATE)
    expected = [BEAT + turn * LOOP + round(onset * RATE) for turn in range(3) for onset in onsets[:-1]]
    heard = [sounding.at_sample for sounding in band.soundings]
    assert heard[: 4 * 2 + 2] == expected[: 4 * 2 + 2]
    assert all(sounding.origin == "phrase" for sounding in band.soundings)
    count = len(heard)
    band.player.note_off(band.position, 60)
    band.run(BEAT + 4 * LOOP)
    assert len(band.soundings) <= count + 1
    assert len(band.ends) == len(band.soundings)
    assert band.counts["phrases"] == 1


def test_as_events_they_are_amended_and_end_as_was_heard():
    band = Band(as_events=True, gain_db=-6.0)
    vector = np.zeros(32, np.float32)
    items = (
        Event(0.5, -20.0, vector, id=7),
        Amendment(7, 1.0, gain_db=-26.0),
        Amendment.of_fields(7, 1.5, {"pitch": 61.0}),
        End(7, 2.0),
        Event(3.5, -20.0, vector, id=8),
        End(8, 4.1),  # heard when the sound was over
    )
    band.bank.put(key(as_events=True), KeptPhrase(np.zeros(98_000, np.float32), items))
    band.at(100, "note_on", 60, 127)
    band.run(BEAT + 2 * LOOP + 10 * BLOCK)
    passes = [BEAT, BEAT + LOOP]
    assert [told.at_sample for told in band.soundings[:4]] == [
        start + round(at * RATE) for start in passes for at in (0.5, 3.5)
    ]
    assert [told.at_sample for told in band.amendments] == [
        start + round(at * RATE) for start in passes for at in (1.0, 1.5)
    ]
    assert [told.at_sample for told in band.ends] == [
        start + round(at * RATE) for start in passes for at in (2.0, 4.0)
    ]
    gains = [told.event.gain_db for told in band.amendments[:2]]
    assert gains == pytest.approx([-32.0, -32.0], abs=0.1)
    assert band.amendments[1].amendment.fields == ("pitch",)
    ids = [told.id for told in band.soundings[:4]]
    assert [told.id for told in band.ends] == ids
    assert [told.id for told in band.amendments] == [ids[0], ids[0], ids[2], ids[2]]
    for counter in ("amendments_unknown", "amendments_late", "ends_unknown"):
        assert not band.counts.get(counter)


def test_as_events_passes_go_on_from_each_other_too():
    band = Band(as_events=True, continues=True)
    for place, onsets in enumerate(((0.0,), (1.0,))):
        phrase = KeptPhrase(np.zeros(98_000, np.float32), events(*onsets))
        band.bank.put(key(place=place, as_events=True), phrase)
    band.at(100, "note_on", 60, 127)
    band.run(BEAT + 2 * LOOP + 3 * BEAT)
    heard = [sounding.at_sample for sounding in band.soundings]
    assert heard == [BEAT, BEAT + LOOP + RATE, BEAT + 2 * LOOP + RATE]
    assert band.counts["phrases"] == 2
    assert band.counts["phrases_repeated"] == 1


def test_what_is_likely_is_what_was_played_then_how_it_varies():
    band = Band(variations=2, prepare=(36,))
    band.at(100, "note_on", 60, 127)
    band.at(200, "note_on", 62, 127)
    band.player.advance(band.position)
    found = list(band.player.likely())
    assert found[:2] == [key(62), key(60)]
    assert found[2].conditions.pitch == 36
    assert found[3:5] == [key(62, variation=1), key(60, variation=1)]


def test_phrases_swing_as_the_patch_says():
    band = Band(swing_percent=62.0)
    band.at(100, "note_on", 60, 127)
    band.player.advance(band.position)
    assert next(band.player.likely()).conditions.swing_percent == 62.0


def test_a_key_beyond_the_instrument_is_played_octaves_away_and_told_once():
    band = Band(style="single", instrument="flute")
    told = []
    band.stage.tell = told.append
    for pitch in (127, 125, 60):
        band.player.note_on(0, pitch, 127)
        band.player.note_off(0, pitch)
        band.player.advance(0)
    assert {key.conditions.pitch for key in band.player.likely()} == {91, 89, 60}
    assert told == ["phrases: flute (single) goes from 48 to 98: 127 is played 3 octaves lower, as 91"]
