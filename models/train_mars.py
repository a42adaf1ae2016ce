"""Training MARS: data, then the tokenizer, then the transformer over its tokens.

Each stage has its share of the minutes and its own checkpoint, so that one may be trained on while the other
stays. Gradients flow in float32 on CPUs, where bfloat16 was measured to be slower, and in bfloat16 on GPUs.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from struck.codec.part_files import part_file

from .condition_inputs import BINS, FRAMES, ConditionBatch, batch_conditions
from .mars_spectrum import FLOOR_DB, MARS_FRAMES
from .phrase_data import PhraseData
from .quantizer import SCALES
from .tokenizer import Tokenizer, TokenizerSizes

CHECKPOINT_SECONDS: Final = 180.0
LOG_STEPS: Final = 50
AVERAGE_DECAY: Final = 0.998
BATCH: Final = 16
TOKENIZER_RATE: Final = 1.5e-3
#: How often a batch is told by its coarse scales alone, so that they must say most.
COARSE_SHARE: Final = 0.15
#: What a bin of -80 dB counts, beside one of 0 dB: what is loud is heard.
QUIET_WEIGHT: Final = 0.25

Report = Callable[[str], None]


class SpectrogramMaker(nn.Module):
    """int16 [B, N] to spectrograms [B, BINS, FRAMES] in units of 0 (-80 dB) to 1 (0 dB, a full scale)."""

    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(MARS_FRAMES.window_samples))

    def forward(self, audio: Tensor) -> Tensor:
        samples = audio.float() / 32768.0
        spectrum = torch.stft(
            samples,
            MARS_FRAMES.window_samples,
            MARS_FRAMES.hop_samples,
            window=self.window,
            pad_mode="constant",
            return_complex=True,
        )[:, :BINS, :FRAMES]
        power = (spectrum.abs() * (2.0 / self.window.sum())).square()
        # The soft floor of magnitude_to_db, whose twin this is.
        return 1.0 - 10.0 / FLOOR_DB * torch.log10(power + 10.0 ** (FLOOR_DB / 10.0))


class StageTrainer:
    """One network, its moving average, optimiser and clock; saves and resumes.

    Args:
        name: of checkpoint and log in ``folder``.
        minutes: the rate falls as a cosine to a fiftieth over them.
    """

    def __init__(
        self, name: str, network: nn.Module, rate: float, folder: Path, minutes: float, report: Report
    ) -> None:
        self.name, self.network, self.folder, self.report = name, network, folder, report
        self.rate, self.minutes = rate, minutes
        self.optimizer = torch.optim.AdamW(network.parameters(), rate, betas=(0.9, 0.98), weight_decay=0.02)
        self.average = [p.detach().clone() for p in network.parameters()]
        self.step, self.seconds = 0, 0.0
        self._last_save = time.monotonic()
        self._sums: dict[str, float] = {}
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def checkpoint(self) -> Path:
        return self.folder / f"{self.name}.pt"

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one."""
        if not self.checkpoint.is_file():
            return
        state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        for kept, saved in zip(self.average, state["average"], strict=True):
            kept.copy_(saved)
        self.step, self.seconds = state["step"], state["seconds"]

    def save(self, force: bool = False) -> None:
        """Write the checkpoint, every few minutes or when forced."""
        if not force and time.monotonic() - self._last_save < CHECKPOINT_SECONDS:
            return
        self._last_save = time.monotonic()
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average,
            "step": self.step,
            "seconds": self.seconds,
        }
        with part_file(self.checkpoint) as part:
            torch.save(state, part)

    def use_average(self) -> None:
        """The moving average becomes the network's parameters."""
        with torch.no_grad():
            for parameter, kept in zip(self.network.parameters(), self.average, strict=True):
                parameter.copy_(kept)

    def run(self, losses: Iterator[dict[str, Tensor]]) -> None:
        """Step on each loss (``"loss"``; other entries are logged) until the minutes are over."""
        while self.seconds < 60.0 * self.minutes:
            begun = time.monotonic()
            done = min(1.0, self.seconds / (60.0 * self.minutes))
            warm = min(1.0, (self.step + 1) / 100.0)
            rate = self.rate * warm * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * done)))
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            values = next(losses)
            self.optimizer.zero_grad()
            values["loss"].backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()
            self.step += 1
            decay = min(AVERAGE_DECAY, (1.0 + self.step) / (10.0 + self.step))
            with torch.no_grad():
                for kept, new in zip(self.average, self.network.parameters(), strict=True):
                    kept.lerp_(new, 1.0 - decay)
            self.seconds += time.monotonic() - begun
            self._log({name: float(value.detach()) for name, value in values.items()})
            self.save()
        self.save(force=True)

    def _log(self, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value / LOG_STEPS
        if self.step % LOG_STEPS:
            return
        entries: dict[str, Any] = {"step": self.step, "minutes": round(self.seconds / 60.0, 2)}
        line = json.dumps({**entries, **{name: round(value, 5) for name, value in self._sums.items()}})
        with (self.folder / f"{self.name}.jsonl").open("a") as file:
            file.write(line + "\n")
        self.report(f"{self.name} {line}")
        self._sums = {}


class ClipBatches:
    """Batches of clips and their conditions, shuffled; seeded, endless."""

    def __init__(self, data: PhraseData, rows: np.ndarray, device: str, seed: int) -> None:
        self.data, self.rows, self.device = data, rows, device
        self.rng = np.random.default_rng(seed)

    def __iter__(self) -> Iterator[tuple[Tensor, ConditionBatch]]:
        """int16 [BATCH, N] and their conditions."""
        while True:
            order = self.rng.permutation(self.rows)
            for first in range(0, len(order) - BATCH + 1, BATCH):
                chosen = np.sort(order[first : first + BATCH])
                audio = torch.from_numpy(self.data.audio[chosen])
                conditions = batch_conditions([self.data.clips[i].conditions for i in chosen])
                yield audio.to(self.device), conditions.to(self.device)


def spectrogram_loss(made: Tensor, wanted: Tensor) -> dict[str, Tensor]:
    """How far ``made`` is from ``wanted`` [B, F, T]: levels, loud ones more, and the slopes between bins.

    The slopes keep partials narrow where the levels alone would have them blurred.
    """
    error = made - wanted
    weight = QUIET_WEIGHT + wanted
    levels = (weight * (error.abs() + 4.0 * error.square())).mean()
    slopes = (made.diff(dim=1) - wanted.diff(dim=1)).abs() * weight[:, 1:]
    return {"levels": levels, "slopes": slopes.mean(), "mse": error.square().mean()}


def tokenizer_losses(
    tokenizer: Tokenizer, batches: Iterator[tuple[Tensor, ConditionBatch]], seed: int, device: str
) -> Iterator[dict[str, Tensor]]:
    """Losses of the tokenizer, a batch each."""
    maker = SpectrogramMaker().to(device)
    chance = np.random.default_rng(seed)
    half = device != "cpu"
    for audio, conditions in batches:
        wanted = maker(audio)
        scales = len(SCALES)
        if chance.random() < COARSE_SHARE:
            scales = int(chance.integers(3, len(SCALES)))
        with torch.autocast("cuda", torch.bfloat16, enabled=half):
            made, quantized = tokenizer(wanted, conditions, scales)
        parts = spectrogram_loss(made.float(), wanted)
        loss = parts["levels"] + 0.7 * parts["slopes"] + 0.1 * quantized.commitment
        use = (tokenizer.quantizer.use > 0.1 / tokenizer.sizes.code_count).float().mean(1)
        yield {
            "loss": loss,
            **{name: value.detach() for name, value in parts.items()},
            "commitment": quantized.commitment.detach(),
            "use_coarse": use[3],
            "use_fine": use[-1],
        }


def train_tokenizer(
    data: PhraseData,
    folder: Path,
    minutes: float,
    *,
    sizes: TokenizerSizes | None = None,
    name: str = "tokenizer",
    resume: bool = False,
    device: str = "cpu",
    seed: int = 0,
    report: Report,
) -> Tokenizer:
    """A trained tokenizer, its moving average in place; the checkpoint is ``folder/name.pt``."""
    torch.manual_seed(seed)
    tokenizer = Tokenizer(sizes).to(device)
    trainer = StageTrainer(name, tokenizer, TOKENIZER_RATE, folder, minutes, report)
    if resume:
        trainer.resume()
    batches = ClipBatches(data, np.flatnonzero(~data.held_out), device, seed + trainer.step)
    tokenizer.train()
    trainer.run(tokenizer_losses(tokenizer, iter(batches), seed + trainer.step, device))
    trainer.use_average()
    tokenizer.eval()
    return tokenizer
