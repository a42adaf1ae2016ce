"""Compiled mixing of the shared noise: one gain per bus and band, whatever the number of voices.

Gains are aimed once per grid cell, and again where an event starts inside it::

    stream   |0 ------- ^onset //////// |64     ramp from where the gain is to the root of the power
                                                at the cell's end, the sum of the voices' powers there
"""

from __future__ import annotations

from math import sqrt
from typing import Final, NamedTuple

import numpy as np
from numba import njit

from ..events.event_spec import NOISE_BAND_COUNT
from .kernel_options import LINKED
from .noise import loop_lengths_samples, noise_loops
from .voice_records import BUS_COUNT, CHUNK

#: Noise bands, filled up with silent ones to whole vectors.
NOISE_COLUMNS: Final = 32

_ZERO = np.float32(0.0)
_ONE = np.float32(1.0)


class NoiseState(NamedTuple):
    """Arrays of the shared noise."""

    loops: np.ndarray  # float32 [sum of lengths], each with its first CHUNK samples repeated after its end
    place: np.ndarray  # int64 [NOISE_BAND_COUNT, 2] start and length of each loop
    power: np.ndarray  # float32 [BUS_COUNT, NOISE_COLUMNS] at the end of the grid cell
    gain: np.ndarray  # float32 [BUS_COUNT, NOISE_BAND_COUNT] where the ramp starts
    slope: np.ndarray  # float32 [BUS_COUNT, NOISE_BAND_COUNT] per sample
    ramp: np.ndarray  # int64 [1] stream position where the ramp starts


def make_noise_state(rate: int) -> NoiseState:
    """Silent noise at ``rate`` Hz."""
    lengths = loop_lengths_samples(rate)
    starts = np.concatenate([[0], np.cumsum(lengths + CHUNK)[:-1]])
    shape = (BUS_COUNT, NOISE_BAND_COUNT)
    return NoiseState(
        loops=np.concatenate([part for loop in noise_loops(rate) for part in (loop, loop[:CHUNK])]),
        place=np.stack([starts, lengths], 1),
        power=np.zeros((BUS_COUNT, NOISE_COLUMNS), dtype=np.float32),
        gain=np.zeros(shape, dtype=np.float32),
        slope=np.zeros(shape, dtype=np.float32),
        ramp=np.zeros(1, dtype=np.int64),
    )


@njit(**LINKED)
def settle_noise(noise, position):
    """At the end of a grid cell, take the gains aimed at as exact and forget the powers."""
    for bus in range(BUS_COUNT):
        for b in range(NOISE_BAND_COUNT):
            noise.gain[bus, b] = np.float32(sqrt(noise.power[bus, b]))
            noise.slope[bus, b] = _ZERO
            noise.power[bus, b] = _ZERO
    noise.ramp[0] = position


@njit(**LINKED)
def aim_noise(noise, position, cell_end):
    """From ``position`` on, ramp every gain to the root of ``noise.power`` at ``cell_end``."""
    passed = np.float32(position - noise.ramp[0])
    scale = _ONE / np.float32(cell_end - position)
    for bus in range(BUS_COUNT):
        for b in range(NOISE_BAND_COUNT):
            gain = noise.gain[bus, b] + noise.slope[bus, b] * passed
            noise.gain[bus, b] = gain
            noise.slope[bus, b] = (np.float32(sqrt(noise.power[bus, b])) - gain) * scale
    noise.ramp[0] = position


@njit(**LINKED)
def mix_noise(noise, position, buses, frames):
    """Add the shared noise to ``buses``; ``frames <= CHUNK``."""
    passed = position - noise.ramp[0]
    for bus in range(BUS_COUNT):
        target = buses[bus]
        for b in range(NOISE_BAND_COUNT):
            gain = noise.gain[bus, b]
            slope = noise.slope[bus, b]
            if gain != _ZERO or slope != _ZERO:
                start = noise.place[b, 0] + position % noise.place[b, 1]
                source = noise.loops[start : start + frames]
                for n in range(frames):
                    target[n] += source[n] * (gain + slope * np.float32(passed + n))
