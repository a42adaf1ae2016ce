"""Requests as they come: JSON objects, a line each."""

from __future__ import annotations

import json
import os
from multiprocessing import connection
from typing import Any


class LineReader:
    """Reads JSON objects, a line each, from a file descriptor."""

    def __init__(self, source: int) -> None:
        self._source = source
        self._waiting = b""
        #: Whether the other side has gone.
        self.ended = False

    def read(self, wait: bool) -> dict[str, Any] | None:
        """The next one; None at the end, or where none is here and nobody waits."""
        while b"\n" not in self._waiting:
            if not wait and not connection.wait([self._source], 0.0):
                return None
            data = os.read(self._source, 1 << 16)
            if not data:
                self.ended = True
                return None
            self._waiting += data
        line, _, self._waiting = self._waiting.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found
