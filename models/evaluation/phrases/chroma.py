"""How much of a phrase's energy lies on the pitch classes of its chord."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.hearing.spectrum import hann_window

from ...mars.chords import CHORDS, Chord
from ...mars.conditions import PhraseConditions

#: What lies in this range counts: from the lowest bass string to the top of the piano.
LOWEST_HZ: Final = 30.0
HIGHEST_HZ: Final = 4200.0
_WINDOW: Final = 8192
_HOP: Final = 2048


def chroma(samples: ArrayLike) -> NDArray[np.float64]:
    """Energy of each pitch class, C first, ``[12]`` that sum to 1; zeros where nothing sounds.

    As in Gómez 2006 ("Tonal description of music audio signals", sec. 3.2), only peaks of the spectrum count,
    each with its whole energy at its own frequency: window lobes would smear low notes over three semitones.
    Unlike there, partials are not thought back to their fundamentals: a third partial counts a fifth above.

    Raises:
        ValueError: the samples are not ``[N]``.
    """
    signal = np.asarray(samples, np.float32)
    if signal.ndim != 1:
        raise ValueError(f"samples have shape [N], not {signal.shape}")
    padded = np.pad(signal, _WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    power = np.abs(scipy.fft.rfft(frames * hann_window(_WINDOW), axis=1)) ** 2
    total = np.zeros(12)
    level = np.log(np.maximum(power, max(float(power.max()), 1e-20) * 1e-10))
    left, middle, right = level[:, :-2], level[:, 1:-1], level[:, 2:]
    frame, place = np.nonzero((middle > left) & (middle >= right))
    left, middle, right = left[frame, place], middle[frame, place], right[frame, place]
    curve = left - 2.0 * middle + right
    shift = 0.5 * (left - right) / curve
    frequency = (place + 1 + shift) * (ANALYSIS_RATE / _WINDOW)
    heard = (frequency >= LOWEST_HZ) & (frequency <= HIGHEST_HZ)
    pitch = 69.0 + 12.0 * np.log2(frequency[heard] / 440.0)
    energy = np.exp(middle - 0.125 * curve * (2.0 * shift) ** 2)[heard]
    np.add.at(total, np.round(pitch).astype(int) % 12, energy)
    whole = float(total.sum())
    return total / whole if whole > 0.0 and float(power.max()) > 1e-9 else np.zeros(12)


def chord_classes(chord: Chord) -> frozenset[int]:
    """Pitch classes of a chord.

    >>> sorted(chord_classes((57, "minor")))
    [0, 4, 9]
    """
    return frozenset((chord[0] + step) % 12 for step in CHORDS[chord[1]])


def energy_share(samples: ArrayLike, classes: Collection[int]) -> float:
    """Share (0..1) of the chroma's energy on ``classes``; 0 where nothing sounds."""
    return float(chroma(samples)[list(classes)].sum())


def chord_shares(samples: ArrayLike, conditions: PhraseConditions) -> list[float]:
    """Of each chord of a phrase ``[N]`` the share of the energy, while it stands, that lies on it."""
    chords = conditions.chords or (conditions.harmony[0],)
    parts = np.array_split(np.asarray(samples, np.float32), len(chords))
    return [energy_share(part, chord_classes(chord)) for part, chord in zip(parts, chords, strict=True)]
