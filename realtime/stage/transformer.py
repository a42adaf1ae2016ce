"""The transforms of a patch on stage: which copies of an event sound, and when."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from threading import RLock
from typing import Any, Final, Protocol

from ...codec.events.beat_line import BeatLine
from ...codec.events.events import Event
from ...codec.transforms.chain import EventChain, Link
from ...codec.transforms.families import Call, Families, Play
from ...codec.transforms.freeze import Moments, grains
from ...codec.transforms.transform import Shaper, Surroundings, TransformSettings
from .soundings import SoundingEvent

#: What is due is sent so long before, beside two blocks.
_AHEAD_SECONDS: Final = 0.025
#: While something waits it is looked at so often, at least and at most; the tempo may change.
_LEAST_WAIT_SECONDS: Final = 0.005
_LONGEST_WAIT_SECONDS: Final = 0.05
#: Events that are held, and those that were: what happens to them later means nothing.
_MOST_HELD: Final = 4_096


class Holder(Protocol):
    """What of the stage is needed to hold a moment."""

    def living(self, at_seconds: float) -> list[tuple[int, Event]]:
        """Ids and events, with their onsets, that sound then."""
        ...

    def let_go(self, id: int, at_seconds: float, release_seconds: float | None) -> None:
        """End an event, in this time or as its own ``release`` says."""
        ...

    def play_as_it_is(self, event: Event) -> SoundingEvent | None:
        """Play an event that controls do not change."""
        ...


class Transformer:
    """Does to events what a patch says; from any thread.

    Args:
        holder: the stage.
        weights: of the decoder.
        position_seconds: the engine's stream time now.
        block_seconds: of the engine's blocks.
        count: counts ``events_transformed_away``.
        wake: called when something begins to wait.
    """

    def __init__(
        self,
        holder: Holder,
        weights: Mapping[str, Any],
        position_seconds: Callable[[], float],
        block_seconds: Callable[[], float],
        count: Callable[[str], None],
        wake: Callable[[], None],
    ) -> None:
        self._holder, self._moments = holder, Moments(weights)
        self._position, self._block, self._count, self._wake = position_seconds, block_seconds, count, wake
        #: Beats against stream seconds, as they are known now.
        self.beats: Callable[[], BeatLine] = lambda: BeatLine(0.0, 0.0, 0.5)
        self._lock = RLock()
        self._families = Families()
        self._chain = EventChain(())
        self._hold = 0
        self._grains: list[int] = []  # that sound
        self._held: dict[int, None] = {}  # the events in whose place they do
        self._followed_at = 0.0

    def play(self, event: Event, play: Play) -> SoundingEvent | None:
        """Play the first copy of an event now, and the others when they are due; None: it does not sound."""
        with self._lock:
            copies = self._chain.begin(event)
            first = next(copies, None)
            if first is None:
                self._count("events_transformed_away")
                return None
            played = self._families.start(event, first, copies, play)
            waits = self._families.next_seconds is not None
        if waits:
            self._wake()
        assert played is None or isinstance(played, SoundingEvent)
        return played

    def knows(self, id: int) -> bool:
        """Whether more than the event itself is to know what happens to it."""
        with self._lock:
            return id in self._families or id in self._held

    def tell(self, id: int, at_seconds: float, call: Call) -> None:
        """Let ``call`` do to an event what happens to it, and to its copies as much later as they are."""
        with self._lock:
            if id in self._held:
                return
            if id in self._families:
                self._families.tell(id, max(at_seconds, self._position()), call)
                waits = self._families.next_seconds is not None
            else:
                call(id, at_seconds)
                waits = False
        if waits:
            self._wake()

    def change(self, settings: Sequence[TransformSettings]) -> None:
        """Do this to events to come. What sounds keeps what was done to it, echoes still come, loops end."""
        with self._lock:
            self._chain.stop()
            self._thaw(0.5)
            self._chain = EventChain(settings, Surroundings(beats=lambda: self.beats(), live=True))

    def turn(self, name: str, field: str, value: float) -> None:
        """Turn a value of a transform.

        Raises:
            ValueError: there is none, or the value is out of its range.
        """
        with self._lock:
            before = self._chain.freezing()
            self._chain.turn(name, field, value, self._position())
            after = self._chain.freezing()
            if before is None and after is not None:
                self._freeze(round(after.values["most"]))
            elif before is not None and after is None:
                self._thaw(before.values["release"])
        self._wake()

    def link(self, name: str) -> Link:
        """The transform of that name.

        Raises:
            ValueError: there is none.
        """
        with self._lock:
            return self._chain.link(name)

    def links(self) -> list[Link]:
        """The transforms at work, in order."""
        with self._lock:
            return list(self._chain.links.values())

    def release(self) -> None:
        """Send what is due soon."""
        with self._lock:
            if self._families.next_seconds is None:
                return
            now = time.monotonic()
            if now - self._followed_at > _LONGEST_WAIT_SECONDS:
                self._followed_at = now
                self._families.follow()
            self._families.release(self._horizon())

    def wait_seconds(self) -> float | None:
        """For how long nothing need be released; None while nothing waits."""
        with self._lock:
            due = self._families.next_seconds
            if due is None:
                return None
            return min(_LONGEST_WAIT_SECONDS, max(_LEAST_WAIT_SECONDS, due - self._horizon()))

    @property
    def waits(self) -> bool:
        """Whether something is still to come that comes to an end by itself."""
        with self._lock:
            return self._families.waits

    def silence(self) -> None:
        """Forget all that is to come."""
        with self._lock:
            self._families.clear()
            self._hold += 1
            self._grains.clear()
            self._held.clear()

    def _horizon(self) -> float:
        return self._position() + _AHEAD_SECONDS + 2.0 * self._block()

    def _freeze(self, most: int) -> None:
        self._hold += 1
        hold, at_seconds = self._hold, self._position()
        for moment in self._moments.loudest(self._holder.living(at_seconds), at_seconds, most):
            self._holder.let_go(moment.id, at_seconds, None)
            if len(self._held) >= _MOST_HELD:
                del self._held[next(iter(self._held))]
            self._held[moment.id] = None
            copies = grains(moment.grain, lambda: self._hold == hold)
            self._families.start(moment.grain, next(copies), copies, self._play_grain)

    def _play_grain(self, event: Event, shaper: Shaper, first: bool) -> SoundingEvent | None:
        played = self._holder.play_as_it_is(shaper(event))
        if played is not None:
            self._grains.append(played.id)
        return played

    def _thaw(self, release_seconds: float) -> None:
        self._hold += 1
        at_seconds = self._position()
        for id in self._grains:
            self._holder.let_go(id, at_seconds, release_seconds)
        self._grains.clear()
