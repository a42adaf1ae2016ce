"""The notes by which an encoder is judged are what they are said to be, and errors have signs and units."""

import numpy as np
import pytest

from struck.codec.events.event_spec import ANALYSIS_RATE, FIELDS, INDEX, VECTOR_SIZE, from_physical
from struck.codec.events.events import Event
from struck.codec.measures.known_notes import (
    ONSET_SECONDS,
    NoteScore,
    format_notes,
    make_known_notes,
    score_note,
)


@pytest.mark.parametrize("note", make_known_notes(), ids=lambda note: note.name)
def test_a_note_has_its_pitch_and_its_onset(note):
    start = round(ONSET_SECONDS * ANALYSIS_RATE)
    assert not note.samples[:start].any()
    assert np.abs(note.samples[start : start + 100]).max() > 0.05
    assert np.abs(note.samples).max() == pytest.approx(0.3)
    # the lowest partial, by the phase that it gains between two halves of the note
    hz = 440.0 * 2.0 ** ((note.pitch_midi - 69.0) / 12.0)
    sound = note.samples[start + 2_000 :][:16_384].astype(np.float64)
    wave = np.exp(-2j * np.pi * hz * np.arange(len(sound)) / ANALYSIS_RATE)
    halves = (sound * wave * np.hanning(len(sound))).reshape(2, -1).sum(1)
    off_hz = np.angle(halves[1] / halves[0]) / (2.0 * np.pi * len(sound) / 2 / ANALYSIS_RATE)
    assert abs(1200.0 * np.log2(1.0 + off_hz / hz)) < 5.0


def heard(onset_seconds, pitch, gain_db):
    vector = np.zeros(VECTOR_SIZE, np.float32)
    vector[INDEX["pitch"]] = from_physical(FIELDS[INDEX["pitch"]], pitch)
    return Event(onset_seconds, gain_db, vector)


def test_the_loudest_event_is_judged():
    note = make_known_notes()[0]
    events = [heard(0.1, 40.0, -30.0), heard(ONSET_SECONDS + 0.01, note.pitch_midi - 0.25, -10.0)]
    score = score_note(note, events)
    assert (score.name, score.event_count) == (note.name, 2)
    assert score.pitch_error_cents == pytest.approx(-25.0, abs=0.01)
    assert score.onset_error_seconds == pytest.approx(0.01)
    assert "2 events       -25 cents    +10.0 ms" in format_notes([score])


def test_nothing_heard_has_no_errors():
    note = make_known_notes()[0]
    assert score_note(note, []) == NoteScore(note.name, 0, None, None)
    assert format_notes([score_note(note, [])]).endswith("  0 events")
