"""Events that were told: what stops is ended there, the others go on, and what has faded is forgotten."""

import numpy as np
import pytest

from struck.codec.events.event_spec import FIELDS, INDEX, from_physical
from struck.codec.hearing.joint.canvas import Canvas, Window
from struck.codec.hearing.joint.ends import cut_at, find_ends
from struck.codec.hearing.refit.refitter import Refitter
from struck.codec.hearing.refit.window_events import WindowEvents

from ..refit.window_scenes import WEIGHTS

N_FFT, ROWS, FIRST = 1024, 120, 20
REFITTER = Refitter(WEIGHTS, N_FFT, 1, 0.04, stride=2)
EVERY = Refitter(WEIGHTS, N_FFT, 1, 0.04, stride=1)


def told_events(*holds, pitches=(50.0, 74.0), onset_row=10):
    """Dry events that begin together and are held for ``holds`` seconds."""
    vectors = np.zeros((len(holds), len(FIELDS)), np.float32)
    for vector, hold, pitch in zip(vectors, holds, pitches, strict=False):
        values = {"pitch": pitch, "glide": 0.0, "noisiness": 1e-3, "room_mix": 0.0}
        values |= {"attack": 0.005, "hold": hold, "release": 0.02, "decay": 20.0, "decay_tilt": 0.0}
        for name, value in values.items():
            vector[INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)
    count = len(holds)
    gains = np.full(count, -20.0, np.float32)
    return WindowEvents(gains, vectors, np.full(count, onset_row), np.zeros(count, np.float32))


def canvas_of(told, heard):
    """What is heard are the events ``heard``; what was told is ``told``."""
    sums = EVERY.sums(told, ROWS)
    power = EVERY.sums(heard, ROWS)[0]
    observed = np.sqrt(power) + np.float32(1e-4 * np.sqrt(power.max()))
    return Canvas(REFITTER, Window(observed, *sums, 0.0, 0.0))


def test_what_stops_is_ended_where_it_stops():
    told = told_events(3.0, 3.0)
    stopped = WindowEvents(
        told.gain_db,
        told.vectors,
        told.onset_rows,
        told.shift_seconds,
        np.array([60, ROWS]),
    )
    canvas = canvas_of(told, stopped)
    still, ends = find_ends(canvas, told, FIRST)
    assert list(still) == [0, 1]
    assert ends[0] == pytest.approx(60, abs=2)
    assert ends[1] == -1
    # It is left out of the canvas too: nothing is won by ending it again.
    cut = cut_at(told.one(0), int(ends[0]))
    assert canvas.row_worths(cut)[FIRST:].sum() > 0.0


def test_what_is_heard_as_told_goes_on():
    told = told_events(3.0, 3.0)
    still, ends = find_ends(canvas_of(told, told), told, FIRST)
    assert list(still) == [0, 1]
    assert list(ends) == [-1, -1]


def test_what_has_faded_is_forgotten():
    told = told_events(3.0, 0.02)
    still, ends = find_ends(canvas_of(told, told), told, 60)
    assert list(still) == [0]
    assert list(ends) == [-1]


def test_rows_make_up_an_events_worth():
    told = told_events(3.0)
    canvas = canvas_of(told, told)
    one = told.one(0)
    assert canvas.row_worths(one).shape == (ROWS,)
    assert canvas.row_worths(one).sum() == pytest.approx(canvas.worth(one))
