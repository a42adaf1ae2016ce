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

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.events.profiles import PROFILES, Profile
from struck.codec.hearing.encoder import EncoderObserver, Step, StreamingEncoder
from struck.codec.hearing.event_network import FRAME_OFFSETS
from struck.codec.hearing.proposals import Proposals
from struck.codec.hearing.spectrum import mean_magnitude
from struck.codec.weights.codec_weights import load_codec_weights

from .music import MusicSampler
from .notes import load_recorded_notes

POOL_SIZE = 1500
#: Samples kept of each round: of 24 proposals most resemble one another.
KEPT_PER_ROUND = 3


#: The studio profile's reach with the short window of the tight one: its future is known, only masked.
_SHORT = Profile("short window", 131_072, 65_536, 1024, 34.0, 16.0, 24, 0)
SHORT_SHARE = 0.25


@dataclass(frozen=True)
class Residuals:
    """Proposals in their residuals. E sample, T frame offset, F bin."""

    observed: Tensor  # [E, T, F] magnitudes
    power: Tensor  # [E, T, F] what earlier events already explain, see spectrum.mean_magnitude
    fourth: Tensor  # [E, T, F]
    mask: Tensor  # [E, T] 1 where the encoder may look
    known: Tensor  # [E, T] 1 where the residual is known at all
    pitch_midi: Tensor  # [E]
    noise_like: Tensor  # [E]


@dataclass(frozen=True)
class Scene:
    """A hop of music and the proposals that became its events. E event, T frame offset, W window frame."""

    observed: Tensor  # [W, F] magnitudes
    residual: Tensor  # [E, T, F] as each event's proposal saw it
    mask: Tensor  # [E, T]
    pitch_midi: Tensor  # [E]
    noise_like: Tensor  # [E]
    start_frame: Tensor  # [E] row of ``observed`` in which each event's frames begin
    length: Tensor  # [E] frames


class _Collector(EncoderObserver):
    def __init__(self, rng: np.random.Generator) -> None:
        self.samples: list[tuple[np.ndarray, ...]] = []
        self.scenes: list[Scene] = []
        self._rng = rng
        self._rounds: list[tuple[np.ndarray, ...]] = []
        self._steps: list[Step] = []
        self._observed = np.zeros((0, 0), np.float32)

    def on_event(self, step: Step) -> None:
        self._steps.append(step)

    def end_hop(self) -> None:
        """Turn what was accepted since the last call into a scene."""
        if len(self._steps) >= 2:
            rows = [tuple(part[s.proposal] for part in self._rounds[s.round]) for s in self._steps]
            residual, mask, pitch, noise = (np.stack(part) for part in zip(*rows, strict=True))
            self.scenes.append(
                Scene(
                    torch.from_numpy(self._observed),
                    torch.from_numpy(residual.astype(np.float32)),
                    torch.from_numpy(mask.astype(np.float32)),
                    torch.from_numpy(pitch),
                    torch.from_numpy(noise),
                    torch.tensor([s.start_frame for s in self._steps]),
                    torch.tensor([s.frame_count for s in self._steps]),
                )
            )
        self._rounds.clear()
        self._steps.clear()

    def on_round(self, observed: np.ndarray, power: np.ndarray, fourth: np.ndarray, found: Proposals) -> None:
        self._observed = observed.copy()
        residual = np.maximum(observed - mean_magnitude(power, fourth, np), 0.0)
        index = found.frame[:, None] + FRAME_OFFSETS
        inside = (index >= 0) & (index < len(residual))
        patches = (residual[np.clip(index, 0, len(residual) - 1)] * inside[..., None]).astype(np.float16)
        self._rounds.append((patches, inside, found.pitch_midi, found.noise_like))
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
                    (observed[index] * keep).astype(np.float16),
                    # as amplitudes: half precision has no room for fourth powers
                    (np.sqrt(power[index]) * keep).astype(np.float16),
                    (fourth[index] ** 0.25 * keep).astype(np.float16),
                    known.astype(np.float32),
                    found.pitch_midi[i],
                    found.noise_like[i],
                )
            )


class ResidualStream(torch.utils.data.IterableDataset[tuple[Residuals, Scene | None]]):
    """Batches of residuals, drawn in worker processes; with each, now and then, a whole scene.

    Args:
        data: training data folder.
        weights: path of the weights, read again for each clip, so that the pool follows the training.
        batch: samples per batch.
        per_clip: batches drawn between two clips.
    """

    def __init__(self, data: Path, weights: Path, batch: int, per_clip: int, seed: int) -> None:
        self._data, self._weights = data, weights
        self._batch, self._per_clip, self._seed = batch, per_clip, seed

    def __iter__(self) -> Iterator[tuple[Residuals, Scene | None]]:
        info = torch.utils.data.get_worker_info()
        torch.set_num_threads(1)
        rng = np.random.default_rng(self._seed + (info.id if info else 0))
        music = MusicSampler(self._data, load_recorded_notes(self._data), int(rng.integers(1 << 31)))
        pools: dict[int, list[tuple[np.ndarray, ...]]] = {}
        while True:
            profile = _SHORT if rng.random() < SHORT_SHARE else PROFILES["studio"]
            pool = pools.setdefault(profile.n_fft, [])
            collector = _Collector(rng)
            encoder = StreamingEncoder(load_codec_weights(self._weights), profile, collector)
            clip = music.draw()
            start = int(rng.integers(0, len(clip) - 9 * ANALYSIS_RATE))
            for hop in np.array_split(clip[start : start + 9 * ANALYSIS_RATE], 3):
                encoder.process(hop)
                collector.end_hop()
            for sample in collector.samples:
                if len(pool) < POOL_SIZE:
                    pool.append(sample)
                else:
                    pool[int(rng.integers(POOL_SIZE))] = sample
            if len(pool) >= self._batch:
                for i in range(self._per_clip):
                    scene = collector.scenes[i] if i < len(collector.scenes) else None
                    yield self._draw(pool, rng), scene

    def _draw(self, pool: list[tuple[np.ndarray, ...]], rng: np.random.Generator) -> Residuals:
        rows = [pool[i] for i in rng.choice(len(pool), self._batch, replace=False)]
        observed, root, fourth_root, known, pitch, noise = (
            np.stack(part).astype(np.float32) for part in zip(*rows, strict=True)
        )
        lookahead = np.where(rng.random(self._batch) < 0.5, 400, rng.integers(2, 20, self._batch))
        mask = known * (FRAME_OFFSETS[None, :] <= lookahead[:, None])
        arrays = (observed, root**2, fourth_root**4, mask, known, pitch, noise)
        return Residuals(*(torch.from_numpy(a.astype(np.float32)) for a in arrays))
