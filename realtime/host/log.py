"""The last lines that the performer was told, for who looks later."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import count
from threading import Lock
from typing import Final

_KEPT: Final = 100
_LINE_CHARACTERS: Final = 300


class Log:
    """Keeps lines and passes them on; from any thread.

    Args:
        tell: gets each line.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._pass_on = tell
        self._numbers = count(1)
        self._lines: deque[tuple[int, str]] = deque(maxlen=_KEPT)
        self._lock = Lock()

    def tell(self, line: str) -> None:
        """Keep a line, and tell it."""
        with self._lock:
            self._lines.append((next(self._numbers), " ".join(line.split())[:_LINE_CHARACTERS]))
        self._pass_on(line)

    def lines(self) -> list[tuple[int, str]]:
        """Number, from 1 on, and text of the last lines, the latest last."""
        with self._lock:
            return list(self._lines)
