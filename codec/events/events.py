"""One sounding event: onset, gain and vector, and its onset as seconds, sample, frame or one-hot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .event_spec import GAIN_DB_HIGH, GAIN_DB_LOW, VECTOR_SIZE

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Event:
    """Something was struck, it resonates, in a room.

    Args:
        onset_seconds: time at which the event starts, from the start of its stream, >= 0.
        gain_db: level at the attack in dB relative to a full-scale RMS of 1, in [-90, 12].
        vector: float32 ``[32]``, each number in [-1, 1]; see :mod:`struck.codec.events.event_spec`.
        id: what amendments and ends call it by, an unsigned 32-bit number, unique among what sounds; None
            where nothing will. Two events that differ only in this are equal: they sound alike.

    Raises:
        ValueError: a value is not finite, or out of its range.
    """

    onset_seconds: float
    gain_db: float
    vector: FloatArray = field(repr=False)
    id: int | None = None

    def __post_init__(self) -> None:
        vector = np.asarray(self.vector, dtype=np.float32)
        if vector.shape != (VECTOR_SIZE,):
            raise ValueError(f"an event vector has shape ({VECTOR_SIZE},), not {vector.shape}")
        if not np.all(np.abs(vector) <= 1.0):  # false for NaN too
            raise ValueError("an event vector holds finite numbers in [-1, 1]")
        if not (np.isfinite(self.onset_seconds) and self.onset_seconds >= 0.0):
            raise ValueError(f"onset_seconds is {self.onset_seconds}; it must be finite and >= 0")
        if not GAIN_DB_LOW <= self.gain_db <= GAIN_DB_HIGH:
            raise ValueError(f"gain_db is {self.gain_db}; the range is {GAIN_DB_LOW} to {GAIN_DB_HIGH}")
        if self.id is not None and not 0 <= self.id < 2**32:
            raise ValueError(f"id is {self.id}; the range is 0 to {2**32 - 1}")
        vector = vector.copy()
        vector.flags.writeable = False
        object.__setattr__(self, "vector", vector)
        object.__setattr__(self, "onset_seconds", float(self.onset_seconds))
        object.__setattr__(self, "gain_db", float(self.gain_db))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Event):
            return NotImplemented
        return (
            self.onset_seconds == other.onset_seconds
            and self.gain_db == other.gain_db
            and np.array_equal(self.vector, other.vector)
        )

    def __hash__(self) -> int:
        return hash((self.onset_seconds, self.gain_db, self.vector.tobytes()))

    def onset_sample(self, rate: int) -> int:
        """Nearest sample position at ``rate`` Hz."""
        return round(self.onset_seconds * rate)

    def onset_frame(self, rate: int, hop: int) -> int:
        """Number of the analysis frame (one every ``hop`` samples at ``rate`` Hz) nearest to the onset."""
        return round(self.onset_seconds * rate / hop)

    def onset_one_hot(self, rate: int, hop: int, frame_count: int) -> FloatArray:
        """The onset frame as a one-hot vector ``[frame_count]``, as the published codec writes times.

        Raises:
            ValueError: the onset lies outside the frames.
        """
        frame = self.onset_frame(rate, hop)
        if frame >= frame_count:
            raise ValueError(f"the onset is in frame {frame}, outside 0..{frame_count - 1}")
        one_hot = np.zeros(frame_count, dtype=np.float32)
        one_hot[frame] = 1.0
        return one_hot


def stack_vectors(events: Sequence[Event]) -> FloatArray:
    """Vectors of ``events`` as one array ``[E, 32]``."""
    if not events:
        return np.zeros((0, VECTOR_SIZE), dtype=np.float32)
    return np.stack([event.vector for event in events])


def stack_gains(events: Iterable[Event]) -> FloatArray:
    """Gains of ``events`` in dB, ``[E]``."""
    return np.asarray([event.gain_db for event in events], dtype=np.float32)
