"""What the host tells the performer: single lines, from any thread, repeats counted instead of repeated."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

#: A line that comes again within this time after it was shown is only counted until then.
REPEAT_SECONDS: Final = 10.0
#: Different lines that wait to be shown; beyond it they are only counted.
_WAITING_LIMIT: Final = 64
#: Kinds of lines remembered to find repeats.
_KINDS_LIMIT: Final = 512

#: Lines that differ in their numbers only are shown one by one up to this many, then together: two ports
#: that were lost are two pieces of news, a count that grows with every block is not.
_FAMILY_LIMIT: Final = 4

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass
class _Kind:
    """One line and its repeats, or what is beyond the limit of a family."""

    family: str
    line: str = ""
    waiting: int = 0
    shown_at: float = float("-inf")


class Teller:
    """Collects lines for whoever shows them. :meth:`tell` never waits for a terminal.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kinds: dict[str, _Kind] = {}
        self._lost = 0
        #: Set whenever something was told; whoever shows the lines waits for it and clears it.
        self.told = threading.Event()

    def tell(self, line: str) -> None:
        """Tell one line; of several only white space is left between them."""
        line = " ".join(line.split())
        family = _NUMBER.sub("#", line)
        with self._lock:
            key = line if line in self._kinds or not self._is_large(family) else family
            kind = self._kinds.get(key)
            if kind is None:
                self._forget_old_kinds()
                if sum(k.waiting > 0 for k in self._kinds.values()) >= _WAITING_LIMIT:
                    self._lost += 1
                    return
                kind = self._kinds[key] = _Kind(family)
            kind.line = line
            kind.waiting += 1
        self.told.set()

    def take(self, everything: bool = False) -> list[str]:
        """The lines that are to be shown now, in the order in which they were first told.

        Args:
            everything: also repeats that would wait for their time; for the end.
        """
        now = self._clock()
        lines = []
        with self._lock:
            for kind in self._kinds.values():
                if kind.waiting and (everything or now - kind.shown_at >= REPEAT_SECONDS):
                    lines.append(kind.line if kind.waiting == 1 else f"{kind.line} ({kind.waiting} times)")
                    kind.waiting, kind.shown_at = 0, now
            if self._lost:
                lines.append(f"and {self._lost} more lines")
                self._lost = 0
        return lines

    def _is_large(self, family: str) -> bool:
        recent = self._clock() - REPEAT_SECONDS
        alike = (kind for kind in self._kinds.values() if kind.family == family)
        members = [kind for kind in alike if kind.waiting or kind.shown_at > recent]
        return len(members) >= _FAMILY_LIMIT

    def _forget_old_kinds(self) -> None:
        if len(self._kinds) < _KINDS_LIMIT:
            return
        old = self._clock() - REPEAT_SECONDS
        self._kinds = {key: k for key, k in self._kinds.items() if k.waiting or k.shown_at > old}
