"""Records the sound of a performance into a WAV file, on a thread of its own.

The engine copies what it plays into a ring; the worker here empties it every few milliseconds. The audio
thread never waits: if the disk is slow the ring fills up, the engine counts the samples that were lost and
hands out zeros in their place, so that the file keeps its time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...codec.events.errors import StruckError
from ...codec.files.audio_writer import AudioWriter
from .thread import RecordingThread

_POLL_SECONDS: Final = 0.03

#: The next samples, float32 ``[T, C]``; None or none at all if there are none yet.
Read = Callable[[], "NDArray[np.float32] | None"]


class SoundRecorder(RecordingThread):
    """Owns a live ``.wav`` (24 bits; beyond 4 GB it becomes RF64) and the thread that writes it.

    If the disk refuses, recording stops (``sound_record_failed``), it is told in one line, and the part
    stays, readable but for its last second. What is played after that is taken from the ring and counted
    (``sound_record_lost_frames``).

    Args:
        path: of the sound file, ``.wav``.
        rate: of the stream, in Hz.
        channels: number of channels.
        read: takes the next samples out of the ring; called on the worker's thread only.
        tell: takes one line for the performer; must not block.
        count: adds to a counter, by name.
        subtype: sample format as libsndfile names it.

    Raises:
        StruckError: the file cannot be written, or an unfinished recording of this name exists.
    """

    def __init__(
        self,
        path: str | Path,
        rate: int,
        channels: int,
        read: Read,
        tell: Callable[[str], None],
        count: Callable[[str, int], None],
        *,
        subtype: str = "PCM_24",
    ) -> None:
        super().__init__(path, "the sound recording", "sound_record_failed", tell, count)
        self.rate, self.channels = rate, channels
        self._read = read
        #: Frames in the file so far; samples in it that were not finite and became 0.
        self.frame_count = self.replaced_count = 0
        self._writer = AudioWriter(path, rate, channels, subtype, live=True)
        self._writer.__enter__()
        self._begin("sound recorder", self._work)

    @property
    def seconds(self) -> float:
        """Length of what has been recorded."""
        return self.frame_count / self.rate

    def close(self, timeout_seconds: float = 5.0) -> bool:
        """Write what is still in the ring, complete the file and give it its name.

        Call it when the engine has stopped to write into the ring.

        Args:
            timeout_seconds: longest wait for a disk that does not answer.

        Returns:
            Whether the file is whole; if not, its part stays and it has been told. Calling again is harmless.
        """
        return self._end(timeout_seconds)

    # The worker's thread from here on.

    def _work(self) -> None:
        try:
            while not self._stop.wait(_POLL_SECONDS):
                self._drain(self._write)
                self.cpu_seconds = time.thread_time()
            if self._discarded:
                reason = StruckError("discarded")
                self._writer.__exit__(StruckError, reason, None)
                return
            self._drain(self._write)
            self._writer.__exit__(None, None, None)
            self.whole = True
            return
        except StruckError as error:
            self._give_up(error, str(error))
        except Exception as error:
            self._give_up(error, f"{type(error).__name__}: {error}")
            raise
        while not self._stop.wait(_POLL_SECONDS):
            self._drain(self._lose)

    def _drain(self, take: Callable[[NDArray[np.float32]], None]) -> None:
        while (block := self._read()) is not None and len(block):
            take(block)

    def _write(self, block: NDArray[np.float32]) -> None:
        finite = np.isfinite(block)
        if not finite.all():
            self.replaced_count += int(block.size - np.count_nonzero(finite))
            block = np.where(finite, block, np.float32(0.0))
        self._writer.write(block)
        self.frame_count = self._writer.frame_count

    def _lose(self, block: NDArray[np.float32]) -> None:
        self._count("sound_record_lost_frames", len(block))

    def _give_up(self, error: Exception, reason: str) -> None:
        self._fail(reason)
        try:
            # Closes the file, with its header as it was when the disk last took one.
            self._writer.__exit__(type(error), error, None)
        except StruckError as closing:
            self._tell(f"{self.part_path}: {closing}")
