"""One vector per event: what it did, where that is known, and never anything for what did nothing."""

import numpy as np
import pytest

from struck.codec.events.amendments import Amendment, End
from struck.codec.events.event_spec import FIELDS, INDEX, VECTOR_SIZE, from_physical, read_field
from struck.codec.events.events import Event
from struck.codec.events.settle import settle

from .test_lives import make_event


def test_what_did_nothing_stays_as_it_was():
    events = [make_event(0.1 * i, i) for i in range(5)] + [make_event(1.0, None)]
    assert settle(events) == events


def test_a_note_is_as_long_as_it_sounded():
    event = make_event(hold=5.0)
    (settled,) = settle([event, End(7, 0.8)])
    attack, hold = read_field(settled.vector, "attack"), read_field(settled.vector, "hold")
    assert attack + hold == pytest.approx(0.3, rel=1e-3)
    assert settled.gain_db == event.gain_db
    changed = {FIELDS[i].name for i in np.flatnonzero(settled.vector != event.vector)}
    assert changed == {"hold"}
    # an end after its hold changes nothing; one within its attack leaves as little as there can be
    assert settle([event, End(7, 9.0)]) == [event]
    (short,) = settle([make_event(attack=0.5), End(7, 0.6)])
    assert read_field(short.vector, "attack") == pytest.approx(0.1, rel=1e-3)
    assert read_field(short.vector, "hold") == pytest.approx(0.01, rel=1e-3)


def test_followed_levels_become_a_gain_and_a_decay():
    """Amended every 20 ms so that the level falls from -12 dB by 30 dB a second: a decay of 2 s."""
    event = make_event(hold=3.0, decay=40.0)
    items = [Amendment(7, 0.5 + age, -12.0 - 30.0 * age + 1.5 * age) for age in np.arange(0.0, 2.0, 0.02)]
    (settled,) = settle([event, *items, End(7, 2.5)])
    assert read_field(settled.vector, "decay") == pytest.approx(2.0, rel=0.02)
    assert settled.gain_db == pytest.approx(-12.0, abs=0.4)
    # a level that rises is met by the longest decay
    items = [Amendment(7, 0.5 + age, -40.0 + 10.0 * age) for age in np.arange(0.0, 2.0, 0.02)]
    (settled,) = settle([event, *items, End(7, 2.5)])
    assert read_field(settled.vector, "decay") == pytest.approx(40.0)
    assert -40.0 < settled.gain_db < -20.0


def test_other_fields_are_their_means_over_the_life_by_level():
    pitch = INDEX["pitch"]

    def position(semitone: float) -> float:
        return from_physical(FIELDS[pitch], semitone)

    event = make_event(hold=6.0, decay=40.0, pitch=60.0)
    amendment = Amendment.of_fields(7, 1.5, {"pitch": 62.0})
    (half,) = settle([event, amendment, End(7, 2.5)])
    assert half.vector[pitch] == pytest.approx(position(61.0), abs=0.005)
    silent = Amendment.of_fields(7, 1.5, {"pitch": 62.0}, gain_db=-80.0)
    (first,) = settle([event, silent, End(7, 2.5)])
    assert first.vector[pitch] == pytest.approx(position(60.0), abs=0.001)


def test_any_stream_settles_into_events_within_their_ranges():
    rng = np.random.default_rng(1)
    items = []
    for id in range(50):
        onset = float(rng.uniform(0.0, 10.0))
        items.append(Event(onset, float(rng.uniform(-90.0, 12.0)), rng.uniform(-1, 1, VECTOR_SIZE), id))
        for _ in range(int(rng.integers(0, 20))):
            vector = np.where(rng.random(VECTOR_SIZE) < 0.2, rng.uniform(-1, 1, VECTOR_SIZE), np.nan)
            at_seconds = onset + float(rng.uniform(0.0, 5.0))
            items.append(Amendment(id, at_seconds, float(rng.uniform(-90.0, 12.0)), vector))
        if id % 2:
            items.append(End(id, onset + float(rng.choice([0.01, 3.0]))))
    settled = settle(items)  # an Event refuses what is out of range
    assert [event.id for event in settled] == [
        event.id
        for event in sorted((i for i in items if isinstance(i, Event)), key=lambda e: e.onset_seconds)
    ]


def test_what_was_taken_back_before_it_sounded_is_nothing():
    taken_back, heard = make_event(0.5, 1), make_event(0.5, 2)
    items = [taken_back, heard, End(1, taken_back.onset_seconds), End(2, 0.8)]
    assert [event.id for event in settle(items)] == [2]
