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
#: Where a millisecond counts.
_FINE_HOP: Final = 32
#: A frame's rise is taken against the frame so many samples before it, a multiple of both hops.
_LAG_SAMPLES: Final = 256
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
    seconds, flux = _flux(samples, _HOP)
    if not flux.any():
        return np.zeros(0)
    apart = max(1, round(_APART_SECONDS * ANALYSIS_RATE / _HOP))
    around = uniform_filter1d(flux, round(_MEAN_SECONDS * ANALYSIS_RATE / _HOP), mode="constant")
    highest = maximum_filter1d(flux, 2 * apart + 1)
    peaks = np.flatnonzero((flux == highest) & (flux > around + _RISE * flux.max()))
    return np.maximum(seconds[peaks], 0.0)


def onsets_near(samples: ArrayLike, places_seconds: ArrayLike, within_seconds: float) -> NDArray[np.float64]:
    """When the strongest note begins about each place, NaN where none does.

    As :func:`onset_times`, with a hop of 1.5 ms and a parabola through the highest three frames: the same
    note at another place is told within a fraction of a millisecond, another note within two.

    Raises:
        ValueError: the samples are not ``[N]``, or too few.
    """
    seconds, flux = _flux(samples, _FINE_HOP)
    least = _RISE * flux.max()
    found = []
    for place in np.asarray(places_seconds, np.float64):
        first, end = np.searchsorted(seconds, (place - within_seconds, place + within_seconds))
        highest = first + int(flux[first:end].argmax()) if first < end else 0
        inside = first < highest < end - 1
        if not inside or flux[highest] <= least:
            found.append(np.nan)
            continue
        before, there, after = flux[highest - 1 : highest + 2]
        curve = before - 2.0 * there + after
        shift = 0.5 * (before - after) / curve if curve < 0.0 else 0.0
        found.append(seconds[highest] + shift * _FINE_HOP / ANALYSIS_RATE)
    return np.array(found)


def _flux(samples: ArrayLike, hop: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Seconds of each frame, a frame every ``hop`` samples, and how much rises there; nothing in silence."""
    signal = np.asarray(samples, np.float32)
    if signal.ndim != 1 or signal.size < _WINDOW:
        raise ValueError(f"samples have shape [N >= {_WINDOW}], not {signal.shape}")
    lead = _WINDOW // 2 + 8 * _HOP
    # Nothing after the end: a sound that is cut off there has no onset.
    padded = np.pad(signal, (lead, 0))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::hop]
    magnitude = np.abs(scipy.fft.rfft(frames * hann_window(_WINDOW), axis=1))
    # Flux is highest while the window's middle passes the onset: half the lag before the frame.
    middle = np.arange(len(frames)) * hop - 0.5 * _LAG_SAMPLES + _WINDOW // 2 - lead
    flux = np.zeros(len(frames))
    loudest = float(magnitude.max())
    if loudest >= 1e-4:
        level = np.log1p(magnitude * (200.0 / loudest))
        lag = _LAG_SAMPLES // hop
        flux[lag:] = np.maximum(level[lag:] - maximum_filter1d(level, 3, axis=1)[:-lag], 0.0).sum(1)
    return middle / ANALYSIS_RATE + _EARLY_SECONDS, flux


def grid_errors(onsets_seconds: ArrayLike, step_seconds: float) -> NDArray[np.float64]:
    """Seconds from each onset to the nearest multiple of the step, >= 0.

    Onsets anywhere would be a quarter of a step off in the median: that is what chance reaches.

    >>> grid_errors([0.01, 0.24, 0.5], 0.25).round(3).tolist()
    [0.01, 0.01, 0.0]
    """
    onsets = np.asarray(onsets_seconds, np.float64)
    return np.abs(onsets - step_seconds * np.round(onsets / step_seconds))
