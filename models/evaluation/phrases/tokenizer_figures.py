"""The tokenizer by itself, on clips that it never heard: how much of its codebook it uses, what it loses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from ...mars.clip_batches import read_clips
from ...mars.phrase_data import PhraseData
from ...mars.tokenizer import Tokenizer

_BATCH: Final = 8


@dataclass(frozen=True)
class TokenizerFigures:
    """Of clips held out.

    Attributes:
        clips: how many.
        scales: rows and columns of each scale's tokens, coarse to fine.
        code_use: share of the codebook used at each scale, coarse to fine.
        code_count: codes there are.
        mse: of the levels that come back, in units of 80 dB.
        truncation_mse: of spectrograms cut to as many pixels as the image has places, without any tokens.
    """

    clips: int
    scales: list[tuple[int, int]]
    code_use: list[float]
    code_count: int
    mse: float
    truncation_mse: float


@torch.inference_mode()
def measure_tokenizer(
    tokenizer: Tokenizer, data: PhraseData, rows: NDArray[np.int64], advance: Callable[[str], None]
) -> TokenizerFigures:
    """Make the clips ``rows`` tokens and back; ``advance`` is called for each."""
    device = tokenizer.quantizer.codes.device
    cut = Tokenizer(replace(tokenizer.sizes, truncated=True)).to(device)
    used = np.zeros((len(tokenizer.quantizer.scales), tokenizer.sizes.code_count), bool)
    errors, cut_errors = [], []
    for first in range(0, len(rows), _BATCH):
        chosen = [int(row) for row in rows[first : first + _BATCH]]
        _, wanted, conditions = read_clips(data, np.array(chosen), str(device))
        made, quantized = tokenizer(wanted, conditions)
        for use, tokens in zip(used, quantized.tokens, strict=True):
            use[tokens.cpu().numpy().ravel()] = True
        errors += (made - wanted).square().mean((1, 2)).tolist()
        cut_errors += (cut.to_spectrogram(cut.to_image(wanted)) - wanted).square().mean((1, 2)).tolist()
        for _ in chosen:
            advance("tokenizer")
    return TokenizerFigures(
        len(rows),
        list(tokenizer.quantizer.scales),
        [float(use.mean()) for use in used],
        tokenizer.sizes.code_count,
        float(np.mean(errors)),
        float(np.mean(cut_errors)),
    )
