"""The decoder's torch twin: the same sound in closed form, differentiable in vectors, gains and weights.

The Numba decoder (:mod:`struck.codec.playing.decoder`) is the law, this must match it. Both share everything
up to :class:`~struck.codec.events.controls.Controls`, the noise loops and the rooms; here phases are sums
over chunks instead of recursions, and rooms are one long FFT. Only the end of inaudible modes (below -140
dBFS) is not copied.

Axes: E event, M mode, K chunk or grid point, B noise band, R room, T sample.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor

from ...codec.events.controls import Controls, ControlTables, compute_controls, make_tables
from ...codec.events.event_spec import BANDWIDTH_HZ, MODE_COUNT
from ...codec.playing.noise import check_rate, noise_loops
from ...codec.playing.room import room_impulse_responses
from ...codec.playing.voice_records import CHUNK, PHASE_CURVATURE, mode_life_chunks, noise_life_samples


class EventDecoder(torch.nn.Module):
    """Renders events at ``rate`` Hz.

    Args:
        weights: timbre network, numpy arrays or tensors by name; they become parameters of this module.
        rate: in Hz, a multiple of 150 from 22,050 to 192,000.
        dtype: of parameters and sound; ``float64`` to compare with the Numba decoder to the last digits.
            Phases are summed in float64 in any case.
    """

    def __init__(self, weights: Mapping[str, Any], rate: int, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.rate = check_rate(rate)
        self.dtype = dtype
        # a ParameterDict does not take dots in names
        self.timbre = torch.nn.ParameterDict(
            {
                name.replace(".", "_"): torch.nn.Parameter(self._convert(array))
                for name, array in weights.items()
            }
        )
        self._names = {name: name.replace(".", "_") for name in weights}
        self._tables: ControlTables = make_tables(self._convert)
        self._loops = [self._convert(loop) for loop in noise_loops(rate)]
        self._noise = torch.zeros(len(self._loops), 0, dtype=dtype)
        self._rooms = [self._convert(response) for response in room_impulse_responses(rate)]

    def _convert(self, array: Any) -> Tensor:
        return torch.as_tensor(np.array(array) if isinstance(array, np.ndarray) else array).to(self.dtype)

    def controls(self, gain_db: Tensor, vectors: Tensor) -> Controls:
        """Controls of E events from gains ``[E]`` in dB and vectors ``[E, 32]``."""
        weights = {name: self.timbre[key] for name, key in self._names.items()}
        return compute_controls(weights, gain_db.to(self.dtype), vectors.to(self.dtype), self._tables, torch)

    def forward(self, gain_db: Tensor, vectors: Tensor, onset_samples: Tensor, length: int) -> Tensor:
        """Each event alone, rooms included.

        Args:
            gain_db: ``[E]``.
            vectors: ``[E, 32]`` in [-1, 1].
            onset_samples: int ``[E]``, stream positions >= 0; the noise depends on them.
            length: samples to render, from stream position 0.

        Returns:
            ``[E, length]``
        """
        c = self.controls(gain_db, vectors)
        mode_life, noise_life = self._lifetimes(c)
        sounds = []
        for e, onset in enumerate(onset_samples.tolist()):
            envelope = self._noise_envelope(c, e, onset, length, noise_life[e])
            ramp = _interpolate(envelope, length)
            ramp = ramp + self._first_cell(envelope, onset, length)
            sounds.append(
                self._tone(c, e, onset, length, mode_life[e])
                + ramp * (c.noise_gain[e] @ self._band_noise(length))
            )
        sound = torch.stack(sounds)
        out = c.dry[:, None] * sound
        for r, response in enumerate(self._rooms):
            if torch.any(c.room_weight[:, r] != 0.0):
                out = out + _convolve(c.room_weight[:, r, None] * sound, response)
        return out

    def mix(self, gain_db: Tensor, vectors: Tensor, onset_samples: Tensor, length: int) -> Tensor:
        """All events together, ``[length]``, arguments as in :meth:`forward`.

        This is not the sum of :meth:`forward`: events share one noise per band, whose *powers* add.
        """
        c = self.controls(gain_db, vectors)
        mode_life, noise_life = self._lifetimes(c)
        bus_weight = torch.cat([c.dry[:, None], c.room_weight], -1)  # [E, R + 1]
        buses = torch.zeros(bus_weight.shape[-1], length, dtype=self.dtype)
        noise = NoiseMixer(bus_weight.shape[-1], c.noise_gain.shape[-1], length, self.dtype)
        onsets = onset_samples.tolist()
        for e in sorted(range(len(onsets)), key=onsets.__getitem__):
            buses = buses + bus_weight[e, :, None] * self._tone(c, e, onsets[e], length, mode_life[e])
            envelope = self._noise_envelope(c, e, onsets[e], length, noise_life[e])
            noise.add((bus_weight[e, :, None, None] * c.noise_gain[e, :, None] * envelope) ** 2, onsets[e])
        buses = buses + torch.einsum("rbt,bt->rt", noise.gains(), self._band_noise(length))
        return self._through_rooms(buses)

    def _through_rooms(self, buses: Tensor) -> Tensor:
        """Sound of ``buses [R + 1, T]``, ``[T]``."""
        out = buses[0]
        for r, response in enumerate(self._rooms):
            out = out + _convolve(buses[1 + r], response)
        return out

    def _band_noise(self, length: int) -> Tensor:
        """``[B, length]``: the shared noise from stream position 0; the last length's is kept."""
        if self._noise.shape[-1] != length:
            rows = [
                torch.cat([loop] * (length // len(loop)) + [loop[: length % len(loop)]])
                for loop in self._loops
            ]
            self._noise = torch.stack(rows)
        return self._noise

    def _lifetimes(self, c: Controls) -> tuple[Tensor, Tensor]:
        """Chunk from which on modes are silent ``[E, M]``, sample from which on noises are ``[E]``."""
        values = {field.name: getattr(c, field.name).detach().double().numpy() for field in fields(c)}
        fixed = Controls(**values)
        modes, noises = mode_life_chunks(fixed, self.rate), noise_life_samples(fixed, self.rate)
        return torch.from_numpy(modes), torch.from_numpy(noises)

    def _force(self, c: Controls, e: int, seconds: Tensor) -> Tensor:
        hold_end = c.attack_seconds[e] + c.hold_seconds[e]
        rise = torch.clip(seconds / c.attack_seconds[e], 0.0, 1.0)
        return rise * torch.exp(-c.release_rate[e] * torch.clip(seconds - hold_end, 0.0, None))

    def _tone(self, c: Controls, e: int, onset: int, length: int, life_chunks: Tensor) -> Tensor:
        """Partials of event ``e``, ``[length]``."""
        if onset >= length:
            return torch.zeros(length, dtype=self.dtype)
        turns, level = self._partials(c, e, -(-(length - onset) // CHUNK), life_chunks)
        start = self._start_turns()[:, None] + CHUNK * (torch.cumsum(turns, -1) - turns)
        tone = self._sum_partials(start, turns, level).sum(0)[: length - onset]
        return torch.nn.functional.pad(tone, (onset, 0))

    def _start_turns(self) -> Tensor:
        """Phase of each mode at an onset, in turns, float64 ``[M]``."""
        return PHASE_CURVATURE / (2.0 * np.pi) * torch.arange(MODE_COUNT, dtype=torch.float64) ** 2

    def _partials(self, c: Controls, e: int, chunks: int, life_chunks: Tensor) -> tuple[Tensor, Tensor]:
        """Turns per sample in each chunk of event ``e``, float64 ``[M, K]``, and levels at the boundaries of
        the chunks, ``[M, K + 1]``."""
        seconds = torch.arange(chunks + 1, dtype=self.dtype) * (CHUNK / self.rate)
        frequency_hz = c.frequency_hz[e].double()[:, None]
        middle = (torch.arange(chunks, dtype=torch.float64) + 0.5) * (CHUNK / self.rate)
        left = torch.clip(1.0 - middle / c.glide_seconds[e].double(), 0.0, None)
        turns = frequency_hz * (1.0 + c.glide_ratio[e].double() * left) / self.rate

        share = c.tail_share[e]
        stage1 = (1.0 - share) * torch.exp(-c.decay_rate[e][:, None] * seconds)
        stage2 = share * torch.exp(-c.tail_rate[e][:, None] * seconds)
        bend = 1.0 + c.glide_ratio[e] * torch.clip(1.0 - seconds / c.glide_seconds[e], 0.0, None)
        fade_hz = torch.clip(BANDWIDTH_HZ - c.frequency_hz[e], 1.0, 0.06 * BANDWIDTH_HZ)[:, None]
        above = (BANDWIDTH_HZ - c.frequency_hz[e][:, None] * bend) / fade_hz
        fade = torch.where(bend > 1.0, torch.clip(above, 0.0, 1.0), torch.ones_like(above))
        level = c.mode_gain[e][:, None] * (stage1 + stage2) * self._force(c, e, seconds) * fade
        return turns, level * (torch.arange(chunks + 1) < life_chunks[:, None])

    def _sum_partials(self, start: Tensor, turns: Tensor, level: Tensor, size: int = CHUNK) -> Tensor:
        """Partials ``[M, K size]`` from their phases in turns at the starts of K stretches of ``size``
        samples, turns per sample in them, ``[M, K]`` each, and levels at their boundaries, ``[M, K + 1]``."""
        inside = torch.arange(size, dtype=torch.float64)
        turn = torch.frac(torch.frac(start)[..., None] + turns[..., None] * inside).to(self.dtype)
        step = (level[:, 1:] - level[:, :-1])[..., None] / size
        amplitude = level[:, :-1, None] + step * inside.to(self.dtype)
        return (amplitude * torch.sin(2.0 * np.pi * turn)).flatten(-2)

    def _noise_envelope(self, c: Controls, e: int, onset: int, length: int, life_samples: Tensor) -> Tensor:
        """Noise envelope of event ``e`` at the stream's grid points, ``[K + 1]``; 0 up to the onset."""
        points = torch.arange(-(-length // CHUNK) + 1, dtype=self.dtype) * CHUNK
        seconds = torch.clip(points - onset, 0.0, None) / self.rate
        audible = points - onset < life_samples
        return audible * self._force(c, e, seconds) * torch.exp(-c.noise_rate[e] * seconds)

    def _first_cell(self, envelope: Tensor, onset: int, length: int) -> Tensor:
        """What a ramp from the onset adds to one from the grid point before it, ``[length]``."""
        cell = onset // CHUNK * CHUNK
        if onset == cell or onset >= length:
            return torch.zeros(length, dtype=self.dtype)
        place = torch.arange(cell, min(cell + CHUNK, length), dtype=self.dtype)
        ramp = torch.clip((place - onset) / (cell + CHUNK - onset), 0.0, None) - (place - cell) / CHUNK
        ramp = envelope[cell // CHUNK + 1] * ramp
        return torch.nn.functional.pad(ramp, (cell, length - cell - len(ramp)))


class NoiseMixer:
    """Gains of the noise bands that events share, aimed as :mod:`struck.codec.playing.shared_noise` does.

    Args:
        bus_count, band_count, length: shape of the gains, the last in samples.
    """

    def __init__(self, bus_count: int, band_count: int, length: int, dtype: torch.dtype) -> None:
        self._length = length
        self._cells = -(-length // CHUNK)
        # at each grid point, of the events so far
        self._power = torch.zeros((bus_count, band_count, self._cells + 1), dtype=dtype)
        self._corrections = torch.zeros((bus_count, band_count, length), dtype=dtype)

    def add(self, own: Tensor, onset: int) -> None:
        """Add an event's power at the grid points, ``[R + 1, B, K + 1]``; events come by their onsets."""
        first = onset // CHUNK + 1
        if first <= self._cells:
            # up to the next grid point the ramp is aimed anew; see codec.playing.shared_noise
            dtype = self._power.dtype
            start, stop = onset, min(first * CHUNK, self._length)
            ramp = torch.arange(stop - start, dtype=dtype) / (first * CHUNK - start)
            step = _root((self._power + own)[..., first]) - _root(self._power[..., first])
            old = torch.zeros_like(self._corrections)
            old[..., start:stop] = step[..., None] * ramp
            # what plain interpolation over the cell gives instead
            cell = start // CHUNK * CHUNK
            whole = torch.arange(min(CHUNK, self._length - cell), dtype=dtype) / CHUNK
            old[..., cell : cell + len(whole)] -= step[..., None] * whole
            self._corrections = self._corrections + old
        self._power = self._power + own

    def gains(self) -> Tensor:
        """``[R + 1, B, length]``"""
        return _interpolate(_root(self._power), self._length) + self._corrections


def _root(power: Tensor) -> Tensor:
    """Square root with a finite gradient at 0."""
    return torch.sqrt(torch.clip(power, 1e-24, None))


def _interpolate(points: Tensor, length: int) -> Tensor:
    """Linear interpolation of ``points [..., K + 1]``, one every CHUNK samples, to ``[..., length]``."""
    inside = torch.arange(CHUNK, dtype=points.dtype) / CHUNK
    lines = points[..., :-1, None] + (points[..., 1:] - points[..., :-1])[..., None] * inside
    return lines.flatten(-2)[..., :length]


def _convolve(sound: Tensor, response: Tensor) -> Tensor:
    """``sound [..., T]`` through ``response``, cut to T samples."""
    length = sound.shape[-1]
    response = response[:length]
    size = next_fast_len(length + len(response) - 1, real=True)
    spectrum = torch.fft.rfft(sound, size) * torch.fft.rfft(response, size)
    return torch.fft.irfft(spectrum, size)[..., :length]
