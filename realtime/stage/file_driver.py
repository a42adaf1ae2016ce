"""Drives the engine from a sound file: as fast as it computes, or at the pace of the clock.

Encoder and engine take turns in one thread, so every event is in time whatever the machine does, and the same
file gives the same output to the bit: but for the process that compiles the kernels, whose floats may round
otherwise than those of the processes that find them compiled.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...codec.files.audio_files import AudioReader
from ...codec.playing.decoder_state import ACTIVE, PENDING
from ..engine.callback import CallbackState, run_block
from ..engine.rings import READ, WRITE
from ..engine.state import CAPTURING
from .hearing_thread import Listener

#: The end has come when this much in a row stays below -80 dBFS and no event waits; where one sounds, it may
#: still be rising.
_QUIET_SECONDS: Final = 0.25
_SLOWEST_ATTACK_SECONDS: Final = 1.5
_QUIET_PEAK: Final = 1e-4
#: Or at the latest this long after the input has ended.
_LONGEST_TAIL_SECONDS: Final = 30.0

Take = Callable[[NDArray[np.float32]], None]


class FileDriver:
    """Plays a file through the engine.

    Args:
        state: of the callback.
        reader: the input, at the engine's rate.
        block_frames: per call of the engine.
        listener: hears the input after every block; None plays without hearing.
        take: gets every block of output ``[F, C]``; it is overwritten afterwards.
        paced: wait for the clock.
        attend: called after every block, to read what the engine tells.
        input_delay_frames: of inserts at the input: so much more of it is heard after its end.
        waits: whether something is still to sound that the engine does not know of yet.
    """

    def __init__(
        self,
        state: CallbackState,
        reader: AudioReader,
        block_frames: int,
        listener: Listener | None,
        take: Take | None = None,
        paced: bool = False,
        attend: Callable[[], None] = lambda: None,
        input_delay_frames: int = 0,
        waits: Callable[[], bool] = lambda: False,
    ) -> None:
        self.rate = reader.rate
        self.block_frames = block_frames
        self._state = state
        self._reader = reader
        self._listener = listener
        self._take = take
        self._paced = paced
        self._attend = attend
        self._input_delay_frames = input_delay_frames
        self._waits = waits
        self._source = np.zeros((block_frames, state.silence.shape[1]), np.float32)
        self._out = np.zeros((block_frames, state.sink.shape[1]), np.float32)
        self._began = time.perf_counter()
        #: Frames played, and of these, frames of input.
        self.frame_count = 0
        self.input_frame_count = 0

    def run(
        self,
        go_on: Callable[[float], bool],
        longest_seconds: float | None = None,
        at_end: Callable[[], None] | None = None,
    ) -> None:
        """Play to the end of the last tail, or until ``go_on``, given the seconds played, says no.

        Args:
            longest_seconds: end here at the latest.
            at_end: called when the input has ended, before the tail.
        """
        self._began = time.perf_counter()
        limit = None if longest_seconds is None else round(longest_seconds * self.rate)
        while go_on(self.frame_count / self.rate):
            count = self.block_frames if limit is None else min(self.block_frames, limit - self.frame_count)
            block = self._reader.read(count)
            if not len(block):
                break
            self._source[: len(block)] = block[:, None]
            self._step(len(block))
            self.input_frame_count += len(block)
            if self._listener is not None:
                self._listener.pump()
        self._source[:] = 0.0
        self._play_late_input(limit)
        self._state.engine.numbers[CAPTURING] = 0
        if self._listener is not None:
            self._listener.finish()
        if at_end is not None:
            at_end()
        self._play_tail(go_on, limit)

    def _play_late_input(self, limit: int | None) -> None:
        """What the inserts at the input still hold is heard, too."""
        end = self.frame_count + self._input_delay_frames
        end = end if limit is None else min(end, limit)
        while self.frame_count < end:
            self._step(min(self._left_of_block(), end - self.frame_count))
            if self._listener is not None:
                self._listener.pump()

    def _left_of_block(self) -> int:
        """Frames up to the next multiple of the block: where the input ended, inserts count on it."""
        return self.block_frames - self.frame_count % self.block_frames

    def _play_tail(self, go_on: Callable[[float], bool], limit: int | None) -> None:
        decoder = self._state.engine.decoder.numbers
        commands = self._state.engine.commands.index
        end = self.frame_count + round(_LONGEST_TAIL_SECONDS * self.rate)
        end = end if limit is None else min(end, limit)
        quiet = 0
        while self.frame_count < end and go_on(self.frame_count / self.rate):
            waiting = decoder[PENDING] > 0 or commands[WRITE] != commands[READ] or self._waits()
            enough = _SLOWEST_ATTACK_SECONDS if decoder[ACTIVE] > 0 else _QUIET_SECONDS
            if quiet >= enough * self.rate:
                break
            count = min(self._left_of_block(), end - self.frame_count)
            self._step(count)
            silent = np.max(np.abs(self._out[:count])) < _QUIET_PEAK
            quiet = quiet + count if silent and not waiting else 0

    def _step(self, count: int) -> None:
        run_block(self._state, self._source[:count], self._out[:count], 0)
        self.frame_count += count
        self._attend()
        if self._take is not None:
            self._take(self._out[:count])
        if self._paced:
            time.sleep(max(0.0, self._began + self.frame_count / self.rate - time.perf_counter()))
