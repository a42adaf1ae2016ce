"""Channel multiplexing: a spectrogram becomes a smaller image of more channels, and nothing is lost.

arXiv 2509.26007, sec. 2 (there with one factor; here time and frequency have their own)::

    X [F, T]  ->  Y [rf * rt, F / rf, T / rt],   Y[i * rt + j, f, t] = X[f * rf + i, t * rt + j]
"""

from __future__ import annotations

from torch import Tensor


def multiplex(spectrogram: Tensor, frequency_factor: int, time_factor: int) -> Tensor:
    """``[..., F, T]`` to ``[..., rf * rt, F / rf, T / rt]``; :func:`demultiplex` undoes it exactly.

    Raises:
        ValueError: a side is no multiple of its factor.
    """
    *batch, bins, frames = spectrogram.shape
    if bins % frequency_factor or frames % time_factor:
        raise ValueError(
            f"a spectrogram of {bins} x {frames} cannot be multiplexed by {frequency_factor} x {time_factor}"
        )
    rows, columns = bins // frequency_factor, frames // time_factor
    split = spectrogram.reshape(*batch, rows, frequency_factor, columns, time_factor)
    n = len(batch)
    ordered = split.permute(*range(n), n + 1, n + 3, n, n + 2)
    return ordered.reshape(*batch, frequency_factor * time_factor, rows, columns)


def demultiplex(image: Tensor, frequency_factor: int, time_factor: int) -> Tensor:
    """``[..., rf * rt, H, W]`` back to ``[..., H * rf, W * rt]``.

    Raises:
        ValueError: the channels are not the factors' product.
    """
    *batch, channels, rows, columns = image.shape
    if channels != frequency_factor * time_factor:
        raise ValueError(f"{channels} channels are not {frequency_factor} x {time_factor}")
    split = image.reshape(*batch, frequency_factor, time_factor, rows, columns)
    n = len(batch)
    ordered = split.permute(*range(n), n + 2, n, n + 3, n + 1)
    return ordered.reshape(*batch, rows * frequency_factor, columns * time_factor)
