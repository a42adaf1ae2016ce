"""What was heard as an instrument: the latest events over the keyboard, by nearest pitch and velocity."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from ...codec.events.event_spec import FIELDS, GAIN_DB_HIGH, GAIN_DB_LOW, INDEX, from_physical, read_field
from ...codec.events.events import Event
from ...codec.takes.mpe import velocity_to_gain
from ..stage.soundings import Sounding, SoundingAmendment, SoundingEvent

#: The latest so many are kept.
KEPT: Final = 256
#: What is this much softer than the loudest is an echo or a mistake, and what is mostly noise has no pitch.
_SOFT_DB: Final = 30.0
_NOISY: Final = 0.6
#: Events this near to the nearest are layers of one sound.
_LAYER_SEMITONES: Final = 0.5


class CapturedSounds:
    """A sink of the stage that keeps heard events, and gives one for a note.

    An event that is amended while it is heard is kept as it is known in the end.

    Args:
        raw: of an event's id, the event as it was heard, without what the controls make of it.
    """

    def __init__(self, raw: Callable[[int], Event | None]) -> None:
        self._raw = raw
        self._events: OrderedDict[int, Event] = OrderedDict()
        self._lock = threading.Lock()
        #: No more sounds are taken.
        self.held = False

    def __call__(self, sounding: Sounding) -> None:
        """Keep a heard event, or what it has become."""
        if self.held or sounding.origin != "heard":
            return
        if not isinstance(sounding, SoundingEvent | SoundingAmendment):
            return
        event = self._raw(sounding.id)
        if event is None:
            return
        with self._lock:
            if isinstance(sounding, SoundingEvent) or sounding.id in self._events:
                self._events[sounding.id] = event
            while len(self._events) > KEPT:
                self._events.popitem(last=False)

    def hold(self) -> None:
        """Keep what is there and take no more; again: go on taking."""
        self.held = not self.held

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._events.clear()

    def find(self, note: int, velocity: int) -> Event | None:
        """The sound of a note: the nearest in pitch, of several as near one by the velocity.

        None: nothing was heard. Its pitch is the note's; velocity 127 is as loud as the loudest of them.
        """
        with self._lock:
            kept = list(self._events.values())
        events = [event for event in kept if read_field(event.vector, "noisiness") <= _NOISY]
        loudest = max((event.gain_db for event in events), default=0.0)
        events = [event for event in events if event.gain_db >= loudest - _SOFT_DB]
        if not events:
            return None
        distances = [abs(float(read_field(event.vector, "pitch")) - note) for event in events]
        reach = min(distances) + _LAYER_SEMITONES
        layers = sorted(
            (event for event, distance in zip(events, distances, strict=True) if distance <= reach),
            key=lambda event: event.gain_db,
        )
        event = layers[velocity * len(layers) // 128]
        vector = event.vector.copy()
        vector[INDEX["pitch"]] = from_physical(FIELDS[INDEX["pitch"]], float(note))
        gain_db = layers[-1].gain_db + velocity_to_gain(velocity)
        return replace(event, gain_db=min(GAIN_DB_HIGH, max(GAIN_DB_LOW, gain_db)), vector=vector, id=None)
