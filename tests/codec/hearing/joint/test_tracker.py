"""Events that were told are amended where they change, and only there."""

from dataclasses import replace

import numpy as np

from struck.codec.events.amendments import Amendment, End
from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.events.events import Event
from struck.codec.events.quantize import quantize_vectors
from struck.codec.hearing.amending.sounding import Sounding, as_told
from struck.codec.hearing.joint.tracker import Tracker
from struck.codec.hearing.refit.refitter import Refitter
from struck.codec.hearing.refit.window_events import WindowEvents
from struck.codec.hearing.spectrum import HOP

from ..refit.window_scenes import WEIGHTS, vector

N_FFT, ROWS = 1024, 160
EVERY = Refitter(WEIGHTS, N_FFT, 1, 0.06, stride=1)
CHANGE = 80  # row
NOTE = vector(
    pitch=57.0, glide=0.0, noisiness=1e-3, room_mix=0.0, attack=0.005, hold=3.0, release=0.05, decay=10.0
)
TOLD = Event(10 * HOP / ANALYSIS_RATE, -20.0, quantize_vectors(NOTE), 7)


def sound_of(event, rows=ROWS):
    """Magnitudes of one event, with a little of everything else."""
    power, _ = EVERY.sums(as_told([Sounding.of(event)], 0), rows)
    return np.sqrt(power) + np.float32(1e-4 * np.sqrt(power.max()))


def follow(observed, pending=None):
    sounding = Sounding.of(TOLD)
    tracker = Tracker(WEIGHTS, N_FFT, 0.06)
    items = tracker.follow([sounding], pending or WindowEvents.none(), observed, 0, range(0, ROWS - 40), 0.0)
    return items, sounding


def test_what_sounds_as_it_was_told_is_left_alone():
    items, sounding = follow(sound_of(TOLD))
    assert items == []
    assert sounding.told is TOLD


def test_what_gets_louder_is_told_to_when_it_does():
    louder = replace(TOLD, gain_db=-10.0)
    observed = np.concatenate([sound_of(TOLD)[:CHANGE], sound_of(louder)[CHANGE:]])
    items, sounding = follow(observed)
    assert items
    assert all(isinstance(item, Amendment) and item.id == 7 for item in items)
    rows = [item.at_seconds * ANALYSIS_RATE / HOP for item in items]
    assert min(rows) > CHANGE - 24
    assert -16.0 < sounding.told.gain_db < -8.0
    assert not sounding.ended


def test_what_begins_later_is_not_taken_for_a_change():
    """The sound grows by another event, which waits to be told."""
    other = Event(CHANGE * HOP / ANALYSIS_RATE, -10.0, NOTE, 8)
    one = WindowEvents(np.array([-10.0], np.float32), NOTE[None], np.array([CHANGE]), np.zeros(1, np.float32))
    power = sum(EVERY.sums(as_told([Sounding.of(e)], 0), ROWS)[0] for e in (TOLD, other))
    observed = np.sqrt(power) + np.float32(1e-4 * np.sqrt(power.max()))
    with_it, sounding = follow(observed, one)
    without, changed = follow(observed)
    assert changed.told.gain_db > sounding.told.gain_db + 3.0
    assert len(with_it) <= len(without)


def test_in_silence_all_that_sounds_is_ended():
    observed = sound_of(TOLD)
    observed[CHANGE:] = 0.0
    items, sounding = follow(observed)
    assert isinstance(items[-1], End)
    # It looks every six rows: what stops soon after a look may be ended at it.
    assert CHANGE - 6 < items[-1].at_seconds * ANALYSIS_RATE / HOP + 0.5 < CHANGE + 12
    assert sounding.ended
