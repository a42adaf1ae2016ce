"""What the stage tells its sinks: events that will sound, what they become, and when they are released."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from ...codec.events.amendments import Amendment, End
from ...codec.events.events import Event


@dataclass(frozen=True)
class SoundingEvent:
    """An event that sounds on stage.

    Args:
        id: counts from 1 through the performance; the event's own id too.
        event: its onset is the stream time at which it sounds.
        at_sample: the same in samples of the device.
        origin: ``heard``, ``midi``, ``osc``, ``phrase``, or ``held`` by a pedal.
    """

    id: int
    event: Event
    at_sample: int
    origin: str


@dataclass(frozen=True)
class SoundingAmendment:
    """New values of an event that sounds.

    Args:
        id: of the event.
        amendment: its time is the stream time from which it is heard.
        event: what the event is from then on.
        at_sample: the same in samples of the device.
        origin: of the event.
    """

    id: int
    amendment: Amendment
    event: Event
    at_sample: int
    origin: str

    @property
    def item(self) -> Amendment:
        """As a stream holds it."""
        return self.amendment


@dataclass(frozen=True)
class SoundingEnd:
    """An event on stage is released; fields as those of :class:`SoundingAmendment`."""

    id: int
    end: End
    at_sample: int
    origin: str

    @property
    def item(self) -> End:
        """As a stream holds it."""
        return self.end


Sounding: TypeAlias = SoundingEvent | SoundingAmendment | SoundingEnd
Sink = Callable[[Sounding], None]
