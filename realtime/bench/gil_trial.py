"""Measures what Python's lock costs an audio callback, compiled or in Python, while threads compute."""

from __future__ import annotations

import ctypes
import threading
import time
from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import carray

from ..devices.jack import JackLibrary
from ..devices.jack_stream import UNCONNECTED, JackStream
from ..engine.c_pointers import CONTINUE, STREAM_CALLBACK, c_callback

_COMPLETE: Final = 1
_PYTHON_CALLBACK: Final = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_ulong,
    ctypes.c_void_p,
    ctypes.c_ulong,
    ctypes.c_void_p,
)


@c_callback(STREAM_CALLBACK)
def count_block(source, sink, frames, time_info, flags, userdata):
    """Counts its calls in the first of the int64 at ``userdata``."""
    carray(userdata, (1,), np.int64)[0] += 1
    return CONTINUE


@dataclass(frozen=True)
class GilTrial:
    """Shares of the blocks that came in time, 0 to 1, while threads held the lock.

    Args:
        compiled_share: of a compiled callback; ``python_share``: of one in Python.
        idle_share: of a compiled callback while nothing else ran: what the machine itself loses.
    """

    compiled_share: float
    python_share: float
    idle_share: float


def _spin(running: threading.Event) -> None:
    number = 0
    while running.is_set():
        for _ in range(10_000):
            number += 1


def measure_gil(
    jack: JackLibrary, rate: int, block_frames: int, seconds: float, threads: int = 2
) -> GilTrial:
    """Run streams of the JACK server for ``seconds`` each, one callback after the other.

    Args:
        jack: libjack, with a server running at ``rate`` Hz in periods of at least ``block_frames``.
        threads: how many spin in Python meanwhile.
    """
    count = np.zeros(1, dtype=np.int64)

    stopping = threading.Event()

    def call_python(*arguments: int) -> int:
        count[0] += 1
        return _COMPLETE if stopping.is_set() else CONTINUE

    python_callback = _PYTHON_CALLBACK(call_python)
    python_address = ctypes.cast(python_callback, ctypes.c_void_p).value
    assert python_address is not None

    def run(address: int) -> float:
        stream = JackStream(
            jack, UNCONNECTED, UNCONNECTED, rate, block_frames, 1, 1, address, count.ctypes.data
        )
        stream.start()
        begin, before = time.monotonic(), int(count[0])
        time.sleep(seconds)
        share = (int(count[0]) - before) * stream.block_frames / rate / (time.monotonic() - begin)
        # libjack cancels the thread of a client that it closes: should that wait for Python's lock just then,
        # nobody would get the lock ever again. A callback that said it was its last is not called any more.
        stopping.set()
        while address == python_address and stream.is_active:
            time.sleep(0.01)
        stopping.clear()
        stream.close()
        return share

    idle = run(count_block.address)
    running = threading.Event()
    running.set()
    hogs = [threading.Thread(target=_spin, args=(running,), daemon=True) for _ in range(threads)]
    for hog in hogs:
        hog.start()
    try:
        return GilTrial(run(count_block.address), run(python_address), idle)
    finally:
        running.clear()
        for hog in hogs:
            hog.join()
