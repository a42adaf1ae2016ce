"""The pitch of a note's sound, found without knowing what was asked: YIN, then the partials themselves.

YIN (de Cheveigné and Kawahara 2002, JASA 111(4), steps 1 to 5) finds the period; near the top of the range a
period is ten samples long, so the fundamental is then taken from the partials' places in long spectra.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import scipy.fft
import scipy.signal
from numpy.typing import ArrayLike, NDArray

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.hearing.spectrum import hann_window

LOWEST_HZ: Final = 27.5
HIGHEST_HZ: Final = 4500.0

_WINDOW: Final = 2048
_HOP: Final = 1024
_LAGS: Final = int(ANALYSIS_RATE / LOWEST_HZ) + 2
#: A dip of the normalised difference lower than this is a period (the paper: 0.1).
_THRESHOLD: Final = 0.1
#: A dip this close to the deepest is as good.
_MARGIN: Final = 0.05
#: Frames this far under the loudest are left out.
_RANGE_DB: Final = 40.0
_LONG: Final = 8192
#: Pole of the low-pass before YIN: 6 dB an octave above 800 Hz.
_SOFTNESS: Final = 0.8


def note_pitch(samples: ArrayLike) -> float | None:
    """MIDI pitch (fractional) of the note that sounds in ``samples [N]``, None where none is heard.

    The median over frames within 40 dB of the loudest, each weighted by its level and by how periodic it is.

    Raises:
        ValueError: the samples are not ``[N]``.
    """
    signal = np.asarray(samples, np.float64)
    if signal.ndim != 1:
        raise ValueError(f"samples have shape [N], not {signal.shape}")
    size = _WINDOW + _LAGS
    if signal.size < size:
        signal = np.pad(signal, (0, size - signal.size))
    # High partials make dips so narrow that they fall between lags: they may weigh less.
    soft = scipy.signal.lfilter([1.0 - _SOFTNESS], [1.0, -_SOFTNESS], signal)
    frames = np.lib.stride_tricks.sliding_window_view(soft, size)[::_HOP]
    power = np.square(frames[:, :_WINDOW]).mean(1)
    if power.max() < 1e-10:
        return None
    kept = power > power.max() * 10.0 ** (-_RANGE_DB / 10.0)
    dips = _normalised_difference(frames[kept])
    found = [_period(row) for row in dips]
    pitches = np.array([_to_midi(ANALYSIS_RATE / period) for period, _ in found])
    weights = np.sqrt(power[kept]) * np.array([max(1.0 - dip, 0.0) for _, dip in found]) ** 2
    if weights.sum() < 1e-12:
        return None
    return _refined(signal, _weighted_median(pitches, weights))


def cents_off(pitch: float | None, wanted: float) -> float:
    """Distance in cents, infinite where no pitch was found."""
    return np.inf if pitch is None else 100.0 * (pitch - wanted)


def _normalised_difference(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """YIN's d' ``[T, lag]`` (eqs. 6 and 8), through the FFT."""
    size = scipy.fft.next_fast_len(frames.shape[1] + _WINDOW)
    head = scipy.fft.rfft(frames[:, :_WINDOW], size, axis=1)
    whole = scipy.fft.rfft(frames, size, axis=1)
    across = scipy.fft.irfft(np.conj(head) * whole, size, axis=1)[:, :_LAGS]
    energy = np.cumsum(np.pad(np.square(frames), ((0, 0), (1, 0))), axis=1)
    there = energy[:, _WINDOW : _WINDOW + _LAGS] - energy[:, :_LAGS]
    difference = np.maximum(there[:, :1] + there - 2.0 * across, 0.0)
    difference[:, 0] = 0.0
    mean = np.cumsum(difference, axis=1) / np.maximum(np.arange(_LAGS), 1)
    normalised = difference / np.maximum(mean, 1e-30)
    normalised[:, 0] = 1.0
    return normalised


def _period(dips: NDArray[np.float64]) -> tuple[float, float]:
    """Period in samples and depth of the first dip under the threshold, or of the deepest."""
    left, middle, right = dips[:-2], dips[1:-1], dips[2:]
    lags = np.flatnonzero((middle <= left) & (middle < right))
    lags = lags[lags + 1 >= int(ANALYSIS_RATE / HIGHEST_HZ)]
    if not len(lags):
        return float(_LAGS), 1.0
    # Short periods fall between lags: their dips are deeper than any lag shows.
    curve = left[lags] - 2.0 * middle[lags] + right[lags]
    shift = 0.5 * (left[lags] - right[lags]) / curve
    depth = np.maximum(middle[lags] - 0.5 * curve * shift**2, 0.0)
    first = int(np.flatnonzero(depth <= max(_THRESHOLD, float(depth.min()) + _MARGIN))[0])
    return float(lags[first] + 1 + shift[first]), float(depth[first])


def _refined(signal: NDArray[np.float64], pitch: float) -> float:
    """The pitch moved to where its first partials are, by half a semitone at most."""
    size = min(_LONG, signal.size)
    frames = np.lib.stride_tricks.sliding_window_view(signal, size)[:: size // 2]
    power = (np.abs(scipy.fft.rfft(frames * hann_window(size), 2 * size, axis=1)) ** 2).sum(0)
    level = np.log(np.maximum(power, power.max() * 1e-12))
    bin_hz = ANALYSIS_RATE / (2 * size)
    fundamental = _to_hz(pitch)
    places, weights = [], []
    for partial in range(1, 6):
        low, high = (int(partial * fundamental * 2.0 ** (s / 24.0) / bin_hz) for s in (-1.0, 1.0))
        if high + 2 >= len(level) or high - low < 2:
            continue
        peak = low + int(np.argmax(level[low : high + 1]))
        if not level[peak - 1] <= level[peak] > level[peak + 1]:
            continue
        left, middle, right = level[peak - 1 : peak + 2]
        shift = 0.5 * (left - right) / (left - 2.0 * middle + right)
        places.append(_to_midi((peak + shift) * bin_hz / partial))
        # A partial's place is read the finer the higher it is; stiff strings' are sharp, so not at any price.
        weights.append(np.sqrt(power[peak]) * partial**0.5)
    if not places:
        return pitch
    return _weighted_median(np.array(places), np.array(weights))


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, 0.5 * reached[-1])])


def _to_midi(frequency_hz: float) -> float:
    return 69.0 + 12.0 * float(np.log2(frequency_hz / 440.0))


def _to_hz(pitch: float) -> float:
    return 440.0 * 2.0 ** ((pitch - 69.0) / 12.0)
