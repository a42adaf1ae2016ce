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

from struck.codec.errors import StruckError
from struck.codec.event_network import FRAME_OFFSETS
from struck.codec.part_files import part_file
from struck.codec.spectrum import mean_magnitude
from struck.codec.weights import save_codec_weights

from . import losses
from .adversary import Discriminator, drop_half
from .datasets import Mixtures, MixtureSampler, cached_library
from .event_encoder import EventCodec
from .event_spectrum import FRAME_STRIDE, EventSpectrum, render_together
from .residuals import SHORT_SHARE, Residuals, ResidualStream, Scene

CHECKPOINT_SECONDS = 180.0
MEL_WEIGHT = 0.7
EMA_DECAY = 0.999
#: How much the frames count that the encoder may not see: it must guess on, but not at any price.
FUTURE_WEIGHT = 0.4
SHARE_WEIGHT = 5.0
ADVERSARIAL_WEIGHT = 0.15
#: Minutes of each stage's end, as shares of all.
STAGE_ENDS = (0.45, 0.85, 1.0)
#: The analysis windows of the profiles.
WINDOWS = (2048, 1024)
BATCHES_PER_CLIP = 24
LOG_STEPS = 100

Report = Callable[[str], None]


class _Stream(torch.utils.data.IterableDataset[Mixtures]):
    """Batches drawn in worker processes, each with its own seed."""

    def __init__(self, libraries: list[dict[str, np.ndarray]], batch: int, seed: int) -> None:
        self._libraries, self._batch, self._seed = libraries, batch, seed

    def __iter__(self) -> Iterator[Mixtures]:
        info = torch.utils.data.get_worker_info()
        torch.set_num_threads(1)
        seed = self._seed + (info.id if info else 0)
        samplers = [MixtureSampler(library, seed) for library in self._libraries]
        chance = np.random.default_rng(seed)
        while True:
            short = len(samplers) > 1 and chance.random() < SHORT_SHARE
            yield samplers[1 if short else 0].draw(self._batch)


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
        with part_file(self.folder / "checkpoint.pt") as beside:
            torch.save(state, beside)
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


class Objectives:
    """The losses of the stages, for both window lengths."""

    def __init__(self, device: str) -> None:
        self.device = device
        self._frame_weights = losses.frame_weights().to(device)
        self._spectra = {n: EventSpectrum(FRAME_OFFSETS, n, device) for n in WINDOWS}
        self._mel = {n: losses.mel_matrix(n).to(device) for n in WINDOWS}

    def supervised(self, codec: EventCodec, mixtures: Mixtures) -> tuple[Tensor, dict[str, float]]:
        """Residual energy and mel distance, in dB, of each event from the note alone."""
        m = Mixtures(*(t.to(self.device) for t in vars(mixtures).values()))
        n_fft = 2 * (m.target.shape[-1] - 1)
        gain_db, vectors, shift = codec(m.mixture, m.mask, m.pitch_midi, m.noise_like)
        tone, noise = self._spectra[n_fft](codec.decoder_weights, gain_db, vectors, shift)
        weights = self._frame_weights * (FUTURE_WEIGHT + (1.0 - FUTURE_WEIGHT) * m.mask)
        energy = losses.residual_energy_db(m.target, tone, noise, weights).mean()
        distance = losses.mel_distance_db(m.target, tone**2 + noise, weights, self._mel[n_fft]).mean()
        return energy + MEL_WEIGHT * distance, {"energy_db": energy.item(), "mel_db": distance.item()}

    def greedy(self, codec: EventCodec, residuals: Residuals) -> tuple[Tensor, dict[str, float]]:
        """Share of its own energy that each event takes out of the residual, and mel distance to the sound.

        An event that matches takes exactly its own energy, 1; one that misses takes less than nothing. The
        norm is held fixed, or the cheapest way to a good share would be to fall silent.
        """
        r = Residuals(*(t.to(self.device) for t in vars(residuals).values()))
        n_fft = 2 * (r.observed.shape[-1] - 1)
        modelled = mean_magnitude(r.power, r.fourth, torch)
        left = (r.observed - modelled).clamp(min=0.0)
        gain_db, vectors, shift = codec(left, r.mask, r.pitch_midi, r.noise_like)
        tone, noise = self._spectra[n_fft](codec.decoder_weights, gain_db, vectors, shift)
        weights = self._frame_weights * r.known * (FUTURE_WEIGHT + (1.0 - FUTURE_WEIGHT) * r.mask)
        w = weights[..., None]
        added = tone**2 + noise
        together = mean_magnitude(r.power + added, r.fourth + tone**4, torch)
        before = (w * (r.observed - modelled) ** 2).sum((1, 2))
        removed = (w * (2.0 * r.observed * (together - modelled) - added)).sum((1, 2))
        own = (w * added).sum((1, 2)).detach()
        share = (removed / (own + 0.02 * before + 1e-12)).clamp(min=-4.0).mean()
        distance = losses.mel_distance_db(r.observed, r.power + added, weights, self._mel[n_fft]).mean()
        return MEL_WEIGHT * distance - SHARE_WEIGHT * share, {
            "share": share.item(),
            "removed": (removed / (before + 1e-12)).mean().item(),
            "sound_mel_db": distance.item(),
        }


def _mean(rows: list[dict[str, float]]) -> dict[str, float]:
    names = {name for row in rows for name in row}
    return {n: round(float(np.mean([row[n] for row in rows if n in row])), 3) for n in sorted(names)}


def _run(
    trainer: Trainer,
    stage: str,
    until_seconds: float,
    peak_rate: float,
    losses_of: Iterator[tuple[Tensor, dict[str, float]]],
) -> None:
    """Step on the losses that ``losses_of`` yields until the trainer's clock shows ``until_seconds``."""
    began = trainer.seconds
    rows: list[dict[str, float]] = []
    clock = time.monotonic()
    for loss, values in losses_of:
        progress = (trainer.seconds - began) / max(1.0, until_seconds - began)
        trainer.update(loss, learning_rate(peak_rate, progress))
        rows.append(values)
        now = time.monotonic()
        trainer.seconds += now - clock
        clock = now
        if len(rows) == LOG_STEPS:
            trainer.log(stage=stage, **_mean(rows))
            rows.clear()
        trainer.save()
        if trainer.seconds >= until_seconds:
            break
    trainer.save(force=True)


def _loader(dataset: torch.utils.data.IterableDataset[Any], workers: int) -> Any:
    return torch.utils.data.DataLoader(
        dataset,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        collate_fn=_keep,
    )


def train_supervised(trainer: Trainer, mixtures: Any, until_seconds: float) -> None:
    """Stage 1, until the trainer's clock shows ``until_seconds``."""
    objectives = Objectives(trainer.device)
    trainer.codec.train()
    steps = (objectives.supervised(trainer.codec, m) for m in mixtures)
    _run(trainer, "supervised", until_seconds, 1.5e-3, steps)


def train_greedy(trainer: Trainer, mixtures: Any, residuals: Any, until_seconds: float) -> None:
    """Stage 2: residuals of music, beside the mixtures that keep pitch and onset honest."""
    objectives = Objectives(trainer.device)
    trainer.codec.train()

    def steps() -> Iterator[tuple[Tensor, dict[str, float]]]:
        for known, (unknown, _) in zip(mixtures, residuals, strict=False):
            first, a = objectives.supervised(trainer.codec, known)
            second, b = objectives.greedy(trainer.codec, unknown)
            yield 0.5 * first + second, a | b

    _run(trainer, "greedy", until_seconds, 8e-4, steps())


def train_adversarial(
    trainer: Trainer, mixtures: Any, residuals: Any, until_seconds: float, seed: int
) -> None:
    """Stage 3: stage 2, and a discriminator that sees half of the events of a scene."""
    objectives = Objectives(trainer.device)
    trainer.codec.train()
    rng = np.random.default_rng(seed)
    judges = {n: Discriminator(n).to(trainer.device) for n in WINDOWS}
    learners = {n: torch.optim.Adam(j.parameters(), 3e-4, betas=(0.5, 0.9)) for n, j in judges.items()}

    def judge_scene(scene: Scene) -> tuple[Tensor, dict[str, float]]:
        observed = scene.observed.to(trainer.device)
        n_fft = 2 * (observed.shape[-1] - 1)
        half = drop_half(len(scene.pitch_midi), rng)
        pick = torch.from_numpy(half)
        parts = (scene.residual, scene.mask, scene.pitch_midi, scene.noise_like)
        patches, mask, pitch, noise = (part[pick].to(trainer.device) for part in parts)
        gain_db, vectors, shift = trainer.codec(patches.clamp(min=0.0), mask, pitch, noise)
        start, length = scene.start_frame[pick].numpy(), scene.length[pick].numpy()
        shape = (len(observed), observed.shape[1])
        weights = trainer.codec.decoder_weights
        power, _ = render_together(weights, shape, start, length, gain_db, vectors, shift)
        played = torch.sqrt(power + 1e-14)
        real = observed[::FRAME_STRIDE].clamp(min=0.0)
        judge, learner = judges[n_fft], learners[n_fft]
        # Hinge loss for the judge on what is there, then its opinion as the events' loss.
        against = torch.relu(1.0 - judge(real)).mean() + torch.relu(1.0 + judge(played.detach())).mean()
        learner.zero_grad()
        against.backward()
        learner.step()
        return -judge(played).mean(), {"judge": against.item()}

    def steps() -> Iterator[tuple[Tensor, dict[str, float]]]:
        for known, (unknown, scene) in zip(mixtures, residuals, strict=False):
            first, a = objectives.supervised(trainer.codec, known)
            second, b = objectives.greedy(trainer.codec, unknown)
            loss, values = 0.5 * first + second, a | b
            if scene is not None:
                opinion, c = judge_scene(scene)
                loss, values = loss + ADVERSARIAL_WEIGHT * opinion, values | c
            yield loss, values

    _run(trainer, "adversarial", until_seconds, 3e-4, steps())


def train(
    data: Path,
    minutes: float,
    *,
    folder: Path = Path("runs/codec"),
    resume: bool = False,
    device: str = "auto",
    seed: int = 0,
    batch: int = 48,
    workers: int = 2,
    report: Report = print,
) -> Path:
    """Train all stages for ``minutes`` in all; returns the path of the exported weights.

    Args:
        data: folder with ``notes/`` and ``midi/`` and their manifests.
        folder: where checkpoint, log and weights go.
        resume: go on from the folder's checkpoint.
        device: ``auto``, ``cpu`` or ``cuda``.
        batch: examples per step; half of each kind from stage 2 on.
        workers: processes that make data.

    Raises:
        StruckError: data or FluidSynth is missing, or there is nothing to resume, or CUDA is asked for and
            there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise StruckError("no CUDA device is available")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    trainer = Trainer(folder, device, seed, report)
    if resume:
        if not trainer.resume():
            raise StruckError(f"nothing to resume: {folder / 'checkpoint.pt'} is missing")
        report(f"resumed at step {trainer.step}, {trainer.seconds / 60.0:.1f} minutes")
    else:
        trainer.save(force=True)
    ends = [60.0 * minutes * share for share in STAGE_ENDS]
    libraries = [cached_library(folder, data, n_fft, seed, report) for n_fft in WINDOWS]
    exported = folder / "codec.safetensors"
    salt = seed + 1000 + trainer.step
    if trainer.seconds < ends[0]:
        train_supervised(trainer, _loader(_Stream(libraries, batch, salt), workers), ends[0])
    for stage, end in (("greedy", ends[1]), ("adversarial", ends[2])):
        if trainer.seconds >= end:
            continue
        mixtures = _loader(_Stream(libraries, batch // 2, salt + trainer.step), max(1, workers // 2))
        stream = ResidualStream(data, exported, batch // 2, BATCHES_PER_CLIP, salt + trainer.step)
        residuals = _loader(stream, max(1, workers // 2))
        if stage == "greedy":
            train_greedy(trainer, mixtures, residuals, end)
        else:
            train_adversarial(trainer, mixtures, residuals, end, seed)
    return exported
