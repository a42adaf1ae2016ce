"""The transformer that writes a phrase scale by scale: all tokens of the next scale at once.

After VAR (arXiv 2404.02905) as MARS takes it up (arXiv 2509.26007, sec. 2). Each place of a scale is given
what the scales before it add up to there; it sees those scales and its own (block-causal attention)::

    the end of the phrase before | scale 1 | scale 2 | ... | the finest
    seen by all                  | each seen by itself and by all after it

Conditions scale, shift and gate every layer (AdaLN) and, dropped at random in training, allow guidance. While
writing, keys and values of finished scales are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from .condition_inputs import BINS, GRID_ROWS, ConditionBatch, ConditionEmbedding, slots_of_columns
from .quantizer import LAYOUTS, MultiScaleQuantizer

#: Columns of the latent image before that a phrase goes on from.
BEFORE_COLUMNS: Final = 2
POINTING: Final = 4.0


@dataclass(frozen=True)
class NextScaleSizes:
    """Sizes of the transformer; ``layout`` names that of the clips that it writes."""

    layout: str = "beats"
    width: int = 256
    depth: int = 6
    heads: int = 4
    latent: int = 32
    code_count: int = 1024


class _Layer(nn.Module):
    """Attention and a two-layer network, each scaled, shifted and gated by the conditions."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.first = nn.Linear(width, 4 * width)
        self.second = nn.Linear(4 * width, width)
        self.condition = nn.Linear(width, 6 * width)
        nn.init.zeros_(self.condition.weight)
        nn.init.zeros_(self.condition.bias)
        with torch.no_grad():  # gates begin open
            self.condition.bias[2 * width : 3 * width] = 0.5
            self.condition.bias[5 * width :] = 0.5

    def forward(
        self, hidden: Tensor, embedded: Tensor, mask: Tensor | None, kept: list[Tensor] | None
    ) -> Tensor:
        """``hidden`` [B, N, D]; ``kept``: keys and values [B, H, M, D / H] of what came before."""
        batch, count, width = hidden.shape
        parts = self.condition(embedded)[:, None].chunk(6, -1)
        normed = functional.layer_norm(hidden, (width,)) * (1.0 + parts[0]) + parts[1]
        qkv = self.qkv(normed).reshape(batch, count, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        if kept is not None:
            if kept:
                key, value = torch.cat((kept[0], key), 2), torch.cat((kept[1], value), 2)
            kept[:] = key, value
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        hidden = hidden + parts[2] * self.out(mixed.transpose(1, 2).reshape(batch, count, width))
        normed = functional.layer_norm(hidden, (width,)) * (1.0 + parts[3]) + parts[4]
        out: Tensor = hidden + parts[5] * self.second(functional.gelu(self.first(normed)))
        return out


class NextScaleTransformer(nn.Module):
    """Predicts codes [B, N, V] of all places from coarser scales, conditions and the phrase before.

    Attributes:
        codes: float32 [V, C], those of the tokenizer.
    """

    mask: Tensor
    codes: Tensor

    def __init__(self, sizes: NextScaleSizes | None = None) -> None:
        super().__init__()
        self.sizes = sizes = sizes or NextScaleSizes()
        self.scales = scales = LAYOUTS[sizes.layout].scales
        self.before_count = scales[-1][0] * BEFORE_COLUMNS
        width = sizes.width
        self.embed = ConditionEmbedding(width, droppable=True)
        self.enter = nn.Linear(sizes.latent, width)
        self.enter_before = nn.Linear(sizes.latent, width)
        self.nothing_before = nn.Parameter(torch.randn(self.before_count, width) * 0.02)
        self.scale = nn.Parameter(torch.randn(len(scales), width) * 0.02)
        self.row = nn.Parameter(torch.randn(scales[-1][0], width) * 0.02)
        self.column = nn.Parameter(torch.randn(scales[-1][1] + BEFORE_COLUMNS, width) * 0.02)
        self.hints = nn.Linear(3 * (BINS // scales[-1][0]) // 16 + 2 * GRID_ROWS, width)
        self.slot = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.slot.weight)
        self.layers = nn.ModuleList(_Layer(width, sizes.heads) for _ in range(sizes.depth))
        self.last = nn.Linear(width, 2 * width)
        # A code is likely where it points the way that is wanted, or for itself: what is learnt of one code
        # holds for its neighbours.
        self.point = nn.Linear(width, sizes.latent)
        self.leave = nn.Linear(width, sizes.code_count)
        self.register_buffer("codes", torch.zeros(sizes.code_count, sizes.latent))
        nn.init.normal_(self.leave.weight, 0.0, 0.01)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)
        level = torch.cat(
            [torch.zeros(self.before_count)]
            + [torch.full((rows * columns,), i + 1.0) for i, (rows, columns) in enumerate(scales)]
        )
        self.register_buffer("mask", level[:, None] >= level[None, :], persistent=False)

    def forward(
        self,
        images: list[Tensor],
        conditions: ConditionBatch,
        before: Tensor | None,
        has_before: Tensor,
        dropped: Tensor,
    ) -> Tensor:
        """Logits [B, N, V] of all N tokens.

        Args:
            images: what the scales before each scale add up to, at its size: [B, C, h, w] each.
            conditions: of B phrases.
            before: latent images [B, C, H, W] of the phrases before; only the last columns count.
            has_before: bool [B], which phrases go on from one.
            dropped: bool [B], whose conditions are hidden.
        """
        embedded = self.embed(conditions, dropped)
        hints = self._hints(conditions, dropped)
        parts = [self._before(before, has_before)]
        parts += [self._scale(image, scale, hints) for scale, image in enumerate(images)]
        hidden = torch.cat(parts, 1)
        for layer in self.layers:
            hidden = layer(hidden, embedded, self.mask, None)
        return self._leave(hidden[:, self.before_count :], embedded)

    def _before(self, before: Tensor | None, has_before: Tensor) -> Tensor:
        """[B, ``before_count``, D]: the phrase before as it ended."""
        width = self.sizes.width
        place = (self.row[:, None] + self.column[-BEFORE_COLUMNS:]).reshape(-1, width)
        nothing = self.nothing_before.expand(len(has_before), -1, -1)
        if before is None:
            return nothing + place
        end = before[..., -BEFORE_COLUMNS:].flatten(2).transpose(1, 2)
        return torch.where(has_before[:, None, None], self.enter_before(end), nothing) + place

    def _hints(self, conditions: ConditionBatch, dropped: Tensor) -> Tensor:
        """[B, D, H, W]: what the conditions tell of each place of the finest scale."""
        rows, columns = self.scales[-1]
        comb = conditions.comb.unflatten(2, (rows, -1, 16))  # [B, S, H, bins / 16, 16]
        combs = torch.cat((comb.amax(-1), comb.mean(-1), comb.std(-1)), -1)
        grid = conditions.grid.reshape(len(dropped), GRID_ROWS, columns, -1)
        grids = torch.cat((grid.mean(-1), grid.amax(-1)), 1).transpose(1, 2)
        weight, count = self.hints.weight, combs.shape[-1]
        slots = combs @ weight[:, :count].T + self.slot(self.embed.slots(conditions))[:, :, None]
        seen = (~dropped)[:, None, None, None].to(comb.dtype)
        by_column = slots[:, slots_of_columns(columns)]  # [B, W, H, D]
        places = (by_column + (grids @ weight[:, count:].T)[:, :, None]) * seen
        return places.permute(0, 3, 2, 1)

    def _scale(self, image: Tensor, scale: int, hints: Tensor) -> Tensor:
        """[B, h * w, D]: what enters at one scale."""
        rows, columns = self.scales[scale]
        # Of a coarse scale's place, the mean over what it covers.
        hint = functional.adaptive_avg_pool2d(hints, (rows, columns))
        row = functional.adaptive_avg_pool1d(self.row.T[None], rows)
        column = functional.adaptive_avg_pool1d(self.column[: self.scales[-1][1]].T[None], columns)
        place = hint + row[..., :, None] + column[..., None, :]
        place = place.flatten(2).transpose(1, 2) + self.hints.bias + self.scale[scale]
        entered: Tensor = self.enter(image.flatten(2).transpose(1, 2)) + place
        return entered

    def _leave(self, hidden: Tensor, embedded: Tensor) -> Tensor:
        scale, shift = self.last(embedded)[:, None].chunk(2, -1)
        normed = functional.layer_norm(hidden, (hidden.shape[-1],)) * (1.0 + scale) + shift
        logits: Tensor = self.leave(normed) + POINTING * self.point(normed) @ self.codes.T
        return logits

    def begin(self, conditions: ConditionBatch, before: Tensor | None, dropped: Tensor) -> ScaleWriter:
        """Write phrases scale by scale; ``before`` [B, C, H, W] for all of them, or None."""
        return ScaleWriter(self, conditions, before, dropped)


class ScaleWriter:
    """One writing of B phrases: keeps keys and values of what is written."""

    def __init__(
        self,
        network: NextScaleTransformer,
        conditions: ConditionBatch,
        before: Tensor | None,
        dropped: Tensor,
    ) -> None:
        self._network = network
        self._embedded = network.embed(conditions, dropped)
        self._hints = network._hints(conditions, dropped)
        self._kept: list[list[Tensor]] = [[] for _ in network.layers]
        present = torch.full_like(dropped, before is not None)
        self._run(network._before(before, present))

    def _run(self, hidden: Tensor) -> Tensor:
        for layer, kept in zip(self._network.layers, self._kept, strict=True):
            hidden = layer(hidden, self._embedded, None, kept)
        return hidden

    def logits(self, image: Tensor, scale: int) -> Tensor:
        """[B, h * w, V] of ``scale``, given what the scales before add up to, [B, C, h, w]."""
        entered = self._network._scale(image, scale, self._hints)
        return self._network._leave(self._run(entered), self._embedded)


def images_before_scales(quantizer: MultiScaleQuantizer, tokens: list[Tensor]) -> list[Tensor]:
    """What the scales before each scale add up to, at its size [B, C, h, w]; zeros before the first."""
    batch, channels = len(tokens[0]), quantizer.codes.shape[1]
    total = torch.zeros(batch, channels, *quantizer.scales[-1], device=quantizer.codes.device)
    images = []
    for scale, size in enumerate(quantizer.scales):
        images.append(functional.adaptive_avg_pool2d(total, size))
        if scale < len(quantizer.scales) - 1:
            total = total + quantizer.expand(tokens[scale], scale)
    return images


def split_scales(sequence: Tensor, scales: Sequence[tuple[int, int]]) -> list[Tensor]:
    """[B, N, ...] of all tokens to one [B, h * w, ...] per scale."""
    return list(torch.split(sequence, [rows * columns for rows, columns in scales], 1))


def filter_logits(logits: Tensor, top_k: int, top_p: float) -> Tensor:
    """Logits [..., V] with all but the likeliest codes at minus infinity.

    Args:
        top_k: so many codes remain; 0 for all.
        top_p: of those, the fewest that have this probability together remain (arXiv 1904.09751).
    """
    if 0 < top_k < logits.shape[-1]:
        lowest = logits.topk(top_k, -1).values[..., -1:]
        logits = logits.masked_fill(logits < lowest, -torch.inf)
    if top_p < 1.0:
        ordered, places = logits.sort(-1, descending=True)
        likely = ordered.softmax(-1)
        beyond = likely.cumsum(-1) - likely >= max(top_p, 1e-6)  # one always remains
        logits = logits.masked_fill(beyond.scatter(-1, places, beyond), -torch.inf)
    return logits
