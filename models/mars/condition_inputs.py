"""Conditions as the networks see them: numbers to embed, and hints of the shape of a spectrogram.

Hints tell where sound may be, so that no token need say it: a *comb* over frequency (the window's main lobe
at each partial of each note that the conditions name), its *lobes* (the same, all partials alike), both for
each half bar, which may have its own chord, and a *grid* over time (beats, steps, how long a note is held).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from .chords import CHORDS
from .conditions import (
    FAMILIES,
    FRAMES,
    FRAMES_PER_BEAT,
    HARMONY_SLOTS,
    HELD_SECONDS,
    NOTE_HOP_SAMPLES,
    STYLES,
    PhraseConditions,
)
from .phrase_scores import GRID_STEPS_PER_BEAT
from .sound.spectrum import FLOOR_DB, MARS_FRAMES, MarsFrames

#: Of a clip's spectrogram, beside its ``FRAMES``.
BINS: Final = MARS_FRAMES.bin_count
#: Samples of a single note: all that its spectrogram's frames cover.
CLIP_SAMPLES: Final = FRAMES * NOTE_HOP_SAMPLES
#: Rows of the grid: beats, steps, going on.
GRID_ROWS: Final = 3
_NO_CHORD: Final = len(CHORDS)


def frames_of(conditions: PhraseConditions) -> MarsFrames:
    """How a clip is cut into ``FRAMES`` frames: a note in time, a phrase in beats, around its loop."""
    return MarsFrames(hop_samples=conditions.hop_samples, is_loop=conditions.style != "single")


class ConditionBatch(NamedTuple):
    """B conditions as tensors; S is ``HARMONY_SLOTS``."""

    names: Tensor  # int64 [B, 2] style, family
    harmony: Tensor  # int64 [B, S, 2] pitch, chord
    amounts: Tensor  # float32 [B, 4] velocity; cosine and sine of the tempo's place; whether there is a tempo
    comb: Tensor  # float32 [B, S, BINS], 0 to 1
    lobes: Tensor  # float32 [B, S, BINS], 0 to 1
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
    names = [(STYLES.index(c.style), FAMILIES.index(c.instrument)) for c in conditions]
    harmony = [
        [(pitch, chords.index(chord) if c.has_chord else _NO_CHORD) for pitch, chord in c.harmony]
        for c in conditions
    ]
    amounts = []
    for c in conditions:
        angle = np.pi * np.log2(c.tempo_bpm / 60.0) / 2.0  # 60 to 240 beats per minute: half a turn
        timed = c.style != "single"
        amounts.append((c.velocity / 127.0, np.cos(angle) * timed, np.sin(angle) * timed, float(timed)))
    combs = np.array([[_comb(notes) for notes in c.slot_notes] for c in conditions])
    grids = np.stack([_grid(c.style == "single", c.hop_samples) for c in conditions])
    return ConditionBatch(
        torch.tensor(names),
        torch.tensor(harmony),
        torch.tensor(np.array(amounts), dtype=torch.float32),
        torch.from_numpy(combs[:, :, 0]).float(),
        torch.from_numpy(combs[:, :, 1]).float(),
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
def _grid(single: bool, hop_samples: float) -> np.ndarray:
    """float16 [GRID_ROWS, FRAMES]."""
    frames = np.arange(FRAMES)
    grid = np.zeros((GRID_ROWS, FRAMES))
    if single:
        grid[2] = frames * hop_samples / MARS_FRAMES.rate_hz < HELD_SECONDS
    else:
        # A frame hears a beat half a window early.
        beat = (frames + 0.25 * MARS_FRAMES.window_samples / hop_samples) / FRAMES_PER_BEAT
        grid[0] = np.exp(-4.0 * (beat % 1.0))
        grid[1] = np.exp(-3.0 * (beat * GRID_STEPS_PER_BEAT % 1.0))
        grid[2] = 1.0
    return grid.astype(np.float16)


def slots_of_columns(columns: int) -> list[int]:
    """The half bar in which each column of an image of a clip begins.

    >>> slots_of_columns(8)
    [0, 0, 1, 1, 2, 2, 3, 3]
    """
    return [column * HARMONY_SLOTS // columns for column in range(columns)]


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
        pitch, style, family, chord = self.names
        total = total + style(conditions.names[:, 0]) + family(conditions.names[:, 1])
        total = total + (pitch(conditions.harmony[..., 0]) + chord(conditions.harmony[..., 1])).mean(1)
        if dropped is not None and self.nothing is not None:
            total = torch.where(dropped[:, None], self.nothing.to(total.dtype), total)
        out: Tensor = self.mix(total)
        return out

    def slots(self, conditions: ConditionBatch) -> Tensor:
        """[B, S, size]: how the chord of each half bar differs from all of them together."""
        pitch, _, _, chord = self.names
        each: Tensor = pitch(conditions.harmony[..., 0]) + chord(conditions.harmony[..., 1])
        return each - each.mean(1, keepdim=True)
