"""What events must be worth: a new sound little, what mends another more, a part of a stronger one most."""

import numpy as np
import pytest

from struck.codec.events.event_spec import FIELDS, INDEX, from_physical
from struck.codec.hearing.joint.canvas import Canvas, Window
from struck.codec.hearing.joint.prices import Prices
from struck.codec.hearing.refit.refitter import Refitter
from struck.codec.hearing.refit.window_events import WindowEvents
from struck.codec.hearing.shadows import PriceList

from ..refit.window_scenes import WEIGHTS

PRICES = PriceList(event=0.00035, detail=0.0015, part=0.005)
PRICE = PRICES.event
N_FFT, ROWS, LATE = 1024, 100, 50
REFITTER = Refitter(WEIGHTS, N_FFT, 1, 0.04, stride=2)
EVERY = Refitter(WEIGHTS, N_FFT, 1, 0.04, stride=1)


def note(pitch, row, gain_db):
    """A dry note that is held to the window's end."""
    vector = np.zeros((1, len(FIELDS)), np.float32)
    values = {"pitch": pitch, "glide": 0.0, "noisiness": 1e-3, "room_mix": 0.0}
    values |= {"attack": 0.005, "hold": 3.0, "release": 0.02, "decay": 20.0, "decay_tilt": 0.0}
    for name, value in values.items():
        vector[0, INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)
    return WindowEvents(np.array([gain_db], np.float32), vector, np.array([row]), np.zeros(1, np.float32))


LONG = note(50.0, 10, -10.0)


def needed(heard, event, pitch):
    """What ``event``, worth little, must be worth where ``heard`` is heard and only ``LONG`` is modelled."""
    power = EVERY.sums(heard, ROWS)[0]
    observed = np.sqrt(power) + np.float32(1e-4 * np.sqrt(power.max()))
    canvas = Canvas(REFITTER, Window(observed, 0.0 * power, 0.0 * power, 0.0, 0.0))
    canvas.paint(LONG)
    return Prices(canvas, LONG, PRICES).needed(event, 2.0 * PRICE, pitch, noise_like=False)


def test_a_new_sound_costs_the_price():
    new = note(75.3, LATE, -14.0)
    assert needed(LONG.join(new), new, 75.3) == pytest.approx(PRICE)


def test_what_does_not_rise_costs_more():
    mended = note(75.3, LATE, -14.0)
    assert needed(LONG.join(note(75.3, 10, -14.0)), mended, 75.3) > 1.5 * PRICE


def test_a_part_of_what_sounds_costs_most():
    octave = note(62.0, LATE, -14.0)
    steady, risen = needed(LONG, octave, 62.0), needed(LONG.join(octave), octave, 62.0)
    assert steady > 10.0 * risen
    assert risen == pytest.approx(PRICE)


def test_what_is_hardly_worth_anything_is_not_looked_at():
    canvas = Canvas(REFITTER, Window(*np.ones((3, ROWS, N_FFT // 2 + 1), np.float32), 0.0, 0.0))
    assert Prices(canvas, LONG, PRICES).needed(note(62.0, LATE, -60.0), 0.1 * PRICE, 62.0, False) == PRICE
