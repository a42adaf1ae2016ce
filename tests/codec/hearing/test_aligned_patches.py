"""Patches: numpy and torch alike, levels relative to the patch, nothing behind the mask."""

import numpy as np
import pytest
import torch

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.hearing.aligned_patches import make_patches, patch_mel_matrix
from struck.codec.hearing.event_network import FEATURES, FRAME_COUNT, FRAME_OFFSETS, RIDGE_COUNT, SCALARS
from struck.codec.hearing.spectrum import hann_lobe

PITCH = np.array([45.0, 69.0, 83.3], np.float32)


def patches(n_fft, magnitudes=None, lookahead=(400, 12, 3), gain=1.0):
    rng = np.random.default_rng(3)
    if magnitudes is None:
        magnitudes = rng.random((3, FRAME_COUNT, n_fft // 2 + 1), dtype=np.float32) ** 4
    mask = (np.array(lookahead)[:, None] >= FRAME_OFFSETS).astype(np.float32)
    noise_like = np.array([0.0, 0.0, 1.0], np.float32)
    return gain * magnitudes, mask, PITCH, noise_like, patch_mel_matrix(n_fft)


@pytest.mark.parametrize("n_fft", [1024, 2048])
def test_numpy_and_torch_agree(n_fft):
    arguments = patches(n_fft)
    law = make_patches(*arguments, np)
    twin = make_patches(*(torch.from_numpy(a) for a in arguments), torch)
    assert law[0].shape == (3, FRAME_COUNT, FEATURES)
    assert law[1].shape == (3, SCALARS)
    for ours, theirs in zip(law, twin, strict=True):
        assert theirs.numpy() == pytest.approx(ours, abs=1e-3)


@pytest.mark.parametrize("n_fft", [1024, 2048])
def test_what_the_mask_hides_has_no_influence(n_fft):
    magnitudes, mask, *rest = patches(n_fft)
    clean = make_patches(magnitudes, mask, *rest, np)
    hidden = np.where(mask[..., None] > 0, magnitudes, 7.0).astype(np.float32)
    for ours, theirs in zip(clean, make_patches(hidden, mask, *rest, np), strict=True):
        assert np.array_equal(ours, theirs)
    assert np.all(clean[0][mask == 0.0] == 0.0)


def test_features_do_not_depend_on_the_level():
    features, _, reference_db = make_patches(*patches(2048), np)
    quiet, _, quiet_db = make_patches(*patches(2048, gain=0.01), np)
    assert quiet == pytest.approx(features, abs=2e-3)
    assert quiet_db == pytest.approx(reference_db - 40.0, abs=0.01)


def test_silence_gives_finite_features():
    silence = np.zeros((3, FRAME_COUNT, 1025), np.float32)
    for values in make_patches(*patches(2048, silence), np):
        assert np.all(np.isfinite(values))


@pytest.mark.parametrize("n_fft", [1024, 2048])
def test_ridges_follow_the_harmonics_and_lean_to_them(n_fft):
    """Partials a little above the proposed pitch: full ridges, each leaning up."""
    pitch = 62.0
    f0_bins = 440.0 * 2.0 ** ((pitch - 69.0) / 12.0) * n_fft / ANALYSIS_RATE
    sharp = 2.0 ** (0.15 / 12.0)
    numbers = np.arange(1, 9)
    spectrum = hann_lobe(np.arange(n_fft // 2 + 1) - f0_bins * sharp * numbers[:, None]).sum(0)
    magnitudes = np.broadcast_to(spectrum.astype(np.float32), (1, FRAME_COUNT, len(spectrum)))
    mask = np.ones((1, FRAME_COUNT), np.float32)
    zero = np.zeros(1, np.float32)
    matrix = patch_mel_matrix(n_fft)
    features, _, _ = make_patches(magnitudes, mask, np.full(1, pitch, np.float32), zero, matrix, np)
    ridges, lean = features[0, 0, :RIDGE_COUNT], features[0, 0, RIDGE_COUNT : 2 * RIDGE_COUNT]
    assert np.all(ridges[:8] > 0.7)
    assert np.all(ridges[9:] < 0.5)
    assert np.all(lean[3:8] > 0.0)
