"""How the kernel schedules who must keep time beside the audio thread: as near to it as they may be."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from typing import Final

#: Under real-time scheduling a plug-in that never returns would keep its core: the kernel ends it after this.
_REALTIME_MICROSECONDS: Final = 200_000
#: mlockall(2): what is there and what comes, each page once it has been used.
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
#: Without real-time scheduling: the shortest slice, in ns, that Linux gives. Whoever asks for little at a
#: time is put before those that compute at length (Linux 6.12 and later; elsewhere it changes nothing).
_SLICE_NANOSECONDS: Final = 100_000
_SCHED_SETATTR: Final = {"x86_64": 314, "aarch64": 274}


def change_scheduling(priority: int) -> bool:
    """Give this thread SCHED_FIFO at ``priority``, or with 0 the usual scheduling; False where it may not."""
    if not hasattr(os, "sched_setscheduler"):
        return False
    policy = os.SCHED_FIFO if priority > 0 else os.SCHED_OTHER
    try:
        os.sched_setscheduler(0, policy, os.sched_param(priority))
    except OSError:
        return False
    return True


def schedule(priority: int) -> None:
    """Ask for SCHED_FIFO at ``priority``, or with 0 for short slices, as far as this process may."""
    if priority > 0:
        if _limit_realtime() and change_scheduling(priority):
            _keep_in_memory()
    elif change_scheduling(0):
        ask_for_short_slices()


def _limit_realtime() -> bool:
    if sys.platform != "linux":
        return False
    import resource

    limit = (_REALTIME_MICROSECONDS, 2 * _REALTIME_MICROSECONDS)  # SIGXCPU, then SIGKILL
    try:
        resource.setrlimit(resource.RLIMIT_RTTIME, limit)
    except (OSError, ValueError):
        return False
    return True


def _keep_in_memory() -> None:
    """A page that had been taken away would have to be brought back in the middle of a block."""
    if sys.platform != "linux":
        return
    import resource

    what = _MCL_CURRENT | _MCL_ONFAULT
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] == resource.RLIM_INFINITY:
        what |= _MCL_FUTURE  # with a limit, a plug-in that asks for more than that would get none
    ctypes.CDLL(None).mlockall(what)  # refused: then it may happen


class _Attributes(ctypes.Structure):
    """sched_attr, sched_setattr(2)."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    )


def ask_for_short_slices() -> None:
    """Let this thread, under the usual scheduling, be woken before those that compute at length."""
    number = _SCHED_SETATTR.get(platform.machine())
    if sys.platform != "linux" or number is None:
        return
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    wanted = _Attributes(
        size=ctypes.sizeof(_Attributes), policy=os.SCHED_OTHER, nice=nice, runtime=_SLICE_NANOSECONDS
    )
    ctypes.CDLL(None).syscall(number, 0, ctypes.byref(wanted), 0)  # refused: then it waits as others do
