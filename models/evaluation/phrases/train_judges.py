"""Training what MARS is judged by: the classifiers of notes, and the additive baseline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import torch

from ...mars.phrase_data import PhraseData
from ..notes.classifiers import PhraseClassifiers, train_classifiers
from ..notes.features import packed_features
from .additive import AdditiveSynth, train_additive

CLASSIFIERS_FILE: Final = "phrase_classifiers.safetensors"
ADDITIVE_FILE: Final = "phrase_additive.safetensors"
#: How the minutes are shared out.
_CLASSIFIERS_SHARE: Final = 0.5

Report = Callable[[str], None]


def train_judges(
    data: PhraseData, minutes: float, *, folder: Path, seed: int = 0, report: Report = print
) -> tuple[Path, Path]:
    """Train on the single notes that are not held out; returns the paths of both weights.

    Args:
        minutes: of processor time, in all; listening to the notes comes before them.
        folder: where the weights go.

    Raises:
        StruckError: there is nothing to train on, or the weights cannot be written.
    """
    conditions, held = data.conditions, data.held_out
    singles = np.flatnonzero([c.style == "single" for c in conditions])
    report(f"listening to {len(singles)} notes")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # networks this small: a second thread costs more than it gives
    try:
        classifiers: PhraseClassifiers = train_classifiers(
            packed_features(data.samples(int(i)) for i in singles),
            [conditions[i] for i in singles],
            held[singles],
            minutes=_CLASSIFIERS_SHARE * minutes,
            seed=seed,
            report=report,
        )
        folder.mkdir(parents=True, exist_ok=True)
        classifiers.save(folder / CLASSIFIERS_FILE)
        additive: AdditiveSynth = train_additive(
            data.samples,
            conditions,
            singles[~held[singles]],
            minutes=(1.0 - _CLASSIFIERS_SHARE) * minutes,
            seed=seed,
            report=report,
        )
        additive.save(folder / ADDITIVE_FILE)
    finally:
        torch.set_num_threads(threads)
    return folder / CLASSIFIERS_FILE, folder / ADDITIVE_FILE
