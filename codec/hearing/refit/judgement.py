"""How far sums of powers are from what is heard in a window: one number, as the refitter lessens it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .records import make_heard
from .refitter import Refitter
from .window import judge_window


class Judgement:
    """Judges models of one window.

    Args:
        refitter: whose window length, stride and weight of mel distance count.
        observed: magnitudes ``[rows, F]``.
        loudest_power: of the loudest mel band so far, from which their floor is measured.
        least_energy: errors count as shares of the window's energy, or of this where it holds less.
    """

    def __init__(
        self,
        refitter: Refitter,
        observed: NDArray[np.float32],
        loudest_power: float,
        least_energy: float,
    ) -> None:
        nothing = np.zeros_like(observed)
        heard = make_heard(refitter.renderer, observed, nothing, nothing, loudest_power)
        largest_scale = np.float32(1.0 / (least_energy + 1e-12))
        self._heard = heard._replace(scale=np.minimum(heard.scale, largest_scale))
        self._refitter = refitter
        self._bands = np.empty_like(heard.mel_db)
        self._slopes = heard.observed[:0], heard.observed[:0]  # none are wanted

    def loss(self, power: NDArray[np.float32], fourth: NDArray[np.float32]) -> float:
        """Of the sums ``power`` and ``fourth``, of the rows that the refitter looks at, ``[T, F]``."""
        weight = self._refitter.mel_weight
        error, mel_db = judge_window(
            self._refitter.renderer, self._heard, weight, power, fourth, self._bands, *self._slopes
        )
        return float(error + weight * mel_db)
