"""Events that the studio encoder refitted, stored beside the sound they were found in.

A refitted event is the best that is known of a sound: it has heard all of it. The event network, which hears
only what its lookahead allows, learns to say at once what refitting would find in the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from struck.codec.events.event_spec import ANALYSIS_RATE, VECTOR_SIZE
from struck.codec.events.profiles import PROFILES
from struck.codec.files.part_files import part_file
from struck.codec.hearing.joint.profile_encoder import make_encoder
from struck.codec.weights.codec_weights import load_codec_weights

from .sounds import CLIP_SAMPLES, SoundSampler

CLIP_SECONDS: Final = CLIP_SAMPLES / ANALYSIS_RATE
#: Clips made between two reports.
_REPORT_CLIPS: Final = 25


@dataclass(frozen=True)
class RefittedClip:
    """A clip and its events.

    Args:
        samples: ``[CLIP_SAMPLES]`` at the analysis rate.
        onset_samples: ``[E]``, ascending.
        gain_db: ``[E]``.
        vectors: ``[E, 32]``.
    """

    samples: np.ndarray
    onset_samples: np.ndarray
    gain_db: np.ndarray
    vectors: np.ndarray

    def save(self, path: Path) -> None:
        """Write it; 16 bits a sample are enough for what training hears."""
        with part_file(path) as part, part.open("wb") as file:
            np.savez(
                file,
                samples=np.round(self.samples * 32_767.0).astype(np.int16),
                onset_samples=self.onset_samples,
                gain_db=self.gain_db,
                vectors=self.vectors,
            )

    @classmethod
    def load(cls, path: Path) -> RefittedClip:
        """Read it."""
        with np.load(path) as stored:
            samples = stored["samples"].astype(np.float32) / 32_767.0
            return cls(samples, stored["onset_samples"], stored["gain_db"], stored["vectors"])


class _Maker(torch.utils.data.Dataset[int]):
    """Makes clip ``number`` when it is asked for it, in whatever process that happens."""

    def __init__(self, folder: Path, data: Path, weights: Path, numbers: list[int], seed: int) -> None:
        self._folder, self._data, self._numbers, self._seed = folder, data, numbers, seed
        self._weights = weights
        self._sampler: SoundSampler | None = None

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, place: int) -> int:
        number = self._numbers[place]
        if self._sampler is None:
            torch.set_num_threads(1)
            self._sampler = SoundSampler(self._data, self._seed + number)
        samples = self._sampler.draw()
        encoder = make_encoder(load_codec_weights(self._weights), PROFILES["studio"])
        events = encoder.process(samples) + encoder.flush()
        events.sort(key=lambda event: event.onset_seconds)
        RefittedClip(
            samples,
            np.array([round(e.onset_seconds * ANALYSIS_RATE) for e in events], np.int64),
            np.array([e.gain_db for e in events], np.float32),
            np.array([e.vector for e in events], np.float32).reshape(-1, VECTOR_SIZE),
        ).save(clip_path(self._folder, number))
        return number


def clip_path(folder: Path, number: int) -> Path:
    """Where clip ``number`` lies."""
    return folder / f"{number:05d}.npz"


def make_refitted_clips(
    folder: Path,
    data: Path,
    weights: Path,
    hours: float,
    seed: int,
    workers: int,
    report: Callable[[str], None],
) -> list[Path]:
    """Clips of ``hours`` of sound in ``folder``, with their events; those that are there stay.

    Args:
        data: as of :class:`struck.models.codec.sounds.SoundSampler`.
        weights: the codec that hears them.
        workers: processes; 0 makes them in this one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count = max(1, math.ceil(hours * 3600.0 / CLIP_SECONDS))
    missing = [number for number in range(count) if not clip_path(folder, number).is_file()]
    if missing:
        report(f"refitting the events of {len(missing)} clips, {CLIP_SECONDS:.1f} s each")
    maker = _Maker(folder, data, weights, missing, seed)
    loader: Any = torch.utils.data.DataLoader(maker, batch_size=None, num_workers=workers)
    for done, _ in enumerate(loader, 1):
        if done % _REPORT_CLIPS == 0:
            report(f"{count - len(missing) + done} of {count} clips")
    return [clip_path(folder, number) for number in range(count)]
