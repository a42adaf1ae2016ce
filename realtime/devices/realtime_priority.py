"""Whether the audio thread has real-time scheduling, and how high those who serve it may go."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from threading import get_native_id
from typing import Final

from .scheduling import ask_for_short_slices, change_scheduling

#: So far below the audio thread a rack's process stays, and by so much lower a thread of this process that
#: serves it: it has more time, and takes more.
_BELOW: Final = 10
_LOWER: Final = 1
#: So often it is asked: a stream may open at any time.
_ASK_SECONDS: Final = 0.25
#: Such threads; they say nothing about the audio thread.
_serving: Final[set[int]] = set()


def realtime_priority() -> int:
    """SCHED_FIFO priority for a rack's process: below this process's lowest real-time thread, which is the
    audio server's doing; 0 where there is no such thread. A process that went before its callback would harm
    what it serves."""
    if not hasattr(os, "sched_getscheduler"):
        return 0
    lowest = 0
    for task in Path("/proc/self/task").iterdir():
        if int(task.name) in _serving:
            continue
        with suppress(OSError):  # a thread that has just ended
            if os.sched_getscheduler(int(task.name)) & ~os.SCHED_RESET_ON_FORK in (
                os.SCHED_FIFO,
                os.SCHED_RR,
            ):
                priority = os.sched_getparam(int(task.name)).sched_priority
                lowest = priority if lowest == 0 else min(lowest, priority)
    return max(1, lowest - _BELOW) if lowest else 0


class ServingThread:
    """Keeps the thread that makes it as near to the audio thread as it may be, whatever becomes of that.

    With one core only it stays as others are: what computes at length would keep the rest from theirs.
    """

    def __init__(self) -> None:
        self._priority = 0
        self._asked_at = -_ASK_SECONDS
        self._id = get_native_id()
        _serving.add(self._id)
        ask_for_short_slices()

    def follow(self) -> None:
        """Ask now and then what the audio thread has; called on this thread, when it has nothing to do."""
        now = time.monotonic()
        if now - self._asked_at < _ASK_SECONDS or (os.cpu_count() or 1) < 2:
            return
        self._asked_at = now
        above = realtime_priority()
        priority = max(1, above - _LOWER) if above else 0
        if priority != self._priority:
            self._priority = priority
            if change_scheduling(priority) and not priority:
                ask_for_short_slices()

    def close(self) -> None:
        """The thread ends: another may get its number."""
        _serving.discard(self._id)
