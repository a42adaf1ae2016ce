"""Kernels of the encoder's inner loop: compiled, as plain Python, and in obvious numpy."""

import numpy as np
import pytest

from struck.codec.hearing.lobes import correlate, make_lobe_table, place_lobes, removed_energy, sum_harmonics
from struck.codec.hearing.spectrum import hann_lobe, mean_magnitude

RNG = np.random.default_rng(2)


def plain(kernel):
    """The kernel as Python; under NUMBA_DISABLE_JIT it is that already."""
    return getattr(kernel, "py_func", kernel)


def array(*shape):
    return RNG.random(shape, dtype=np.float32)


@pytest.mark.parametrize("run", [place_lobes, plain(place_lobes)], ids=["compiled", "plain"])
def test_place_lobes(run):
    modes, frames, bins = 5, 3, 65
    amplitude, table = array(modes, frames), make_lobe_table()
    frequency = (100.0 + 5000.0 * array(modes, frames)).astype(np.float32)
    out = np.zeros((frames, bins), np.float32)
    run(out, amplitude, frequency, np.float32(1 / 90.0), table)
    distance = np.arange(bins) - frequency[..., None] / 90.0
    expected = (amplitude[..., None] * hann_lobe(distance)).sum(0)
    assert np.max(np.abs(out - expected)) < 4e-3  # the table has 256 steps a bin


@pytest.mark.parametrize("run", [place_lobes, plain(place_lobes)], ids=["compiled", "plain"])
@pytest.mark.parametrize("frequency_bins", [0.0, 0.99, 62.0, 63.9, 64.0, 1e6])
def test_lobes_stay_inside_the_frame(run, frequency_bins):
    """A partial whose lobe would touch the edge is left out; memory beyond is not written."""
    padded = np.zeros((3, 65), np.float32)
    place = np.full((1, 1), frequency_bins, np.float32)
    run(padded[1:2], np.ones((1, 1), np.float32), place, np.float32(1.0), make_lobe_table())
    assert np.all(padded[[0, 2]] == 0.0)
    assert padded.sum() == pytest.approx(2.0 if frequency_bins == 62.0 else 0.0, abs=0.01)


@pytest.mark.parametrize("run", [correlate, plain(correlate)], ids=["compiled", "plain"])
def test_correlate(run):
    a, b = array(7, 40), array(7, 40)
    cross, own = run(a, b)
    assert cross == pytest.approx(np.sum(a * b), rel=1e-5)
    assert own == pytest.approx(np.sum(b * b), rel=1e-5)


@pytest.mark.parametrize("run", [removed_energy, plain(removed_energy)], ids=["compiled", "plain"])
def test_removed_energy_is_the_fall_of_the_expected_error(run):
    observed, old_tone, old_noise, tone, noise = (array(6, 33) for _ in range(5))
    worth = array(33)
    power, fourth = old_tone**2 + old_noise, old_tone**4
    factor = np.float32(0.7)

    def expected_error(power, fourth):
        return np.sum(worth * (observed**2 - 2 * observed * mean_magnitude(power, fourth, np) + power))

    scaled = factor * tone
    after = expected_error(power + scaled**2 + factor**2 * noise, fourth + scaled**4)
    removed = run(observed, power, fourth, tone, noise, factor, worth)
    assert removed == pytest.approx(expected_error(power, fourth) - after, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("run", [sum_harmonics, plain(sum_harmonics)], ids=["compiled", "plain"])
def test_sum_harmonics(run):
    level, floor = array(4, 50), array(4, 50)
    f0 = np.array([3.3, 10.0, 24.5, 49.0], np.float32)
    weights = np.array([1.0, 0.5, 0.25], np.float32)
    out = np.empty((4, 4), np.float32)
    run(level, floor, f0, weights, out)
    expected = np.zeros((4, 4))
    for p, place in enumerate(f0):
        for n, weight in enumerate(weights):
            at = place * (n + 1)
            if int(at) < 48:
                values = [np.interp(at, np.arange(50), row) for row in level]
                expected[:, p] += weight * (values - floor[:, int(at)])
    assert out == pytest.approx(expected, abs=1e-4)
