"""What training minimises, in the units in which the codec is judged: dB of energy and of mel distance."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from struck.codec.events.controls import mel, mel_to_hz
from struck.codec.events.event_spec import ANALYSIS_RATE, BANDWIDTH_HZ
from struck.codec.hearing.event_network import FRAME_OFFSETS
from struck.codec.hearing.spectrum import mean_magnitude

MEL_BANDS = 80
FLOOR_DB = 60.0


def frame_weights() -> Tensor:
    """Hops that each of the network's frames stands for, ``[T]``."""
    offsets = FRAME_OFFSETS.astype(np.float64)
    middle = 0.5 * (offsets[1:] + offsets[:-1])
    edges = np.concatenate([[offsets[0] - 0.5], middle, [offsets[-1] + 8.0]])
    return torch.from_numpy(np.diff(edges).astype(np.float32))


def mel_matrix(n_fft: int, bands: int = MEL_BANDS) -> Tensor:
    """Triangular mel bands ``[F, bands]`` that average power."""
    top = float(mel(np.float64(BANDWIDTH_HZ)))
    edges = mel_to_hz(np.linspace(0.0, top, bands + 2)) * n_fft / ANALYSIS_RATE
    bins = np.arange(n_fft // 2 + 1)[:, None]
    rise = (bins - edges[:-2]) / np.maximum(edges[1:-1] - edges[:-2], 1.0)
    fall = (edges[2:] - bins) / np.maximum(edges[2:] - edges[1:-1], 1.0)
    matrix = np.clip(np.minimum(rise, fall), 0.0, 1.0)
    # The narrowest bands fall between bins: give them their nearest.
    nearest = np.clip(np.round(edges[1:-1]).astype(int), 0, n_fft // 2)
    matrix[nearest, np.arange(bands)] = np.maximum(matrix[nearest, np.arange(bands)], 1e-3)
    return torch.from_numpy((matrix / matrix.sum(0)).astype(np.float32))


def expected_error(observed: Tensor, power: Tensor, fourth: Tensor) -> Tensor:
    """Squared error expected of a sound with these sums when its phases are unknown, per bin.

    See :func:`struck.codec.hearing.spectrum.mean_magnitude`; all arrays of one shape.
    """
    return observed**2 - 2.0 * observed * mean_magnitude(power, fourth, torch) + power


def residual_energy_db(target: Tensor, tone: Tensor, noise: Tensor, weights: Tensor) -> Tensor:
    """Energy expected to be left over energy there, dB, ``[E]``; ``weights [E, T]`` per frame."""
    w = weights[..., None]
    square = tone * tone
    left = (w * expected_error(target, square + noise, square * square)).sum((1, 2))
    there = (w * target**2).sum((1, 2)) + 1e-12
    return 10.0 * torch.log10(left.clamp(min=0.0) / there + 1e-3)


def mel_distance_db(target: Tensor, power: Tensor, weights: Tensor, matrix: Tensor) -> Tensor:
    """Mean difference of mel bands in dB ``[E]``, both floored 60 dB under the target's maximum."""
    bands, found = target**2 @ matrix, power @ matrix
    floor = bands.amax((1, 2), keepdim=True) * 10.0 ** (-FLOOR_DB / 10.0) + 1e-14
    difference = (10.0 * torch.log10((bands + floor) / (found + floor))).abs().mean(-1)
    return (difference * weights).sum(1) / weights.sum(1)
