"""What MARS' networks are trained to lessen: losses of listener, tokenizer and transformer, a batch each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..network_trainer import Losses
from .clip_batches import ClipBatch
from .condition_inputs import ConditionBatch
from .listener import Listener
from .next_scale import NextScaleTransformer, images_before_scales, split_scales
from .sound.spectrum import FLOOR_DB
from .tokenizer import Tokenizer

#: A token counts by its scale's token count to this power, inverted: the finest scale would have half of the
#: loss, and errors of coarse ones cost most.
SCALE_WEIGHT: Final = 0.4
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
ONSET_WEIGHT: Final = 4.0
ONSET_FRAMES: Final = 6
#: What the slopes between frames count, beside levels and slopes between bins.
RISE_WEIGHT: Final = 0.5
#: What it counts by how much the frequencies are off that bins tell.
PITCH_WEIGHT: Final = 0.5


def spectrogram_loss(made: Tensor, wanted: Tensor) -> dict[str, Tensor]:
    """How far ``made`` is from ``wanted`` [B, F, T]: levels, and the slopes between bins and between frames.

    The slopes keep partials narrow, attacks and ends short, where the levels alone would have them blurred.
    """
    error = made - wanted
    weight = _weight(wanted)
    levels = (weight * (error.abs() + 4.0 * error.square())).mean()
    slopes = (made.diff(dim=1) - wanted.diff(dim=1)).abs() * weight[:, 1:]
    rises = (made.diff(dim=2) - wanted.diff(dim=2)).abs() * weight[:, :, 1:]
    return {
        "levels": levels,
        "slopes": slopes.mean(),
        "rises": rises.mean(),
        "pitches": _pitch_error(made, wanted),
        "mse": error.square().mean(),
    }


def _pitch_error(made: Tensor, wanted: Tensor) -> Tensor:
    """How far off the frequencies are that bins of ``made`` tell, of ``wanted`` [B, F, T]: 0 where they are
    right, 0.5 where they are a semitone off, never 1.

    Where a steady partial lies between bins, its main lobe tells: how its neighbours differ. At 65 Hz a
    semitone is a third of a bin, so which note it is hangs on some dB in a few bins, which hardly count among
    a thousand. So a bin counts as its power in its frame, and a frame as the root of its power.
    """
    unit = math.log(10.0) * -FLOOR_DB / 20.0  # of a level, as a logarithm of amplitude
    power = torch.exp(2.0 * unit * (wanted[:, 1:-1] - 1.0)) * (wanted[:, 1:-1] > 0.0)
    whole = power.sum(1, keepdim=True)
    share = power / whole.clamp(min=1e-12)
    loudness = whole.sqrt()
    weight = share * loudness / loudness.mean((1, 2), keepdim=True).clamp(min=1e-6)

    def bins_above(levels: Tensor) -> Tensor:
        # By a Hann window's main lobe, as in ``sound.phase``.
        tilt = torch.tanh(0.5 * unit * (levels[:, 2:] - levels[:, :-2]))
        return 4.0 * tilt / (3.0 + (9.0 - 8.0 * tilt.square()).sqrt())

    bins = torch.arange(1.0, made.shape[1] - 1.0, device=made.device)[:, None]
    semitones = 12.0 / math.log(2.0) * (bins_above(made) - bins_above(wanted)).abs() / bins
    return (weight * semitones / (1.0 + semitones)).sum(1).mean()


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
    chance = torch.Generator().manual_seed(seed)
    for rows, spectrogram, _ in batches:
        levels = listener.levels(spectrogram)
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
    tokenizer: Tokenizer,
    listener: Listener,
    batches: Iterator[ClipBatch],
    seed: int,
    device: str,
    half: bool,
) -> Losses:
    """Losses of the tokenizer, a batch each; ``half``: in bfloat16."""
    chance = np.random.default_rng(seed)
    for _, wanted, conditions in batches:
        scales = None
        if chance.random() < COARSE_SHARE:
            scales = int(chance.integers(3, len(tokenizer.quantizer.scales)))
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=half):
            made, quantized = tokenizer(wanted, conditions, scales)
        parts = spectrogram_loss(made.float(), wanted)
        parts["listener"] = listener.distance(made.float(), wanted)
        loss = parts["levels"] + 0.7 * parts["slopes"] + RISE_WEIGHT * parts["rises"]
        loss = loss + PITCH_WEIGHT * parts["pitches"] + 0.1 * quantized.commitment
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


@dataclass(frozen=True)
class TokenData:
    """All training clips as tokens, made once.

    Attributes:
        tokens: int64 [N, tokens of a clip].
        conditions: of the N clips.
        previous: int64 [N], the row that was played before, or -1.
    """

    tokens: Tensor
    conditions: ConditionBatch
    previous: Tensor


def transformer_losses(
    transformer: NextScaleTransformer,
    tokenizer: Tokenizer,
    data: TokenData,
    size: int,
    seed: int,
    device: str,
    half: bool,
) -> Losses:
    """Losses of the transformer, one of each batch of ``size`` clips, endless; ``half``: in bfloat16."""
    rng = np.random.default_rng(seed)
    chance = torch.Generator().manual_seed(seed)
    scales = tokenizer.quantizer.scales
    weights = torch.cat([torch.full((r * c,), (r * c) ** -SCALE_WEIGHT) for r, c in scales]).to(device)
    weights = weights / weights.sum()
    # Codes that are near each other are as good: half of the probability is shared among neighbours.
    codes = tokenizer.quantizer.codes
    near = torch.softmax(-torch.cdist(codes, codes).square() / NEIGHBOURHOOD, -1)
    targets = 0.5 * near + 0.5 * torch.eye(len(codes), device=device)
    while True:
        order = rng.permutation(len(data.tokens))
        for first in range(0, len(order) - size + 1, size):
            rows = torch.from_numpy(np.sort(order[first : first + size]))
            told = data.tokens[rows]
            # What it has written itself will have errors too.
            wrong = torch.rand(told.shape, generator=chance) < torch.rand(size, 1, generator=chance) * ERRORS
            guess = torch.randint(tokenizer.sizes.code_count, told.shape, generator=chance)
            given = split_scales(torch.where(wrong, guess, told).to(device), scales)
            dropped = (torch.rand(size, generator=chance) < DROPPED).to(device)
            previous = data.previous[rows]
            goes_on = (previous >= 0) & (torch.rand(size, generator=chance) > DROPPED)
            with torch.no_grad():
                images = images_before_scales(tokenizer.quantizer, given)
                earlier = split_scales(data.tokens[previous.clamp(min=0)].to(device), scales)
                before = tokenizer.quantizer.image(earlier)
            conditions = data.conditions.pick(rows).to(device)
            with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=half):
                logits = transformer(images, conditions, before, goes_on.to(device), dropped)
            likely = functional.log_softmax(logits.float(), -1)
            losses = -(targets[told.to(device)] * likely).sum(-1)
            by_scale = split_scales(losses.detach(), scales)
            told_of = {f"scale_{i + 1}": part.mean() for i, part in enumerate(by_scale)}
            yield (losses * weights).sum(1).mean(), told_of


@torch.no_grad()
def mean_loss(
    transformer: NextScaleTransformer, tokenizer: Tokenizer, data: TokenData, size: int, device: str
) -> float:
    """The loss on all of ``data`` but what fills no batch of ``size``, always with the same errors given."""
    losses = transformer_losses(transformer, tokenizer, data, size, 0, device, half=False)
    return float(np.mean([float(next(losses)[0]) for _ in range(len(data.tokens) // size)]))
