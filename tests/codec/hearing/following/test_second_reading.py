"""Reading events again: a wrong guess is put right, a right one stays."""

import numpy as np
import pytest

from struck.codec.events.event_spec import ANALYSIS_RATE, FIELDS, INDEX, from_physical, read_field
from struck.codec.events.events import Event
from struck.codec.hearing.amending.sounding import Sounding
from struck.codec.hearing.event_reader import EventReader
from struck.codec.hearing.following.memory import Memory
from struck.codec.hearing.following.second_reading import SecondReader
from struck.codec.hearing.proposals import Proposals
from struck.codec.hearing.refit.profile_refiner import MEL_WEIGHT
from struck.codec.hearing.refit.refitter import Refitter
from struck.codec.weights.codec_weights import shipped_codec_weights

from ..encoder_sounds import add_note, silence

WEIGHTS = shipped_codec_weights()
N_FFT = 2048
AGE = 14
ONSET_SECONDS = 0.3
PITCH = 57.0


@pytest.fixture(scope="module")
def memory():
    """Of a plucked note, 0.35 s on."""
    sound = add_note(silence(0.65), ONSET_SECONDS, PITCH, decay_rate=2.0)
    memory = Memory(N_FFT, 47)
    memory.hear(sound)
    return memory


@pytest.fixture
def reader(memory):
    every_frame, every_second = (Refitter(WEIGHTS.decoder, N_FFT, 1, MEL_WEIGHT, n) for n in (1, 2))
    return SecondReader(WEIGHTS, N_FFT, every_frame, every_second, {}, memory, AGE)


@pytest.fixture(scope="module")
def note(memory):
    """The note as the network reads it at its own pitch."""
    event = Event(ONSET_SECONDS, 0.0, np.zeros(32, np.float32))
    row = event.onset_frame(ANALYSIS_RATE, 256) - memory.first_frame
    one = np.ones(1, np.float32)
    found = Proposals(np.array([row]), PITCH * one, 0 * one, one)
    gain_db, vectors, _ = EventReader(WEIGHTS, N_FFT).read(memory.observed, found)
    return Event(ONSET_SECONDS, float(gain_db[0]), vectors[0], 1)


def changed(event, gain_db=0.0, **values):
    vector = event.vector.copy()
    for name, value in values.items():
        vector[INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)
    return Event(event.onset_seconds, event.gain_db + gain_db, vector, event.id)


def read_again(reader, told):
    sounding = Sounding.of(told)
    assert reader.is_due(sounding)
    reader.read(sounding, [], 0.0)
    assert sounding.readings == 1
    return sounding


@pytest.mark.parametrize(
    "wrong",
    [
        {"pitch": PITCH + 4.3},
        {"pitch": PITCH - 12.0},
        {"noisiness": 0.999},
        {"gain_db": -24.0},
    ],
)
def test_a_wrong_guess_is_put_right(reader, note, wrong):
    known = read_again(reader, changed(note, **wrong))
    assert float(read_field(known.vector, "pitch")) == pytest.approx(PITCH, abs=0.3)
    assert float(read_field(known.vector, "noisiness")) < 0.7
    assert known.gain_db == pytest.approx(note.gain_db, abs=4.0)


def test_what_is_known_well_stays(reader, note):
    known = read_again(reader, note)
    best = read_again(reader, Event(note.onset_seconds, known.gain_db, known.vector, 1))
    assert best.gain_db == known.gain_db
    np.testing.assert_array_equal(best.vector, known.vector)


def test_it_is_read_once_enough_was_heard(reader, memory, note):
    sounding = Sounding.of(note)
    sounding.onset_frame = memory.end_frame - AGE + 1
    assert not reader.is_due(sounding)
    sounding.onset_frame -= 1
    assert reader.is_due(sounding)
