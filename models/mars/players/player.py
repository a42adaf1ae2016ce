"""What a player is: one sound of one instrument, and how it is made to play."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

import mido
import numpy as np

from struck.codec.events.errors import StruckError

#: Plays a MIDI file: mono float32 at the analysis rate, from its first tick on.
Play = Callable[[mido.MidiFile], np.ndarray]
#: The kinds of players.
SOUND_FONT: Final = "sound font"
SYNTHESISER: Final = "synthesiser"
DRUM_KIT: Final = "drum kit"
#: Sound that is nowhere louder is silence.
SILENCE: Final = 0.003


class PlayerLostError(StruckError):
    """A player failed; what it was to play is left out."""


@dataclass(frozen=True)
class Player:
    """One sound of one instrument.

    Args:
        kind: of what it is one.
        family: instrument family, or ``drums``.
        source: names it among all.
        play: plays it; players with the same function may be played together.
        held_out: it is never trained on.
        program: MIDI program that is sent first; None for none.
        octaves: by which it is played above the key.
        keys: of drums: the keys it has; None for all.
        weight: how often it plays, next to the others of its kind and family.
    """

    kind: str
    family: str
    source: str
    play: Play
    held_out: bool = False
    program: int | None = None
    octaves: int = 0
    keys: frozenset[int] | None = None
    weight: float = 1.0

    def has(self, keys: Collection[int]) -> bool:
        """Whether it can play all of these keys."""
        return self.keys is None or self.keys.issuperset(keys)
