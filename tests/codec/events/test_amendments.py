"""Amendments and ends: what they say, what they refuse, how they change an event."""

import numpy as np
import pytest

from struck.codec.events.amendments import (
    Amendment,
    End,
    difference,
    in_stream_order,
    item_seconds,
    nearly_in_stream_order,
)
from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import INDEX, VECTOR_SIZE, read_field
from struck.codec.events.events import Event

EVENT = Event(0.5, -20.0, np.linspace(-1.0, 1.0, VECTOR_SIZE), id=7)


def test_an_amendment_changes_what_it_names_and_no_more():
    amendment = Amendment.of_fields(7, 1.0, {"pitch": 69.0, "decay": 2.0}, gain_db=-6.0)
    assert amendment.fields == ("pitch", "decay")
    after = amendment.apply(EVENT)
    assert (after.onset_seconds, after.id, after.gain_db) == (0.5, 7, -6.0)
    assert read_field(after.vector, "pitch") == pytest.approx(69.0, abs=1e-4)
    assert read_field(after.vector, "decay") == pytest.approx(2.0, rel=1e-5)
    others = [i for name, i in INDEX.items() if name not in ("pitch", "decay")]
    assert np.array_equal(after.vector[others], EVENT.vector[others])


def test_a_difference_makes_one_of_the_other():
    rng = np.random.default_rng(1)
    after = Event(0.5, -3.0, np.where(rng.random(VECTOR_SIZE) < 0.3, 0.25, EVENT.vector), id=7)
    amendment = difference(EVENT, after, 7, 2.0)
    assert amendment is not None
    assert amendment.apply(EVENT) == after
    assert 0 < len(amendment.fields) < VECTOR_SIZE
    assert difference(EVENT, EVENT, 7, 2.0) is None


def test_equal_amendments_are_equal():
    values = {"pitch": 60.0}
    assert Amendment.of_fields(1, 2.0, values) == Amendment.of_fields(1, 2.0, values)
    assert hash(Amendment.of_fields(1, 2.0, values)) == hash(Amendment.of_fields(1, 2.0, values))
    assert Amendment.of_fields(1, 2.0, values) != Amendment.of_fields(1, 2.0, {"pitch": 61.0})
    assert Amendment(1, 2.0, -3.0) != End(1, 2.0)


def test_the_order_of_a_stream():
    late, early = Event(2.0, 0.0, np.zeros(VECTOR_SIZE), id=2), Event(1.0, 0.0, np.zeros(VECTOR_SIZE), id=1)
    items = [End(1, 2.0), Amendment(1, 2.0, -1.0), Amendment(1, 2.0, -2.0), late, early]
    assert in_stream_order(items) == [early, late, items[1], items[2], items[0]]
    assert [item_seconds(item) for item in in_stream_order(items)] == [1.0, 2.0, 2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((-1, 0.0, 0.0), "id"),
        ((2**32, 0.0, 0.0), "id"),
        ((True, 0.0, 0.0), "id"),
        ((1, -0.1, 0.0), "at_seconds"),
        ((1, np.nan, 0.0), "at_seconds"),
        ((1, 0.0, np.nan), "gain_db"),
        ((1, 0.0, 13.0), "gain_db"),
        ((1, 0.0), "amends nothing"),
        ((1, 0.0, None, np.full(VECTOR_SIZE, np.nan)), "amends nothing"),
        ((1, 0.0, None, np.zeros(3)), "shape"),
        ((1, 0.0, None, np.full(VECTOR_SIZE, 1.01)), "numbers in"),
        ((1, 0.0, None, np.full(VECTOR_SIZE, np.inf)), "numbers in"),
    ],
)
def test_what_an_amendment_refuses(arguments, says):
    with pytest.raises(ValueError, match=says):
        Amendment(*arguments)


@pytest.mark.parametrize(("values", "says"), [({"colour": 1.0}, "no field"), ({"pitch": np.nan}, "finite")])
def test_fields_that_cannot_be_amended(values, says):
    with pytest.raises(ValueError, match=says):
        Amendment.of_fields(1, 0.0, values)


@pytest.mark.parametrize("arguments", [(-1, 0.0), (0, -1.0), (0, np.inf), (1.5, 0.0)])
def test_what_an_end_refuses(arguments):
    with pytest.raises(ValueError, match=r"id|at_seconds"):
        End(*arguments)


def events_at(*onsets: float) -> list[Event]:
    return [Event(onset, -20.0, np.zeros(VECTOR_SIZE)) for onset in onsets]


def onsets(found: list[Event]) -> list[float]:
    return [event.onset_seconds for event in found]


def test_what_is_nearly_in_order_is_put_in_order():
    found = list(nearly_in_stream_order(events_at(1.0, 0.5, 2.4, 0.9, 4.0)))
    assert onsets(found) == [0.5, 0.9, 1.0, 2.4, 4.0]
    together = [End(7, 0.5), Amendment(7, 0.5, -3.0), EVENT]
    assert list(nearly_in_stream_order(together)) == in_stream_order(together) == together[::-1]


def test_what_is_further_out_of_order_is_refused_with_what_helps():
    with pytest.raises(StruckError, match=r"is at 0.40 s stands behind something at 0.50 s; `struck convert"):
        list(nearly_in_stream_order(events_at(0.5, 3.0, 0.4)))
