"""The tokenizer: log-magnitude spectrograms to tokens of several scales and back.

Convolutions over the multiplexed spectrogram, of a phrase (a note has another ``Layout``)::

    [1024, 352] -> multiplexed [176, 64, 32] -> [64, 64, 32] -> [96, 32, 16] -> latent [32, 16, 16] -> tokens
    tokens -> latent -> ... -> [176, 64, 32] -> [1024, 352]

A column of the multiplexed image is a sixteenth note, one of the latent image an eighth.

Both halves are told the conditions, as an embedding that scales and shifts, and as hints
(``condition_inputs``): pitch and tempo need no tokens. What lies on the partials of the notes asked for is
read and written apart, at the full resolution: how loud each is tells an instrument.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from .channel_multiplexing import demultiplex, multiplex
from .condition_inputs import BINS, GRID_ROWS, ConditionBatch, ConditionEmbedding, slots_of_columns
from .conditions import FRAMES, HARMONY_SLOTS
from .quantizer import LAYOUTS, Layout, MultiScaleQuantizer, Quantized

EMBEDDING: Final = 128


@dataclass(frozen=True)
class TokenizerSizes:
    """Sizes of the networks.

    Attributes:
        layout: by its name, how clips become images and tokens.
        truncated: the image has fewer pixels instead of more channels.
    """

    layout: str = "beats"
    frequency_factor: int = 16
    wide: int = 64
    middle: int = 96
    deep: int = 192
    latent: int = 32
    code_count: int = 1024
    truncated: bool = False

    @property
    def plan(self) -> Layout:
        """What ``layout`` names."""
        return LAYOUTS[self.layout]

    @property
    def time_factor(self) -> int:
        """Frames that are one column of the image."""
        return self.plan.time_factor


class _Block(nn.Module):
    """A two-layer network at each place beside a straight path, scaled and shifted by the conditions;
    where it ``mixes``, a convolution before it lets neighbours in."""

    def __init__(self, channels: int, mixes: bool) -> None:
        super().__init__()
        self.spread = nn.Conv2d(channels, channels, 3, padding=1) if mixes else nn.Identity()
        self.norm = nn.GroupNorm(4, channels)
        self.first = nn.Conv2d(channels, 2 * channels, 1)
        self.second = nn.Conv2d(2 * channels, channels, 1)
        self.film = nn.Linear(EMBEDDING, 2 * channels)
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)

    def forward(self, image: Tensor, embedded: Tensor) -> Tensor:
        scale, shift = self.film(embedded)[:, :, None, None].chunk(2, 1)
        hidden = self.norm(self.spread(image)) * (1.0 + scale) + shift
        out: Tensor = image + self.second(functional.silu(self.first(hidden)))
        return out


class _Attention(nn.Module):
    """Every place of the smallest image looks at every other: a note's partials are far apart."""

    def __init__(self, channels: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(8, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, image: Tensor) -> Tensor:
        batch, channels, rows, columns = image.shape
        qkv = self.qkv(self.norm(image)).reshape(batch, 3, self.heads, channels // self.heads, -1)
        query, key, value = qkv.transpose(-1, -2).unbind(1)
        looks = torch.softmax(query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5, -1)
        mixed = looks.to(value.dtype) @ value
        out: Tensor = image + self.out(mixed.transpose(-1, -2).reshape(batch, channels, rows, columns))
        return out


class _Hints(nn.Module):
    """Comb and grid, multiplexed like the spectrogram, projected to C channels: along rows, along columns."""

    def __init__(self, sizes: TokenizerSizes, channels: int) -> None:
        super().__init__()
        self.rows = BINS // sizes.frequency_factor
        self.columns = FRAMES // sizes.time_factor
        self.comb = nn.Linear(sizes.frequency_factor, channels)
        self.grid = nn.Linear(GRID_ROWS * sizes.time_factor, channels)
        self.place = nn.Parameter(torch.zeros(channels, self.rows, 1))

    def forward(self, conditions: ConditionBatch) -> Tensor:
        comb = self.comb(conditions.comb.unflatten(2, (self.rows, -1))).transpose(1, 2)
        comb = comb[:, :, slots_of_columns(self.columns)]
        grid = conditions.grid.reshape(len(comb), GRID_ROWS, self.columns, -1).permute(0, 2, 1, 3)
        grid = self.grid(grid.reshape(len(comb), 1, self.columns, self.grid.in_features))
        return (comb + grid).permute(0, 3, 1, 2) + self.place


class _Partials(nn.Module):
    """Levels on the partials asked for, per row of the image and frame: read from, written to spectrograms.

    A partial's main lobe in decibels, at any level, is a sum of nested ones (``lobes`` above steps): K levels
    for each row and frame say it.
    """

    steps: Tensor

    def __init__(self, sizes: TokenizerSizes, channels: int) -> None:
        super().__init__()
        self.rows, self.factor = BINS // sizes.frequency_factor, sizes.time_factor
        self.register_buffer("steps", torch.tensor([0.0, 0.25, 0.5, 0.75])[:, None], persistent=False)
        amounts = len(self.steps) * self.factor
        self.entering = nn.Conv2d(amounts, channels, 1)
        self.leaving = nn.Conv2d(channels, amounts, 1)
        for conv in (self.entering, self.leaving):
            nn.init.zeros_(conv.weight)
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]

    def read(self, spectrogram: Tensor, conditions: ConditionBatch) -> Tensor:
        """[B, F, T] to what they add to the hidden image [B, C, H, W]."""
        nested = self._nested(conditions)
        shares = nested / (nested.sum(-1, keepdim=True) + 1e-3)
        rows = spectrogram.reshape(len(spectrogram), self.rows, -1, HARMONY_SLOTS, FRAMES // HARMONY_SLOTS)
        levels = torch.einsum("bskhi,bhist->bkhst", shares, rows).flatten(3)
        image = levels.reshape(*levels.shape[:3], -1, self.factor).permute(0, 1, 4, 2, 3).flatten(1, 2)
        out: Tensor = self.entering(image)
        return out

    def write(self, hidden: Tensor, conditions: ConditionBatch) -> Tensor:
        """The hidden image [B, C, H, W] to what they add to the spectrogram [B, F, T]."""
        image = self.leaving(hidden).unflatten(1, (-1, self.factor))
        levels = image.permute(0, 1, 3, 4, 2).flatten(3).unflatten(3, (HARMONY_SLOTS, -1)).float()
        written = torch.einsum("bskhi,bkhst->bhist", self._nested(conditions), levels)
        return written.flatten(3).flatten(1, 2)

    def _nested(self, conditions: ConditionBatch) -> Tensor:
        """[B, S, K, H, bins of a row]; S are the half bars, each with its own chord."""
        nested = (conditions.lobes[:, :, None] - self.steps).clamp(min=0.0)
        return nested.unflatten(3, (self.rows, -1))


class Tokenizer(nn.Module):
    """Spectrograms [B, F, T] in units of 0 (-80 dB) to 1 (0 dB, a full-scale sine) to tokens and back."""

    resize_rows: Tensor
    resize_columns: Tensor

    def __init__(self, sizes: TokenizerSizes | None = None) -> None:
        super().__init__()
        self.sizes = sizes = sizes or TokenizerSizes()
        wide, middle, deep = sizes.wide, sizes.middle, sizes.deep
        pixels = 1 if sizes.truncated else sizes.frequency_factor * sizes.time_factor
        if sizes.truncated:
            rows, columns = BINS // sizes.frequency_factor, FRAMES // sizes.time_factor
            self.register_buffer("resize_rows", _band_limited(rows, BINS))
            self.register_buffer("resize_columns", _band_limited(columns, FRAMES))
        self.embed = ConditionEmbedding(EMBEDDING)
        self.hints_in = _Hints(sizes, wide)
        self.hints_out = _Hints(sizes, wide)
        # A truncated image must not know what truncation took.
        self.partials = None if sizes.truncated else _Partials(sizes, wide)
        # encoder
        self.enter = nn.Conv2d(pixels, wide, 1)
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, step, stride=step)
            for (a, b), step in zip(((wide, middle), (middle, deep)), sizes.plan.steps, strict=True)
        )
        self.encoding = nn.ModuleList(
            nn.ModuleList(_Block(channels, mixes=True) for _ in range(count))
            for channels, count in ((wide, 1), (middle, 2), (deep, 2))
        )
        self.look = _Attention(deep)
        self.to_latent = nn.Conv2d(deep, sizes.latent, 1)
        self.quantizer = MultiScaleQuantizer(sizes.code_count, sizes.latent, sizes.plan.scales)
        # decoder
        self.from_latent = nn.Conv2d(sizes.latent, deep, 3, padding=1)
        self.row_place = nn.Parameter(torch.zeros(deep, sizes.plan.scales[-1][0], 1))
        self.look_out = _Attention(deep)
        self.up = nn.ModuleList(
            nn.Conv2d(a, rows * columns * b, 1)
            for (a, b), (rows, columns) in zip(
                ((deep, middle), (middle, wide)), reversed(sizes.plan.steps), strict=True
            )
        )
        self.decoding = nn.ModuleList(
            nn.ModuleList(_Block(channels, mixes=i != 1) for i in range(count))
            for channels, count in ((deep, 3), (middle, 3), (wide, 2))
        )
        self.leave = nn.Conv2d(wide, pixels, 1)

    def to_image(self, spectrogram: Tensor) -> Tensor:
        """[B, F, T] to the image [B, C, H, W] that the networks see."""
        if self.sizes.truncated:
            return (self.resize_rows @ spectrogram @ self.resize_columns.T)[:, None]
        return multiplex(spectrogram, self.sizes.frequency_factor, self.sizes.time_factor)

    def to_spectrogram(self, image: Tensor) -> Tensor:
        """The way back, [B, C, H, W] to [B, F, T]; exact unless truncated."""
        if self.sizes.truncated:
            pixels = self.sizes.frequency_factor * self.sizes.time_factor
            return pixels * (self.resize_rows.T @ image[:, 0] @ self.resize_columns)
        return demultiplex(image, self.sizes.frequency_factor, self.sizes.time_factor)

    def encode(self, spectrogram: Tensor, conditions: ConditionBatch) -> Tensor:
        """[B, F, T] to the latent image [B, C, H, W]."""
        embedded = self.embed(conditions)
        hidden = self.enter(self.to_image(spectrogram)) + self.hints_in(conditions)
        if self.partials is not None:
            hidden = hidden + self.partials.read(spectrogram, conditions)
        for level, blocks in enumerate(self.encoding):
            for block in blocks:  # type: ignore[attr-defined]
                hidden = block(hidden, embedded)
            if level < len(self.down):
                hidden = self.down[level](hidden)
        latent: Tensor = self.to_latent(self.look(hidden))
        return latent

    def decode(self, latent: Tensor, conditions: ConditionBatch) -> Tensor:
        """Latent image [B, C, H, W] to [B, F, T]."""
        embedded = self.embed(conditions)
        hidden = self.look_out(self.from_latent(latent) + self.row_place)
        for level, blocks in enumerate(self.decoding):
            if level > 0:
                hidden = _spread_out(self.up[level - 1](hidden), *self.sizes.plan.steps[-level])
            if level == len(self.up):
                hidden = hidden + self.hints_out(conditions)
            for block in blocks:  # type: ignore[attr-defined]
                hidden = block(hidden, embedded)
        spectrogram = self.to_spectrogram(self.leave(hidden).float())
        if self.partials is not None:
            spectrogram = spectrogram + self.partials.write(hidden, conditions)
        return spectrogram

    def forward(
        self, spectrogram: Tensor, conditions: ConditionBatch, scales_used: int | None = None
    ) -> tuple[Tensor, Quantized]:
        """What remains of ``spectrogram`` after it was tokens, and the tokens."""
        quantized = self.quantizer(self.encode(spectrogram, conditions), scales_used)
        return self.decode(quantized.image, conditions), quantized

    @torch.no_grad()
    def tokens_of(self, spectrogram: Tensor, conditions: ConditionBatch) -> list[Tensor]:
        """int64 [B, h * w] per scale."""
        tokens: list[Tensor] = self.quantizer(self.encode(spectrogram, conditions)).tokens
        return tokens

    @torch.no_grad()
    def spectrogram_of(self, tokens: list[Tensor], conditions: ConditionBatch) -> Tensor:
        """[B, F, T] of tokens, those of the coarse scales alone if there are no others."""
        return self.decode(self.quantizer.image(tokens), conditions)


def _spread_out(image: Tensor, rows: int, columns: int) -> Tensor:
    """[B, C rows columns, H, W] to [B, C, H rows, W columns]: channels become places beside each other."""
    split = image.unflatten(1, (-1, rows, columns))
    return split.permute(0, 1, 4, 2, 5, 3).flatten(4).flatten(2, 3)


def _band_limited(small: int, large: int) -> Tensor:
    """[small, large]: the cosine transform of ``large`` points cut to ``small`` of them, and back.

    Of images of that size its result is the one from which most of smooth spectrograms can be had back.
    """

    def cosine(rows: int, points: int) -> Tensor:
        place = (torch.arange(points) + 0.5) / points
        table = torch.cos(torch.pi * torch.arange(rows)[:, None] * place) * (2.0 / points) ** 0.5
        table[0] /= 2.0**0.5
        return table

    return cosine(small, small).T @ cosine(small, large) * (small / large) ** 0.5
