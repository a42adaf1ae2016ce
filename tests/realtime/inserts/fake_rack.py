"""A rack's process whose plug-ins are tests' own: each does to the process what its name says."""

import os
import signal
import sys
import time
from typing import Any

import numpy as np

from struck.codec.events.errors import StruckError
from struck.realtime.inserts.plugins.plugin import PluginInfo, PluginParameter
from struck.realtime.inserts.runner.server import main


class FakePlugin:
    """``plugin`` of the patch is ``KIND`` or ``KIND:NUMBER``; the number means what the kind says.

    half: halves. ring: an echo of NUMBER frames that dies away in seconds, but at once where a whole block is
    digital silence, as MDA Ambience does. delay: reports and delays by NUMBER. lie: reports NUMBER, delays by
    0. crash, kill, hang, nan: in block NUMBER; nans: from then on. raise: an exception, in block NUMBER.
    slow: sleeps NUMBER ms in every block. slows: takes ten blocks' time for each from NUMBER on. click: an
    impulse of 1 at every note-on. log: prints every message and its frame in the stream. crash_at_load: at
    once; exit_at_load: the process ends; quit_at_load: Python is asked to end.
    """

    def __init__(self, insert: Any, rate: int, channels: int, block_frames: int) -> None:
        print("plug-ins chatter", flush=True)
        self._kind, _, number = insert.plugin.partition(":")
        self._rate = rate
        self._number = int(number or 0)
        if self._kind == "missing":
            raise StruckError("there is no such plug-in")
        if self._kind == "crash_at_load":
            os.kill(os.getpid(), signal.SIGSEGV)
        if self._kind == "exit_at_load":
            os._exit(3)
        if self._kind == "quit_at_load":
            sys.exit(3)
        self.info = PluginInfo("fake", insert.plugin, self._kind, takes_notes=self._kind in ("click", "log"))
        self.least_frames = min(4, block_frames)
        self.parameters = (PluginParameter("gain", "Gain", 0.0, 2.0, 1.0),)
        self._gain = 1.0
        self._blocks = -16  # the warm-up does not count
        self._frames = block_frames
        self._line = np.zeros((channels, self._number if self._kind in ("delay", "ring") else 0), np.float32)
        self._clicks: list[int] = []
        self._path = insert.state

    @property
    def latency_samples(self) -> int:
        return self._number if self._kind in ("delay", "lie") else 0

    def process(self, block: np.ndarray, out: np.ndarray) -> None:
        self._blocks += 1
        if self._blocks == self._number + 1 and not (self._path and os.path.exists(self._path)):
            if self._path and self._kind in ("crash", "kill", "hang"):
                open(self._path, "w").close()  # only once
            self._misbehave()
        if self._kind == "slow" and self._blocks > 0:
            time.sleep(1e-3 * self._number)
        if self._kind == "slows" and self._blocks > self._number:
            time.sleep(10.0 * block.shape[1] / self._rate)
        if self._kind == "delay":
            whole = np.concatenate([self._line, block], axis=1)
            out[:] = whole[:, : block.shape[1]]
            self._line = whole[:, block.shape[1] :]
        elif self._kind == "ring":
            self._line *= np.float32(block.any())
            out[:] = 0.1 * block + 0.9 * self._line[:, : block.shape[1]]
            self._line = np.concatenate([self._line[:, block.shape[1] :], out], axis=1)
        else:
            out[:] = (0.5 if self._kind == "half" else self._gain) * block
        if self._kind == "nan" and self._blocks == self._number + 1:
            out[:, 3] = np.nan
        if self._kind == "nans" and self._blocks > self._number:
            out[:] = np.nan
        if self._kind == "click":
            out[:] = 0.0
            out[:, self._clicks] = 1.0
            self._clicks.clear()

    def _misbehave(self) -> None:
        if self._kind == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        elif self._kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self._kind == "hang":
            while True:
                pass
        elif self._kind == "raise":
            raise RuntimeError("out of order")

    def get(self, number: int) -> float:
        return self._gain

    def set(self, number: int, value: float) -> None:
        self._gain = value

    def note(self, frame: int, message: bytes) -> None:
        if self._kind == "log" and self._blocks > 0:
            at_frame = (self._blocks - 1) * self._frames + frame
            print("MIDI", at_frame, *message, flush=True)
        if message[0] & 0xF0 == 0x90:
            self._clicks.append(frame)

    def save_state(self) -> str:
        return f"gain {self._gain}"

    def close(self) -> None:
        pass


if __name__ == "__main__":
    main(FakePlugin)
