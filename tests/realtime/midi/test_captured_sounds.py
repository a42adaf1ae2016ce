"""Captured sounds: what was heard, over the keyboard."""

import threading
import time

import numpy as np
import pytest
import soundfile

from struck.codec.events.amendments import Amendment
from struck.codec.events.event_spec import ANALYSIS_RATE, FIELDS, INDEX, from_physical, read_field
from struck.codec.events.events import Event
from struck.codec.weights.codec_weights import shipped_codec_weights
from struck.realtime.engine.callback import run_block
from struck.realtime.host.host import Host
from struck.realtime.host.peers import note_settings
from struck.realtime.host.settings import LiveSettings
from struck.realtime.midi.captured_sounds import KEPT, CapturedSounds
from struck.realtime.midi.note_sounds import NoteSettings, NoteTemplates
from struck.realtime.midi.notes import NotePlayer
from struck.realtime.screen.teller import Teller
from struck.realtime.stage.soundings import SoundingAmendment, SoundingEvent

from ...codec.hearing.encoder_sounds import add_note, silence

#: Of the phrase that is played in: its beginning, and from note to note.
FIRST_SECONDS, STEP_SECONDS = 0.2, 0.8


def heard(pitch, gain_db=-20.0, id=None, **values):
    vector = np.zeros(32, np.float32)
    for name, value in {"noisiness": 0.01, "pitch": pitch, **values}.items():
        vector[INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)
    return Event(0.0, gain_db, vector, id)


class Rig:
    def __init__(self):
        self.raw = {}
        self.captured = CapturedSounds(self.raw.get)

    def hear(self, id, event, origin="heard"):
        self.raw[id] = event
        self.captured(SoundingEvent(id, event, 0, origin))

    def amend(self, id, event):
        self.raw[id] = event
        amendment = Amendment.of_fields(id, 0.1, {"decay": 1.0})
        self.captured(SoundingAmendment(id, amendment, event, 0, "heard"))


def test_the_nearest_in_pitch_at_the_notes_own():
    rig = Rig()
    assert rig.captured.find(60, 100) is None
    rig.hear(1, heard(48.3, decay=1.0))
    rig.hear(2, heard(72.2, decay=4.0))
    for note, decay in ((40, 1.0), (59, 1.0), (61, 4.0), (90, 4.0)):
        found = rig.captured.find(note, 127)
        assert read_field(found.vector, "pitch") == pytest.approx(note, abs=0.01)
        assert read_field(found.vector, "decay") == pytest.approx(decay, rel=0.01)
        assert found.gain_db == -20.0


def test_layers_by_velocity():
    rig = Rig()
    for id, (gain_db, decay) in enumerate(((-10.0, 3.0), (-30.0, 1.0), (-20.0, 2.0))):
        rig.hear(id, heard(60.0 + 0.1 * id, gain_db, decay=decay))
    found = [rig.captured.find(60, velocity) for velocity in (20, 64, 127)]
    assert [read_field(f.vector, "decay") for f in found] == pytest.approx([1.0, 2.0, 3.0], rel=0.01)
    assert found[2].gain_db == -10.0
    assert found[0].gain_db < found[1].gain_db < found[2].gain_db


def test_only_what_is_heard_and_has_a_pitch_and_not_more_than_is_kept():
    rig = Rig()
    rig.hear(1, heard(60.0), "midi")
    rig.hear(2, heard(60.0, noisiness=0.9))
    assert rig.captured.find(60, 100) is None
    rig.hear(3, heard(50.0, -80.0))
    for id in range(10, 10 + KEPT):
        rig.hear(id, heard(70.0))
    assert read_field(rig.captured.find(50, 100).vector, "pitch") == pytest.approx(50.0, abs=0.01)
    assert len(rig.captured._events) == KEPT


def test_what_it_becomes_counts_and_it_can_be_held_and_cleared():
    rig = Rig()
    rig.hear(1, heard(60.0, decay=1.0))
    rig.amend(1, heard(60.0, decay=5.0))
    assert read_field(rig.captured.find(60, 100).vector, "decay") == pytest.approx(5.0, rel=0.01)
    rig.captured.hold()
    rig.hear(2, heard(80.0))
    rig.captured.hold()
    assert read_field(rig.captured.find(80, 100).vector, "decay") == pytest.approx(5.0, rel=0.01)
    rig.captured.clear()
    assert rig.captured.find(60, 100) is None


def test_notes_play_it_and_their_own_sound_before():
    rig = Rig()
    notes = NoteTemplates(NoteSettings(captured=rig.captured))
    plain = NoteTemplates(NoteSettings())
    assert notes.event(60, 100, None, 1.0) == plain.event(60, 100, None, 1.0)
    rig.hear(1, heard(55.0, decay=0.5))
    found = notes.event(60, 127, None, 2.0)
    assert (found.onset_seconds, found.gain_db) == (2.0, -20.0)
    assert read_field(found.vector, "decay") == pytest.approx(0.5, rel=0.1)


def pitch_hz(samples, rate, note):
    """The fundamental, by the lag at which the sound is most like itself, to a part in a thousand.

    Lags up to an octave around the note are looked at, so that a wrong octave is found as one.
    """
    expected = rate / (440.0 * 2.0 ** ((note - 69) / 12.0))
    samples = samples - samples.mean()
    size = 1 << int(np.ceil(np.log2(2 * len(samples))))
    likeness = np.fft.irfft(np.abs(np.fft.rfft(samples, size)) ** 2)
    lags = np.arange(round(0.55 * expected), round(1.9 * expected))
    lag = int(lags[np.argmax(likeness[lags])])
    before, there, after = likeness[lag - 1 : lag + 2]
    return rate / (lag + 0.5 * (before - after) / (before - 2.0 * there + after))


def play_on(host, seconds):
    """The output of the engine of a host whose input has ended, ``[T]``."""
    count = round(seconds * host.rate / 64)
    source = np.zeros((64, host.state.silence.shape[1]), np.float32)
    played = []
    for _ in range(count):
        out = np.zeros((64, host.state.sink.shape[1]), np.float32)
        run_block(host.state, source, out, 0)
        host.stage.attend()
        played.append(out[:, 0].copy())
    return np.concatenate(played)


def test_a_phrase_that_is_played_in_is_played_by_midi_in_tune(tmp_path):
    """Three notes are heard; the same keys then sound, through the engine, at their pitches."""
    notes = (57, 64, 69)
    phrase = silence(FIRST_SECONDS + STEP_SECONDS * len(notes))
    for place, note in enumerate(notes):
        add_note(phrase, FIRST_SECONDS + place * STEP_SECONDS, note, decay_rate=6.0)
    soundfile.write(tmp_path / "in.wav", phrase, ANALYSIS_RATE, subtype="FLOAT")
    (tmp_path / "heard.toml").write_text("format = 2\n[note]\nheard = true\n", encoding="utf-8")
    settings = LiveSettings(
        input=str(tmp_path / "in.wav"),
        output="none",
        profile="tight",
        phrases="off",
        patch=str(tmp_path / "heard.toml"),
    )
    with Host(settings, shipped_codec_weights(), Teller()) as host:
        host.run(threading.Event())
        keys = NotePlayer(host.stage, host.clock, note_settings(host.patch, host.captured))
        assert host.captured.find(60, 100) is not None
        host.stage.panic()
        for place, note in enumerate(notes):
            begin = round((FIRST_SECONDS + place * STEP_SECONDS + 0.05) * ANALYSIS_RATE)
            was = phrase[begin : begin + round((STEP_SECONDS - 0.1) * ANALYSIS_RATE)]
            keys.receive(time.perf_counter(), bytes((0x90, note, 127)))
            play_on(host, 0.05)
            sound = play_on(host, STEP_SECONDS - 0.1)
            keys.receive(time.perf_counter(), bytes((0x80, note, 0)))
            play_on(host, 3.0)
            assert np.abs(sound).max() > 1e-3
            heard_hz, played_hz = pitch_hz(was, ANALYSIS_RATE, note), pitch_hz(sound, host.rate, note)
            assert abs(1200.0 * np.log2(played_hz / heard_hz)) < 20.0, (note, heard_hz, played_hz)
