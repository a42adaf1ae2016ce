"""Matrices of bands: both products are those of the matrix."""

import numpy as np
import pytest

from struck.codec.hearing.refit.bands import gather_bands, make_band_matrix, spread_bands
from struck.codec.hearing.spectrum import mel_band_matrix, noise_band_matrix

from ...playing.inner_kernels import outer

#: Three bands meet in the third bin.
CROWDED = np.array([[0, 0, 1, 2, 0], [3, 0, 4, 0, 0], [0, 0, 6, 0, 5]], np.float32)
MATRICES = [
    CROWDED,
    *(mel_band_matrix(n_fft).T for n_fft in (512, 1024, 2048)),
    *(noise_band_matrix(n_fft) for n_fft in (512, 1024, 2048)),
]


gather, spread = outer(gather_bands), outer(spread_bands)


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize(("start", "stop"), [(0, 11), (2, 9), (3, 5), (4, 4), (9, 2), (11, 0)])
def test_products_are_those_of_the_matrix(matrix, start, stop):
    rng = np.random.default_rng(0)
    bands = make_band_matrix(matrix)
    frames = rng.random((11, matrix.shape[1])).astype(np.float32)
    gathered = np.full((11, len(matrix)), 7.0, np.float32)
    gather(bands, frames, start, stop, gathered)
    true = np.full_like(gathered, 7.0)
    true[start:stop] = frames[start:stop] @ matrix.T
    np.testing.assert_allclose(gathered, true, rtol=1e-5)

    spread_out = frames.copy()
    spread(bands, gathered, start, stop, spread_out)
    true = frames.copy()
    true[start:stop] += gathered[start:stop] @ matrix
    np.testing.assert_allclose(spread_out, true, rtol=1e-5)


def test_stretches_are_where_a_band_is_not_zero():
    bands = make_band_matrix(CROWDED)
    assert list(bands.first) == [2, 0, 2]
    assert list(bands.last) == [4, 3, 5]
    assert bands.rest.tolist() == [[2, 2]]
