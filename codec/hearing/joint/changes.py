"""By how much the loss of a window changes where one event is added or left out (numba).

Axes: T row looked at, F bin, K mel band.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import float32, float64, int64, njit, typeof, void

from ...playing.kernel_options import VECTORISED
from ..fast_math import fast_log10
from ..refit.bands import gather_bands, make_band_matrix
from ..refit.loss import INNER_SUMS
from ..refit.records import Heard
from ..spectrum import RAYLEIGH_SHARE

_SHARE: Final = np.float32(RAYLEIGH_SHARE)
_ZERO: Final = np.float32(0.0)
_HALF: Final = np.float32(0.5)
_TWO: Final = np.float32(2.0)
_TEN: Final = np.float32(10.0)
_TINY_FOURTH: Final = np.float32(1e-30)
_TINY_SQUARE: Final = np.float32(1e-20)

_FRAMES: Final = float32[:, ::1]
_MELS: Final = typeof(make_band_matrix(np.zeros((2, 1))))
_HEARD: Final = typeof(Heard(*np.zeros((4, 1, 1), np.float32), *np.zeros((3, 1), np.float32)))


@njit(**INNER_SUMS)
def _error_change(observed, power, fourth, own_power, own_fourth, by):
    """Change of one frame's expected error where ``by`` times an event's power is added."""
    square = by * abs(by)
    total = _ZERO
    for f in range(observed.shape[0]):
        q, r = power[f], fourth[f]
        added = by * own_power[f]
        p = max(q + added, _ZERO)
        before = max(_HALF * (q + np.sqrt(r + _TINY_FOURTH)), _SHARE * q)
        fourth_after = max(r + square * own_fourth[f], _ZERO)
        after = max(_HALF * (p + np.sqrt(fourth_after + _TINY_FOURTH)), _SHARE * p)
        change = np.sqrt(after + _TINY_SQUARE) - np.sqrt(before + _TINY_SQUARE)
        total += (p - q) - _TWO * observed[f] * change
    return total


@njit(**INNER_SUMS)
def _difference_change(bands, by, own_bands, floor, mel_db, apart):
    """Change of one frame's sum of differences of mel bands in dB; see :func:`fill_changes`."""
    total = _ZERO
    for k in range(bands.shape[0]):
        level = max(bands[k] + by * own_bands[k], _ZERO) + floor
        total += abs(_TEN * fast_log10(level) - mel_db[k]) - apart[k]
    return total


@njit(
    void(
        _HEARD,
        _MELS,
        float64,
        _FRAMES,
        _FRAMES,
        _FRAMES,
        _FRAMES,
        _FRAMES,
        _FRAMES,
        _FRAMES,
        int64,
        int64,
        float32[::1],
        float64[:, ::1],
    ),
    **VECTORISED,
)
def fill_changes(
    heard,
    mels,
    mel_weight,
    power,
    fourth,
    bands,
    apart,
    own_power,
    own_fourth,
    own_bands,
    first,
    last,
    factors,
    changes,
):
    """Change of :func:`struck.codec.hearing.refit.loss.judge`'s loss, times its weights, row by row.

    Args:
        heard: what is heard; its sums are not read.
        power, fourth: sums of all that is modelled, ``[T, F]``; ``bands [T, K]`` is its power in mel bands,
            ``apart [T, K]`` how far their levels are from those heard, in dB.
        own_power, own_fourth: of the event, ``[T, F]``, read in rows ``first`` to ``last``.
        own_bands: scratch, ``[T, K]``.
        factors: what the event's power is multiplied by, ``[L]``; -1 takes it out.
        changes: out, ``[L, >= last]``, in the rows read: over these their sum is the change of the loss.
    """
    count = mels.values.shape[0]
    gather_bands(mels, own_power, first, last, own_bands)
    floor = heard.mel_floor[0]
    for t in range(first, last):
        for i in range(factors.shape[0]):
            by = factors[i]
            error = _error_change(heard.observed[t], power[t], fourth[t], own_power[t], own_fourth[t], by)
            difference = _difference_change(bands[t], by, own_bands[t], floor, heard.mel_db[t], apart[t])
            changes[i, t] = error * heard.scale[0] + mel_weight * difference / (power.shape[0] * count)


@njit(void(_FRAMES, _FRAMES, _FRAMES, _FRAMES), **VECTORISED)
def fill_residual(observed, power, fourth, residual):
    """Fill ``residual [T, F]`` with what is heard beyond the mean magnitude of the sums, see
    :func:`struck.codec.hearing.spectrum.mean_magnitude`."""
    for t in range(observed.shape[0]):
        for f in range(observed.shape[1]):
            p = power[t, f]
            strong = _HALF * (p + np.sqrt(fourth[t, f] + _TINY_FOURTH))
            mean = np.sqrt(max(strong, _SHARE * p) + _TINY_SQUARE)
            residual[t, f] = max(observed[t, f] - mean, _ZERO)


@njit(void(_HEARD, _MELS, _FRAMES, int64, int64, _FRAMES, _FRAMES), **VECTORISED)
def fill_bands(heard, mels, power, first, last, bands, apart):
    """Fill ``bands`` and ``apart [T, K]`` of :func:`loss_change` in rows ``first`` to ``last``."""
    floor = heard.mel_floor[0]
    gather_bands(mels, power, first, last, bands)
    for t in range(first, last):
        for k in range(mels.values.shape[0]):
            apart[t, k] = abs(_TEN * fast_log10(bands[t, k] + floor) - heard.mel_db[t, k])
