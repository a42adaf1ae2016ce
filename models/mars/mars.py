"""MARS as it is played: conditions to tokens, tokens to a spectrogram, the spectrogram to sound.

arXiv 2509.26007, with its Griffin-Lim replaced by phase-gradient heap integration (``phase``).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from struck.codec.events.event_spec import ANALYSIS_RATE

from ..devices import choose_device
from ..network_weights import reading_weights, write_weights
from ..shipped_weights import default_mars_weights_path
from .condition_inputs import ConditionBatch, batch_conditions, frames_of
from .conditions import FRAMES_PER_BEAT, PhraseConditions
from .lateness import Lateness
from .next_scale import NextScaleSizes, NextScaleTransformer, filter_logits
from .sound.griffin_lim import griffin_lim
from .sound.phase import sound_from_magnitude
from .sound.spectrum import FLOOR_DB, MarsFrames, db_to_magnitude
from .sound.swing import swung
from .tokenizer import Tokenizer, TokenizerSizes

VERSION: Final = 4
_WHAT: Final = "MARS"
#: A phrase louder than this is turned down, so that it may be written and mixed as it is.
_PEAK: Final = 0.98
#: The last samples go to nothing: the clip ends where a room may still ring.
_FADE_SAMPLES: Final = ANALYSIS_RATE // 50
#: A phrase that is like another has that one's tokens of so many scales, which tell by few rows who plays
#: when: the groove. What the notes are comes after them.
GROOVE_SCALES: Final = 5
PhaseMethod = Literal["heap", "griffin-lim"]


class PhraseStopped(Exception):
    """Nobody waits for the phrase any more."""


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn.

    Args:
        guidance: how much further from what no conditions would give, 0..20.
        temperature: 0..4; 0 takes the most likely token.
        top_k: samples from so many of the most likely tokens, 0 for all.
        top_p: and of these the fewest that have this probability together, 0..1.

    Raises:
        ValueError: a number is out of its range.
    """

    guidance: float = 1.5
    temperature: float = 0.9
    top_k: int = 200
    top_p: float = 0.92

    def __post_init__(self) -> None:
        ranges = (
            ("guidance", 0.0, 20.0),
            ("temperature", 0.0, 4.0),
            ("top_k", 0, 65_536),
            ("top_p", 0.0, 1.0),
        )
        for name, low, high in ranges:
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} {value:g} is outside {low:g} to {high:g}")


@dataclass(frozen=True)
class Phrase:
    """A phrase and how it came about.

    Attributes:
        samples: float32 [``sample_count`` of the conditions] at 22,050 Hz, within -1..1. Those of a phrase
            are a loop: after the last comes the first.
        tokens: int64 [h, w] per scale, coarse to fine.
        log_magnitude: float32 [1024, 352] in dB, 0 dB = a full-scale sine; with swing, and late as from the
            tokens.
        seconds: what took how long: ``tokens``, ``spectrogram``, ``phase``.
    """

    conditions: PhraseConditions
    seed: int
    samples: np.ndarray
    tokens: tuple[np.ndarray, ...]
    log_magnitude: np.ndarray
    seconds: dict[str, float]


class Networks(NamedTuple):
    """A tokenizer, and the transformer that writes its tokens; of one layout."""

    tokenizer: Tokenizer
    transformer: NextScaleTransformer

    @classmethod
    def of(cls, facts: dict[str, Any]) -> Networks:
        """Untrained ones of the sizes in ``facts``."""
        return cls(
            Tokenizer(TokenizerSizes(**facts["tokenizer"])),
            NextScaleTransformer(NextScaleSizes(**facts["transformer"])),
        )

    @property
    def facts(self) -> dict[str, Any]:
        """Their sizes, as plain values."""
        return {"tokenizer": asdict(self.tokenizer.sizes), "transformer": asdict(self.transformer.sizes)}

    @property
    def module(self) -> nn.Module:
        """Both as their weights are named in a file."""
        return nn.ModuleDict({"tokenizer": self.tokenizer, "transformer": self.transformer})


class Mars:
    """Tokenizers and transformers on a device; makes phrases one at a time.

    Args:
        phrases: what makes phrases.
        notes: what makes single notes; None: the same.
        device: ``cpu``, ``cuda`` or another torch device.
        name: what names the weights.
        report: told, once, when the device's memory does not suffice.
        late: by how much notes of phrases come too late, which is taken away.
    """

    def __init__(
        self,
        phrases: Networks,
        notes: Networks | None = None,
        device: str = "cpu",
        name: str = "",
        report: Callable[[str], None] | None = None,
        late: Lateness | None = None,
    ) -> None:
        self.phrases, self.notes = phrases, notes or phrases
        for network in (*self.phrases, *self.notes):
            network.to(device).eval()
        self.device, self.name = device, name
        self.late = late or Lateness()
        self._report = report

    @classmethod
    def load(
        cls,
        path: str | Path | None = None,
        device: str = "auto",
        report: Callable[[str], None] | None = None,
    ) -> Mars:
        """The weights shipped, or those of ``path``, on ``device``; ``auto`` takes a GPU where there is one.

        Raises:
            StruckError: the file is missing or is not MARS' weights, or there is no such device.
        """
        chosen = choose_device(device)
        path = Path(path) if path is not None else default_mars_weights_path()
        with reading_weights(path, _WHAT, VERSION) as (facts, weights):
            networks = {name: Networks.of(sizes) for name, sizes in facts["networks"].items()}
            _together(networks).load_state_dict(weights)
            phrases, notes = networks["phrases"], networks.get("notes")
            late = Lateness(**facts["late"])
            with path.open("rb") as file:
                name = hashlib.file_digest(file, "sha256").hexdigest()[:16]
        return cls(phrases, notes, chosen, name, report, late)

    def save(self, path: str | Path) -> None:
        """Write the networks, in half precision.

        Raises:
            StruckError: the file cannot be written.
        """
        networks = {"phrases": self.phrases}
        if self.notes is not self.phrases:
            networks["notes"] = self.notes
        facts = {
            "networks": {name: pair.facts for name, pair in networks.items()},
            "late": asdict(self.late),
        }
        write_weights(Path(path), _WHAT, VERSION, facts, _together(networks).state_dict())

    def warm_up(self) -> float:
        """Make a phrase for nobody, so that the next is quick; seconds it took."""
        begun = time.perf_counter()
        self.generate(PhraseConditions(style="arpeggio"))
        return time.perf_counter() - begun

    def generate(
        self,
        conditions: PhraseConditions,
        *,
        seed: int = 0,
        previous: Phrase | None = None,
        like: Phrase | None = None,
        sampling: Sampling | None = None,
        phase: PhaseMethod = "heap",
        stop: Callable[[], bool] | None = None,
    ) -> Phrase:
        """Make a phrase; the same arguments on the same device make the same.

        Args:
            previous: what this one goes on from, a phrase as a phrase, a note as a note.
            like: the phrase whose groove it keeps: the same by other chords.
            stop: asked between scales; true gives the phrase up.

        Raises:
            PhraseStopped: ``stop`` said so.
        """
        try:
            return self._generate(conditions, seed, previous, like, sampling or Sampling(), phase, stop)
        except torch.OutOfMemoryError:
            if self.device == "cpu":
                raise
            if self._report is not None:
                self._report(f"{self.device} has too little memory for MARS: going on with the CPU")
            self.device = "cpu"
            for network in (*self.phrases, *self.notes):
                network.cpu()
            torch.cuda.empty_cache()
        return self._generate(conditions, seed, previous, like, sampling or Sampling(), phase, stop)

    def _generate(
        self,
        conditions: PhraseConditions,
        seed: int,
        previous: Phrase | None,
        like: Phrase | None,
        sampling: Sampling,
        phase: PhaseMethod,
        stop: Callable[[], bool] | None,
    ) -> Phrase:
        begun = time.perf_counter()
        batch = batch_conditions([conditions]).to(self.device)
        networks = self.networks(conditions)
        tokenizer = networks.tokenizer
        if previous is not None and self.networks(previous.conditions) is not networks:
            previous = None
        with torch.inference_mode():
            before = None if previous is None else tokenizer.quantizer.image(self._tokens(previous.tokens))
            kept = [] if like is None else self._tokens(like.tokens[:GROOVE_SCALES])
            tokens = self._write(networks, batch, before, kept, seed, sampling, stop)
            written = time.perf_counter()
            # Copying to the CPU waits for the device, so that the times are true.
            level = tokenizer.spectrogram_of(tokens, batch)[0].float().cpu().numpy()
        log_magnitude = ((1.0 - level) * np.float32(FLOOR_DB)).astype(np.float32)
        late_frames = self.late.in_frames(conditions)
        log_magnitude = swung(log_magnitude, conditions.swing_percent, FRAMES_PER_BEAT, late_frames)
        drawn = time.perf_counter()
        samples = self.late.taken_from(
            sound_of(log_magnitude, frames_of(conditions), phase, seed), conditions
        )
        seconds = {
            "tokens": written - begun,
            "spectrogram": drawn - written,
            "phase": time.perf_counter() - drawn,
        }
        sizes = tokenizer.quantizer.scales
        maps = tuple(t[0].cpu().numpy().reshape(size) for t, size in zip(tokens, sizes, strict=True))
        return Phrase(conditions, seed, samples, maps, log_magnitude, seconds)

    def networks(self, conditions: PhraseConditions) -> Networks:
        """Those that make what is asked for."""
        return self.notes if conditions.style == "single" else self.phrases

    def _tokens(self, tokens: tuple[np.ndarray, ...]) -> list[Tensor]:
        return [torch.from_numpy(t.reshape(1, -1)).to(self.device) for t in tokens]

    def _write(
        self,
        networks: Networks,
        conditions: ConditionBatch,
        before: Tensor | None,
        kept: list[Tensor],
        seed: int,
        sampling: Sampling,
        stop: Callable[[], bool] | None,
    ) -> list[Tensor]:
        """Tokens int64 [1, h * w] per scale: those ``kept``, then as asked and led from what nobody asked."""
        twice = ConditionBatch(*(tensor.expand(2, *tensor.shape[1:]) for tensor in conditions))
        dropped = torch.tensor([False, True], device=self.device)
        if before is not None:
            before = before.expand(2, -1, -1, -1)
        writer = networks.transformer.begin(twice, before, dropped)
        quantizer = networks.tokenizer.quantizer
        # The CPU draws for every device.
        generator = torch.Generator().manual_seed(seed)
        total = torch.zeros(1, quantizer.codes.shape[1], *quantizer.scales[-1], device=self.device)
        tokens = []
        for scale, size in enumerate(quantizer.scales):
            if stop is not None and stop():
                raise PhraseStopped
            image = functional.adaptive_avg_pool2d(total, size).expand(2, -1, -1, -1)
            asked, nobody = writer.logits(image, scale).float().cpu()
            if scale < len(kept):
                tokens.append(kept[scale])
            else:
                drawn = draw_tokens(asked + sampling.guidance * (asked - nobody), sampling, generator)
                tokens.append(drawn[None].to(self.device))
            total = total + quantizer.expand(tokens[-1], scale)
        return tokens

    def scales(self, tokens: tuple[np.ndarray, ...], conditions: PhraseConditions) -> list[np.ndarray]:
        """Spectrograms float32 [1024, 352] in dB of the first scale alone, of the first two, ... of all."""
        batch = batch_conditions([conditions]).to(self.device)
        maps, tokenizer = self._tokens(tokens), self.networks(conditions).tokenizer
        with torch.inference_mode():
            levels = [tokenizer.spectrogram_of(maps[: n + 1], batch)[0] for n in range(len(maps))]
        return [((1.0 - level.float().cpu().numpy()) * FLOOR_DB).astype(np.float32) for level in levels]

    def reconstruct(self, samples: np.ndarray, conditions: PhraseConditions) -> np.ndarray:
        """What the tokenizer keeps of ``samples``, a clip of these conditions: float32 [1024, 352] in dB."""
        level = 1.0 - frames_of(conditions).log_magnitude(samples) / FLOOR_DB
        batch = batch_conditions([conditions]).to(self.device)
        tokenizer = self.networks(conditions).tokenizer
        with torch.inference_mode():
            made, _ = tokenizer(torch.from_numpy(level)[None].to(self.device), batch)
        return ((1.0 - made[0].float().cpu().numpy()) * FLOOR_DB).astype(np.float32)


def _together(networks: dict[str, Networks]) -> nn.Module:
    """All as their weights are named in a file."""
    return nn.ModuleDict({name: pair.module for name, pair in networks.items()})


def draw_tokens(logits: Tensor, sampling: Sampling, generator: torch.Generator) -> Tensor:
    """int64 [N] drawn from logits [N, V]."""
    if sampling.temperature == 0.0:
        return logits.argmax(-1)
    filtered = filter_logits(logits / sampling.temperature, sampling.top_k, sampling.top_p)
    return torch.multinomial(filtered.softmax(-1), 1, generator=generator)[:, 0]


def sound_of(
    log_magnitude: np.ndarray, frames: MarsFrames, phase: PhaseMethod = "heap", seed: int = 0
) -> np.ndarray:
    """float32 [T * hop] within -1..1 of levels [1024, T] in dB; what is no loop fades out at its end."""
    magnitude = db_to_magnitude(log_magnitude)
    if phase == "griffin-lim":
        samples = griffin_lim(magnitude, frames, seed=seed)
    else:
        samples = sound_from_magnitude(magnitude, frames, seed=seed)
    peak = float(np.abs(samples).max())
    if peak > _PEAK:
        samples = samples * np.float32(_PEAK / peak)
    if not frames.is_loop:
        samples[-_FADE_SAMPLES:] *= np.linspace(1.0, 0.0, _FADE_SAMPLES, dtype=np.float32)
    return samples
