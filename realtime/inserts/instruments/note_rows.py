"""Sounding events as rows of a rack's command ring: what an instrument is told of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from itertools import count
from math import nan
from typing import Final

from ....codec.events.amendments import Amendment, End, StreamItem
from ....codec.events.event_spec import INDEX
from ....codec.events.events import Event
from ....codec.events.lives import sounding_seconds
from ...engine.shared_memory import AMEND_NOTE, BEGIN_NOTE, END_NOTE
from ...stage.soundings import Sounding, SoundingAmendment, SoundingEvent

#: Takes a row from its kind on, without the insert's number: kind, sample, id, and what follows.
Send = Callable[..., bool]
#: Of a stream, so many events are remembered for what may be amended of them.
_REMEMBERED: Final = 4_096


def send_sounding(send: Send, sounding: Sounding, rate: int) -> bool:
    """Let an instrument have what the stage tells of an event; False where there is no room."""
    at_sample, id = sounding.at_sample, sounding.id
    if isinstance(sounding, SoundingEvent):
        return _begin(send, sounding.event, at_sample, id, rate)
    if isinstance(sounding, SoundingAmendment):
        changes_level = sounding.amendment.gain_db is not None
        return _amend(send, sounding.event, at_sample, id, rate, changes_level)
    # of a key it may be meant that it goes up at once; a sound that was heard is taken back
    return send(END_NOTE, at_sample, id, float(sounding.origin == "heard"))


class StreamNotes:
    """Lets an instrument have the items of a stream, which come in order.

    Args:
        send: see :data:`Send`.
        rate: of the stream in Hz.
    """

    def __init__(self, send: Send, rate: int) -> None:
        self._send, self._rate = send, rate
        self._events: OrderedDict[int, tuple[int, Event]] = OrderedDict()
        self._ids = count(1)  # an id may come again in a stream; here every event has one of its own

    def hear(self, item: StreamItem) -> None:
        """The next item."""
        if isinstance(item, Event):
            id = next(self._ids)
            if item.id is not None:
                self._events[item.id] = (id, item)
                if len(self._events) > _REMEMBERED:
                    self._events.popitem(last=False)
            _begin(self._send, item, item.onset_sample(self._rate), id, self._rate)
            return
        found = self._events.get(item.id)
        if found is None:
            return
        id, event = found
        at_sample = round(item.at_seconds * self._rate)
        if isinstance(item, End):
            del self._events[item.id]
            self._send(END_NOTE, at_sample, id, 1.0)
        else:
            assert isinstance(item, Amendment)
            event = item.apply(event)
            self._events[item.id] = (id, event)
            _amend(self._send, event, at_sample, id, self._rate, item.gain_db is not None)


def _begin(send: Send, event: Event, at_sample: int, id: int, rate: int) -> bool:
    fades_at = at_sample + max(1, round(sounding_seconds(event) * rate))
    return send(BEGIN_NOTE, at_sample, id, event.gain_db, *_positions(event), fades_at)


def _amend(send: Send, event: Event, at_sample: int, id: int, rate: int, changes_level: bool) -> bool:
    fades_at = event.onset_sample(rate) + round(sounding_seconds(event) * rate)
    gain_db = event.gain_db if changes_level else nan
    return send(AMEND_NOTE, at_sample, id, gain_db, *_positions(event), fades_at)


def _positions(event: Event) -> tuple[float, float]:
    return float(event.vector[INDEX["pitch"]]), float(event.vector[INDEX["tilt"]])
