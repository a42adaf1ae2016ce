"""Whether plug-ins that are being loaded get on."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

#: One plug-in may take so long to load; and so may the process, before its first.
LOAD_SECONDS: Final = 30.0
#: One that takes longer than this is told of: somebody is waiting for it.
_TOLD_SECONDS: Final = 10.0


class Loading:
    """Follows which insert is being loaded.

    Args:
        current: number of the insert, None where it is none.
        tell: takes the number of one that takes long, once.
    """

    def __init__(self, current: Callable[[], int | None], tell: Callable[[int], None]) -> None:
        self._current, self._tell = current, tell
        self._number = current()
        self._began = monotonic()
        self._has_told = False

    def may_go_on(self) -> bool:
        """False once an insert has had its time."""
        number = self._current()
        if number != self._number:
            self._number, self._began, self._has_told = number, monotonic(), False
        waited = monotonic() - self._began
        if waited > _TOLD_SECONDS and number is not None and not self._has_told:
            self._has_told = True
            self._tell(number)
        return waited < LOAD_SECONDS
