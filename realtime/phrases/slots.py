"""Which phrase slots are free, and what is put into them: one thread's view of the phrase player."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import numpy as np

from ..engine.slots import FADE, SLOT_COUNT, fill_slot
from ..engine.state import POSITION, EngineState, slot_is_playing
from ..stage.stage import Stage
from .loops import loop_samples

#: A command has surely been obeyed, and its fade is over, after this time.
_SETTLE_SECONDS: Final = 0.1
_NEVER: Final = 1 << 62


class PhraseSlots:
    """Claims slots of the player, fills and starts them; used from one thread at a time.

    A slot that plays is never written: the player refuses, and nothing here asks for it before the engine has
    let go of it.

    Args:
        state: the engine's.
        stage: starts and stops them.
        reserved: slots that are others'.
    """

    def __init__(self, state: EngineState, stage: Stage, reserved: Collection[int] = ()) -> None:
        self._state, self._stage = state, stage
        self._settle = round(_SETTLE_SECONDS * stage.clock.rate)
        #: Slot -> stream sample from which it is free again.
        self._free_at = {slot: 0 for slot in range(SLOT_COUNT) if slot not in reserved}

    @property
    def frames(self) -> int:
        """How much sound fits into one."""
        return int(self._state.phrases.sound.shape[1])

    def play(
        self, sound: np.ndarray, at_sample: int, loops: bool, gain: float, joins: bool = False
    ) -> int | None:
        """Let ``sound`` begin at a stream sample; in which slot, or None if none is free or takes it."""
        position = int(self._state.numbers[POSITION])
        for slot, free_at in self._free_at.items():
            if free_at > position or slot_is_playing(self._state, slot):
                continue
            if not fill_slot(self._state.phrases, slot, sound):
                continue
            if not self._stage.start_slot(slot, at_sample, loops, gain, joins):
                return None
            end = _NEVER if loops else max(at_sample, position) + len(sound) + self._settle
            self._free_at[slot] = end
            return slot
        return None

    def stop(self, slot: int, at_sample: int) -> None:
        """Fade a slot out from a stream sample on; it is free some time after."""
        position = int(self._state.numbers[POSITION])
        self._stage.stop_slot(slot, at_sample)
        end = max(at_sample, position) + FADE + self._settle
        self._free_at[slot] = min(self._free_at[slot], end)


def loop_sound(sound: np.ndarray, loop_frames: int) -> np.ndarray:
    """What a slot needs for a loop of ``loop_frames``: so much, and its beginning, to fade with there.

    A phrase that was made for a faster tempo is silent before it begins again: that is not heard twice.
    """
    if loop_frames - len(sound) > FADE:
        sound = np.concatenate([whole_sound(sound), np.zeros(loop_frames - len(sound), np.float32)])
    return loop_samples(sound[:loop_frames], loop_frames + FADE)


def whole_sound(sound: np.ndarray) -> np.ndarray:
    """What is played once, to its end, which fades."""
    faded = np.array(sound, np.float32)
    count = min(FADE, len(faded))
    faded[len(faded) - count :] *= np.linspace(1.0, 0.0, count, dtype=np.float32)
    return faded
