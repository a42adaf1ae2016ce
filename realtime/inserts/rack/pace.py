"""Whether inserts are too slow for the callback that waits for them."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

#: Above this share of late frames within the time, they are.
_SLOW_SHARE: Final = 0.5
_SLOW_SECONDS: Final = 2.0


class Pace:
    """Looks at how many frames are late.

    Args:
        frames: how many were heard so far, and of these late ones.
    """

    def __init__(self, frames: Callable[[], tuple[int, int]]) -> None:
        self._frames = frames
        self._is_slow = False
        self.begin()

    def begin(self) -> None:
        """Forget what was late so far."""
        self._since, (self._heard, self._late) = monotonic(), self._frames()

    def has_become_slow(self) -> bool:
        """True once, when they have become too slow; to be asked now and then."""
        if monotonic() - self._since < _SLOW_SECONDS:
            return False
        heard, late = self._heard, self._late
        self.begin()
        was_slow = self._is_slow
        self._is_slow = self._late - late > _SLOW_SHARE * max(1, self._heard - heard)
        return self._is_slow and not was_slow
