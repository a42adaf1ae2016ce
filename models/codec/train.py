"""Training the codec: mixtures with known truth, greedy energy on music, an adversary, refitted events.

1. *supervised*: a note inside a mixture; the decoded event is compared with the note alone.
2. *greedy*: music rendered from scores; residuals at random depths of the encoder's own greedy loop; the
   event must take energy out of the residual (arXiv 2505.05654, sec. 3, without its telescoping sum).
3. *adversarial*: a discriminator on spectrograms sees half of the events (ibid.) and must not tell them
   from music.

4. *refitted*: the studio encoder refits the events of hours of sound; the event network alone learns to read
   from what is known at first, at every lookahead and window, what refitting finds in the end.

Stages follow the clock: each gets its share of ``minutes``. A checkpoint holds everything to go on.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.hearing.event_network import FRAME_OFFSETS
from struck.codec.hearing.spectrum import HOP, mean_magnitude
from struck.codec.weights.codec_weights import load_codec_weights, save_codec_weights

from ..devices import choose_device
from ..network_trainer import Losses, NetworkTrainer, Report, Stage
from . import losses
from .adversary import Discriminator, drop_half
from .datasets import Mixtures, MixtureSampler, cached_library
from .event_encoder import EventCodec
from .event_spectrum import FRAME_STRIDE, EventSpectrum, render_together
from .refitted import make_refitted_clips
from .refitted_examples import ExampleStream, RefittedExamples
from .residuals import Residuals, ResidualStream, Scene

MEL_WEIGHT = 0.7
EMA_DECAY = 0.999
#: How much the frames count that the encoder may not see: it must guess on, but not at any price.
FUTURE_WEIGHT = 0.4
SHARE_WEIGHT = 5.0
ADVERSARIAL_WEIGHT = 0.15
#: The stages and the learning rates that they begin with.
STAGES = {"supervised": 1.5e-3, "greedy": 8e-4, "adversarial": 3e-4, "refitted": 5e-4}
#: Minutes of each stage's end, as shares of all.
STAGE_ENDS = (0.3, 0.55, 0.65, 1.0)
#: The analysis windows of the profiles, and the shares of batches that have them.
WINDOWS = {2048: 0.5, 1024: 0.25, 512: 0.25}
#: In the run's folder: the weights that the last stage began with.
_BEFORE_REFITTED = "before_refitted.safetensors"
#: How much gain, vector and onset of a refitted event count beside its sound, in dB for a mean difference of
#: 1: of vectors in their own units, of gains in units of 12 dB, of onsets in hops.
DISTANCE_WEIGHT = 2.0
BATCHES_PER_CLIP = 24


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
            yield samplers[int(chance.choice(len(samplers), p=list(WINDOWS.values())))].draw(self._batch)


def _keep(batch: Any) -> Any:
    return batch


def make_codec(start: Path | None, seed: int) -> EventCodec:
    """A new codec, or one that begins with weights."""
    if start is None:
        return EventCodec(seed=seed)
    weights = load_codec_weights(start)
    return EventCodec(weights.encoder, weights.decoder)


def make_trainer(
    folder: Path, device: str, seed: int, report: Report, start: Path | None = None
) -> NetworkTrainer[EventCodec]:
    """A trainer of a new codec, or of one that begins with the weights ``start``.

    Beside each checkpoint it writes ``folder/codec.safetensors``.
    """
    return NetworkTrainer(
        "codec",
        make_codec(start, seed).to(device),
        folder,
        report,
        decay=EMA_DECAY,
        clip=5.0,
        saved=partial(export, path=folder / "codec.safetensors", before=folder / _BEFORE_REFITTED),
        lr=STAGES["supervised"],
        weight_decay=1e-3,
    )


def export(codec: EventCodec, path: Path, before: Path | None = None) -> None:
    """Write the weights as the codec reads them.

    Args:
        codec: what was trained.
        path: where to.
        before: weights from before the last stage. Where they are, theirs stay the event network, and that of
            short windows becomes the mean of it and the trained one, which was better than either
            (docs/training.md).
    """
    decoder, encoder = (
        {name: value.detach().cpu().numpy() for name, value in weights.items()}
        for weights in (codec.decoder_weights, codec.encoder_weights)
    )
    if before is None or not before.is_file():
        save_codec_weights(path, decoder, encoder)
        return
    found = load_codec_weights(before).encoder
    mean = {name: 0.5 * (found[name] + value) for name, value in encoder.items()}
    save_codec_weights(path, decoder, found, mean)


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

    def refitted(self, codec: EventCodec, examples: RefittedExamples) -> tuple[Tensor, dict[str, float]]:
        """Residual energy and mel distance, in dB, of each event from the refitted one, and how far they are
        apart as numbers, which says which way to go where neither sounds."""
        r = RefittedExamples(*(t.to(self.device) for t in vars(examples).values()))
        n_fft = 2 * (r.target.shape[-1] - 1)
        gain_db, vectors, shift = codec(r.left, r.mask, r.pitch_midi, r.noise_like)
        tone, noise = self._spectra[n_fft](codec.decoder_weights, gain_db, vectors, shift)
        weights = self._frame_weights * r.known * (FUTURE_WEIGHT + (1.0 - FUTURE_WEIGHT) * r.mask)
        energy = losses.residual_energy_db(r.target, tone, noise, weights).mean()
        distance = losses.mel_distance_db(r.target, tone**2 + noise, weights, self._mel[n_fft]).mean()
        apart = (
            (vectors - r.vectors).abs().mean()
            + (gain_db - r.gain_db).abs().mean() / 12.0
            + (shift - r.shift_seconds).abs().mean() * (ANALYSIS_RATE / HOP)
        )
        return energy + MEL_WEIGHT * distance + DISTANCE_WEIGHT * apart, {
            "refitted_energy_db": energy.item(),
            "refitted_mel_db": distance.item(),
            "apart": apart.item(),
        }


def _loader(dataset: torch.utils.data.IterableDataset[Any], workers: int) -> Any:
    return torch.utils.data.DataLoader(
        dataset,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        collate_fn=_keep,
    )


def supervised_losses(codec: EventCodec, objectives: Objectives, mixtures: Any) -> Losses:
    """Stage 1."""
    for m in mixtures:
        yield objectives.supervised(codec, m)


def greedy_losses(codec: EventCodec, objectives: Objectives, mixtures: Any, residuals: Any) -> Losses:
    """Stage 2: residuals of music, beside the mixtures that keep pitch and onset honest."""
    for known, (unknown, _) in zip(mixtures, residuals, strict=False):
        first, a = objectives.supervised(codec, known)
        second, b = objectives.greedy(codec, unknown)
        yield 0.5 * first + second, a | b


def adversarial_losses(
    codec: EventCodec, objectives: Objectives, mixtures: Any, residuals: Any, seed: int
) -> Losses:
    """Stage 3: stage 2, and a discriminator that sees half of the events of a scene."""
    device = objectives.device
    rng = np.random.default_rng(seed)
    judges = {n: Discriminator(n).to(device) for n in WINDOWS}
    learners = {n: torch.optim.Adam(j.parameters(), 3e-4, betas=(0.5, 0.9)) for n, j in judges.items()}

    def judge_scene(scene: Scene) -> tuple[Tensor, dict[str, float]]:
        observed = scene.observed.to(device)
        n_fft = 2 * (observed.shape[-1] - 1)
        half = drop_half(len(scene.pitch_midi), rng)
        pick = torch.from_numpy(half)
        parts = (scene.residual, scene.mask, scene.pitch_midi, scene.noise_like)
        patches, mask, pitch, noise = (part[pick].to(device) for part in parts)
        gain_db, vectors, shift = codec(patches.clamp(min=0.0), mask, pitch, noise)
        start, length = scene.start_frame[pick].numpy(), scene.length[pick].numpy()
        shape = (len(observed), observed.shape[1])
        power, _ = render_together(codec.decoder_weights, shape, start, length, gain_db, vectors, shift)
        played = torch.sqrt(power + 1e-14)
        real = observed[::FRAME_STRIDE].clamp(min=0.0)
        judge, learner = judges[n_fft], learners[n_fft]
        # Hinge loss for the judge on what is there, then its opinion as the events' loss.
        against = torch.relu(1.0 - judge(real)).mean() + torch.relu(1.0 + judge(played.detach())).mean()
        learner.zero_grad()
        against.backward()
        learner.step()
        return -judge(played).mean(), {"judge": against.item()}

    for known, (unknown, scene) in zip(mixtures, residuals, strict=False):
        first, a = objectives.supervised(codec, known)
        second, b = objectives.greedy(codec, unknown)
        loss, values = 0.5 * first + second, a | b
        if scene is not None:
            opinion, c = judge_scene(scene)
            loss, values = loss + ADVERSARIAL_WEIGHT * opinion, values | c
        yield loss, values


def refitted_losses(codec: EventCodec, objectives: Objectives, mixtures: Any, examples: Any) -> Losses:
    """Stage 4: refitted events, beside the mixtures whose notes are known. The decoder stays as it is: takes
    name it, and the targets were found with it."""
    codec.decoder.requires_grad_(False)
    for known, refitted in zip(mixtures, examples, strict=False):
        first, a = objectives.supervised(codec, known)
        second, b = objectives.refitted(codec, refitted)
        yield 0.5 * first + second, a | b


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
    start: Path | None = None,
    stage: str | None = None,
    hours: float = 4.0,
    report: Report = print,
) -> Path:
    """Train all stages for ``minutes`` in all; returns the path of the exported weights.

    Args:
        data: folder with ``notes/`` and ``midi/`` and their manifests.
        folder: where checkpoint, log and weights go.
        resume: go on from the folder's checkpoint.
        device: ``auto``, ``cpu`` or ``cuda``.
        batch: examples per step; half of each kind from stage 2 on.
        workers: processes that make data; 0 makes it in this one.
        start: weights to begin with, where nothing is resumed.
        stage: only this one, for all of the minutes.
        hours: of sound whose events are refitted for the last stage, beside the minutes.

    Raises:
        StruckError: data or FluidSynth is missing, or there is nothing to resume, or there is no such
            device.
    """
    device = choose_device(device, ("cuda",))  # complex spectra were never tried on Apple's GPUs
    trainer = make_trainer(folder, device, seed, report, start)
    if resume:
        if not trainer.resume():
            raise StruckError(f"nothing to resume: {trainer.checkpoint} is missing")
        report(f"resumed at step {trainer.step}, {trainer.seconds / 60.0:.1f} minutes")
    libraries = [cached_library(folder, data, n_fft, seed, report) for n_fft in WINDOWS]
    exported, before = folder / "codec.safetensors", folder / _BEFORE_REFITTED
    if not resume:  # only now: a run without data must not take an older one's place
        before.unlink(missing_ok=True)
        trainer.save(force=True)
    half = min(workers, max(1, workers // 2))
    codec, objectives = trainer.network, Objectives(device)
    codec.train()
    for part in _parts(stage, 60.0 * minutes):
        name = part.name
        if trainer.seconds >= part.end_seconds:
            continue
        salt = seed + 1000 + trainer.step
        if name == "supervised":
            steps = supervised_losses(codec, objectives, _loader(_Stream(libraries, batch, salt), workers))
        elif name == "refitted":
            if not before.is_file():
                shutil.copyfile(exported, before)
            clips = make_refitted_clips(folder / "refitted", data, exported, hours, seed, workers, report)
            mixtures = _loader(_Stream(libraries, batch // 2, salt), half)
            examples = _loader(ExampleStream(clips, exported, WINDOWS, batch // 2, salt), half)
            steps = refitted_losses(codec, objectives, mixtures, examples)
        else:
            mixtures = _loader(_Stream(libraries, batch // 2, salt), half)
            stream = ResidualStream(data, exported, batch // 2, BATCHES_PER_CLIP, salt)
            residuals = _loader(stream, half)
            if name == "greedy":
                steps = greedy_losses(codec, objectives, mixtures, residuals)
            else:
                steps = adversarial_losses(codec, objectives, mixtures, residuals, seed)
        trainer.run(part, steps)
    return exported


def _parts(stage: str | None, seconds: float) -> Iterator[Stage]:
    """The stages with their shares of the time; or one stage, with all of it."""
    begin = 0.0
    for (name, rate), share in zip(STAGES.items(), STAGE_ENDS, strict=True):
        if stage is None:
            yield Stage(name, rate, begin, seconds * share)
            begin = seconds * share
        elif name == stage:
            yield Stage(name, rate, 0.0, seconds)
