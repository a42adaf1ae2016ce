"""A backing: a sound file that loops in a phrase slot while the performance lasts."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ...codec.events.errors import StruckError
from ...codec.files.audio_files import read_mono
from ..engine.slots import fill_slot
from ..engine.state import POSITION, EngineState, slot_is_playing
from ..stage.stage import Stage

#: Of the phrase player.
SLOT: Final = 0
#: The longest wait for a phrase to end before it is started again.
_RESTART_SECONDS: Final = 0.3


class Backing:
    """Loops from the beginning of the stream.

    Args:
        path: of the sound.
        state: the engine's.
        stage: starts and ends it.
        tell: gets what the user should know of the file, a line each.

    Raises:
        StruckError: the file cannot be read, or is too long.
    """

    def __init__(self, path: Path, state: EngineState, stage: Stage, tell: Callable[[str], None]) -> None:
        self._state, self._stage = state, stage
        sound = read_mono(path, stage.clock.rate, tell)
        if not fill_slot(state.phrases, SLOT, sound):
            limit = state.phrases.sound.shape[1] / stage.clock.rate
            raise StruckError(f"{path} is longer than {limit:.0f} s, the most that backing may be")
        stage.start_slot(SLOT, 0, loops=True)

    def end(self) -> None:
        """Fade it out; more than once is harmless."""
        if slot_is_playing(self._state, SLOT):
            self._stage.stop_slot(SLOT, int(self._state.numbers[POSITION]))

    def restart(self) -> None:
        """Play it again, from its beginning, once the silence of a panic has ended it."""
        end = time.monotonic() + _RESTART_SECONDS
        while slot_is_playing(self._state, SLOT) and time.monotonic() < end:
            time.sleep(0.002)
        self._stage.start_slot(SLOT, 0, loops=True)
