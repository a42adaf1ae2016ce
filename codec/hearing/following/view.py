"""A window length in which events are fitted to what was heard last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..amending.sounding import GOES_ON, Sounding, as_known, refit_soundings
from ..refit.control_tables import PARAMETER_COUNT, SHIFT
from ..refit.refitter import Refitter
from .memory import Memory

#: What the gain of an old event may rise by in all: what is louder is something new, or its noise born anew.
_MOST_RISE_DB: Final = 3.0


@dataclass(frozen=True)
class View:
    """What was heard last, in frames of one window length, and how events are fitted to it.

    Args:
        memory: the frames.
        every_frame: refitter of the same window length, of stride 1.
        refitter: the same, of any stride: moves events, by its steps.
        heard_frames: of which an event must have been heard before it is fitted.
        rows: of the memory that events are fitted to.
        recent: what was heard so many frames before the last of these counts 1 / e of what was heard then.
        unsearched_rows: after these; what begins there is not known yet, and would be taken for more of what
            sounds.
    """

    memory: Memory
    every_frame: Refitter
    refitter: Refitter
    heard_frames: int
    rows: int
    recent: float
    unsearched_rows: int = 0

    @property
    def end_frame(self) -> int:
        """Of the stream: the one after the last that events are fitted to."""
        return self.memory.end_frame - self.unsearched_rows

    def has_heard(self, sounding: Sounding) -> bool:
        """Whether enough of an event was heard for it to be fitted."""
        return sounding.onset_frame < self.end_frame - self.heard_frames

    def refit(
        self, moved: Sequence[Sounding], others: Sequence[Sounding], young_from: int, loudest_power: float
    ) -> None:
        """Move ``moved`` to where the last rows fit best; their onsets stay.

        Args:
            others: all else that sounds.
            young_from: frame from which on events may still become anything; older ones only go on.
            loudest_power: of the loudest mel band so far.
        """
        first = self.end_frame - self.rows
        sums = self.every_frame.sums(as_known(others, first), self.rows)
        trust = np.zeros((len(moved), PARAMETER_COUNT), np.float32)
        for own, sounding in zip(trust, moved, strict=True):
            if sounding.onset_frame >= young_from:
                own[:SHIFT] = 1.0
                sounding.highest_db = sounding.gain_db + _MOST_RISE_DB
            own[GOES_ON] = 1.0
        ago = np.arange(self.rows)[::-1]
        weights = np.exp(-ago / self.recent).astype(np.float32)
        row = first - self.memory.first_frame
        observed = self.memory.observed[row : row + self.rows]
        refit_soundings(self.refitter, moved, first, observed, sums, trust, weights, loudest_power)
