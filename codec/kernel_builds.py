"""Kernels compiled in a process beside this one, which leaves them in Numba's cache for it.

Numba compiles one kernel at a time in a process. What hears and what plays share no kernels: two processes
compile them in two thirds of the time. So they do what a decoder does in a block and between blocks.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Final, Self

from numba.core import event

from .playing.kernel_options import CAN_CACHE

_PROGRAM: Final = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"


class KernelBuild:
    """Imports ``modules`` in a process of its own; a fault there only means that they compile here.

    Where no cache can be written it does nothing, since nothing would come of it.
    """

    def __init__(self, *modules: str) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        if CAN_CACHE:
            command = [sys.executable, "-c", _PROGRAM, *modules]
            quiet = subprocess.DEVNULL
            self._process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)

    def wait(self) -> None:
        """Return when all is compiled."""
        if self._process is not None:
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait; where the body failed, let it be."""
        if kind is not None and self._process is not None:
            self._process.kill()
        self.wait()


class _AtFirst(event.Listener):  # type: ignore[misc]
    """Calls ``begin`` as soon as Numba compiles something in this process."""

    def __init__(self, begin: Callable[[], object]) -> None:
        self._begin: Callable[[], object] | None = begin

    def on_start(self, event: Any) -> None:
        if self._begin is not None:
            begin, self._begin = self._begin, None
            begin()

    def on_end(self, event: Any) -> None:
        pass


@contextmanager
def built_beside(*modules: str) -> Iterator[None]:
    """Where the body compiles, ``modules`` are built meanwhile, and waited for; else nothing is done."""
    with ExitStack() as builds:
        if (os.cpu_count() or 1) > 1:
            begin = _AtFirst(lambda: builds.enter_context(KernelBuild(*modules)))
            builds.enter_context(event.install_listener("numba:compile", begin))
        yield
