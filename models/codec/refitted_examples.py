"""Examples for the last stage of training: what is left of a sound where a refitted event begins; that event.

The other events of a clip are taken away as the encoder would have taken them: those before as they sound,
those that begin with it if they are stronger, now and then one that comes later.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from struck.codec.events.event_spec import ANALYSIS_RATE, INDEX
from struck.codec.hearing.event_frames import FRAMES_BEFORE, EventFrames
from struck.codec.hearing.event_network import FRAME_OFFSETS
from struck.codec.hearing.spectrum import HOP, frames_to_magnitudes, mean_magnitude
from struck.codec.weights.codec_weights import load_codec_weights

from .datasets import draw_lookaheads
from .refitted import RefittedClip

POOL_SIZE: Final = 900
#: Of a proposal of noise, which has none (MIDI).
_NOISE_PITCH: Final = 60.0
_PER_CLIP: Final = 24
#: Hops within which two onsets count as one.
_TOGETHER: Final = 3
#: Chances that another event is taken away: heard before, beginning with this one and stronger, or weaker,
#: and coming later.
_BEFORE, _STRONGER, _WEAKER, _LATER = 0.93, 0.7, 0.1, 0.15
#: The chance that an event that is mostly noise is proposed as noise.
_NOISE_PROPOSAL: Final = 0.8


@dataclass(frozen=True)
class RefittedExamples:
    """A batch. E example, T frame offset, F bin."""

    left: Tensor  # [E, T, F] residual magnitudes
    mask: Tensor  # [E, T] 1 where the encoder may look
    known: Tensor  # [E, T] 1 where the clip has sound
    pitch_midi: Tensor  # [E] proposed
    noise_like: Tensor  # [E]
    target: Tensor  # [E, T, F] magnitudes of the refitted event
    gain_db: Tensor  # [E] refitted
    vectors: Tensor  # [E, 32]
    shift_seconds: Tensor  # [E] of its onset from the proposed frame's centre


class ExampleSampler:
    """Draws batches of one window length from clips; seeded, endless.

    Args:
        paths: of clips.
        weights: path of the codec whose decoder renders the events.
        n_fft: the window.
        batch: examples per batch.
    """

    def __init__(self, paths: list[Path], weights: Path, n_fft: int, batch: int, seed: int) -> None:
        self._paths, self._batch, self._n_fft = paths, batch, n_fft
        self._rng = np.random.default_rng(seed)
        self._frames = EventFrames(load_codec_weights(weights).decoder, n_fft)
        self._pool: list[tuple[Any, ...]] = []

    def draw(self) -> RefittedExamples:
        """A batch; a fresh clip goes into the pool before each."""
        fresh = True
        while fresh or len(self._pool) < self._batch:
            self._add_clip(RefittedClip.load(self._paths[int(self._rng.integers(len(self._paths)))]))
            fresh = False
        chosen = self._rng.choice(len(self._pool), self._batch, replace=False)
        columns = zip(*(self._pool[i] for i in chosen), strict=True)
        left, known, pitch, noise, target, gain, vectors, shift = (
            np.stack(column).astype(np.float32) for column in columns
        )
        ahead = draw_lookaheads(self._n_fft, self._batch, self._rng)
        mask = known * (FRAME_OFFSETS[None, :] <= ahead[:, None])
        arrays = (left, mask, known, pitch, noise, target, gain, vectors, shift)
        return RefittedExamples(*(torch.from_numpy(a.astype(np.float32)) for a in arrays))

    def _add_clip(self, clip: RefittedClip) -> None:
        rng, count = self._rng, len(clip.gain_db)
        if count == 0:
            return
        half = self._n_fft // 2
        padded = np.pad(clip.samples, (half, half))
        view = np.lib.stride_tricks.sliding_window_view(padded, self._n_fft)
        observed = frames_to_magnitudes(view[::HOP])
        frame = np.round(clip.onset_samples / HOP).astype(int)
        shift = ((clip.onset_samples - frame * HOP) / ANALYSIS_RATE).astype(np.float32)
        rendered = self._frames.render(clip.gain_db, clip.vectors, shift)
        energy = np.array([float((tone**2 + noise).sum()) for tone, noise in rendered])
        for e in rng.choice(count, min(_PER_CLIP, count), replace=False):
            off = int(rng.choice((-1, 0, 1), p=(0.2, 0.6, 0.2)))
            rows = frame[e] + off + FRAME_OFFSETS
            known = (rows >= 0) & (rows < len(observed))
            here = observed[np.clip(rows, 0, len(observed) - 1)] * known[:, None]
            late = frame - frame[e]
            together = np.abs(late) <= _TOGETHER
            simultaneous = np.where(energy > energy[e], _STRONGER, _WEAKER)
            chance = np.where(together, simultaneous, np.where(late < 0, _BEFORE, _LATER))
            taken = (rng.random(count) < chance) & (np.arange(count) != e)
            power, fourth = np.zeros_like(here), np.zeros_like(here)
            for other in np.flatnonzero(taken):
                tone, noise = _rows_of(rendered[other], rows - frame[other])
                square = tone * tone
                power += square + noise
                fourth += square * square
            left = np.maximum(here - mean_magnitude(power, fourth, np), 0.0)
            tone, noise = _rows_of(rendered[e], rows - frame[e])
            noisy = float(noise.sum()) > float((tone * tone).sum()) and rng.random() < _NOISE_PROPOSAL
            pitch = 72.0 + 60.0 * float(clip.vectors[e, INDEX["pitch"]])
            example = (
                left.astype(np.float16),
                known,
                np.float32(_NOISE_PITCH if noisy else pitch + np.clip(rng.normal(0.0, 0.15), -0.45, 0.45)),
                np.float32(noisy),
                np.sqrt(tone * tone + noise).astype(np.float16),
                clip.gain_db[e],
                clip.vectors[e],
                np.float32(shift[e] - off * HOP / ANALYSIS_RATE),
            )
            if len(self._pool) < POOL_SIZE:
                self._pool.append(example)
            else:
                self._pool[int(rng.integers(POOL_SIZE))] = example


def _rows_of(rendered: tuple[np.ndarray, np.ndarray], since: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tone and noise of an event ``since`` hops after its onset's frame, 0 where it does not sound."""
    tone, noise = rendered
    place = since + FRAMES_BEFORE
    inside = ((place >= 0) & (place < len(tone)))[:, None]
    place = np.clip(place, 0, len(tone) - 1)
    return tone[place] * inside, noise[place] * inside


class ExampleStream(torch.utils.data.IterableDataset[RefittedExamples]):
    """Batches drawn in worker processes, each with its own seed; the windows come by ``shares``."""

    def __init__(
        self, paths: list[Path], weights: Path, shares: dict[int, float], batch: int, seed: int
    ) -> None:
        self._paths, self._weights, self._shares = paths, weights, shares
        self._batch, self._seed = batch, seed

    def __iter__(self) -> Iterator[RefittedExamples]:
        info = torch.utils.data.get_worker_info()
        torch.set_num_threads(1)
        seed = self._seed + (info.id if info else 0)
        samplers = {n: ExampleSampler(self._paths, self._weights, n, self._batch, seed) for n in self._shares}
        chance = np.random.default_rng(seed)
        windows, shares = list(self._shares), list(self._shares.values())
        while True:
            yield samplers[int(chance.choice(windows, p=shares))].draw()
