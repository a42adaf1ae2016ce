"""A second of a stream, sorted and with every amendment and end beside the event that it speaks of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..events.amendments import Amendment, End, StreamItem, in_stream_order, item_seconds
from ..events.event_spec import ANALYSIS_RATE
from ..events.events import Event
from ..events.quantize import IntArray, quantize_events
from .lives import Life, Lives


@dataclass(frozen=True)
class Run:
    """What one packet tells, each in the order of the stream.

    Args:
        events, born: what begins, and the life of each; None where it has no id.
        levels: of gain and vector of every event, ``[E, 33]``; None where floats are kept.
        amendments, ends: with the life of each.
        ignored_count: amendments and ends left out: their event is unknown, not yet begun, or ended.
    """

    events: Sequence[Event]
    born: Sequence[Life | None]
    levels: IntArray | None
    amendments: Sequence[tuple[Amendment, Life]]
    ends: Sequence[tuple[End, Life]]
    ignored_count: int

    @classmethod
    def of(cls, items: Iterable[StreamItem], lives: Lives, exact: bool) -> Run:
        """A run of ``items``, in any order, after ``lives``; what ends is marked as ended."""
        items = in_stream_order(items)
        if not exact:
            items = in_stream_order(map(_on_a_sample, items))
        events = [item for item in items if isinstance(item, Event)]
        levels = None if exact else quantize_events(events)[:, 1:]
        born = [Life.of(event, None if levels is None else levels[i]) for i, event in enumerate(events)]
        amendments: list[tuple[Amendment, Life]] = []
        ends: list[tuple[End, Life]] = []
        here: dict[int, Life] = {}
        births = iter(born)
        for item in items:
            if isinstance(item, Event):
                if (life := next(births)) is not None:
                    here[life.id] = life
                continue
            found = here.get(item.id) or lives.find(item.id)
            if found is None or found.ended or found.began_seconds > item.at_seconds:
                continue
            found.touched_seconds = item.at_seconds
            if isinstance(item, End):
                found.ended = True
                ends.append((item, found))
            else:
                amendments.append((item, found))
        ignored_count = len(items) - len(events) - len(amendments) - len(ends)
        return cls(events, born, levels, amendments, ends, ignored_count)

    def onset_deltas(self, first: int) -> IntArray:
        """Samples from each event to the one before, from sample ``first`` to the first."""
        return _deltas([event.onset_seconds for event in self.events], first)

    def amendment_deltas(self, first: int) -> IntArray:
        """The same of the amendments."""
        return _deltas([amendment.at_seconds for amendment, _ in self.amendments], first)

    def end_deltas(self, first: int) -> IntArray:
        """The same of the ends."""
        return _deltas([end.at_seconds for end, _ in self.ends], first)


def sample_of(seconds: float) -> int:
    """The nearest sample position at the analysis rate."""
    return round(seconds * ANALYSIS_RATE)


def _on_a_sample(item: StreamItem) -> StreamItem:
    """``item`` at the nearest sample, as a quantised packet tells it."""
    seconds = sample_of(item_seconds(item)) / ANALYSIS_RATE
    if isinstance(item, Event):
        return replace(item, onset_seconds=seconds)
    return replace(item, at_seconds=seconds)


def _deltas(seconds: Sequence[float], first: int) -> IntArray:
    samples = np.array([first, *map(sample_of, seconds)], dtype=np.int64)
    return samples[1:] - samples[:-1]
