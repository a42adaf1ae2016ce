"""SIGTERM as an exception, and both that and Ctrl-C wherever they fall.

Python runs a signal's handler between any two instructions, those of a destructor or of a callback from C
among them. What is raised there is printed with a trace and dropped, and the program goes on. Numba's
compiler runs both all the time, and a first start compiles for many seconds.
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Final, Never, Self

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_PAUSE_SECONDS: Final = 0.005


class Interruption:
    """Context manager, for the main thread: while its body runs, SIGTERM raises ``SystemExit`` (143) in it.

    That is told in one line. Where it, or Ctrl-C's ``KeyboardInterrupt``, would be dropped, it is raised
    again a moment later.
    """

    def __init__(self) -> None:
        self._is_told = False

    def __enter__(self) -> Self:
        self._handler = signal.signal(signal.SIGTERM, self._terminate)
        self._hook = sys.unraisablehook
        sys.unraisablehook = self._raise_again
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGTERM, self._handler)
        sys.unraisablehook = self._hook

    def _terminate(self, number: int, frame: FrameType | None) -> Never:
        # As an exception it passes through every `with`, which removes part files.
        if not self._is_told:
            print("struck: terminated", file=sys.stderr)
        self._is_told = True
        raise SystemExit(128 + number)

    def _raise_again(self, dropped: UnraisableHookArgs) -> None:
        if issubclass(dropped.exc_type, KeyboardInterrupt):
            _signal_later(signal.SIGINT)
        elif issubclass(dropped.exc_type, SystemExit) and self._is_told:
            _signal_later(signal.SIGTERM)
        else:
            self._hook(dropped)


def _signal_later(number: signal.Signals) -> None:
    """As if the signal came again, once what drops exceptions has returned."""

    def deliver() -> None:
        if hasattr(signal, "pthread_kill"):  # which also ends a wait
            signal.pthread_kill(threading.main_thread().ident or 0, number)
        else:
            _thread.interrupt_main(number)

    timer = threading.Timer(_PAUSE_SECONDS, deliver)
    timer.daemon = True
    timer.start()
