"""Levels of events that have long begun: how loud tone and noise of each are now (numba).

Of an old event nothing is uncertain but how it goes on. Its tone and its noise, as they would sound, are two
non-negative *atoms*; multiplicative updates find by how much each must be scaled for their sum to be what is
heard (Lee & Seung, *Algorithms for non-negative matrix factorization*, 2001: Kullback-Leibler divergence).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import float32, int64, njit, void
from numpy.typing import NDArray

from ...events.event_spec import FIELDS, GAIN_DB_HIGH, GAIN_DB_LOW, INDEX, read_field
from ...playing.kernel_options import VECTORISED
from ..fast_math import SUMS
from ..spectrum import RAYLEIGH_SHARE
from .refitter import Refitter
from .window_events import WindowEvents

_UPDATES: Final = 8
#: What one update may scale by, and what a level may rise by in all.
_LEAST_FACTOR: Final = np.float32(0.1)
_LARGEST_FACTOR: Final = np.float32(1.6)
#: Atoms with less amplitude than this in all are not heard: their levels stay.
_LEAST_ATOM: Final = np.float32(1e-6)
#: Of the loudest bin: what is expected everywhere, so that nothing is divided by nothing.
_FLOOR_SHARE: Final = 1e-4
_SHARE: Final = np.float32(RAYLEIGH_SHARE)
_ZERO: Final = np.float32(0.0)
_NOISINESS: Final = INDEX["noisiness"]
_NUMBERS: Final = float32[::1]


@njit(void(float32[:, ::1], float32[:, ::1], float32[:, ::1]), **VECTORISED)
def _fill_atoms(power, fourth, atoms):
    """Amplitudes of tone and noise, ``atoms [2 T, F]``, of one event's sums ``[T, F]``."""
    rows = power.shape[0]
    for t in range(rows):
        for f in range(power.shape[1]):
            square = np.sqrt(fourth[t, f])
            atoms[t, f] = np.sqrt(square)
            atoms[rows + t, f] = np.sqrt(_SHARE * max(power[t, f] - square, _ZERO))


@njit(void(float32[:, ::1], _NUMBERS, _NUMBERS, _NUMBERS, int64, _NUMBERS, _NUMBERS), **SUMS)
def _scale_atoms(atoms, observed, rest, scales, updates, totals, ratio):
    """Move ``scales [A]`` to where ``scales @ atoms [A, N] + rest [N]`` is likest to ``observed [N]``.

    What cannot be heard stays at the scale it has. ``totals [A]`` and ``ratio [N]`` are scratch.
    """
    count, size = atoms.shape
    for a in range(count):
        total = _ZERO
        for n in range(size):
            total += atoms[a, n]
        totals[a] = total
    for _ in range(updates):
        for n in range(size):
            ratio[n] = rest[n]
        for a in range(count):
            if totals[a] > _LEAST_ATOM:
                for n in range(size):
                    ratio[n] += scales[a] * atoms[a, n]
        for n in range(size):
            ratio[n] = observed[n] / ratio[n]
        for a in range(count):
            if totals[a] > _LEAST_ATOM:
                seen = _ZERO
                for n in range(size):
                    seen += atoms[a, n] * ratio[n]
                scales[a] *= min(max(seen / totals[a], _LEAST_FACTOR), _LARGEST_FACTOR)


def follow_levels(
    refitter: Refitter,
    observed: NDArray[np.float32],
    power: NDArray[np.float32],
    events: WindowEvents,
    updates: int = _UPDATES,
    most: NDArray[np.float32] | None = None,
) -> WindowEvents:
    """The events with gains and shares of noise that follow what is heard; all else about them stays.

    Args:
        refitter: of stride 1 or more; only the rows that it looks at are.
        observed: magnitudes ``[rows, F]`` of the last frames.
        power: sums of powers of all other events, ``[rows, F]``.
        events: those whose levels follow.
        most: what each event's amplitudes are multiplied by at most, ``[E]``; None: all by 4 dB, for what
            rises by more than that is more likely something new.

    Raises:
        ValueError: an array has the wrong shape.
    """
    looked = observed[:: refitter.stride]
    if power.shape != observed.shape or observed.shape[1] != refitter.bins:
        raise ValueError(f"observed {observed.shape} and power {power.shape} must be [rows, {refitter.bins}]")
    loudest = float(looked.max(initial=0.0))
    if len(events) == 0 or loudest <= 0.0:
        return events
    atoms = np.empty((len(events), 2 * len(looked), refitter.bins), np.float32)
    for e, (of_event, fourth) in enumerate(refitter.each_sums(events, len(observed))):
        _fill_atoms(of_event, fourth, atoms[e])
    rest = np.sqrt(power[:: refitter.stride]) + np.float32(_FLOOR_SHARE * loudest)
    scales = np.ones(2 * len(events), np.float32)
    heard = np.ascontiguousarray(looked, np.float32).ravel()
    _scale_atoms(
        atoms.reshape(2 * len(events), looked.size), heard, rest.ravel(), scales, updates,
        np.empty_like(scales), np.empty_like(heard),
    )  # fmt: skip
    most = np.full(len(events), _LARGEST_FACTOR) if most is None else most
    return scale_levels(events, np.minimum(scales[0::2], most), np.minimum(scales[1::2], most))


def scale_levels(
    events: WindowEvents, tone: NDArray[np.floating], noise: NDArray[np.floating]
) -> WindowEvents:
    """The events with the amplitudes of tone and noise multiplied by ``tone [E]`` and ``noise [E]``.

    Gain and noisiness say both; where noisiness meets the end of its range, the weaker of the two stays at
    the level it has there.
    """
    power = 10.0 ** (events.gain_db.astype(np.float64) / 10.0)
    share = read_field(events.vectors.astype(np.float64), "noisiness")
    of_tone = np.maximum((1.0 - share) * power * np.square(tone, dtype=np.float64), 1e-20)
    of_noise = np.maximum(share * power * np.square(noise, dtype=np.float64), 1e-20)
    vectors = events.vectors.copy()
    ratio_db = 10.0 * np.log10(of_noise / of_tone)
    vectors[:, _NOISINESS] = np.clip(ratio_db / FIELDS[_NOISINESS].high, -1.0, 1.0)
    gain_db = np.clip(10.0 * np.log10(of_tone + of_noise), GAIN_DB_LOW, GAIN_DB_HIGH).astype(np.float32)
    return WindowEvents(gain_db, vectors, events.onset_rows, events.shift_seconds, events.end_rows)
