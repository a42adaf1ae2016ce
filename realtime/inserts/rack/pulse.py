"""Whether a rack's process gets on, hangs, or only stands in line for a core."""

from __future__ import annotations

from time import monotonic
from typing import Final

import numpy as np

from ...engine.shared_memory import CURRENT, DONE, WRITTEN
from .process import RackProcess

#: Frames wait and none is done for so long: it hangs.
_HANG_SECONDS: Final = 0.25
#: But where it stands in line for a core, or is in no insert, this long: the machine is overloaded.
_STARVED_SECONDS: Final = 5.0
#: Processor time that a loop uses within the time after which it hangs, be it one of many on its core.
_LOOP_SECONDS: Final = 0.1


class Pulse:
    """Whether a process gets on with what waits for it.

    Args:
        indices: of the shared memory.
        block_frames: of the rack.
    """

    def __init__(self, indices: np.ndarray, block_frames: int) -> None:
        self._indices, self._block_frames = indices, block_frames
        self._done = -1
        self._moved_at = monotonic()
        self._used_seconds = 0.0

    def has_stopped(self, process: RackProcess) -> bool:
        """True where frames wait, none is done, and that is the process's own doing."""
        done = int(self._indices[DONE])
        waits = int(self._indices[WRITTEN]) - done >= self._block_frames
        now = monotonic()
        if done != self._done or not waits:
            self._done, self._moved_at = done, now
            self._used_seconds = process.activity()[0]
            return False
        stands = now - self._moved_at
        if stands <= _HANG_SECONDS or self._indices[CURRENT] == 0:
            return stands > _STARVED_SECONDS
        used_seconds, wants_more = process.activity()
        starved = wants_more and used_seconds - self._used_seconds < _LOOP_SECONDS
        return not starved or stands > _STARVED_SECONDS
