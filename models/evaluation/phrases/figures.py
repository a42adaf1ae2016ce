"""What is told of a set of phrases: are they the chords, are they in time, do they go round?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from struck.codec.events.event_spec import ANALYSIS_RATE

from ...mars.conditions import STYLES, PhraseConditions
from ...mars.phrase_scores import GRID_STEPS_PER_BEAT
from ...mars.sound.onsets import grid_errors, onset_times
from .chroma import chord_shares
from .grids import grid_seconds
from .seam import beat_errors, seam_db
from .transcription import score_arpeggio, transcribe

CHROMA_SHARE: Final = 0.75
ONSET_TOLERANCE_SECONDS: Final = 0.030
#: Styles whose onsets are told together: a pad hardly has any.
RHYTHMIC: Final = ("arpeggio", "bass", "comping", "percussion")
#: What a seam that cannot be heard shows as: less than any that can.
_SILENT_DB: Final = -120.0

Float32Array = NDArray[np.float32]


@dataclass(frozen=True)
class Rhythm:
    """Onsets of some phrases on a grid; shares in 0..1, None where nothing began.

    ``error_ms`` is the median over all onsets of the distance to the nearest step, ``chance_ms`` what onsets
    anywhere would reach in the median; ``on_grid`` the share of onsets within ``ONSET_TOLERANCE_SECONDS``,
    ``chance_on_grid`` that of onsets anywhere.
    """

    phrases: int
    onsets: int
    on_grid: float | None
    error_ms: float | None
    chance_on_grid: float
    chance_ms: float


@dataclass(frozen=True)
class PhraseFigures:
    """A row of the table; shares in 0..1, None where there was nothing to measure.

    Attributes:
        chroma_share: mean over phrases that have a chord, each part of a phrase by its own chord.
        chroma_passes: share of phrases with ``CHROMA_SHARE`` or more.
        changes_share: mean over the chords of phrases in which the chord changes.
        own_grid: of all phrases, each on the finest grid on which its style is written.
        phrases_on_grid: share of phrases whose own median is within the tolerance of that.
        styles: by style, on the grid of sixteenths.
        rhythmic: of the styles ``RHYTHMIC`` together, on the same grid.
        arpeggio_f: how right the notes of arpeggios are, F measure, mean; see ``transcription``.
        seam_db: of the worst phrase, by how much the step at its seam stands out, dBFS.
        seam_beat_ms, other_beats_ms: how far a note on the first beat after the seam, and on any other, is
            from where the phrase's other beats are, median.
    """

    count: int
    chord_count: int
    chroma_share: float | None
    chroma_passes: float | None
    changes_share: float | None
    own_grid: Rhythm
    phrases_on_grid: float | None
    styles: dict[str, Rhythm]
    rhythmic: Rhythm
    arpeggio_f: float | None
    seam_db: float
    seam_beat_ms: float | None
    other_beats_ms: float | None


def measure_phrases(clips: Sequence[Float32Array], asked: Sequence[PhraseConditions]) -> PhraseFigures:
    """Figures of the sounds ``clips`` for the conditions ``asked``; what lies after the loop is not heard."""
    loops = [clip[: round(one.loop_seconds * ANALYSIS_RATE)] for clip, one in zip(clips, asked, strict=True)]
    onsets = [onset_times(loop) for loop in loops]
    shares = [chord_shares(loop, one) for loop, one in zip(loops, asked, strict=True) if one.has_chord]
    means = np.array([np.mean(parts) for parts in shares])
    changes = [share for parts in shares if len(parts) > 1 for share in parts]
    own_steps = [grid_seconds(one) for one in asked]
    steps = [60.0 / one.tempo_bpm / GRID_STEPS_PER_BEAT for one in asked]
    medians = [
        float(np.median(grid_errors(times, step)))
        for times, step in zip(onsets, own_steps, strict=True)
        if len(times)
    ]

    def rhythm(styles: Sequence[str]) -> Rhythm:
        rows = [i for i, one in enumerate(asked) if one.style in styles]
        return measure_rhythm([onsets[i] for i in rows], [steps[i] for i in rows])

    arpeggios = [
        score_arpeggio(transcribe(loop), one).f
        for loop, one in zip(loops, asked, strict=True)
        if one.style == "arpeggio"
    ]
    beats = [beat_errors(loop, one.beats) for loop, one in zip(loops, asked, strict=True)]
    return PhraseFigures(
        count=len(clips),
        chord_count=len(shares),
        chroma_share=float(means.mean()) if shares else None,
        chroma_passes=_share(means >= CHROMA_SHARE),
        changes_share=float(np.mean(changes)) if changes else None,
        own_grid=measure_rhythm(onsets, own_steps),
        phrases_on_grid=_share(np.array(medians) <= ONSET_TOLERANCE_SECONDS),
        styles={style: rhythm([style]) for style in STYLES if any(one.style == style for one in asked)},
        rhythmic=rhythm(RHYTHMIC),
        arpeggio_f=float(np.mean(arpeggios)) if arpeggios else None,
        seam_db=max([_SILENT_DB, *(seam_db(loop) for loop in loops)]),
        seam_beat_ms=_median_ms([errors.after_seam for errors in beats]),
        other_beats_ms=_median_ms([errors.others for errors in beats]),
    )


def measure_rhythm(onsets: Sequence[NDArray[np.float64]], steps: Sequence[float]) -> Rhythm:
    """Onsets in seconds of phrases, each on a grid of steps of so many seconds."""
    errors = [grid_errors(times, step) for times, step in zip(onsets, steps, strict=True)]
    together = np.concatenate([np.zeros(0), *errors])
    anywhere = [np.zeros(0)]
    for times, step in zip(onsets, steps, strict=True):
        # Evenly spread distances from 0 to half a step: what chance would give this phrase.
        count = max(len(times), 1)
        anywhere.append((np.arange(count) + 0.5) / count * 0.5 * step)
    chance = np.concatenate(anywhere)
    return Rhythm(
        phrases=len(onsets),
        onsets=len(together),
        on_grid=_share(together <= ONSET_TOLERANCE_SECONDS),
        error_ms=_median_ms([together]),
        chance_on_grid=float((chance <= ONSET_TOLERANCE_SECONDS).mean()) if len(chance) else 0.0,
        chance_ms=1e3 * float(np.median(0.25 * np.array(steps))) if steps else 0.0,
    )


def _share(true: NDArray[np.bool_]) -> float | None:
    return float(true.mean()) if len(true) else None


def _median_ms(seconds: Sequence[NDArray[np.float64]]) -> float | None:
    """Milliseconds, the median of how far all of them are from 0."""
    together = np.abs(np.concatenate([np.zeros(0), *seconds]))
    return 1e3 * float(np.median(together)) if len(together) else None
