"""A network that names instruments, by whose ear the tokenizer is trained.

Two spectrograms can differ little in decibels and yet be another instrument's. So what the tokenizer restores
is also compared as a network hears it that was trained to tell the training clips' instruments apart (feature
reconstruction, Johnson, Alahi and Fei-Fei, arXiv 1603.08155). It is no judge: those of ``phrase_classifiers``
are other networks, which never train anything.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from .condition_inputs import BINS
from .conditions import FAMILIES
from .sound.spectrum import FLOOR_DB, MARS_FRAMES, band_matrix

#: Bands of half a semitone, and the MIDI pitch of the lowest: 40 Hz to 10 kHz.
BAND_COUNT: Final = 192
LOWEST_PITCH: Final = 27.5
#: Frames of a spectrogram that are heard as one, 46 ms: how a note begins tells most.
FRAMES_TOGETHER: Final = 4
#: Feature maps of each layer, fine to coarse.
WIDTHS: Final = (24, 48, 64, 96)
EMBEDDING_SIZE: Final = 128


class Heard(NamedTuple):
    """What the listener takes B clips for: logits."""

    family: Tensor  # [B, families]
    instrument: Tensor  # [B, instruments]


class Listener(nn.Module):
    """Spectrograms [B, F, T] in the tokenizer's units to what ``instruments`` they may be."""

    bands: Tensor

    def __init__(self, instruments: int) -> None:
        super().__init__()
        matrix = band_matrix(MARS_FRAMES.window_samples, LOWEST_PITCH, BAND_COUNT)[:BINS]
        self.register_buffer("bands", torch.from_numpy(matrix).T.contiguous(), persistent=False)
        self.enter = nn.Conv2d(1, WIDTHS[0], 5, (2, 1), 2)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(before), nn.ReLU(), nn.Conv2d(before, after, 3, 2, 1))
            for before, after in pairwise(WIDTHS)
        )
        self.out = nn.Sequential(nn.BatchNorm2d(WIDTHS[-1]), nn.ReLU())
        self.embed = nn.Linear(2 * WIDTHS[-1] * (BAND_COUNT // 16), EMBEDDING_SIZE)
        self.drop = nn.Dropout(0.2)
        self.family = nn.Linear(EMBEDDING_SIZE, len(FAMILIES))
        self.instrument = nn.Linear(EMBEDDING_SIZE, instruments)

    def levels(self, spectrogram: Tensor) -> Tensor:
        """Levels of the bands [B, BAND_COUNT, T / FRAMES_TOGETHER] in units of 0 (-80 dB) to 1."""
        power = torch.pow(10.0, (1.0 - spectrogram) * (FLOOR_DB / 10.0))
        bands = self.bands @ functional.avg_pool1d(power, FRAMES_TOGETHER)
        return 1.0 - 10.0 / FLOOR_DB * torch.log10(bands + 10.0 ** (FLOOR_DB / 10.0))

    def features(self, levels: Tensor) -> list[Tensor]:
        """What each layer makes of the levels of bands, the last as [B, EMBEDDING_SIZE]."""
        heard = [self.enter(levels[:, None])]
        for layer in self.layers:
            heard.append(layer(heard[-1]))
        kept = self.out(heard[-1])
        # Mean and maximum over time: how it sounds throughout, and at its clearest.
        pooled = torch.cat([kept.mean(-1), kept.amax(-1)], 1).flatten(1)
        return [*heard, torch.relu(self.embed(self.drop(pooled)))]

    def forward(self, levels: Tensor) -> Heard:
        embedding = self.drop(self.features(levels)[-1])
        return Heard(self.family(embedding), self.instrument(embedding))

    def distance(self, made: Tensor, wanted: Tensor) -> Tensor:
        """How different ``made`` sounds from ``wanted`` [B, F, T], 0 is equal: over layers, the mean squared
        difference in units of the layer's own variance.
        """
        with torch.no_grad():
            aims = self.features(self.levels(wanted))
        total = made.new_zeros(())
        for heard, aim in zip(self.features(self.levels(made)), aims, strict=True):
            total = total + (heard - aim).square().mean() / aim.var()
        return total / len(aims)
