"""Events as they stand in a window of frames: what the refitter moves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from ...events.event_spec import ANALYSIS_RATE, VECTOR_SIZE
from ...events.quantize import quantize_gains, quantize_vectors
from ..spectrum import HOP
from .control_tables import GAIN_DB, PARAMETER_COUNT, SHIFT, VECTOR

#: An end row that no window reaches.
NEVER = np.iinfo(np.int32).max


@dataclass(frozen=True)
class WindowEvents:
    """E events beside the rows of a window of frames.

    Args:
        gain_db: ``[E]``.
        vectors: ``[E, 32]`` in [-1, 1].
        onset_rows: row of the window whose centre is nearest to each onset, ``[E]``; negative before it.
        shift_seconds: distance of each onset from that centre, ``[E]``.
        end_rows: row from which on each event is left out, ``[E]``; None where all sound to the window's end.

    Raises:
        ValueError: shapes differ, a number is not finite, or a vector leaves [-1, 1].
    """

    gain_db: NDArray[np.float32]
    vectors: NDArray[np.float32]
    onset_rows: NDArray[np.int64]
    shift_seconds: NDArray[np.float32]
    end_rows: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        count = len(self.gain_db)
        for name in ("gain_db", "vectors", "onset_rows", "shift_seconds", "end_rows"):
            value = getattr(self, name)
            if value is None:
                continue
            shape = (count, VECTOR_SIZE) if name == "vectors" else (count,)
            if value.shape != shape:
                raise ValueError(f"{name} has shape {value.shape}; {count} events need {shape}")
            # Made many times a hop: a sum is not finite where a number is not, and rows are whole numbers.
            if value.dtype.kind == "f" and not isfinite(value.sum(dtype=np.float64)):
                raise ValueError(f"{name} must be finite")
        if count and np.abs(self.vectors).max() > 1.0:
            raise ValueError("vectors must lie in [-1, 1]")

    def __len__(self) -> int:
        return len(self.gain_db)

    def take(self, chosen: NDArray[np.int64] | NDArray[np.bool_]) -> WindowEvents:
        """The events that ``chosen`` (places, or one truth value each) names."""
        ends = None if self.end_rows is None else self.end_rows[chosen]
        return WindowEvents(
            self.gain_db[chosen],
            self.vectors[chosen],
            self.onset_rows[chosen],
            self.shift_seconds[chosen],
            ends,
        )

    @classmethod
    def none(cls) -> WindowEvents:
        """No events."""
        empty = np.zeros(0, np.float32)
        return cls(empty, np.zeros((0, VECTOR_SIZE), np.float32), np.zeros(0, np.int64), empty)

    def one(self, place: int) -> WindowEvents:
        """The event at ``place``, alone."""
        return self.take(np.array([place]))

    def join(self, other: WindowEvents) -> WindowEvents:
        """These events and then the other's; all sound to the window's end."""
        return WindowEvents(
            np.concatenate([self.gain_db, other.gain_db]),
            np.concatenate([self.vectors, other.vectors]),
            np.concatenate([self.onset_rows, other.onset_rows]),
            np.concatenate([self.shift_seconds, other.shift_seconds]),
        )

    def moved(self, rows: int) -> WindowEvents:
        """The same events beside a window that begins ``rows`` rows later."""
        ends = None if self.end_rows is None else self.end_rows - rows
        return replace(self, onset_rows=self.onset_rows - rows, end_rows=ends)

    def at_nearest_rows(self) -> WindowEvents:
        """The same events with the rows that are nearest to their onsets."""
        rows = np.round(self.shift_seconds * (ANALYSIS_RATE / HOP)).astype(np.int64)
        shift = (self.shift_seconds - rows * (HOP / ANALYSIS_RATE)).astype(np.float32)
        return WindowEvents(self.gain_db, self.vectors, self.onset_rows + rows, shift, self.end_rows)

    def to_parameters(self) -> NDArray[np.float32]:
        """``[E, 34]``: gain, vector, shift."""
        parameters = np.empty((len(self), PARAMETER_COUNT), np.float32)
        parameters[:, GAIN_DB] = self.gain_db
        parameters[:, VECTOR:SHIFT] = self.vectors
        parameters[:, SHIFT] = self.shift_seconds
        return parameters

    def with_parameters(self, parameters: NDArray[np.float32]) -> WindowEvents:
        """The same events, moved to ``parameters [E, 34]``."""
        gain_db, vectors, shift = parameters[:, GAIN_DB], parameters[:, VECTOR:SHIFT], parameters[:, SHIFT]
        return WindowEvents(gain_db.copy(), vectors.copy(), self.onset_rows, shift.copy(), self.end_rows)

    def quantized(self) -> WindowEvents:
        """The same events as a take gives them back: see :func:`quantize_parameters`."""
        return self.with_parameters(quantize_parameters(self.to_parameters()))

    def last_rows(self) -> NDArray[np.int64]:
        """``end_rows``, or rows that no window reaches."""
        if self.end_rows is None:
            return np.full(len(self), NEVER, np.int64)
        return np.ascontiguousarray(self.end_rows, np.int64)

    def first_rows(self) -> NDArray[np.int64]:
        """``onset_rows`` as the kernels want them."""
        return np.ascontiguousarray(self.onset_rows, np.int64)


def quantize_parameters(parameters: NDArray[np.float32]) -> NDArray[np.float32]:
    """``parameters [E, 34]`` as a take gives them back: levels, and onsets at whole samples."""
    quantized = np.empty_like(parameters)
    quantized[:, GAIN_DB] = quantize_gains(parameters[:, GAIN_DB])
    quantized[:, VECTOR:SHIFT] = quantize_vectors(parameters[:, VECTOR:SHIFT])
    quantized[:, SHIFT] = np.round(parameters[:, SHIFT] * ANALYSIS_RATE) / np.float32(ANALYSIS_RATE)
    return quantized
