"""A sound file in place of a device's input: a thread that keeps the engine's feed ring full."""

from __future__ import annotations

import threading
from typing import Final

import numpy as np

from ...codec.files.audio_files import AudioReader
from ..engine.rings import READ, WRITE, count_free, write_frames
from ..engine.state import FEED_ENDED, FEEDING, EngineState, publish_number

_PIECE_FRAMES: Final = 4_096
_POLL_SECONDS: Final = 0.02


class Feeder:
    """Feeds a file to the engine, from a thread of its own.

    Args:
        state: the engine's; it hears the feed from now on.
        reader: of the file, at the engine's rate.
    """

    def __init__(self, state: EngineState, reader: AudioReader) -> None:
        self._state = state
        self._reader = reader
        self._stop = threading.Event()
        #: What reading failed of; None while it goes well.
        self.error: BaseException | None = None
        self._next = self._read()
        publish_number(state.numbers, FEEDING, 1)
        self._fill()
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)

    def start(self) -> None:
        """Begin to follow the engine."""
        self._thread.start()

    @property
    def drained(self) -> bool:
        """Whether the file has ended and the engine has taken its last sample."""
        index = self._state.feed.index
        return bool(self._state.numbers[FEED_ENDED] and index[READ] == index[WRITE])

    def close(self) -> None:
        """Stop feeding; the file stays open."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _read(self) -> np.ndarray:
        block = self._reader.read(_PIECE_FRAMES)
        channels = self._state.feed.frames.shape[1]
        return np.ascontiguousarray(np.repeat(block[:, None], channels, axis=1))

    def _fill(self) -> None:
        while len(self._next) and count_free(self._state.feed) >= len(self._next):
            write_frames(self._state.feed, self._next)
            self._next = self._read()

    def _run(self) -> None:
        try:
            while len(self._next) and not self._stop.wait(_POLL_SECONDS):
                self._fill()
        except Exception as error:  # handed to the thread that watches over the performance
            self.error = error
        publish_number(self._state.numbers, FEED_ENDED, 1)
