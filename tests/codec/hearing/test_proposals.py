"""Proposals: the onset of a harmonic tone is found at its frame and pitch; silence proposes nothing."""

import numpy as np
import pytest

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.hearing.proposals import FRAMES_BEFORE, Proposer
from struck.codec.hearing.spectrum import HOP, frames_to_magnitudes


def residual(sound, n_fft):
    padded = np.pad(sound, (n_fft // 2, n_fft))
    return frames_to_magnitudes(np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::HOP])


def note(pitch, onset_frame, frames=60, partials=10):
    time = (np.arange(frames * HOP) - onset_frame * HOP) / ANALYSIS_RATE
    f0 = 440.0 * 2.0 ** ((pitch - 69.0) / 12.0)
    sound = sum(np.sin(2 * np.pi * n * f0 * time) / n for n in range(1, partials + 1) if n * f0 < 11_000)
    return np.where(time >= 0.0, 0.3 * sound * np.exp(-2.0 * np.maximum(time, 0.0)), 0.0)


@pytest.mark.parametrize("n_fft", [1024, 2048])
@pytest.mark.parametrize("pitch", [52.0, 60.3, 69.0, 76.4, 88.0])
def test_an_onset_is_proposed_at_its_frame_and_pitch(n_fft, pitch):
    found = Proposer(n_fft).propose(residual(note(pitch, 24), n_fft), FRAMES_BEFORE, 50, 6)
    assert np.sum(found.noise_like == 0.0) <= 6
    assert found.frame.shape == found.pitch_midi.shape == found.noise_like.shape
    near = (np.abs(found.pitch_midi - pitch) < 0.3) & (found.noise_like == 0.0)
    # Half a window reaches ahead of the onset.
    assert np.any(near & (np.abs(found.frame - 24) <= n_fft // HOP // 2))


def test_the_best_proposal_comes_first():
    sound = note(60.0, 24) + 0.05 * note(78.0, 36)
    found = Proposer(2048).propose(residual(sound, 2048), FRAMES_BEFORE, 50, 12)
    assert found.pitch_midi[0] == pytest.approx(60.0, abs=0.3)


def test_onsets_lie_where_they_are_asked_for():
    frames = residual(note(60.0, 24), 2048)
    for first, last in ((4, 20), (20, 30), (30, 50)):
        found = Proposer(2048).propose(frames, first, last, 24)
        assert np.all((found.frame >= first) & (found.frame < last))
    assert np.sum(Proposer(2048).propose(frames, 20, 30, 3).noise_like == 0.0) <= 3


@pytest.mark.parametrize("n_fft", [1024, 2048])
def test_a_burst_of_noise_is_proposed_as_noise(n_fft):
    sound = 0.001 * np.random.default_rng(1).standard_normal(60 * HOP)
    sound[24 * HOP : 40 * HOP] *= 100.0
    found = Proposer(n_fft).propose(residual(sound, n_fft), FRAMES_BEFORE, 50, 8)
    frames = found.frame[found.noise_like == 1.0]
    assert len(frames) >= 1
    assert np.abs(frames - 24).min() <= n_fft // HOP // 2


@pytest.mark.parametrize("n_fft", [1024, 2048])
def test_silence_proposes_nothing(n_fft):
    found = Proposer(n_fft).propose(np.zeros((60, n_fft // 2 + 1), np.float32), FRAMES_BEFORE, 50, 8)
    assert len(found.frame) == 0
