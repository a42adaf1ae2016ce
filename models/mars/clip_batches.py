"""Training clips in batches: their spectrograms and what they were asked to be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .condition_inputs import ConditionBatch, batch_conditions, frames_of
from .phrase_data import PhraseData
from .sound.spectrum import FLOOR_DB


class ClipBatch(NamedTuple):
    """B clips."""

    rows: np.ndarray  # int64 [B] in the data
    spectrogram: Tensor  # float32 [B, BINS, FRAMES] in units of 0 (-80 dB) to 1 (0 dB, a full scale)
    conditions: ConditionBatch


def read_clips(data: PhraseData, rows: np.ndarray, device: str) -> ClipBatch:
    """The clips ``rows`` int64 [B]."""
    asked = [data.clips[row].conditions for row in rows]
    levels = np.stack(
        [frames_of(one).log_magnitude(data.samples(int(row))) for one, row in zip(asked, rows, strict=True)]
    )
    spectrogram = torch.from_numpy(1.0 - levels / np.float32(FLOOR_DB)).to(device)
    return ClipBatch(rows, spectrogram, batch_conditions(asked).to(device))


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
