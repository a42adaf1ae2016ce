"""The processor's own clock, read without a system call: what the audio thread times itself with.

The host's clock beside it is :func:`time.perf_counter`, for all times of the stream, MIDI and OSC that are
compared with one another. On Linux and macOS it is :func:`time.monotonic`; on Windows that one counts in
steps of 16 ms, of which a block of audio is a tenth.
"""

from __future__ import annotations

import platform
import time
from typing import Final

from llvmlite import ir
from numba import int64, njit, types
from numba.extending import intrinsic

from ...codec.playing.kernel_options import CAN_CACHE

# ARM gives programs its steady counter, x86 its time stamp counter; LLVM knows each by another name.
_INSTRUCTION: Final = (
    "llvm.readsteadycounter"
    if platform.machine().lower() in ("arm64", "aarch64")
    else "llvm.readcyclecounter"
)


@intrinsic
def _read_counter(typing_context):
    def generate(context, builder, signature, arguments):
        function_type = ir.FunctionType(ir.IntType(64), [])
        return builder.call(builder.module.declare_intrinsic(_INSTRUCTION, fnty=function_type), [])

    return types.int64(), generate


@njit(int64(), nogil=True, cache=CAN_CACHE)
def read_cycles():
    """Ticks since some moment; they pass evenly on every processor made since about 2010."""
    return _read_counter()


class CycleClock:
    """Seconds of :func:`time.perf_counter` for ticks; measured over at least ``seconds`` at the start."""

    def __init__(self, seconds: float = 0.02) -> None:
        self._cycles, self._monotonic = self._pair()
        time.sleep(seconds)
        cycles, monotonic = self._pair()
        if cycles == self._cycles:
            raise RuntimeError("this processor's counter does not count")
        self.cycles_per_second = (cycles - self._cycles) / (monotonic - self._monotonic)

    @staticmethod
    def _pair() -> tuple[int, float]:
        """Ticks and seconds of one moment: of several readings the one that took least."""
        readings = []
        for _ in range(9):
            before = read_cycles()
            monotonic = time.perf_counter()
            after = read_cycles()
            readings.append((after - before, (before + after) // 2, monotonic))
        _, cycles, monotonic = min(readings)
        return cycles, monotonic

    def refine(self) -> None:
        """Measure again, over the time since the start: the longer, the more exact."""
        cycles, monotonic = self._pair()
        self.cycles_per_second = (cycles - self._cycles) / (monotonic - self._monotonic)

    def monotonic_at(self, cycles: int) -> float:
        """Seconds of :func:`time.perf_counter` at ``cycles``."""
        return self._monotonic + (cycles - self._cycles) / self.cycles_per_second
