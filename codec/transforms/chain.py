"""Transforms one after the other, at work."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..events.events import Event
from .freeze import FREEZE
from .kinds import TRANSFORM
from .transform import Copy, Shaper, Surroundings, TransformField, TransformKind, TransformSettings


@dataclass(frozen=True)
class Link:
    """A transform in its chain.

    Args:
        name: its kind; the second of a kind has a 2 behind it, and so on.
        kind: of it.
        values: as they are now.
    """

    name: str
    kind: TransformKind
    values: dict[str, Any]

    def field(self, name: str) -> TransformField:
        """One of its fields that can be turned.

        Raises:
            ValueError: it has no such one.
        """
        for field in self.kind.fields:
            if field.name == name and field.turns:
                return field
        known = ", ".join(field.name for field in self.kind.fields if field.turns) or "none"
        raise ValueError(f"transform {self.name} has no {name} to turn; there are: {known}")


class EventChain:
    """Transforms one after the other, at work; for one thread at a time.

    Args:
        settings: what is done, in order.
        around: what they need to know; each has another seed.
    """

    def __init__(self, settings: Sequence[TransformSettings], around: Surroundings | None = None) -> None:
        around = around or Surroundings()
        #: The transforms by their names, in order.
        self.links: dict[str, Link] = {}
        self._transforms = []
        for place, item in enumerate(settings):
            kind = TRANSFORM[item.kind]
            values = {f.name: item.values.get(f.name, f.default) for f in kind.fields}
            number = 1 + sum(link.kind is kind for link in self.links.values())
            name = kind.name if number == 1 else f"{kind.name}{number}"
            self.links[name] = Link(name, kind, values)
            self._transforms.append(kind.make(values, replace(around, seed=around.seed + place)))

    def begin(self, event: Event) -> Iterator[Copy]:
        """The copies of an event that begins, by time, itself the first; none: it is dropped.

        They are made one after the other: of a loop there is no last. Events come in the order of their
        onsets, by and large.
        """
        return self._follow(event, 0)

    def turn(self, name: str, field: str, value: float, at_seconds: float) -> None:
        """Turn a value of a transform; events that have begun keep what was done to them.

        Args:
            name: of the transform, see :class:`Link`.
            field: of it.
            value: in its unit, 0 or 1 of a switch.
            at_seconds: stream time.

        Raises:
            ValueError: there is no such transform or field, or the value is out of its range.
        """
        link = self.link(name)
        known = link.field(field)
        if not known.low <= value <= known.high:
            raise ValueError(f"{field} of {name} is {value:g}; the range is {known.low:g} to {known.high:g}")
        new = value >= 0.5 if isinstance(known.default, bool) else float(value)
        if link.values[field] != new:
            link.values[field] = new
            self._transforms[list(self.links).index(name)].turn(field, at_seconds)

    def link(self, name: str) -> Link:
        """The transform of that name.

        Raises:
            ValueError: there is none.
        """
        if name not in self.links:
            known = ", ".join(self.links) or "none"
            raise ValueError(f"no transform is called {name}; there are: {known}")
        return self.links[name]

    def freezing(self) -> Link | None:
        """The transform that holds what sounds just now; None where no pedal is down."""
        held = (link for link in self.links.values() if link.kind.name == FREEZE and link.values["hold"])
        return next(held, None)

    def stop(self) -> None:
        """Let nothing be repeated any more: other transforms take over."""
        for transform in self._transforms:
            transform.stop()

    def _follow(self, event: Event, place: int) -> Iterator[Copy]:
        """Copies of ``event`` out of the transforms from ``place`` on."""
        if place == len(self._transforms):
            yield Copy(lambda: event.onset_seconds)
            return
        uppers = iter(self._transforms[place].begin(event))
        upper = next(uppers, None)
        waiting: list[tuple[float, int, Copy, Iterator[Copy]]] = []  # by time, then as they came
        number = 0
        while upper is not None or waiting:
            if upper is not None and (not waiting or upper.due() <= waiting[0][0]):
                lower = self._joined(event, upper, place)
                upper, number = next(uppers, None), number + 1
            else:
                _, _, copy, lower = heapq.heappop(waiting)
                yield copy
            copy_after = next(lower, None)
            if copy_after is not None:
                heapq.heappush(waiting, (copy_after.due(), number, copy_after, lower))

    def _joined(self, event: Event, upper: Copy, place: int) -> Iterator[Copy]:
        """What later transforms make of one copy of ``event``."""
        began = upper.due()
        shaped = replace(upper.shape(event), onset_seconds=max(0.0, began))
        for lower in self._follow(shaped, place + 1):
            yield Copy(
                _sum_of(lower.due, upper.due, began),
                _in_turn(upper.shape, lower.shape),
                _both(upper.wanted, lower.wanted),
                upper.endless or lower.endless,
            )


def _sum_of(due: Callable[[], float], other: Callable[[], float], began: float) -> Callable[[], float]:
    return lambda: due() + (other() - began)


def _in_turn(first: Shaper, second: Shaper) -> Shaper:
    return lambda event: second(first(event))


def _both(first: Callable[[], bool], second: Callable[[], bool]) -> Callable[[], bool]:
    return lambda: first() and second()
