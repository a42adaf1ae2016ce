"""The baseline that sounds right by nature: the training clip whose conditions are nearest to those asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...mars.conditions import PhraseConditions

#: What a difference costs; a semitone costs 1. The kind of thing comes before its pitch, the pitch before the
#: rest.
_STYLE_COST: Final = 10_000.0
_FAMILY_COST: Final = 500.0
_CHORD_COST: Final = 5.0
_TEMPO_COST_PER_OCTAVE: Final = 12.0
_VELOCITY_COST: Final = 1.0 / 127.0

Float32Array = NDArray[np.float32]


class NearestSampler:
    """Plays training clips as they are.

    Args:
        conditions: of the clips that may be played.
        samples: gives the clip of a row of ``conditions``.
    """

    def __init__(
        self, conditions: Sequence[PhraseConditions], samples: Callable[[int], Float32Array]
    ) -> None:
        if not conditions:
            raise ValueError("a sampler needs one clip at least")
        self._conditions, self._samples = list(conditions), samples

    def nearest(self, conditions: PhraseConditions) -> int:
        """Row of the clip with the nearest conditions, the first of equals.

        >>> clips = [PhraseConditions(60), PhraseConditions(64), PhraseConditions(62, instrument="organ")]
        >>> NearestSampler(clips, lambda row: np.zeros(0)).nearest(PhraseConditions(62, 90))
        0
        """
        return int(np.argmin([distance(conditions, one) for one in self._conditions]))

    def generate(self, conditions: PhraseConditions, seed: int = 0) -> Float32Array:
        """That clip; the seed changes nothing."""
        return self._samples(self.nearest(conditions))


def distance(first: PhraseConditions, second: PhraseConditions) -> float:
    """How different two phrases would be, 0 for the same."""
    cost = abs(first.pitch - second.pitch) + _VELOCITY_COST * abs(first.velocity - second.velocity)
    if first.style != second.style:
        cost += _STYLE_COST
    if first.instrument != second.instrument:
        cost += _FAMILY_COST
    if first.has_chord and first.chord != second.chord:
        cost += _CHORD_COST
    if first.style != "single":
        cost += _TEMPO_COST_PER_OCTAVE * abs(float(np.log2(first.tempo_bpm / second.tempo_bpm)))
    return float(cost)
