"""What is told of a set of phrases: is it the chord, is it in time?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from struck.codec.events.event_spec import ANALYSIS_RATE

from ...mars.conditions import PhraseConditions
from .chroma import chord_classes, energy_share
from .onsets import grid_errors, grid_seconds, onset_times

CHROMA_SHARE: Final = 0.75
ONSET_TOLERANCE_SECONDS: Final = 0.030

Float32Array = NDArray[np.float32]


@dataclass(frozen=True)
class PhraseFigures:
    """A row of the table; shares in 0..1, None where there was nothing to measure.

    Chroma is of phrases that have a chord, onsets of all. ``onset_error_ms`` is the median over all onsets of
    the distance to the nearest step of the style's finest grid, ``chance_ms`` what onsets anywhere would
    reach in the median; ``on_grid`` the share of onsets within ``ONSET_TOLERANCE_SECONDS``,
    ``chance_on_grid`` that of onsets anywhere.
    """

    count: int
    chord_count: int
    chroma_share: float | None  # mean
    chroma_passes: float | None  # share of phrases with CHROMA_SHARE or more
    onsets_per_phrase: float
    onset_error_ms: float | None
    chance_ms: float
    on_grid: float | None
    chance_on_grid: float
    phrases_on_grid: float | None  # share of phrases whose own median is within the tolerance


def measure_phrases(clips: Sequence[Float32Array], asked: Sequence[PhraseConditions]) -> PhraseFigures:
    """Figures of the sounds ``clips`` for the conditions ``asked``; what lies after the loop is not heard."""
    shares, errors, medians = [], [], []
    anywhere: list[float] = []
    steps = np.array([grid_seconds(c) for c in asked])
    for clip, conditions, step in zip(clips, asked, steps, strict=True):
        loop = clip[: round(conditions.loop_seconds * ANALYSIS_RATE)]
        if conditions.has_chord:
            shares.append(energy_share(loop, chord_classes(conditions)))
        found = grid_errors(onset_times(loop), step)
        errors.append(found)
        if len(found):
            medians.append(float(np.median(found)))
        # Evenly spread distances from 0 to half a step: what chance would give this phrase.
        anywhere.extend((np.arange(max(len(found), 1)) + 0.5) / max(len(found), 1) * 0.5 * step)
    all_errors = np.concatenate(errors) if errors else np.zeros(0)
    chance = np.array(anywhere)
    return PhraseFigures(
        count=len(clips),
        chord_count=len(shares),
        chroma_share=float(np.mean(shares)) if shares else None,
        chroma_passes=float(np.mean(np.array(shares) >= CHROMA_SHARE)) if shares else None,
        onsets_per_phrase=len(all_errors) / max(len(clips), 1),
        onset_error_ms=1e3 * float(np.median(all_errors)) if len(all_errors) else None,
        chance_ms=1e3 * float(np.median(0.25 * steps)),
        on_grid=_share(all_errors <= ONSET_TOLERANCE_SECONDS),
        chance_on_grid=float((chance <= ONSET_TOLERANCE_SECONDS).mean()),
        phrases_on_grid=_share(np.array(medians) <= ONSET_TOLERANCE_SECONDS),
    )


def _share(true: NDArray[np.bool_]) -> float | None:
    return float(true.mean()) if len(true) else None
