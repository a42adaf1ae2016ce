"""Lives out of streams: what belongs to an event, how it was and when, how long it sounded."""

import numpy as np
import pytest

from struck.codec.events.amendments import Amendment, End
from struck.codec.events.event_spec import FIELDS, INDEX, VECTOR_SIZE, from_physical
from struck.codec.events.events import Event
from struck.codec.events.lives import collect_lives, sounding_seconds


def make_event(onset_seconds: float = 0.5, id: int | None = 7, **physical: float) -> Event:
    vector = np.zeros(VECTOR_SIZE)
    for name, value in ({"attack": 0.01, "hold": 2.0, "release": 0.1, "decay": 8.0} | physical).items():
        vector[INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)
    return Event(onset_seconds, -20.0, vector, id)


def test_each_event_gets_what_speaks_of_it_in_any_order():
    first, second, nameless = make_event(), make_event(2.0), make_event(1.0, None)
    early, late = Amendment(7, 0.6, -3.0), Amendment(7, 0.8, -6.0)
    again, end, end_again = Amendment(7, 2.5, -9.0), End(7, 1.5), End(7, 3.0)
    strays = [Amendment(7, 0.1, 0.0), Amendment(7, 1.8, 0.0), End(8, 1.0), End(7, 4.0)]
    lives = collect_lives([*strays, end_again, again, late, early, end, nameless, second, first])
    assert [life.items for life in lives] == [
        [first, early, late, end],
        [nameless],
        [second, again, end_again],
    ]
    assert [(at, event.gain_db) for at, event in lives[0].states] == [(0.5, -20.0), (0.6, -3.0), (0.8, -6.0)]


def test_it_sounds_until_its_end_or_until_it_has_faded():
    event = make_event()
    longer = Amendment.of_fields(7, 1.0, {"hold": 4.0})
    too_late = Amendment.of_fields(7, 6.0, {"hold": 6.0})
    faded = 0.5 + 0.01 + 2.0 + 0.1
    for items, end in (
        ([event], faded),
        ([event, End(7, 1.25)], 1.25),
        ([event, longer], faded + 2.0),
        ([event, longer, too_late], faded + 2.0),
        ([event, too_late, End(7, 7.0)], 7.0),
        ([make_event(decay=0.3)], 0.8),
    ):
        assert collect_lives(items)[0].end_seconds == pytest.approx(end, rel=1e-4)
    assert sounding_seconds(event) == pytest.approx(2.11, rel=1e-4)
