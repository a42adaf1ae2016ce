"""Functions of the kernels: near the library's over their whole range, finite beyond."""

import numpy as np
import pytest
from numba import njit

from struck.codec.hearing.fast_math import fast_exp, fast_log, fast_log10, fast_tanh


def over(function):
    """A kernel that fills an array with ``function`` of each number."""

    @njit
    def run(x):
        out = np.empty_like(x)
        for i in range(x.shape[0]):
            out[i] = function(x[i])
        return out

    return run


exponentials, tangents = over(fast_exp), over(fast_tanh)
logarithms, natural_logarithms = over(fast_log10), over(fast_log)


def test_the_exponential_is_the_library_s():
    x = np.linspace(-87.0, 87.0, 100_001).astype(np.float32)
    true = np.exp(x.astype(np.float64))
    assert np.abs(exponentials(x) / true - 1.0).max() < 1e-6
    near = np.linspace(-1.0, 1.0, 10_001).astype(np.float32)
    assert np.abs(exponentials(near) / np.exp(near.astype(np.float64)) - 1.0).max() < 3e-7


def test_beyond_its_range_the_exponential_stays_at_the_ends():
    ends = exponentials(np.array([-np.inf, -1000.0, 1000.0, np.inf], np.float32))
    assert np.all(np.isfinite(ends))
    assert ends[0] == ends[1] == pytest.approx(np.exp(-87.0), rel=1e-5)
    assert ends[2] == ends[3] == pytest.approx(np.exp(87.0), rel=1e-5)
    assert exponentials(np.zeros(1, np.float32))[0] == 1.0


def test_the_logarithm_is_the_library_s():
    x = np.geomspace(1e-37, 1e37, 100_001).astype(np.float32)
    true = np.log10(x.astype(np.float64))
    assert np.abs(logarithms(x) - true).max() < 5e-6  # of -37 and 37: the rounding of that
    near = np.linspace(0.5, 2.0, 10_001).astype(np.float32)
    assert np.abs(logarithms(near) - np.log10(near.astype(np.float64))).max() < 5e-8
    powers = 2.0 ** np.arange(-100, 100)
    np.testing.assert_allclose(logarithms(powers.astype(np.float32)), np.log10(powers), rtol=2e-7)


def test_the_natural_logarithm_is_the_library_s():
    x = np.geomspace(1e-37, 1e37, 100_001).astype(np.float32)
    np.testing.assert_allclose(natural_logarithms(x), np.log(x.astype(np.float64)), rtol=2e-7, atol=1e-7)


def test_the_hyperbolic_tangent_is_the_library_s():
    x = np.linspace(-100.0, 100.0, 200_001).astype(np.float32)
    np.testing.assert_allclose(tangents(x), np.tanh(x.astype(np.float64)), rtol=0.0, atol=3e-7)


def test_the_logarithm_of_nothing_is_finite():
    assert np.isfinite(logarithms(np.array([0.0, -1.0, 1e-45], np.float32))).all()


def test_double_precision_keeps_its_digits():
    x = np.array([0.1, 1.0, 30.0])
    np.testing.assert_allclose(exponentials(x), np.exp(x), rtol=1e-15)
    np.testing.assert_allclose(logarithms(x), np.log10(x), rtol=1e-15, atol=1e-16)
    np.testing.assert_allclose(natural_logarithms(x), np.log(x), rtol=1e-15, atol=1e-16)
    np.testing.assert_allclose(tangents(x), np.tanh(x), rtol=1e-15)
