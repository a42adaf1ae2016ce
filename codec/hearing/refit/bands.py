"""Bands over bins as a matrix, and its products (numba).

Each band is a stretch of bins, and few bands meet in a bin: two, but for some of the narrowest. So one way
goes band by band, over its stretch, four frames at a time (a stretch is too short to be vectorised, and four
sums at once hide each other's latency); the other goes bin by bin. No sum's order hangs on the processor.
Axes: T frame, F bin, K band.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit

from ...playing.kernel_options import LINKED

_FUSED: Final[dict[str, Any]] = LINKED | {"fastmath": {"contract"}}
_ZERO: Final = np.float32(0.0)


class BandMatrix(NamedTuple):
    """A matrix ``[K, F]`` whose rows are zero but for one stretch each."""

    values: np.ndarray  # [K, F]
    first: np.ndarray  # int64 [K]
    last: np.ndarray  # int64 [K], exclusive
    pairs: np.ndarray  # int64 [F] the first of the two bands that meet in a bin
    pair_values: np.ndarray  # [2, F]
    rest: np.ndarray  # int64 [N, 2] bands and bins that are in no pair


def make_band_matrix(matrix: np.ndarray, dtype: Any = np.float32) -> BandMatrix:
    """``matrix [K, F]``, K >= 2."""
    bands, bins = matrix.shape
    present = matrix != 0.0
    first = present.argmax(1)
    last = bins - present[:, ::-1].argmax(1)
    pairs = np.minimum(present.argmax(0), bands - 2)
    at = np.arange(bins)
    pair_values = np.stack([matrix[pairs, at], matrix[pairs + 1, at]])
    present[pairs, at] = present[pairs + 1, at] = False
    return BandMatrix(
        np.ascontiguousarray(matrix, dtype),
        first.astype(np.int64),
        last.astype(np.int64),
        pairs.astype(np.int64),
        pair_values.astype(dtype),
        np.ascontiguousarray(np.argwhere(present), np.int64),
    )


@njit(**_FUSED)
def gather_bands(matrix, frames, start, stop, out):
    """``out [T, K] = frames [T, F] @ matrix.T``, from frame ``start`` to ``stop``, if that is later."""
    fours = stop - max(0, stop - start) % 4
    for t in range(start, fours, 4):
        x, y, z, w = frames[t], frames[t + 1], frames[t + 2], frames[t + 3]
        for k in range(matrix.values.shape[0]):
            row = matrix.values[k]
            a = b = c = d = _ZERO
            for f in range(matrix.first[k], matrix.last[k]):
                value = row[f]
                a += value * x[f]
                b += value * y[f]
                c += value * z[f]
                d += value * w[f]
            out[t, k], out[t + 1, k], out[t + 2, k], out[t + 3, k] = a, b, c, d
    for t in range(max(start, fours), stop):
        x = frames[t]
        for k in range(matrix.values.shape[0]):
            row = matrix.values[k]
            a = _ZERO
            for f in range(matrix.first[k], matrix.last[k]):
                a += row[f] * x[f]
            out[t, k] = a


@njit(**_FUSED)
def _spread(matrix, x, out):
    """``out [F] += x [K] @ matrix``."""
    for f in range(out.shape[0]):
        k = matrix.pairs[f]
        out[f] += matrix.pair_values[0, f] * x[k] + matrix.pair_values[1, f] * x[k + 1]


@njit(**_FUSED)
def spread_bands(matrix, x, start, stop, out):
    """``out [T, F] += x [T, K] @ matrix``, from frame ``start`` to ``stop``, if that is later."""
    fours = stop - max(0, stop - start) % 4
    for t in range(start, fours, 4):
        a, b, c, d = x[t], x[t + 1], x[t + 2], x[t + 3]
        p, q, r, s = out[t], out[t + 1], out[t + 2], out[t + 3]
        for f in range(out.shape[1]):
            k = matrix.pairs[f]
            low, high = matrix.pair_values[0, f], matrix.pair_values[1, f]
            p[f] += low * a[k] + high * a[k + 1]
            q[f] += low * b[k] + high * b[k + 1]
            r[f] += low * c[k] + high * c[k + 1]
            s[f] += low * d[k] + high * d[k + 1]
    for t in range(max(start, fours), stop):
        _spread(matrix, x[t], out[t])
    for t in range(start, stop):
        for i in range(matrix.rest.shape[0]):
            k, f = matrix.rest[i, 0], matrix.rest[i, 1]
            out[t, f] += matrix.values[k, f] * x[t, k]
