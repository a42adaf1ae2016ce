"""A whole stream through a chain of transforms, as ``struck edit`` does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from ..events.amendments import Amendment, End, StreamItem, difference, in_stream_order, item_seconds
from ..events.events import Event
from ..events.lives import sounding_seconds
from .chain import EventChain
from .families import Families
from .freeze import FREEZE, Moments, grains
from .transform import Shaper, Surroundings, TransformSettings, Turn, same


@dataclass
class _Told:
    """An event that was told: as its source has it, and as it is told by now."""

    id: int
    raw: Event
    shaped: Event
    shaper: Shaper


class _Teller:
    """Plays into a list."""

    def __init__(self, first_id: int) -> None:
        self.items: list[StreamItem] = []
        self.living: dict[int, _Told] = {}
        self._next_id = first_id

    def play(self, event: Event, shaper: Shaper, first: bool) -> _Told:
        shaped = shaper(event)
        if event.id is None or not first:
            id, self._next_id = self._next_id, self._next_id + 1
        else:
            id = event.id
        # Nothing can happen to one that has no id, nor then to its copies.
        self.items.append(shaped if event.id is None else replace(shaped, id=id))
        told = self.living[id] = _Told(id, event, shaped, shaper)
        return told

    def amend(self, amendment: Amendment) -> Callable[[int, float], None]:
        def call(id: int, at_seconds: float) -> None:
            told = self.living.get(id)
            if told is None:
                return
            told.raw = amendment.apply(told.raw)
            shaped = told.shaper(told.raw)
            found = difference(told.shaped, shaped, id, max(0.0, at_seconds))
            told.shaped = shaped
            if found is not None:
                self.items.append(found)

        return call

    def end(self, id: int, at_seconds: float) -> None:
        told = self.living.pop(id, None)
        if told is not None and told.raw.id is not None:
            self.items.append(End(id, max(0.0, at_seconds)))


def transform_stream(
    items: Iterable[StreamItem],
    settings: Sequence[TransformSettings],
    around: Surroundings | None = None,
    turns: Sequence[Turn] = (),
    weights: Mapping[str, Any] | None = None,
) -> list[StreamItem]:
    """A stream after transforms: with a dropped event go its amendments and its end.

    What is repeated for ever is repeated up to the end of the stream.

    Args:
        items: in any order.
        settings: the transforms.
        around: what they need to know.
        turns: of their values, at their times.
        weights: of the decoder; needed where a ``freeze`` is turned.

    Raises:
        ValueError: a turn is of no transform or field, out of range, or of a ``freeze`` without weights.
    """
    ordered = in_stream_order(items)
    last = max((item_seconds(item) for item in ordered), default=0.0)
    around = replace(around or Surroundings(), until_seconds=last)
    ids = {item.id for item in ordered if item.id is not None}
    if turns:  # what is held ends, and for that it needs a name
        free = count(max(ids, default=0) + 1)
        ordered = [
            replace(item, id=next(free)) if isinstance(item, Event) and item.id is None else item
            for item in ordered
        ]
        ids = {item.id for item in ordered if item.id is not None}
    stream = _Stream(EventChain(settings, around), _Teller(max(ids, default=0) + 1), weights, ids)
    steps: list[tuple[float, int, StreamItem | Turn]] = [(turn.at_seconds, 0, turn) for turn in turns]
    steps += [(item_seconds(item), 1, item) for item in ordered]
    for at_seconds, _, step in sorted(steps, key=lambda step: step[:2]):
        stream.families.release(at_seconds)
        stream.take(step, at_seconds)
    stream.finish(last)
    return in_stream_order(stream.teller.items)


class _Stream:
    """A stream on its way through a chain."""

    def __init__(
        self, chain: EventChain, teller: _Teller, weights: Mapping[str, Any] | None, ids: set[int]
    ) -> None:
        self.families, self.teller = Families(), teller
        self._chain = chain
        self._moments = None if weights is None else Moments(weights)
        self._unknown = ids  # until they begin; then those that were dropped are not in it
        self._held: list[int] = []
        self._hold = 0
        self._release_seconds = 0.0

    def take(self, step: StreamItem | Turn, at_seconds: float) -> None:
        if isinstance(step, Turn):
            self._turn(step)
        elif isinstance(step, Event):
            if step.id is not None:
                self._unknown.discard(step.id)
                self.teller.living.pop(step.id, None)
            copies = self._chain.begin(step)
            first = next(copies, None)
            if first is not None:
                self.families.start(step, first, copies, self.teller.play)
        elif step.id in self._unknown:
            self.teller.items.append(step)  # of an event before this stream
        elif isinstance(step, Amendment):
            self.families.tell(step.id, at_seconds, self.teller.amend(step))
        else:
            self.families.tell(step.id, at_seconds, self.teller.end)

    def finish(self, last_seconds: float) -> None:
        self._thaw(last_seconds)
        self.families.release(float("inf"))

    def _turn(self, turn: Turn) -> None:
        before = self._chain.freezing()
        self._chain.turn(turn.name, turn.field, turn.value, turn.at_seconds)
        after = self._chain.freezing()
        if self._chain.link(turn.name).kind.name == FREEZE and (before is None) != (after is None):
            if after is None:
                self._thaw(turn.at_seconds)
            else:
                self._freeze(turn.at_seconds, round(after.values["most"]))
                self._release_seconds = after.values["release"]

    def _freeze(self, at_seconds: float, most: int) -> None:
        if self._moments is None:
            raise ValueError("to hold a moment, freeze needs the decoder's weights")
        self._hold += 1
        hold = self._hold
        sounding = []
        for told in self.teller.living.values():
            begun = told.shaped.onset_seconds <= at_seconds
            if begun and at_seconds < told.shaped.onset_seconds + sounding_seconds(told.shaped):
                sounding.append((told.id, told.shaped))
        for moment in self._moments.loudest(sounding, at_seconds, most):
            self.teller.end(moment.id, at_seconds)
            copies = grains(moment.grain, lambda: self._hold == hold)
            grain = replace(moment.grain, id=moment.id)
            self.families.start(grain, next(copies), copies, self._play_grain)

    def _play_grain(self, event: Event, shaper: Shaper, first: bool) -> _Told:
        told = self.teller.play(shaper(event), same, False)
        self._held.append(told.id)
        return told

    def _thaw(self, at_seconds: float) -> None:
        self._hold += 1
        for id in self._held:
            # By themselves grains fade slowly, into the next.
            release = Amendment.of_fields(id, at_seconds, {"release": self._release_seconds})
            self.teller.amend(release)(id, at_seconds)
            self.teller.end(id, at_seconds)
        self._held.clear()
