"""The adversary: a small convolutional discriminator on log spectrograms (arXiv 2505.05654, sec. 3)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from struck.codec.hearing.aligned_patches import patch_mel_matrix

_CHANNELS = (1, 24, 48, 64, 64)


class Discriminator(nn.Module):
    """Scores windows ``[T, F]`` of magnitudes; high is music, low is events.

    It looks at log mel levels relative to the window's own maximum, so that loudness tells nothing.
    """

    _mel: Tensor

    def __init__(self, n_fft: int) -> None:
        super().__init__()
        self.register_buffer("_mel", torch.from_numpy(patch_mel_matrix(n_fft)), persistent=False)
        layers: list[nn.Module] = []
        for source, destination in pairwise(_CHANNELS):
            convolution = nn.Conv2d(source, destination, 5, stride=2, padding=2)
            layers += [nn.utils.parametrizations.spectral_norm(convolution), nn.LeakyReLU(0.2)]
        self._layers = nn.Sequential(*layers, nn.Conv2d(_CHANNELS[-1], 1, 3, padding=1))

    def forward(self, magnitudes: Tensor) -> Tensor:
        """Scores over patches of time and frequency."""
        power = magnitudes**2 @ self._mel
        level = torch.log10(power + 1e-6 * power.detach().amax() + 1e-12)
        level = (level - level.detach().amax()) / 3.0 + 1.0
        scores: Tensor = self._layers(level[None, None])
        return scores


def drop_half(count: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of a random half of ``count`` events, at least one."""
    return np.sort(rng.choice(count, max(1, count // 2), replace=False))
