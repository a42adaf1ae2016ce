"""When notes begin in a sound, and how far that is from a grid."""

from __future__ import annotations

from typing import Final

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.hearing.spectrum import hann_window

_WINDOW: Final = 1024
_HOP: Final = 128
#: A frame's rise is taken against the frame this many hops before it.
_LAG: Final = 2
#: Two onsets are at least this far apart.
_APART_SECONDS: Final = 0.06
#: How far the flux must rise over its mean of +-0.15 s, as a share of its highest.
_RISE: Final = 0.2
_MEAN_SECONDS: Final = 0.3
#: Compressed, the flux is highest before the window's middle reaches an onset: 14 ms before a tone that
#: begins at once, 8 ms before one that takes 30 ms (measured).
_EARLY_SECONDS: Final = 0.012


def onset_times(samples: ArrayLike) -> NDArray[np.float64]:
    """Seconds at which notes begin in ``samples [N]``, ascending; silence is taken to lie before the first.

    Spectral flux of compressed magnitudes against the loudest of the neighbouring bins 12 ms before
    (SuperFlux: Böck and Widmer 2013, "Maximum filter vibrato suppression for onset detection", DAFx), peaks
    above the mean around them.

    Raises:
        ValueError: the samples are not ``[N]``, or too few.
    """
    signal = np.asarray(samples, np.float32)
    if signal.ndim != 1 or signal.size < _WINDOW:
        raise ValueError(f"samples have shape [N >= {_WINDOW}], not {signal.shape}")
    lead = _WINDOW // 2 + 8 * _HOP
    # Nothing after the end: a sound that is cut off there has no onset.
    padded = np.pad(signal, (lead, 0))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    magnitude = np.abs(scipy.fft.rfft(frames * hann_window(_WINDOW), axis=1))
    loudest = float(magnitude.max())
    if loudest < 1e-4:
        return np.zeros(0)
    level = np.log1p(magnitude * (200.0 / loudest))
    before = maximum_filter1d(level, 3, axis=1)
    flux = np.zeros(len(level))
    flux[_LAG:] = np.maximum(level[_LAG:] - before[:-_LAG], 0.0).sum(1)
    apart = max(1, round(_APART_SECONDS * ANALYSIS_RATE / _HOP))
    around = uniform_filter1d(flux, round(_MEAN_SECONDS * ANALYSIS_RATE / _HOP), mode="constant")
    highest = maximum_filter1d(flux, 2 * apart + 1)
    peaks = np.flatnonzero((flux == highest) & (flux > around + _RISE * flux.max()))
    # Flux is highest while the window's middle passes the onset: half the lag before the frame.
    middle = (peaks - 0.5 * _LAG) * _HOP + _WINDOW // 2 - lead
    return np.maximum(middle / ANALYSIS_RATE + _EARLY_SECONDS, 0.0)


def grid_errors(onsets_seconds: ArrayLike, step_seconds: float) -> NDArray[np.float64]:
    """Seconds from each onset to the nearest multiple of the step, >= 0.

    Onsets anywhere would be a quarter of a step off in the median: that is what chance reaches.

    >>> grid_errors([0.01, 0.24, 0.5], 0.25).round(3).tolist()
    [0.01, 0.01, 0.0]
    """
    onsets = np.asarray(onsets_seconds, np.float64)
    return np.abs(onsets - step_seconds * np.round(onsets / step_seconds))
