"""An event with all that happened to it, out of a stream."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .amendments import Amendment, End, StreamItem, in_stream_order
from .event_spec import read_field
from .events import Event


@dataclass(frozen=True)
class EventLife:
    """One event from its onset on.

    Args:
        event: as it began.
        amendments: of it, by time.
        end: None where it is left to fade.
    """

    event: Event
    amendments: tuple[Amendment, ...] = ()
    end: End | None = None

    @property
    def states(self) -> list[tuple[float, Event]]:
        """From when it is how, by time; the first is its onset."""
        states = [(self.event.onset_seconds, self.event)]
        for amendment in self.amendments:
            states.append((amendment.at_seconds, amendment.apply(states[-1][1])))
        return states

    @property
    def end_seconds(self) -> float:
        """When it is released: by its end, or by itself, as its hold or its decay (60 dB) says."""
        if self.end is not None:
            return self.end.at_seconds
        states = self.states
        faded = [event.onset_seconds + sounding_seconds(event) for _, event in states]
        # An amendment of what has faded comes too late.
        later = [at_seconds for at_seconds, _ in states[1:]]
        return next((end for end, at in zip(faded, later, strict=False) if at > end), faded[-1])

    @property
    def is_heard(self) -> bool:
        """Whether it sounds at all: what ends as it begins was taken back."""
        return self.end is None or self.end.at_seconds > self.event.onset_seconds

    @property
    def items(self) -> list[StreamItem]:
        """The event and its amendments and end."""
        return [self.event, *self.amendments, *([] if self.end is None else [self.end])]


def collect_lives(items: Iterable[StreamItem]) -> list[EventLife]:
    """The events of ``items``, which may come in any order, by onset, each with what happened to it.

    Amendments and ends that speak of no event, or of one that has not begun or has ended, are left out.
    """
    found: list[tuple[Event, list[Amendment], list[End]]] = []
    open_: dict[int, tuple[Event, list[Amendment], list[End]]] = {}
    for item in in_stream_order(items):
        if isinstance(item, Event):
            found.append((item, [], []))
            if item.id is not None:
                open_[item.id] = found[-1]
        elif isinstance(item, Amendment):
            if item.id in open_:
                open_[item.id][1].append(item)
        elif item.id in open_:
            open_.pop(item.id)[2].append(item)
    return [
        EventLife(event, tuple(amendments), ends[0] if ends else None) for event, amendments, ends in found
    ]


def sounding_seconds(event: Event) -> float:
    """Time until the event has faded by 60 dB: its modes die out, or its force ends, whichever is first."""
    attack, hold, release, decay = (
        float(read_field(event.vector, name)) for name in ("attack", "hold", "release", "decay")
    )
    return min(decay, attack + hold + release)
