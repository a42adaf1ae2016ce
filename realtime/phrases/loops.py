"""Loops as sound: a phrase goes round, so what stands after its last sample is its first."""

from __future__ import annotations

from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from ...codec.events.event_spec import ANALYSIS_RATE

#: What a resampler hears of a loop before its beginning and after its end: more than its filter is long, and
#: at the usual rates a whole number of samples on both sides.
_AROUND: Final = 588

Float32Array = NDArray[np.float32]


def loop_samples(sound: Float32Array, count: int) -> Float32Array:
    """``count`` samples of a loop ``[T]`` from its beginning on, round and round.

    >>> loop_samples(np.float32([1, 2, 3]), 5).tolist()
    [1.0, 2.0, 3.0, 1.0, 2.0]
    """
    return np.ascontiguousarray(np.resize(sound, count), np.float32)


def resample_loop(sound: Float32Array, rate: int, loop_seconds: float) -> Float32Array:
    """A loop at the analysis rate as one at ``rate``: the samples nearest to ``loop_seconds``, no seam."""
    count = round(loop_seconds * rate)
    if rate == ANALYSIS_RATE:
        return loop_samples(sound, count)
    around = loop_samples(np.roll(sound, _AROUND), len(sound) + 2 * _AROUND)
    first = round(_AROUND * rate / ANALYSIS_RATE)
    out = soxr.resample(around, ANALYSIS_RATE, rate, quality="HQ")[first:]
    return np.ascontiguousarray(out[:count], np.float32)
