"""What both ends of a stream of packets know of the events that amendments and ends may speak of.

Encoder and decoder keep the same list, so that a packet can name an event by its place in it: those that
were last spoken of stand in front.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from ..events.amendments import Amendment, difference
from ..events.event_spec import read_field
from ..events.events import Event
from ..events.quantize import LEVEL_HALF, IntArray, restore_events
from .heads import MAX_LIVES

#: An event is carried over a keyframe for this long after it should have faded, or was last amended: its
#: reader may hear its life a little longer than the fields say.
_GRACE_SECONDS: Final = 1.0


@dataclass(eq=False)
class Life:
    """One event with an id.

    Args:
        id: its id.
        began_seconds: its onset; where it is carried to one who did not know it, the keyframe.
        values: gain and the 32 numbers of the vector as they are now, ``[33]``: levels in whole numbers
            where the packets are quantised, else dB and positions.
    """

    id: int
    began_seconds: float
    values: NDArray[Any]

    def __post_init__(self) -> None:
        self.last_set: NDArray[np.bool_] | None = None  # what its last amendment has amended, [33]
        self.touched_seconds = self.began_seconds
        self.ended = False

    @classmethod
    def of(cls, event: Event, levels: IntArray | None) -> Self | None:
        """The life of an event, with ``levels [33]`` where it is quantised; None where it has no id."""
        if event.id is None:
            return None
        exact = np.concatenate([[event.gain_db], event.vector.astype(np.float64)])
        return cls(event.id, event.onset_seconds, exact if levels is None else levels)

    def event(self, onset_seconds: float) -> Event:
        """The event as it is now, as if it began at ``onset_seconds``."""
        if self.values.dtype == np.float64:
            return Event(onset_seconds, float(self.values[0]), self.values[1:].astype(np.float32), self.id)
        (event,) = restore_events(np.concatenate([[0], self.values])[None])
        return Event(onset_seconds, event.gain_db, event.vector, self.id)

    def amend(self, amendment: Amendment) -> None:
        """Take on new values that are floats."""
        told = np.concatenate(
            [[np.nan if amendment.gain_db is None else amendment.gain_db], amendment.vector]
        )
        self.values = np.where(np.isnan(told), self.values, told)

    def amendment(self, before: Life, at_seconds: float) -> Amendment | None:
        """What makes this of ``before``, the same event with other values; None where they are alike."""
        return difference(before.event(0.0), self.event(0.0), self.id, at_seconds)

    def may_sound(self, now_seconds: float) -> bool:
        """Whether it is not surely silent, by the force that its values say."""
        if self.ended:
            return False
        vector = self.values[1:] / (1.0 if self.values.dtype == np.float64 else LEVEL_HALF)
        force = sum(float(read_field(vector, name)) for name in ("attack", "hold", "release"))
        last = max(self.began_seconds + force, self.touched_seconds)
        return now_seconds - last < _GRACE_SECONDS


class Lives:
    """The latest events with ids that have no end yet, ``MAX_LIVES`` of them after :meth:`settle`.

    A keyframe carries over what sounds only where there are amendments or ends: else it would be told
    again for nothing. What is not carried is set *aside*: it cannot be spoken of until a keyframe carries it.
    """

    def __init__(self, lives: Iterable[Life] = (), aside: Iterable[Life] = ()) -> None:
        self._order: list[Life] = []  # last spoken of first
        self._newest: dict[int, Life] = {}
        self._aside = {life.id: life for life in aside}
        #: Something was amended or has ended since the keyframe.
        self.changed = False
        for life in lives:
            self.begin(life)

    def __len__(self) -> int:
        return len(self._order)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known, also nothing set aside."""
        return not (self._order or self._aside)

    def __getitem__(self, place: int) -> Life:
        return self._order[place]

    def begin(self, life: Life) -> None:
        """Put a new one in front."""
        self._order.insert(0, life)
        self._newest[life.id] = life
        self._aside.pop(life.id, None)

    def begin_all(self, lives: Iterable[Life | None]) -> None:
        """Put new ones in front, one after another; None stands for an event without an id."""
        for life in lives:
            if life is not None:
                self.begin(life)

    def find(self, id: int) -> Life | None:
        """The newest event of this id."""
        return self._newest.get(id)

    def find_aside(self, id: int) -> Life | None:
        """The event of this id that was set aside."""
        return self._aside.get(id)

    def place(self, life: Life) -> int:
        return self._order.index(life)

    def touch(self, life: Life) -> None:
        """Put it in front."""
        self._order.remove(life)
        self._order.insert(0, life)

    def settle(self) -> None:
        """Forget those that ended, whose id another has now, and the longest unspoken of where too many."""
        kept = [life for life in self._order if not life.ended and self._newest[life.id] is life]
        self._order = kept[:MAX_LIVES]
        self._newest = {life.id: life for life in self._order}

    def sounding(self, now_seconds: float) -> list[Life]:
        """Those that may sound on, also if set aside, by their onsets; at most ``MAX_LIVES``, the latest."""
        known = (*self._order, *self._aside.values())
        sounding = [life for life in known if life.may_sound(now_seconds)]
        return sorted(sounding, key=lambda life: (life.began_seconds, life.id))[-MAX_LIVES:]
