"""The quantiser: codes of unit length, tokens that say what the image is, all codes in use."""

from itertools import pairwise

import pytest
import torch
from torch.nn import functional

from struck.models.mars.quantizer import LAYOUTS, MultiScaleQuantizer

SCALES = LAYOUTS["beats"].scales


@pytest.fixture
def quantizer():
    torch.manual_seed(1)
    return MultiScaleQuantizer(code_count=64, channels=8)


def latents(count, seed=0):
    """Images whose places hold one of 40 directions."""
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(40, 8, generator=torch.Generator().manual_seed(7))
    chosen = torch.randint(40, (count, 4, 16), generator=generator)
    coarse = directions[chosen].movedim(-1, 1)
    return functional.interpolate(coarse, SCALES[-1], mode="nearest")


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_scales_grow_and_are_not_square(layout):
    for (rows, columns), (next_rows, next_columns) in pairwise(layout.scales):
        assert next_rows >= rows
        assert next_columns >= columns
    assert any(rows != columns for rows, columns in layout.scales)
    assert layout.token_count == sum(rows * columns for rows, columns in layout.scales)


def test_tokens_alone_give_the_image_again(quantizer):
    quantizer.eval()
    latent = latents(3)
    quantized = quantizer(latent)
    assert [t.shape for t in quantized.tokens] == [(3, r * c) for r, c in SCALES]
    assert torch.allclose(quantizer.image(quantized.tokens), quantized.image, atol=1e-5)


def test_learning_explains_more_and_keeps_codes_of_unit_length_in_use(quantizer):
    def missing():
        quantizer.eval()
        latent = latents(16, seed=99)
        share = (latent - quantizer(latent).image).square().sum() / latent.square().sum()
        quantizer.train()
        return float(share)

    before = missing()
    for seed in range(100):
        quantizer(latents(16, seed))
    assert missing() < 0.75 * before
    assert torch.allclose(quantizer.codes.norm(dim=1), torch.ones(64), atol=1e-5)
    quantizer.eval()
    used = [len(torch.unique(tokens)) / 64 for tokens in quantizer(latents(128, seed=5)).tokens]
    for share, (rows, columns) in zip(used, SCALES, strict=True):
        if rows * columns >= 8:
            assert share >= 0.7


def test_a_dead_code_comes_back(quantizer):
    quantizer.train()
    quantizer.codes[0] = -functional.normalize(torch.ones(8), dim=0)
    quantizer.sums[0] = quantizer.codes[0] * 1e-3
    quantizer.counts[0] = 1e-3
    quantizer(latents(16))
    assert quantizer.counts[0] > 0.1


def test_fewer_scales_say_less(quantizer):
    for seed in range(40):
        quantizer(latents(16, seed))
    quantizer.eval()
    latent = latents(16, seed=77)
    errors = [float((latent - quantizer(latent, n).image).square().mean()) for n in (2, 4, len(SCALES))]
    assert errors[0] > errors[1] > errors[2]


def test_gradients_pass_straight_through(quantizer):
    latent = latents(2).requires_grad_()
    quantizer(latent).image.sum().backward()
    assert torch.allclose(latent.grad, torch.ones_like(latent))
