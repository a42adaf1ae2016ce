"""Training clips in batches, and their spectrograms on whatever device trains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from .condition_inputs import BINS, FRAMES, ConditionBatch, batch_conditions
from .phrase_data import PhraseData
from .sound.spectrum import FLOOR_DB, MARS_FRAMES


class SpectrogramMaker(nn.Module):
    """int16 [B, N] to spectrograms [B, BINS, FRAMES] in units of 0 (-80 dB) to 1 (0 dB, a full scale)."""

    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(MARS_FRAMES.window_samples))

    def forward(self, audio: Tensor) -> Tensor:
        samples = audio.float() / 32768.0
        spectrum = torch.stft(
            samples,
            MARS_FRAMES.window_samples,
            MARS_FRAMES.hop_samples,
            window=self.window,
            pad_mode="constant",
            return_complex=True,
        )[:, :BINS, :FRAMES]
        power = (spectrum.abs() * (2.0 / self.window.sum())).square()
        # The soft floor of magnitude_to_db, whose twin this is.
        return 1.0 - 10.0 / FLOOR_DB * torch.log10(power + 10.0 ** (FLOOR_DB / 10.0))


class ClipBatch(NamedTuple):
    """B clips."""

    rows: np.ndarray  # int64 [B] in the data
    audio: Tensor  # int16 [B, N]
    conditions: ConditionBatch


def read_clips(data: PhraseData, rows: np.ndarray, device: str) -> ClipBatch:
    """The clips ``rows`` int64 [B]."""
    conditions = batch_conditions([data.clips[row].conditions for row in rows])
    return ClipBatch(rows, torch.from_numpy(data.audio[rows]).to(device), conditions.to(device))


class ClipBatches:
    """Batches of ``size`` clips, shuffled; seeded, endless."""

    def __init__(self, data: PhraseData, rows: np.ndarray, device: str, seed: int, size: int) -> None:
        self.data, self.rows, self.device, self.size = data, rows, device, size
        self.rng = np.random.default_rng(seed)

    def __iter__(self) -> Iterator[ClipBatch]:
        while True:
            order = self.rng.permutation(self.rows)
            for first in range(0, len(order) - self.size + 1, self.size):
                yield read_clips(self.data, np.sort(order[first : first + self.size]), self.device)
