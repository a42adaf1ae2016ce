"""Phases of the decoder's noise loops, chosen so that their short-time spectra fluctuate little.

Two draws of Gaussian noise with one spectrum differ as much as noise can: what is random in a copy adds to
its distance from what it copies. A copy that shows the level asked for in every frame and bin is nearer.
Phases alone decide it, for the amplitudes of a loop's sinusoids are given. They are found by gradient descent
from random ones; the fluctuation of Gaussian noise is 0.23 here. The file that is shipped is made so::

    python -m struck.models.noise_phases codec/playing/noise_phases.npz
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from ..codec.events.event_spec import ANALYSIS_RATE, NOISE_BAND_COUNT
from ..codec.files.part_files import part_file
from ..codec.playing.noise import PHASE_STEPS, loop_amplitudes, loop_lengths_samples

#: Lengths of the windows looked through, and what each counts.
_WINDOWS: Final = {2048: 1.0, 1024: 0.5, 512: 0.25}
_HOPS_PER_WINDOW: Final = 8
_STEPS: Final = 100
#: Adam's rate, and that of the last third, in radians.
_RATE: Final = 0.1
_LAST_RATE: Final = 0.03
_SEED: Final = 24_011
#: Sinusoids weaker than this, in power, beside a loop's strongest are left out.
_LEAST_POWER: Final = 1e-8


def fluctuation(sound: Tensor, window_samples: int) -> Tensor:
    """Mean ``(|S| / root mean square of its bin - 1)^2`` over the STFT of a loop ``[N]``, weighted by power.

    Gaussian noise gives ``2 - sqrt(pi)``, 0.23; a spectrum that stands still gives 0.
    """
    starts = torch.arange(0, len(sound), window_samples // _HOPS_PER_WINDOW)
    places = (starts[:, None] + torch.arange(window_samples)) % len(sound)
    magnitude = torch.fft.rfft(sound[places] * torch.hann_window(window_samples)).abs()
    steady = (magnitude**2).mean(0).sqrt().detach()
    return ((magnitude - steady) ** 2).mean(0).sum() / (steady**2).sum()


def steady_phases(amplitudes: np.ndarray, length: int, seed: tuple[int, ...], steps: int) -> np.ndarray:
    """Phases in radians of a loop's sinusoids.

    Args:
        amplitudes: of consecutive bins from 0 Hz on, with the loop's length ``length`` in samples.
        steps: of Adam.
    """
    power = 2.0 * float(np.sum(np.square(amplitudes)))
    scaled = torch.from_numpy((amplitudes * (length / np.sqrt(power))).astype(np.float32))
    first = 2.0 * np.pi * np.random.default_rng(seed).random(len(amplitudes))
    phases = torch.tensor(first, dtype=torch.float32, requires_grad=True)
    optimizer = torch.optim.Adam([phases], lr=_RATE)
    for step in range(steps):
        if 3 * step >= 2 * steps:
            optimizer.param_groups[0]["lr"] = _LAST_RATE
        sound = torch.fft.irfft(torch.polar(scaled, phases), n=length)
        loss = torch.stack([weight * fluctuation(sound, n) for n, weight in _WINDOWS.items()]).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return phases.detach().numpy().astype(np.float64)


def make_phase_file(path: str | Path) -> None:
    """Write what the loops are made from: first bin and count ``[B]``, and all phases one after another."""
    first, count, stored = [], [], []
    for band, length in enumerate(loop_lengths_samples(ANALYSIS_RATE)):
        amplitudes = loop_amplitudes(band)
        heard = np.flatnonzero(amplitudes**2 > _LEAST_POWER * np.max(amplitudes) ** 2)
        begin, end = int(heard[0]), int(heard[-1]) + 1
        inside = np.where(np.arange(len(amplitudes)) >= begin, amplitudes, 0.0)[:end]
        phases = steady_phases(inside, int(length), (_SEED, band), _STEPS)[begin:]
        first.append(begin)
        count.append(len(phases))
        stored.append(np.round(phases * (PHASE_STEPS / (2.0 * np.pi))) % PHASE_STEPS)
        print(f"loop {band + 1} of {NOISE_BAND_COUNT}")
    with part_file(path) as beside, open(beside, "wb") as file:
        np.savez(
            file, first=np.array(first), count=np.array(count), step=np.concatenate(stored).astype(np.uint8)
        )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m struck.models.noise_phases FILE")
    make_phase_file(sys.argv[1])
