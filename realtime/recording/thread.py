"""What the recorders of a take and of a sound share: a live file, its thread, and their end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from ...codec.files.part_files import part_path


class RecordingThread:
    """Owns a live file and the thread that writes it.

    A recorder makes its writer, then calls :meth:`_begin` with what the thread does: write until
    ``_stop`` is set, then finish, unless ``_discarded``.

    Args:
        path: of the file; it stands in ``part_path(path)`` until it is whole.
        what: is recorded, as the performer calls it.
        counter: counts that it stopped before its time.
        tell: takes one line for the performer; must not block.
        count: adds to a counter, by name.
    """

    def __init__(
        self,
        path: str | Path,
        what: str,
        counter: str,
        tell: Callable[[str], None],
        count: Callable[[str, int], None],
    ) -> None:
        self.path, self.part_path = Path(path), part_path(path)
        self._what, self._counter = what, counter
        self._tell, self._count = tell, count
        #: The recording stopped before its time.
        self.failed = False
        #: The file is complete and has its name.
        self.whole = False
        #: Processor time the thread has used.
        self.cpu_seconds = 0.0
        self._lock = threading.Lock()
        self._discarded = False
        self._stop = threading.Event()

    @property
    def file_bytes(self) -> int:
        """Size of what is on the disk."""
        try:
            return (self.path if self.whole else self.part_path).stat().st_size
        except FileNotFoundError:  # at the moment it gets its name
            return 0

    def discard(self) -> None:
        """Give up a recording that was never begun: no part is left, and what has its name stays."""
        self._discarded = True
        self._stop.set()
        self._thread.join()
        self.part_path.unlink(missing_ok=True)

    def _begin(self, name: str, work: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=work, name=name, daemon=True)
        self._thread.start()

    def _end(self, timeout_seconds: float) -> bool:
        """Let the thread finish; whether the file is whole. Calling again is harmless."""
        if not self._stop.is_set():
            self._stop.set()
            self._thread.join(timeout_seconds)
            if self._thread.is_alive():
                self._fail(f"the disk did not answer for {timeout_seconds:g} s")
        return self.whole

    def _fail(self, reason: str) -> None:
        """Note that recording stopped, and tell, the first time."""
        with self._lock:
            told, self.failed = self.failed, True
        if not told:
            self._count(self._counter, 1)
            self._tell(f"{self._what} stopped: {reason}; what was recorded is in {self.part_path}")
