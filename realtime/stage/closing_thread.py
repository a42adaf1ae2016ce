"""A thread that works until it is told to end."""

from __future__ import annotations

import threading
from collections.abc import Callable


class ClosingThread:
    """Works from :meth:`start` to :meth:`close`.

    Args:
        name: of the thread.
        run: the work; it ends soon after :attr:`closing` is set.
    """

    def __init__(self, name: str, run: Callable[[], None]) -> None:
        #: Set once it is to end.
        self.closing = threading.Event()
        self._thread = threading.Thread(target=run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def close(self) -> None:
        """End, if it was started; returns when it has."""
        self.closing.set()
        if self._thread.is_alive():
            self._thread.join()
