"""The loss: what is measured, and its gradients over the sums."""

import numpy as np
import pytest
from numba import njit

from struck.codec.hearing.refit.loss import judge as judge_kernel
from struck.codec.hearing.refit.records import make_heard, make_renderer
from struck.codec.hearing.spectrum import mean_magnitude, mel_band_matrix

from .window_scenes import WEIGHTS


@njit(error_model="numpy")
def judge(heard, power, fourth, mels, mel_weight, d_power, d_fourth):
    """The kernel, which only kernels call."""
    bands = np.empty_like(heard.mel_db)
    return judge_kernel(heard, power, fourth, mels, mel_weight, bands, d_power, d_fourth)


N_FFT = 512


def scene():
    rng = np.random.default_rng(4)
    shape = (5, N_FFT // 2 + 1)
    tone = (1e-2 * rng.random(shape) ** 4).astype(np.float32)
    power = tone**2 + (1e-6 * rng.random(shape)).astype(np.float32)
    observed = (1e-2 * rng.random(shape) ** 4).astype(np.float32)
    renderer = make_renderer(WEIGHTS, N_FFT, 1)
    silence = np.zeros_like(observed)
    return renderer, make_heard(renderer, observed, silence, silence), power, tone**4


def test_it_is_the_expected_error_and_the_mel_difference():
    renderer, heard, power, fourth = scene()
    ignored = np.empty((2, *power.shape), np.float32)
    error, difference = judge(heard, power, fourth, renderer.mels, 0.04, *ignored)
    observed = heard.observed
    left = observed**2 - 2.0 * observed * mean_magnitude(power, fourth, np) + power
    assert error == pytest.approx(left.sum() / (observed**2).sum(), rel=1e-4)
    theirs, ours = ((p @ mel_band_matrix(N_FFT)) for p in (observed**2, power))
    floor = theirs.max() * 1e-6
    apart = np.abs(10.0 * np.log10((theirs + floor) / (ours + floor)))
    assert difference == pytest.approx(apart.mean(), rel=1e-3)


def test_floors_are_under_the_loudest_band_told():
    renderer, heard, _, _ = scene()
    silence = np.zeros_like(heard.observed)
    louder = make_heard(renderer, heard.observed, silence, silence, loudest=1.0)
    assert louder.mel_floor[0] == pytest.approx(1e-6, rel=1e-3)
    assert heard.mel_floor[0] < 1e-9


@pytest.mark.parametrize("mel_weight", [0.0, 0.04, 1.0])
def test_gradients_are_slopes(mel_weight):
    renderer, heard, power, fourth = scene()
    d_power, d_fourth = np.empty((2, *power.shape), np.float32)
    judge(heard, power, fourth, renderer.mels, mel_weight, d_power, d_fourth)
    ignored = np.empty((2, *power.shape), np.float32)

    def loss(moved_power, moved_fourth):
        error, difference = judge(heard, moved_power, moved_fourth, renderer.mels, mel_weight, *ignored)
        return error + mel_weight * difference

    rng = np.random.default_rng(9)
    bounds = {"rel": 0.03, "abs": 2e-3 * (1.0 + mel_weight)}
    for _ in range(8):  # along random directions: one bin's slope is below single precision
        way = (power * rng.uniform(-1.0, 1.0, power.shape)).astype(np.float32)
        slope = (loss(power + 2e-3 * way, fourth) - loss(power - 2e-3 * way, fourth)) / 4e-3
        assert slope == pytest.approx(float((d_power * way).sum(dtype=np.float64)), **bounds)
        way = (fourth * rng.uniform(-1.0, 1.0, power.shape)).astype(np.float32)
        slope = (loss(power, fourth + 2e-3 * way) - loss(power, fourth - 2e-3 * way)) / 4e-3
        assert slope == pytest.approx(float((d_fourth * way).sum(dtype=np.float64)), **bounds)


def test_rows_count_by_their_weights():
    rng = np.random.default_rng(3)
    renderer = make_renderer(WEIGHTS, 512, 1)
    observed, tone = (rng.uniform(0.0, 0.1, (4, 257)).astype(np.float32) for _ in range(2))
    silence = np.zeros_like(observed)

    def loss(rows, weights):
        heard = make_heard(renderer, observed[rows], silence[rows], silence[rows], 1.0, weights)
        slopes = np.ones_like(observed[rows]), np.ones_like(observed[rows])
        return judge(heard, tone[rows] ** 2, tone[rows] ** 4, renderer.mels, 0.04, *slopes), slopes

    every = slice(None)
    np.testing.assert_allclose(loss(every, np.full(4, 3.0))[0], loss(every, None)[0], rtol=1e-5)
    late, slopes = loss(every, np.array([0.0, 0.0, 1.0, 1.0]))
    np.testing.assert_allclose(late, loss(slice(2, 4), None)[0], rtol=1e-5)
    assert not slopes[0][:2].any()
    assert slopes[0][2:].all()


@pytest.mark.parametrize("n_fft", [512, 1024, 2048])
def test_mel_bands_average(n_fft):
    matrix = mel_band_matrix(n_fft)
    assert matrix.shape == (n_fft // 2 + 1, 80)
    np.testing.assert_allclose(matrix.sum(0), 1.0, rtol=1e-5)
