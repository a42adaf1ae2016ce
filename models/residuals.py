"""A pool of residuals at random depths of the encoder's own loop, for the greedy stage.

The encoder runs over fresh music with the weights as they are now; what it proposes, in the residual in
which it proposed it, is one training sample. One step is trained at a time, so nothing is propagated back
through the loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from struck.codec.encoder import EncoderObserver, StreamingEncoder
from struck.codec.event_network import FRAME_OFFSETS
from struck.codec.profiles import PROFILES
from struck.codec.proposals import Proposals
from struck.codec.spectrum import ANALYSIS_RATE
from struck.codec.weights import load_codec_weights

from .datasets import load_recorded_notes
from .music import MusicSampler

POOL_SIZE = 1500
#: Samples kept of each round: of 24 proposals most resemble one another.
KEPT_PER_ROUND = 3


@dataclass(frozen=True)
class Residuals:
    """Proposals in their residuals. E sample, T frame offset, F bin."""

    residual: Tensor  # [E, T, F] signed: what is observed less what is modelled
    model: Tensor  # [E, T, F] what earlier events already explain
    mask: Tensor  # [E, T] 1 where the encoder may look
    known: Tensor  # [E, T] 1 where the residual is known at all
    pitch_midi: Tensor  # [E]
    noise_like: Tensor  # [E]


class _Collector(EncoderObserver):
    def __init__(self, rng: np.random.Generator) -> None:
        self.samples: list[tuple[np.ndarray, ...]] = []
        self._rng = rng

    def on_round(self, residual: np.ndarray, model: np.ndarray, found: Proposals) -> None:
        # Salient proposals come first and are the ones that get accepted: prefer them.
        count = len(found.frame)
        if not count:
            return
        chance = 0.85 ** np.arange(count)
        chosen = self._rng.choice(count, min(KEPT_PER_ROUND, count), replace=False, p=chance / chance.sum())
        for i in chosen:
            index = found.frame[i] + FRAME_OFFSETS
            known = (index >= 0) & (index < len(residual))
            index = np.clip(index, 0, len(residual) - 1)
            keep = known[:, None]
            self.samples.append(
                (
                    (residual[index] * keep).astype(np.float16),
                    (model[index] * keep).astype(np.float16),
                    known.astype(np.float32),
                    found.pitch_midi[i],
                    found.noise_like[i],
                )
            )


class ResidualStream(torch.utils.data.IterableDataset[Residuals]):
    """Batches of residuals, drawn in worker processes.

    Args:
        data: training data folder.
        weights: path of the weights, read again for each clip, so that the pool follows the training.
        batch: samples per batch.
        per_clip: batches drawn between two clips.
    """

    def __init__(self, data: Path, weights: Path, batch: int, per_clip: int, seed: int) -> None:
        self._data, self._weights = data, weights
        self._batch, self._per_clip, self._seed = batch, per_clip, seed

    def __iter__(self) -> Iterator[Residuals]:
        info = torch.utils.data.get_worker_info()
        torch.set_num_threads(1)
        rng = np.random.default_rng(self._seed + (info.id if info else 0))
        music = MusicSampler(self._data, load_recorded_notes(self._data), int(rng.integers(1 << 31)))
        pool: list[tuple[np.ndarray, ...]] = []
        while True:
            collector = _Collector(rng)
            encoder = StreamingEncoder(load_codec_weights(self._weights), PROFILES["studio"], collector)
            clip = music.draw()
            start = int(rng.integers(0, len(clip) - 9 * ANALYSIS_RATE))
            encoder.process(clip[start : start + 9 * ANALYSIS_RATE])
            for sample in collector.samples:
                if len(pool) < POOL_SIZE:
                    pool.append(sample)
                else:
                    pool[int(rng.integers(POOL_SIZE))] = sample
            if len(pool) >= self._batch:
                for _ in range(self._per_clip):
                    yield self._draw(pool, rng)

    def _draw(self, pool: list[tuple[np.ndarray, ...]], rng: np.random.Generator) -> Residuals:
        rows = [pool[i] for i in rng.choice(len(pool), self._batch, replace=False)]
        residual, model, known, pitch, noise = (np.stack(part) for part in zip(*rows, strict=True))
        lookahead = np.where(rng.random(self._batch) < 0.5, 400, rng.integers(2, 20, self._batch))
        mask = known * (FRAME_OFFSETS[None, :] <= lookahead[:, None])
        arrays = (residual, model, mask, known, pitch, noise)
        return Residuals(*(torch.from_numpy(a.astype(np.float32)) for a in arrays))
