"""Families of modes: they start at 1, rise, and blend between known ratios."""

import numpy as np
import pytest

from struck.codec.events.event_spec import MODE_COUNT
from struck.codec.events.modes import (
    FAMILY_LOG_RATIOS,
    HARMONIC_LOG_RATIOS,
    family_weights,
    log_ratios,
    ratio_tables,
)

TABLES = ratio_tables()


def ratios(stiffness, bar_membrane, plate_bell):
    weights = family_weights(np.array([bar_membrane]), np.array([plate_bell]), np)
    return np.exp(log_ratios(np.array([stiffness]), weights, TABLES, np))[0]


def test_every_body_starts_at_one_and_rises():
    rng = np.random.default_rng(1)
    for _ in range(50):
        blend = ratios(rng.uniform(0, 0.02), rng.uniform(-1, 1), rng.uniform(-1, 1))
        assert blend[0] == pytest.approx(1.0, abs=1e-6)
        assert np.all(np.diff(blend) > -1e-4)


@pytest.mark.parametrize(
    ("blend", "wanted"),
    [((0.0, 0.0), [1, 2, 3, 4]), ((1.0, 0.0), [1, 2.757, 5.404, 8.933]), ((-1.0, 0.0), [1, 1.593, 2.136,
    2.295]),
     ((0.0, -1.0), [1, 2, 2.4, 3])],
)  # fmt: skip
def test_known_bodies(blend, wanted):
    """Harmonic string, free bar, membrane, bell (Fletcher & Rossing's tables)."""
    assert ratios(0.0, *blend)[:4] == pytest.approx(wanted, rel=1e-3)


def test_a_stiff_string():
    b = 0.001
    n = np.arange(1, MODE_COUNT + 1)
    assert ratios(b, 0.0, 0.0) == pytest.approx(n * np.sqrt((1 + b * n**2) / (1 + b)), rel=1e-5)


def test_weights_never_exceed_one():
    for x in (-1.0, -0.4, 0.0, 0.7, 1.0):
        for y in (-1.0, 0.2, 1.0):
            weights = family_weights(np.array([x]), np.array([y]), np)
            assert np.all(weights >= 0.0)
            assert weights.sum() <= 1.0 + 1e-6


def test_tables_are_float32():
    assert FAMILY_LOG_RATIOS.dtype == HARMONIC_LOG_RATIOS.dtype == np.float32
    assert FAMILY_LOG_RATIOS.shape == (4, MODE_COUNT)
