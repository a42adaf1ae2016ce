"""The hand on the phrase channel: which keys it holds, and which chord they name once it has come to rest.

::

    C down  E down  G down   .. SETTLE ..   E, G up   F, A down  .. SETTLE ..
    |       |       |        "C major"                |          "F major"

Keys go down one after the other, within hundredths of a second: the chord is named when none has followed for
``SETTLE_SECONDS``. Keys that go up name nothing: a hand leaves a chord finger by finger. Three new keys are
a chord by themselves, whatever of the one before is still down; fewer change what is held.
"""

from __future__ import annotations

from typing import Final

from ...models.mars.chords import Chord, recognise_chord

SETTLE_SECONDS: Final = 0.03
#: What a single key is the root of.
ALONE: Final = "major"
_CHORD_KEYS: Final = 3


class Hand:
    """Keys that are held; used from one thread.

    Args:
        settle_samples: after the last key went down, this long, the chord is named.
    """

    def __init__(self, settle_samples: int) -> None:
        self._settle = settle_samples
        self._held: dict[int, int] = {}  # pitch -> velocity
        self._new: set[int] = set()  # of them, those that no chord was named with yet
        #: Stream sample at which the chord will be named; None: nothing new is held.
        self.due: int | None = None

    def press(self, at_sample: int, pitch: int, velocity: int) -> None:
        """A key goes down."""
        self._held[pitch] = velocity
        self._new.add(pitch)
        self.due = at_sample + self._settle

    def holds(self, pitch: int) -> bool:
        """Whether a key is down."""
        return pitch in self._held

    def lift(self, pitch: int) -> bool:
        """A key that is down goes up; whether it was the last."""
        del self._held[pitch]
        self._new.discard(pitch)
        if not self._held:
            self.due = None
        return not self._held

    def clear(self) -> None:
        """Nothing is held any more."""
        self._held.clear()
        self._new.clear()
        self.due = None

    def name(self) -> tuple[Chord, int]:
        """The chord that is held, and how hard; the keys count as known from now on."""
        pitches = self._new if len(self._new) >= _CHORD_KEYS else set(self._held)
        chord = recognise_chord(pitches) or (min(pitches), ALONE)
        velocity = max(self._held[pitch] for pitch in pitches)
        self._new, self.due = set(), None
        return chord, velocity
