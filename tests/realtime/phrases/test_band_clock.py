"""An accompaniment goes by its own tempo until a clock is locked, then by the clock's."""

import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from struck.codec.events.beat_line import BeatLine
from struck.patches.patch import load_patch
from struck.realtime.engine.state import make_engine_state
from struck.realtime.midi.note_sounds import NoteSettings, NoteTemplates
from struck.realtime.phrases.band import Accompaniment, BandSettings
from struck.realtime.stage.stage import Stage
from struck.realtime.tempo.leader import ClockState

from ...codec.playing.decoder_events import RANDOM_WEIGHTS
from .phrase_fakes import FakeMaker

RATE, BLOCK = 24_000, 64


class Clock:
    """Of a clock follower what is read: the line of the test's choice."""

    def __init__(self):
        self.found = None
        self.beats_per_bar = 0

    def propose(self, tempo_bpm):
        """A clock has a tempo of its own."""

    def line(self):
        return self.found

    def state(self, now_seconds):
        return ClockState.OFF if self.found is None else ClockState.LOCKED

    def play(self, tempo_bpm, song=1):
        self.found = BeatLine(time.perf_counter(), 0.25, 60.0 / tempo_bpm, song)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def band(clock):
    state = make_engine_state(RATE, 1, 1, 32, 128, ring_seconds=0.1, phrase_seconds=5.0)
    began = time.perf_counter()
    stream = SimpleNamespace(
        rate=RATE,
        block_frames=BLOCK,
        output_latency_seconds=0.0,
        position_samples=lambda: stream.sample_at(time.perf_counter()),
        sample_at=lambda seconds: round((seconds - began) * RATE),
    )
    stage = Stage(state, RANDOM_WEIGHTS, stream, lambda line: None, exact=True)
    settings = BandSettings(device="cpu", weights=None, tempo_bpm=100.0, as_events=False)
    notes = NoteTemplates(NoteSettings())
    found = Accompaniment(
        settings, load_patch("phrases"), state, stage, notes, maker=FakeMaker(RATE), clock=clock
    )
    found.stream = stream
    yield found
    found.close()


def made_for(band):
    """The tempo of phrases to come."""
    band.note_on(0, 60, 100)
    band.advance()
    return next(iter(band._accompanist.likely())).conditions.tempo_bpm


def test_a_clock_that_is_given_up_as_none_leaves_the_beats_to_the_band(band, clock):
    clock.play(140.0)
    band.advance()
    assert band.own_beats() is None
    clock.found = None  # such as our own, come back
    band.advance()
    assert band.own_beats().tempo_bpm(RATE) == pytest.approx(140.0, rel=1e-3)


def test_until_a_clock_is_locked_the_tempo_is_the_own(band):
    band.advance()
    assert band.stats()["tempo_bpm"] == pytest.approx(100.0, rel=1e-4)
    assert band.own_beats().loop_beats == 8
    assert made_for(band) == 100.0


def test_a_clock_that_is_locked_leads(band, clock):
    clock.play(126.03)
    band.advance()
    assert band.stats()["tempo_bpm"] == pytest.approx(126.03, rel=1e-4)
    assert band.own_beats() is None
    assert made_for(band) == 126.0
    # And its beats are where they are: those where the stream is when it looks, for a loop of whole samples
    # is not quite as long as the clock's. On the way four numbers are rounded to samples, by half of one.
    band.advance()
    beat = band._beats.nearest_beat(band.stream.position_samples())
    assert abs(band._beats.sample_of(beat) - band.stream.sample_at(clock.found.seconds_at(beat))) <= 2


def test_phrases_are_made_for_the_same_tempo_while_the_clock_is_near_it(band, clock):
    for tempo, wanted in ((126.0, 126.0), (126.5, 126.0), (125.5, 126.0), (127.0, 127.0)):
        clock.play(tempo)
        assert made_for(band) == wanted
        assert band.stats()["tempo_bpm"] == pytest.approx(tempo, rel=1e-4)


@pytest.mark.parametrize("tempo", [40.0, 59.9, 240.1, 300.0])
def test_a_tempo_that_phrases_cannot_have_is_not_followed(band, clock, tempo):
    clock.play(tempo)
    band.advance()
    assert band.stats()["tempo_bpm"] == pytest.approx(100.0, rel=1e-4)
    assert band.own_beats() is not None


def test_another_patch_is_played_in_the_clock_s_tempo(band, clock):
    clock.play(140.0)
    band.advance()
    patch = load_patch("phrases")
    slow = replace(patch, phrases=replace(patch.phrases, tempo_bpm=70.0, beats_per_bar=3))
    band.change_patch(slow, NoteTemplates(NoteSettings()))
    band.advance()
    assert band.stats()["tempo_bpm"] == pytest.approx(140.0, rel=1e-4)
    assert band._beats.beats_per_bar == 3
    assert made_for(band) == 140.0
