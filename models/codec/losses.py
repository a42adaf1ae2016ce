"""What training minimises, in the units in which the codec is judged: dB of energy and of mel distance."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from struck.codec.hearing.event_network import FRAME_OFFSETS
from struck.codec.hearing.spectrum import mean_magnitude, mel_band_matrix

FLOOR_DB = 60.0


def frame_weights() -> Tensor:
    """Hops that each of the network's frames stands for, ``[T]``."""
    offsets = FRAME_OFFSETS.astype(np.float64)
    middle = 0.5 * (offsets[1:] + offsets[:-1])
    edges = np.concatenate([[offsets[0] - 0.5], middle, [offsets[-1] + 8.0]])
    return torch.from_numpy(np.diff(edges).astype(np.float32))


def mel_matrix(n_fft: int) -> Tensor:
    """Triangular mel bands ``[F, MEL_BANDS]`` that average power."""
    return torch.from_numpy(mel_band_matrix(n_fft).copy())


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
