"""The thread that lets sounding events follow wheels and controls, and plays their copies in time."""

from __future__ import annotations

import threading
from typing import Final

from .stage import Stage

#: Between two amendments of an event. A wheel sends up to a thousand messages a second, an ear wants two
#: hundred: what is moved in between is heard with the next one.
PAUSE_SECONDS: Final = 0.005


class ExpressionThread:
    """Calls :meth:`Stage.send_expressions` while something moves, and releases copies."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="expressions", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; what has moved is sent first."""
        self._closing.set()
        self._stage.moved.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._stage.moved.wait(self._stage.transforms.wait_seconds())
            self._stage.transforms.release()
            self._stage.send_expressions()
            self._closing.wait(PAUSE_SECONDS)
