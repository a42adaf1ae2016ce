"""Ctrl-C and SIGTERM as a request to end, so that a performance ends in order."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import Any, Final, Self

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """Context manager: while its body runs, the first signal sets :attr:`stop`, a second one hurries nothing
    and loses nothing, a third Ctrl-C interrupts as usual. From the main thread."""

    def __init__(self) -> None:
        #: Set by the first signal.
        self.stop = threading.Event()
        self._count = 0
        self._terminated = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def exit(self) -> None:
        """End the process with status 143 if SIGTERM asked for the end; Ctrl-C is how a show ends.

        Raises:
            SystemExit: it did.
        """
        if self._terminated:
            raise SystemExit(128 + signal.SIGTERM)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        self._terminated |= number == signal.SIGTERM
        self.stop.set()
        if self._count == 2:
            print("struck: closing; once more leaves at once", file=sys.stderr)
        if self._count > 2 and number == signal.SIGINT:
            raise KeyboardInterrupt
