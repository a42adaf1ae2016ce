"""Quantised events: every level survives, errors are within half a step."""

from __future__ import annotations

import numpy as np
import pytest

from struck.codec.events.event_spec import FIELDS, VECTOR_SIZE
from struck.codec.events.events import Event
from struck.codec.events.quantize import quantize_events, restore_events


def test_every_level_of_every_field_survives() -> None:
    for i, field in enumerate(FIELDS):
        half = 2 ** (field.bits - 1) - 1
        rows = np.zeros((2 * half + 1, 2 + VECTOR_SIZE), dtype=np.int64)
        rows[:, 2 + i] = np.arange(-half, half + 1)
        assert np.array_equal(quantize_events(restore_events(rows)), rows), field.name


def test_zero_and_the_ends_are_levels() -> None:
    for value in (-1.0, 0.0, 1.0):
        event = Event(0.0, 0.0, np.full(VECTOR_SIZE, value))
        assert restore_events(quantize_events([event]))[0] == event


@pytest.mark.parametrize("gain_db", [-90.0, -89.5, -0.4, 0.0, 12.0])
def test_gain_error_is_at_most_half_a_decibel(gain_db: float) -> None:
    (event,) = restore_events(quantize_events([Event(0.0, gain_db, np.zeros(VECTOR_SIZE))]))
    assert abs(event.gain_db - gain_db) <= 0.5


def test_vector_error_is_at_most_half_a_step() -> None:
    vectors = np.random.default_rng(1).uniform(-1.0, 1.0, (200, VECTOR_SIZE)).astype(np.float32)
    events = [Event(0.0, -20.0, vector) for vector in vectors]
    steps = np.array([1.0 / (2 ** (field.bits - 1) - 1) for field in FIELDS])
    again = np.stack([event.vector for event in restore_events(quantize_events(events))])
    assert np.all(np.abs(again - vectors) <= 0.5 * steps + 1e-6)
