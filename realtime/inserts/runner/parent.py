"""What becomes of a process whose parent dies."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
#: Loaded with this module: what runs between fork and exec can load nothing.
_LIBC: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with_parent(number: int) -> None:
    """Let the system send this process a signal when its parent has died; elsewhere than on Linux nothing."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(number))
