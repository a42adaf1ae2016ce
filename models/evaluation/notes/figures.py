"""What is told of a set of single notes: distances from real ones, pitch, family, and how near to memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...mars.conditions import FAMILIES, PhraseConditions
from .classifiers import Judgement, PhraseClassifiers
from .features import unpack
from .metrics import (
    BIN_COUNT,
    Bins,
    KernelDistance,
    LevelError,
    frechet_distance,
    inception_score,
    kernel_distance,
)
from .nearest_sounds import nearest_spectrograms
from .pitch import cents_off, note_pitch

#: MIDI pitches of C2 and C7: where a generated note's pitch and family are judged.
RANGE_PITCHES: Final = (36, 96)
PITCH_TOLERANCE_CENTS: Final = 50.0
#: A sound nearer to a training sound than this share of real unheard notes are is suspicious.
SUSPICIOUS_SHARE: Final = 0.05

Float32Array = NDArray[np.float32]


@dataclass(frozen=True)
class NoteFigures:
    """A row of the table; shares in 0..1, None where it cannot be told.

    ``level_error`` is against the real note whose conditions were asked. ``pitch_right``, ``family_right``
    and ``cents_median`` (of absolute values) are of the ``range_count`` pitched notes from C2 to C7.
    ``nearest_db`` is the median distance to the nearest training sound; ``suspicious`` the share that is
    nearer than all but ``SUSPICIOUS_SHARE`` of the real notes of instruments not trained on.
    """

    count: int
    pis: float
    iis: float
    pkid: KernelDistance
    ikid: KernelDistance
    ndb_share: float
    frechet: float
    level_error: LevelError | None
    range_count: int
    pitch_right: float | None
    cents_median: float | None
    family_right: float | None
    nearest_db: float
    suspicious: float | None


class NoteStandard:
    """Real notes to measure against.

    Args:
        judges: trained classifiers.
        training: judged training notes, all of them.
        reference: rows of ``training`` from which distances are taken, and that fill the bins.
        pitched: ``[M]``, which of ``training`` have a pitch.
    """

    def __init__(
        self,
        judges: PhraseClassifiers,
        training: Judgement,
        reference: NDArray[np.int64],
        pitched: NDArray[np.bool_],
        seed: int = 0,
    ) -> None:
        self._judges, self.training, self._seed = judges, training, seed
        self._reference = training.pick(reference)
        self._reference_pitched = training.pick(reference[pitched[reference]])
        few = min(BIN_COUNT, max(2, len(reference) // 4))
        self._bins = Bins(_flat(self._reference), few, seed)
        self._suspicious_db: float | None = None

    def judge(self, clips: Sequence[Float32Array]) -> Judgement:
        """What the classifiers say of ``clips``."""
        return self._judges.judge(clips)

    def expect(self, real: Judgement) -> None:
        """Take the distances of real notes of unheard instruments as what is not suspicious."""
        nearest = nearest_spectrograms(real.features, self.training.features, 1).distances[:, 0]
        self._suspicious_db = float(np.quantile(nearest, SUSPICIOUS_SHARE))

    def measure(
        self,
        judged: Judgement,
        clips: Sequence[Float32Array],
        asked: Sequence[PhraseConditions],
        errors: Sequence[LevelError] = (),
    ) -> NoteFigures:
        """Figures of the sounds ``clips``, judged, for the conditions ``asked``."""
        pitched = np.array([c.instrument != "drums" for c in asked], bool)
        with_pitch = judged.pick(pitched)
        low, high = RANGE_PITCHES
        inside = np.array([p and low <= c.pitch <= high for p, c in zip(pitched, asked, strict=True)], bool)
        chosen = [(clips[int(i)], asked[int(i)].pitch) for i in np.flatnonzero(inside)]
        off = np.array([abs(cents_off(note_pitch(c), p)) for c, p in chosen], np.float64)
        named = judged.family.argmax(1)
        right = np.array([FAMILIES[k] == c.instrument for k, c in zip(named, asked, strict=True)], bool)
        nearest = nearest_spectrograms(judged.features, self.training.features, 1).distances[:, 0]
        near = None if self._suspicious_db is None else float((nearest < self._suspicious_db).mean())
        ours, theirs = with_pitch.pitch_embedding, self._reference_pitched.pitch_embedding
        families, real_families = judged.family_embedding, self._reference.family_embedding
        return NoteFigures(
            count=len(clips),
            pis=inception_score(with_pitch.pitch),
            iis=inception_score(judged.family),
            pkid=kernel_distance(ours, theirs, seed=self._seed),
            ikid=kernel_distance(families, real_families, seed=self._seed),
            ndb_share=self._bins.share_different(_flat(judged)),
            frechet=frechet_distance(families, real_families),
            level_error=_mean_error(errors),
            range_count=len(off),
            pitch_right=float((off <= PITCH_TOLERANCE_CENTS).mean()) if len(off) else None,
            cents_median=_finite_median(off),
            family_right=float(right[inside].mean()) if len(off) else None,
            nearest_db=float(np.median(nearest)),
            suspicious=near,
        )


def _flat(judged: Judgement) -> Float32Array:
    """Features for the bins, every fourth band and frame averaged: ``[N, D]``."""
    values = unpack(judged.features)
    n, bands, frames = values.shape
    return values.reshape(n, bands // 4, 4, frames // 4, 4).mean((2, 4)).reshape(n, -1)


def _mean_error(errors: Sequence[LevelError]) -> LevelError | None:
    if not errors:
        return None
    return LevelError(float(np.mean([e.mse for e in errors])), float(np.mean([e.mae for e in errors])))


def _finite_median(values: NDArray[np.float64]) -> float | None:
    """Median, None where it is infinite: for most no pitch was found."""
    middle = float(np.median(values)) if len(values) else np.inf
    return middle if np.isfinite(middle) else None
