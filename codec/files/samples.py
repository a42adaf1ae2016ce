"""Samples as other programs hand them in: floats with full scale at 1, or whole numbers of 16 or 32 bits."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float32]

#: Of whole numbers that are certainly sound: what sound cards, WAV files and other libraries give.
_FULL_SCALE: Final = {np.dtype(np.int16): 2.0**15, np.dtype(np.int32): 2.0**31}


def as_samples(samples: ArrayLike) -> FloatArray:
    """``samples`` of any shape as float32, in one piece of memory, full scale at 1.

    >>> as_samples(np.array([-32768, 16384], np.int16))
    array([-1. ,  0.5], dtype=float32)

    Raises:
        TypeError: they are whole numbers of which nobody knows the full scale, or no real numbers at all.
    """
    array = np.asarray(samples)
    full_scale = _FULL_SCALE.get(array.dtype.newbyteorder("="))
    if full_scale is not None:
        return np.asarray(array / full_scale, np.float32, order="C")
    if array.dtype.kind != "f" and array.size:  # an empty list has no kind of its own
        raise TypeError(f"samples are floats with full scale at 1, int16 or int32; these are {array.dtype}")
    return np.asarray(array, np.float32, order="C")


def as_mono(samples: ArrayLike) -> FloatArray:
    """``samples`` of one channel, ``[N]``, as :func:`as_samples` gives them.

    Raises:
        TypeError: as :func:`as_samples`.
        ValueError: they have another shape than ``[N]``.
    """
    array = as_samples(samples)
    if array.ndim != 1:
        raise ValueError(
            f"mono samples have the shape [N], not {array.shape}; "
            "of [N, C] take samples[:, 0], or the mean over the channels, samples.mean(axis=1)"
        )
    return array
