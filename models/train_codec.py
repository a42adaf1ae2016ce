"""Training the codec: mixtures with known truth, then greedy energy on music, then an adversary.

1. *supervised*: a note inside a mixture; the decoded event is compared with the note alone.
2. *greedy*: music rendered from scores; residuals at random depths of the encoder's own greedy loop; the
   event must take energy out of the residual (arXiv 2505.05654, sec. 3, without its telescoping sum).
3. *adversarial*: a discriminator on spectrograms sees half of the events (ibid.) and must not tell them
   from music.

Stages follow the clock: each gets its share of ``minutes``. A checkpoint holds everything to go on.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from struck.codec.event_network import FRAME_OFFSETS
from struck.codec.weights import save_codec_weights

from . import losses
from .datasets import MixtureSampler, Mixtures, build_library
from .event_encoder import EventCodec
from .event_spectrum import EventSpectrum

CHECKPOINT_SECONDS = 180.0
MEL_WEIGHT = 0.7
EMA_DECAY = 0.999
#: How much the frames count that the encoder may not see: it must guess on, but not at any price.
FUTURE_WEIGHT = 0.4

Report = Callable[[str], None]


class _Stream(torch.utils.data.IterableDataset[Mixtures]):
    """Batches drawn in worker processes, each with its own seed."""

    def __init__(self, library: dict[str, np.ndarray], batch: int, seed: int) -> None:
        self._library, self._batch, self._seed = library, batch, seed

    def __iter__(self) -> Iterator[Mixtures]:
        info = torch.utils.data.get_worker_info()
        torch.set_num_threads(1)
        sampler = MixtureSampler(self._library, self._seed + (info.id if info else 0))
        while True:
            yield sampler.draw(self._batch)


def _keep(batch: Any) -> Any:
    return batch


class Trainer:
    """Parameters, their moving average, optimiser and clock; saves and resumes.

    Args:
        folder: where checkpoint, log and exported weights go.
        device: torch device.
    """

    def __init__(self, folder: Path, device: str, seed: int, report: Report) -> None:
        self.folder, self.device, self.report = folder, device, report
        self.codec = EventCodec(seed=seed).to(device)
        self.average = EventCodec(seed=seed).to(device)
        self.optimizer = torch.optim.AdamW(self.codec.parameters(), 1.5e-3, weight_decay=1e-3)
        self.step = 0
        self.seconds = 0.0
        self._last_save = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)

    def update(self, loss: Tensor, rate: float) -> None:
        """One optimiser step on ``loss`` at learning rate ``rate``."""
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.codec.parameters(), 5.0)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.step += 1
        decay = min(EMA_DECAY, (1.0 + self.step) / (10.0 + self.step))
        with torch.no_grad():
            for kept, new in zip(self.average.parameters(), self.codec.parameters(), strict=True):
                kept.lerp_(new, 1.0 - decay)

    def log(self, **values: Any) -> None:
        """One JSON line in the log and on the report."""
        line = json.dumps({"step": self.step, "minutes": round(self.seconds / 60.0, 2), **values})
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(line + "\n")
        self.report(line)

    def save(self, force: bool = False) -> None:
        """Checkpoint and weights, every few minutes or when forced."""
        if not force and time.monotonic() - self._last_save < CHECKPOINT_SECONDS:
            return
        self._last_save = time.monotonic()
        state = {
            "codec": self.codec.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }
        beside = self.folder / "checkpoint.pt.part"
        torch.save(state, beside)
        beside.replace(self.folder / "checkpoint.pt")
        self.export(self.folder / "codec.safetensors")

    def export(self, path: Path) -> None:
        """The averaged weights as the codec reads them."""
        arrays = [
            {name: value.detach().cpu().numpy() for name, value in weights.items()}
            for weights in (self.average.decoder_weights, self.average.encoder_weights)
        ]
        save_codec_weights(path, arrays[0], arrays[1])

    def resume(self) -> bool:
        """Go on from the folder's checkpoint; false where there is none."""
        path = self.folder / "checkpoint.pt"
        if not path.is_file():
            return False
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.codec.load_state_dict(state["codec"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]
        return True


def learning_rate(peak: float, progress: float, warm: float = 0.02) -> float:
    """Warm-up, then cosine to a fiftieth; ``progress`` in 0..1."""
    if progress < warm:
        return peak * (0.05 + 0.95 * progress / warm)
    return peak * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress))))


def train_supervised(
    trainer: Trainer, data: Path, until_seconds: float, seed: int, batch: int, workers: int
) -> None:
    """Stage 1, until the trainer's clock shows ``until_seconds``."""
    library = build_library(data, 2048, seed, 0, trainer.report)
    loader = torch.utils.data.DataLoader(
        _Stream(library, batch, seed + 1000 + trainer.step),
        batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None, collate_fn=_keep,
    )
    spectrum = EventSpectrum(FRAME_OFFSETS, 2048, trainer.device)
    frame_weights = losses.frame_weights().to(trainer.device)
    matrix = losses.mel_matrix(2048).to(trainer.device)
    trainer.codec.train()
    running: list[tuple[float, float]] = []
    clock = time.monotonic()
    for mixtures in loader:
        m = Mixtures(*(t.to(trainer.device) for t in vars(mixtures).values()))
        gain_db, vectors, shift = trainer.codec(m.mixture, m.mask, m.pitch_midi, m.noise_like)
        decoded = spectrum(trainer.codec.decoder_weights, gain_db, vectors, shift)
        weights = frame_weights * (FUTURE_WEIGHT + (1.0 - FUTURE_WEIGHT) * m.mask)
        energy = losses.residual_energy_db(m.target, decoded, weights)
        distance = losses.mel_distance_db(m.target, decoded, weights, matrix)
        trainer.update(
            (energy + MEL_WEIGHT * distance).mean(), learning_rate(1.5e-3, trainer.seconds / until_seconds)
        )
        running.append((float(energy.mean()), float(distance.mean())))
        now = time.monotonic()
        trainer.seconds += now - clock
        clock = now
        if len(running) == 200:
            mean = np.mean(running, 0)
            trainer.log(stage="supervised", energy_db=round(mean[0], 3), mel_db=round(mean[1], 3))
            running.clear()
        trainer.save()
        if trainer.seconds >= until_seconds:
            break
    trainer.save(force=True)
