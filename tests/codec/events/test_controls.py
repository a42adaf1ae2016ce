"""Controls: power, pitch, band edges, rooms; numpy and torch say the same."""

from dataclasses import fields

import numpy as np
import pytest

from struck.codec.events.controls import (
    TIMBRE_SHAPES,
    compute_controls,
    make_initial_timbre_weights,
    make_tables,
    mel,
    noise_band_centres_hz,
    noise_band_edges_hz,
)
from struck.codec.events.event_spec import BANDWIDTH_HZ, INDEX, NOISE_BAND_COUNT, VECTOR_SIZE

TABLES = make_tables(lambda array: np.asarray(array, dtype=np.float64))
WEIGHTS = {name: array.astype(np.float64) for name, array in make_initial_timbre_weights(2).items()}


def random_controls(count, seed, **fixed):
    rng = np.random.default_rng(seed)
    vectors = rng.uniform(-1, 1, (count, VECTOR_SIZE))
    for name, v in fixed.items():
        vectors[:, INDEX[name]] = v
    gains = rng.uniform(-60, 0, count)
    return compute_controls(WEIGHTS, gains, vectors, TABLES, np), gains, vectors


def test_power_is_the_gain():
    c, gains, _ = random_controls(100, 1, pitch=-0.3)
    power = 0.5 * np.sum(c.mode_gain**2, -1) + np.sum(c.noise_gain**2, -1)
    assert 10 * np.log10(power) == pytest.approx(gains, abs=1e-4)


def test_pitch_is_the_lowest_mode():
    c, _, vectors = random_controls(100, 2)
    notes = 72.0 + 60.0 * vectors[:, INDEX["pitch"]]
    assert c.frequency_hz[:, 0] == pytest.approx(440.0 * 2 ** ((notes - 69.0) / 12.0), rel=1e-6)


def test_nothing_sounds_above_the_bandwidth():
    c, _, _ = random_controls(100, 3)
    assert np.max(c.mode_gain[c.frequency_hz >= BANDWIDTH_HZ], initial=0.0) <= 1e-9


def test_rooms_share_the_wet_part():
    c, _, _ = random_controls(100, 4)
    assert c.dry + c.room_weight.sum(-1) == pytest.approx(np.ones(100))
    assert np.all(np.sum(c.room_weight > 0, -1) <= 2)


def test_extreme_vectors_give_finite_controls():
    rng = np.random.default_rng(5)
    vectors = rng.choice([-1.0, 0.0, 1.0], (300, VECTOR_SIZE))
    c = compute_controls(WEIGHTS, np.full(300, 12.0), vectors, TABLES, np)
    assert all(np.all(np.isfinite(getattr(c, field.name))) for field in fields(c))


def test_noise_bands_are_equally_wide_in_mel():
    edges = noise_band_edges_hz()
    assert len(edges) == NOISE_BAND_COUNT + 1
    assert edges[0] == pytest.approx(0.0)
    assert edges[-1] == pytest.approx(BANDWIDTH_HZ)
    assert np.ptp(np.diff(mel(edges))) < 1e-9
    assert np.all((noise_band_centres_hz() > edges[:-1]) & (noise_band_centres_hz() < edges[1:]))


def test_initial_weights_have_their_shapes():
    weights = make_initial_timbre_weights(1)
    assert {name: array.shape for name, array in weights.items()} == TIMBRE_SHAPES
    assert all(array.dtype == np.float32 for array in weights.values())


def test_torch_says_the_same():
    torch = pytest.importorskip("torch")
    c, gains, vectors = random_controls(50, 6)
    tables = make_tables(lambda array: torch.from_numpy(array).double())
    weights = {name: torch.from_numpy(array) for name, array in WEIGHTS.items()}
    twin = compute_controls(weights, torch.from_numpy(gains), torch.from_numpy(vectors), tables, torch)
    for field in fields(c):
        assert np.allclose(getattr(twin, field.name).numpy(), getattr(c, field.name), rtol=1e-10, atol=1e-14)
