"""Single notes, in studio and live: few events, in tune, in time, ended when they are damped."""

import shutil
from pathlib import Path

import mido
import numpy as np
import pytest

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.events.lives import collect_lives
from struck.codec.events.profiles import PROFILES
from struck.codec.events.settle import settle
from struck.codec.hearing.following.hearing import make_hearing
from struck.codec.measures.known_notes import ONSET_SECONDS, KnownNote, make_known_notes, score_note
from struck.codec.pipeline import render_samples
from struck.codec.weights.codec_weights import shipped_codec_weights
from struck.models.codec.general_midi import render_midi
from struck.models.codec.sound_fonts import find_sound_font

DAMPED_SECONDS = 0.8
MOST_EVENTS = {"studio": 2, "live": 3}
#: General MIDI programs and keys.
PLAYED = {
    "nylon guitar A2": (24, 45),
    "steel guitar E3": (25, 52),
    "piano C3": (0, 48),
    "piano A4": (0, 69),
}


def damp(samples):
    damped, start, length = samples.copy(), round(DAMPED_SECONDS * ANALYSIS_RATE), ANALYSIS_RATE // 100
    damped[start : start + length] *= np.linspace(1.0, 0.0, length, dtype=np.float32)
    damped[start + length :] = 0.0
    return damped


def play(name):
    """A note held for longer than the test lasts, by FluidSynth."""
    if shutil.which("fluidsynth") is None:
        pytest.skip("fluidsynth is not installed")
    if not Path(find_sound_font()).is_file():
        pytest.skip("no sound font")
    program, key = PLAYED[name]
    midi = mido.MidiFile(ticks_per_beat=480)  # 960 ticks a second
    track = mido.MidiTrack()
    midi.tracks.append(track)
    track.append(mido.Message("program_change", program=program))
    track.append(mido.Message("note_on", note=key, velocity=96, time=round(960 * ONSET_SECONDS)))
    track.append(mido.Message("note_off", note=key, time=960))
    return KnownNote(name, float(key), render_midi(midi)[: round(1.2 * ANALYSIS_RATE)].astype(np.float32))


NOTES = {note.name: lambda note=note: note for note in make_known_notes()}
NOTES |= {name: lambda name=name: play(name) for name in PLAYED}


@pytest.fixture(scope="module", params=NOTES)
def note(request):
    return NOTES[request.param]()


@pytest.fixture(scope="module", params=MOST_EVENTS)
def heard(request, note):
    """A note, damped, the profile, and what is told of the note."""
    hearing = make_hearing(shipped_codec_weights(), PROFILES[request.param])
    return note, request.param, [*hearing.process(damp(note.samples)), *hearing.flush()]


def test_it_is_few_events(heard):
    note, profile, items = heard
    assert 1 <= score_note(note, settle(items)).event_count <= MOST_EVENTS[profile]


def test_the_loudest_is_in_tune_and_in_time(heard):
    note, _, items = heard
    score = score_note(note, settle(items))
    assert score.pitch_error_cents == pytest.approx(0.0, abs=20.0)
    assert score.onset_error_seconds == pytest.approx(0.0, abs=0.015)


def level(samples, first_seconds, last_seconds):
    part = samples[round(first_seconds * ANALYSIS_RATE) : round(last_seconds * ANALYSIS_RATE)]
    return float(np.sqrt(np.square(part, dtype=np.float64).mean()))


def test_it_is_ended_within_100_ms_of_the_damper(heard):
    """Up to the damper it sounds about as loud as the note does, and 100 ms later it is 20 dB down."""
    note, profile, items = heard
    sound = np.pad(render_samples(shipped_codec_weights(), items, ANALYSIS_RATE), (0, 2 * ANALYSIS_RATE))
    before = level(sound, DAMPED_SECONDS - 0.2, DAMPED_SECONDS - 0.02)
    true = level(note.samples, DAMPED_SECONDS - 0.2, DAMPED_SECONDS - 0.02)
    assert abs(20.0 * np.log10(before / true)) < 6.0
    assert level(sound, DAMPED_SECONDS + 0.1, DAMPED_SECONDS + 0.5) < before / 10.0
    if profile == "live":
        assert max(collect_lives(items), key=lambda life: life.event.gain_db).end is not None
