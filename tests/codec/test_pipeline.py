"""What is done between files."""

import numpy as np
import pytest

from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import VECTOR_SIZE
from struck.codec.events.events import Event
from struck.codec.pipeline import in_onset_order

VECTOR = np.zeros(VECTOR_SIZE, np.float32)


def events(*onsets: float) -> list[Event]:
    return [Event(onset, -20.0, VECTOR) for onset in onsets]


def onsets(found: list[Event]) -> list[float]:
    return [event.onset_seconds for event in found]


def test_what_is_nearly_in_order_is_put_in_order():
    assert onsets(list(in_onset_order(events(1.0, 0.5, 2.4, 0.9, 4.0)))) == [0.5, 0.9, 1.0, 2.4, 4.0]


def test_what_is_further_out_of_order_is_refused_with_what_helps():
    with pytest.raises(StruckError, match=r"event at 0.40 s stands behind one at 0.50 s; `struck convert"):
        list(in_onset_order(events(0.5, 3.0, 0.4)))
