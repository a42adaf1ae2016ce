"""Differentiable magnitude spectrograms of events: lobes placed by scatter-add (torch)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from struck.codec.events.controls import Controls, compute_controls, make_tables
from struck.codec.events.event_spec import ANALYSIS_RATE, MODE_COUNT
from struck.codec.events.segments import LifeTable, end_controls, sounding_spans
from struck.codec.hearing.event_frames import FRAMES_BEFORE
from struck.codec.hearing.spectrum import HOP, compute_frames, make_frame_tables, noise_band_matrix

#: Events rendered together show in every second frame, by their strongest modes: a fifth of the cost.
FRAME_STRIDE: Final = 2
_STRONGEST: Final = 28
_SIZES: Final = np.array([8, 16, 32, 64, 128, 256])


def hann_lobes(part: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Hann main lobe in the four bins around a peak ``part`` of a bin above the second of them.

    ``sinc(x) / (1 - x^2)`` at x = part + 1, part, part - 1, part - 2, with one sine for all four; kept off 0
    and 1, where numerator and denominator vanish together.
    """
    p = part.clamp(1e-3, 1.0 - 1e-3)
    sine = torch.sin(torch.pi * p) / torch.pi
    q = 1.0 - p
    low, high = sine / (p * (1.0 + p)), sine / (q * (1.0 + q))
    return low / (2.0 + p), low / q, high / p, high / (2.0 + q)


class EventSpectrum(nn.Module):
    """Events to magnitude frames at fixed offsets from their onsets.

    Args:
        offsets: frame offsets in hops, ascending, ``[T]``.
        n_fft: window length.
        mode_count: only this many modes of each event, those with the most energy, are rendered.
    """

    def __init__(
        self,
        offsets: np.ndarray,
        n_fft: int,
        device: torch.device | str = "cpu",
        mode_count: int = MODE_COUNT,
    ) -> None:
        super().__init__()
        self.n_fft = n_fft
        self.mode_count = mode_count
        self.tables = make_tables(lambda a: torch.from_numpy(a).to(device))
        self.frame_tables = make_frame_tables(offsets, n_fft, lambda a: torch.from_numpy(a).to(device))
        self.bands = torch.from_numpy(noise_band_matrix(n_fft)).to(device)

    def forward_lives(
        self, weights: Mapping[str, Tensor], table: LifeTable, onset_shift: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Tone amplitude and noise power of L lives, ``[L, T, F]`` each: the sums over their segments.

        Args:
            weights: the timbre network.
            table: of the lives; its gains and vectors may be tensors that want a gradient.
            onset_shift: ``[L]``, as for :meth:`forward`.
        """
        device = onset_shift.device
        life = torch.from_numpy(table.life).to(device)
        gain_db, vectors = (torch.as_tensor(a, device=device) for a in (table.gain_db, table.vectors))
        controls = compute_controls(weights, gain_db, vectors, self.tables, torch)
        ends = torch.as_tensor(table.end_seconds, dtype=torch.float32, device=device)
        spans = tuple(torch.from_numpy(side).to(device) for side in sounding_spans(table))
        tone, noise = self._render(
            end_controls(controls, ends, torch), onset_shift[life], (spans[0], spans[1])
        )
        shape = (len(onset_shift), *tone.shape[1:])
        empty = torch.zeros(shape, device=device)
        return empty.index_add(0, life, tone), empty.index_add(0, life, noise)

    def forward(
        self, weights: Mapping[str, Tensor], gain_db: Tensor, vectors: Tensor, onset_shift: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Tone amplitude and noise power, ``[E, T, F]`` each.

        Args:
            weights: the timbre network.
            gain_db: ``[E]``.
            vectors: ``[E, 32]``.
            onset_shift: ``[E]`` seconds by which each onset comes after the nominal one.
        """
        return self._render(compute_controls(weights, gain_db, vectors, self.tables, torch), onset_shift)

    def _render(
        self, controls: Controls, onset_shift: Tensor, spans: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        if self.mode_count < MODE_COUNT:
            controls = self._strongest(controls)
        amplitude, frequency, noise = compute_frames(controls, self.frame_tables, onset_shift, torch, spans)
        events, _, frames = amplitude.shape
        bins = self.n_fft // 2 + 1
        place = frequency * (self.n_fft / ANALYSIS_RATE)
        first = torch.floor(place.detach()).clamp(1, bins - 3).long() - 1
        base = torch.arange(events, device=place.device)[:, None, None] * frames
        base = (base + torch.arange(frames, device=place.device)) * bins
        tone = torch.zeros(events * frames * bins, device=place.device)
        part = place - (first + 1)
        inside = amplitude * ((part >= 0.0) & (part <= 1.0))
        for step, lobe in enumerate(hann_lobes(part)):
            tone = tone.index_add(0, (base + first + step).reshape(-1), (inside * lobe).reshape(-1))
        tone = tone.view(events, frames, bins)
        floor = torch.einsum("ebt,bf->etf", noise, self.bands)
        return tone, floor

    def _strongest(self, controls: Controls) -> Controls:
        energy = (controls.mode_gain**2 / controls.tail_rate).detach()
        chosen = energy.topk(self.mode_count, dim=-1, sorted=False).indices
        fields = ("frequency_hz", "mode_gain", "decay_rate", "tail_rate")
        return replace(controls, **{f: getattr(controls, f).gather(-1, chosen) for f in fields})


@lru_cache(maxsize=32)
def _sized_spectrum(size: int, n_fft: int, device: str) -> EventSpectrum:
    offsets = FRAME_STRIDE * np.arange(size) - FRAMES_BEFORE
    return EventSpectrum(offsets, n_fft, device, mode_count=_STRONGEST)


def render_together(
    weights: Mapping[str, Tensor],
    shape: tuple[int, int],
    start_frames: np.ndarray,
    lengths: np.ndarray,
    gain_db: Tensor,
    vectors: Tensor,
    shift_seconds: Tensor,
) -> tuple[Tensor, Tensor]:
    """Sums of power and of fourth powers of E events in every ``FRAME_STRIDE``-th frame of a window.

    Each is ``[ceil(T / FRAME_STRIDE), F]``; see :func:`struck.codec.hearing.spectrum.mean_magnitude`.

    Args:
        shape: frames T and bins F of the window.
        start_frames: frame in which each event's rendering begins, ``FRAMES_BEFORE`` before its onset's.
        lengths: frames each event needs; what reaches beyond the window is not rendered.
        gain_db: ``[E]``; ``vectors [E, 32]``; ``shift_seconds [E]``, onset after its frame's centre.
    """
    rows, bins = shape
    first = start_frames + start_frames % FRAME_STRIDE
    counts = (np.minimum(start_frames + lengths, rows) - first + FRAME_STRIDE - 1) // FRAME_STRIDE
    sizes = _SIZES[np.minimum(np.searchsorted(_SIZES, counts), len(_SIZES) - 1)]
    lateness = ((first - start_frames) * HOP / ANALYSIS_RATE).astype(np.float32)
    late = torch.from_numpy(lateness).to(gain_db.device)
    power = torch.zeros(rows // FRAME_STRIDE + int(_SIZES[-1]) + 1, bins, device=gain_db.device)
    fourth = torch.zeros_like(power)
    for size in np.unique(sizes):
        chosen = np.flatnonzero(sizes == size)
        pick = torch.from_numpy(chosen).to(gain_db.device)
        spectrum = _sized_spectrum(int(size), 2 * (bins - 1), str(gain_db.device))
        tone, noise = spectrum(weights, gain_db[pick], vectors[pick], shift_seconds[pick] - late[pick])
        row = torch.from_numpy(first[chosen] // FRAME_STRIDE)[:, None] + torch.arange(int(size))
        row = row.reshape(-1).to(gain_db.device)
        square = tone * tone
        power = power.index_add(0, row, (square + noise).reshape(-1, bins))
        fourth = fourth.index_add(0, row, (square * square).reshape(-1, bins))
    count = (rows + FRAME_STRIDE - 1) // FRAME_STRIDE
    return power[:count], fourth[:count]
