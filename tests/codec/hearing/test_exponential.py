"""The exponential of the kernels: near the library's over its whole range, finite beyond."""

import numpy as np
import pytest
from numba import njit

from struck.codec.hearing.exponential import exp_single


@njit
def exponentials(x):
    out = np.empty_like(x)
    for i in range(x.shape[0]):
        out[i] = exp_single(x[i])
    return out


def test_it_is_the_library_s():
    x = np.linspace(-87.0, 87.0, 100_001).astype(np.float32)
    true = np.exp(x.astype(np.float64))
    assert np.abs(exponentials(x) / true - 1.0).max() < 1e-6
    near = np.linspace(-1.0, 1.0, 10_001).astype(np.float32)
    assert np.abs(exponentials(near) / np.exp(near.astype(np.float64)) - 1.0).max() < 3e-7


def test_beyond_its_range_it_stays_at_the_ends():
    ends = exponentials(np.array([-np.inf, -1000.0, 1000.0, np.inf], np.float32))
    assert np.all(np.isfinite(ends))
    assert ends[0] == ends[1] == pytest.approx(np.exp(-87.0), rel=1e-5)
    assert ends[2] == ends[3] == pytest.approx(np.exp(87.0), rel=1e-5)
    assert exponentials(np.zeros(1, np.float32))[0] == 1.0
