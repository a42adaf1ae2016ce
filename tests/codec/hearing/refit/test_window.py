"""Events in windows: the sums are those of the encoder's renderer, wherever the window begins."""

import numpy as np
import pytest
from numba import njit

from struck.codec.hearing.event_frames import FRAMES_BEFORE, EventFrames
from struck.codec.hearing.refit.lobes import hann_lobes as hann_lobes_kernel
from struck.codec.hearing.refit.records import make_renderer, make_scratch
from struck.codec.hearing.refit.window import add_events
from struck.codec.hearing.spectrum import hann_lobe

from .window_scenes import WEIGHTS, random_parameters, sums_of, vector

ROWS = 96


@njit
def hann_lobes(parts, count, lobes, slopes):
    """The kernel, which only kernels call."""
    hann_lobes_kernel(parts, count, lobes, slopes)


def error_db(found, true):
    """Energy of the difference of magnitudes under the true one's."""
    difference = np.sqrt(found) - np.sqrt(true)
    return 10.0 * np.log10(np.square(difference, dtype=np.float64).sum() / true.sum(dtype=np.float64))


@pytest.mark.parametrize("n_fft", [512, 1024, 2048])
def test_sums_are_those_of_the_encoders_renderer(n_fft):
    for seed in range(3):
        parameters = random_parameters(np.random.default_rng(seed), 6)
        onset_rows = np.arange(4, 28, 4)
        power, fourth = sums_of(make_renderer(WEIGHTS, n_fft, 1), parameters, onset_rows, ROWS)
        true, true_fourth = np.zeros((2, *power.shape), np.float32)
        rendered = EventFrames(WEIGHTS, n_fft).render(
            parameters[:, 0].copy(), parameters[:, 1:-1].copy(), parameters[:, -1].copy()
        )
        for row, (tone, noise) in zip(onset_rows - FRAMES_BEFORE, rendered, strict=True):
            count = min(len(tone), ROWS - row)
            true[row : row + count] += tone[:count] ** 2 + noise[:count]
            true_fourth[row : row + count] += tone[:count] ** 4
        # The renderer ends an event 60 dB down, and its lobes come from a table.
        assert error_db(power, true) < -45.0
        assert np.abs(fourth - true_fourth).max() < 0.02 * true_fourth.max()


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_a_window_that_begins_late_holds_the_tail(stride):
    rng = np.random.default_rng(5)
    parameters = random_parameters(rng, 5)
    for e, mix in enumerate((0.0, 0.3, 0.7, 1.0, 0.5)):
        parameters[e, 1:-1] = vector(
            pitch=50.0 + 4 * e, glide=0.0, decay=4.0 + e, tilt=-6.0, hold=6.0, room_mix=mix, room=0.7 * e
        )
    renderer = make_renderer(WEIGHTS, 1024, stride)
    onset_rows = np.array([4, 5, 9, 40, 6])
    rows, late = 360, 6 * 40
    whole = sums_of(renderer, parameters, onset_rows, rows)
    tail = sums_of(renderer, parameters, onset_rows - late, rows - late)
    for found, every in zip(tail, whole, strict=True):
        true = every[late // stride :]
        assert true.max() > 1e-7 * every.max()  # something still sounds
        # A room forgets what is 60 dB down.
        assert np.abs(found - true).max() < 3e-3 * true.max()
        assert error_db(found, true) < -45.0


def test_an_event_after_its_end_row_is_silent():
    parameters = random_parameters(np.random.default_rng(2), 1)
    parameters[0, 1:-1] = vector(pitch=60.0, decay=10.0, hold=3.0)
    renderer = make_renderer(WEIGHTS, 1024, 1)
    power, fourth = np.zeros((2, 40, 513), np.float32)
    scratch = make_scratch(renderer, 1, 40)
    add_events(renderer, parameters, np.array([5]), np.array([20]), 40, scratch, power, fourth)
    assert power[19].max() > 0.0
    assert power[20:].max() == 0.0
    assert fourth[20:].max() == 0.0


def test_events_outside_of_the_window_are_silent_there():
    parameters = random_parameters(np.random.default_rng(2), 2)
    parameters[:, 1:-1] = vector(pitch=60.0, decay=0.1, hold=0.1, noisiness=0.5, room_mix=0.0)
    renderer = make_renderer(WEIGHTS, 1024, 3)
    power, fourth = np.zeros((2, 16, 513), np.float32)
    rows, scratch = 3 * len(power), make_scratch(renderer, 2, 3 * len(power))
    for onset_rows in ([-2000, -900], [rows + 40, rows + 900], [-2000, rows + 900]):
        add_events(renderer, parameters, np.array(onset_rows), np.full(2, rows), rows, scratch, power, fourth)
        assert not power.any()
        assert not fourth.any()


def test_lobes_are_the_windows_and_their_slopes_are_slopes():
    parts = np.linspace(0.0, 1.0, 33)
    lobes, slopes = np.empty((2, 4, 33))
    hann_lobes(parts, 33, lobes, slopes)
    for step in range(4):
        np.testing.assert_allclose(lobes[step], hann_lobe(parts + 1 - step), atol=1e-7)
    nearby, ignored = np.empty((2, 4, 33))
    hann_lobes(parts + 1e-6, 33, nearby, ignored)
    np.testing.assert_allclose((nearby - lobes) / 1e-6, slopes, atol=1e-4)
