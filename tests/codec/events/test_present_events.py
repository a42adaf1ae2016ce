"""Events as they are now, by id, in bounded memory."""

import numpy as np

from struck.codec.events.amendments import Amendment
from struck.codec.events.events import Event
from struck.codec.events.present_events import PresentEvents

ZERO = np.zeros(32, np.float32)


def test_amendments_add_up():
    present = PresentEvents(4)
    present.begin(Event(1.0, -20.0, ZERO, 7))
    present.amend(Amendment(7, 2.0, gain_db=-6.0))
    event = present.amend(Amendment.of_fields(7, 3.0, {"pitch": 60.0}))
    assert event.gain_db == -6.0
    assert event.onset_seconds == 1.0
    assert event.vector[0] != 0.0


def test_what_is_not_known_is_none():
    present = PresentEvents(4)
    present.begin(Event(1.0, -20.0, ZERO))
    assert present.amend(Amendment(0, 2.0, gain_db=-6.0)) is None
    present.begin(Event(1.0, -20.0, ZERO, 0))
    present.clear()
    assert present.amend(Amendment(0, 2.0, gain_db=-6.0)) is None


def test_the_first_to_begin_is_forgotten_first_and_an_id_is_the_last_of_its_events():
    present = PresentEvents(2)
    for id, gain_db in ((1, -10.0), (2, -20.0), (1, -30.0), (3, -40.0)):
        present.begin(Event(0.0, gain_db, ZERO, id))
    change = {id: present.amend(Amendment.of_fields(id, 1.0, {"pitch": 60.0})) for id in (1, 2, 3)}
    assert change[1].gain_db == -30.0
    assert change[2] is None
    assert change[3].gain_db == -40.0
