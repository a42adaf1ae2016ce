"""Whether the audio thread has real-time scheduling, and with it how high the rack's process may go."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

#: So far below the audio thread the rack's process stays.
_BELOW: Final = 10


def realtime_priority() -> int:
    """SCHED_FIFO priority for a rack's process: below this process's lowest real-time thread, which is the
    audio server's doing; 0 where there is no such thread. A process that went before its callback would harm
    what it serves."""
    if not hasattr(os, "sched_getscheduler"):
        return 0
    lowest = 0
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # a thread that has just ended
            if os.sched_getscheduler(int(task.name)) & ~os.SCHED_RESET_ON_FORK in (
                os.SCHED_FIFO,
                os.SCHED_RR,
            ):
                priority = os.sched_getparam(int(task.name)).sched_priority
                lowest = priority if lowest == 0 else min(lowest, priority)
    return max(1, lowest - _BELOW) if lowest else 0
