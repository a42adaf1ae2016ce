"""Phases of the noise loops: what makes the shipped ones."""

import numpy as np
import pytest
import torch

from struck.codec.playing.noise import loop_amplitudes, loop_lengths_samples, make_loop
from struck.models.noise_phases import fluctuation, steady_phases

RATE = 22_050


def test_a_few_steps_make_the_spectra_of_a_loop_steadier():
    band = 6
    amplitudes, length = loop_amplitudes(band), int(loop_lengths_samples(RATE)[band])
    first, later = (
        torch.from_numpy(
            make_loop(amplitudes, steady_phases(amplitudes, length, (1, band), steps), 0, length)
        )
        for steps in (0, 20)
    )
    assert float(fluctuation(first, 2048)) == pytest.approx(2.0 - np.sqrt(np.pi), abs=0.03)
    for window_samples in (512, 1024, 2048):
        assert float(fluctuation(later, window_samples)) < 0.8 * float(fluctuation(first, window_samples))


def test_a_steady_sine_does_not_fluctuate():
    sine = torch.sin(2.0 * torch.pi * 0.125 * torch.arange(8192))
    assert float(fluctuation(sine, 1024)) == pytest.approx(0.0, abs=1e-6)
