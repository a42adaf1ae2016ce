"""Training MARS: data, then a listener, the tokenizer by its ear, and the transformer over the tokens.

Each stage has its share of the minutes and its own checkpoint, so that one may be trained on while the other
stays. Gradients flow in float32 on CPUs, where bfloat16 was measured to be slower, and in bfloat16 on GPUs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .clip_batches import ClipBatch, ClipBatches, SpectrogramMaker, read_clips
from .condition_inputs import ConditionBatch, batch_conditions
from .conditions import FAMILIES
from .devices import choose_device
from .listener import Listener
from .mars import Mars
from .network_trainer import Losses, NetworkTrainer, Report, Stage
from .next_scale import NextScaleSizes, NextScaleTransformer, images_before_scales, split_scales
from .phrase_data import PhraseData, build_phrase_data
from .quantizer import SCALES
from .tokenizer import Tokenizer, TokenizerSizes

N = TypeVar("N", bound=nn.Module)

#: Small: in the hours there are, more steps teach more than surer ones.
BATCH: Final = 8
LISTENER_BATCH: Final = 16
LISTENER_RATE: Final = 1e-3
TOKENIZER_RATE: Final = 6e-4
TRANSFORMER_RATE: Final = 1e-3
#: Of the moving averages that are kept.
AVERAGE_DECAY: Final = 0.998
#: A token counts by its scale's token count to this power, inverted: the finest scale would have half of the
#: loss, and errors of coarse ones cost most.
SCALE_WEIGHT: Final = 0.4
#: How many clips are made, and from which seed.
SINGLES: Final = 5000
PHRASES: Final = 5000
HELD_OUT: Final = 600
DATA_SEED: Final = 1
LISTENER_MINUTES_SHARE: Final = 0.04
TOKENIZER_MINUTES_SHARE: Final = 0.44
#: At most this share of the tokens given is wrong.
ERRORS: Final = 0.15
#: Squared distance over which two codes are neighbours, in units of the quantiser.
NEIGHBOURHOOD: Final = 0.16
#: How often conditions, and the phrase before, are hidden.
DROPPED: Final = 0.1
#: How often a batch is told by its coarse scales alone, so that they must say most.
COARSE_SHARE: Final = 0.15
#: What a bin 80 dB under the clip's loudest counts, beside that one: what is loud is heard.
QUIET_WEIGHT: Final = 0.25
#: What the listener says counts, beside levels and slopes.
LISTENER_WEIGHT: Final = 0.1
#: How much more a frame counts in which all of the clip's sound begins, and for how many frames.
ONSET_WEIGHT: Final = 2.0
ONSET_FRAMES: Final = 8


def spectrogram_loss(made: Tensor, wanted: Tensor) -> dict[str, Tensor]:
    """How far ``made`` is from ``wanted`` [B, F, T]: levels, and the slopes between bins.

    The slopes keep partials narrow where the levels alone would have them blurred.
    """
    error = made - wanted
    weight = _weight(wanted)
    levels = (weight * (error.abs() + 4.0 * error.square())).mean()
    slopes = (made.diff(dim=1) - wanted.diff(dim=1)).abs() * weight[:, 1:]
    return {"levels": levels, "slopes": slopes.mean(), "mse": error.square().mean()}


def _weight(wanted: Tensor) -> Tensor:
    """What each bin of ``wanted`` [B, F, T] counts."""
    loudest = wanted.amax((1, 2), keepdim=True)
    relative = (wanted + 1.0 - loudest).clamp(min=0.0) * (wanted > 0.0)
    rise = functional.pad(wanted, (1, 0)).diff(dim=2).clamp(min=0.0).mean(1, keepdim=True)
    # The frames after a rise are those of the attack.
    recent = functional.max_pool1d(functional.pad(rise, (ONSET_FRAMES - 1, 0)), ONSET_FRAMES, 1)
    onset = recent / recent.amax(2, keepdim=True).clamp(min=1e-3)
    return (QUIET_WEIGHT + relative) * (1.0 + ONSET_WEIGHT * onset)


def listener_losses(
    listener: Listener, batches: Iterator[ClipBatch], labels: np.ndarray, seed: int, device: str
) -> Losses:
    """Losses of the listener, a batch each.

    Args:
        labels: int64 [N, 2], family and instrument of each of the data's clips.
    """
    maker = SpectrogramMaker().to(device)
    chance = torch.Generator().manual_seed(seed)
    for rows, audio, _ in batches:
        levels = listener.levels(maker(audio))
        # Louder, quieter, and with all that is quiet hidden: no instrument is its level, nor its hiss.
        shift, floor = (torch.rand(2, len(rows), 1, 1, generator=chance) - 0.5).to(device)
        levels = torch.maximum(levels + 0.2 * shift * (levels > 0.01), floor)
        heard = listener(levels)
        losses, right = [], []
        for logits, wanted in zip(heard, torch.from_numpy(labels[rows].T).to(device), strict=True):
            losses.append(functional.cross_entropy(logits, wanted, label_smoothing=0.05))
            right.append((logits.detach().argmax(1) == wanted).float().mean())
        yield losses[0] + losses[1], {"family_right": right[0], "instrument_right": right[1]}


def tokenizer_losses(
    tokenizer: Tokenizer, listener: Listener, batches: Iterator[ClipBatch], seed: int, device: str
) -> Losses:
    """Losses of the tokenizer, a batch each."""
    maker = SpectrogramMaker().to(device)
    chance = np.random.default_rng(seed)
    half = device != "cpu"
    for _, audio, conditions in batches:
        wanted = maker(audio)
        scales = len(SCALES)
        if chance.random() < COARSE_SHARE:
            scales = int(chance.integers(3, len(SCALES)))
        with torch.autocast("cuda", torch.bfloat16, enabled=half):
            made, quantized = tokenizer(wanted, conditions, scales)
        parts = spectrogram_loss(made.float(), wanted)
        parts["listener"] = listener.distance(made.float(), wanted)
        loss = parts["levels"] + 0.7 * parts["slopes"] + 0.1 * quantized.commitment
        loss = loss + LISTENER_WEIGHT * parts["listener"]
        use = (tokenizer.quantizer.use > 0.1 / tokenizer.sizes.code_count).float().mean(1)
        yield (
            loss,
            {
                **{name: value.detach() for name, value in parts.items()},
                "commitment": quantized.commitment.detach(),
                "use_coarse": use[3],
                "use_fine": use[-1],
            },
        )


def _trainer(name: str, network: N, folder: Path, resume: bool, report: Report) -> NetworkTrainer[N]:
    trainer = NetworkTrainer(
        name,
        network,
        folder,
        report,
        decay=AVERAGE_DECAY,
        clip=1.0,
        betas=(0.9, 0.98),
        weight_decay=0.02,
    )
    if resume:
        trainer.resume()
    return trainer


def _train(trainer: NetworkTrainer[N], peak_rate: float, minutes: float, losses: Losses) -> N:
    """The trainer's average after a stage that ends at ``minutes`` of its clock."""
    trainer.run(Stage(trainer.name, peak_rate, 0.0, 60.0 * minutes), losses)
    return trainer.average.eval()


def train_listener(
    data: PhraseData,
    folder: Path,
    minutes: float,
    *,
    resume: bool = False,
    device: str = "cpu",
    seed: int = 0,
    report: Report,
) -> Listener:
    """A trained listener, its parameters fixed; the checkpoint is ``folder/listener.pt``."""
    torch.manual_seed(seed)
    rows = np.flatnonzero(~data.held_out)
    sources = sorted({data.clips[row].source for row in rows})
    place = {source: i for i, source in enumerate(sources)}
    labels = np.array(
        [(FAMILIES.index(clip.conditions.instrument), place.get(clip.source, -1)) for clip in data.clips]
    )
    trainer = _trainer("listener", Listener(len(sources)).to(device), folder, resume, report)
    size = min(LISTENER_BATCH, len(rows))
    batches = ClipBatches(data, rows, device, seed + trainer.step, size)
    listener = trainer.network.train()
    losses = listener_losses(listener, iter(batches), labels, seed + trainer.step, device)
    return _train(trainer, LISTENER_RATE, minutes, losses).requires_grad_(False)


def train_tokenizer(
    data: PhraseData,
    listener: Listener,
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
    trainer = _trainer(name, Tokenizer(sizes).to(device), folder, resume, report)
    batches = ClipBatches(data, np.flatnonzero(~data.held_out), device, seed + trainer.step, BATCH)
    tokenizer = trainer.network.train()
    losses = tokenizer_losses(tokenizer, listener, iter(batches), seed + trainer.step, device)
    return _train(trainer, TOKENIZER_RATE, minutes, losses)


@dataclass(frozen=True)
class TokenData:
    """All training clips as tokens, made once.

    Attributes:
        tokens: int64 [N, TOKEN_COUNT].
        conditions: of the N clips.
        previous: int64 [N], the row that was played before, or -1.
    """

    tokens: Tensor
    conditions: ConditionBatch
    previous: Tensor


def tokenize(
    data: PhraseData, rows: np.ndarray, tokenizer: Tokenizer, device: str, report: Report
) -> TokenData:
    """Tokens of the clips ``rows``; what was played before must be among them."""
    maker = SpectrogramMaker().to(device)
    place = {int(row): i for i, row in enumerate(rows)}
    tokens = []
    for first in range(0, len(rows), 4 * BATCH):
        chosen = rows[first : first + 4 * BATCH]
        clips = read_clips(data, chosen, device)
        tokens.append(torch.cat(tokenizer.tokens_of(maker(clips.audio), clips.conditions), 1).cpu())
        if first // (4 * BATCH) % 20 == 0:
            report(f"{first} of {len(rows)} clips made tokens")
    previous = torch.tensor([place.get(data.clips[row].previous, -1) for row in rows])
    return TokenData(torch.cat(tokens), batch_conditions([data.clips[i].conditions for i in rows]), previous)


def transformer_losses(
    transformer: NextScaleTransformer, tokenizer: Tokenizer, data: TokenData, seed: int, device: str
) -> Losses:
    """Losses of the transformer, a batch each, endless."""
    rng = np.random.default_rng(seed)
    chance = torch.Generator().manual_seed(seed)
    weights = torch.cat([torch.full((r * c,), (r * c) ** -SCALE_WEIGHT) for r, c in SCALES]).to(device)
    weights = weights / weights.sum()
    # Codes that are near each other are as good: half of the probability is shared among neighbours.
    codes = tokenizer.quantizer.codes
    near = torch.softmax(-torch.cdist(codes, codes).square() / NEIGHBOURHOOD, -1)
    targets = 0.5 * near + 0.5 * torch.eye(len(codes), device=device)
    while True:
        order = rng.permutation(len(data.tokens))
        for first in range(0, len(order) - BATCH + 1, BATCH):
            rows = torch.from_numpy(np.sort(order[first : first + BATCH]))
            told = data.tokens[rows]
            # What it has written itself will have errors too.
            wrong = torch.rand(told.shape, generator=chance) < torch.rand(BATCH, 1, generator=chance) * ERRORS
            guess = torch.randint(tokenizer.sizes.code_count, told.shape, generator=chance)
            given = split_scales(torch.where(wrong, guess, told).to(device))
            dropped = (torch.rand(BATCH, generator=chance) < DROPPED).to(device)
            previous = data.previous[rows]
            goes_on = (previous >= 0) & (torch.rand(BATCH, generator=chance) > DROPPED)
            with torch.no_grad():
                images = images_before_scales(tokenizer.quantizer, given)
                earlier = split_scales(data.tokens[previous.clamp(min=0)].to(device))
                before = tokenizer.quantizer.image(earlier)
            conditions = data.conditions.pick(rows).to(device)
            with torch.autocast("cuda", torch.bfloat16, enabled=device != "cpu"):
                logits = transformer(images, conditions, before, goes_on.to(device), dropped)
            likely = functional.log_softmax(logits.float(), -1)
            losses = -(targets[told.to(device)] * likely).sum(-1)
            by_scale = split_scales(losses.detach())
            told_of = {f"scale_{i + 1}": part.mean() for i, part in enumerate(by_scale)}
            yield (losses * weights).sum(1).mean(), told_of


def train_transformer(
    data: TokenData,
    tokenizer: Tokenizer,
    folder: Path,
    minutes: float,
    *,
    sizes: NextScaleSizes | None = None,
    name: str = "transformer",
    resume: bool = False,
    device: str = "cpu",
    seed: int = 0,
    report: Report,
) -> NextScaleTransformer:
    """A trained transformer, its moving average in place; the checkpoint is ``folder/name.pt``."""
    torch.manual_seed(seed)
    trainer = _trainer(name, NextScaleTransformer(sizes).to(device), folder, resume, report)
    for network in (trainer.network, trainer.average):  # a tokenizer trained on has other codes
        network.codes.copy_(tokenizer.quantizer.codes)
    transformer = trainer.network.train()
    losses = transformer_losses(transformer, tokenizer, data, seed + trainer.step, device)
    return _train(trainer, TRANSFORMER_RATE, minutes, losses)


def train(
    data: Path,
    minutes: float,
    *,
    folder: Path,
    resume: bool = False,
    device: str = "auto",
    seed: int = 0,
    report: Report,
) -> Path:
    """Make the clips where there are none yet, train the networks, and write ``folder/mars.safetensors``.

    Args:
        data: folder with ``notes/``.
        minutes: in all; listener and tokenizer have their shares of them. Making clips is not counted.
        resume: go on from the checkpoints in ``folder``.

    Raises:
        StruckError: the recorded notes, FluidSynth or a sound font are missing, or there is no such device.
    """
    device = choose_device(device)
    clips = folder / "data"
    if (clips / "clips.csv").is_file():
        opened = PhraseData(clips)
    else:
        opened = build_phrase_data(
            data, clips, singles=SINGLES, phrases=PHRASES, held_out=HELD_OUT, seed=DATA_SEED, report=report
        )
    shares = (LISTENER_MINUTES_SHARE, TOKENIZER_MINUTES_SHARE)
    listening, encoding = (share * minutes for share in shares)
    writing = minutes - listening - encoding
    common: dict[str, Any] = {"resume": resume, "device": device, "seed": seed, "report": report}
    listener = train_listener(opened, folder, listening, **common)
    tokenizer = train_tokenizer(opened, listener, folder, encoding, **common)
    tokens = tokenize(opened, np.flatnonzero(~opened.held_out), tokenizer, device, report)
    transformer = train_transformer(tokens, tokenizer, folder, writing, **common)
    weights = folder / "mars.safetensors"
    Mars(tokenizer, transformer, device).save(weights)
    return weights
