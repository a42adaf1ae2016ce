"""What is known of the events on stage: as they came, and as they sound now."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ...codec.events.events import Event
from ...codec.transforms.transform import Shaper, same
from .shaping import PLAIN, Expression

#: More than can sound and wait to sound.
LIVES_MAX: Final = 4_096


@dataclass
class Life:
    """One event on stage.

    Args:
        origin: ``heard``, ``midi``, ``osc``, ``phrase``, or ``held`` by a pedal.
        raw: as its source has it now.
        shaped: the same as controls and expression changed it last.
        sounding: as it sounds now, with all that was done to it.
        onset_sample: device sample at which it begins.
        expression: of its player.
        amended_sample: device sample of its latest amendment; the next comes after it, an end may come then.
        fades_sample: device sample at which it will have faded by 60 dB, as it sounds now.
        moved: its player has moved something that is not heard yet.
        shaper: what transforms make of it; see :mod:`struck.codec.events.event_chain`.
        controls: those that it keeps since another patch was recalled; None: it follows those of the stage.
    """

    origin: str
    raw: Event
    shaped: Event
    sounding: Event
    onset_sample: int
    expression: Expression = PLAIN
    amended_sample: int = -1
    fades_sample: int = 0
    moved: bool = False
    controls: Mapping[str, float] | None = None
    shaper: Shaper = same
    #: As it is to sound: what is amended changes this, even where it could not be sent yet.
    wanted: Event = field(init=False)

    def __post_init__(self) -> None:
        self.wanted = self.shaped

    @property
    def begun_sample(self) -> int:
        """Device sample from which on it may change.

        What is heard may be corrected, or taken back, before anybody has heard it. A key that goes up at once
        has been down: its note is heard.
        """
        return self.onset_sample if self.origin == "heard" else self.onset_sample + 1


class Lives:
    """The events on stage by their ids, bounded; used with the stage's lock."""

    def __init__(self) -> None:
        self._lives: OrderedDict[int, Life] = OrderedDict()

    def __len__(self) -> int:
        return len(self._lives)

    def items(self) -> list[tuple[int, Life]]:
        """Ids and events, in the order in which they came."""
        return list(self._lives.items())

    def add(self, id: int, life: Life, now_sample: int) -> None:
        """Remember an event that will sound; for lack of room the oldest that has faded is forgotten."""
        if len(self._lives) >= LIVES_MAX:
            faded = (old for old, other in self._lives.items() if other.fades_sample < now_sample)
            del self._lives[next(faded, next(iter(self._lives)))]
        self._lives[id] = life

    def get(self, id: int) -> Life | None:
        """The event ``id``; None once it was ended, dropped or forgotten."""
        return self._lives.get(id)

    def remove(self, id: int) -> Life | None:
        """Forget an event: nothing can be done to it any more."""
        return self._lives.pop(id, None)

    def clear(self) -> None:
        """Forget all."""
        self._lives.clear()
