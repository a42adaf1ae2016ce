"""Conditions as the networks see them: numbers to embed, and hints of the shape of a spectrogram.

Hints tell where sound may be, so that no token need say it: a *comb* over frequency (the window's main lobe
at each partial of each note that the conditions name), its *lobes* (the same, all partials alike), and a
*grid* over time (beats, steps, and whether the phrase still goes on).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from .conditions import CHORDS, FAMILIES, HELD_SECONDS, STYLES, PhraseConditions
from .phrase_scores import GRID_STEPS_PER_BEAT
from .sound.spectrum import FLOOR_DB, MARS_FRAMES

#: Of a clip's spectrogram.
BINS: Final = MARS_FRAMES.bin_count
FRAMES: Final = 352
#: Samples of a clip: all that its spectrogram's frames cover.
CLIP_SAMPLES: Final = FRAMES * MARS_FRAMES.hop_samples
#: Rows of the grid: beats, steps, going on.
GRID_ROWS: Final = 3
_NO_CHORD: Final = len(CHORDS)


class ConditionBatch(NamedTuple):
    """B conditions as tensors."""

    names: Tensor  # int64 [B, 4] pitch, style, family, chord
    amounts: Tensor  # float32 [B, 4] velocity; cosine and sine of the tempo's place; whether there is a tempo
    comb: Tensor  # float32 [B, BINS], 0 to 1
    lobes: Tensor  # float32 [B, BINS], 0 to 1
    grid: Tensor  # float32 [B, GRID_ROWS, FRAMES], 0 to 1

    def to(self, device: str | torch.device) -> ConditionBatch:
        """The same on another device."""
        return ConditionBatch(*(tensor.to(device) for tensor in self))

    def pick(self, rows: Tensor) -> ConditionBatch:
        """Some of the batch's rows."""
        return ConditionBatch(*(tensor[rows] for tensor in self))


def batch_conditions(conditions: Sequence[PhraseConditions]) -> ConditionBatch:
    """Tensors of a list of conditions."""
    chords = list(CHORDS)
    names = [
        (
            c.pitch,
            STYLES.index(c.style),
            FAMILIES.index(c.instrument),
            chords.index(c.chord) if c.has_chord else _NO_CHORD,
        )
        for c in conditions
    ]
    amounts = []
    for c in conditions:
        angle = np.pi * np.log2(c.tempo_bpm / 60.0) / 2.0  # 60 to 240 beats per minute: half a turn
        timed = c.style != "single"
        amounts.append((c.velocity / 127.0, np.cos(angle) * timed, np.sin(angle) * timed, float(timed)))
    combs = np.stack([_comb(c.notes) for c in conditions])
    grids = np.stack([_grid(c.style == "single", c.tempo_bpm, c.beats) for c in conditions])
    return ConditionBatch(
        torch.tensor(names),
        torch.tensor(np.array(amounts), dtype=torch.float32),
        torch.from_numpy(combs[:, 0]).float(),
        torch.from_numpy(combs[:, 1]).float(),
        torch.from_numpy(grids).float(),
    )


@lru_cache(maxsize=4096)
def _comb(notes: tuple[int, ...]) -> np.ndarray:
    """float16 [2, BINS]: level of the loudest main lobe there, 0 = -80 dB.

    Partials fall 6 dB an octave in the first row, and are alike in the second.
    """
    levels = np.zeros((2, BINS))
    bins = np.arange(BINS)
    for note in notes:
        spacing = 440.0 * 2.0 ** ((note - 69) / 12.0) * MARS_FRAMES.window_samples / MARS_FRAMES.rate_hz
        for partial in range(1, int((BINS - 1) / spacing) + 1):
            centre = partial * spacing
            near = bins[max(0, int(centre) - 4) : int(centre) + 6]
            offset = near - centre
            # The Hann window's transform: sinc(d) / (1 - d^2), 1/2 at |d| = 1.
            beside = 1.0 - offset**2
            lobe = np.where(np.abs(beside) < 1e-6, 0.5, np.sinc(offset) / np.where(beside == 0, 1.0, beside))
            for level, amplitude in zip(levels, (1.0 / partial, 1.0), strict=True):
                decibels = 20.0 * np.log10(amplitude * np.abs(lobe) + 1e-9)
                level[near] = np.maximum(level[near], 1.0 + decibels / -FLOOR_DB)
    return levels.astype(np.float16)


@lru_cache(maxsize=1024)
def _grid(single: bool, tempo_bpm: float, beats: int) -> np.ndarray:
    """float16 [GRID_ROWS, FRAMES]."""
    seconds = np.arange(FRAMES) * MARS_FRAMES.hop_samples / MARS_FRAMES.rate_hz
    grid = np.zeros((GRID_ROWS, FRAMES))
    if single:
        grid[2] = seconds < HELD_SECONDS
    else:
        # A frame hears a beat half a window early.
        beat = (seconds + 0.25 * MARS_FRAMES.window_samples / MARS_FRAMES.rate_hz) * tempo_bpm / 60.0
        inside = beat < beats
        grid[0] = inside * np.exp(-4.0 * (beat % 1.0))
        grid[1] = inside * np.exp(-3.0 * (beat * GRID_STEPS_PER_BEAT % 1.0))
        grid[2] = inside
    return grid.astype(np.float16)


class ConditionEmbedding(nn.Module):
    """``ConditionBatch`` of B to [B, size].

    Args:
        size: of the embedding.
        droppable: learn an embedding for "no conditions" too, as guidance needs it.
    """

    def __init__(self, size: int, droppable: bool = False) -> None:
        super().__init__()
        self.names = nn.ModuleList(
            nn.Embedding(count, size) for count in (128, len(STYLES), len(FAMILIES), len(CHORDS) + 1)
        )
        self.amounts = nn.Linear(4, size)
        self.nothing = nn.Parameter(torch.zeros(size)) if droppable else None
        self.mix = nn.Sequential(nn.SiLU(), nn.Linear(size, size), nn.SiLU())

    def forward(self, conditions: ConditionBatch, dropped: Tensor | None = None) -> Tensor:
        """``dropped`` bool [B]: whose conditions are hidden."""
        total: Tensor = self.amounts(conditions.amounts)
        for column, embedding in enumerate(self.names):
            total = total + embedding(conditions.names[:, column])
        if dropped is not None and self.nothing is not None:
            total = torch.where(dropped[:, None], self.nothing.to(total.dtype), total)
        out: Tensor = self.mix(total)
        return out
