"""Watches over a performance: tells of lost sound, damaged input and parts that failed, and why."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from ...codec.events.errors import StruckError
from ...codec.files.audio_files import AudioReader
from ..engine.state import DAMAGED, EngineState
from ..recording.recordings import Recordings
from .block_load import Dropout, LoadMeter

#: Losses are told together, once in this time.
_TELL_SECONDS: Final = 5.0


class Watch:
    """What went wrong since the last look, counted, marked in the take, and told in few lines.

    Args:
        state: the engine's.
        load: of the callback.
        recordings: get the marks.
        reader: of an input file, whose notes are passed on.
        tell: takes one line for the performer.
        count: adds to a counter, by name.
        rate: of the stream in Hz.
    """

    def __init__(
        self,
        state: EngineState,
        load: LoadMeter,
        recordings: Recordings,
        reader: AudioReader | None,
        tell: Callable[[str], None],
        count: Callable[[str, int], None],
        rate: int,
    ) -> None:
        self._state, self._load, self._recordings, self._reader = state, load, recordings, reader
        self._tell, self._count = tell, count
        self._rate = rate
        self._dropouts: list[Dropout] = []
        self._told_at = float("-inf")
        self._damaged = 0
        self._damage_told_at = float("-inf")
        self._notes_told = 0
        #: What failed for good while the rest went on, one line each.
        self.faults: list[str] = []

    def note_fault(self, who: str, error: BaseException) -> None:
        """Tell of a part that has failed, once; what does not need it goes on."""
        fault = f"{who} failed: {error if isinstance(error, StruckError) else repr(error)}"
        if fault not in self.faults:
            self.faults.append(fault)
            self._tell(f"{fault}; the rest goes on")
            self._recordings.mark("fault", what=fault)

    def note_recovery(self, who: str, error: BaseException) -> None:
        """Tell of a part that has failed and goes on."""
        fault = f"{who} failed: {error if isinstance(error, StruckError) else repr(error)}"
        self._tell(f"{fault}; it goes on, without what it was at")
        self._recordings.mark("fault", what=fault)

    def look_for_dropouts(self, block_frames: int, last: bool = False) -> None:
        """See what sound a device lost; call it some times a second, and with ``last`` at the end."""
        block_seconds = block_frames / self._rate
        fresh = self._load.dropouts()
        self._dropouts += fresh
        for dropout in fresh:
            self._count("overruns" if dropout.busy_blocks >= 1.0 else "late_calls", 1)
        if fresh:
            why = max(fresh, key=_severity).describe(block_seconds)
            at_seconds = fresh[0].position_samples / self._rate
            self._recordings.mark("dropout", at_seconds, what="audio", count=len(fresh), why=why)
        now = time.monotonic()
        if self._dropouts and (last or now - self._told_at >= _TELL_SECONDS):
            worst = max(self._dropouts, key=_severity).describe(block_seconds)
            count = "" if len(self._dropouts) == 1 else f"{len(self._dropouts)} times, at worst "
            self._tell(f"sound may have been lost: {count}{worst}")
            self._dropouts = []
            self._told_at = now

    def look_for_damage(self, last: bool = False) -> None:
        """See what of the input was no sound; as :meth:`look_for_dropouts`."""
        damaged = int(self._state.numbers[DAMAGED])
        now = time.monotonic()
        if damaged > self._damaged and (last or now - self._damage_told_at >= _TELL_SECONDS):
            self._tell(
                f"the input is damaged: {damaged - self._damaged} samples were NaN, infinite or far beyond "
                "full scale, and are silence"
            )
            self._damaged, self._damage_told_at = damaged, now
        if self._reader is not None:
            for note in self._reader.notes[self._notes_told :]:
                self._tell(note)
                self._notes_told += 1


def _severity(dropout: Dropout) -> float:
    return max(dropout.busy_blocks, dropout.interval_blocks - 1.0)
