"""Patches: what the event network sees of a spectrogram around a proposed onset and pitch.

For numpy and torch alike. Axes: E proposal, T frame offset, F bin, N ridge, C mel band.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np

from ..events.controls import mel
from ..events.event_spec import ANALYSIS_RATE, BANDWIDTH_HZ
from .event_network import FLOOR_DB, MEL_BAND_COUNT, RIDGE_COUNT

_RANGE: Final = FLOOR_DB / 20.0


@lru_cache(maxsize=8)
def patch_mel_matrix(n_fft: int) -> np.ndarray:
    """Triangular mel bands ``[F, MEL_BAND_COUNT]`` that sum power."""
    bins = np.arange(n_fft // 2 + 1) * ANALYSIS_RATE / n_fft
    place = mel(bins) / mel(np.float64(BANDWIDTH_HZ)) * (MEL_BAND_COUNT - 1)
    return np.clip(1.0 - np.abs(place[:, None] - np.arange(MEL_BAND_COUNT)), 0.0, 1.0).astype(np.float32)


def make_patches(
    magnitudes: Any, mask: Any, pitch_midi: Any, noise_like: Any, mel_matrix: Any, xp: Any
) -> tuple[Any, Any, Any]:
    """Network inputs from residual frames.

    Args:
        magnitudes: ``[E, T, F]`` residual magnitudes at the network's frame offsets.
        mask: ``[E, T]``, 1 where the frame is known.
        pitch_midi: ``[E]`` proposed pitch.
        noise_like: ``[E]``, 1 where the proposal is for noise and the pitch means nothing.
        mel_matrix: :func:`patch_mel_matrix` in the namespace ``xp``.

    Returns:
        features ``[E, T, 2 N + C]``, scalars ``[E, 4]``, reference level in dB ``[E]``.
    """
    bins = magnitudes.shape[-1]
    n_fft = 2 * (bins - 1)
    known = magnitudes * mask[..., None]
    power = known * known
    bands = power @ mel_matrix
    reference = xp.sqrt(power.sum(-1).max(-1)[0] if xp is not np else power.sum(-1).max(-1)) + 1e-7

    f0_bin = 440.0 * 2.0 ** ((pitch_midi - 69.0) / 12.0) * (n_fft / ANALYSIS_RATE)
    numbers = xp.arange(1, RIDGE_COUNT + 1, dtype=xp.float32)
    if xp is not np:
        numbers = numbers.to(f0_bin.device)
    ridge = f0_bin[:, None] * numbers  # [E, N]
    inside = (ridge < bins - 3.0)[:, None, :]
    centre = xp.clip(xp.round(ridge), 2, bins - 3)
    centre = centre.astype(np.int64) if xp is np else centre.long()
    taken = []
    for step in (-1, 0, 1):
        index = xp.broadcast_to((centre + step)[:, None, :], (len(centre), magnitudes.shape[1], RIDGE_COUNT))
        taken.append(xp.take_along_axis(power, index, 2) if xp is np else xp.gather(power, 2, index))
    below, at, above = taken
    # A ridge's power gathers the main lobe; its asymmetry says on which side of the bin the partial lies.
    ridge_power = (below + at + above) * (2.0 / 3.0) * inside
    lean = (above - below) / (below + at + above + 1e-12) - (ridge - centre)[:, None, :]

    scale = reference[:, None, None]

    def level(value: Any) -> Any:
        return xp.clip(1.0 + xp.log10(xp.sqrt(value) / scale + 1e-9) / _RANGE, 0.0, 1.0)

    ridge_level = level(ridge_power)
    features = (
        xp.concatenate([ridge_level, xp.clip(lean, -1.0, 1.0) * ridge_level, level(bands)], -1)
        * mask[..., None]
    )
    reference_db = 20.0 * xp.log10(reference)
    scalars = xp.stack(
        [
            (pitch_midi - 72.0) / 60.0,
            reference_db / 60.0 + 0.5,
            noise_like,
            0.0 * noise_like + (n_fft < 2048),
        ],
        -1,
    )
    return features, scalars, reference_db - 3.0
