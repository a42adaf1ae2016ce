"""Ctrl-C, SIGTERM and a closed terminal as a request to end, so that a performance ends in order."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from types import FrameType
from typing import Any, Final, Protocol, Self

#: Windows has no SIGHUP; its Ctrl-Break, and the closing of its window, are SIGBREAK.
_NAMES: Final = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
_SIGNALS: Final = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))


class StopFlag:
    """Is set once, also by a signal handler: unlike ``threading.Event`` it takes no lock, which the
    interrupted thread might be holding."""

    def __init__(self) -> None:
        self._set = False

    def set(self) -> None:
        self._set = True

    def is_set(self) -> bool:
        return self._set

    def wait(self, seconds: float) -> bool:
        """Whether it is set, after so many seconds unless it is set before; for short times."""
        if not self._set:
            time.sleep(seconds)
        return self._set


class Stop(Protocol):
    """What a performance asks whether it is to end; a ``threading.Event`` is one too."""

    def is_set(self) -> bool: ...
    def wait(self, seconds: float, /) -> bool: ...


class StopSignals:
    """Context manager: while its body runs, the first signal sets :attr:`stop`, a second one hurries nothing
    and loses nothing, a third Ctrl-C interrupts as usual. From the main thread.

    A signal that was ignored, as ``nohup`` does with the closing of the terminal, stays so.
    """

    def __init__(self) -> None:
        #: Set by the first signal.
        self.stop = StopFlag()
        #: SIGHUP came: nobody reads what is printed.
        self.terminal_closed = False
        self._count = 0
        self._status = 0
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def exit(self) -> None:
        """End the process with status 143 if SIGTERM asked for the end, 129 if the terminal was closed;
        Ctrl-C is how a show ends.

        Raises:
            SystemExit: one of them did.
        """
        if self._status:
            raise SystemExit(self._status)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        if number != signal.SIGINT:
            self._status = self._status or 128 + number
        self.terminal_closed |= number == getattr(signal, "SIGHUP", None)
        self.stop.set()
        if self._count == 2:
            with suppress(OSError):  # standard error may be closed, or its terminal gone
                os.write(2, b"struck: closing; interrupt again to quit at once\n")
        if self._count > 2 and number == signal.SIGINT:
            raise KeyboardInterrupt
