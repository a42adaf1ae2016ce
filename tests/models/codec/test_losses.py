"""Losses: what is perfect, what is silent, and slopes where something is to be learned."""

import numpy as np
import pytest
import torch

from struck.codec.hearing.event_network import FRAME_COUNT, FRAME_OFFSETS
from struck.codec.hearing.spectrum import MEL_BANDS
from struck.models.codec.losses import (
    expected_error,
    frame_weights,
    mel_distance_db,
    mel_matrix,
    residual_energy_db,
)


@pytest.fixture
def tone():
    torch.manual_seed(1)
    return torch.rand(3, FRAME_COUNT, 1025) ** 8


WEIGHTS = frame_weights().expand(3, -1)


def test_frame_weights_cover_the_time_once():
    weights = frame_weights()
    assert weights.shape == (FRAME_COUNT,)
    assert torch.all(weights > 0)
    assert weights.sum().item() == pytest.approx(FRAME_OFFSETS[-1] - FRAME_OFFSETS[0] + 8.5)


@pytest.mark.parametrize("n_fft", [1024, 2048])
def test_mel_bands_average(n_fft):
    matrix = mel_matrix(n_fft)
    assert matrix.shape == (n_fft // 2 + 1, MEL_BANDS)
    assert matrix.sum(0).numpy() == pytest.approx(np.ones(MEL_BANDS), abs=1e-5)


def test_a_perfect_event_and_a_silent_one(tone):
    nothing = torch.zeros_like(tone)
    assert residual_energy_db(tone, tone, nothing, WEIGHTS).numpy() == pytest.approx([-30.0] * 3, abs=0.1)
    assert residual_energy_db(tone, nothing, nothing, WEIGHTS).numpy() == pytest.approx([0.0] * 3, abs=0.1)
    matrix = mel_matrix(2048)
    assert mel_distance_db(tone, tone**2, WEIGHTS, matrix).numpy() == pytest.approx([0.0] * 3, abs=1e-4)
    quieter = mel_distance_db(tone, 0.01 * tone**2, WEIGHTS, matrix).numpy()
    assert quieter == pytest.approx([20.0] * 3, abs=0.5)


def test_frames_of_no_weight_do_not_count(tone):
    weights = WEIGHTS * (torch.arange(FRAME_COUNT) < 10)
    other = tone.clone()
    other[:, 10:] = 0.7
    nothing = torch.zeros_like(tone)
    a, b = (residual_energy_db(tone, t, nothing, weights) for t in (tone, other))
    assert torch.equal(a, b)


def test_expected_error_is_a_squared_error_for_one_tone_and_its_mean_for_noise():
    observed, amplitude = torch.tensor([0.3, 0.8]), torch.tensor([0.5, 0.5])
    error = expected_error(observed, amplitude**2, amplitude**4)
    assert error.numpy() == pytest.approx((observed - amplitude).numpy() ** 2, abs=1e-5)
    noise = np.abs(np.random.default_rng(0).standard_normal((200_000, 2)) @ [1, 1j]) * np.sqrt(0.5)
    expected = np.mean((0.8 - noise) ** 2)
    found = expected_error(torch.tensor(0.8), torch.tensor(1.0), torch.tensor(0.0))
    assert found.item() == pytest.approx(expected, abs=0.01)


def test_gradients_are_finite_and_point_home(tone):
    amplitude = (0.5 * tone).requires_grad_()
    noise = torch.full_like(tone, 1e-6).requires_grad_()
    loss = residual_energy_db(tone, amplitude, noise, WEIGHTS).sum()
    loss = loss + mel_distance_db(tone, amplitude**2 + noise, WEIGHTS, mel_matrix(2048)).sum()
    loss.backward()
    assert torch.all(torch.isfinite(amplitude.grad))
    assert torch.all(torch.isfinite(noise.grad))
    loudest = tone > 0.5
    assert torch.all(amplitude.grad[loudest] < 0)
