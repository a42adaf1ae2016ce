"""Captured sounds: what was heard, over the keyboard."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from struck.codec.events.amendments import Amendment
from struck.codec.events.event_spec import ANALYSIS_RATE, FIELDS, INDEX, from_physical, read_field
from struck.codec.events.events import Event
from struck.codec.pipeline import render_samples
from struck.codec.weights.codec_weights import default_codec_weights_path, load_codec_weights
from struck.realtime.host.host import Host
from struck.realtime.host.settings import LiveSettings
from struck.realtime.midi.captured_sounds import KEPT, CapturedSounds
from struck.realtime.midi.note_sounds import NoteSettings, NoteTemplates
from struck.realtime.screen.teller import Teller
from struck.realtime.stage.soundings import SoundingAmendment, SoundingEvent

from ...codec.hearing.encoder_sounds import melody


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


def cents_from(samples, note, rate):
    """How far the partials of a sound lie from the note's, by its strongest that is one of them."""
    frequency = 440.0 * 2.0 ** ((note - 69) / 12.0)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 8 * len(samples)))
    peak = np.argmax(spectrum) * rate / (8 * len(samples))
    return 1200.0 * np.log2(peak / (frequency * max(1, round(peak / frequency))))


def test_a_phrase_that_is_played_in_is_played_by_midi_in_tune(tmp_path):
    """Three notes are heard; the same notes by MIDI, with the sounds that were heard."""
    notes = (57, 64, 69)
    soundfile.write(tmp_path / "in.wav", melody(notes), ANALYSIS_RATE, subtype="FLOAT")
    weights = load_codec_weights(default_codec_weights_path())
    settings = LiveSettings(input=str(tmp_path / "in.wav"), output="none", profile="tight", phrases="off")
    with Host(settings, weights, Teller()) as host:
        host.run(threading.Event())
        sounds = NoteTemplates(NoteSettings(captured=host.captured))
        assert host.captured.find(60, 100) is not None
    for note in notes:
        event = replace(sounds.event(note, 100, None, 0.0), onset_seconds=0.0)
        samples = render_samples(weights, [event], 48_000)[:48_000]
        assert abs(cents_from(np.asarray(samples), note, 48_000)) < 20.0
