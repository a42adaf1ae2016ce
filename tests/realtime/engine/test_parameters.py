"""The table of parameters: ranges, controllers, gains."""

import math
from itertools import pairwise

import pytest

from struck.realtime.engine.parameters import (
    ENGINE_PARAMETERS,
    OFF_DB,
    PARAMETER,
    PARAMETERS,
    from_control,
    gain_from_db,
)

each = pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda parameter: parameter.name)


def test_names_and_controllers_are_given_once():
    assert len(PARAMETER) == len(PARAMETERS)
    controls = [parameter.control for parameter in PARAMETERS if parameter.control is not None]
    assert len(set(controls)) == len(controls)
    assert all(0 <= control <= 119 for control in controls)  # 120 and above are channel mode messages
    assert not {0, 32, 64, 6, 38, *range(96, 102)} & set(controls)  # banks, pedal, data and its numbers


def test_the_engines_gains_come_first():
    assert ENGINE_PARAMETERS == (
        "input_db", "dry_db", "events_db", "phrases_db", "output_db", "ceiling_db",
    )  # fmt: skip


@each
def test_a_value_is_kept_in_its_range_and_must_be_finite(parameter):
    assert parameter.low <= parameter.default <= parameter.high
    assert parameter.check(parameter.default) == parameter.default
    assert parameter.check(parameter.low - 1e6) == parameter.low
    assert parameter.check(parameter.high + 1e6) == parameter.high
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match=parameter.name):
            parameter.check(value)


@each
def test_a_controller_moves_from_end_to_end_and_never_back(parameter):
    values = [from_control(parameter, position) for position in range(128)]
    assert values[0] == parameter.low
    assert values[127] == parameter.high
    assert all(later > earlier for earlier, later in pairwise(values))
    inside = parameter.low < parameter.default < parameter.high
    assert values[64 if inside else 0] == pytest.approx(parameter.default)


def test_factors_move_in_equal_ratios():
    values = [from_control(PARAMETER["decay"], position) for position in range(0, 127, 32)]
    assert values == pytest.approx([0.1, 0.1 * math.sqrt(10), 1.0, math.sqrt(10)])


@pytest.mark.parametrize("position", [-1, 128, math.nan])
def test_positions_that_no_controller_has(position):
    with pytest.raises(ValueError, match="position"):
        from_control(PARAMETER["events_db"], position)


def test_gains():
    assert gain_from_db(0.0) == 1.0
    assert gain_from_db(20.0) == 10.0
    assert gain_from_db(OFF_DB) == gain_from_db(-200.0) == 0.0
    assert gain_from_db(OFF_DB + 1e-9) == pytest.approx(1e-3)
