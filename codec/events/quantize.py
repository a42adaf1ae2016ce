"""Events to integers by the table of fields, and back.

Quantised, an event is a row of ``2 + VECTOR_SIZE`` integers: the onset in samples at
:data:`struck.codec.events.event_spec.ANALYSIS_RATE`, the gain in steps of :data:`GAIN_STEP_DB`, and one
*level* per field, in ``-half..half`` with ``half = 2 ** (bits - 1) - 1``, so that 0 is a level.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .amendments import Amendment
from .event_spec import ANALYSIS_RATE, FIELDS, GAIN_BITS, GAIN_DB_HIGH, GAIN_DB_LOW, VECTOR_SIZE
from .events import Event, stack_vectors

IntArray = NDArray[np.int64]

#: About the smallest difference of level that is heard; makes whole decibels of the levels.
GAIN_STEP_DB: Final = 1.0
GAIN_LEVELS: Final = round((GAIN_DB_HIGH - GAIN_DB_LOW) / GAIN_STEP_DB) + 1
assert GAIN_LEVELS <= 2**GAIN_BITS

#: Levels of field ``i`` are ``-LEVEL_HALF[i]..LEVEL_HALF[i]``.
LEVEL_HALF: Final = np.array([2 ** (field.bits - 1) - 1 for field in FIELDS], dtype=np.int64)


def quantize_events(events: Sequence[Event]) -> IntArray:
    """Rows of integers ``[E, 2 + VECTOR_SIZE]``: onset sample, gain level, field levels."""
    rows = np.empty((len(events), 2 + VECTOR_SIZE), dtype=np.int64)
    rows[:, 0] = [event.onset_sample(ANALYSIS_RATE) for event in events]
    rows[:, 1] = [round((event.gain_db - GAIN_DB_LOW) / GAIN_STEP_DB) for event in events]
    rows[:, 2:] = np.rint(stack_vectors(events).astype(np.float64) * LEVEL_HALF)
    return rows


def restore_events(rows: IntArray, ids: Sequence[int | None] | None = None) -> list[Event]:
    """Events of integer rows ``[E, 2 + VECTOR_SIZE]``; ``quantize_events`` of them gives the same rows."""
    vectors = (rows[:, 2:] / LEVEL_HALF).astype(np.float32)
    return [
        Event(int(row[0]) / ANALYSIS_RATE, GAIN_DB_LOW + GAIN_STEP_DB * int(row[1]), vector, id)
        for row, vector, id in zip(rows, vectors, ids or [None] * len(rows), strict=True)
    ]


def quantize_vectors(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """``vectors [..., 32]`` at the nearest levels, as a take gives them back."""
    return (np.rint(np.clip(vectors, -1.0, 1.0).astype(np.float64) * LEVEL_HALF) / LEVEL_HALF).astype(
        np.float32
    )


def quantize_gains(gain_db: NDArray[np.floating] | np.floating) -> NDArray[np.float32]:
    """Gains in dB at the nearest level, as a take gives them back."""
    level = np.rint((np.clip(gain_db, GAIN_DB_LOW, GAIN_DB_HIGH) - GAIN_DB_LOW) / GAIN_STEP_DB)
    return (GAIN_DB_LOW + GAIN_STEP_DB * level).astype(np.float32)


def quantize_amendments(amendments: Sequence[Amendment]) -> tuple[IntArray, NDArray[np.bool_]]:
    """Levels of gain and fields ``[A, 1 + VECTOR_SIZE]``, and which of them are amended; 0 where not."""
    vectors = np.array([amendment.vector for amendment in amendments], np.float64).reshape(-1, VECTOR_SIZE)
    gains = [np.nan if amendment.gain_db is None else amendment.gain_db for amendment in amendments]
    steps = np.column_stack([(np.array(gains) - GAIN_DB_LOW) / GAIN_STEP_DB, vectors * LEVEL_HALF])
    amended = ~np.isnan(steps)
    return np.rint(np.where(amended, steps, 0.0)).astype(np.int64), amended


def restore_amendments(
    ids: Sequence[int], samples: IntArray, levels: IntArray, amended: NDArray[np.bool_]
) -> list[Amendment]:
    """Amendments at sample positions ``[A]``, of levels as :func:`quantize_amendments` gives them."""
    vectors = np.where(amended[:, 1:], levels[:, 1:] / LEVEL_HALF, np.nan).astype(np.float32)
    gains_db = [
        GAIN_DB_LOW + GAIN_STEP_DB * int(level) if told else None
        for level, told in zip(levels[:, 0], amended[:, 0], strict=True)
    ]
    return [
        Amendment(id, int(sample) / ANALYSIS_RATE, gain_db, vector)
        for id, sample, gain_db, vector in zip(ids, samples, gains_db, vectors, strict=True)
    ]
