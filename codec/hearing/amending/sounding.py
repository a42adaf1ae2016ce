"""An event that sounds: as it was told, and as it is known by now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...events.event_spec import ANALYSIS_RATE, GAIN_DB_HIGH, INDEX, VECTOR_SIZE, read_field
from ...events.events import Event
from ...events.quantize import quantize_gains, quantize_vectors
from ..refit.control_tables import GAIN_DB, VECTOR
from ..refit.refitter import Momentum, Refitter
from ..refit.window_events import WindowEvents
from ..spectrum import HOP

#: What says how an event goes on, beside its gain: fields, and with the gain columns of parameters.
GOES_ON_FIELDS: Final = ("noisiness", "pitch", "hold", "decay", "noise_decay", "tilt")
GOES_ON: Final = [GAIN_DB, *(VECTOR + INDEX[name] for name in GOES_ON_FIELDS)]
#: Older events are known well enough to be told for long.
_OLD_SECONDS: Final = 0.55


@dataclass
class Sounding:
    """One event of a stream while it sounds.

    Args:
        told: as whoever plays the stream knows it; it has an id.
        onset_frame: of the stream, nearest to its onset.
        gain_db, vector: as it is known now, between the levels of a take too.
        momentum: of its refitting.
        highest_db: gain above which it will not follow once it is old.
        readings: how many times it was read again.
        ended: it was said to end.
    """

    told: Event
    onset_frame: int
    gain_db: float
    vector: NDArray[np.float32]
    momentum: Momentum = field(default_factory=lambda: Momentum.at_rest(1))
    highest_db: float = GAIN_DB_HIGH
    readings: int = 0
    ended: bool = False

    @classmethod
    def of(cls, event: Event) -> Sounding:
        """Of an event that has just been told."""
        return cls(event, event.onset_frame(ANALYSIS_RATE, HOP), event.gain_db, event.vector)

    @property
    def id(self) -> int:
        """What the stream calls it by."""
        assert self.told.id is not None
        return self.told.id

    @property
    def shift_seconds(self) -> float:
        """Of the onset from its frame's centre."""
        return self.told.onset_seconds - self.onset_frame * HOP / ANALYSIS_RATE

    def is_old(self, now_seconds: float) -> bool:
        """Whether it is known for so long that little about it is uncertain."""
        return now_seconds - self.told.onset_seconds > _OLD_SECONDS

    def to_tell(self, now_seconds: float) -> Event:
        """The event as known at ``now_seconds`` of the stream, at the levels of a take.

        What is old and still driven is told to be held for as long as can be said: it will be ended.
        """
        vector = quantize_vectors(self.vector)
        age = now_seconds - self.told.onset_seconds
        if self.is_old(now_seconds) and read_field(vector, "attack") + read_field(vector, "hold") > age:
            vector[INDEX["hold"]] = 1.0
        return replace(self.told, gain_db=float(quantize_gains(np.float32(self.gain_db))), vector=vector)


def told_from_seconds(frame: int) -> float:
    """Stream time from which on acts what is told at ``frame``: half a frame before its centre."""
    return max(0.0, (frame - 0.5) * HOP / ANALYSIS_RATE)


def refit_soundings(
    refitter: Refitter,
    moved: Sequence[Sounding],
    first_frame: int,
    observed: NDArray[np.float32],
    others: tuple[NDArray[np.float32], NDArray[np.float32]],
    trust: NDArray[np.float32],
    row_weights: NDArray[np.float32],
    loudest_power: float,
) -> None:
    """Let ``moved``, one at least, be known as what fits best to ``observed``, whose first row is
    ``first_frame``; their onsets stay.

    Args:
        others: sums of powers and fourth powers of all else that sounds.
        trust, row_weights, loudest_power: see :meth:`struck.codec.hearing.refit.refitter.Refitter.refit`.
    """
    momentum = moved[0].momentum
    for sounding in moved[1:]:
        momentum = momentum.join(sounding.momentum)
    refit = refitter.refit(
        observed,
        *others,
        as_known(moved, first_frame),
        momentum=momentum,
        trust=trust,
        loudest_power=loudest_power,
        row_weights=row_weights,
    )
    for i, sounding in enumerate(moved):
        sounding.gain_db, sounding.vector = float(refit.events.gain_db[i]), refit.events.vectors[i]
        sounding.momentum = refit.momentum.take(np.array([i]))


def as_known(soundings: Sequence[Sounding], first_frame: int) -> WindowEvents:
    """``soundings`` as they are known now, beside a window that begins at ``first_frame``."""
    return _in_window(soundings, first_frame, [s.gain_db for s in soundings], [s.vector for s in soundings])


def as_told(soundings: Sequence[Sounding], first_frame: int) -> WindowEvents:
    """``soundings`` as they were told, beside a window that begins at ``first_frame``."""
    told = [s.told for s in soundings]
    return _in_window(soundings, first_frame, [e.gain_db for e in told], [e.vector for e in told])


def _in_window(
    soundings: Sequence[Sounding],
    first_frame: int,
    gains_db: Sequence[float],
    vectors: Sequence[NDArray[np.float32]],
) -> WindowEvents:
    return WindowEvents(
        np.array(gains_db, np.float32),
        np.array(vectors, np.float32).reshape(len(soundings), VECTOR_SIZE),
        np.array([s.onset_frame - first_frame for s in soundings], np.int64),
        np.array([s.shift_seconds for s in soundings], np.float32),
    )
