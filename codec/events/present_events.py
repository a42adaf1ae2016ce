"""Events as they are now: amendments say only what changes, a voice's record says all."""

from __future__ import annotations

from collections import OrderedDict

from .amendments import Amendment
from .events import Event


class PresentEvents:
    """The events of a stream as they are now, by id: amendments say only what changes.

    Args:
        limit: events that are remembered; the one that began first is forgotten first.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._events: OrderedDict[int, Event] = OrderedDict()

    def begin(self, event: Event) -> None:
        """An event began; it takes over its id from an earlier one. One without an id is not remembered."""
        if event.id is None:
            return
        self._events.pop(event.id, None)
        self._events[event.id] = event
        if len(self._events) > self._limit:
            self._events.popitem(last=False)

    def amend(self, amendment: Amendment) -> Event | None:
        """The event as it is from this amendment on; None if none of this id is remembered."""
        event = self._events.get(amendment.id)
        if event is None:
            return None
        self._events[amendment.id] = event = amendment.apply(event)
        return event

    def clear(self) -> None:
        """Forget all."""
        self._events.clear()
