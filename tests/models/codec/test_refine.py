"""Refining: a perturbed event comes nearer to what is heard."""

import numpy as np
import pytest
import torch

from struck.codec.events.event_spec import FIELDS, INDEX, VECTOR_SIZE, from_physical
from struck.codec.hearing.event_frames import EventFrames
from struck.codec.weights.codec_weights import default_codec_weights_path, load_codec_weights
from struck.models.codec.losses import expected_error
from struck.models.codec.refine import Refiner

WEIGHTS = load_codec_weights(default_codec_weights_path()).decoder
FRAMES, START = 96, 12


def vector(**values):
    out = np.zeros((1, VECTOR_SIZE), np.float32)
    for name, value in values.items():
        out[0, INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)
    return out


def sums(gain_db, vectors, shift, n_fft):
    """Power and fourth powers ``[FRAMES, F]`` of one event; and how many frames it needs."""
    ((tone, noise),) = EventFrames(WEIGHTS, n_fft).render(gain_db, vectors, shift)
    power = np.zeros((FRAMES, n_fft // 2 + 1), np.float32)
    fourth = power.copy()
    count = min(len(tone), FRAMES - START)
    power[START : START + count] = tone[:count] ** 2 + noise[:count]
    fourth[START : START + count] = tone[:count] ** 4
    return power, fourth, len(tone)


@pytest.mark.parametrize("n_fft", [1024, 2048])
def test_a_perturbed_event_comes_nearer(n_fft):
    gain, shift = np.array([-20.0], np.float32), np.zeros(1, np.float32)
    true = vector(pitch=60.0, glide=0.0, hold=2.0, decay=1.0, tilt=-9.0, noisiness=0.01, room_mix=0.0)
    power, _, _ = sums(gain, true, shift, n_fft)
    observed = np.sqrt(power)
    off = true.copy()
    off[0, INDEX["tilt"]] += 0.25
    off[0, INDEX["decay"]] -= 0.15
    off_gain = gain + 4.0

    def error(gain_db, vectors, shift_seconds):
        found = (torch.from_numpy(a) for a in sums(gain_db, vectors, shift_seconds, n_fft)[:2])
        return expected_error(torch.from_numpy(observed), *found).sum().item() / np.sum(observed**2)

    silence = np.zeros_like(observed)
    length = sums(off_gain, off, shift, n_fft)[2]
    better = Refiner(WEIGHTS, 25)(
        observed, silence, silence, np.array([START]), np.array([length]), off_gain, off, shift
    )
    assert [a.shape for a in better] == [(1,), (1, VECTOR_SIZE), (1,)]
    assert np.all(np.abs(better[1]) <= 1.0)
    assert error(*better) < 0.5 * error(off_gain, off, shift)
    assert abs(better[0][0] - gain[0]) < 2.5


@pytest.mark.parametrize("steps", [0, -3])
def test_no_steps_are_refused(steps):
    with pytest.raises(ValueError, match="at least 1"):
        Refiner(WEIGHTS, steps)
