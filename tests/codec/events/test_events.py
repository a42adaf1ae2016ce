"""Events: what they refuse, what they are equal to, their onset in other units."""

import numpy as np
import pytest

from struck.codec.events.event_spec import VECTOR_SIZE
from struck.codec.events.events import Event, stack_gains, stack_vectors


def event(onset_seconds=1.0, gain_db=-20.0, vector=None):
    return Event(onset_seconds, gain_db, np.zeros(VECTOR_SIZE) if vector is None else vector)


@pytest.mark.parametrize("onset", [-1.0, np.nan, np.inf])
def test_bad_onsets(onset):
    with pytest.raises(ValueError, match="onset_seconds"):
        event(onset_seconds=onset)


@pytest.mark.parametrize("gain", [-91.0, 12.5, np.nan])
def test_bad_gains(gain):
    with pytest.raises(ValueError, match="gain_db"):
        event(gain_db=gain)


@pytest.mark.parametrize("vector", [np.zeros(31), np.full(32, 1.01), np.full(32, np.nan), np.zeros((1, 32))])
def test_bad_vectors(vector):
    with pytest.raises(ValueError, match="vector"):
        event(vector=vector)


def test_an_event_is_a_value():
    source = np.linspace(-1, 1, VECTOR_SIZE, dtype=np.float32)
    one, two = event(vector=source), event(vector=source)
    assert one == two
    assert hash(one) == hash(two)
    assert one != event()
    assert one != "event"
    source[0] = 0.5
    assert one.vector[0] == -1.0
    with pytest.raises(ValueError, match="read-only"):
        one.vector[0] = 0.0


def test_onset_in_other_units():
    one = event(onset_seconds=0.5)
    assert one.onset_sample(48_000) == 24_000
    assert one.onset_frame(22_050, 256) == 43
    one_hot = one.onset_one_hot(22_050, 256, 100)
    assert one_hot.sum() == 1.0
    assert one_hot[43] == 1.0
    with pytest.raises(ValueError, match="outside"):
        one.onset_one_hot(22_050, 256, 43)


def test_stacks():
    events = [event(gain_db=-1.0), event(gain_db=-2.0)]
    assert stack_vectors(events).shape == (2, VECTOR_SIZE)
    assert stack_vectors([]).shape == (0, VECTOR_SIZE)
    assert stack_gains(events).tolist() == [-1.0, -2.0]
