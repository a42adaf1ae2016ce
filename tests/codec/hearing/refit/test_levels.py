"""Levels of old events follow what is heard; nothing else about them moves."""

import numpy as np
import pytest

from struck.codec.events.event_spec import INDEX, read_field
from struck.codec.hearing.refit.levels import follow_levels, scale_levels
from struck.codec.hearing.refit.refitter import Refitter
from struck.codec.hearing.refit.window_events import WindowEvents

from .window_scenes import WEIGHTS, vector

ROWS, N_FFT = 12, 1024
REFITTER = Refitter(WEIGHTS, N_FFT, 1, stride=1)


def old_events():
    """Two notes and a wash of noise that began seconds ago."""
    vectors = np.stack(
        [
            vector(pitch=57.0, hold=6.0, decay=30.0, noisiness=0.0003, glide=0.0, room_mix=0.0),
            vector(pitch=68.0, hold=6.0, decay=30.0, noisiness=0.0003, glide=0.0, room_mix=0.0),
            vector(
                pitch=40.0, hold=6.0, decay=6.0, noisiness=0.99, noise_decay=15.0, glide=0.0, room_mix=0.0
            ),
        ]
    )
    gains = np.array([-20.0, -26.0, -50.0], np.float32)
    return WindowEvents(gains, vectors, np.array([-200, -90, -60]), np.zeros(3, np.float32))


def test_levels_follow():
    events = old_events()
    now = scale_levels(events, np.array([0.25, 1.0, 1.0]), np.array([1.0, 1.0, 0.5]))
    observed = np.sqrt(REFITTER.sums(now, ROWS)[0])
    silence = np.zeros_like(observed)
    followed = follow_levels(REFITTER, observed, silence, events, updates=30)
    assert followed.gain_db[0] == pytest.approx(now.gain_db[0], abs=1.0)
    assert followed.gain_db[1] == pytest.approx(now.gain_db[1], abs=1.0)
    assert followed.gain_db[2] == pytest.approx(now.gain_db[2], abs=1.5)
    others = [i for i in range(32) if i != INDEX["noisiness"]]
    assert np.array_equal(followed.vectors[:, others], events.vectors[:, others])
    assert np.array_equal(followed.onset_rows, events.onset_rows)


def test_what_others_sound_is_not_followed():
    events = old_events()
    other = WindowEvents(
        np.array([-18.0], np.float32),
        vector(pitch=57.0, hold=6.0, decay=6.0, noisiness=0.0003)[None],
        np.array([-3]),
        np.zeros(1),
    )
    power = REFITTER.sums(other, ROWS)[0]
    observed = np.sqrt(REFITTER.sums(events, ROWS)[0]) + np.sqrt(power)
    followed = follow_levels(REFITTER, observed, power, events)
    untold = follow_levels(REFITTER, observed, np.zeros_like(power), events)
    assert abs(followed.gain_db[0] - events.gain_db[0]) < 1.5
    assert untold.gain_db[0] > events.gain_db[0] + 3.0


def test_a_level_rises_slowly():
    events = old_events()
    observed = 10.0 * np.sqrt(REFITTER.sums(events, ROWS)[0])
    followed = follow_levels(REFITTER, observed, np.zeros_like(observed), events)
    rise_db = 20.0 * np.log10(1.6)
    assert np.all(followed.gain_db <= events.gain_db + rise_db + 0.1)
    assert np.all(followed.gain_db > events.gain_db + 3.0)


def test_silence_leaves_all_as_it_was():
    events = old_events()
    nothing = np.zeros((ROWS, N_FFT // 2 + 1), np.float32)
    assert follow_levels(REFITTER, nothing, nothing, events) is events


def test_scaled_levels_are_in_gain_and_noisiness():
    events = old_events()
    scaled = scale_levels(events, np.full(3, 0.5), np.full(3, 2.0))

    def powers(some):
        power, share = 10.0 ** (some.gain_db / 10.0), read_field(some.vectors, "noisiness")
        return (1.0 - share) * power, share * power

    for (before, after), factor in zip(
        zip(powers(events), powers(scaled), strict=True), (0.25, 4.0), strict=True
    ):
        np.testing.assert_allclose(after / before, factor, rtol=1e-3)


def test_wrong_shapes_are_refused():
    frames = np.zeros((ROWS, N_FFT // 2 + 1), np.float32)
    with pytest.raises(ValueError, match="must be"):
        follow_levels(REFITTER, frames, frames[1:], old_events())
    with pytest.raises(ValueError, match="must be"):
        follow_levels(REFITTER, frames[:, 1:], frames[:, 1:], old_events())
