"""What is heard, on stage: events under the stage's own ids, and what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from threading import Event as Flag
from typing import Final

from ...codec.events.amendments import Amendment, End, StreamItem
from ...codec.events.events import Event
from .stage import Stage

#: More than can sound; beyond it, those that are over are forgotten.
_IDS_MAX: Final = 4_096


class HeardEvents:
    """Hands a stream of events, amendments and ends to the stage; for one thread.

    An event that is too soft for the stage's threshold does not sound, but is kept in mind: once an amendment
    lifts it above the threshold, it begins then.

    Args:
        stage: plays the events, as ``heard``.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._ids: dict[int, int] = {}  # of the stage, by those of the stream
        self._soft: dict[int, Event] = {}  # too soft so far, as they are by now
        self._silenced = Flag()
        stage.add_panic(lambda seconds: self._silenced.set())

    def tell(self, items: Sequence[StreamItem]) -> None:
        """Take what is heard next, times being those at which it is to sound."""
        for kind, group in groupby(items, type):
            if kind is Amendment:
                self._amend([item for item in group if isinstance(item, Amendment)])
                continue
            for item in group:
                if isinstance(item, Event):
                    self._play(item)
                elif isinstance(item, End):
                    self._end(item)

    def was_silenced(self) -> bool:
        """Whether a panic has silenced the stage since the last time this was asked."""
        silenced = self._silenced.is_set()
        self._silenced.clear()
        return silenced

    def end_all(self) -> None:
        """End at once what sounds, for whoever hears has lost it."""
        for id in self._ids.values():
            if self._stage.sounds(id):
                self._stage.end(id, 0.0)
        self._ids.clear()
        self._soft.clear()

    def _play(self, event: Event) -> None:
        sounding = self._stage.play(replace(event, id=None), "heard")
        if event.id is None:
            return
        if sounding is not None:
            self._forget_faded()
            self._ids[event.id] = sounding.id
        elif self._stage.is_below_threshold(event):
            if len(self._soft) >= _IDS_MAX:
                del self._soft[next(iter(self._soft))]
            self._soft[event.id] = event

    def _amend(self, amendments: Sequence[Amendment]) -> None:
        known = []
        for amendment in amendments:
            if amendment.id in self._ids:
                known.append(replace(amendment, id=self._ids[amendment.id]))
            elif amendment.id in self._soft:
                self._lift(amendment)
        self._stage.correct(known)

    def _lift(self, amendment: Amendment) -> None:
        event = amendment.apply(self._soft.pop(amendment.id))
        if self._stage.is_below_threshold(event):
            self._soft[amendment.id] = event
        else:
            self._play(replace(event, onset_seconds=max(event.onset_seconds, amendment.at_seconds)))

    def _end(self, end: End) -> None:
        self._soft.pop(end.id, None)
        id = self._ids.pop(end.id, None)
        if id is not None:
            self._stage.end(id, end.at_seconds)

    def _forget_faded(self) -> None:
        """Events that fade by themselves are not told to end."""
        if len(self._ids) >= _IDS_MAX:
            self._ids = {own: id for own, id in self._ids.items() if self._stage.sounds(id)}
