"""A tiny MARS with random weights, for what does not depend on training."""

import torch

from struck.models.mars.mars import Mars
from struck.models.mars.next_scale import NextScaleSizes, NextScaleTransformer
from struck.models.mars.tokenizer import Tokenizer, TokenizerSizes

TINY_TOKENIZER = TokenizerSizes(wide=8, middle=8, deep=16, latent=8, code_count=32)
TINY_TRANSFORMER = NextScaleSizes(width=16, depth=2, heads=2, latent=8, code_count=32)


def tiny_mars(seed: int = 0) -> Mars:
    """Random, but for real: nothing in it is zero."""
    torch.manual_seed(seed)
    networks = Tokenizer(TINY_TOKENIZER), NextScaleTransformer(TINY_TRANSFORMER)
    for network in networks:
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, 0.0, 0.15)
    return Mars(*networks)
