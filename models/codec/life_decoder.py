"""The torch twin of amended events: lives in, sound out, by the law of :mod:`struck.codec.playing.slides`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ...codec.events.controls import Controls
from ...codec.events.event_spec import BANDWIDTH_HZ
from ...codec.events.lives import EventLife
from ...codec.events.segments import LifeTable, end_controls, fade_weight, tabulate_lives
from ...codec.playing.slides import STEP
from ...codec.playing.voice_records import AUDIBLE, CHUNK, fade_chunks
from .event_decoder import EventDecoder, NoiseMixer

_STEPS = CHUNK // STEP


class LifeDecoder(EventDecoder):
    """Renders lives at ``rate`` Hz; arguments as for :class:`EventDecoder`."""

    def mix_lives(self, lives: Sequence[EventLife], length: int) -> Tensor:
        """All lives together, ``[length]`` samples from stream position 0.

        Amendments of events that no longer sound are the caller's to leave out: the decoder ignores them.
        """
        table = tabulate_lives(lives)
        c = self.controls(torch.from_numpy(table.gain_db), torch.from_numpy(table.vectors))
        mode_life, noise_life = self._lifetimes(c)
        onsets = [life.event.onset_sample(self.rate) for life in lives]
        chunk_of = [self._first_chunks(table, s, onsets[table.life[s]]) for s in range(len(table.life))]
        ends = [np.inf if end == np.inf else end * CHUNK / self.rate for _, end in chunk_of]
        c = end_controls(c, torch.tensor(ends, dtype=self.dtype), torch)
        buses = torch.zeros(1 + c.room_weight.shape[-1], length, dtype=self.dtype)
        noise = NoiseMixer(buses.shape[0], c.noise_gain.shape[-1], length, self.dtype)
        for e in sorted(range(len(lives)), key=onsets.__getitem__):
            rows = np.flatnonzero(table.life == e)
            # of several at one boundary only the last is heard
            starts = {int(chunk_of[s][0]): int(s) for s in rows}
            if onsets[e] < length:
                buses = buses + self._life_tone(c, starts, onsets[e], length, mode_life)
                noise.add(self._life_noise(c, starts, onsets[e], length, noise_life), onsets[e])
        buses = buses + torch.einsum("rbt,bt->rt", noise.gains(), self._band_noise(length))
        return self._through_rooms(buses)

    def _first_chunks(self, table: LifeTable, s: int, onset: int) -> tuple[float, float]:
        """Chunk boundaries of its voice at which segment ``s`` begins and ends the force."""
        at = onset / self.rate

        def boundary(seconds: float) -> float:
            if seconds == np.inf:
                return seconds
            return max(0, -(-(round((seconds + at) * self.rate) - onset) // CHUNK))

        return boundary(table.from_seconds[s]), boundary(table.end_seconds[s])

    def _life_tone(
        self, c: Controls, starts: dict[int, int], onset: int, length: int, mode_life: Tensor
    ) -> Tensor:
        """Partials on the buses, ``[R + 1, length]``."""
        chunks = -(-(length - onset) // CHUNK)
        first = self._start_turns()[:, None]
        turns = level = phase = weights = plain_turns = bent = torch.zeros(0)
        bent_from = 0  # step at which ``bent``, what a slide adds to the turns, begins
        for k, s in sorted(starts.items()):
            if k >= chunks:
                break
            own_turns, own_level = self._partials(c, s, chunks, mode_life[s])
            own_turns = torch.repeat_interleave(own_turns, _STEPS, -1)
            own_level = _refine(own_level)
            own_weights = torch.cat([c.dry[s, None], c.room_weight[s]])[:, None]
            own_weights = own_weights.expand(-1, own_level.shape[-1])
            if k == 0:
                turns, level, weights = own_turns, own_level, own_weights
                phase = first + STEP * _sums(turns)
                plain_turns, bent, bent_from = turns, torch.zeros(len(turns), 2 * turns.shape[-1] + 1), 0
                continue
            at = k * _STEPS
            # at the steps' boundaries and middles, in turn
            halves = torch.arange(2 * (chunks * _STEPS - at) + 1, dtype=torch.float64)
            count = _STEPS * fade_chunks(self.rate)
            slide = fade_weight(halves / (2 * count), torch)
            weight = slide[::2].to(self.dtype)
            was = level[:, at, None]
            # the step before, as if it were on the boundary
            turned = plain_turns[:, at - 1, None] + bent[:, 2 * (at - bent_from), None]
            silent = was < AUDIBLE
            beyond = c.frequency_hz[s][:, None] >= BANDWIDTH_HZ
            share = torch.where(silent, 0.0, torch.where(beyond, (slide > 0.0).double(), slide))
            bent, bent_from, plain_turns = share * (turned - own_turns[:, at - 1, None]), at, own_turns
            slid = own_turns[:, at:] + bent[:, 1::2]
            # a slide does not lead beyond half the rate
            slid = torch.cat([torch.clip(slid[:, :count], -0.5, 0.5), slid[:, count:]], -1)
            turns = torch.cat([turns[:, :at], slid], -1)
            begun = own_level[:, at, None]
            own_level = own_level[:, at:]
            # what was decays as what is does
            left = torch.where(begun > AUDIBLE, torch.minimum(was, was / begun * own_level), was)
            level = torch.cat([level[:, :at], weight * left + (1.0 - weight) * own_level], -1)
            shares = weight * weights[:, at, None] + (1.0 - weight) * own_weights[:, at:]
            weights = torch.cat([weights[:, :at], shares], -1)
            here = torch.where(silent, first, phase[:, at, None])
            phase = torch.cat([phase[:, :at], here + STEP * _sums(turns[:, at:])], -1)
        tone = self._sum_partials(phase[:, :-1], turns, level, STEP).sum(0)
        inside = torch.arange(STEP, dtype=self.dtype) / STEP
        lines = weights[:, :-1, None] + (weights[:, 1:] - weights[:, :-1])[..., None] * inside
        sound = (lines.flatten(-2) * tone)[:, : length - onset]
        return torch.nn.functional.pad(sound, (onset, 0))

    def _life_noise(
        self, c: Controls, starts: dict[int, int], onset: int, length: int, noise_life: Tensor
    ) -> Tensor:
        """Noise power on the buses at the stream's grid points, ``[R + 1, B, K + 1]``."""
        points = torch.arange(-(-length // CHUNK) + 1) * CHUNK
        power = torch.zeros(0)
        for k, s in sorted(starts.items()):
            envelope = self._noise_envelope(c, s, onset, length, noise_life[s])
            weight = torch.cat([c.dry[s, None], c.room_weight[s]])[:, None, None]
            own = (weight * c.noise_gain[s, :, None] * envelope) ** 2
            at = onset + k * CHUNK
            if k == 0:
                power = own
            elif at < length:
                last = at // CHUNK  # the grid point up to which the noise is aimed already
                progress = (points[last + 1 :] - at).double() / (CHUNK * fade_chunks(self.rate))
                share = fade_weight(progress, torch).to(self.dtype)
                begun = envelope[last]
                gone = torch.ones_like(share)
                if begun > 0.0 and (c.noise_gain[s] ** 2).sum() * begun**2 > AUDIBLE**2:
                    gone = torch.clip((envelope[last + 1 :] / begun) ** 2, None, 1.0)
                slid = share * gone * power[..., last, None] + (1.0 - share) * own[..., last + 1 :]
                power = torch.cat([power[..., : last + 1], slid], -1)
        return power


def _sums(turns: Tensor) -> Tensor:
    """Sums of ``turns [M, K]`` up to each boundary, ``[M, K + 1]``."""
    return torch.nn.functional.pad(torch.cumsum(turns, -1), (1, 0))


def _refine(level: Tensor) -> Tensor:
    """Levels at chunk boundaries ``[M, K + 1]`` as they are at all steps, ``[M, K _STEPS + 1]``."""
    inside = torch.arange(_STEPS, dtype=level.dtype) / _STEPS
    lines = level[:, :-1, None] + (level[:, 1:] - level[:, :-1])[..., None] * inside
    return torch.cat([lines.flatten(-2), level[:, -1:]], -1)
