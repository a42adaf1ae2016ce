"""Differentiable magnitude spectrograms of events: lobes placed by scatter-add (torch)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from struck.codec.controls import compute_controls, make_tables
from struck.codec.spectrum import (
    ANALYSIS_RATE,
    RAYLEIGH_MEAN,
    compute_frames,
    make_frame_tables,
    noise_band_matrix,
)


def hann_lobe(distance: Tensor) -> Tensor:
    """Hann main lobe at ``distance`` bins from its peak, 1 at the peak: ``sinc(x) / (1 - x^2)``, |x| < 2."""
    x = distance
    denominator = 1.0 - x * x
    # The limit at |x| = 1 is 1/2; keep the gradient finite there.
    near = denominator.abs() < 1e-4
    value = torch.sinc(x) / torch.where(near, torch.ones_like(x), denominator)
    return torch.where(near, torch.full_like(x, 0.5), value) * (x.abs() < 2.0)


class EventSpectrum(nn.Module):
    """Events to magnitude frames at fixed offsets from their onsets.

    Args:
        offsets: frame offsets in hops, ascending, ``[T]``.
        n_fft: window length.
    """

    def __init__(self, offsets: np.ndarray, n_fft: int, device: torch.device | str = "cpu") -> None:
        super().__init__()
        self.n_fft = n_fft
        self.tables = make_tables(lambda a: torch.from_numpy(a).to(device))
        self.frame_tables = make_frame_tables(offsets, n_fft, lambda a: torch.from_numpy(a).to(device))
        self.bands = torch.from_numpy(noise_band_matrix(n_fft)).to(device)

    def forward(
        self, weights: Mapping[str, Tensor], gain_db: Tensor, vectors: Tensor, onset_shift: Tensor
    ) -> Tensor:
        """Magnitudes ``[E, T, F]`` of events ``gain_db [E]``, ``vectors [E, 32]``, ``onset_shift [E]`` s."""
        controls = compute_controls(weights, gain_db, vectors, self.tables, torch)
        amplitude, frequency, noise = compute_frames(controls, self.frame_tables, onset_shift, torch)
        events, modes, frames = amplitude.shape
        bins = self.n_fft // 2 + 1
        place = frequency * (self.n_fft / ANALYSIS_RATE)
        first = torch.floor(place.detach()).clamp(1, bins - 3).long() - 1
        base = torch.arange(events, device=place.device)[:, None, None] * frames
        base = (base + torch.arange(frames, device=place.device)) * bins
        tone = torch.zeros(events * frames * bins, device=place.device)
        for step in range(4):
            index = first + step
            value = amplitude * hann_lobe(place - index)
            tone = tone.index_add(0, (base + index).reshape(-1), value.reshape(-1))
        tone = tone.view(events, frames, bins)
        floor = torch.einsum("ebt,bf->etf", noise, self.bands)
        return torch.sqrt(tone * tone + RAYLEIGH_MEAN**2 * floor + 1e-16)
