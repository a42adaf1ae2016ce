"""The files of a performance: the take, the sound, and what is rendered from file to file."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from ...codec.files.audio_files import AudioWriter
from ...codec.files.part_files import check_destination
from ...codec.takes.takes import TakeHeader
from ..engine.rings import read_frames
from ..engine.state import RECORDING, EngineState, position_seconds, publish_number
from ..screen.status import Recording
from .sound_recorder import SoundRecorder
from .take_recorder import TakeRecorder

_PIECE_FRAMES = 8_192


class Recordings:
    """All that a performance writes, from before its first block to after its last.

    Args:
        state: the engine's.
        rate: of the stream in Hz.
        tell: takes one line for the performer.
        count: adds to a counter, by name.
    """

    def __init__(
        self,
        state: EngineState,
        rate: int,
        tell: Callable[[str], None],
        count: Callable[[str, int], None],
    ) -> None:
        self._state = state
        self._rate = rate
        self._tell, self._count = tell, count
        self.take: TakeRecorder | None = None
        self._sound: SoundRecorder | None = None
        self._writers: list[AudioWriter] = []
        self._stack = ExitStack()
        self._begun = False
        #: Stream time at which the recordings ended, while the devices were still played; None before.
        self.end_seconds: float | None = None

    def open(
        self,
        take: Path | None,
        sounds: list[Path],
        header: TakeHeader,
        live: bool,
        attend: Callable[[], None],
    ) -> None:
        """Open the files; nothing is in them yet.

        Args:
            take: of events and messages, or None.
            sounds: of the output, one at most where ``live``.
            header: of the take.
            live: a device plays; else the sound comes by :meth:`write`.
            attend: has told what became of events until now; the take asks for it.

        Raises:
            StruckError: one cannot be written; those that stood there stay.
        """
        # An earlier recording must not be replaced by one that never began, because another could not begin.
        for path in sounds:
            check_destination(path, live=live)
        if take is not None:
            check_destination(take, live=True)
            self.take = TakeRecorder(
                take, header, self._tell, self._count, lambda: position_seconds(self._state), attend
            )
        channels = self._state.recording.frames.shape[1]
        if not live:
            for path in sounds:
                self._writers.append(self._stack.enter_context(AudioWriter(path, self._rate, channels)))
        elif sounds:
            piece = np.zeros((_PIECE_FRAMES, channels), np.float32)

            def read() -> np.ndarray:
                return piece[: read_frames(self._state.recording, piece)].copy()

            self._sound = SoundRecorder(sounds[0], self._rate, channels, read, self._tell, self._count)
            publish_number(self._state.numbers, RECORDING, 1)

    def begin(self) -> None:
        """The performance begins: from now on what is recorded is kept."""
        self._begun = True

    def write(self, block: np.ndarray) -> None:
        """A block of output ``[F, C]``, from file to file.

        Raises:
            StruckError: the disk is full.
        """
        for writer in self._writers:
            writer.write(block)

    def mark(self, kind: str, at_seconds: float | None = None, **details: Any) -> None:
        """A mark in the take, now or then."""
        if self.take is not None:
            self.take.mark(
                position_seconds(self._state) if at_seconds is None else at_seconds, kind, **details
            )

    def patch(self, name: str, controls: dict[str, float]) -> None:
        """A change of patch, now."""
        if self.take is not None:
            self.take.patch(position_seconds(self._state), name, controls=controls)

    def describe(self) -> tuple[Recording, ...]:
        """How the recordings stand."""
        return tuple(
            Recording(
                str(recorder.path),
                position_seconds(self._state),
                recorder.file_bytes,
                recorder.dropped_count if isinstance(recorder, TakeRecorder) else 0,
                recorder.failed,
            )
            for recorder in self._recorders()
        )

    @property
    def busy_seconds(self) -> float:
        """Processor time that recording has taken."""
        return sum(recorder.cpu_seconds for recorder in self._recorders())

    def whole(self) -> dict[str, bool]:
        """By path, whether a closed recording is whole."""
        return {str(recorder.path): recorder.whole for recorder in self._recorders()}

    def close(self, error: BaseException | None, pause_seconds: float) -> list[str]:
        """Make all files whole; what never began leaves nothing, nor does, after ``error``, what was
        rendered.

        Args:
            error: that ended the performance.
            pause_seconds: after which the engine has surely stopped writing.

        Returns:
            One line for each that is not whole.
        """
        if not self._begun:
            for recorder in self._recorders():
                recorder.discard()
        else:
            publish_number(self._state.numbers, RECORDING, 0)
            self.end_seconds = position_seconds(self._state)
            if self.take is not None:
                self.take.close(self.end_seconds)
            if self._sound is not None:
                time.sleep(pause_seconds)
                self._sound.close()
        self._stack.__exit__(None if error is None else type(error), error, None)
        return [
            f"{recorder.path} is not whole; {recorder.part_path} holds what there is"
            for recorder in self._recorders()
            if self._begun and not recorder.whole
        ]

    def _recorders(self) -> list[TakeRecorder | SoundRecorder]:
        return [recorder for recorder in (self.take, self._sound) if recorder is not None]
