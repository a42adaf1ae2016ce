"""The gradient by hand: against torch's, and against finite differences in double precision."""

import numpy as np
import pytest
import torch
from numba import njit

from struck.codec.hearing.event_frames import FRAMES_BEFORE
from struck.codec.hearing.refit.records import make_heard, make_renderer, make_scratch
from struck.codec.hearing.refit.window import add_events, add_events_back, compute_loss, judge_window
from struck.codec.playing.kernel_options import VECTORISED
from struck.models.codec.event_spectrum import EventSpectrum
from struck.models.codec.losses import expected_error

from .window_scenes import NAMES, WEIGHTS, make_scene, random_parameters, vector

ROWS = 40
TORCH_WEIGHTS = {name: torch.from_numpy(value) for name, value in WEIGHTS.items()}


def torch_loss(renderer, parameters, onset_rows, heard, mel_weight, n_fft):
    """The same loss by torch; ``parameters`` a tensor."""
    power, fourth = torch.from_numpy(heard.power), torch.from_numpy(heard.fourth)
    for e, row in enumerate(onset_rows):
        spectrum = EventSpectrum(np.arange(max(0, row - FRAMES_BEFORE), ROWS) - row, n_fft)
        part = parameters[e : e + 1]
        tone, noise = spectrum(TORCH_WEIGHTS, part[:, 0], part[:, 1:-1], part[:, -1])
        square = torch.nn.functional.pad(tone[0] ** 2, (0, 0, ROWS - tone.shape[1], 0))
        power = power + square + torch.nn.functional.pad(noise[0], (0, 0, ROWS - tone.shape[1], 0))
        fourth = fourth + square**2
    observed = torch.from_numpy(heard.observed)
    loss = expected_error(observed, power, fourth).sum() * float(heard.scale[0])
    bands = power @ torch.from_numpy(renderer.mels.values.T.copy())
    difference = (
        10.0 * torch.log10(bands + float(heard.mel_floor[0])) - torch.from_numpy(heard.mel_db)
    ).abs()
    return loss + mel_weight * difference.mean()


@pytest.mark.parametrize("mel_weight", [0.0, 0.04])
@pytest.mark.parametrize("n_fft", [512, 1024, 2048])
def test_it_is_torchs(n_fft, mel_weight):
    errors = []
    for seed in range(4):
        renderer, parameters, onset_rows, heard = make_scene(seed, n_fft, ROWS, 4)
        gradient = np.empty_like(parameters)
        scratch = make_scratch(renderer, 4, ROWS)
        ends = np.full(4, ROWS)
        error, difference = compute_loss(
            renderer, heard, parameters, onset_rows, ends, ROWS, mel_weight, scratch, gradient
        )
        moved = torch.tensor(parameters, requires_grad=True)
        loss = torch_loss(renderer, moved, onset_rows, heard, mel_weight, n_fft)
        loss.backward()
        assert error + mel_weight * difference == pytest.approx(loss.item(), rel=1e-4)
        true = moved.grad.numpy()
        errors += list(np.linalg.norm(gradient - true, axis=1) / np.linalg.norm(true, axis=1))
    # Where large pulls cancel, or a partial lies on the edge of a bin, single precision tells two digits.
    assert np.median(errors) < 1e-3
    assert max(errors) < 0.1


def test_it_is_the_slope_in_double_precision():
    """All kernels once in double: the outer ones, compiled anew, take the inner ones along."""
    options = VECTORISED | {"cache": False}
    add, judge, add_back = (
        njit(kernel.py_func, **options) for kernel in (add_events, judge_window, add_events_back)
    )
    renderer = make_renderer(WEIGHTS, 512, 2, np.float64)
    rng = np.random.default_rng(0)
    count, rows, mel_weight = 3, 24, 0.04
    parameters = random_parameters(rng, count, np.float64)
    parameters[0, 1:-1] = vector(
        pitch=64.0, glide=1.0, glide_time=0.2, decay=0.4, attack=0.02, hold=0.1, release=0.3, room_mix=0.5,
        room=1.6, noisiness=0.1, bar_membrane=0.3, plate_bell=-0.2, stiffness=1e-3, tilt=-9.0,
    )  # fmt: skip
    onset_rows, ends = np.array([3, 6, -31]), np.array([rows, 20, rows])
    observed = 1e-2 * rng.random((rows, 257))
    zeros = np.zeros_like(observed)
    heard = make_heard(renderer, observed, zeros, zeros)
    scratch = make_scratch(renderer, count, rows)

    def loss(at, gradient=None):
        power, fourth = heard.power.copy(), heard.fourth.copy()
        d_power, d_fourth = np.empty_like(power), np.empty_like(power)
        add(renderer, at, onset_rows, ends, rows, scratch, power, fourth)
        error, difference = judge(
            renderer, heard, mel_weight, power, fourth, scratch.mel_rows, d_power, d_fourth
        )
        if gradient is not None:
            add_back(renderer, at, onset_rows, scratch, d_power, d_fourth, gradient)
        return error + mel_weight * difference

    gradient = np.empty_like(parameters)
    loss(parameters, gradient)
    step = 1e-6
    for e in range(count):
        for p, name in enumerate(NAMES):
            there, back = parameters.copy(), parameters.copy()
            there[e, p] += step
            back[e, p] -= step
            slope = (loss(there) - loss(back)) / (2.0 * step)
            assert gradient[e, p] == pytest.approx(slope, rel=2e-4, abs=2e-7), (e, name)
