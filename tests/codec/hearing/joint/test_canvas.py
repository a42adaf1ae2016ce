"""The canvas: what an event is worth is what the loss says with it and without it."""

from dataclasses import replace

import numpy as np
import pytest

from struck.codec.hearing.joint.canvas import Canvas, Window
from struck.codec.hearing.refit.refitter import Refitter
from struck.codec.hearing.refit.window_events import WindowEvents

from ..refit.window_scenes import WEIGHTS, random_parameters

N_FFT, ROWS, MEL_WEIGHT = 1024, 60, 0.04


def scene(seed=0, count=4):
    """A refitter, a window, and events in it that sound much like what is heard."""
    rng = np.random.default_rng(seed)
    refitter = Refitter(WEIGHTS, N_FFT, 1, MEL_WEIGHT, stride=2)
    parameters = random_parameters(rng, count)
    rows = rng.integers(4, 30, count)
    events = WindowEvents(parameters[:, 0], parameters[:, 1:-1], rows, parameters[:, -1])
    every = Refitter(WEIGHTS, N_FFT, 1, MEL_WEIGHT, stride=1)
    power, fourth = every.sums(events, ROWS)
    noise = 1e-3 * np.sqrt(power.max()) * np.abs(rng.standard_normal(power.shape))
    observed = (np.sqrt(power) + noise).astype(np.float32)
    observed += np.float32(0.05 * np.sqrt(power.sum(1).max() / power.shape[1]))  # no row is silent
    told = 0.01 * power, 1e-4 * fourth
    return refitter, Window(observed, *told, 0.0, 0.0), events


def loss(refitter, window, events):
    error, mel_db = refitter.loss(window.observed, window.power, window.fourth, events)
    return error + MEL_WEIGHT * mel_db


def without(events, i):
    return events.take(np.arange(len(events)) != i)


def test_worth_is_what_the_loss_rises_by():
    refitter, window, events = scene()
    canvas = Canvas(refitter, window)
    canvas.paint(events)
    for i in range(len(events)):
        rise = loss(refitter, window, without(events, i)) - loss(refitter, window, events)
        assert canvas.worth(events.one(i)) == pytest.approx(rise, rel=0.02, abs=2e-4)


def test_an_event_is_worth_the_same_before_it_is_added():
    refitter, window, events = scene(1)
    canvas = Canvas(refitter, window)
    canvas.paint(without(events, 0))
    new = events.one(0)
    worth, db = canvas.try_levels(new)
    assert worth >= canvas.try_levels(new)[0] - 1e-9
    assert -5.0 <= db <= 1.0
    before = canvas.worth_more(new)
    canvas.add(new)
    assert canvas.worth(new) == pytest.approx(before, rel=0.02, abs=2e-4)
    canvas.remove(new)
    assert canvas.worth_more(new) == pytest.approx(before, rel=0.02, abs=2e-4)


def test_two_halves_are_merged_and_two_notes_are_not():
    refitter, window, events = scene(2, count=1)
    half = WindowEvents(
        np.repeat(events.gain_db - 3.0103, 2).astype(np.float32),
        np.repeat(events.vectors, 2, axis=0),
        np.repeat(events.onset_rows, 2),
        np.repeat(events.shift_seconds, 2),
    )
    canvas = Canvas(refitter, window)
    canvas.paint(half)
    merged = canvas.merge(half.one(0), half.one(1), 1e-2)
    assert merged is not None
    assert merged.gain_db[0] == pytest.approx(events.gain_db[0], abs=0.01)

    refitter, window, events = scene(3, count=2)
    canvas.__init__(refitter, window)
    canvas.paint(events)
    worths = [canvas.worth(events.one(i)) for i in (0, 1)]
    assert canvas.merge(events.one(0), events.one(1), 1e-4) is None
    assert [canvas.worth(events.one(i)) for i in (0, 1)] == pytest.approx(worths, rel=0.05, abs=1e-3)


def test_quiet_windows_count_as_shares_of_what_was_loud():
    _, window, events = scene(4)
    energy = float(np.square(window.observed, dtype=np.float64).sum())
    loud = Window(window.observed, window.power, window.fourth, 0.0, 100.0 * energy)
    no_mel = Refitter(WEIGHTS, N_FFT, 1, 0.0, stride=2)
    alone, beside = Canvas(no_mel, window), Canvas(no_mel, loud)
    for canvas in (alone, beside):
        canvas.paint(without(events, 0))
    ratio = alone.worth_more(events.one(0)) / beside.worth_more(events.one(0))
    assert ratio == pytest.approx(100.0, rel=0.1)  # every second row holds about half of the energy


@pytest.mark.parametrize("noise_like", [False, True])
def test_a_rise_is_heard_where_an_event_begins_and_none_where_it_goes_on(noise_like):
    refitter, _, events = scene(5, count=1)
    event = replace(events, onset_rows=np.array([24]))
    power, fourth = Refitter(WEIGHTS, N_FFT, 1, MEL_WEIGHT, stride=1).sums(event, ROWS)
    floor = np.float32(1e-3 * np.sqrt(power.max()))
    begins = Window(np.sqrt(power) + floor, 0.0 * power, 0.0 * fourth, 0.0, 0.0)
    assert Canvas(refitter, begins).rise_db(event, noise_like) > 10.0
    steady = np.repeat(np.sqrt(power[28:29]) + floor, ROWS, axis=0)
    goes_on = Window(steady, 0.0 * power, 0.0 * fourth, 0.0, 0.0)
    assert Canvas(refitter, goes_on).rise_db(event, noise_like) == pytest.approx(0.0, abs=0.1)
