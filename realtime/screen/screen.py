"""The live host's display: meters and counters on a terminal, plain lines elsewhere.

It has a thread of its own: a terminal that is slow, stopped (Ctrl-S) or gone holds up the display only. On a
terminal the picture stands below the lines that were told, which scroll up as usual::

    12:03:44 osc 10.0.0.7: 3 bad packets
    in   ########################------|---   -18.2
    ...
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, TextIO

from .status import Status, status_line
from .status_lines import PeakHold, picture_lines, printable
from .teller import Teller

#: The longest that leaving waits for a terminal that does not take its text.
_LEAVE_SECONDS: Final = 2.0
#: Terminals that cannot move their cursor.
_DUMB_TERMINALS: Final = ("", "dumb", "unknown")


class Screen:
    """Context manager: while its body runs, the status and what is told are shown.

    A fault of the output (closed, a broken pipe) ends the display and nothing else.

    Args:
        get_status: called ``refresh_hz`` times a second on a terminal, else every ``line_seconds``.
        teller: whose lines are shown at once.
        stream: where to, by default standard error.
        refresh_hz: of the picture.
        line_seconds: between status lines where the stream is not a terminal; 0: none, only what is told.
    """

    def __init__(
        self,
        get_status: Callable[[], Status],
        teller: Teller,
        *,
        stream: TextIO | None = None,
        refresh_hz: float = 10.0,
        line_seconds: float = 10.0,
    ) -> None:
        self._get_status, self._teller = get_status, teller
        self._stream = sys.stderr if stream is None else stream
        self._refresh_seconds, self._line_seconds = 1.0 / refresh_hz, line_seconds
        #: Processor time the display has used.
        self.cpu_seconds = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._show, name="screen", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._teller.told.set()  # wakes it up
        self._thread.join(_LEAVE_SECONDS)

    # The display's thread from here on.

    def _show(self) -> None:
        try:
            if self._stream is None:  # pythonw, or closed before the start
                return
            if self._stream.isatty() and os.environ.get("TERM", "").lower() not in _DUMB_TERMINALS:
                self._show_picture()
            else:
                self._show_lines()
        except (OSError, ValueError) as error:
            # The terminal has gone: nobody is left to be told. ValueError is Python's for a closed file;
            # any other is a fault of ours.
            if isinstance(error, ValueError) and not self._stream.closed:
                raise

    def _show_lines(self) -> None:
        due = time.monotonic() + self._line_seconds
        while True:
            leaving = self._stop.is_set()
            self._teller.told.clear()
            for line in self._teller.take(everything=leaving):
                self._print(_stamped(line))
            if leaving:
                return
            now = time.monotonic()
            if self._line_seconds and now >= due:
                self._print(_stamped(status_line(self._get_status())))
                due = now + self._line_seconds
            self.cpu_seconds = time.thread_time()
            # Repeats that were held back are due without anything new being told.
            self._teller.told.wait(min(1.0, max(0.0, due - now)) if self._line_seconds else 1.0)

    def _print(self, line: str) -> None:
        encoding = self._stream.encoding or "ascii"
        self._stream.write(line.encode(encoding, "replace").decode(encoding) + "\n")
        self._stream.flush()

    def _show_picture(self) -> None:
        from .terminal import LivePicture

        peaks = PeakHold()
        with LivePicture(self._stream) as picture:
            while True:
                leaving = self._stop.is_set()
                lines = [_stamped(line) for line in self._teller.take(everything=leaving)]
                if leaving:
                    picture.show(lines, [])
                    return
                status = peaks.hold(self._get_status(), time.monotonic())
                picture.show(lines, picture_lines(status, picture.width, picture.unicode))
                self.cpu_seconds = time.thread_time()
                self._stop.wait(self._refresh_seconds)


def _stamped(line: str) -> str:
    return f"{time.strftime('%H:%M:%S')} {printable(line)}"
