"""A process that waits, warm, for the next job: starting one from nothing takes up to a second."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock, Timer
from typing import Final

from .process import RackProcess

#: The next spare is started so long after one was taken: until then the one that was taken needs the machine.
_PAUSE_SECONDS: Final = 1.0


class Spares:
    """Keeps one process in reserve.

    Args:
        start: starts a process that has no job yet.
        keeps: whether to keep one; from file to file nothing has to be quick.
    """

    def __init__(self, start: Callable[[], RackProcess], keeps: bool = True) -> None:
        self._start, self._keeps = start, keeps
        self._spare: RackProcess | None = None
        self._timer: Timer | None = None
        self._lock = Lock()
        self._closed = False

    def take(self) -> RackProcess:
        """A process that is alive, warm if there was time.

        Raises:
            StruckError: none can be started.
        """
        with self._lock:
            spare, self._spare = self._spare, None
            if self._keeps and not self._closed and self._timer is None:
                self._timer = Timer(_PAUSE_SECONDS, self._refill)
                self._timer.daemon = True
                self._timer.start()
        if spare is not None and spare.exit_code is not None:
            spare.end()
            spare = None
        return self._start() if spare is None else spare

    def _refill(self) -> None:
        with self._lock:
            self._timer = None
            if self._spare is None and not self._closed:
                self._spare = self._start()

    def close(self) -> None:
        """End the spare; none is kept any more."""
        with self._lock:
            self._closed = True
            timer, self._timer = self._timer, None
            spare, self._spare = self._spare, None
        if timer is not None:
            timer.cancel()
        if spare is not None:
            spare.end()
