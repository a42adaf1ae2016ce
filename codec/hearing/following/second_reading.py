"""Events are read again once more is heard of them: what began as a guess becomes what was played.

A first reading sees an attack and little more, through the profile's window. Gradient steps mend what is
nearly right; a wrong pitch, noise taken for a tone, a level far too low they do not. So some frames after its
onset an event is read by the network as if it were new, in a longer window, at the pitches that are salient
then. Each reading is fitted to what was heard since, and takes the event's place if it is clearly better.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...weights.codec_weights import CodecWeights
from ..amending.sounding import Sounding, as_known
from ..event_reader import EventReader
from ..proposals import Proposer
from ..refit.control_tables import PARAMETER_COUNT, SHIFT
from ..refit.levels import follow_levels
from ..refit.refitter import Momentum, Refitter
from ..refit.window_events import WindowEvents
from ..spectrum import mean_magnitude
from .memory import Memory

#: Pitches that are tried, and how far from the event's onset they may begin, in frames.
_PITCHES: Final = 2
_NEAR_FRAMES: Final = 1
#: Rows before its onset that are looked at, and that must be remembered for it to be read.
_ROWS_BEFORE: Final = 4
_CONTEXT_ROWS: Final = 8
#: Gradient steps by which a reading, and the event as it is known, are fitted before they are compared.
_STEPS: Final = 3
#: What the levels of tone and noise may be multiplied by before that.
_MOST_LEVEL: Final = np.array([8.0], np.float32)
#: What was heard so many frames ago counts 1 / e of what is heard now.
_RECENT: Final = 8.0
#: A reading must leave less than this share of the loss that the event as known leaves.
_BETTER_SHARE: Final = 0.85


class SecondReader:
    """Reads events again.

    Args:
        weights: trained codec weights.
        n_fft: window length.
        every_frame: refitter of that window, of stride 1.
        refitter: the same, of any stride: fits and compares.
        at_most: values that fields have at most when an event is read, in their units.
        memory: what was heard last, in windows of ``n_fft``.
        age: an event is read again when so many of its frames have been heard in these.

    Raises:
        StruckError: the weights lack the event network.
    """

    def __init__(
        self,
        weights: CodecWeights,
        n_fft: int,
        every_frame: Refitter,
        refitter: Refitter,
        at_most: Mapping[str, float],
        memory: Memory,
        age: int,
    ) -> None:
        self._every_frame, self._refitter, self._memory, self._age = every_frame, refitter, memory, age
        self._reader = EventReader(weights, n_fft, at_most)
        self._proposer = Proposer(n_fft)
        self._trust = np.ones((1, PARAMETER_COUNT), np.float32)
        self._trust[:, SHIFT] = 0.0

    def is_due(self, sounding: Sounding) -> bool:
        """Whether enough was heard of an event."""
        return self._memory.end_frame - sounding.onset_frame >= self._age

    def read(self, sounding: Sounding, others: Sequence[Sounding], loudest_power: float) -> None:
        """Let ``sounding`` be what it is best read as by now.

        Args:
            others: all else that sounds.
            loudest_power: of the loudest mel band so far.
        """
        memory = self._memory
        sounding.readings += 1
        onset_row = sounding.onset_frame - memory.first_frame
        if onset_row < _CONTEXT_ROWS:
            return
        power, fourth = self._every_frame.sums(as_known(others, memory.first_frame), len(memory.observed))
        residual = np.maximum(memory.observed - mean_magnitude(power, fourth, np), 0.0)
        # The last frame is looked at, whatever the stride.
        first = onset_row - _ROWS_BEFORE
        first -= (self._refitter.stride - (len(residual) - 1 - first)) % self._refitter.stride
        known = as_known([sounding], memory.first_frame + first)
        heard = memory.observed[first:], power[first:], fourth[first:]
        best, best_loss = known, self._fit(known, *heard, loudest_power)[1]
        bar = _BETTER_SHARE * best_loss
        for reading in self._readings(residual, onset_row, known):
            leveled = follow_levels(self._refitter, heard[0], heard[1], reading, most=_MOST_LEVEL)
            fitted, loss = self._fit(leveled, *heard, loudest_power)
            if loss < min(bar, best_loss):
                best, best_loss = fitted, loss
        if best is not known:
            sounding.gain_db, sounding.vector = float(best.gain_db[0]), best.vectors[0]
            sounding.momentum = Momentum.at_rest(1)

    def _fit(
        self,
        event: WindowEvents,
        observed: NDArray[np.float32],
        power: NDArray[np.float32],
        fourth: NDArray[np.float32],
        loudest_power: float,
    ) -> tuple[WindowEvents, float]:
        """``event`` a few steps on, and the loss that is left."""
        ago = np.arange(len(observed))[::-1]
        refit = self._refitter.refit(
            observed,
            power,
            fourth,
            event,
            steps=_STEPS,
            trust=self._trust,
            loudest_power=loudest_power,
            row_weights=np.exp(-ago / _RECENT).astype(np.float32),
        )
        return refit.events, refit.loss_after

    def _readings(
        self, residual: NDArray[np.float32], onset_row: int, known: WindowEvents
    ) -> Iterator[WindowEvents]:
        """What may begin near ``onset_row``, as beginning where ``known`` does."""
        near = onset_row - _NEAR_FRAMES, onset_row + _NEAR_FRAMES + 1
        found = self._proposer.propose(residual, *near, _PITCHES)
        if not len(found.frame):
            return
        found = replace(found, frame=np.full_like(found.frame, onset_row))
        gains_db, vectors, _ = self._reader.read(residual, found)
        for gain_db, vector in zip(gains_db, vectors, strict=True):
            yield replace(known, gain_db=np.array([gain_db], np.float32), vectors=vector[None])
