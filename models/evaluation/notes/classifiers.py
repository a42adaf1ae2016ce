"""Judges of single notes: one network names the pitch, one the instrument family.

Both are small convolutional networks on :mod:`.note_features`, trained on the training notes alone. What they
are asked for are probabilities (inception scores) and the layer under them (distances between sets of
sounds); how good they are on instruments that they never heard is stored beside the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from struck.codec.events.errors import StruckError

from ...mars.conditions import FAMILIES, PhraseConditions
from ...network_weights import reading_weights, write_weights
from .features import BAND_COUNT, FRAME_COUNT, packed_features
from .judge_clock import Clock, learning_share

VERSION: Final = 1
_WHAT: Final = "phrase classifier"
PITCH_COUNT: Final = 128
EMBEDDING_SIZE: Final = 128
_BATCH: Final = 48
_LABEL_SMOOTHING: Final = 0.05
#: One training note in so many is kept from training, to tell how well it goes.
_KEPT: Final = 20

Float32Array = NDArray[np.float32]
Report = Callable[[str], None]


class NoteClassifier(nn.Module):
    """Features ``[B, F, T]`` to logits ``[B, K]`` and the embedding under them ``[B, EMBEDDING_SIZE]``.

    Attributes:
        level: root mean square of the embedding over the training notes. Kernel and Fréchet distances depend
            on the unit: embeddings are told in units of this.
    """

    level: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _stage(1, 16, 5, stride=(2, 2)),
            _stage(16, 32, 3, stride=(1, 2)),
            nn.MaxPool2d((2, 1)),
            _stage(32, 48, 3),
            nn.MaxPool2d(2),
            _stage(48, 64, 3),
        ).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # Mean and maximum over time: how it sounds throughout, and at its clearest.
        self.embed = nn.Linear(2 * 64 * (BAND_COUNT // 8), EMBEDDING_SIZE)
        self.drop = nn.Dropout(0.3)
        self.classify = nn.Linear(EMBEDDING_SIZE, classes)
        self.register_buffer("level", torch.ones(()))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.body(features[:, None].contiguous(memory_format=torch.channels_last))
        pooled = torch.cat([seen.mean(-1), seen.amax(-1)], 1).flatten(1)
        embedding = torch.relu(self.embed(self.drop(pooled)))
        return self.classify(self.drop(embedding)), embedding / self.level


def _stage(before: int, after: int, size: int, stride: tuple[int, int] = (1, 1)) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, size, stride, size // 2, bias=False), nn.BatchNorm2d(after), nn.ReLU()
    )


class Judgement:
    """What the judges say of N sounds.

    Attributes:
        features: packed, ``[N, F, T]``.
        pitch, family: probabilities ``[N, 128]``, ``[N, 12]``.
        pitch_embedding, family_embedding: ``[N, EMBEDDING_SIZE]``.
    """

    def __init__(self, features: NDArray[np.uint8], pitch: Any, family: Any) -> None:
        self.features = features
        self.pitch, self.pitch_embedding = pitch
        self.family, self.family_embedding = family

    def __len__(self) -> int:
        return len(self.features)

    def pick(self, rows: ArrayLike) -> Judgement:
        """Of some of the sounds: indices or a mask."""
        chosen = np.asarray(rows)
        return Judgement(
            self.features[chosen],
            (self.pitch[chosen], self.pitch_embedding[chosen]),
            (self.family[chosen], self.family_embedding[chosen]),
        )


class PhraseClassifiers:
    """Both judges; ``facts`` tells how they were trained and how often they are right."""

    def __init__(self, facts: dict[str, Any] | None = None) -> None:
        self.pitch = NoteClassifier(PITCH_COUNT)
        self.family = NoteClassifier(len(FAMILIES))
        # As their weights are named in a file.
        self._both = nn.ModuleDict({"pitch": self.pitch, "family": self.family})
        self.facts = facts or {}

    @classmethod
    def load(cls, path: Path) -> PhraseClassifiers:
        """Read what :meth:`save` wrote.

        Raises:
            StruckError: the file is missing or damaged, or of another kind or version.
        """
        with reading_weights(path, _WHAT, VERSION) as (facts, weights):
            judges = cls(facts)
            judges._both.load_state_dict(weights)
        return judges

    def save(self, path: Path) -> None:
        """Write the weights in half precision.

        Raises:
            StruckError: the file cannot be written.
        """
        write_weights(path, _WHAT, VERSION, self.facts, self._both.state_dict())

    def judge(self, clips: Sequence[ArrayLike]) -> Judgement:
        """Judge clips ``[CLIP_SAMPLES]``; raises ``ValueError`` where one has another length."""
        return self.judge_features(packed_features(clips))

    def judge_features(self, features: NDArray[np.uint8]) -> Judgement:
        """Judge packed features ``[N, F, T]``."""
        return Judgement(features, _apply(self.pitch, features), _apply(self.family, features))


def train_classifiers(
    features: NDArray[np.uint8],
    conditions: Sequence[PhraseConditions],
    held_out: NDArray[np.bool_],
    *,
    minutes: float,
    steps: int | None = None,
    seed: int = 0,
    report: Report = print,
) -> PhraseClassifiers:
    """Train both judges on single notes, for ``minutes`` of processor time in all.

    Args:
        features: packed, ``[N, F, T]``, of single notes.
        conditions: what each was asked to be.
        held_out: ``[N]``, never trained on: by these the accuracy is told.
        steps: of each judge, instead of the minutes; then the same seed gives the same weights.

    Raises:
        StruckError: there are no training notes.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    pitched = np.array([c.instrument != "drums" for c in conditions], bool)
    labels = {
        "pitch": np.array([c.pitch for c in conditions]),
        "family": np.array([FAMILIES.index(c.instrument) for c in conditions]),
    }
    kept = ~held_out & (np.arange(len(features)) % _KEPT == 0)
    judges = PhraseClassifiers({"minutes": minutes, "seed": seed, "notes": int((~held_out & ~kept).sum())})
    for name, network, usable, share in (
        ("pitch", judges.pitch, pitched, 0.25),
        ("family", judges.family, np.ones(len(features), bool), 0.75),
    ):
        rows = np.flatnonzero(usable & ~held_out & ~kept)
        if not len(rows):
            raise StruckError("there are no training notes for the phrase classifiers")
        report(f"{name}: {len(rows)} training notes")
        clock = Clock(share * minutes, steps)
        _train(network, features, labels[name], rows, clock, rng, report)
        network.level.fill_(float(np.sqrt(np.square(_apply(network, features[rows])[1]).mean())))
        for group, chosen in (("kept", usable & kept), ("held_out", usable & held_out)):
            if chosen.any():
                said = _apply(network, features[chosen])[0].argmax(1)
                right = float((said == labels[name][chosen]).mean())
                judges.facts[f"{name}_right_{group}"] = round(right, 4)
                report(f"{name}: right on {100.0 * right:.1f} % of {int(chosen.sum())} notes {group}")
    return judges


def _train(
    network: NoteClassifier,
    features: NDArray[np.uint8],
    labels: NDArray[np.int64],
    rows: NDArray[np.int64],
    clock: Clock,
    rng: np.random.Generator,
    report: Report,
) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=2e-2)
    # Families and pitches are not equally frequent: draw classes alike, softened by a root.
    frequency = np.bincount(labels[rows], minlength=PITCH_COUNT)[labels[rows]]
    chance = 1.0 / np.sqrt(frequency)
    chance /= chance.sum()
    network.train()
    loss_mean = 0.0
    for progress in clock:
        batch = rng.choice(rows, _BATCH, p=chance)
        seen = _disturb(torch.from_numpy(features[batch].astype(np.float32) / 255.0), rng)
        logits, _ = network(seen)
        wanted = torch.from_numpy(labels[batch])
        loss = nn.functional.cross_entropy(logits, wanted, label_smoothing=_LABEL_SMOOTHING)
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * learning_share(clock.steps, progress)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        loss_mean += (float(loss.detach()) - loss_mean) / min(clock.steps, 50)
        if clock.is_time_to_tell():
            report(f"step {clock.steps}, {100.0 * progress:.0f} %, loss {loss_mean:.3f}")
    network.eval()


def _disturb(features: Tensor, rng: np.random.Generator) -> Tensor:
    """Colour, floor, and what is missing vary: judges must not hang on one sound font's sheen."""
    count = len(features)
    ramp = torch.linspace(-1.0, 1.0, BAND_COUNT)[None, :, None]

    def random(scale: float) -> Tensor:
        return torch.from_numpy(rng.normal(0.0, scale, (count, 1, 1)).astype(np.float32))

    wave = torch.cos(np.pi * (ramp * random(1.5) + random(3.0)))
    seen = features + (features > 0.0) * (random(0.06) * ramp + random(0.04) * wave)
    floor = torch.from_numpy(rng.uniform(-0.2, 0.45, (count, 1, 1)).astype(np.float32))
    hiss = floor + 0.03 * torch.from_numpy(rng.standard_normal(features.shape).astype(np.float32))
    seen = torch.maximum(seen, hiss).clamp(0.0, 1.2)
    # A third lack some of their end, as phrases' notes may.
    ends = np.where(rng.random(count) < 0.33, rng.integers(FRAME_COUNT // 3, FRAME_COUNT, count), FRAME_COUNT)
    there = torch.arange(FRAME_COUNT)[None, :] < torch.from_numpy(ends)[:, None]
    return seen * there[:, None, :]


def _apply(network: NoteClassifier, features: NDArray[np.uint8]) -> tuple[Float32Array, Float32Array]:
    """Probabilities and embeddings of packed features."""
    network.eval()
    probabilities, embeddings = [], []
    with torch.inference_mode():
        for first in range(0, len(features), 64):
            seen = torch.from_numpy(features[first : first + 64].astype(np.float32) / 255.0)
            logits, embedding = network(seen)
            probabilities.append(torch.softmax(logits, 1).numpy())
            embeddings.append(embedding.numpy())
    if not probabilities:
        classes = network.classify.out_features
        return np.zeros((0, classes), np.float32), np.zeros((0, EMBEDDING_SIZE), np.float32)
    return np.concatenate(probabilities), np.concatenate(embeddings)
