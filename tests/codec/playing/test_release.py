"""What a player does to a sounding voice: let it go, silence all."""

import numpy as np
import pytest

from struck.codec.events.event_spec import FIELDS, INDEX, VECTOR_SIZE, from_physical
from struck.codec.events.events import Event
from struck.codec.playing.arrivals import drop_voices, end_voice, insert_event
from struck.codec.playing.block import process_block
from struck.codec.playing.decoder import Decoder

from .decoder_events import RANDOM_WEIGHTS

RATE = 48_000


def tone(pitch=69.0, hold=6.0, release=0.1, glide=0.0, noisiness=0.0):
    """A long steady note with few partials, dry."""
    vector = np.zeros(VECTOR_SIZE, np.float32)
    wanted = {
        "pitch": pitch, "glide": glide, "glide_time": 0.5, "attack": 0.005, "hold": hold, "release": release,
        "decay": 40.0, "decay_tilt": 0.0, "tilt": -30.0, "room_mix": 0.0, "noisiness": noisiness,
    }  # fmt: skip
    for name, value in wanted.items():
        vector[INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)
    return Event(0.0, -12.0, vector)


def insert(decoder, event, onset, event_id):
    assert insert_event(decoder.state, decoder.make_records([event])[0], onset, event_id)


def level_db(samples):
    return 20.0 * np.log10(np.sqrt(np.mean(np.square(samples, dtype=np.float64))) + 1e-12)


def test_a_released_voice_fades_in_its_release_time_and_others_sound_on():
    decoder = Decoder(RANDOM_WEIGHTS, RATE)
    insert(decoder, tone(69.0), 0, event_id=1)
    steady = decoder.process(RATE // 2)
    assert end_voice(decoder.state, 1, decoder.position_samples)
    decoder.process(128)  # up to two chunks are rendered ahead
    tail = decoder.process(RATE // 2)
    assert level_db(tail[: RATE // 100]) == pytest.approx(level_db(steady[-RATE // 10 :]), abs=6.0)
    # 60 dB in 0.1 s: 30 dB in 0.05 s
    early, late = level_db(tail[:480]), level_db(tail[2400:2880])
    assert early - late == pytest.approx(30.0, abs=3.0)

    insert(decoder, tone(60.0), decoder.position_samples, event_id=2)
    end_voice(decoder.state, 1, decoder.position_samples)
    decoder.process(RATE // 4)
    assert level_db(decoder.process(RATE // 10)) > -40.0


def test_a_release_in_the_attack_goes_on_from_where_it_is_without_a_jump():
    event = tone()
    vector = event.vector.copy()
    vector[INDEX["attack"]] = from_physical(FIELDS[INDEX["attack"]], 1.0)
    decoder = Decoder(RANDOM_WEIGHTS, RATE)
    insert(decoder, Event(0.0, -12.0, vector), 0, event_id=1)
    rising = decoder.process(RATE // 5)
    assert end_voice(decoder.state, 1, decoder.position_samples)
    falling = decoder.process(RATE // 5)
    assert np.max(np.abs(falling)) < 1.1 * np.max(np.abs(rising[-2400:]))
    assert level_db(falling[-2400:]) < level_db(falling[:480]) - 40.0


def test_dropped_voices_leave_silence_and_all_places_free():
    decoder = Decoder(RANDOM_WEIGHTS, RATE, voice_count=8, pending_count=16)
    event = tone(noisiness=0.5)
    vector = event.vector.copy()
    vector[INDEX["room_mix"]] = 0.9
    wet = Event(0.0, -12.0, vector)
    for _ in range(3):
        for i in range(12):
            insert(decoder, wet, decoder.position_samples + 100 * (i % 8 if i < 8 else 10_000), event_id=i)
            decoder.process(10)
        decoder.process(3000)
        drop_voices(decoder.state)
        assert decoder.active_voice_count == 0
        assert not decoder.process(5000).any()
    assert sorted(decoder.state.free) == list(range(24))
    insert(decoder, wet, decoder.position_samples, event_id=0)
    assert decoder.process(5000).any()


def test_releasing_nobody_changes_no_sample():
    sounds = []
    for disturb in (False, True):
        decoder = Decoder(RANDOM_WEIGHTS, RATE)
        insert(decoder, tone(), 0, event_id=3)
        out = np.zeros(4800, np.float32)
        process_block(decoder.state, out)
        if disturb:
            assert not end_voice(decoder.state, 4, decoder.position_samples)
        sounds.append(np.concatenate([out, decoder.process(4800)]))
    assert sounds[0].tobytes() == sounds[1].tobytes()
