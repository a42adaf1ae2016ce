"""A residual quantiser over scales: the image is said coarsely first; each finer scale adds what is missing.

After VAR (arXiv 2404.02905, algorithm 1), as MARS takes it up: one codebook for all scales. Codes lie on the
unit sphere and follow their residuals by moving averages; each scale has one gain. Scales would settle on
different parts of the codebook, and the coarse ones, with their few tokens, on few codes; a bias per scale
and code, lowered where a code is used above its share, keeps all of it in use at every scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Layout:
    """How a clip becomes an image, and that token maps. Sizes are rows (frequency) by columns (time).

    Attributes:
        time_factor: frames that are one column of the multiplexed image.
        steps: by how much each of the tokenizer's steps down makes that image smaller.
        scales: sizes of the token maps, coarse to fine; the last is that of the latent image.
    """

    time_factor: int
    steps: tuple[tuple[int, int], ...]
    scales: tuple[tuple[int, int], ...]

    @property
    def token_count(self) -> int:
        """Tokens of a clip."""
        return sum(rows * columns for rows, columns in self.scales)


LAYOUTS: Final = {
    # Of phrases: a column is two bars, a bar, half a bar, a beat, then an eighth. What is played when is told
    # by few rows already.
    "beats": Layout(11, ((2, 2), (2, 1)), ((1, 1), (2, 2), (3, 4), (4, 8), (4, 16), (8, 16), (16, 16))),
    # Of single notes, which have no beats: a column is 0.37 s in the end, for rows tell more than columns.
    "seconds": Layout(
        8, ((2, 2), (2, 2)), ((1, 1), (2, 1), (3, 2), (4, 3), (6, 4), (8, 6), (12, 8), (16, 11))
    ),
}
_CODE_DECAY: Final = 0.99
_USE_DECAY: Final = 0.995
_DEAD_SHARE: Final = 0.03
_BALANCE: Final = 0.02


class Quantized(NamedTuple):
    """What the quantiser makes of a latent image [B, C, H, W]."""

    image: Tensor  # [B, C, H, W], gradients pass straight through
    tokens: list[Tensor]  # int64 [B, h * w] per scale used
    commitment: Tensor  # how far image and latent are apart, both ways


class MultiScaleQuantizer(nn.Module):
    """Latent images to tokens of several scales and back.

    Args:
        code_count: codes, of unit length.
        channels: C of the latent image.
        scales: sizes of the token maps, the last that of the latent image.
    """

    codes: Tensor
    sums: Tensor
    counts: Tensor
    use: Tensor
    gains: Tensor

    def __init__(
        self,
        code_count: int = 1024,
        channels: int = 32,
        scales: Sequence[tuple[int, int]] = LAYOUTS["beats"].scales,
    ) -> None:
        super().__init__()
        self.scales = scales
        codes = functional.normalize(torch.randn(code_count, channels), dim=1)
        self.register_buffer("codes", codes)
        self.register_buffer("sums", codes.clone())
        self.register_buffer("counts", torch.ones(code_count))
        self.register_buffer("use", torch.full((len(scales), code_count), 1.0 / code_count))
        self.register_buffer("gains", torch.ones(len(scales)))
        # What a code means differs between scales by this much: a convolution after the upsampling.
        self.smooth = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in scales)
        for conv in self.smooth:
            for parameter in conv.parameters():
                nn.init.zeros_(parameter)

    def forward(self, latent: Tensor, scales_used: int | None = None) -> Quantized:
        """Quantise ``latent`` [B, C, H, W] by all scales, or the first so many; learns codes in training."""
        with torch.autocast(latent.device.type, enabled=False):  # which code is nearest is not for bfloat16
            return self._quantise(latent.float(), scales_used)

    def _quantise(self, latent: Tensor, scales_used: int | None) -> Quantized:
        rest = latent.detach()
        total = torch.zeros_like(latent)
        tokens, losses = [], []
        for scale, size in enumerate(self.scales[:scales_used]):
            residual = functional.adaptive_avg_pool2d(rest, size)  # [B, C, h, w]
            flat = residual.movedim(1, -1).reshape(-1, residual.shape[1])
            directions = functional.normalize(flat, dim=1)
            chosen = self._nearest(directions, scale)
            if self.training:
                self._follow(flat, directions, chosen, scale)
            indices = chosen.reshape(len(latent), -1)
            part = self.expand(indices, scale)
            total = total + part
            rest = rest - part.detach()
            tokens.append(indices)
            losses.append(
                functional.mse_loss(total, latent.detach())
                + 0.25 * functional.mse_loss(total.detach(), latent)
            )
        return Quantized(latent + (total - latent).detach(), tokens, torch.stack(losses).mean())

    def expand(self, indices: Tensor, scale: int) -> Tensor:
        """Tokens int64 [B, h * w] of one scale to what they add to the image, [B, C, H, W]."""
        rows, columns = self.scales[scale]
        picked = self.codes[indices] * self.gains[scale]
        image = picked.reshape(len(indices), rows, columns, -1).movedim(-1, 1)
        if scale < len(self.scales) - 1:
            image = functional.interpolate(image, self.scales[-1], mode="bilinear", align_corners=False)
        smoothed: Tensor = image + self.smooth[scale](image)
        return smoothed

    def image(self, tokens: list[Tensor]) -> Tensor:
        """The image [B, C, H, W] that tokens of the first scales, int64 [B, h * w] each, add up to."""
        parts = [self.expand(indices, scale) for scale, indices in enumerate(tokens)]
        return torch.stack(parts).sum(0)

    def _nearest(self, directions: Tensor, scale: int) -> Tensor:
        bias = -_BALANCE * torch.log(self.use[scale] * self.use.shape[1] + 0.05)
        return (directions @ self.codes.T + bias).argmax(1)

    @torch.no_grad()
    def _follow(self, flat: Tensor, directions: Tensor, chosen: Tensor, scale: int) -> None:
        """Move codes towards what they stood for, count their use, put unused ones where sound is."""
        count = len(self.codes)
        # Every scale has the same say, however many tokens it has: else the finest alone makes the codebook.
        sizes = [rows * columns for rows, columns in self.scales]
        weight = (sizes[-1] / sizes[scale]) ** 0.5
        hits = torch.bincount(chosen, minlength=count).float()
        self.use[scale].lerp_(hits / hits.sum(), 1.0 - _USE_DECAY)
        sums = torch.zeros_like(self.sums).index_add_(0, chosen, directions)
        self.sums.mul_(_CODE_DECAY).add_(sums, alpha=weight * (1.0 - _CODE_DECAY))
        self.counts.mul_(_CODE_DECAY).add_(hits, alpha=weight * (1.0 - _CODE_DECAY))
        dead = torch.nonzero(self.counts < _DEAD_SHARE * self.counts.mean())[:, 0]
        if len(dead):
            dead = dead[torch.randperm(len(dead), device=dead.device)[: max(1, len(directions) // 8)]]
            reborn = directions[torch.randint(len(directions), (len(dead),), device=dead.device)]
            self.sums[dead] = reborn * self.counts.mean()
            self.counts[dead] = self.counts.mean()
        self.codes.copy_(functional.normalize(self.sums, dim=1))
        # The gain that fits best, on average.
        best = (flat * self.codes[chosen]).sum(1).mean()
        self.gains[scale].lerp_(best, 1.0 - _CODE_DECAY)
