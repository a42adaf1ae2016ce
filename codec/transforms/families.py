"""Events with their copies: each is played in its time, and what becomes of an event becomes of them."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Final, Protocol

from ..events.events import Event
from .transform import Copy, Shaper

#: Families that are remembered, and what is remembered of each for copies to come.
_MOST: Final = 4_096
_MOST_CALLS: Final = 1_000


class Played(Protocol):
    """What was played."""

    @property
    def id(self) -> int: ...


#: Plays an event, its onset moved, shaped so; None where it was refused. The flag: it is the first copy.
Play = Callable[[Event, Shaper, bool], Played | None]
#: Does something to the event of an id at a stream time.
Call = Callable[[int, float], None]


@dataclass
class _Family:
    event: Event
    copies: Iterator[Copy]
    play: Play
    begun: list[tuple[int, float]] = field(default_factory=list)  # ids, and how much later they are
    calls: list[tuple[float, Call]] = field(default_factory=list)
    more: bool = True


class Families:
    """Keeps events whose copies are later than they are, in stream seconds; for one thread at a time."""

    def __init__(self) -> None:
        self._families: OrderedDict[int, _Family] = OrderedDict()
        self._heap: list[tuple[float, int, _Family | None, Copy | None, Callable[[], None] | None]] = []
        self._number = count()
        self._released_seconds = float("-inf")

    def start(self, event: Event, first: Copy, copies: Iterator[Copy], play: Play) -> Played | None:
        """Play an event's first copy now, however much later it sounds, and the others when they are due.

        Returns:
            The first; None where it was refused, and the others with it.
        """
        family = _Family(event, copies, play)
        played = self._play(family, first, True)
        if played is None:
            return None
        self._wait_for_next(family)
        if family.more or family.begun[0][1]:
            if len(self._families) >= _MOST:
                self._families.popitem(last=False)
            self._families[played.id] = family
        return played

    def tell(self, id: int, at_seconds: float, call: Call) -> None:
        """Let ``call`` do to an event what happens to it at a time, and to its copies as much later."""
        family = self._families.get(id)
        if family is None:
            call(id, at_seconds)
            return
        if family.more and len(family.calls) < _MOST_CALLS:
            family.calls.append((at_seconds, call))
        for copy_id, later in family.begun:
            if later == 0.0:
                call(copy_id, at_seconds)
            else:
                self._call_at(at_seconds + later, call, copy_id)

    def release(self, until_seconds: float) -> None:
        """Play and do what is due until then."""
        self._released_seconds = max(self._released_seconds, until_seconds)
        while self._heap and self._heap[0][0] <= until_seconds:
            _, _, family, copy, act = heapq.heappop(self._heap)
            if act is not None:
                act()
                continue
            assert family is not None
            assert copy is not None
            due = copy.due()
            if due > until_seconds:
                self._push(due, family, copy)
                continue
            if copy.wanted():
                self._play(family, copy, False)
            self._wait_for_next(family)

    def follow(self) -> None:
        """Ask again when copies are due: the tempo may be another one."""
        self._heap = [
            (due if copy is None else copy.due(), number, family, copy, act)
            for due, number, family, copy, act in self._heap
        ]
        heapq.heapify(self._heap)

    def __contains__(self, id: int) -> bool:
        """Whether an event has copies, or is later than it was."""
        return id in self._families

    @property
    def next_seconds(self) -> float | None:
        """When something is due next."""
        return self._heap[0][0] if self._heap else None

    @property
    def waits(self) -> bool:
        """Whether copies wait, or something that happens to them; not what would go on for ever."""
        return any(copy is None or not copy.endless for _, _, _, copy, _ in self._heap)

    def clear(self) -> None:
        """Forget all that waits."""
        self._heap.clear()
        self._families.clear()

    def _play(self, family: _Family, copy: Copy, first: bool) -> Played | None:
        due = copy.due()
        played = family.play(replace(family.event, onset_seconds=max(0.0, due)), copy.shape, first)
        if played is None:
            return None
        later = due - family.event.onset_seconds
        family.begun.append((played.id, later))
        del family.begun[:-64]
        for at_seconds, call in family.calls:
            self._call_at(at_seconds + later, call, played.id)
        return played

    def _wait_for_next(self, family: _Family) -> None:
        copy = next(family.copies, None)
        if copy is None:
            family.more = False
            family.calls.clear()
        else:
            self._push(copy.due(), family, copy)

    def _push(self, due: float, family: _Family, copy: Copy) -> None:
        heapq.heappush(self._heap, (due, next(self._number), family, copy, None))

    def _call_at(self, at_seconds: float, call: Call, id: int) -> None:
        if at_seconds <= self._released_seconds:
            call(id, at_seconds)
        else:
            act = lambda: call(id, at_seconds)  # noqa: E731
            heapq.heappush(self._heap, (at_seconds, next(self._number), None, None, act))
