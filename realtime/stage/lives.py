"""What is known of the events on stage: as they came, and as they sound now."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ...codec.events.events import Event
from .shaping import PLAIN, Expression

#: More than can sound and wait to sound; the oldest are forgotten first.
LIVES_MAX: Final = 4_096


@dataclass
class Life:
    """One event on stage.

    Args:
        origin: ``heard``, ``midi`` or ``osc``.
        raw: as its source has it now.
        sounding: as it sounds now, with all that was done to it.
        expression: of its player.
        latest_sample: device sample of its onset or of its latest amendment; the next comes after it.
        fades_sample: device sample at which it will have faded by 60 dB, as it sounds now.
        moved: its player has moved something that is not heard yet.
        controls: those that it keeps since another patch was recalled; None: it follows those of the stage.
    """

    origin: str
    raw: Event
    sounding: Event
    expression: Expression = PLAIN
    latest_sample: int = 0
    fades_sample: int = 0
    moved: bool = False
    controls: Mapping[str, float] | None = None


class Lives:
    """The events on stage by their ids, bounded; used with the stage's lock."""

    def __init__(self) -> None:
        self._lives: OrderedDict[int, Life] = OrderedDict()

    def __len__(self) -> int:
        return len(self._lives)

    def items(self) -> list[tuple[int, Life]]:
        """Ids and events, in the order in which they came."""
        return list(self._lives.items())

    def add(self, id: int, life: Life) -> None:
        """Remember an event that will sound."""
        self._lives[id] = life
        if len(self._lives) > LIVES_MAX:
            self._lives.popitem(last=False)

    def get(self, id: int) -> Life | None:
        """The event ``id``; None once it was ended, dropped or forgotten."""
        return self._lives.get(id)

    def remove(self, id: int) -> Life | None:
        """Forget an event: nothing can be done to it any more."""
        return self._lives.pop(id, None)

    def clear(self) -> None:
        """Forget all."""
        self._lives.clear()
