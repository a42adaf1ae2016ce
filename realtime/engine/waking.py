"""How one process tells another that an index has moved: one futex call, and none where nobody waits.

Measured (blocks of 128, 30 s): a futex woke the other side after 6 us and cost the callback 3 us, while
polling every 50 us lost sixteen times as many blocks, and spinning took the callback's core. ``FUTEX_WAKE``
never blocks. Where there is no futex the waiting side polls, and the callback makes no call at all.

Under real-time scheduling the call costs the callback most of its exchange with a rack: an interrupt to
another core, 15 us and at times 50. What comes at a steady pace is therefore slept for first; only when the
callback is late is it asked to wake.
"""

from __future__ import annotations

import platform
import sys
import time
from typing import Final

import numpy as np
from numba import int64, njit, types, void
from numba.extending import intrinsic

from ...codec.playing.kernel_options import INNER
from .cycles import CycleClock, read_cycles
from .rings import KERNEL, load_acquire, store_release

_NUMBERS: Final = {"x86_64": 202, "aarch64": 98}
#: Number of the system call; -1 where it is not to be had.
_FUTEX: Final = _NUMBERS.get(platform.machine(), -1) if sys.platform == "linux" else -1
HAS_FUTEX: Final = _FUTEX >= 0
_FUTEX_WAIT, _FUTEX_WAKE = 0, 1
_POLL_SECONDS: Final = 50e-6
#: One who sleeps until an index is due gets up so much later: this share of the pace, and at most so long.
_LATER_SHARE: Final = 0.125
_LATER_SECONDS: Final = 200e-6
#: One that works for a larger share of the pace has no time to sleep.
_MOST_WORK: Final = 0.5

_INDICES: Final = int64[::1]
_system_call = types.ExternalFunction("syscall", int64(*[int64] * 7))


@intrinsic
def _fence(typing_context):
    """What was stored before is seen by all before anything after is loaded."""

    def generate(context, builder, signature, arguments):
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate


if HAS_FUTEX:

    @njit(**INNER)
    def _wake(indices, place):
        # the low half of the index is the futex: both architectures are little-endian
        _system_call(_FUTEX, indices.ctypes.data + 8 * place, _FUTEX_WAKE, 1, 0, 0, 0)

    @njit(int64(_INDICES, int64, int64, int64, _INDICES), **KERNEL)
    def _wait(indices, place, value, waiting, timeout):
        store_release(indices, waiting, 1)
        _fence()
        found = load_acquire(indices, place)
        if found <= value:
            low = found & 0xFFFFFFFF
            address = indices.ctypes.data + 8 * place
            _system_call(_FUTEX, address, _FUTEX_WAIT, low, timeout.ctypes.data, 0, 0)
        store_release(indices, waiting, 0)
        return load_acquire(indices, place)

else:

    @njit(**INNER)
    def _wake(indices, place):
        pass


@njit(int64(_INDICES, int64), **KERNEL)
def _look(indices, place):
    return load_acquire(indices, place)


@njit(void(_INDICES, int64, int64, int64), **KERNEL)
def publish(indices, place, value, waiting):
    """Set ``indices[place]``, and wake whoever has said at ``indices[waiting]`` that they wait for it.

    The fence between both, and that of the waiting side, see to it that one of them sees the other.
    """
    store_release(indices, place, value)
    _fence()
    if load_acquire(indices, waiting) != 0:
        _wake(indices, place)


class Waiter:
    """Waits for one index, in one thread.

    Args:
        indices: int64, shared.
        place: of the index that somebody else moves.
        waiting: of the flag that this side sets while it waits.
    """

    def __init__(self, indices: np.ndarray, place: int, waiting: int) -> None:
        self._indices, self._place, self._waiting = indices, place, waiting
        self._timeout = np.zeros(2, np.int64)

    def wait(self, value: int, seconds: float) -> int:
        """The index, as soon as it is above ``value`` or, whatever it is, after ``seconds`` or before."""
        if HAS_FUTEX:
            self._timeout[0] = int(seconds)
            self._timeout[1] = int(1e9 * (seconds % 1.0))
            return int(_wait(self._indices, self._place, value, self._waiting, self._timeout))
        end = time.monotonic() + seconds
        while (found := int(_look(self._indices, self._place))) <= value and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)
        return found


class PacedWaiter(Waiter):
    """Waits for an index that moves at a steady pace, and is seldom woken: it gets up by itself.

    Args:
        indices, place, waiting: as in :class:`Waiter`.
        moved_at: of the index that says when, in cycles, the other one was moved last; it is set after that.
        pace_seconds: between two moves.
    """

    def __init__(
        self, indices: np.ndarray, place: int, waiting: int, moved_at: int, pace_seconds: float
    ) -> None:
        super().__init__(indices, place, waiting)
        self._moved_at, self._pace_seconds = moved_at, pace_seconds
        self._rest_seconds = pace_seconds + min(_LATER_SECONDS, _LATER_SHARE * pace_seconds)
        self._cycles_per_second = CycleClock().cycles_per_second
        self._left_at = read_cycles()

    def wait(self, value: int, seconds: float) -> int:
        # it is stamped after it has moved: whoever reads a new stamp sees the new index
        moved_at = int(_look(self._indices, self._moved_at))
        found = int(_look(self._indices, self._place))
        now = read_cycles()
        works_seconds = (now - self._left_at) / self._cycles_per_second
        rest = self._rest_seconds - (now - moved_at) / self._cycles_per_second
        if found <= value and rest > 0.0 and works_seconds < _MOST_WORK * self._pace_seconds:
            slept = min(rest, seconds)
            time.sleep(slept)
            seconds -= slept
            found = int(_look(self._indices, self._place))
        if found <= value and seconds > 0.0:
            found = super().wait(value, seconds)
        self._left_at = read_cycles()
        return found
