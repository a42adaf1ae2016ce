"""How far a model is from what is heard, and the gradient over the model's sums of powers (numba).

``loss = expected error / energy heard + mel weight x mean |difference of mel bands| in dB``, both over
weighted rows; see
:func:`struck.codec.hearing.spectrum.mean_magnitude` for the sums and the error that is expected when phases
are unknown. Axes: T frame, F bin, K mel band.
"""

from __future__ import annotations

from math import log10
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit

from ...playing.kernel_options import EXACT, INNER
from ..spectrum import RAYLEIGH_SHARE

#: Mel bands are floored this far under the loudest one heard.
FLOOR_DB: Final = 60.0

_ANY_ORDER: Final[dict[str, Any]] = {"fastmath": {"reassoc", "contract", "nsz"}}
#: How sums are compiled whose terms may be added in any order, so that they are vectorised.
SUMS: Final[dict[str, Any]] = EXACT | _ANY_ORDER
INNER_SUMS: Final[dict[str, Any]] = INNER | _ANY_ORDER
_SHARE: Final = np.float32(RAYLEIGH_SHARE)
_ZERO: Final = np.float32(0.0)
_QUARTER: Final = np.float32(0.25)
_HALF: Final = np.float32(0.5)
_ONE: Final = np.float32(1.0)
_TWO: Final = np.float32(2.0)
_TINY_FOURTH: Final = np.float32(1e-30)
_TINY_SQUARE: Final = np.float32(1e-20)


class SparseRows(NamedTuple):
    """A matrix whose rows are zero but for one stretch each."""

    values: np.ndarray  # [rows, F]
    first: np.ndarray  # int64 [rows]
    last: np.ndarray  # int64 [rows], exclusive


def make_sparse_rows(matrix: np.ndarray, dtype: Any = np.float32) -> SparseRows:
    """``matrix [rows, F]`` with the stretch in which each row is not zero."""
    first = (matrix != 0.0).argmax(1)
    last = matrix.shape[1] - (matrix[:, ::-1] != 0.0).argmax(1)
    return SparseRows(np.ascontiguousarray(matrix, dtype), first.astype(np.int64), last.astype(np.int64))


@njit(**INNER_SUMS)
def row_products(rows, x, out):
    """``out [rows] = matrix @ x [F]``."""
    for r in range(rows.values.shape[0]):
        row = rows.values[r]
        total = _ZERO
        for f in range(rows.first[r], rows.last[r]):
            total += row[f] * x[f]
        out[r] = total


@njit(**INNER)
def add_rows(rows, x, out):
    """``out [F] += x [rows] @ matrix``."""
    for r in range(rows.values.shape[0]):
        a = x[r]
        row = rows.values[r]
        if a != _ZERO:
            for f in range(rows.first[r], rows.last[r]):
                out[f] += a * row[f]


@njit(**INNER_SUMS)
def _expect_error(observed, power, fourth):
    """Expected error of one frame, unscaled."""
    total = _ZERO
    for f in range(observed.shape[0]):
        s, p = observed[f], power[f]
        strong = _HALF * (p + np.sqrt(fourth[f] + _TINY_FOURTH))
        mean = np.sqrt(max(strong, _SHARE * p) + _TINY_SQUARE)
        total += s * s - _TWO * s * mean + p
    return total


@njit(**INNER_SUMS)
def _expect_error_back(observed, power, fourth, scale, d_power, d_fourth):
    """Expected error of one frame, unscaled; its gradients ``[F]``, times ``scale``."""
    total = _ZERO
    for f in range(observed.shape[0]):
        s, p = observed[f], power[f]
        root = np.sqrt(fourth[f] + _TINY_FOURTH)
        strong = _HALF * (p + root)
        many = _SHARE * p
        one = strong > many
        mean = np.sqrt((strong if one else many) + _TINY_SQUARE)
        total += s * s - _TWO * s * mean + p
        slope = s / mean
        d_power[f] = scale * (_ONE - slope * (_HALF if one else _SHARE))
        d_fourth[f] = -scale * (_QUARTER * slope / root if one else _ZERO)
    return total


@njit(**SUMS)
def sum_bands(magnitudes, mels, bands, energies):
    """Powers of ``magnitudes [T, F]``: in mel bands into ``bands [T, K]``, in all into ``energies [T]``."""
    square = np.empty_like(magnitudes[0])
    for t in range(magnitudes.shape[0]):
        total = 0.0
        for f in range(magnitudes.shape[1]):
            square[f] = magnitudes[t, f] * magnitudes[t, f]
            total += square[f]
        energies[t] = total
        row_products(mels, square, bands[t])


@njit(**INNER)
def judge(heard, power, fourth, mels, mel_weight, d_power, d_fourth):
    """Expected error over the energy heard, and the mean difference of mel bands in dB.

    Args:
        heard: a :class:`struck.codec.hearing.refit.window.Heard`.
        power, fourth: the model's sums, ``[T, F]``.
        mel_weight: of a dB of mel difference in the loss; at 0 that is not computed.
        d_power, d_fourth: out, the loss's gradients ``[T, F]``; without rows where none are wanted.
    """
    frames = power.shape[0]
    back = d_power.shape[0] > 0
    error = 0.0
    for t in range(frames):
        scale, observed = heard.scale[t], heard.observed[t]
        if back:
            error += scale * _expect_error_back(observed, power[t], fourth[t], scale, d_power[t], d_fourth[t])
        else:
            error += scale * _expect_error(observed, power[t], fourth[t])
    difference = 0.0
    if mel_weight > 0.0:
        bands = mels.values.shape[0]
        found = np.empty(bands, power.dtype)
        floor = heard.mel_floor[0]
        for t in range(frames):
            row_products(mels, power[t], found)
            share = mel_weight * heard.shares[t] / bands
            row_difference = 0.0
            for k in range(bands):
                level = found[k] + floor
                apart = 10.0 * log10(level) - heard.mel_db[t, k]
                row_difference += abs(apart)
                slope = share * 10.0 / 2.302585092994046 / level
                found[k] = slope if apart > 0.0 else (-slope if apart < 0.0 else 0.0)
            if back:
                add_rows(mels, found, d_power[t])
            difference += heard.shares[t] * row_difference / bands
    return error, difference
