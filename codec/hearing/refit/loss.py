"""How far a model is from what is heard, and the gradient over the model's sums of powers (numba).

``loss = expected error / energy heard + mel weight x mean |difference of mel bands| in dB``, both over
weighted rows; see
:func:`struck.codec.hearing.spectrum.mean_magnitude` for the sums and the error that is expected when phases
are unknown. Axes: T frame, F bin, K mel band.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

from ...playing.kernel_options import LINKED, NOUGHT
from ..fast_math import SUMS, fast_log10
from ..spectrum import RAYLEIGH_SHARE
from .bands import gather_bands, spread_bands

#: Mel bands are floored this far under the loudest one heard.
FLOOR_DB: Final = 60.0

#: As SUMS, for what only kernels call.
INNER_SUMS: Final[dict[str, Any]] = LINKED | {"fastmath": SUMS["fastmath"]}
_SHARE: Final = np.float32(RAYLEIGH_SHARE)
_ZERO: Final = np.float32(0.0)
_QUARTER: Final = np.float32(0.25)
_HALF: Final = np.float32(0.5)
_ONE: Final = np.float32(1.0)
_TWO: Final = np.float32(2.0)
_TEN: Final = np.float32(10.0)
_DB_PER_E: Final = 10.0 / np.log(10.0)
#: Levels of bands that differ by less differ by rounding: silence says nothing.
_ALIKE_DB: Final = np.float32(1e-4)
_TINY_FOURTH: Final = np.float32(1e-30)
_TINY_SQUARE: Final = np.float32(1e-20)


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
def sum_bands(magnitudes, mels, squares, bands, energies):
    """Powers of ``magnitudes [T, F]``: of each into ``squares``, in mel bands into ``bands [T, K]``, in all
    into ``energies [T]``."""
    for t in range(magnitudes.shape[0]):
        total = 0.0
        for f in range(magnitudes.shape[1]):
            squares[t, f] = magnitudes[t, f] * magnitudes[t, f]
            total += squares[t, f]
        energies[t] = total
    gather_bands(mels, squares, NOUGHT, len(squares), bands)


@njit(**INNER_SUMS)
def _compare_bands(bands, floor, mel_db, slope):
    """Sum of the differences of levels of ``bands [K]`` in dB; ``bands`` become its gradients.

    Args:
        slope: what the gradients are multiplied by, with the decibels that a factor of e makes.
    """
    total = _ZERO
    for k in range(bands.shape[0]):
        level = bands[k] + floor
        apart = _TEN * fast_log10(level) - mel_db[k]
        total += abs(apart)
        way = slope if apart > _ZERO else -slope
        bands[k] = (way if abs(apart) > _ALIKE_DB else _ZERO * way) / level
    return total


@njit(**LINKED)
def judge(heard, power, fourth, mels, mel_weight, bands, d_power, d_fourth):
    """Expected error over the energy heard, and the mean difference of mel bands in dB.

    Args:
        heard: a :class:`struck.codec.hearing.refit.window.Heard`.
        power, fourth: the model's sums, ``[T, F]``.
        mel_weight: of a dB of mel difference in the loss; at 0 that is not computed.
        bands: scratch, ``[T, K]``.
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
        gather_bands(mels, power, NOUGHT, frames, bands)
        for t in range(frames):
            share = heard.shares[t] / bands.shape[1]
            slope = power.dtype.type(mel_weight * share * _DB_PER_E)
            difference += share * _compare_bands(bands[t], heard.mel_floor[0], heard.mel_db[t], slope)
        if back:
            spread_bands(mels, bands, NOUGHT, frames, d_power)
    return error, difference
