"""Until when an event can be amended: as long as a decoder's voice lives, and no longer."""

import numpy as np
import pytest

from struck.codec.events.event_spec import ANALYSIS_RATE, FIELDS, INDEX, VECTOR_SIZE, from_physical
from struck.codec.events.events import Event
from struck.codec.hearing.following.voice_lives import VoiceLives
from struck.codec.playing.decoder import Decoder
from struck.codec.weights.codec_weights import shipped_codec_weights

WEIGHTS = shipped_codec_weights()


def event(gain_db, **values):
    vector = np.zeros(VECTOR_SIZE, np.float32)
    for name, value in values.items():
        vector[INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)
    return Event(0.25, gain_db, vector, 1)


@pytest.mark.parametrize(
    "told",
    [
        event(-20.0, hold=0.04, release=0.1, decay=2.0, noisiness=1e-4),
        event(-60.0, hold=1.0, release=0.5, decay=0.1, noisiness=0.5, noise_decay=0.4),
        event(-30.0, hold=0.02, release=0.3, decay=0.2, noisiness=0.9, noise_decay=0.05),
    ],
)
def test_it_is_given_up_just_before_its_voice_is_over(told):
    decoder = Decoder(WEIGHTS, ANALYSIS_RATE)
    decoder.schedule(told)
    step = 64
    position = 0
    while position <= 0.25 * ANALYSIS_RATE or decoder.active_voice_count:
        decoder.process(step)
        position += step
        assert position < 10 * ANALYSIS_RATE
    over = position / ANALYSIS_RATE
    other = event(-10.0, hold=0.5, decay=1.0)
    until = VoiceLives(WEIGHTS).until_seconds([other, told])
    assert over - 0.04 < until[1] < over
    assert until[0] != until[1]


def test_of_no_events_there_are_no_lives():
    assert VoiceLives(WEIGHTS).until_seconds([]).shape == (0,)
