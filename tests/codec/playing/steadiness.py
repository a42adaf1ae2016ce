"""How steady a sound's short-time spectra are."""

import numpy as np
from numpy.typing import NDArray

#: Bins at either end that are left out: there a real sound's spectrum meets its mirror image.
_EDGE_BINS = 8


def fluctuation(sound: NDArray[np.floating], window_samples: int) -> float:
    """Mean ``(|S| / root mean square of its bin - 1)^2``: ``2 - sqrt(pi)``, 0.23, for Gaussian noise."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, window_samples)[:: window_samples // 8]
    magnitude = np.abs(np.fft.rfft(frames * np.hanning(window_samples)))[:, _EDGE_BINS:-_EDGE_BINS]
    return float(np.mean((magnitude / np.sqrt(np.mean(magnitude**2, 0)) - 1.0) ** 2))
