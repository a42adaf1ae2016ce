"""Calls into audio libraries that may never return, each in a thread that can be left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class GuardedCall:
    """``function()`` runs in a thread of its own from now on.

    A daemon thread: one that hangs does not keep the program from ending.
    """

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._value: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="struck-device", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value = self._function()
        except BaseException as error:  # handed to who waits
            self._error = error

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def wait(self, seconds: float) -> Any:
        """What the function returned; raises what it raised, or TimeoutError when it takes longer."""
        self._thread.join(seconds)
        if self.running:
            raise TimeoutError(f"no answer within {seconds:g} s")
        if self._error is not None:
            raise self._error
        return self._value
