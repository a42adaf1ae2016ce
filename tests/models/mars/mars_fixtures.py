"""A tiny MARS with random weights, for what does not depend on training."""

from dataclasses import replace

import torch

from struck.models.mars.mars import Mars, Networks
from struck.models.mars.next_scale import NextScaleSizes, NextScaleTransformer
from struck.models.mars.tokenizer import Tokenizer, TokenizerSizes

TINY_TOKENIZER = TokenizerSizes(wide=8, middle=8, deep=16, latent=8, code_count=32)
TINY_TRANSFORMER = NextScaleSizes(width=16, depth=2, heads=2, latent=8, code_count=32)


def tiny_mars(seed: int = 0) -> Mars:
    """Random, but for real: nothing in it is zero."""
    torch.manual_seed(seed)
    networks = [tiny_networks(layout) for layout in ("beats", "seconds")]
    for pair in networks:
        for parameter in pair.module.parameters():
            torch.nn.init.normal_(parameter, 0.0, 0.15)
    return Mars(*networks)


def tiny_networks(layout: str = "beats") -> Networks:
    """As they are made."""
    return Networks(
        Tokenizer(replace(TINY_TOKENIZER, layout=layout)),
        NextScaleTransformer(replace(TINY_TRANSFORMER, layout=layout)),
    )
