"""What became of the events that were sent to the engine, told by the engine itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil
from threading import Lock
from typing import Final

import numpy as np

from ...codec.events.event_spec import ANALYSIS_RATE
from ..engine.commands import OUTCOME, OUTCOMES, RESULT_ID, RESULT_SAMPLE, RESULT_SIZE
from ..engine.rings import LOST, pop_row
from ..engine.state import POSITION, EngineState
from .soundings import SoundingEvent

#: An event that is so long past, without a word, has lost it to a full ring.
_SILENCE_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Outcome:
    """What became of an event."""

    what: str  # "sounded", "late", "dropped", "stolen"
    id: int
    at_sample: int  # where it began, was cut short, or was to begin
    sounding: SoundingEvent | None  # as it sounds; None once it has been told of: of what was stolen


Witness = Callable[[Outcome], None]


class Outcomes:
    """Reads the engine's results; from any thread.

    Args:
        state: the engine's.
        rate: of the stream in Hz.
    """

    def __init__(self, state: EngineState, rate: int) -> None:
        self._ring, self._numbers, self._rate = state.results, state.numbers, rate
        self._announced: dict[int, SoundingEvent] = {}
        self._witnesses: list[Witness] = []
        self._row = np.zeros(RESULT_SIZE)
        self._lock = Lock()  # the ring has one reader

    def add(self, witness: Witness) -> None:
        """Let ``witness`` know of every outcome; it must not block."""
        self._witnesses.append(witness)

    def announce(self, sounding: SoundingEvent) -> None:
        """An event is about to be sent."""
        self._announced[sounding.id] = sounding

    def withdraw(self, event_id: int) -> None:
        """It could not be sent."""
        self._announced.pop(event_id, None)

    def tell(self) -> None:
        """Pass on what the engine has told since the last time; when it returns, all witnesses know."""
        with self._lock:
            while pop_row(self._ring, self._row):
                what = OUTCOMES[int(self._row[OUTCOME])]
                event_id, at_sample = int(self._row[RESULT_ID]), int(self._row[RESULT_SAMPLE])
                sounding = self._announced.pop(event_id, None)
                if what == "late" and sounding is not None:
                    sounding = self._moved(sounding, at_sample)
                self._pass_on(Outcome(what, event_id, at_sample, sounding))
            if self._ring.index[LOST]:
                self._presume()

    def _moved(self, sounding: SoundingEvent, at_sample: int) -> SoundingEvent:
        """The event at the sample at which it began, on the grid of takes."""
        onset_seconds = ceil(at_sample / self._rate * ANALYSIS_RATE) / ANALYSIS_RATE
        event = replace(sounding.event, onset_seconds=onset_seconds)
        return replace(sounding, event=event, at_sample=at_sample)

    def _presume(self) -> None:
        """Results were lost: what is long past without one is taken to have sounded, as nearly all do."""
        long_past = int(self._numbers[POSITION]) - round(_SILENCE_SECONDS * self._rate)
        waiting = [sounding for sounding in list(self._announced.values()) if sounding.at_sample < long_past]
        for sounding in waiting:
            del self._announced[sounding.id]
            self._pass_on(Outcome("sounded", sounding.id, sounding.at_sample, sounding))

    def _pass_on(self, outcome: Outcome) -> None:
        for witness in self._witnesses:
            witness(outcome)
